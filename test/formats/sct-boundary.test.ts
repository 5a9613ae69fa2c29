/** Signed certificate timestamps at their borders, and where in a certificate the list stands. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, uintBytes, utf8 } from '#base/bytes';
import { generateKey } from '#base/crypto';
import { type Result, unwrap } from '#base/result';
import { contextTag, der, readDer } from '#formats/der';
import {
  embeddedScts,
  parseAddChainResponse,
  parseSct,
  parseSctList,
  precertTbs,
  type Sct,
  sctBytes,
  sctListValue,
  verifySct,
} from '#formats/sct';
import { buildName, parseCertificate } from '#formats/x509';
import { buildCertificate, type CertificateTemplate, extensionOf } from '#formats/x509-build';
import { leafTemplate, rootAuthority } from './pki.ts';

const codeOf = (result: Result<unknown>): string => (result.ok ? 'ok' : result.error.code);

interface Fields {
  readonly version?: number;
  readonly timestamp?: bigint;
  readonly hash?: number;
  readonly kind?: number;
  readonly signature?: Uint8Array;
}

function raw({
  version = 0,
  timestamp = 5n,
  hash = 4,
  kind = 3,
  signature = Uint8Array.of(1),
}: Fields): Uint8Array {
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(timestamp);
  const end = [Uint8Array.of(hash, kind), uintBytes(signature.length, 2), signature];
  return concat(Uint8Array.of(version), new Uint8Array(32), time, Uint8Array.of(0, 0), ...end);
}

test('a stamp has version, time, algorithm and signature of the kinds there are (WB-131)', () => {
  assert.equal(codeOf(parseSct(raw({}))), 'ok');
  const rsa = unwrap(parseSct(raw({ kind: 1 })));
  assert.equal(rsa.algorithm, 'rsa');
  assert.equal(unwrap(parseSct(raw({ timestamp: 2n ** 53n - 1n }))).timestamp, Number.MAX_SAFE_INTEGER);
  for (const fields of [
    { version: 1 },
    { timestamp: 2n ** 53n },
    { timestamp: 2n ** 64n - 1n },
    { hash: 2 },
    { hash: 6 },
    { kind: 0 },
    { kind: 2 },
    { kind: 4 },
    { signature: new Uint8Array() },
  ]) {
    assert.equal(codeOf(parseSct(raw(fields))), 'WB-131', Object.keys(fields).join());
  }
  assert.equal(codeOf(parseSct(concat(raw({}), Uint8Array.of(0)))), 'WB-131');
  assert.equal(codeOf(parseSct(raw({}).subarray(0, -1))), 'WB-131');
});

const item = concat(uintBytes(raw({}).length, 2), raw({}));
const list = (...parts: Uint8Array[]): Uint8Array => {
  const body = concat(...parts);
  return concat(uintBytes(body.length, 2), body);
};

test('a list is one OCTET STRING around whole stamps, at least one, and nothing else (WB-131)', () => {
  assert.equal(unwrap(parseSctList(der.octets(list(item)))).length, 1);
  assert.equal(unwrap(parseSctList(der.octets(list(item, item)))).length, 2);
  assert.equal(codeOf(parseSctList(der.octets(list()))), 'WB-131');
  assert.equal(codeOf(parseSctList(der.octets(list(item, Uint8Array.of(0))))), 'WB-131');
  assert.equal(codeOf(parseSctList(der.octets(list(item, Uint8Array.of(0, 0))))), 'WB-131');
  assert.equal(codeOf(parseSctList(der.octets(list(item), Uint8Array.of(0)))), 'WB-131');
  assert.equal(codeOf(parseSctList(der.octets(list(item).subarray(0, -1)))), 'WB-131');
  const other = Uint8Array.from(der.octets(list(item)));
  other[0] = 0x0c;
  assert.equal(codeOf(parseSctList(other)), 'WB-131');
});

test('an answer of a log has a log id of 32 bytes and version 1 (WB-131)', () => {
  const answer = (more: object): Uint8Array =>
    utf8(
      JSON.stringify({
        sct_version: 0,
        id: Buffer.alloc(32).toString('base64'),
        timestamp: 5,
        extensions: '',
        signature: Buffer.from([4, 3, 0, 1, 9]).toString('base64'),
        ...more,
      }),
    );
  assert.equal(codeOf(parseAddChainResponse(answer({}))), 'ok');
  assert.equal(codeOf(parseAddChainResponse(answer({ extensions: undefined }))), 'ok');
  assert.equal(codeOf(parseAddChainResponse(answer({ sct_version: 1 }))), 'WB-131');
  for (const length of [31, 33]) {
    const id = Buffer.alloc(length).toString('base64');
    assert.equal(codeOf(parseAddChainResponse(answer({ id }))), 'WB-131');
  }
});

const root = rootAuthority();
const key = generateKey('p256');
const sctList = {
  oid: '1.3.6.1.4.1.11129.2.4.2',
  value: sctListValue([unwrap(parseSct(raw({})))]),
  critical: false,
};
const poison = { oid: '1.3.6.1.4.1.11129.2.4.3', value: der.nul(), critical: true };
const named = { subject: buildName([{ type: 'CN', value: 'leaf' }]) };
const certificate = (extensions: CertificateTemplate['extensions']) =>
  unwrap(parseCertificate(buildCertificate({ ...leafTemplate(root, key, named), extensions }, root.key)));

test('what a log signs has neither list nor poison, wherever they stand among the extensions', () => {
  const usage = extensionOf.keyUsage('digitalSignature');
  const id = extensionOf.subjectKeyId(key.publicKey);
  const wanted = certificate([usage, id]).tbs;
  for (const own of [sctList, poison]) {
    for (const order of [
      [own, usage, id],
      [usage, own, id],
      [usage, id, own],
    ]) {
      assert.deepEqual(precertTbs(certificate(order)), wanted);
    }
  }
  assert.deepEqual(precertTbs(certificate([sctList, usage, poison, id])), wanted);
  assert.deepEqual(precertTbs(certificate([usage, id])), wanted);
});

test('where nothing is left of the extensions there are none', () => {
  for (const only of [[sctList], [poison], [poison, sctList]]) {
    const kept = readDer(precertTbs(certificate(only))).children();
    assert.equal(
      kept.find(({ tag }) => tag === contextTag(3)),
      undefined,
    );
    assert.equal(kept.length, 7);
  }
});

test('a certificate without a list has no stamps', () => {
  assert.deepEqual(unwrap(embeddedScts(certificate([extensionOf.keyUsage('digitalSignature')]))), []);
});

test('a stamp of another kind of signature than the log’s key makes is none', () => {
  const sct: Sct = { ...unwrap(parseSct(raw({ kind: 1 }))), algorithm: 'rsa' };
  assert.equal(sctBytes(sct).length, raw({}).length);
  assert.equal(verifySct(sct, certificate([sctList]), root.certificate.publicKey, key.publicKey), false);
});
