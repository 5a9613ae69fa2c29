/** Certificates with one part changed, each signed over again: which rule refuses what. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, utf8 } from '#base/bytes';
import { generateKey } from '#base/crypto';
import { limits } from '#base/limits';
import { attempt, type Result, unwrap } from '#base/result';
import { der, readDer } from '#formats/der';
import {
  buildName,
  nameText,
  parseCertificate,
  parseSubjectPublicKey,
  readName,
  verifyCertificateSignature,
} from '#formats/x509';
import {
  readAlgorithm,
  readHashAlgorithm,
  readPublicKey,
  readSignatureAlgorithm,
  signatureAlgorithmDer,
  signatureAlgorithmFor,
} from '#formats/x509-algorithms';
import { extKeyUsage } from '#formats/x509-build';
import {
  readAuthorityKeyId,
  readBasicConstraints,
  readExtendedKeyUsage,
  readKeyUsage,
  readSans,
  readSubjectKeyId,
} from '#formats/x509-extensions';
import { checkName } from '#formats/x509-name';
import { NOW } from './pki.ts';

type Part = Uint8Array | readonly Uint8Array[];
const list = (part: Part | undefined, usual: Uint8Array): readonly Uint8Array[] =>
  part === undefined ? [usual] : part instanceof Uint8Array ? [part] : part;

const key = generateKey('p256');
const ecdsa = signatureAlgorithmDer(signatureAlgorithmFor('p256', 'sha256'));
const name = buildName([{ type: 'CN', value: 'x' }]);
const time = (ms: number): Uint8Array => der.utcOrGeneralTime(ms);
const ext = (oid: string, value: Uint8Array, ...critical: Uint8Array[]): Uint8Array =>
  der.seq(der.oid(oid), ...critical, der.octets(value));
const usage = ext('2.5.29.15', der.namedBits([0]));

interface Parts {
  readonly version?: Part;
  readonly serial?: Part;
  readonly inner?: Part;
  readonly outer?: Part;
  readonly issuer?: Part;
  readonly validity?: Part;
  readonly subject?: Part;
  readonly spki?: Part;
  readonly extensions?: Part;
  readonly tbsEnd?: Part;
  readonly end?: Part;
  readonly signature?: Uint8Array;
}

function certificateOf(parts: Parts = {}): Uint8Array {
  const tbs = der.seq(
    ...list(parts.version, der.explicit(0, der.int(2))),
    ...list(parts.serial, der.int(1)),
    ...list(parts.inner, ecdsa),
    ...list(parts.issuer, name),
    ...list(parts.validity, der.seq(time(NOW), time(NOW + 60_000))),
    ...list(parts.subject, name),
    ...list(parts.spki, key.publicKey.spki),
    ...list(parts.extensions, der.explicit(3, der.seq(usage))),
    ...(parts.tbsEnd === undefined ? [] : list(parts.tbsEnd, usage)),
  );
  const end = parts.end === undefined ? [] : list(parts.end, usage);
  return der.seq(
    tbs,
    ...list(parts.outer, ecdsa),
    der.bits(parts.signature ?? key.sign(tbs, 'sha256')),
    ...end,
  );
}

const said = (parts: Parts): string => {
  const parsed = parseCertificate(certificateOf(parts));
  return parsed.ok ? 'ok' : `${parsed.error.code} ${parsed.error.expected}`;
};
const nul = der.nul();
const extensions = (...items: Uint8Array[]): Uint8Array => der.explicit(3, der.seq(...items));
const serial = (bytes: number[]): Uint8Array => der.rawInt(Uint8Array.from(bytes));
const ones = (count: number): number[] => Array.from({ length: count }, () => 0x7f);
const anyName = ext('2.5.29.17', der.seq(der.implicit(1, der.ia5('a@b'))), der.bool(true));

const good: Readonly<Record<string, Parts>> = {
  'as it is written': {},
  'with serial number 0': { serial: der.int(0) },
  'with a serial number of 20 octets': { serial: serial(ones(20)) },
  'with a serial number of 20 octets and a sign octet': { serial: serial([0, 0x80, ...ones(19)]) },
  'with a serial number of 0x7f': { serial: serial([0x7f]) },
  'valid for a moment': { validity: der.seq(time(NOW), time(NOW)) },
  'with an empty subject and a critical name': { subject: der.seq(), extensions: extensions(anyName) },
  'with an issuer in the first extension alone': {
    extensions: extensions(ext('1.3.6.1.4.1.57264.1.1', utf8('https://a'))),
  },
  'with an issuer in the second extension alone': {
    extensions: extensions(ext('1.3.6.1.4.1.57264.1.8', der.utf8('https://a'))),
  },
  'with the same issuer in both': {
    extensions: extensions(
      ext('1.3.6.1.4.1.57264.1.1', utf8('https://a')),
      ext('1.3.6.1.4.1.57264.1.8', der.utf8('https://a')),
    ),
  },
};

for (const [what, parts] of Object.entries(good)) {
  test(`a certificate ${what} is read`, () => assert.equal(said(parts), 'ok'));
}

const refused: readonly (readonly [what: string, parts: Parts, words: string | RegExp])[] = [
  ['no version', { version: [] }, 'WB-124 version 3'],
  ['version 2', { version: der.explicit(0, der.int(1)) }, 'WB-124 version 3'],
  ['version 4', { version: der.explicit(0, der.int(3)) }, 'WB-124 version 3'],
  ['two versions', { version: der.explicit(0, der.int(2), der.int(2)) }, 'WB-124 version 3'],
  [
    'a version that is no integer',
    { version: der.explicit(0, der.octets(Uint8Array.of(2))) },
    'WB-124 version 3',
  ],
  ['a version of no kind', { version: der.explicit(0) }, 'WB-124 version 3'],
  ['a negative serial number', { serial: serial([0x80]) }, /^WB-124 a serial number/],
  ['a serial number of -1', { serial: serial([0xff]) }, /^WB-124 a serial number/],
  ['a serial number of 21 octets', { serial: serial(ones(21)) }, /^WB-124 a serial number/],
  [
    'a serial number of 21 octets and a sign octet',
    { serial: serial([0, 0x80, ...ones(20)]) },
    /^WB-124 a serial number/,
  ],
  [
    'another algorithm outside',
    { outer: signatureAlgorithmDer(signatureAlgorithmFor('p384', 'sha384')) },
    'WB-124 the same signature algorithm inside and outside',
  ],
  ['a third time', { validity: der.seq(time(NOW), time(NOW), time(NOW)) }, /^WB-122 Validity: no more/],
  [
    'an end before its start',
    { validity: der.seq(time(NOW), time(NOW - 1000)) },
    'WB-124 notAfter not before notBefore',
  ],
  ['an issuer that is no name', { issuer: der.seq(nul) }, /^WB-122 Name: RelativeDistinguishedName/],
  ['a subject that is no name', { subject: der.seq(nul) }, /^WB-122 Name: RelativeDistinguishedName/],
  ['an empty set in its issuer', { issuer: der.seq(der.set()) }, /^WB-122 RelativeDistinguishedName/],
  ['something behind the extensions', { tbsEnd: nul }, /^WB-122 TBSCertificate: no more/],
  ['no extensions', { extensions: [] }, /^WB-122 TBSCertificate: extensions/],
  ['an empty list of extensions', { extensions: extensions() }, /^WB-122 Extensions: Extension/],
  [
    'two lists of extensions',
    { extensions: der.explicit(3, der.seq(usage), nul) },
    /^WB-122 Extensions: no more/,
  ],
  [
    'something behind an extension',
    { extensions: extensions(der.seq(der.oid('1.2.3'), der.octets(nul), nul)) },
    /^WB-122 Extension: no more/,
  ],
  [
    'critical FALSE written out',
    { extensions: extensions(ext('1.2.3', nul, der.bool(false))) },
    'WB-124 critical only when TRUE',
  ],
  ['an extension twice', { extensions: extensions(usage, usage) }, /^WB-126 one extension 2\.5\.29\.15/],
  ['something behind the signature', { end: nul }, /^WB-122 Certificate: no more/],
  ['an empty subject and no name', { subject: der.seq() }, /^WB-124 a critical subject alternative name/],
  [
    'an empty subject and a name that is not critical',
    {
      subject: der.seq(),
      extensions: extensions(ext('2.5.29.17', der.seq(der.implicit(1, der.ia5('a@b'))))),
    },
    /^WB-124 a critical subject alternative name/,
  ],
  [
    'two issuers that differ',
    {
      extensions: extensions(
        ext('1.3.6.1.4.1.57264.1.1', utf8('https://a')),
        ext('1.3.6.1.4.1.57264.1.8', der.utf8('https://b')),
      ),
    },
    'WB-127 issuer "https://b" in both',
  ],
  [
    'two issuers that differ, the second first',
    {
      extensions: extensions(
        ext('1.3.6.1.4.1.57264.1.8', der.utf8('https://b')),
        ext('1.3.6.1.4.1.57264.1.1', utf8('https://a')),
      ),
    },
    'WB-127 issuer "https://b" in both',
  ],
];

for (const [what, parts, words] of refused) {
  test(`a certificate with ${what} is refused`, () => {
    if (typeof words === 'string') assert.equal(said(parts), words);
    else assert.match(said(parts), words);
  });
}

test('a certificate may be as large as the cap, to the byte (WB-128)', () => {
  const padded = (bytes: number): Uint8Array =>
    certificateOf({
      extensions: extensions(usage, ext('1.2.3', new Uint8Array(bytes))),
      signature: new Uint8Array(70),
    });
  const spare = limits.certificateBytes - padded(60_000).length;
  const largest = padded(60_000 + spare);
  assert.equal(largest.length, limits.certificateBytes);
  assert.ok(parseCertificate(largest).ok);
  const over = parseCertificate(padded(60_000 + spare + 1));
  assert.ok(!over.ok && over.error.code === 'WB-128');
});

const unknownOf = (...items: Uint8Array[]): readonly string[] =>
  unwrap(parseCertificate(certificateOf({ extensions: extensions(...items) }))).unknownCritical;

test('critical extensions nobody interprets are named, and name constraints whatever they say', () => {
  assert.deepEqual(unknownOf(ext('1.2.3', nul)), []);
  assert.deepEqual(unknownOf(ext('1.2.3', nul, der.bool(true))), ['1.2.3']);
  assert.deepEqual(unknownOf(ext('2.5.29.30', nul)), ['2.5.29.30']);
  assert.deepEqual(unknownOf(ext('2.5.29.15', der.namedBits([0]), der.bool(true))), []);
  assert.deepEqual(unknownOf(ext('1.3.6.1.4.1.57264.1.9', der.utf8('x'), der.bool(true))), []);
  assert.deepEqual(unknownOf(ext('1.3.6.1.4.1.57264.1.9', der.utf8('x'))), []);
});

test('a certificate of another family of keys than it names is signed by nobody', () => {
  const rsa = signatureAlgorithmDer(signatureAlgorithmFor('rsa', 'sha256'));
  const one = unwrap(parseCertificate(certificateOf()));
  assert.equal(verifyCertificateSignature(one, one), true);
  const named = unwrap(parseCertificate(certificateOf({ inner: rsa, outer: rsa })));
  assert.equal(verifyCertificateSignature(named, one), false);
});

function codeOf(body: () => unknown): string {
  const read: Result<unknown> = attempt(body);
  return read.ok ? 'ok' : read.error.code;
}
const node = (bytes: Uint8Array) => readDer(bytes);

test('an algorithm has parameters as its kind allows, and nothing behind them', () => {
  const ecdsaOid = der.oid('1.2.840.10045.4.3.2');
  const rsaOid = der.oid('1.2.840.113549.1.1.11');
  const read = (...parts: Uint8Array[]): string =>
    codeOf(() => readSignatureAlgorithm(node(der.seq(...parts)), 'x'));
  assert.equal(read(ecdsaOid), 'ok');
  assert.equal(read(ecdsaOid, nul), 'WB-125');
  assert.equal(read(rsaOid, nul), 'ok');
  assert.equal(read(rsaOid), 'ok');
  assert.equal(read(rsaOid, der.seq()), 'WB-125');
  assert.equal(read(rsaOid, nul, nul), 'WB-122');
  assert.equal(read(der.oid('1.2.3')), 'WB-125');
  assert.equal(read(der.oid('1.2.3'), nul), 'WB-125');
  const sha = der.oid('2.16.840.1.101.3.4.2.1');
  const hashOf = (...parts: Uint8Array[]) => readHashAlgorithm(node(der.seq(...parts)), 'x');
  assert.equal(hashOf(sha), 'sha256');
  assert.equal(hashOf(sha, nul), 'sha256');
  assert.equal(hashOf(sha, der.seq()), undefined);
  assert.equal(hashOf(der.oid('1.3.14.3.2.26')), undefined);
  assert.equal(readAlgorithm(node(der.seq(sha)), 'x').parameters, undefined);
});

test('the algorithm a key signs with has the form its kind demands', () => {
  assert.deepEqual(node(signatureAlgorithmDer(signatureAlgorithmFor('rsa', 'sha384'))).children().length, 2);
  assert.deepEqual(node(signatureAlgorithmDer(signatureAlgorithmFor('p256', 'sha384'))).children().length, 1);
  assert.equal(signatureAlgorithmFor('p521', 'sha512').oid, '1.2.840.10045.4.3.4');
  assert.equal(signatureAlgorithmFor('rsa', 'sha512').oid, '1.2.840.113549.1.1.13');
  assert.equal(signatureAlgorithmFor('ed25519', 'sha256').family, 'ed25519');
  assert.throws(() => signatureAlgorithmFor('p256', 'sha1' as 'sha256'), /no signature algorithm/);
});

const spki = (algorithm: readonly Uint8Array[], bits: Uint8Array, ...more: Uint8Array[]): Uint8Array =>
  der.seq(der.seq(...algorithm), der.bits(bits), ...more);
const ecOid = der.oid('1.2.840.10045.2.1');
const curve = der.oid('1.2.840.10045.3.1.7');
const edOid = der.oid('1.3.101.112');
const rsaOid = der.oid('1.2.840.113549.1.1.1');
const point = (length: number, first = 4): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i === 0 ? first : 1));
/** An RSA key of this many bits, with what is told of it. */
const rsaKey = (bits: number, exponent = 65_537, ...more: Uint8Array[]): Uint8Array =>
  der.seq(der.int(2n ** BigInt(bits) - 1n), der.int(exponent), ...more);

test('a public key is of a kind, curve, form and length that are taken (WB-105)', () => {
  const read = (bytes: Uint8Array): string => codeOf(() => readPublicKey(node(bytes)));
  assert.equal(read(spki([ecOid, curve], point(65))), 'ok');
  assert.equal(read(spki([ecOid, der.oid('1.3.132.0.34')], point(97))), 'ok');
  assert.equal(read(spki([ecOid, der.oid('1.3.132.0.35')], point(133))), 'ok');
  assert.equal(read(spki([edOid], point(32))), 'ok');
  assert.equal(read(spki([rsaOid, nul], rsaKey(2048))), 'ok');
  assert.equal(read(spki([rsaOid, nul], rsaKey(8192))), 'ok');
  assert.equal(read(spki([rsaOid, nul], rsaKey(3072, 3))), 'ok');
  const bad: readonly Uint8Array[] = [
    spki([ecOid, curve], point(64)),
    spki([ecOid, curve], point(66)),
    spki([ecOid, curve], point(33, 2)),
    spki([ecOid, curve], point(65, 2)),
    spki([ecOid, der.oid('1.3.132.0.10')], point(65)),
    spki([ecOid, nul], point(65)),
    spki([ecOid], point(65)),
    spki([edOid, nul], point(32)),
    spki([edOid], point(31)),
    spki([edOid], point(33)),
    spki([der.oid('1.3.101.113')], point(32)),
    spki([rsaOid], rsaKey(2048)),
    spki([rsaOid, der.seq()], rsaKey(2048)),
    spki([der.oid('1.2.840.113549.1.1.10'), nul], rsaKey(2048)),
    spki([rsaOid, nul], rsaKey(2047)),
    spki([rsaOid, nul], rsaKey(8193)),
    spki([rsaOid, nul], rsaKey(2048, 1)),
    spki([rsaOid, nul], rsaKey(2048, 2)),
    spki([rsaOid, nul], rsaKey(2048, 65_536)),
    spki([rsaOid, nul], der.seq(der.rawInt(Uint8Array.from({ length: 256 }, () => 0x80)), der.int(65_537))),
  ];
  for (const [at, bytes] of bad.entries()) assert.equal(read(bytes), 'WB-105', `${at}`);
  assert.equal(read(spki([rsaOid, nul], rsaKey(2048, 3, nul))), 'WB-122');
  assert.equal(read(spki([ecOid, curve, nul], point(65))), 'WB-122');
  assert.equal(read(spki([ecOid, curve], point(65), nul)), 'WB-122');
  assert.equal(unwrap(parseSubjectPublicKey(spki([rsaOid, nul], rsaKey(2049)))).bits, 2049);
  assert.equal(unwrap(parseSubjectPublicKey(spki([rsaOid, nul], rsaKey(2055)))).bits, 2055);
});

test('key usage has at least one bit, in at most two bytes (WB-126)', () => {
  const read = (bytes: Uint8Array) => readKeyUsage(node(bytes));
  assert.deepEqual(read(der.namedBits([0])), {
    digitalSignature: true,
    keyCertSign: false,
    cRLSign: false,
    bits: [0],
  });
  assert.deepEqual(read(der.namedBits([5, 6])), {
    digitalSignature: false,
    keyCertSign: true,
    cRLSign: true,
    bits: [5, 6],
  });
  assert.deepEqual(read(der.namedBits([8])).bits, [8]);
  assert.deepEqual(read(der.namedBits([15])).bits, [15]);
  assert.equal(
    codeOf(() => read(der.namedBits([16]))),
    'WB-126',
  );
  assert.equal(
    codeOf(() => read(der.namedBits([]))),
    'WB-126',
  );
  assert.equal(
    codeOf(() => read(der.bits(Uint8Array.of(0)))),
    'WB-126',
  );
  assert.equal(
    codeOf(() => read(der.octets(Uint8Array.of(0, 0x80)))),
    'WB-126',
  );
});

test('purposes are object identifiers, at least one (WB-126)', () => {
  const read = (bytes: Uint8Array) => readExtendedKeyUsage(node(bytes));
  assert.deepEqual(read(der.seq(der.oid(extKeyUsage.codeSigning))), [extKeyUsage.codeSigning]);
  assert.equal(
    codeOf(() => read(der.seq())),
    'WB-126',
  );
  assert.equal(
    codeOf(() => read(der.seq(nul))),
    'WB-126',
  );
  assert.equal(
    codeOf(() => read(der.set(der.oid('1.2.3')))),
    'WB-126',
  );
});

test('constraints say of an authority alone how long a path it allows (WB-126)', () => {
  const read = (bytes: Uint8Array) => readBasicConstraints(node(bytes));
  assert.deepEqual(read(der.seq()), { isCa: false, pathLen: undefined });
  assert.deepEqual(read(der.seq(der.bool(true))), { isCa: true, pathLen: undefined });
  assert.deepEqual(read(der.seq(der.bool(true), der.int(0))), { isCa: true, pathLen: 0 });
  assert.equal(
    codeOf(() => read(der.seq(der.bool(false)))),
    'WB-126',
  );
  assert.equal(
    codeOf(() => read(der.seq(der.int(0)))),
    'WB-126',
  );
  assert.equal(
    codeOf(() => read(der.set(der.bool(true)))),
    'WB-126',
  );
  assert.equal(
    codeOf(() => read(der.seq(der.bool(true), der.int(0), nul))),
    'WB-122',
  );
  assert.equal(
    codeOf(() => read(der.seq(der.bool(true), der.rawInt(Uint8Array.of(0xff))))),
    'WB-121',
  );
});

test('key identifiers are octets that are there (WB-126)', () => {
  assert.deepEqual([...readSubjectKeyId(node(der.octets(Uint8Array.of(7))))], [7]);
  assert.equal(
    codeOf(() => readSubjectKeyId(node(der.octets()))),
    'WB-126',
  );
  for (const other of [nul, der.utf8('x')]) {
    assert.equal(
      codeOf(() => readSubjectKeyId(node(other))),
      'WB-126',
    );
  }
  const id = der.implicit(0, der.octets(Uint8Array.of(7)));
  const issuer = der.implicit(1, der.seq());
  const number = der.implicit(2, der.int(1));
  assert.deepEqual([...(readAuthorityKeyId(node(der.seq(id, issuer, number))) ?? [])], [7]);
  assert.equal(readAuthorityKeyId(node(der.seq(issuer, number))), undefined);
  assert.equal(readAuthorityKeyId(node(der.seq())), undefined);
  assert.equal(
    codeOf(() => readAuthorityKeyId(node(der.seq(id, nul)))),
    'WB-122',
  );
  assert.equal(
    codeOf(() => readAuthorityKeyId(node(der.set(id)))),
    'WB-126',
  );
});

const sansOf = (...names: Uint8Array[]) => readSans(node(der.seq(...names)));
const userName = (value: Uint8Array, oid = '1.3.6.1.4.1.57264.1.7'): Uint8Array =>
  der.explicit(0, der.oid(oid), der.explicit(0, value));

test('alternative names have their kinds, and text without controls (WB-126)', () => {
  const [email, dns, uri] = sansOf(
    ...['a@b', 'b.example', 'https://c'].map((value, i) =>
      der.implicit([1, 2, 6][i] as number, der.ia5(value)),
    ),
  );
  assert.deepEqual(
    [email, dns, uri],
    [
      { type: 'email', value: 'a@b' },
      { type: 'dns', value: 'b.example' },
      { type: 'uri', value: 'https://c' },
    ],
  );
  const ip = (bytes: number[]): Uint8Array => der.implicit(7, der.octets(Uint8Array.from(bytes)));
  assert.equal(sansOf(ip([10, 0, 0, 1]))[0]?.value, '10.0.0.1');
  assert.equal(sansOf(ip([0x20, 1, ...new Array<number>(13).fill(0), 9]))[0]?.value, '2001:0:0:0:0:0:0:9');
  for (const length of [0, 3, 5, 15, 17]) {
    assert.equal(
      codeOf(() => sansOf(ip(new Array<number>(length).fill(1)))),
      'WB-126',
      `${length}`,
    );
  }
  assert.deepEqual(sansOf(der.explicit(4, name)), [{ type: 'directoryName', value: 'CN=x' }]);
  assert.equal(
    codeOf(() => sansOf(der.explicit(4, name, name))),
    'WB-126',
  );
  assert.equal(
    codeOf(() => sansOf(der.explicit(4))),
    'WB-126',
  );
  assert.equal(
    codeOf(() => sansOf(der.explicit(4, nul))),
    'WB-126',
  );
  assert.equal(sansOf(der.implicit(8, der.oid('1.2.3')))[0]?.type, 'unsupported');
  assert.equal(
    codeOf(() => sansOf()),
    'WB-126',
  );
  assert.equal(
    codeOf(() => readSans(node(der.set(der.implicit(1, der.ia5('a@b')))))),
    'WB-126',
  );
  for (const bad of ['', 'a\0b', 'a\x1f', '\x7fa', 'a\n']) {
    assert.equal(
      codeOf(() => sansOf(der.implicit(1, der.ia5(bad)))),
      'WB-126',
      JSON.stringify(bad),
    );
    assert.equal(
      codeOf(() => sansOf(userName(der.utf8(bad)))),
      'WB-126',
      JSON.stringify(bad),
    );
  }
});

test('a user name is Sigstore’s OtherName with one text; any other matches nothing', () => {
  assert.deepEqual(sansOf(userName(der.utf8('dev!x'))), [{ type: 'otherName', value: 'dev!x' }]);
  assert.equal(sansOf(userName(der.utf8('x'), '1.2.3'))[0]?.type, 'unsupported');
  assert.equal(
    codeOf(() => sansOf(userName(der.ia5('x')))),
    'WB-126',
  );
  const twice = der.explicit(
    0,
    der.oid('1.3.6.1.4.1.57264.1.7'),
    der.explicit(0, der.utf8('x'), der.utf8('y')),
  );
  assert.equal(
    codeOf(() => sansOf(twice)),
    'WB-126',
  );
  const none = der.explicit(0, der.oid('1.3.6.1.4.1.57264.1.7'), der.explicit(0));
  assert.equal(
    codeOf(() => sansOf(none)),
    'WB-126',
  );
  const more = der.explicit(0, der.oid('1.3.6.1.4.1.57264.1.7'), der.explicit(0, der.utf8('x')), nul);
  assert.equal(
    codeOf(() => sansOf(more)),
    'WB-122',
  );
});

const pair = (...parts: Uint8Array[]): Uint8Array => der.seq(der.set(der.seq(...parts)));
const cn = der.oid('2.5.4.3');

test('a name is sets of pairs, none of them empty (WB-122)', () => {
  const check = (bytes: Uint8Array): string => codeOf(() => checkName(node(bytes)));
  assert.equal(check(der.seq()), 'ok');
  assert.equal(check(pair(cn, der.utf8('x'))), 'ok');
  assert.equal(check(der.seq(der.set(der.seq(cn, der.utf8('x')), der.seq(cn, der.utf8('y'))))), 'ok');
  const bad = [
    der.seq(der.set()),
    der.seq(der.seq()),
    der.seq(der.set(nul)),
    pair(),
    pair(cn),
    pair(der.utf8('x'), cn),
    pair(cn, der.utf8('x'), nul),
    concat(...[pair(cn, der.utf8('x'))].map((one) => der.seq(one))),
  ];
  for (const [at, bytes] of bad.entries()) assert.equal(check(bytes), 'WB-122', `${at}`);
});

test('names become text by the type of their values, special characters escaped', () => {
  const textOf = (value: Uint8Array): string => nameText(pair(cn, value));
  const raw = (tag: number, ...bytes: number[]): Uint8Array => Uint8Array.of(tag, bytes.length, ...bytes);
  assert.equal(textOf(raw(0x14, 0xe9)), 'CN=é');
  assert.equal(textOf(raw(0x1e, 0, 0x61, 0, 0xe9)), 'CN=aé');
  assert.equal(textOf(raw(0x1e, 0, 0x61, 0)), 'CN=#1e03006100');
  assert.equal(textOf(der.utf8(' #a,b+c"d\\e<f>g;h ')), 'CN=\\ #a\\,b\\+c\\"d\\\\e\\<f\\>g\\;h\\ ');
  assert.equal(textOf(der.utf8('a\nb')), 'CN=a\\0ab');
  assert.equal(textOf(der.int(5)), 'CN=#020105');
  assert.deepEqual(readName(node(pair(der.oid('1.2.3'), der.utf8('x')))), [{ type: '1.2.3', value: 'x' }]);
  assert.equal(
    codeOf(() => readName(node(pair(cn, der.utf8('x'), nul)))),
    'WB-122',
  );
  const two = buildName([
    { type: 'C', value: 'DE' },
    { type: 'DC', value: 'example' },
    { type: 'CN', value: 'x' },
  ]);
  assert.equal(nameText(two), 'CN=x,DC=example,C=DE');
  assert.deepEqual(
    node(two)
      .children()
      .map((set) => set.children()[0]?.children()[1]?.tag),
    [0x13, 0x16, 0x0c],
  );
});
