import assert from 'node:assert/strict';
import { createHash, verify } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Der } from '#base/brand';
import { fromBase64, toBase64, toHex } from '#base/bytes';
import { FixedClock } from '#base/clock';
import { generateKey, sha256 } from '#base/crypto';
import { limits } from '#base/limits';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { leafHash, verifyConsistency, verifyInclusion } from '#formats/merkle';
import { parseAddChainResponse, precertTbs, verifySct } from '#formats/sct';
import { type Certificate, parseCertificate } from '#formats/x509';
import {
  buildCertificate,
  buildCertificateWithScts,
  buildName,
  buildPrecertificate,
  type CertificateTemplate,
  emptyName,
  extensionOf,
  extKeyUsage,
} from '#formats/x509-build';
import { createHttpServer, listen } from '#platform/http-server';
import { type CtLog, createCt, registerCt } from '#services/ct';
import { authority, call, quiet, START_MS } from './log-fixture.ts';

const logKey = generateKey('p256');
const root = authority.certificate;
const intermediateKey = generateKey('p256');
const day = 86_400_000;

function issue(template: Partial<CertificateTemplate>): CertificateTemplate {
  const key = generateKey('p256');
  return {
    subject: emptyName,
    issuer: buildName([{ type: 'CN', value: 'intermediate' }]),
    serial: sha256(key.publicKey.spki)
      .slice(0, 16)
      .map((byte, i) => (i === 0 ? byte | 1 : byte) & 0x7f),
    notBefore: START_MS,
    notAfter: START_MS + 600_000,
    publicKey: key.publicKey,
    extensions: [
      extensionOf.keyUsage('digitalSignature'),
      extensionOf.extKeyUsage([extKeyUsage.codeSigning]),
      extensionOf.subjectAltName([{ type: 'email', value: 'dev@example.com' }], true),
    ],
    ...template,
  };
}

function makeIntermediate(more: Partial<CertificateTemplate> = {}): Certificate {
  const template = issue({
    subject: buildName([{ type: 'CN', value: 'intermediate' }]),
    issuer: root.subject,
    notAfter: START_MS + day,
    publicKey: intermediateKey.publicKey,
    extensions: [extensionOf.keyUsage('keyCertSign'), extensionOf.authority(0)],
    ...more,
  });
  return unwrap(parseCertificate(buildCertificate(template, authority.signer)));
}

const intermediate = makeIntermediate();

interface RunningCt {
  readonly url: string;
  readonly ct: CtLog;
  readonly clock: FixedClock;
}

async function withCt(body: (running: RunningCt) => Promise<void>, dataDir?: string): Promise<void> {
  const clock = new FixedClock(START_MS);
  const place = dataDir === undefined ? {} : { dataDir, create: true };
  const ct = await createCt({
    origin: 'ct.example',
    key: logKey,
    roots: [root.der],
    clock,
    log: quiet,
    ...place,
  });
  const app = createHttpServer({ log: quiet, bodyBytesMax: 1024 });
  registerCt(app, ct, quiet);
  const url = `${await listen(app, '127.0.0.1', 0)}/ct/v1`;
  try {
    await body({ url, ct, clock });
  } finally {
    await app.close();
    await ct.close();
  }
}

const chainOf = (...chain: readonly Uint8Array[]) => ({ chain: chain.map(toBase64) });

const precert = (template = issue({})): Der => buildPrecertificate(template, intermediateKey);

test('an SCT for a precertificate verifies in the certificate that embeds it', async () => {
  await withCt(async ({ url, ct }) => {
    const template = issue({});
    const answer = await call(`${url}/add-pre-chain`, chainOf(precert(template), intermediate.der, root.der));
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.json.id, createHash('sha256').update(logKey.publicKey.spki).digest('base64'));
    assert.deepEqual(
      [answer.json.sct_version, answer.json.timestamp, answer.json.extensions],
      [0, START_MS, 'AAAFAAAAAAA='],
    );
    const sct = unwrap(parseAddChainResponse(Buffer.from(answer.text)));
    const final = unwrap(parseCertificate(buildCertificateWithScts(template, [sct], intermediateKey)));
    assert.equal(verifySct(sct, final, intermediate.publicKey, logKey.publicKey), true);
    assert.equal(ct.log.tree.size, 1, 'the entry is in the tree before the promise leaves');
  });
});

test('the leaf, the tree head and every proof are what RFC 6962 says, computed by hand', async () => {
  await withCt(async ({ url }) => {
    const certificates = Array.from({ length: 7 }, () => precert());
    const scts = [];
    for (const der of certificates) {
      scts.push((await call(`${url}/add-pre-chain`, chainOf(der, intermediate.der))).json);
    }
    const { json: sth } = await call(`${url}/get-sth`);
    assert.equal(sth.tree_size, 7);
    const head = Buffer.alloc(50);
    head.writeUInt8(0, 0);
    head.writeUInt8(1, 1);
    head.writeBigUInt64BE(BigInt(sth.timestamp), 2);
    head.writeBigUInt64BE(7n, 10);
    Buffer.from(sth.sha256_root_hash, 'base64').copy(head, 18);
    const signature = Buffer.from(sth.tree_head_signature, 'base64');
    assert.equal(signature.subarray(0, 2).toString('hex'), '0403');
    assert.equal(signature.readUInt16BE(2), signature.length - 4);
    assert.ok(verify('sha256', head, logKey.publicKey.handle, signature.subarray(4)));
    const { json } = await call(`${url}/get-entries?start=0&end=100`);
    assert.equal(json.entries.length, 7);
    for (const [i, entry] of json.entries.entries()) {
      const leaf = Buffer.from(entry.leaf_input, 'base64');
      const tbs = precertTbs(unwrap(parseCertificate(certificates[i] as Der)));
      const expected = Buffer.concat([
        Buffer.from('0000', 'hex'),
        u64(scts[i].timestamp),
        Buffer.from('0001', 'hex'),
        createHash('sha256').update(intermediate.publicKey.spki).digest(),
        u24(tbs.length),
        tbs,
        leafIndex(i),
      ]);
      assert.equal(toHex(leaf), toHex(expected));
      const extra = Buffer.from(entry.extra_data, 'base64');
      assert.equal(toHex(extra), toHex(extraOf(certificates[i] as Der)));
      await checkProof(url, leaf, i, 7, fromBase64(sth.sha256_root_hash));
    }
    const old = json.entries.slice(0, 3).map((entry: { leaf_input: string }) => fromBase64(entry.leaf_input));
    const { json: proof } = await call(`${url}/get-sth-consistency?first=3&second=7`);
    const claim = {
      first: 3,
      second: 7,
      firstRoot: nodeOf(nodeOf(leafHash(old[0]), leafHash(old[1])), leafHash(old[2])),
      secondRoot: fromBase64(sth.sha256_root_hash),
      hashes: proof.consistency.map(fromBase64),
    };
    assert.equal(verifyConsistency(claim).ok, true);
  });
});

const nodeOf = (a: Uint8Array, b: Uint8Array): Uint8Array =>
  createHash('sha256').update(Uint8Array.of(1)).update(a).update(b).digest();

function u64(value: number): Buffer {
  const out = Buffer.alloc(8);
  out.writeBigUInt64BE(BigInt(value));
  return out;
}

function u24(value: number): Buffer {
  const out = Buffer.alloc(3);
  out.writeUIntBE(value, 0, 3);
  return out;
}

/** CTExtensions with the index of a leaf. */
const leafIndex = (index: number): Buffer => Buffer.from([0, 8, 0, 0, 5, 0, 0, 0, 0, index]);

/** PrecertChainEntry of a chain that came without its root. */
function extraOf(der: Uint8Array): Buffer {
  const chain = [intermediate.der, root.der].map((one) => Buffer.concat([u24(one.length), one]));
  const bytes = Buffer.concat(chain);
  return Buffer.concat([u24(der.length), der, u24(bytes.length), bytes]);
}

async function checkProof(url: string, leaf: Uint8Array, index: number, size: number, rootHash: Uint8Array) {
  const hash = encodeURIComponent(toBase64(leafHash(leaf)));
  const byHash = await call(`${url}/get-proof-by-hash?hash=${hash}&tree_size=${size}`);
  assert.equal(byHash.json.leaf_index, index);
  const both = await call(`${url}/get-entry-and-proof?leaf_index=${index}&tree_size=${size}`);
  assert.equal(both.json.leaf_input, toBase64(leaf));
  assert.deepEqual(both.json.audit_path, byHash.json.audit_path);
  const hashes = byHash.json.audit_path.map(fromBase64);
  assert.equal(verifyInclusion({ index, size, leaf: leafHash(leaf), hashes, root: rootHash }).ok, true);
}

test('a certificate submitted again, even at once, keeps its first timestamp and its one entry', async () => {
  await withCt(async ({ url, ct, clock }) => {
    const chain = chainOf(precert(), intermediate.der);
    const first = await call(`${url}/add-pre-chain`, chain);
    clock.advance(5000);
    const again = await Promise.all(Array.from({ length: 20 }, () => call(`${url}/add-pre-chain`, chain)));
    assert.deepEqual(new Set(again.map((a) => a.json.timestamp)), new Set([first.json.timestamp]));
    assert.equal(ct.log.tree.size, 1);
  });
});

test('a final certificate is logged by add-chain as an X.509 entry', async () => {
  await withCt(async ({ url }) => {
    const der = buildCertificate(issue({}), intermediateKey);
    const answer = await call(`${url}/add-chain`, chainOf(der, intermediate.der, root.der));
    assert.equal(answer.status, 200, answer.text);
    const { json } = await call(`${url}/get-entries?start=0&end=0`);
    const leaf = Buffer.from(json.entries[0].leaf_input, 'base64');
    const expected = Buffer.concat([
      Buffer.alloc(2),
      u64(START_MS),
      Buffer.alloc(2),
      u24(der.length),
      der,
      leafIndex(0),
    ]);
    assert.equal(toHex(leaf), toHex(expected));
    const signature = Buffer.from(answer.json.signature, 'base64').subarray(4);
    assert.ok(verify('sha256', leaf, logKey.publicKey.handle, signature));
  });
});

test('chains that do not lead to a root of the log are refused, and nothing of them is logged', async () => {
  await withCt(async ({ url, ct }) => {
    const foreignKey = generateKey('p256');
    const foreign = buildPrecertificate(issue({}), foreignKey);
    const noCa = makeIntermediate({ extensions: [extensionOf.keyUsage('digitalSignature')] });
    const precertSigner = makeIntermediate({
      extensions: [extensionOf.authority(0), extensionOf.extKeyUsage(['1.3.6.1.4.1.11129.2.4.4'])],
    });
    const otherRoot = makeIntermediate({ subject: buildName([{ type: 'CN', value: 'other' }]) });
    const final = buildCertificate(issue({}), intermediateKey);
    const many = Array.from({ length: limits.chainCertificates }, () => intermediate.der);
    const cases: readonly (readonly [string, string, object | string, RegExp])[] = [
      ['pre', 'foreign signature', chainOf(foreign, intermediate.der), /WB-1020/],
      ['pre', 'missing intermediate', chainOf(precert(), root.der), /WB-1020/],
      ['pre', 'leaf alone', chainOf(precert()), /WB-1020/],
      ['pre', 'an issuer of another name', chainOf(precert(), otherRoot.der), /WB-1020/],
      ['pre', 'an issuer that is no authority', chainOf(precert(), noCa.der), /WB-1020/],
      ['pre', 'a precertificate signing certificate', chainOf(precert(), precertSigner.der), /WB-1020/],
      [
        'pre',
        'something after the root',
        chainOf(precert(), intermediate.der, root.der, intermediate.der),
        /WB-1020/,
      ],
      ['pre', 'nothing', chainOf(), /WB-1020/],
      ['pre', 'too long', chainOf(precert(), ...many), /WB-1020/],
      ['pre', 'a final certificate', chainOf(final, intermediate.der), /WB-1021/],
      ['', 'a precertificate', chainOf(precert(), intermediate.der), /WB-1021/],
      ['pre', 'no certificate', chainOf(Uint8Array.of(1, 2, 3)), /WB-12/],
      ['pre', 'no base64', { chain: ['*'] }, /WB-1022/],
      ['pre', 'no chain', {}, /WB-1022/],
      ['pre', 'no JSON', '{', /WB-150/],
    ];
    for (const [kind, what, body, message] of cases) {
      const answer = await call(`${url}/add-${kind === '' ? '' : 'pre-'}chain`, body);
      assert.equal(answer.status, 400, `${what}: ${answer.text}`);
      assert.match(answer.text, message, what);
    }
    assert.equal(ct.log.tree.size, 0);
    const untrusting = await createCt({
      origin: 'x.example',
      key: logKey,
      roots: [],
      clock: new FixedClock(START_MS),
      log: quiet,
    });
    await assert.rejects(
      untrusting.addPreChain([precert(), intermediate.der, root.der]),
      (error) => error instanceof WaybillError && error.reason.code === 'WB-1020',
    );
    untrusting.addRoot(root.der);
    assert.equal((await untrusting.addPreChain([precert(), intermediate.der])).timestamp, START_MS);
    await untrusting.close();
  });
});

test('an issuer that is known vouches for nothing it did not sign, and only as it was known', async () => {
  await withCt(async ({ ct }) => {
    await ct.addPreChain([precert(), intermediate.der, root.der]);
    const foreign = buildPrecertificate(issue({}), generateKey('p256'));
    const altered = intermediate.der.slice();
    altered[altered.length - 1] = (altered.at(-1) as number) ^ 1;
    for (const chain of [
      [foreign, intermediate.der, root.der],
      [precert(), altered, root.der],
      [precert(), root.der],
    ]) {
      await assert.rejects(
        ct.addPreChain(chain),
        (error) => error instanceof WaybillError && error.reason.code === 'WB-1020',
      );
    }
    assert.equal(ct.log.tree.size, 1);
    const others = Array.from({ length: 70 }, (_, i) => makeIntermediate({ serial: Uint8Array.of(1, i) }));
    for (const other of others) await ct.addPreChain([precert(), other.der]);
    await ct.addPreChain([precert(), intermediate.der, root.der]);
    assert.equal(ct.log.tree.size, 2 + others.length);
  });
});

test('questions outside the tree are refused; roots are listed', async () => {
  await withCt(async ({ url }) => {
    await call(`${url}/add-pre-chain`, chainOf(precert(), intermediate.der));
    const unknown = encodeURIComponent(toBase64(sha256(new Uint8Array(0))));
    const cases: readonly (readonly [number, string])[] = [
      [400, 'get-entries?start=1&end=1'],
      [400, 'get-entries?start=0'],
      [400, 'get-entries?start=-1&end=0'],
      [400, 'get-entries?start=0&start=0&end=0'],
      [200, 'get-entries?start=0&end=9007199254740991'],
      [400, 'get-sth-consistency?first=1&second=2'],
      [400, 'get-sth-consistency?first=1&second=0'],
      [200, 'get-sth-consistency?first=1&second=1'],
      [404, `get-proof-by-hash?hash=${unknown}&tree_size=1`],
      [400, 'get-proof-by-hash?hash=AAAA&tree_size=1'],
      [400, 'get-entry-and-proof?leaf_index=0&tree_size=2'],
      [400, 'get-entry-and-proof?leaf_index=1&tree_size=1'],
    ];
    for (const [status, path] of cases) {
      const answer = await call(`${url}/${path}`);
      assert.equal(answer.status, status, `${path}: ${answer.text}`);
    }
    assert.deepEqual((await call(`${url}/get-roots`)).json, { certificates: [toBase64(root.der)] });
  });
});

test('the time of tree heads never goes back and never lies before an entry', async () => {
  await withCt(async ({ ct, clock }) => {
    const first = await ct.signedTreeHead();
    clock.advance(59_999);
    assert.equal(await ct.signedTreeHead(), first, 'an unchanged tree keeps its head for a while');
    clock.advance(1);
    const second = await ct.signedTreeHead();
    assert.equal(second.timestamp, START_MS + 60_000);
    await ct.addPreChain([precert(), intermediate.der]);
    clock.advance(-1000);
    const third = await ct.signedTreeHead();
    assert.deepEqual([third.treeSize, third.timestamp], [1, START_MS + 60_000]);
  });
});

test('a log on disk opens again with its entries and their timestamps', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'waybill-ct-'));
  try {
    const chain = [precert(), intermediate.der];
    const others = Array.from({ length: 300 }, () => [precert(), intermediate.der]);
    await withCt(async ({ ct }) => {
      await ct.addPreChain(chain);
      await Promise.all(others.map((one) => ct.addPreChain(one)));
    }, dataDir);
    await withCt(async ({ ct, clock }) => {
      clock.advance(1000);
      assert.equal(ct.log.tree.size, 301);
      assert.equal((await ct.addPreChain(chain)).timestamp, START_MS);
      assert.equal((await ct.addPreChain([precert(), intermediate.der])).timestamp, START_MS + 1000);
      assert.equal((await ct.entries(0, 1000)).length, 256);
      assert.equal((await ct.entries(256, 1000)).length, 46);
    }, dataDir);
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
});

test('tiles, issuers and checkpoint let a stranger rebuild the log by the static API', async () => {
  await withCt(async ({ url: api, ct }) => {
    const url = api.replace(/\/ct\/v1$/, '');
    const template = issue({});
    await call(`${api}/add-pre-chain`, chainOf(precert(template), intermediate.der, root.der));
    const der = buildCertificate(issue({}), intermediateKey);
    await call(`${api}/add-chain`, chainOf(der, intermediate.der));
    const bytes = async (path: string) => Buffer.from(await (await fetch(`${url}/${path}`)).arrayBuffer());
    const note = (await bytes('checkpoint')).toString();
    const [origin, size, rootHash, blank, line = ''] = note.split('\n');
    assert.deepEqual([size, blank], ['2', '']);
    const [, name, blob = ''] = line.split(' ');
    assert.equal(name, origin);
    const signed = Buffer.from(blob, 'base64');
    const spki = createHash('sha256').update(logKey.publicKey.spki).digest();
    const hint = createHash('sha256').update(`${origin}\n\x05`).update(spki).digest().subarray(0, 4);
    assert.equal(toHex(signed.subarray(0, 4)), toHex(hint));
    const head = Buffer.concat([
      Buffer.from([0, 1]),
      signed.subarray(4, 12),
      u64(2),
      Buffer.from(rootHash ?? '', 'base64'),
    ]);
    assert.ok(verify('sha256', head, logKey.publicKey.handle, signed.subarray(16)));
    // TileLeaf by TileLeaf, read as the specification writes them.
    const data = await bytes('tile/data/000.p/2');
    const hashes: Uint8Array[] = [];
    const fingerprints = [];
    let at = 0;
    const take = (length: number): Buffer => {
      at += length;
      return data.subarray(at - length, at);
    };
    for (const type of [1, 0]) {
      const start = at;
      take(8);
      assert.equal(take(2).readUInt16BE(), type);
      if (type === 1) take(32);
      take(take(3).readUIntBE(0, 3));
      assert.equal(toHex(take(take(2).readUInt16BE())), toHex(leafIndex(hashes.length).subarray(2)));
      hashes.push(leafHash(Buffer.concat([Buffer.alloc(2), data.subarray(start, at)])));
      if (type === 1) take(take(3).readUIntBE(0, 3));
      const chain = take(take(2).readUInt16BE());
      fingerprints.push(toHex(chain.subarray(0, 32)), toHex(chain.subarray(32)));
    }
    assert.equal(at, data.length);
    assert.equal(toBase64(nodeOf(hashes[0]!, hashes[1]!)), rootHash);
    assert.equal(toHex(await bytes('tile/0/000.p/2')), hashes.map(toHex).join(''));
    const issuers = [intermediate.der, root.der].map((one) => toHex(sha256(one)));
    assert.deepEqual(fingerprints, [...issuers, ...issuers]);
    assert.equal(toHex(await bytes(`issuer/${issuers[0]}`)), toHex(intermediate.der));
    const status = async (path: string) => (await fetch(`${url}/${path}`)).status;
    for (const path of [
      'tile/data/000',
      'tile/data/001.p/1',
      'tile/entries/000.p/2',
      `issuer/${'0'.repeat(64)}`,
    ]) {
      assert.equal(await status(path), 404, path);
    }
    assert.equal(await status('issuer/..%2flock.db'), 404);
    assert.equal(await status('tile/data/../../lock.db'), 404);
    assert.deepEqual((await ct.log.check()).problems, []);
  });
});

test('a key clients cannot verify is refused', async () => {
  const key = generateKey('ed25519');
  await assert.rejects(
    createCt({ origin: 'x', key, roots: [], clock: new FixedClock(0), log: quiet }),
    (error) => error instanceof WaybillError && error.reason.code === 'WB-1024',
  );
});
