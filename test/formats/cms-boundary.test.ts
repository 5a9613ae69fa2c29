/** Timestamp tokens with one part changed, each signed over again: what only the shape can tell. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateKey, hash, sha256 } from '#base/crypto';
import { limits } from '#base/limits';
import { unwrap } from '#base/result';
import { cmsOids } from '#formats/cms';
import { der } from '#formats/der';
import { parseTimeStampToken } from '#formats/tsp';
import { buildName, type Certificate, parseCertificate } from '#formats/x509';
import { hashAlgorithmDer } from '#formats/x509-algorithms';
import { buildCertificate, extensionOf, extKeyUsage } from '#formats/x509-build';
import { leafTemplate, rootAuthority } from './pki.ts';
import {
  attribute,
  certificateIdV1,
  certificateIdV2,
  infoOf,
  type TokenParts,
  type TokenSigner,
  tokenOf,
} from './token-build.ts';

const root = rootAuthority();

function signerWith(key = generateKey('p256'), serial = 7, hasKeyId = true): TokenSigner {
  const template = leafTemplate(root, key, {
    subject: buildName([{ type: 'CN', value: 'tsa' }]),
    serial: Uint8Array.of(serial),
    extensions: [
      extensionOf.keyUsage('digitalSignature'),
      extensionOf.extKeyUsage([extKeyUsage.timeStamping], true),
      ...(hasKeyId ? [extensionOf.subjectKeyId(key.publicKey)] : []),
    ],
  });
  return { key, certificate: unwrap(parseCertificate(buildCertificate(template, root.key))) };
}

const signer = signerWith();
const { certificate } = signer;
const other = signerWith(undefined, 8);

/** `signed`, or the code of the parser, or what `checkSignature` says against `by`. */
function said(parts: TokenParts, by: Certificate = certificate, from: TokenSigner = signer): string {
  const parsed = parseTimeStampToken(tokenOf(from, parts));
  if (!parsed.ok) return `${parsed.error.code} ${parsed.error.expected}`;
  const token = parsed.value;
  const checked = token.checkSignature(by);
  assert.equal(token.verifySignature(by), checked.ok);
  return checked.ok ? 'signed' : `${checked.error.code} ${checked.error.actual}`;
}

const nul = der.nul();
const keyId = (bytes: Uint8Array | undefined): Uint8Array =>
  der.implicit(0, der.octets(bytes ?? new Uint8Array()));

const good: Readonly<Record<string, TokenParts>> = {
  'as it is written': {},
  'with signer version 3 and a key identifier': {
    signerVersion: der.int(3),
    signerId: keyId(certificate.subjectKeyId),
  },
  'with the hash of its certificate named': {
    attributes: ({ contentType, messageDigest }) => [
      contentType,
      messageDigest,
      certificateIdV2(certificate, 'sha256'),
    ],
  },
  'with the certificate named by SHA-384': {
    attributes: ({ contentType, messageDigest }) => [
      contentType,
      messageDigest,
      certificateIdV2(certificate, 'sha384'),
    ],
  },
  'with the first form of the certificate identifier': {
    attributes: ({ contentType, messageDigest }) => [
      contentType,
      messageDigest,
      certificateIdV1(certificate),
    ],
  },
  'with both forms of the certificate identifier': {
    attributes: (usual) => [...Object.values(usual), certificateIdV1(other.certificate)],
  },
  'with further attributes': {
    attributes: (usual) => [...Object.values(usual), attribute('1.2.3.4', nul)],
  },
  'with certificates inside': { certificates: der.implicit(0, der.set(certificate.der, nul)) },
  'with revocation lists': { crls: der.implicit(1, der.set(nul)) },
  'with attributes that are not signed': { unsignedAttributes: der.implicit(1, der.set(nul)) },
  'with SHA-384 over attributes and content': { hash: 'sha384' },
};

for (const [name, parts] of Object.entries(good)) {
  test(`a token ${name} is the signer's, and nobody else's`, () => {
    assert.equal(said(parts), 'signed');
    assert.match(said(parts, other.certificate), /^WB-137 a token that names another signer/);
  });
}

const seq = /* an empty sequence */ der.seq();
const refused: readonly (readonly [name: string, parts: TokenParts, words: string | RegExp])[] = [
  ['another content info', { contentInfoType: der.oid('1.2.840.113549.1.7.1') }, 'WB-132 SignedData'],
  ['something behind the content', { contentInfoEnd: nul }, /^WB-122 ContentInfo: no more/],
  [
    'two contents in one',
    { contentInfoContent: (data) => der.explicit(0, data, data) },
    'WB-132 one SignedData',
  ],
  ['no content', { contentInfoContent: () => der.explicit(0) }, 'WB-132 one SignedData'],
  [
    'content that is no sequence',
    {
      contentInfoContent: (data) =>
        der.explicit(
          0,
          Uint8Array.from(data, (byte, i) => (i === 0 ? 0x31 : byte)),
        ),
    },
    'WB-132 one SignedData',
  ],
  ['something behind the signed content', { contentEnd: nul }, /^WB-122 EncapsulatedContentInfo: no more/],
  [
    'two signed contents',
    { content: (info) => der.explicit(0, der.octets(info), der.octets(info)) },
    'WB-132 content as one OCTET STRING',
  ],
  [
    'content that is no octet string',
    { content: (info) => der.explicit(0, info) },
    'WB-132 content as one OCTET STRING',
  ],
  ['no signed content', { content: () => der.explicit(0) }, 'WB-132 content as one OCTET STRING'],
  ['something behind the signers', { signedDataEnd: nul }, /^WB-122 SignedData: no more/],
  ['no signer', { signerInfos: () => der.set() }, 'WB-132 exactly one signer'],
  ['two signers', { signerInfos: (one) => der.set(one, one) }, 'WB-132 exactly one signer'],
  ['a signer that is no sequence', { signerInfos: () => der.set(der.set()) }, 'WB-132 exactly one signer'],
  ['signer version 0', { signerVersion: der.int(0) }, 'WB-132 SignerInfo version 1 or 3'],
  ['signer version 2', { signerVersion: der.int(2) }, 'WB-132 SignerInfo version 1 or 3'],
  ['signer version 4', { signerVersion: der.int(4) }, 'WB-132 SignerInfo version 1 or 3'],
  ['no signed attributes', { signedAttributes: [] }, 'WB-132 signed attribute signedAttrs'],
  ['something behind the signer', { signerInfoEnd: nul }, /^WB-122 SignerInfo: no more/],
  [
    'a signer named in another form',
    { signerId: der.set() },
    'WB-132 issuerAndSerialNumber or a key identifier',
  ],
  [
    'something behind the serial number of the signer',
    { signerId: der.seq(certificate.issuer, der.rawInt(certificate.serial), nul) },
    /^WB-122 IssuerAndSerialNumber: no more/,
  ],
  ['SHA-1 as message digest', { digestAlgorithm: der.seq(der.oid('1.3.14.3.2.26')) }, /^WB-125/],
  [
    'an attribute that is no sequence',
    { attributes: (usual) => [...Object.values(usual), der.set(der.oid('1.2.3'), der.set(nul))] },
    'WB-132 attributes as sequences',
  ],
  [
    'something behind the values of an attribute',
    { attributes: (usual) => [...Object.values(usual), der.seq(der.oid('1.2.3'), der.set(nul), nul)] },
    /^WB-122 Attribute: no more/,
  ],
  [
    'an attribute without value',
    { attributes: (usual) => [...Object.values(usual), attribute('1.2.3')] },
    'WB-132 one value of attribute 1.2.3',
  ],
  [
    'an attribute with two values',
    { attributes: (usual) => [...Object.values(usual), attribute('1.2.3', nul, seq)] },
    'WB-132 one value of attribute 1.2.3',
  ],
  [
    'an attribute twice',
    { attributes: (usual) => [...Object.values(usual), attribute('1.2.3', nul), attribute('1.2.3', nul)] },
    'WB-132 one value of attribute 1.2.3',
  ],
  [
    'no content type',
    { attributes: ({ messageDigest, certificateId }) => [messageDigest, certificateId] },
    'WB-132 signed attribute contentType',
  ],
  [
    'a content type of another form',
    {
      attributes: ({ messageDigest, certificateId }) => [
        messageDigest,
        certificateId,
        attribute(cmsOids.contentType, nul),
      ],
    },
    'WB-132 signed attribute contentType',
  ],
  [
    'no message digest',
    { attributes: ({ contentType, certificateId }) => [contentType, certificateId] },
    'WB-132 signed attribute messageDigest',
  ],
  [
    'a message digest of another form',
    {
      attributes: ({ contentType, certificateId }) => [
        contentType,
        certificateId,
        attribute(cmsOids.messageDigest, nul),
      ],
    },
    'WB-132 signed attribute messageDigest',
  ],
  [
    'no name of its certificate',
    { attributes: ({ contentType, messageDigest }) => [contentType, messageDigest] },
    'WB-132 signed attribute signingCertificate',
  ],
  [
    'something behind the identifier of its certificate',
    {
      attributes: ({ contentType, messageDigest }) => [
        contentType,
        messageDigest,
        attribute(
          cmsOids.signingCertificateV2,
          der.seq(der.seq(der.seq(der.octets(sha256(certificate.der)), seq, nul))),
        ),
      ],
    },
    /^WB-122 ESSCertID: no more/,
  ],
  [
    'its certificate named by SHA-1 in the second form',
    {
      attributes: ({ contentType, messageDigest }) => [
        contentType,
        messageDigest,
        attribute(
          cmsOids.signingCertificateV2,
          der.seq(der.seq(der.seq(der.seq(der.oid('1.3.14.3.2.26')), der.octets(sha256(certificate.der))))),
        ),
      ],
    },
    'WB-125 ESSCertIDv2 with SHA-2',
  ],
  [
    'a hash named in the first form',
    {
      attributes: ({ contentType, messageDigest }) => [
        contentType,
        messageDigest,
        attribute(
          cmsOids.signingCertificate,
          der.seq(der.seq(der.seq(hashAlgorithmDer('sha256'), der.octets(sha256(certificate.der))))),
        ),
      ],
    },
    /^WB-122 ESSCertID: certHash/,
  ],
];

for (const [name, parts, words] of refused) {
  test(`a token with ${name} is refused`, () => {
    if (typeof words === 'string') assert.equal(said(parts), words);
    else assert.match(said(parts), words);
  });
}

test('as many certificates are looked at as may be in a token, and no more (WB-132)', () => {
  const many = (count: number): Uint8Array =>
    der.implicit(0, der.set(...Array.from({ length: count }, () => nul)));
  assert.equal(said({ certificates: many(limits.chainCertificates) }), 'signed');
  const words = `WB-132 at most ${limits.chainCertificates} certificates`;
  assert.equal(said({ certificates: many(limits.chainCertificates + 1) }), words);
});

test('the certificates inside are those that parse', () => {
  const token = unwrap(
    parseTimeStampToken(tokenOf(signer, { certificates: der.implicit(0, der.set(certificate.der, nul)) })),
  );
  assert.deepEqual(
    token.certificates.map(({ serialHex }) => serialHex),
    [certificate.serialHex],
  );
});

test('each part that names signer, content or certificate is held to it (WB-137)', () => {
  const cases: readonly [TokenParts, string][] = [
    [
      { signerId: der.seq(certificate.subject, der.rawInt(certificate.serial)) },
      'a token that names another signer',
    ],
    [{ signerId: der.seq(certificate.issuer, der.int(9)) }, 'a token that names another signer'],
    [{ signerId: keyId(other.certificate.subjectKeyId) }, 'a token that names another signer'],
    [
      {
        attributes: ({ messageDigest, certificateId }) => [
          attribute(cmsOids.contentType, der.oid('1.2.3')),
          messageDigest,
          certificateId,
        ],
      },
      'a contentType attribute that differs from the content',
    ],
    [
      {
        attributes: ({ contentType, certificateId }) => [
          contentType,
          attribute(cmsOids.messageDigest, der.octets(sha256(new Uint8Array()))),
          certificateId,
        ],
      },
      'a messageDigest attribute that does not fit the content',
    ],
    [
      {
        attributes: ({ contentType, messageDigest }) => [
          contentType,
          messageDigest,
          certificateIdV2(other.certificate),
        ],
      },
      'a signingCertificate attribute that names another certificate',
    ],
    [
      {
        attributes: ({ contentType, messageDigest }) => [
          contentType,
          messageDigest,
          certificateIdV1(other.certificate),
        ],
      },
      'a signingCertificate attribute that names another certificate',
    ],
    [{ signature: (usual) => der.octets(usual.subarray(1)) }, 'a signature that does not verify'],
  ];
  for (const [parts, words] of cases) assert.equal(said(parts), `WB-137 ${words}`);
});

test('a key identifier fits no certificate that has none', () => {
  const bare = signerWith(undefined, 9, false);
  for (const id of [keyId(new Uint8Array()), keyId(certificate.subjectKeyId)]) {
    assert.equal(said({ signerId: id }, bare.certificate, bare), 'WB-137 a token that names another signer');
  }
});

test('an RSA signer may name the algorithm of its key alone; the hash is then that of the message', () => {
  const rsa = signerWith(generateKey('rsa', 2048), 10);
  const named = der.seq(der.oid('1.2.840.113549.1.1.1'), der.nul());
  for (const hashName of ['sha256', 'sha512'] as const) {
    const parts: TokenParts = { hash: hashName, signatureAlgorithm: named };
    assert.equal(said(parts, rsa.certificate, rsa), 'signed', hashName);
  }
  assert.equal(said({}, rsa.certificate, rsa), 'signed');
  // An algorithm of another family than the key's verifies nothing.
  assert.equal(said({ signatureAlgorithm: named }), 'WB-137 a signature that does not verify');
  assert.equal(hash('sha256', infoOf()).length, 32);
});
