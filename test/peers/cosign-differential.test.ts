/** Real cosign and ours on the same bundles: every disagreement is a written one (test/differential/disagreements.ts). */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { generateKey, publicKeyPem } from '#base/crypto';
import { unwrap } from '#base/result';
import { trustedRootJson } from '#formats/trusted-root';
import { requireKey } from '#verify';
import { bytesOf, type Compared, cases, mutantsOf, samplesOf } from '../differential/bundles.ts';
import { Comparison, ourAnswer } from '../differential/compare.ts';
import { ISSUER, SUBJECT } from '../double/virtual-stack.ts';
import { ada, startStack, temporaryFolder } from '../stack/helper.ts';
import { conformanceClient } from '../vectors/conformance-client.ts';
import { stack } from '../verify/attack.ts';
import { requirePeer } from './cache.ts';
import { runProgram } from './stack-image.ts';

const binary = requirePeer('cosign');
const home = await temporaryFolder();
const root = join(home, 'trusted_root.json');
await writeFile(root, trustedRootJson(stack.root));
const trust = stack.trust();

/** What cosign says; undefined when it accepts. */
async function cosignRefusal({ sample, key }: Compared, bundle: Uint8Array): Promise<string | undefined> {
  const file = (name: string): string => join(home, name);
  await Promise.all([writeFile(file('bundle'), bundle), writeFile(file('artifact'), sample.artifact)]);
  const signer = ['--certificate-identity', SUBJECT, '--certificate-oidc-issuer', ISSUER];
  if (key !== undefined) await writeFile(file('key.pub'), publicKeyPem(key));
  const isStatement = sample.json['dsseEnvelope'] !== undefined;
  const ran = await runProgram(
    binary,
    [
      ...(isStatement
        ? ['verify-blob-attestation', '--type', 'https://sigstore.dev/cosign/sign/v1']
        : ['verify-blob']),
      ...['--bundle', file('bundle'), '--trusted-root', root],
      ...(key === undefined ? signer : ['--key', file('key.pub')]),
      file('artifact'),
    ],
    { HOME: home },
  );
  return ran.code === 0 ? undefined : ran.stderr.trim().slice(0, 300) || 'an error without words';
}

async function put(comparison: Comparison, what: string, bundle: Uint8Array, one: Compared): Promise<void> {
  const { artifact } = one.sample;
  const requirements = one.key === undefined ? stack.requirements() : unwrap(requireKey(one.key));
  const ours = ourAnswer(bundle, { artifact, trustedRoot: trust, requirements, now: stack.clock.now() });
  comparison.add(what, ours, await cosignRefusal(one, bundle));
}

function settle({ unexplained, agreed }: Comparison): void {
  assert.deepEqual(
    unexplained,
    [],
    `${unexplained.length} disagreements nobody wrote down; ${JSON.stringify(agreed)}`,
  );
}

test('on bundles good and bad cosign says what we say', async () => {
  const comparison = new Comparison('cosign');
  for (const one of samplesOf(Object.keys(cases))) await put(comparison, one.name, one.sample.bytes, one);
  settle(comparison);
});

test('on changed bundles too', async () => {
  const comparison = new Comparison('cosign');
  for (const name of ['message, v1', 'statement, v2']) {
    const [one, other] = samplesOf([name, name]) as [Compared, Compared];
    for (const mutant of mutantsOf(one.sample, other.sample, 20)) {
      await put(comparison, `${name}: ${mutant.name}`, bytesOf(mutant.bundle), one);
    }
  }
  settle(comparison);
});

test('cosign verifies what the conformance client signs, by either log', async () => {
  const running = await startStack();
  const published = (name: string): string => join(running.dataDir, 'public', name);
  const artifact = join(home, 'signed');
  await writeFile(artifact, 'signed by the client');
  for (const config of ['signing_config.v0.2.json', 'signing_config_rekor_v2.v0.2.json']) {
    const bundle = join(home, config.replace('.json', '.bundle'));
    const token = (await running.mint({ sub: ada, email: ada })).reveal();
    const services = [
      '--trusted-root',
      published('trusted_root.json'),
      '--signing-config',
      published(config),
    ];
    const words = ['sign-bundle', '--identity-token', token, '--bundle', bundle, ...services, artifact];
    const signed = await conformanceClient(words, home);
    assert.equal(signed.code, 0, signed.stderr);
    const who = ['--certificate-identity', ada, '--certificate-oidc-issuer', running.origins.oidc];
    const trusted = ['--bundle', bundle, '--trusted-root', published('trusted_root.json')];
    const checked = await runProgram(binary, ['verify-blob', ...trusted, ...who, artifact], { HOME: home });
    assert.equal(checked.code, 0, checked.stderr);
  }
  const stranger = generateKey('p256');
  const other = await runProgram(
    binary,
    [
      'verify-blob',
      '--bundle',
      join(home, 'signing_config.v0.2.bundle'),
      '--key',
      await keyFile(stranger),
      artifact,
    ],
    { HOME: home },
  );
  assert.notEqual(other.code, 0);
});

async function keyFile({ publicKey }: ReturnType<typeof generateKey>): Promise<string> {
  const file = join(home, 'stranger.pub');
  await writeFile(file, publicKeyPem(publicKey));
  return file;
}
