/** A timestamp authority that asks who connects, and the flags that tell signing verbs what to show it. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { generateKey } from '#base/crypto';
import { isNonEmpty, unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import { pemDecode } from '#formats/pem';
import { trustedRootJson } from '#formats/trusted-root';
import { readCertificate } from '#formats/x509';
import { httpTransport } from '#platform/http-client';
import { openStation, tsaParts } from '#stack';
import { stationSettings } from '../stack/serve-fixture.ts';
import { tlsPki } from '../stack/tls-pki.ts';
import { folder } from './child.ts';
import { type Told, tellIn } from './in-process.ts';

const at = (name: string): string => join(folder, name);
const servers = await tlsPki(folder, 'servers');
const clients = await tlsPki(folder, 'clients');
const others = await tlsPki(folder, 'others');
// Its certificate is for a name that no resolver knows.
const server = await servers.server('tsa', ['tsa.internal']);
const tls = { ...server, clientCaFile: clients.caFile };
await clients.client('me', { name: 'me' });
await others.client('eve', { name: 'me' });
const station = await openStation('tsa', stationSettings(folder, 'station', { tls }), (deps) =>
  tsaParts({}, deps),
);
after(() => station.close());

const chain = unwrap(pemDecode(station.about.chain ?? '', 'CERTIFICATE')).map(({ der }) =>
  readCertificate(der),
);
assert.ok(isNonEmpty(chain));
const subject = { organization: 'acme', commonName: 'tsa' };
const authority = { uri: station.origin, subject, chain, validFor: { start: chain[0].notBefore } };
await writeFile(
  at('trusted_root.json'),
  trustedRootJson({ tlogs: [], ctlogs: [], certificateAuthorities: [], timestampAuthorities: [authority] }),
);
await writeFile(at('signer.key'), generateKey('p256').exportPem(), { mode: 0o600 });
await writeFile(at('artifact'), 'content');

const signing = [
  ...['--key', 'signer.key', '--trusted-root', at('trusted_root.json'), '--bundle', 'bundle.json'],
  ...['--timestamp-server-url', `${station.origin}/api/v1/timestamp`],
];
const tell = (words: readonly string[]): Promise<Told> =>
  tellIn({ cwd: folder, transport: httpTransport(), transportFor: (own) => httpTransport(own) }, words);
const shown = (name: string): string[] => [
  ...['--timestamp-client-cacert', 'servers.pem', '--timestamp-server-name', 'tsa.internal'],
  ...['--timestamp-client-cert', `${name}.pem`, '--timestamp-client-key', `${name}.key`],
];

async function stamps(): Promise<number> {
  return unwrap(parseBundle(await readFile(at('bundle.json')))).timestamps.length;
}

test('with certificate, authority and name the signature gets its time, in our words and in cosign’s', async () => {
  const own = await tell(['sign-blob', ...signing, '--no-tlog-upload', ...shown('me'), 'artifact']);
  assert.equal(own.exit, 0, JSON.stringify(own.reason));
  assert.equal(await stamps(), 1);
  await writeFile(at('bundle.json'), '');
  const words = ['sign-blob', '--yes', '--no-tlog-upload', '--no-use-signing-config'];
  const theirs = await tell(['cosign', ...words, ...signing, ...shown('me'), 'artifact']);
  assert.equal(theirs.exit, 0, theirs.stderr || JSON.stringify(theirs.reason));
  assert.equal(await stamps(), 1);
});

test('a certificate of another authority, none, another name and another authority of the server: WB-201', async () => {
  const without = (flag: string): string[] =>
    shown('me').flatMap((word, i, all) => (word === flag || all[i - 1] === flag ? [] : [word]));
  const wrong = [
    shown('eve'),
    shown('me').slice(0, 4),
    without('--timestamp-server-name'),
    without('--timestamp-client-cacert'),
    shown('me').map((word) => (word === 'servers.pem' ? 'others.pem' : word)),
  ];
  const sign = (words: readonly string[]) =>
    tell(['sign-blob', ...signing, '--no-tlog-upload', ...words, 'artifact']);
  // At once: each is tried again a few times before it is given up.
  const runs = await Promise.all(wrong.map(sign));
  assert.deepEqual(
    runs.map(({ reason }) => reason?.code),
    wrong.map(() => 'WB-201'),
  );
});

test('a certificate without its key is a usage error', async () => {
  for (const flag of ['--timestamp-client-cert', '--timestamp-client-key']) {
    const run = await tell(['sign-blob', ...signing, '--no-tlog-upload', flag, 'me.pem', 'artifact']);
    assert.equal(run.reason?.code, 'WB-1305', flag);
  }
});
