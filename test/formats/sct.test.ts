import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concat, toBase64, uintBytes, utf8 } from '#base/bytes';
import { generateKey, publicKeyFromSpki, sha256 } from '#base/crypto';
import { unwrap } from '#base/result';
import { der } from '#formats/der';
import {
  addChainResponse,
  embeddedScts,
  parseAddChainResponse,
  parseSct,
  parseSctList,
  precertTbs,
  type Sct,
  sctBytes,
  sctListValue,
  sctSignedData,
  verifySct,
  verifySctOverTbs,
} from '#formats/sct';
import { type Certificate, parseCertificate, verifyCertificateSignature } from '#formats/x509';
import {
  buildCertificate,
  buildCertificateWithScts,
  buildPrecertificate,
  promisedDrafts,
} from '#formats/x509-build';
import { conformanceMaterial } from './conformance.ts';
import { leafTemplate, NOW, rootAuthority } from './pki.ts';

const root = rootAuthority();
const log = generateKey('p256');
const template = leafTemplate(root, generateKey('p256'));
const precertificate = unwrap(parseCertificate(buildPrecertificate(template, root.key)));

function promise(extensions = new Uint8Array(0), signedTbs = precertTbs(precertificate)): Sct {
  const fields = { timestamp: NOW, extensions };
  const data = sctSignedData(fields, sha256(root.certificate.publicKey.spki), signedTbs);
  const logId = sha256(log.publicKey.spki);
  return { ...fields, logId, algorithm: 'ecdsa', signature: log.sign(data) };
}

const certificateWith = (sct: Sct): Certificate =>
  unwrap(parseCertificate(buildCertificateWithScts(template, [sct], root.key)));

test('the body of a precertificate and of its certificate are the same bytes', () => {
  const final = certificateWith(promise());
  assert.deepEqual(precertTbs(final), precertTbs(precertificate));
  const plain = unwrap(parseCertificate(buildCertificate(template, root.key)));
  assert.deepEqual(precertTbs(final), plain.tbs);
  assert.deepEqual(promisedDrafts(template, root.key.publicKey).promisedTbs, plain.tbs);
});

test('an SCT verifies over the bytes it was made for, by its log alone and of its kind', async () => {
  const sct = promise();
  const tbs = precertTbs(precertificate);
  const issuer = sha256(root.certificate.publicKey.spki);
  assert.equal(await verifySctOverTbs(sct, tbs, issuer, log.publicKey), true);
  assert.equal(await verifySctOverTbs(sct, precertificate.tbs, issuer, log.publicKey), false);
  assert.equal(await verifySctOverTbs(sct, tbs, sha256(log.publicKey.spki), log.publicKey), false);
  assert.equal(await verifySctOverTbs(sct, tbs, issuer, generateKey('p256').publicKey), false);
  assert.equal(await verifySctOverTbs({ ...sct, algorithm: 'rsa' }, tbs, issuer, log.publicKey), false);
});

for (const extensions of [new Uint8Array(0), Uint8Array.of(0, 0, 5, 1, 2, 3, 4, 5)]) {
  test(`an SCT with ${extensions.length} bytes of extensions verifies on the final certificate`, () => {
    const sct = promise(extensions);
    const final = certificateWith(sct);
    const [embedded, ...more] = unwrap(embeddedScts(final));
    assert.equal(more.length, 0);
    assert.deepEqual(sctBytes(embedded as Sct), sctBytes(sct));
    assert.equal(verifySct(embedded as Sct, final, root.certificate.publicKey, log.publicKey), true);
  });
}

const verifies = (sct: Sct, certificate = certificateWith(promise()), issuer = root, key = log): boolean =>
  verifySct(sct, certificate, issuer.certificate.publicKey, key.publicKey);

test('an SCT does not verify for another certificate, issuer, log, time or extensions', () => {
  const good = promise();
  assert.equal(verifies(good), true);
  const other = unwrap(
    parseCertificate(buildPrecertificate({ ...template, serial: Uint8Array.of(9) }, root.key)),
  );
  assert.equal(verifies(good, other), false);
  assert.equal(verifies(good, certificateWith(good), rootAuthority()), false);
  assert.equal(verifies(good, certificateWith(good), root, generateKey('p256')), false);
  assert.equal(verifies({ ...good, timestamp: good.timestamp + 1 }), false);
  assert.equal(verifies({ ...good, extensions: Uint8Array.of(1) }), false);
  assert.equal(verifies({ ...good, algorithm: 'rsa' }), false);
});

test('an SCT over the whole certificate instead of the precertificate body does not verify', () => {
  assert.equal(verifies(promise(undefined, precertificate.tbs)), false);
});

test('SCT lists survive the round trip', () => {
  const arbitrary = fc.record({
    logId: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    timestamp: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    extensions: fc.uint8Array({ maxLength: 40 }),
    algorithm: fc.constantFrom('ecdsa' as const, 'rsa' as const),
    signature: fc.uint8Array({ minLength: 1, maxLength: 80 }),
  });
  fc.assert(
    fc.property(arbitrary, fc.array(arbitrary, { maxLength: 3 }), (first, rest) => {
      assert.deepEqual(
        unwrap(parseSctList(sctListValue([first, ...rest]))).map(sctBytes),
        [first, ...rest].map(sctBytes),
      );
      const answer = unwrap(parseAddChainResponse(utf8(JSON.stringify(addChainResponse(first)))));
      assert.deepEqual(sctBytes(answer), sctBytes(first));
    }),
  );
});

const listOf = (...items: readonly Uint8Array[]): Uint8Array => {
  const list = concat(...items.flatMap((item) => [uintBytes(item.length, 2), item]));
  return der.octets(uintBytes(list.length, 2), list);
};
const one = sctBytes(promise());

const malformed: readonly (readonly [name: string, value: Uint8Array, code: string])[] = [
  ['an empty list', der.octets(Uint8Array.of(0, 0)), 'WB-131'],
  ['a list longer than its bytes', der.octets(Uint8Array.of(0, 9, 0, 1)), 'WB-131'],
  ['bytes after the list', der.octets(listOf(one).subarray(3), Uint8Array.of(0)), 'WB-131'],
  ['an item of no bytes', listOf(one, new Uint8Array(0)), 'WB-131'],
  ['an item that is cut', listOf(one.subarray(0, 60)), 'WB-131'],
  ['an item with bytes after its signature', listOf(concat(one, Uint8Array.of(1))), 'WB-131'],
  ['an SCT of version 2', listOf(concat(Uint8Array.of(1), one.subarray(1))), 'WB-131'],
  ['bytes that are no OCTET STRING', der.seq(), 'WB-131'],
  ['bytes that are no DER', Uint8Array.of(4, 0x81, 1, 0), 'WB-121'],
];

for (const [name, value, code] of malformed) {
  test(`an SCT list with ${name} is refused`, () => {
    const parsed = parseSctList(value);
    assert.equal(!parsed.ok && parsed.error.code, code);
  });
}

test('a promise of a log is refused when its parts are not what RFC 6962 says', () => {
  const good = addChainResponse(promise());
  const bodies: readonly object[] = [
    { ...good, sct_version: 1 },
    { ...good, id: toBase64(new Uint8Array(31)) },
    { ...good, timestamp: '5' },
    { ...good, signature: 'AAAA' },
    { ...good, signature: '%' },
    [],
  ];
  for (const body of bodies) {
    const parsed = parseAddChainResponse(utf8(JSON.stringify(body)));
    assert.equal(!parsed.ok && parsed.error.code, 'WB-131', JSON.stringify(body));
  }
});

test('no cut of an SCT parses', () => {
  for (let length = 0; length < one.length; length++)
    assert.equal(parseSct(one.subarray(0, length)).ok, false);
});

const material = conformanceMaterial('sct');
if (material !== undefined) {
  test('the SCTs of sigstore-conformance verify with the logs of its trusted roots', () => {
    const all = material.certificates.map((bytes) => unwrap(parseCertificate(bytes)));
    let verified = 0;
    let withExtensions = 0;
    for (const leaf of all) {
      for (const sct of unwrap(embeddedScts(leaf))) {
        const spki = material.ctKeys.get(toBase64(sct.logId));
        const issuer = all.find((one) => one.isCa && verifyCertificateSignature(leaf, one));
        if (spki === undefined || issuer === undefined) continue;
        assert.equal(verifySct(sct, leaf, issuer.publicKey, unwrap(publicKeyFromSpki(spki))), true);
        verified++;
        if (sct.extensions.length > 0) withExtensions++;
      }
    }
    assert.ok(
      verified >= 15 && withExtensions >= 1,
      `${verified} verified, ${withExtensions} with extensions`,
    );
  });
}
