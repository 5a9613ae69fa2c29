/** Real cosign against the stack, in both directions, in both layouts, with both log versions, with keys. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { utf8 } from '#base/bytes';
import { Secret } from '#base/secret';
import { systemRandom } from '#platform/system';
import { makeKeyPair } from '#sign';
import { environmentOf } from '#stack';
import { ada, startStack, temporaryFolder } from '../stack/helper.ts';
import { requirePeer } from './cache.ts';
import { passes, pushImage, type Ran, runProgram } from './stack-image.ts';

const binary = requirePeer('cosign');
const stack = await startStack();
const home = await temporaryFolder();
const { origins, registryHost } = stack;
const publicFile = (name: string): string => join(stack.dataDir, 'public', name);
const issuer = origins.oidc;
const who = ['--certificate-identity', ada, '--certificate-oidc-issuer', issuer];
const eve = ['--certificate-identity', 'eve@example.com', '--certificate-oidc-issuer', issuer];
const trusted = ['--trusted-root', publicFile('trusted_root.json')];
const configs = {
  1: ['--signing-config', publicFile('signing_config.v0.2.json')],
  2: ['--signing-config', publicFile('signing_config_rekor_v2.v0.2.json')],
};
const predicateType = 'https://example.com/predicate/v1';
const predicate = join(home, 'predicate.json');
await writeFile(predicate, '{"checked":true}');

const cosign = (...args: string[]): Promise<Ran> =>
  runProgram(binary, args, { HOME: home, COSIGN_PASSWORD: 'secret' });
const waybill = (...args: string[]): Promise<Ran> =>
  runProgram(resolve('bin/waybill'), args, {
    HOME: home,
    WAYBILL_STACK: stack.dataDir,
    COSIGN_PASSWORD: 'secret',
  });
const token = async (): Promise<string[]> => [
  '--identity-token',
  (await stack.mint({ sub: ada, email: ada })).reveal(),
];

async function refuses(run: Promise<Ran>, why: RegExp): Promise<void> {
  const ran = await run;
  assert.notEqual(ran.code, 0, 'it was accepted');
  assert.match(ran.stderr, why);
}

let images = 0;
const newImage = (): Promise<string> => pushImage(registryHost, 'peers/app', `image ${images++}`);

for (const version of [1, 2] as const) {
  test(`cosign verifies our signature and attestation logged with API v${version}`, async () => {
    const image = await newImage();
    await passes(waybill('sign', ...(await token()), ...configs[version], image));
    await passes(
      waybill(
        'attest',
        ...(await token()),
        ...configs[version],
        '--type',
        predicateType,
        '--predicate',
        predicate,
        image,
      ),
    );
    await passes(cosign('verify', ...trusted, ...who, image));
    const attested = await passes(
      cosign('verify-attestation', ...trusted, ...who, '--type', predicateType, image),
    );
    const envelope = JSON.parse(attested.stdout) as { payload: string };
    const statement = JSON.parse(Buffer.from(envelope.payload, 'base64').toString()) as {
      predicate: unknown;
    };
    assert.deepEqual(statement.predicate, { checked: true });
    await refuses(
      cosign('verify', ...trusted, ...eve, image),
      /expected SAN value "eve@example\.com", got "ada@example\.com"/,
    );
  });

  test(`we verify the signature and attestation cosign makes with log API v${version}`, async () => {
    const image = await newImage();
    await passes(cosign('sign', '--yes', ...(await token()), ...trusted, ...configs[version], image));
    await passes(
      cosign(
        ...['attest', '--yes', ...(await token()), ...trusted, ...configs[version]],
        ...['--type', predicateType, '--predicate', predicate, image],
      ),
    );
    await passes(waybill('verify', ...who, image));
    await passes(waybill('verify-attestation', ...who, '--type', predicateType, image));
    const refused = await waybill('verify', ...eve, image);
    assert.equal(refused.code, 14, refused.stderr);
  });

  test(`cosign signs and verifies a blob with log API v${version}`, async () => {
    const [blob, bundle] = [join(home, `blob${version}`), join(home, `blob${version}.sigstore.json`)];
    await writeFile(blob, 'content');
    await passes(
      cosign(
        'sign-blob',
        '--yes',
        ...(await token()),
        ...trusted,
        ...configs[version],
        '--bundle',
        bundle,
        blob,
      ),
    );
    await passes(cosign('verify-blob', ...trusted, ...who, '--bundle', bundle, blob));
  });
}

test('cosign starts from our TUF repository alone', async () => {
  const root = publicFile('root.json');
  await passes(cosign('initialize', '--mirror', origins.tuf, '--root', root));
  const image = await newImage();
  await passes(cosign('sign', '--yes', ...(await token()), image));
  await passes(cosign('verify', ...who, image));
  await passes(waybill('verify', ...who, image));
});

test('cosign works with the environment lines of the stack alone', async () => {
  const image = await newImage();
  const env = { HOME: await temporaryFolder(), ...environmentOf(stack.dataDir, origins) };
  await passes(runProgram(binary, ['sign', '--yes', ...(await token()), image], env));
  await passes(runProgram(binary, ['verify', ...who, image], env));
});

test('the legacy layout works both ways', async () => {
  await passes(cosign('initialize', '--mirror', origins.tuf, '--root', publicFile('root.json')));
  const old = '--new-bundle-format=false';
  const ours = await newImage();
  const attest = ['--type', predicateType, '--predicate', predicate];
  await passes(waybill('sign', ...(await token()), '--format', 'legacy', ours));
  await passes(waybill('attest', ...(await token()), '--format', 'legacy', ...attest, ours));
  await passes(cosign('verify', old, ...who, ours));
  await passes(cosign('verify', old, '--use-signed-timestamps', ...who, ours));
  await passes(cosign('verify-attestation', old, '--type', predicateType, ...who, ours));

  const theirs = await newImage();
  const urls = [
    ...[old, '--use-signing-config=false', '--fulcio-url', origins.ca, '--rekor-url', origins.log],
    ...['--timestamp-server-url', `${origins.tsa}/api/v1/timestamp`],
  ];
  await passes(cosign('sign', '--yes', ...(await token()), ...urls, theirs));
  await passes(cosign('attest', '--yes', ...(await token()), ...urls, ...attest, theirs));
  await passes(waybill('verify', ...who, theirs));
  await passes(waybill('verify-attestation', ...who, '--type', predicateType, theirs));
});

test('key files of either tool work in the other', async () => {
  const theirs = join(home, 'theirs');
  await passes(cosign('generate-key-pair', '--output-key-prefix', theirs));
  const pair = await makeKeyPair(new Secret('secret'), systemRandom);
  const ours = join(home, 'ours');
  await writeFile(`${ours}.key`, utf8(pair.privatePem), { mode: 0o600 });
  await writeFile(`${ours}.pub`, utf8(pair.publicPem));
  for (const key of [theirs, ours]) {
    const signedByUs = await newImage();
    await passes(waybill('sign', '--key', `${key}.key`, signedByUs));
    await passes(cosign('verify', ...trusted, '--key', `${key}.pub`, signedByUs));
    const signedByThem = await newImage();
    await passes(cosign('sign', '--yes', '--key', `${key}.key`, ...trusted, ...configs[1], signedByThem));
    await passes(waybill('verify', '--key', `${key}.pub`, signedByThem));
  }
});

test('cosign sees what is attached', async () => {
  const image = await newImage();
  await passes(waybill('sign', ...(await token()), image));
  const tree = await passes(cosign('tree', image));
  assert.match(tree.stdout, /https:\/\/sigstore\.dev\/cosign\/sign\/v1 artifacts via OCI referrer/);
});

test('cosign signs a person in through the page of the issuer', async () => {
  // A browser that knows what to type, and that returns at once as real openers do.
  const bin = join(home, 'bin');
  const form = ['curl -fsSL --max-time 20 "$1"', `-d 'email=${ada}'`, '>/dev/null 2>&1 &'];
  await mkdir(bin, { recursive: true });
  await writeFile(join(bin, 'xdg-open'), `#!/bin/sh\n${form.join(' ')}\n`, { mode: 0o755 });
  const [blob, bundle] = [join(home, 'page'), join(home, 'page.sigstore.json')];
  await writeFile(blob, 'content');
  const args = ['sign-blob', '--yes', '--fulcio-auth-flow', 'normal', ...trusted, ...configs[1]];
  const env = { HOME: home, PATH: `${bin}:${process.env['PATH'] ?? ''}` };
  await passes(runProgram(binary, [...args, '--bundle', bundle, blob], env));
  await passes(cosign('verify-blob', ...trusted, ...who, '--bundle', bundle, blob));
});

test('cosign and we sign a person in by a code typed elsewhere', async () => {
  const blob = join(home, 'code');
  await writeFile(blob, 'content');
  const words = ['sign-blob', '--fulcio-auth-flow', 'device', ...trusted, ...configs[1], '--bundle'];
  const signing = (program: string, more: readonly string[], bundle: string): Promise<Ran> =>
    new Promise((done, failed) => {
      const child = spawn(program, [...words, bundle, ...more, blob], {
        env: { PATH: process.env['PATH'] ?? '', HOME: home },
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: 60_000,
      });
      let said = '';
      let isTyped = false;
      const listen = (chunk: Buffer): void => {
        said += chunk.toString();
        const code = /\b[A-Z]{4}-[A-Z]{4}\b/.exec(said)?.[0];
        if (code === undefined || isTyped) return;
        isTyped = true;
        const body = new URLSearchParams({ user_code: code, email: ada });
        fetch(`${origins.oidc}/device`, { method: 'POST', body }).catch(failed);
      };
      child.stdout.on('data', listen);
      child.stderr.on('data', listen);
      child.on('error', failed);
      child.on('close', (code) => done({ code: code ?? -1, stdout: '', stderr: said }));
    });
  for (const [program, more] of [
    [binary, ['--yes']],
    [resolve('bin/waybill'), []],
  ] as const) {
    const bundle = join(home, `code-${more.length}.sigstore.json`);
    await passes(signing(program, more, bundle));
    await passes(cosign('verify-blob', ...trusted, ...who, '--bundle', bundle, blob));
  }
});
