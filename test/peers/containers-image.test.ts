/**
 * What podman, skopeo and CRI-O demand by policy.json: they take images that we signed in the layout of tags, by key
 * and by certificate, and no others; and we verify what they sign.
 */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '#platform/system';
import { ada, startStack, temporaryFolder } from '../stack/helper.ts';
import { requirePeer } from './cache.ts';
import { passes, pushImage, type Ran, runProgram } from './stack-image.ts';

const binary = requirePeer('containers-image');
const stack = await startStack();
const home = await temporaryFolder();
const at = (name: string): string => join(home, name);
const published = (name: string): string => join(stack.dataDir, 'public', name);
const env = { HOME: home, COSIGN_PASSWORD: 'secret', WAYBILL_STACK: stack.dataDir };
const waybill = (...args: string[]): Promise<Ran> => runProgram(resolve('bin/waybill'), args, env);
const { registryHost, origins } = stack;

await mkdir(at('registries.d'));
const attachments = { [registryHost]: { 'use-sigstore-attachments': true } };
await writeFile(at('registries.d/stack.yaml'), JSON.stringify({ docker: attachments }));

interface Signers {
  readonly keyPath?: string;
  readonly fulcio?: { readonly caPath: string; readonly oidcIssuer: string; readonly subjectEmail: string };
  readonly rekorPublicKeyPath?: string;
}

/** Copies under a policy: of signers, or any image. */
let copies = 0;
async function copy(
  source: string,
  target: string | undefined,
  signers?: Signers,
  ...key: string[]
): Promise<Ran> {
  const name = `${copies++}`;
  const signedIdentity = { type: 'matchRepository' };
  const rule =
    signers === undefined
      ? { type: 'insecureAcceptAnything' }
      : { type: 'sigstoreSigned', ...signers, signedIdentity };
  await writeFile(at(`policy-${name}.json`), JSON.stringify({ default: [rule] }));
  const to = target === undefined ? `oci:${at(`copy-${name}`)}:1` : `docker://${target}`;
  const words = [at(`policy-${name}.json`), at('registries.d'), `docker://${source}`, to, ...key];
  return runProgram(binary, words, env);
}

async function refused(run: Promise<Ran>, says: RegExp): Promise<void> {
  const ran = await run;
  assert.equal(ran.code, 1, ran.stdout);
  assert.match(ran.stderr, says);
}

await passes(waybill('generate-key-pair', '--output-key-prefix', at('cosign')));
await passes(waybill('generate-key-pair', '--output-key-prefix', at('other')));
const byKey = await pushImage(registryHost, 'acme/policy', 'by key');
const byName = await pushImage(registryHost, 'acme/policy', 'by certificate');
const unsigned = await pushImage(registryHost, 'acme/policy', 'by nobody');

test('its policy takes an image that we signed with a key, and no other', async () => {
  await passes(waybill('sign', '--key', at('cosign.key'), '--format', 'legacy', byKey));
  await passes(copy(byKey, undefined, { keyPath: at('cosign.pub') }));
  await refused(
    copy(byKey, undefined, { keyPath: at('other.pub') }),
    /cryptographic signature verification failed/,
  );
  await refused(copy(unsigned, undefined, { keyPath: at('cosign.pub') }), /A signature was required, but no/);
});

test('its policy takes an image that we signed with a certificate, by that person only', async () => {
  const token = (await stack.mint({ sub: ada, email: ada })).reveal();
  await passes(
    waybill('sign', '--identity-token', token, '--log-version', '1', '--format', 'legacy', byName),
  );
  const fulcio = { caPath: published('fulcio_chain.pem'), oidcIssuer: origins.oidc, subjectEmail: ada };
  const rekorPublicKeyPath = published('rekor.pub');
  await passes(copy(byName, undefined, { fulcio, rekorPublicKeyPath }));
  const eve = { ...fulcio, subjectEmail: 'eve@example.com' };
  await refused(copy(byName, undefined, { fulcio: eve, rekorPublicKeyPath }), /eve@example\.com/);
  const elsewhere = { ...fulcio, oidcIssuer: 'https://issuer.example' };
  await refused(copy(byName, undefined, { fulcio: elsewhere, rekorPublicKeyPath }), /issuer/);
  await refused(
    copy(unsigned, undefined, { fulcio, rekorPublicKeyPath }),
    /A signature was required, but no/,
  );
});

test('the policy that `stack connect podman` prints does the same', async () => {
  const printed = await passes(waybill('stack', 'connect', 'podman', '--identity', ada));
  await writeFile(at('printed.json'), printed.stdout);
  const run = (image: string): Promise<Ran> =>
    runProgram(
      binary,
      [at('printed.json'), at('registries.d'), `docker://${image}`, `oci:${at('printed')}:1`],
      env,
    );
  await passes(run(byName));
  await refused(run(unsigned), /A signature was required, but no/);
});

test('after a rotation of authority and log, the policy printed then takes what was signed before and after', async () => {
  const print = async (): Promise<string> =>
    (await passes(waybill('stack', 'connect', 'podman', '--identity', ada))).stdout;
  const run = async (image: string): Promise<Ran> => {
    await writeFile(at('rotated.json'), await print());
    const to = `oci:${at(`rotated-${copies++}`)}:1`;
    return runProgram(binary, [at('rotated.json'), at('registries.d'), `docker://${image}`, to], env);
  };
  for (const station of ['ca', 'log'] as const) await stack.rotation.rotate({ station, overlapMs: 0 });
  const later = await pushImage(registryHost, 'acme/policy', 'after the rotation');
  const token = (await stack.mint({ sub: ada, email: ada })).reveal();
  await passes(waybill('sign', '--identity-token', token, '--log-version', '1', '--format', 'legacy', later));
  await passes(run(byName));
  await passes(run(later));
  // The newer authority is stolen: what only it vouches for is refused, what the first one signed is not.
  await stack.rotation.rotate({ station: 'ca', overlapMs: 0, stolenSince: systemClock.now() });
  await passes(run(byName));
  await refused(run(later), /certificate signed by unknown authority/);
});

test('we verify what it signs, with its key and no other', async () => {
  await writeFile(at('passphrase'), 'secret');
  const target = `${registryHost}/acme/by-podman:1`;
  await passes(copy(unsigned, target, undefined, at('cosign.key'), at('passphrase')));
  const verify = (name: string): Promise<Ran> =>
    waybill('verify', '--key', at(`${name}.pub`), '--insecure-ignore-tlog', target);
  await passes(verify('cosign'));
  const wrong = await verify('other');
  assert.equal(wrong.code, 12, wrong.stderr);
});
