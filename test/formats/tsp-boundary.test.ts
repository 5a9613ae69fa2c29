/** Timestamp requests, answers and TSTInfo with one part changed: which rule refuses what. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '#base/bytes';
import { generateKey, sha256 } from '#base/crypto';
import { limits } from '#base/limits';
import { type Result, unwrap } from '#base/result';
import { cmsOids } from '#formats/cms';
import { der } from '#formats/der';
import {
  parseTimeStampRequest,
  parseTimeStampResponse,
  parseTimeStampToken,
  type TimestampToken,
} from '#formats/tsp';
import { buildName, parseCertificate } from '#formats/x509';
import { hashAlgorithmDer } from '#formats/x509-algorithms';
import { buildCertificate } from '#formats/x509-build';
import { leafTemplate, NOW, rootAuthority } from './pki.ts';
import {
  type InfoParts,
  infoOf,
  stamped,
  type TokenParts,
  type TokenSigner,
  tokenOf,
} from './token-build.ts';

const root = rootAuthority();
const key = generateKey('p256');
const template = leafTemplate(root, key, { subject: buildName([{ type: 'CN', value: 'tsa' }]) });
const signer: TokenSigner = {
  key,
  certificate: unwrap(parseCertificate(buildCertificate(template, root.key))),
};

const nul = der.nul();
const said = (result: Result<unknown>): string =>
  result.ok ? 'ok' : `${result.error.code} ${result.error.expected}`;
const token = (parts: TokenParts = {}): Uint8Array => tokenOf(signer, parts);
const read = (info: InfoParts): Result<TimestampToken> => parseTimeStampToken(token({ info: infoOf(info) }));
const value = (info: InfoParts): TimestampToken => unwrap(read(info));

test('a TSTInfo has version, imprint and order, and nothing behind', () => {
  assert.equal(said(read({})), 'ok');
  assert.equal(said(read({ version: der.int(2) })), 'WB-134 TSTInfo version 1');
  assert.equal(said(read({ version: der.int(0) })), 'WB-134 TSTInfo version 1');
  assert.match(said(read({ end: nul })), /^WB-122 TSTInfo: no more/);
  const imprint = (...parts: Uint8Array[]): string => said(read({ imprint: der.seq(...parts) }));
  const algorithm = hashAlgorithmDer('sha256');
  assert.match(imprint(algorithm, der.octets(sha256(stamped)), nul), /^WB-122 MessageImprint: no more/);
  assert.equal(imprint(algorithm, der.octets(new Uint8Array(31))), 'WB-136 32 bytes of sha256');
  const sha1 = der.seq(der.oid('1.3.14.3.2.26'));
  assert.equal(imprint(sha1, der.octets(new Uint8Array(20))), 'WB-136 SHA-256, SHA-384 or SHA-512');
});

test('what is optional in a TSTInfo is read where it stands', () => {
  const plain = value({});
  assert.deepEqual(
    [plain.accuracyMs, plain.ordering, plain.nonce, plain.genTime, plain.policy],
    [undefined, false, undefined, NOW, '1.2.3'],
  );
  assert.equal(value({ ordering: der.bool(true) }).ordering, true);
  assert.equal(value({ ordering: der.bool(false) }).ordering, false);
  assert.deepEqual([...(value({ nonce: der.int(9) }).nonce ?? [])], [9]);
  assert.equal(said(read({ tsa: der.explicit(0, nul) })), 'ok');
  const seconds = der.int(2);
  const millis = der.implicit(0, der.int(3));
  const micros = der.implicit(1, der.int(1001));
  assert.equal(value({ accuracy: der.seq(seconds) }).accuracyMs, 2000);
  assert.equal(value({ accuracy: der.seq(millis) }).accuracyMs, 3);
  assert.equal(value({ accuracy: der.seq(seconds, millis, micros) }).accuracyMs, 2005);
  assert.equal(value({ accuracy: der.seq() }).accuracyMs, 0);
  assert.match(said(read({ accuracy: der.seq(seconds, nul) })), /^WB-122 Accuracy: no more/);
});

test('an extension that is critical is refused, any other is not (WB-134)', () => {
  const list = (...items: Uint8Array[]): InfoParts => ({ extensions: der.explicit(1, ...items) });
  const oid = der.oid('1.2.3');
  const octets = der.octets(nul);
  assert.equal(said(read(list(der.seq(oid, octets)))), 'ok');
  assert.equal(said(read(list(der.seq(oid, der.bool(false), octets)))), 'ok');
  const words = 'WB-134 no critical extension';
  assert.equal(said(read(list(der.seq(oid, der.bool(true), octets)))), words);
  assert.equal(said(read(list(der.seq(oid, octets), der.seq(oid, der.bool(true), octets)))), words);
  // Only the second place says whether it is critical, and only a truth value does.
  assert.equal(said(read(list(der.seq(oid, der.octets(Uint8Array.of(0xff)))))), 'ok');
});

test('content of another type is no timestamp (WB-134)', () => {
  const info = infoOf();
  const attributes: TokenParts['attributes'] = ({ messageDigest, certificateId }) => [
    der.seq(der.oid(cmsOids.contentType), der.set(der.oid('1.2.3'))),
    messageDigest,
    certificateId,
  ];
  assert.equal(
    said(parseTimeStampToken(token({ info, contentType: '1.2.3', attributes }))),
    'WB-134 content TSTInfo',
  );
});

test('a token covers the bytes it was made over, by the hash it names', () => {
  assert.equal(value({}).covers(stamped), true);
  assert.equal(value({}).covers(utf8('other')), false);
});

const status = (code: number, ...more: Uint8Array[]): Uint8Array => der.seq(der.int(code), ...more);
const response = (...parts: Uint8Array[]): string => said(parseTimeStampResponse(der.seq(...parts)));

test('an answer has a token exactly when it grants one', () => {
  assert.equal(response(status(0), token()), 'ok');
  assert.equal(response(status(1), token()), 'ok');
  for (const code of [2, 3, 4, 5]) {
    assert.equal(response(status(code), token()), 'WB-134 a token exactly when granted', `${code}`);
    assert.equal(response(status(code)), 'WB-135 status granted', `${code}`);
  }
  assert.equal(response(status(0)), 'WB-134 a token exactly when granted');
  assert.equal(response(status(1)), 'WB-134 a token exactly when granted');
  assert.match(response(status(0), token(), nul), /^WB-122 TimeStampResp: no more/);
  assert.match(response(status(0, nul), token()), /^WB-122 PKIStatusInfo: no more/);
});

test('a refusal tells status, failure bits by name and texts', () => {
  const refusal = (...parts: Uint8Array[]): string => {
    const parsed = parseTimeStampResponse(der.seq(status(2, ...parts)));
    assert.ok(!parsed.ok);
    return parsed.error.actual;
  };
  assert.equal(refusal(), 'status 2');
  assert.equal(refusal(der.seq(der.utf8('no'))), 'status 2, no');
  assert.equal(refusal(der.namedBits([0])), 'status 2, badAlg');
  assert.equal(refusal(der.namedBits([2, 25])), 'status 2, badRequest, systemFailure');
  assert.equal(refusal(der.namedBits([7])), 'status 2, bit 7');
  assert.equal(refusal(der.namedBits([63])), 'status 2, bit 63');
  assert.equal(refusal(der.namedBits([64])), 'status 2');
  assert.equal(refusal(der.seq(der.utf8('no')), der.namedBits([5])), 'status 2, badDataFormat, no');
});

const imprint = der.seq(hashAlgorithmDer('sha256'), der.octets(sha256(stamped)));
const request = (...parts: Uint8Array[]) => parseTimeStampRequest(der.seq(...parts));

test('a request has version and imprint, and what else it asks in order', () => {
  const plain = unwrap(request(der.int(1), imprint));
  assert.deepEqual(
    [plain.policy, plain.nonce, plain.certReq, plain.extensions],
    [undefined, undefined, false, []],
  );
  assert.equal(said(request(der.int(2), imprint)), 'WB-133 version 1');
  assert.equal(said(request(der.int(0), imprint)), 'WB-133 version 1');
  assert.match(said(request(der.int(1), imprint, der.utf8('x'))), /^WB-122 TimeStampReq: no more/);
  assert.equal(unwrap(request(der.int(1), imprint, der.bool(true))).certReq, true);
  assert.equal(unwrap(request(der.int(1), imprint, der.bool(false))).certReq, false);
  assert.equal(unwrap(request(der.int(1), imprint, der.oid('1.2.4'))).policy, '1.2.4');
  const asked = unwrap(
    request(der.int(1), imprint, der.explicit(0, der.seq(der.oid('1.2.5'), der.octets(nul)))),
  );
  assert.deepEqual(asked.extensions, ['1.2.5']);
  const unknown = unwrap(request(der.int(1), der.seq(der.seq(der.oid('1.3.14.3.2.26')), der.octets(nul))));
  assert.deepEqual([unknown.hashName, unknown.hashOid], [undefined, '1.3.14.3.2.26']);
});

test('a nonce is as long as it may be, to the byte (WB-133)', () => {
  const nonce = (bytes: number): Uint8Array => der.rawInt(new Uint8Array(bytes).fill(0x7f));
  assert.equal(said(request(der.int(1), imprint, nonce(limits.tsaNonceBytes))), 'ok');
  const words = `WB-133 a nonce of at most ${limits.tsaNonceBytes} bytes`;
  assert.equal(said(request(der.int(1), imprint, nonce(limits.tsaNonceBytes + 1))), words);
});
