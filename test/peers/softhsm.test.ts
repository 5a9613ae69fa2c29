/**
 * Keys in a PKCS#11 token: authorities, logs and the TUF repository sign through pkcs11-tool and SoftHSM, real cosign
 * signs with their certificates, entries and timestamps and verifies them. No key of theirs is in a file of the stations.
 */
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { toHex, utf8 } from '#base/bytes';
import { unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import { run } from '#platform/process';
import type { SignerSettings } from '#stack';
import { startConstellation, temporaryFolder } from '../stack/serve-fixture.ts';
import { peersFolder, requirePeer } from './cache.ts';
import { type Ran, runProgram } from './stack-image.ts';

const cosign = requirePeer('cosign');
const softhsm = requirePeer('softhsm');
const debs = join(peersFolder, 'deb', 'softhsm');
const [module = ''] = globSync('usr/lib/*/softhsm/libsofthsm2.so', { cwd: debs });
const [library = ''] = globSync('usr/lib/*/libopensc.so.*', { cwd: debs });

const home = await temporaryFolder();
const file = (name: string): string => join(home, name);
const tokens = file('tokens');
await mkdir(tokens, { mode: 0o700 });
await writeFile(file('softhsm2.conf'), `directories.tokendir = ${tokens}\nlog.level = ERROR\n`);
const env = {
  PATH: `${join(debs, 'usr/bin')}:${process.env['PATH']}`,
  LD_LIBRARY_PATH: join(debs, dirname(library)),
  SOFTHSM2_CONF: file('softhsm2.conf'),
  PKCS11_PIN: '271828',
};
const modulePath = join(debs, module);

async function hsm(program: string, ...args: string[]): Promise<Buffer> {
  const ran = await run(program, args, { env });
  assert.equal(ran.code, 0, `${args.join(' ')}\n${ran.stderr}`);
  return Buffer.from(ran.stdout);
}

await hsm(
  softhsm,
  ...['--module', modulePath, '--init-token', '--free', '--label', 'waybill'],
  ...['--pin', env.PKCS11_PIN, '--so-pin', '31415926'],
);
const pkcs11 = ['--module', modulePath, '--token-label', 'waybill'];
/** Makes a key that never leaves the token; its public key as hex. */
async function makeKey(label: string, id: string, curve = 'prime256v1'): Promise<string> {
  const pair = ['--keypairgen', '--key-type', `EC:${curve}`, '--label', label, '--id', id];
  await hsm('pkcs11-tool', ...pkcs11, '--login', '--pin', 'env:PKCS11_PIN', ...pair);
  const out = file(`${label}.der`);
  await hsm(
    'pkcs11-tool',
    ...[...pkcs11, '--read-object', '--type', 'pubkey', '--label', label, '--output-file', out],
  );
  return toHex(await readFile(out));
}
const caKey = await makeKey('fulcio', '01');
const tsaKey = await makeKey('stamps', '02');
const ctKey = await makeKey('ct', '03');
const logKey = await makeKey('rekor', '04');
await makeKey('rekor2', '05', 'edwards25519');
await makeKey('tuf', '06');

const signer = (name: string, key: string): SignerSettings => ({
  command: process.execPath,
  args: [resolve('examples/pkcs11-signer.ts'), modulePath, 'waybill'],
  env,
  keys: new Map([[name, key]]),
});
const world = await startConstellation(() => ({}), {
  ca: signer('intermediate', '01'),
  tsa: signer('tsa', '02'),
  ct: signer('log', '03'),
  log: signer('log', '04'),
  log2: signer('log', '05'),
  tuf: signer('online', '06'),
});
after(() => world.close());

const cosignEnv = { HOME: home };
async function passes(...args: string[]): Promise<Ran> {
  const ran = await runProgram(cosign, args, cosignEnv);
  assert.equal(ran.code, 0, `${args.join(' ')}\n${ran.stderr}`);
  return ran;
}
const who = ['--certificate-identity', 'ada@example.com'].concat(
  '--certificate-oidc-issuer',
  world.origins['oidc'] as string,
);
const sign = async (bundle: string): Promise<string[]> => [
  ...['sign-blob', '--yes', '--identity-token', await world.token()],
  ...['--bundle', file(bundle), file('artifact')],
];

test('cosign signs and verifies with a certificate and a timestamp whose keys are in a token', async () => {
  const root = join(world.dir, 'tuf', 'public', 'root.json');
  await passes('initialize', '--mirror', world.origins['tuf'] as string, '--root', root);
  await writeFile(file('artifact'), 'content');
  await passes(...(await sign('bundle')));
  await passes(
    'verify-blob',
    ...who,
    '--use-signed-timestamps',
    '--bundle',
    file('bundle'),
    file('artifact'),
  );
  const bundle = unwrap(parseBundle(await readFile(file('bundle'))));
  assert.equal(bundle.timestamps.length, 1);
  const { trustedRoot } = await world.trust();
  const [ca] = trustedRoot.certificateAuthorities;
  const [tsa] = trustedRoot.timestampAuthorities;
  assert.equal(toHex(ca!.chain[0].publicKey.spki), caKey);
  assert.equal(toHex(tsa!.chain[0].publicKey.spki), tsaKey);
  assert.equal(toHex(trustedRoot.ctlogs[0]!.publicKey.spki), ctKey);
  assert.equal(toHex(trustedRoot.tlogs[0]!.publicKey.spki), logKey);
});

test('an Ed25519 key of the token signs the checkpoints of a log of API v2', async () => {
  const signed = await (await world.signer(2)).sign({ kind: 'message', bytes: utf8('content') });
  assert.equal(signed.verdict.outcome, 'accepted');
  const { trustedRoot } = await world.trust();
  const logs = trustedRoot.tlogs.map(({ publicKey }) => publicKey.kind);
  assert.deepEqual(logs, ['p256', 'ed25519']);
});

test('the stations keep no key of the token', async () => {
  assert.deepEqual(await readdir(join(world.dir, 'ca', 'keys')), [
    'intermediate.pem',
    'root.key',
    'root.pem',
  ]);
  assert.deepEqual(await readdir(join(world.dir, 'tsa', 'keys')), ['root.key', 'root.pem', 'tsa.pem']);
  for (const log of ['ct', 'log', 'log2']) {
    assert.deepEqual(await readdir(join(world.dir, log, 'keys')).catch(() => []), [], log);
  }
  assert.deepEqual(await readdir(join(world.dir, 'tuf', 'keys')), ['root-1.key', 'root-2.key', 'root-3.key']);
});

const loggedCertificates = async (): Promise<number> => {
  const answer = await fetch(`${world.origins['ct']}/ct/v1/get-sth`);
  return ((await answer.json()) as { tree_size: number }).tree_size;
};

test('without its token nothing is issued nor logged, and with it again cosign signs', async () => {
  const before = await loggedCertificates();
  await rename(tokens, `${tokens}.away`);
  const refused = await runProgram(cosign, await sign('none'), cosignEnv);
  assert.notEqual(refused.code, 0);
  const signer = await world.signer();
  await assert.rejects(signer.sign({ kind: 'message', bytes: utf8('content') }), (error: Error) => {
    // The words of the tool stay in the log of the station.
    assert.doesNotMatch(error.message, /pkcs11|271828/);
    assert.match(error.message, /503.*WB-823/);
    return true;
  });
  assert.equal(await loggedCertificates(), before);
  await rename(`${tokens}.away`, tokens);
  await passes(...(await sign('again')));
  await passes('verify-blob', ...who, '--bundle', file('again'), file('artifact'));
  assert.equal(await loggedCertificates(), before + 1);
});
