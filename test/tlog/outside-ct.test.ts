/** A certificate log from outside, by the static API our own service has, and what an authority issued in it. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { concat, toBase64, toHex, utf8, utf8Text } from '#base/bytes';
import { generateKey, publicKeyPem } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import type { Certificate } from '#formats/x509';
import { httpTransport } from '#platform/http-client';
import {
  dataTiles,
  httpTiles,
  IssuedCertificates,
  isStaticCt,
  lookAt,
  staticCtVerifier,
  type TileSource,
} from '#tlog';
import { tellIn } from '../cli/in-process.ts';
import { isCertificate, issuingWorld, pemOf } from '../services/ct-issued.ts';

const world = await issuingWorld();
after(() => world.close());
const { url, dataDir, ctKey } = world;
const origin = 'ct.example/2026';
const transport = httpTransport();
const names = { origin, publicKey: ctKey.publicKey };
const verifier = staticCtVerifier(names);

/** More than one data tile, with a partial one behind it. */
const issued: Certificate[] = [];
for (const one of await Promise.all(Array.from({ length: 270 }, (_, i) => world.issue(i)))) {
  assert.ok(isCertificate(one));
  issued.push(one);
}

const sourceWith = (changed: Readonly<Record<string, Uint8Array | undefined>> = {}): TileSource => {
  const real = httpTiles(url, transport);
  return {
    ...real,
    bundles: dataTiles,
    read: async (path) => (path in changed ? changed[path] : real.read(path)),
  };
};
const bytesOf = async (path: string): Promise<Uint8Array> => (await sourceWith().read(path)) as Uint8Array;
const problems = async (changed: Readonly<Record<string, Uint8Array | undefined>>): Promise<string> =>
  (await lookAt({ source: sourceWith(changed), verifier, tiles: true })).problems.join('\n');
const flipped = (bytes: Uint8Array, at: number): Uint8Array =>
  bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));
const codeIs = (code: string) => (error: unknown) =>
  error instanceof WaybillError && error.reason.code === code;

test('a certificate log is rebuilt from its data tiles alone, entry by entry', async () => {
  const leaves: Uint8Array[] = [];
  const source = sourceWith();
  const look = await lookAt({ source, verifier, tiles: true, onEntry: (_, leaf) => leaves.push(leaf) });
  assert.deepEqual(look.problems, []);
  assert.deepEqual([look.head.size, leaves.length], [270, 270]);
  assert.equal(toHex(look.head.root), toHex(world.ct.log.tree.root));
  for (const index of [0, 255, 256, 269]) {
    assert.equal(toHex(leaves[index] as Uint8Array), toHex((await world.ct.log.record(index)).entry));
  }
});

test('a changed, cut, missing or longer data tile is a finding against the log', async () => {
  const full = await bytesOf('tile/data/000');
  const partial = await bytesOf('tile/data/001.p/14');
  assert.match(
    await problems({ 'tile/data/000': flipped(full, 3) }),
    /the checkpoint says .*: a fork or rot/,
  );
  assert.match(await problems({ 'tile/data/001.p/14': flipped(partial, 80) }), /a fork or rot/);
  assert.match(await problems({ 'tile/data/000': full.subarray(0, full.length - 1) }), /entries of tile 0: /);
  assert.match(
    await problems({ 'tile/data/001.p/14': concat(partial, Uint8Array.of(0)) }),
    /entries of tile 1: 1 more bytes, expected certificate entries: 14 entries/,
  );
  assert.match(await problems({ 'tile/data/000': flipped(full, 9) }), /entries of tile 0: .*|a fork or rot/);
  assert.match(await problems({ 'tile/data/000': undefined }), /entries of tile 0: no such file/);
  assert.match(
    await problems({ 'tile/0/000': flipped(await bytesOf('tile/0/000'), 40) }),
    /^tile\/0\/000 is not what the entries hash to$/,
  );
});

test('a checkpoint counts with a tree head of its key over exactly what it says: all else is WB-408', async () => {
  const good = utf8Text(await bytesOf('checkpoint'));
  assert.equal(unwrap(verifier.open(good)).size, 270);
  assert.equal(isStaticCt(good, names), true);
  const [, , , , line = ''] = good.split('\n');
  const blob = Buffer.from(line.split(' ')[2] ?? '', 'base64');
  const signedBy = (bytes: Uint8Array): string => good.replace(line, `— ${origin} ${toBase64(bytes)}`);
  assert.equal(unwrap(verifier.open(signedBy(blob))).size, 270);
  const wrong: Readonly<Record<string, string>> = {
    'another size': good.replace('\n270\n', '\n269\n'),
    'another root': good.replace(/\n270\n[^\n]+/, `\n270\n${toBase64(new Uint8Array(32))}`),
    'another origin': good.replaceAll(origin, 'ct.example/2027'),
    'another origin in its text alone': good.replace(origin, 'ct.example/2027'),
    'an extension line': good.replace('\n\n', '\nfrozen\n\n'),
    'another time': signedBy(flipped(blob, 11)),
    'another algorithm': signedBy(flipped(blob, 13)),
    'bytes behind its signature': signedBy(concat(blob, Uint8Array.of(0))),
    'a signature cut off': signedBy(blob.subarray(0, 14)),
    'no tree head': signedBy(blob.subarray(0, 5)),
    'two signatures of which one is wrong': `${good}— ${origin} ${toBase64(flipped(blob, 11))}\n`,
    'no note': 'hello',
  };
  for (const [what, text] of Object.entries(wrong)) {
    const opened = verifier.open(text);
    assert.equal(!opened.ok && opened.error.code, 'WB-408', what);
  }
  const stranger = { origin, publicKey: generateKey('p256').publicKey };
  assert.equal(isStaticCt(good, stranger), false);
  await assert.rejects(
    lookAt({ source: sourceWith(), verifier: staticCtVerifier(stranger) }),
    codeIs('WB-408'),
  );
});

const leaves: Uint8Array[] = [];
await lookAt({ source: sourceWith(), verifier, onEntry: (_, leaf) => leaves.push(leaf) });
const missingOf = (...given: readonly string[]): string[] => {
  const list = new IssuedCertificates();
  for (const [i, text] of given.entries()) list.add(utf8(text), `file ${i + 1}`);
  for (const leaf of leaves) list.take(leaf);
  return list.missing();
};

test('every certificate an authority issued is found in its log, by itself, by number, and from its log lines', () => {
  const [first, second] = issued as [Certificate, Certificate];
  assert.deepEqual(missingOf(pemOf(...issued)), []);
  assert.deepEqual(
    missingOf(pemOf(first, world.ca.intermediate, world.ca.root)),
    [],
    'a chain as it is given out',
  );
  assert.deepEqual(missingOf(`# two\n${first.serialHex}\n\n${second.serialHex.toUpperCase()}\n`), []);
  assert.deepEqual(missingOf((first.serialHex.match(/../g) ?? []).join(':')), []);
  const lines = world.lines.join('');
  assert.equal(lines.split('"certificate issued"').length - 1, 270);
  const list = new IssuedCertificates();
  list.add(utf8(lines), 'ca.log');
  list.add(utf8(lines), 'the same again');
  assert.equal(list.count, 270);
  assert.equal(list.missing().length, 270, 'nothing is found before the log was read');
  assert.deepEqual(missingOf(lines), []);
});

test('what was issued beside the log is named, also where a log has another entry of the same body', async () => {
  const other = await issuingWorld();
  try {
    const unlogged = await other.issue(1);
    assert.ok(isCertificate(unlogged));
    assert.deepEqual(missingOf(pemOf(issued[0] as Certificate, unlogged)), [
      `certificate ${unlogged.serialHex} of ${other.ca.intermediate.subjectText} was issued and is not in the log`,
    ]);
    assert.deepEqual(missingOf(unlogged.serialHex), [
      `serial number ${unlogged.serialHex} was issued and is not in the log`,
    ]);
  } finally {
    await other.close();
  }
  const [first] = leaves as [Uint8Array];
  const later = first.slice();
  later[9] = (later[9] as number) ^ 1;
  const list = new IssuedCertificates();
  list.add(utf8(pemOf(issued[0] as Certificate)), 'x');
  list.take(later);
  const serial = list.missing();
  assert.equal(serial.length, 1, 'the promise is about another time');
});

test('a list of another form is refused with its line: WB-418', () => {
  for (const text of ['0a\nhello', '0a\n{"serial":', '0a\nabc', '0a\n{"msg":"certificate issued"}']) {
    assert.throws(() => missingOf(text), /WB-418.*line 2 of file 1/, text);
  }
  assert.throws(() => missingOf('-----BEGIN CERTIFICATE-----\nx'), codeIs('WB-120'));
});

const file = (name: string, text: string): string => {
  writeFileSync(join(dataDir, name), text);
  return join(dataDir, name);
};
const key = ['--public-key', file('ct.pub', publicKeyPem(ctKey.publicKey))];
const log = async (...words: readonly string[]) => {
  const { exit, value, reason } = await tellIn({ transport, json: true }, ['log', ...words, ...key]);
  return { exit, code: reason?.code, actual: reason?.actual ?? '', value: value as Report };
};
interface Report {
  readonly size: number;
  readonly problems: readonly string[];
  readonly issued?: { readonly compared: number; readonly missing: readonly string[] };
}

test('waybill log fsck and monitor read a certificate log by URL', async () => {
  const checked = await log('fsck', url);
  assert.deepEqual([checked.exit, checked.value.size, checked.value.problems], [0, 270, []]);
  const state = join(dataDir, 'monitor.json');
  assert.equal((await log('monitor', url, '--state', state)).exit, 0);
  assert.ok(isCertificate(await world.issue(1000)));
  const again = await log('monitor', url, '--state', state);
  assert.deepEqual([again.exit, again.value.size], [0, 271]);
  const foreign = file('foreign.pub', publicKeyPem(generateKey('p256').publicKey));
  const refused = await tellIn({ transport }, ['log', 'fsck', url, '--public-key', foreign]);
  assert.deepEqual([refused.exit, refused.reason?.code], [3, 'WB-408']);
});

test('waybill log monitor --issued ends with 2 and names what was never logged', async () => {
  const all = file('issued.pem', pemOf(...issued));
  const good = await log('monitor', url, '--issued', all, '--issued', file('ca.log', world.lines.join('')));
  assert.deepEqual([good.exit, good.value.issued], [0, { compared: 541, missing: [] }]);
  const bad = await log('monitor', url, '--issued', all, '--issued', file('serials', `${'5a'.repeat(20)}\n`));
  const missing = [`serial number ${'5a'.repeat(20)} was issued and is not in the log`];
  assert.deepEqual([bad.exit, bad.value.issued], [2, { compared: 271, missing }]);
  const told = await tellIn({ transport }, ['log', 'monitor', url, '--issued', all, ...key]);
  assert.match(told.stdout, /: 271 entries, 270 issued certificates looked for$/);
  for (const more of [
    ['--interval', '5'],
    ['--state', join(dataDir, 'x')],
  ]) {
    const refused = await log('monitor', url, '--issued', all, ...more);
    assert.deepEqual([refused.exit, refused.code], [3, 'WB-1305'], more[0]);
  }
  const watched = await log('monitor', url, '--identity', 'dev@example.com');
  assert.deepEqual([watched.code, watched.actual], ['WB-1305', 'a certificate log: --issued compares it']);
});
