import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { concat, toHex, utf8 } from '#base/bytes';
import { generateKey, verifySignature } from '#base/crypto';
import { limits } from '#base/limits';
import { attempt, unwrap } from '#base/result';
import { der } from '#formats/der';
import { pemEncode } from '#formats/pem';
import {
  fulcioExtensions,
  nameText,
  parseCertificate,
  parseSubjectPublicKey,
  verifyCertificateSignature,
} from '#formats/x509';
import {
  buildCertificate,
  buildName,
  type CertificateTemplate,
  type ExtensionTemplate,
  extensionOf,
  fulcioExtensionTemplates,
  POISON_OID,
} from '#formats/x509-build';
import { conformanceMaterial } from './conformance.ts';
import { leafTemplate, NOW, rootAuthority } from './pki.ts';

const root = rootAuthority();
const key = generateKey('p256');
const built = (over: Partial<CertificateTemplate> = {}): Uint8Array =>
  buildCertificate(leafTemplate(root, key, over), root.key);
const withExtensions = (...more: readonly ExtensionTemplate[]): Uint8Array =>
  built({ extensions: [...leafTemplate(root, key).extensions, ...more] });
const codeOf = (bytes: Uint8Array): string => {
  const parsed = parseCertificate(bytes);
  return parsed.ok ? 'ok' : parsed.error.code;
};

test('a certificate gives back what its template said', () => {
  const certificate = unwrap(parseCertificate(built()));
  assert.deepEqual(certificate.sans, [{ type: 'email', value: 'dev@example.com' }]);
  assert.equal(certificate.issuerText, 'CN=test root,O=test');
  assert.equal(certificate.subjectText, '');
  assert.equal(certificate.notBefore, NOW);
  assert.equal(certificate.notAfter, NOW + 600_000);
  assert.equal(certificate.serialHex, '7f0203');
  assert.equal(certificate.keyUsage?.digitalSignature, true);
  assert.deepEqual(certificate.extKeyUsages, ['1.3.6.1.5.5.7.3.3']);
  assert.equal(certificate.isCa, false);
  assert.deepEqual(certificate.authorityKeyId, root.certificate.subjectKeyId);
  assert.deepEqual(certificate.unknownCritical, []);
  assert.equal(verifyCertificateSignature(certificate, root.certificate), true);
});

for (const kind of ['p256', 'p384', 'p521', 'rsa', 'ed25519'] as const) {
  test(`a chain of ${kind} keys verifies, and not against another root`, () => {
    const authority = rootAuthority(kind);
    const leaf = unwrap(
      parseCertificate(buildCertificate(leafTemplate(authority, generateKey(kind)), authority.key)),
    );
    assert.equal(leaf.publicKey.kind, kind);
    assert.equal(verifyCertificateSignature(leaf, authority.certificate), true);
    assert.equal(verifyCertificateSignature(leaf, rootAuthority(kind).certificate), false);
    assert.equal(
      verifyCertificateSignature(leaf, rootAuthority(kind === 'p256' ? 'ed25519' : 'p256').certificate),
      false,
    );
  });
}

test('the Sigstore claims survive the round trip in their order and encodings', () => {
  const claims = Object.fromEntries(fulcioExtensions.map(({ claim }) => [claim, `value of ${claim} ü`]));
  const certificate = unwrap(parseCertificate(withExtensions(...fulcioExtensionTemplates(claims))));
  assert.deepEqual({ ...certificate.fulcio }, claims);
  const order = [...certificate.extensions.keys()].filter((oid) => oid.startsWith('1.3.6.1.4.1.57264.'));
  assert.deepEqual(
    order,
    fulcioExtensions.map(({ oid }) => oid),
  );
  assert.deepEqual(certificate.extensions.get('1.3.6.1.4.1.57264.1.1')?.value.slice(0, 5), utf8('value'));
});

test('the issuer of old certificates, which have no second extension, is read', () => {
  const extension = { oid: '1.3.6.1.4.1.57264.1.1', value: utf8('https://issuer.example') };
  assert.equal(unwrap(parseCertificate(withExtensions(extension))).fulcio.issuer, 'https://issuer.example');
});

const extension = (oid: string, value: Uint8Array, critical = false): ExtensionTemplate => ({
  oid,
  value,
  critical,
});
const san = '2.5.29.17';
const onlyName = (value: Uint8Array, critical = true): Uint8Array =>
  built({ extensions: [extension(san, value, critical)] });

const refusals: readonly (readonly [name: string, bytes: () => Uint8Array, code: string])[] = [
  ['bytes after the certificate', () => concat(built(), Uint8Array.of(0)), 'WB-121'],
  ['a certificate of no bytes', () => new Uint8Array(0), 'WB-121'],
  ['more bytes than a certificate may have', () => new Uint8Array(limits.certificateBytes + 1), 'WB-128'],
  ['two extensions of one kind', () => withExtensions(extensionOf.keyUsage('digitalSignature')), 'WB-126'],
  [
    'two alternative-name extensions',
    () => withExtensions(extensionOf.subjectAltName([{ type: 'email', value: 'a@b' }])),
    'WB-126',
  ],
  ['notAfter before notBefore', () => built({ notAfter: NOW - 1000 }), 'WB-124'],
  ['a serial number of 21 octets', () => built({ serial: new Uint8Array(21).fill(1) }), 'WB-124'],
  [
    'an empty subject and an alternative name that is not critical',
    () => onlyName(der.seq(der.implicit(1, der.ia5('a@b'))), false),
    'WB-124',
  ],
  [
    'an empty subject without alternative name',
    () => built({ extensions: [extensionOf.keyUsage('digitalSignature')] }),
    'WB-124',
  ],
  ['an alternative name with a NUL', () => onlyName(der.seq(der.implicit(1, der.ia5('a@b\0c')))), 'WB-126'],
  [
    'an alternative name with a line break',
    () => onlyName(der.seq(der.implicit(6, der.ia5('https://a\r\nb')))),
    'WB-126',
  ],
  ['an alternative name beyond ASCII', () => onlyName(der.seq(der.implicit(1, der.utf8('ä@b')))), 'WB-121'],
  ['an empty list of alternative names', () => onlyName(der.seq()), 'WB-126'],
  [
    'an IP address of five bytes',
    () => onlyName(der.seq(der.implicit(7, der.octets(new Uint8Array(5))))),
    'WB-126',
  ],
  [
    'a second issuer that is not a UTF8String',
    () => withExtensions(extension('1.3.6.1.4.1.57264.1.8', utf8('https://raw'))),
    'WB-126',
  ],
  [
    'a second issuer as IA5String',
    () => withExtensions(extension('1.3.6.1.4.1.57264.1.8', der.ia5('https://ia5'))),
    'WB-126',
  ],
  [
    'two issuers that disagree',
    () =>
      withExtensions(
        extension('1.3.6.1.4.1.57264.1.1', utf8('https://a')),
        extension('1.3.6.1.4.1.57264.1.8', der.utf8('https://b')),
      ),
    'WB-127',
  ],
  ['a path length on a leaf', () => withExtensions(extension('2.5.29.19', der.seq(der.int(0)))), 'WB-126'],
  ['cA written as FALSE', () => withExtensions(extension('2.5.29.19', der.seq(der.bool(false)))), 'WB-126'],
  [
    'a key usage without a bit',
    () => built({ extensions: [extensionOf.keyUsage(), ...leafTemplate(root, key).extensions.slice(1)] }),
    'WB-126',
  ],
  [
    'an extended key usage without a purpose',
    () =>
      built({ extensions: [extensionOf.extKeyUsage([]), ...leafTemplate(root, key).extensions.slice(2)] }),
    'WB-126',
  ],
];

for (const [name, bytes, expected] of refusals) {
  test(`a certificate with ${name} is refused`, () => assert.equal(codeOf(bytes()), expected));
}

test('a serial number of 20 octets and the largest certificate are accepted', () => {
  assert.equal(codeOf(built({ serial: new Uint8Array(20).fill(0x7f) })), 'ok');
  const room = limits.certificateBytes - withExtensions(extension('1.2.3', new Uint8Array(60_000))).length;
  const largest = withExtensions(extension('1.2.3', new Uint8Array(60_000 + room - 3)));
  assert.ok(largest.length <= limits.certificateBytes && largest.length > limits.certificateBytes - 16);
  assert.equal(codeOf(largest), 'ok');
});

/** Replaces the one place where `from` stands in the signed part. */
function patched(bytes: Uint8Array, from: string, to: string): Uint8Array {
  const hex = toHex(bytes);
  assert.ok(hex.includes(from));
  return Buffer.from(hex.replace(from, to), 'hex');
}

test('an inner algorithm that differs from the outer one is refused', () => {
  // ecdsa-with-SHA256 becomes ecdsa-with-SHA384 in the first place only.
  assert.equal(codeOf(patched(built(), '06082a8648ce3d040302', '06082a8648ce3d040303')), 'WB-124');
});

test('SHA-1 signatures are refused as unsupported', () => {
  const sha1 = toHex(built()).replaceAll('06082a8648ce3d040302', '06072a8648ce3d0401');
  const bytes = Buffer.from(sha1, 'hex');
  assert.equal(parseCertificate(bytes).ok, false);
  const rsa = rootAuthority('rsa');
  const signed = toHex(buildCertificate(leafTemplate(rsa, key), rsa.key)).replaceAll(
    '2a864886f70d01010b',
    '2a864886f70d010105',
  );
  assert.equal(codeOf(Buffer.from(signed, 'hex')), 'WB-125');
});

test('versions 1 and 2 are refused', () => {
  assert.equal(codeOf(patched(built(), 'a003020102', 'a003020101')), 'WB-124');
});

test('critical FALSE written out is refused', () => {
  assert.equal(codeOf(patched(built(), '0603551d0f0101ff', '0603551d0f010100')), 'WB-124');
});

test('an unknown critical extension is reported, a poison is one', () => {
  const certificate = unwrap(
    parseCertificate(withExtensions(extension('1.2.3.4', der.nul(), true), extensionOf.poison())),
  );
  assert.deepEqual(certificate.unknownCritical, ['1.2.3.4', POISON_OID]);
});

test('name constraints are reported as not applied even where they are not critical', () => {
  const certificate = unwrap(parseCertificate(withExtensions(extension('2.5.29.30', der.seq()))));
  assert.deepEqual(certificate.unknownCritical, ['2.5.29.30']);
});

test('only the Sigstore user name is an otherName; others can match nothing', () => {
  const name = (oid: string): Uint8Array =>
    der.implicit(0, der.seq(der.oid(oid), der.explicit(0, der.utf8('me!example.com'))));
  const good = unwrap(parseCertificate(onlyName(der.seq(name('1.3.6.1.4.1.57264.1.7')))));
  assert.deepEqual(good.sans, [{ type: 'otherName', value: 'me!example.com' }]);
  const foreign = unwrap(parseCertificate(onlyName(der.seq(name('1.3.6.1.4.1.311.20.2.3')))));
  assert.equal(foreign.sans[0]?.type, 'unsupported');
});

test('keys that no verifier should meet are refused', () => {
  const ec = (curve: string, point: Uint8Array): Uint8Array =>
    der.seq(der.seq(der.oid('1.2.840.10045.2.1'), der.oid(curve)), der.bits(point));
  const rsa = (modulus: Uint8Array): Uint8Array =>
    der.seq(
      der.seq(der.oid('1.2.840.113549.1.1.1'), der.nul()),
      der.bits(der.seq(der.int(modulus), der.int(65537))),
    );
  const keys = {
    'P-192': ec('1.2.840.10045.3.1.1', new Uint8Array(49).fill(4)),
    'a compressed point': ec('1.2.840.10045.3.1.7', new Uint8Array(33).fill(2)),
    'RSA with 1024 bits': rsa(new Uint8Array(128).fill(0xc1)),
    'RSA with 2047 bits': rsa(new Uint8Array(256).fill(0x41)),
    'RSA with 16384 bits': rsa(new Uint8Array(2048).fill(0xc1)),
  };
  for (const [name, spki] of Object.entries(keys)) {
    const parsed = parseSubjectPublicKey(spki);
    assert.equal(!parsed.ok && parsed.error.code, 'WB-105', name);
  }
});

test('a point off its curve verifies nothing and never throws where signatures are checked', () => {
  const spki = key.publicKey.spki.slice();
  spki[spki.length - 1] = (spki.at(-1) as number) ^ 1;
  const off = unwrap(parseSubjectPublicKey(spki));
  assert.equal(verifySignature(off, utf8('x'), key.sign(utf8('x'))), false);
  assert.equal(attempt(() => off.handle).ok, false);
});

test('names become RFC 4514 text with special characters escaped', () => {
  const name = buildName([
    { type: 'C', value: 'DE' },
    { type: 'O', value: 'A, "B" + C' },
    { type: 'CN', value: ' #x\n' },
  ]);
  assert.equal(nameText(name), 'CN=\\ #x\\0a,O=A\\, \\"B\\" \\+ C,C=DE');
});

test('no mangled certificate throws, and none that still parses keeps its signature', () => {
  const original = withExtensions(...fulcioExtensionTemplates({ issuer: 'https://i', buildTrigger: 'push' }));
  const bound = unwrap(parseCertificate(original)).tbs.length;
  fc.assert(
    fc.property(fc.nat({ max: original.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const bytes = original.slice();
      bytes[at] = (bytes[at] as number) ^ flip;
      const parsed = parseCertificate(bytes);
      if (parsed.ok && at < bound)
        assert.equal(verifyCertificateSignature(parsed.value, root.certificate), false);
    }),
    { numRuns: 1500 },
  );
});

test('every truncation is refused as a value', () => {
  const bytes = built();
  for (let length = 0; length < bytes.length; length++)
    assert.equal(parseCertificate(bytes.subarray(0, length)).ok, false);
});

const material = conformanceMaterial('x509');
if (material !== undefined) {
  test(`the ${material.certificates.length} certificates of sigstore-conformance read as node reads them`, () => {
    assert.ok(material.certificates.length >= 40);
    for (const bytes of material.certificates) {
      const ours = unwrap(parseCertificate(bytes));
      const theirs = new X509Certificate(pemEncode('CERTIFICATE', bytes));
      assert.equal(ours.notBefore, theirs.validFromDate.getTime());
      assert.equal(ours.notAfter, theirs.validToDate.getTime());
      assert.equal(BigInt(`0x${ours.serialHex}`), BigInt(`0x${theirs.serialNumber}`));
      assert.equal(ours.isCa, theirs.ca);
      assert.deepEqual(
        ours.publicKey.handle.export({ format: 'der', type: 'spki' }),
        theirs.publicKey.export({ format: 'der', type: 'spki' }),
      );
      for (const { type, value } of ours.sans) {
        if (type === 'email' || type === 'uri') assert.ok(theirs.subjectAltName?.includes(value), value);
      }
    }
  });

  test('issuer and signature agree with node for every pair of those certificates', () => {
    const all = material.certificates.map((bytes) => unwrap(parseCertificate(bytes)));
    const theirs = material.certificates.map((bytes) => new X509Certificate(Buffer.from(bytes)));
    let links = 0;
    for (const [i, child] of all.entries()) {
      for (const [j, parent] of all.entries()) {
        if (!parent.isCa || Buffer.compare(child.issuer, parent.subject) !== 0) continue;
        const expected = theirs[i]?.verify((theirs[j] as X509Certificate).publicKey);
        assert.equal(verifyCertificateSignature(child, parent), expected);
        links += expected === true ? 1 : 0;
      }
    }
    assert.ok(links >= 20, `${links} links`);
  });
}
