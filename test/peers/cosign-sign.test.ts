/**
 * Files, statements about files, keys and images: signed by one tool and verified by the other, with cosign 3 and
 * with cosign 2.
 */
import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { environmentOf } from '#stack';
import { ada, startStack, temporaryFolder } from '../stack/helper.ts';
import { requirePeer } from './cache.ts';
import { passes, pushImage, type Ran, runProgram } from './stack-image.ts';

const cosign3 = requirePeer('cosign');
const cosign2 = requirePeer('cosign-2');
const stack = await startStack();
const home = await temporaryFolder();
const { origins, registryHost } = stack;
const at = (name: string): string => join(home, name);
const publicFile = (name: string): string => join(stack.dataDir, 'public', name);
const who = ['--certificate-identity', ada, '--certificate-oidc-issuer', origins.oidc];
const trusted = ['--trusted-root', publicFile('trusted_root.json')];
const config = { 1: 'signing_config.v0.2.json', 2: 'signing_config_rekor_v2.v0.2.json' } as const;
const via = (version: 1 | 2): string[] => ['--signing-config', publicFile(config[version])];
const predicateType = 'https://example.com/predicate/v1';
const about = ['--type', predicateType, '--predicate', at('predicate.json')];
await writeFile(at('one'), 'one');
await writeFile(at('two'), 'two');
await writeFile(at('predicate.json'), '{"checked":true}');

const env = {
  HOME: home,
  COSIGN_PASSWORD: 'secret',
  TEST_KEYS: home,
  PATH: `${at('bin')}:${process.env['PATH'] ?? ''}`,
};
const cosign = (...args: string[]): Promise<Ran> => runProgram(cosign3, args, env);
const older = (...args: string[]): Promise<Ran> =>
  runProgram(cosign2, args, { ...env, ...environmentOf(stack.dataDir, origins) });
const waybill = (...args: string[]): Promise<Ran> =>
  runProgram(resolve('bin/waybill'), args, { ...env, WAYBILL_STACK: stack.dataDir });
const token = async (): Promise<string[]> => [
  '--identity-token',
  (await stack.mint({ sub: ada, email: ada })).reveal(),
];

const files = [at('one'), at('two')];
for (const version of [1, 2] as const) {
  test(`cosign 3 and 2 verify files and statements about files that we logged with API v${version}`, async () => {
    await passes(waybill('sign-blob', ...(await token()), ...via(version), ...files));
    const statement = at(`statement${version}`);
    await passes(
      waybill('attest-blob', ...(await token()), ...via(version), ...about, '--bundle', statement, ...files),
    );
    for (const file of files) {
      const bundle = ['--bundle', `${file}.sigstore.json`];
      const said = ['--bundle', statement, '--type', predicateType];
      for (const [tool, more] of [
        [cosign, []],
        [older, ['--new-bundle-format', ...(version === 2 ? ['--use-signed-timestamps'] : [])]],
      ] as const) {
        await passes(tool('verify-blob', ...more, ...trusted, ...who, ...bundle, file));
        await passes(tool('verify-blob-attestation', ...more, ...trusted, ...who, ...said, file));
      }
      const other = file === files[0] ? (files[1] as string) : (files[0] as string);
      assert.notEqual((await cosign('verify-blob', ...trusted, ...who, ...bundle, other)).code, 0);
    }
  });
}

test('we verify files that cosign 3 and 2 signed, and statements about them', async () => {
  const [file] = files as [string];
  const by3 = async (): Promise<string[]> => ['--yes', ...(await token()), ...trusted, ...via(1)];
  await passes(cosign('sign-blob', ...(await by3()), '--bundle', at('c3'), file));
  await passes(cosign('attest-blob', ...(await by3()), ...about, '--bundle', at('a3'), file));
  const by2 = async (): Promise<string[]> => [
    ...['--yes', ...(await token()), '--fulcio-url', origins.ca, '--rekor-url', origins.log],
  ];
  await passes(older('sign-blob', ...(await by2()), '--bundle', at('c2'), file));
  await passes(older('sign-blob', ...(await by2()), '--new-bundle-format', '--bundle', at('n2'), file));
  for (const bundle of ['c3', 'c2', 'n2']) {
    await passes(waybill('verify-blob', ...who, '--bundle', at(bundle), file));
  }
  await passes(
    waybill('verify-blob-attestation', ...who, '--type', predicateType, '--bundle', at('a3'), file),
  );
});

for (const [kind, form] of [
  ['p256', 'sec1'],
  ['rsa', 'pkcs1'],
  ['p384', 'pkcs8'],
  ['p521', 'pkcs8'],
] as const) {
  test(`a ${kind} key (${form}) imported by cosign signs here, and one imported here signs there`, async () => {
    const { generateKeyPairSync } = await import('node:crypto');
    const curve = { p256: 'P-256', p384: 'P-384', p521: 'P-521', rsa: '' }[kind];
    const privateKey =
      kind === 'rsa'
        ? generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
        : generateKeyPairSync('ec', { namedCurve: curve }).privateKey;
    const source = at(`${kind}.pem`);
    await writeFile(source, privateKey.export({ type: form as 'pkcs8', format: 'pem' }));
    await passes(cosign('import-key-pair', '--key', source, '--output-key-prefix', at(`${kind}-theirs`)));
    await passes(waybill('import-key-pair', '--key', source, '--output-key-prefix', at(`${kind}-ours`)));
    const publicKey = await readFile(at(`${kind}-theirs.pub`), 'utf8');
    assert.equal(await readFile(at(`${kind}-ours.pub`), 'utf8'), publicKey);
    assert.equal((await passes(cosign('public-key', '--key', at(`${kind}-ours.key`)))).stdout, publicKey);
    assert.equal((await passes(waybill('public-key', '--key', at(`${kind}-theirs.key`)))).stdout, publicKey);
    const [file] = files as [string];
    const key = ['--key', at(`${kind}-ours.pub`)];
    await passes(
      cosign(
        ...['sign-blob', '--yes', '--key', at(`${kind}-ours.key`), ...trusted, ...via(1)],
        ...['--bundle', at(`${kind}.3`), file],
      ),
    );
    await passes(waybill('verify-blob', ...key, '--bundle', at(`${kind}.3`), file));
    const ours = ['--bundle', at(`${kind}.w`), file];
    await passes(waybill('sign-blob', '--key', at(`${kind}-theirs.key`), ...ours));
    await passes(waybill('verify-blob', ...key, ...ours));
    // cosign hashes with SHA-256 whatever the key, and so refuses its own signatures of larger curves.
    if (kind === 'p256' || kind === 'rsa') await passes(cosign('verify-blob', ...trusted, ...key, ...ours));
  });
}

test('an Ed25519 key of cosign signs statements here that cosign verifies', async () => {
  const { generateKeyPairSync } = await import('node:crypto');
  const { privateKey } = generateKeyPairSync('ed25519');
  await writeFile(at('ed.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  await passes(cosign('import-key-pair', '--key', at('ed.pem'), '--output-key-prefix', at('ed')));
  const [file] = files as [string];
  const bundle = ['--bundle', at('ed.json')];
  await passes(waybill('attest-blob', '--key', at('ed.key'), ...about, ...bundle, file));
  const key = ['--key', at('ed.pub'), ...bundle, '--type', predicateType];
  await passes(cosign('verify-blob-attestation', ...trusted, ...key, file));
  await passes(waybill('verify-blob-attestation', ...key, file));
});

test('a key plugin serves cosign and us alike', async () => {
  await mkdir(at('bin'));
  const program = `exec "${process.execPath}" --disable-warning=ExperimentalWarning "${resolve('test/sign/key-plugin.ts')}" "$@"`;
  await writeFile(at('bin/sigstore-kms-test'), `#!/bin/sh\n${program}\n`);
  await chmod(at('bin/sigstore-kms-test'), 0o755);
  await passes(waybill('generate-key-pair', '--kms', 'test://shared', '--output-key-prefix', at('shared')));
  const [file] = files as [string];
  const key = ['--key', 'test://shared'];
  await passes(waybill('sign-blob', ...key, '--bundle', at('plugin.w'), file));
  await passes(cosign('sign-blob', '--yes', ...key, ...trusted, ...via(1), '--bundle', at('plugin.c'), file));
  for (const bundle of ['plugin.w', 'plugin.c']) {
    const asked = ['--key', at('shared.pub'), '--bundle', at(bundle), file];
    await passes(cosign('verify-blob', ...trusted, ...asked));
    await passes(waybill('verify-blob', ...asked));
  }
});

let images = 0;
const newImage = (): Promise<string> => pushImage(registryHost, 'peers/two', `image ${images++}`);

test('cosign 2 verifies what we attach in either layout, and we what it attaches', async () => {
  const ours = await newImage();
  await passes(waybill('sign', ...(await token()), '--format', 'both', ours));
  await passes(waybill('attest', ...(await token()), '--format', 'both', ...about, ours));
  const attested = ['--type', predicateType, ours];
  await passes(older('verify', ...who, ours));
  await passes(older('verify-attestation', ...who, ...attested));
  await passes(older('verify', '--new-bundle-format', ...trusted, ...who, ours));
  await passes(older('verify-attestation', '--new-bundle-format', ...trusted, ...who, ...attested));
  const theirs = await newImage();
  const urls = ['--fulcio-url', origins.ca, '--rekor-url', origins.log];
  await passes(older('sign', '--yes', ...(await token()), ...urls, theirs));
  await passes(older('attest', '--yes', ...(await token()), ...urls, ...about, theirs));
  await passes(waybill('verify', ...who, theirs));
  await passes(waybill('verify-attestation', ...who, '--type', predicateType, theirs));
  const keyed = await newImage();
  await passes(older('generate-key-pair', '--output-key-prefix', at('two')));
  await passes(older('sign', '--yes', '--key', at('two.key'), '--rekor-url', origins.log, keyed));
  await passes(waybill('verify', '--key', at('two.pub'), keyed));
  await passes(waybill('sign', '--key', at('two.key'), '--format', 'legacy', keyed));
  await passes(older('verify', '--key', at('two.pub'), keyed));
});
