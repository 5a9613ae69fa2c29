/** Key files and keys behind plugins, through the command line. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { publicKeyFromPem } from '#base/crypto';
import { unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import { requireKey, trustMaterial, verifyBundle } from '#verify';
import { trustedRootOf } from '../stack/helper.ts';
import { compatWorld, tell } from './compat-world.ts';

const base = await compatWorld();
const at = (name: string): string => join(base.folder, name);
const bin = at('bin');
await mkdir(bin);
// The program runs under this Node: the one on the PATH may be too old to run TypeScript.
await writeFile(
  join(bin, 'sigstore-kms-test'),
  `#!/bin/sh\nexec "${process.execPath}" --disable-warning=ExperimentalWarning "${resolve('test/sign/key-plugin.ts')}" "$@"\n`,
);
await chmod(join(bin, 'sigstore-kms-test'), 0o755);
const world = {
  ...base,
  env: {
    ...base.env,
    COSIGN_PASSWORD: 'secret',
    TEST_KEYS: base.folder,
    PATH: `${bin}:${process.env['PATH'] ?? ''}`,
  },
};
const content = new TextEncoder().encode('content');
await writeFile(at('blob'), content);

/** Signs the file with a key and judges the bundle with its public key. */
async function signsWith(key: string, publicPem: string): Promise<string> {
  const run = await tell(world, ['sign-blob', '--key', key, '--bundle', at('bundle'), at('blob')], true);
  assert.equal(run.exit, 0, run.reason?.actual);
  return verifyBundle({
    artifact: content,
    bundle: unwrap(parseBundle(await readFile(at('bundle')))),
    trustedRoot: trustMaterial(trustedRootOf(world.stack)),
    requirements: unwrap(requireKey(unwrap(publicKeyFromPem(publicPem)))),
    now: 0,
  }).outcome;
}

const kinds = [
  ['ecdsa-sha2-256-nistp256', 'p256'],
  ['ecdsa-sha2-384-nistp384', 'p384'],
  ['ecdsa-sha2-512-nistp521', 'p521'],
  ['rsa-sign-pkcs1-2048-sha256', 'rsa'],
  ['ed25519-ph', 'ed25519'],
] as const;
for (const [name, kind] of kinds) {
  test(`a generated ${name} key signs, under its password only`, async () => {
    const words = ['generate-key-pair', '--signing-algorithm', name, '--output-key-prefix', at(kind)];
    const made = await tell(world, words, true);
    assert.deepEqual(made.value, { privateKey: at(`${kind}.key`), publicKey: at(`${kind}.pub`), kind });
    assert.equal((await stat(at(`${kind}.key`))).mode & 0o777, 0o600);
    assert.equal(await signsWith(at(`${kind}.key`), await readFile(at(`${kind}.pub`), 'utf8')), 'accepted');
    const shown = await tell(world, ['public-key', '--key', at(`${kind}.key`)]);
    assert.equal(`${shown.stdout}\n`, await readFile(at(`${kind}.pub`), 'utf8'));
    const other = { ...world, env: { ...world.env, COSIGN_PASSWORD: 'other' } };
    const closed = await tell(other, ['public-key', '--key', at(`${kind}.key`)]);
    assert.equal(closed.reason?.code, 'WB-817');
  });
}

test('a file in the way is not replaced unless that was said', async () => {
  const words = ['generate-key-pair', '--output-key-prefix', at('kept')];
  assert.equal((await tell(world, words)).exit, 0);
  const before = await readFile(at('kept.key'), 'utf8');
  assert.equal((await tell(world, words)).reason?.code, 'WB-1305');
  assert.equal(await readFile(at('kept.key'), 'utf8'), before);
  assert.equal((await tell(world, [...words, '--yes'])).exit, 0);
  assert.notEqual(await readFile(at('kept.key'), 'utf8'), before);
});

for (const type of ['pkcs8', 'sec1'] as const) {
  test(`a key OpenSSL wrote as ${type} is imported`, async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    await writeFile(at(`${type}.pem`), privateKey.export({ type, format: 'pem' }));
    const words = ['import-key-pair', '--key', at(`${type}.pem`), '-o', at(`${type}-in`)];
    assert.equal((await tell(world, words)).exit, 0);
    assert.match(await readFile(at(`${type}-in.key`), 'utf8'), /BEGIN ENCRYPTED SIGSTORE PRIVATE KEY/);
    assert.equal(
      await signsWith(at(`${type}-in.key`), await readFile(at(`${type}-in.pub`), 'utf8')),
      'accepted',
    );
  });
}

test('a key OpenSSL encrypted is imported under a password of its own', async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'old' });
  await writeFile(at('old.pem'), pem);
  const words = ['import-key-pair', '--key', at('old.pem'), '-o', at('old-in')];
  assert.equal((await tell(world, words)).reason?.code, 'WB-817');
  const env = { ...world.env, WAYBILL_IMPORT_PASSWORD: 'old' };
  assert.equal((await tell({ ...world, env }, words)).exit, 0);
});

test('a key behind a plugin is made, shown and signs', async () => {
  const made = await tell(world, [
    'generate-key-pair',
    ...['--kms', 'test://hsm-1', '--output-key-prefix', at('hsm')],
  ]);
  assert.equal(made.exit, 0, made.reason?.actual);
  assert.equal(await signsWith('test://hsm-1', await readFile(at('hsm.pub'), 'utf8')), 'accepted');
});

const faults: readonly (readonly [string, string, Record<string, string>, string])[] = [
  ['no such program', 'absent://key', {}, 'WB-821'],
  ['no such key', 'test://nothing', {}, 'WB-821'],
  ['an answer that is prose', 'test://hsm-1', { TEST_FAULT: 'prose' }, 'WB-822'],
  ['a signature over something else', 'test://hsm-1', { TEST_FAULT: 'other-message' }, 'WB-822'],
];
for (const [what, key, env, code] of faults) {
  test(`a plugin with ${what} ends in ${code}`, async () => {
    const words = ['sign-blob', '--key', key, '--bundle', at('never'), at('blob')];
    const run = await tell({ ...world, env: { ...world.env, ...env } }, words);
    assert.deepEqual([run.reason?.code, run.exit], [code, 30]);
  });
}
