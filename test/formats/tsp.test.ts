import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, utf8 } from '#base/bytes';
import { generateKey, type HashName, hash } from '#base/crypto';
import { limits } from '#base/limits';
import { unwrap } from '#base/result';
import { der } from '#formats/der';
import { pemEncode } from '#formats/pem';
import {
  buildTimeStampFailure,
  buildTimeStampRequest,
  buildTimeStampResponse,
  parseTimeStampRequest,
  parseTimeStampResponse,
  parseTimeStampToken,
  pkiFailure,
  type TimeStampGrant,
} from '#formats/tsp';
import { type Certificate, parseCertificate } from '#formats/x509';
import { buildCertificate, buildName, extensionOf, extKeyUsage } from '#formats/x509-build';
import { conformanceMaterial } from './conformance.ts';
import { DAY, hasOpenssl, leafTemplate, NOW, openssl, rootAuthority } from './pki.ts';

const root = rootAuthority();
const key = generateKey('p256');
const data = utf8('the signature to be timed');

function tsaCertificate(of = key, serial = 7): Certificate {
  const template = leafTemplate(root, of, {
    subject: buildName([{ type: 'CN', value: 'tsa' }]),
    serial: Uint8Array.of(serial),
    notAfter: NOW + 10 * DAY,
    extensions: [
      extensionOf.keyUsage('digitalSignature'),
      extensionOf.extKeyUsage([extKeyUsage.timeStamping], true),
      extensionOf.subjectKeyId(of.publicKey),
    ],
  });
  return unwrap(parseCertificate(buildCertificate(template, root.key)));
}

const leaf = tsaCertificate();

const grant = (over: Partial<TimeStampGrant> = {}): TimeStampGrant => ({
  hashName: 'sha256',
  hash: hash('sha256', data),
  policy: '1.3.6.1.4.1.57264.2',
  serial: Uint8Array.of(0x80, 1),
  genTime: NOW + 1234,
  accuracySeconds: 1,
  signerCertificate: leaf,
  certificates: [],
  ...over,
});
const response = (over: Partial<TimeStampGrant> = {}): Uint8Array => buildTimeStampResponse(grant(over), key);
const codeOf = (bytes: Uint8Array): string => {
  const parsed = parseTimeStampResponse(bytes);
  return parsed.ok ? 'ok' : parsed.error.code;
};

test('a token gives back what it was made from', () => {
  const token = unwrap(
    parseTimeStampResponse(response({ nonce: Uint8Array.of(0x11), certificates: [leaf] })),
  );
  assert.equal(token.genTime, NOW + 1000);
  assert.equal(token.accuracyMs, 1000);
  assert.equal(token.policy, '1.3.6.1.4.1.57264.2');
  assert.deepEqual([...token.serial], [0, 0x80, 1]);
  assert.deepEqual([...(token.nonce ?? [])], [0x11]);
  assert.equal(token.ordering, false);
  assert.equal(token.covers(data), true);
  assert.equal(token.covers(utf8('other')), false);
  assert.deepEqual(
    token.certificates.map(({ serialHex }) => serialHex),
    ['07'],
  );
  assert.equal(token.isSignedBy(leaf), true);
  assert.equal(token.verifySignature(leaf), true);
});

for (const kind of ['p256', 'p384', 'rsa', 'ed25519'] as const) {
  test(`a token signed with ${kind} verifies`, () => {
    const signer = generateKey(kind);
    const certificate = tsaCertificate(signer);
    const bytes = buildTimeStampResponse(grant({ signerCertificate: certificate }), signer);
    assert.equal(unwrap(parseTimeStampResponse(bytes)).verifySignature(certificate), true);
  });
}

test('a token does not verify with another certificate, and says which check failed', () => {
  const token = unwrap(parseTimeStampResponse(response()));
  const cases: readonly (readonly [Certificate, RegExp])[] = [
    [tsaCertificate(key, 8), /names another signer/],
    [tsaCertificate(generateKey('p256'), 7), /signingCertificate attribute/],
    [root.certificate, /names another signer/],
  ];
  for (const [certificate, expected] of cases) {
    const checked = token.checkSignature(certificate);
    assert.equal(!checked.ok && checked.error.code, 'WB-137');
    assert.match(checked.ok ? '' : checked.error.actual, expected);
  }
});

/** The response with one place in its hex replaced. */
function patched(bytes: Uint8Array, from: Uint8Array, to: Uint8Array): Uint8Array {
  const hex = Buffer.from(bytes).toString('hex');
  const needle = Buffer.from(from).toString('hex');
  assert.ok(hex.includes(needle));
  return Buffer.from(hex.replace(needle, Buffer.from(to).toString('hex')), 'hex');
}

test('a changed time, a changed digest attribute and a changed signature do not verify', () => {
  const moved = patched(response(), der.generalTime(NOW + 1000), der.generalTime(NOW + 3000));
  const outcome = unwrap(parseTimeStampResponse(moved)).checkSignature(leaf);
  assert.match(outcome.ok ? '' : outcome.error.actual, /messageDigest attribute/);
  const bytes = response();
  const last = bytes.length - 1;
  bytes[last] = (bytes[last] as number) ^ 1;
  const broken = parseTimeStampResponse(bytes);
  assert.equal(broken.ok && broken.value.verifySignature(leaf), false);
});

test('without its signed attributes a token is refused', () => {
  for (const oid of ['1.2.840.113549.1.9.3', '1.2.840.113549.1.9.4', '1.2.840.113549.1.9.16.2.47']) {
    const other = oid.replace(/\d$/, (digit) => String((Number(digit) + 2) % 10));
    // The first place of contentType's identifier is the attribute's.
    const code = codeOf(patched(response(), der.oid(oid), der.oid(other)));
    assert.equal(code, 'WB-132', oid);
  }
});

test('a refusal without a token names its failure, and mixtures are refused', () => {
  const refusal = parseTimeStampResponse(buildTimeStampFailure(pkiFailure.badAlg, 'no SHA-1 here'));
  assert.equal(!refusal.ok && refusal.error.code, 'WB-135');
  assert.match(refusal.ok ? '' : refusal.error.actual, /status 2, badAlg, no SHA-1 here/);
  assert.equal(codeOf(der.seq(der.seq(der.int(0)))), 'WB-134');
  assert.equal(codeOf(patched(response(), der.seq(der.int(0)), der.seq(der.int(2)))), 'WB-134');
});

test('imprints of SHA-1 and of the wrong length are refused', () => {
  const imprint = der.seq(
    der.seq(der.oid('2.16.840.1.101.3.4.2.1'), der.nul()),
    der.octets(hash('sha256', data)),
  );
  const sha1 = der.seq(
    der.seq(der.oid('1.3.14.3.2.26'), der.nul()),
    der.octets(new Uint8Array(24)),
    der.nul(),
  );
  assert.equal(parseTimeStampResponse(patched(response(), imprint, sha1)).ok, false);
  const request = (oid: string, length: number): Uint8Array =>
    der.seq(der.int(1), der.seq(der.seq(der.oid(oid)), der.octets(new Uint8Array(length))));
  const short = parseTimeStampRequest(request('2.16.840.1.101.3.4.2.1', 31));
  assert.equal(!short.ok && short.error.code, 'WB-136');
  const old = unwrap(parseTimeStampRequest(request('1.3.14.3.2.26', 20)));
  assert.equal(old.hashName, undefined);
  assert.equal(old.hashOid, '1.3.14.3.2.26');
});

test('embedded certificates are capped', () => {
  const many = (count: number): string => codeOf(response({ certificates: Array(count).fill(leaf) }));
  assert.equal(many(limits.chainCertificates), 'ok');
  assert.equal(many(limits.chainCertificates + 1), 'WB-132');
});

test('an embedded certificate that does not parse is passed over', () => {
  const broken = Object.assign(Object.create(leaf) as Certificate, { der: der.seq(der.int(1)) });
  const token = unwrap(parseTimeStampResponse(response({ certificates: [broken, leaf] })));
  assert.equal(token.certificates.length, 1);
  assert.equal(token.verifySignature(leaf), true);
});

test('a bare token is read as the same token', () => {
  const bytes = response();
  const bare = bytes.subarray(bytes.length - (bytes.length - 4 - 5));
  assert.equal(unwrap(parseTimeStampToken(bare)).verifySignature(leaf), true);
});

test('requests survive the round trip', () => {
  for (const hashName of ['sha256', 'sha384', 'sha512'] satisfies HashName[]) {
    const ask = {
      hashName,
      hash: hash(hashName, data),
      nonce: Uint8Array.of(0xff, 1),
      certReq: true,
      policy: '1.2.3',
    };
    const request = unwrap(parseTimeStampRequest(buildTimeStampRequest(ask)));
    assert.equal(request.hashName, hashName);
    assert.deepEqual([...(request.nonce ?? [])], [0, 0xff, 1]);
    assert.equal(request.certReq, true);
    assert.equal(request.policy, '1.2.3');
    assert.deepEqual(request.extensions, []);
  }
});

test('a nonce is accepted at its limit and refused above it', () => {
  const nonce = (length: number): boolean =>
    parseTimeStampRequest(
      buildTimeStampRequest({
        hashName: 'sha256',
        hash: hash('sha256', data),
        nonce: new Uint8Array(length).fill(1),
      }),
    ).ok;
  assert.equal(nonce(limits.tsaNonceBytes), true);
  assert.equal(nonce(limits.tsaNonceBytes + 1), false);
});

test('requests of another version and with bytes after them are refused', () => {
  const good = buildTimeStampRequest({ hashName: 'sha256', hash: hash('sha256', data) });
  const version = parseTimeStampRequest(patched(good, der.int(1), der.int(2)));
  assert.equal(!version.ok && version.error.code, 'WB-133');
  const trailing = parseTimeStampRequest(concat(good, Uint8Array.of(0)));
  assert.equal(!trailing.ok && trailing.error.code, 'WB-121');
});

test('a byte changed anywhere is refused or does not verify, and never throws', () => {
  const original = response();
  // Nobody signs the status, CMS version numbers and the list of digest algorithms.
  let accepted = 0;
  for (let at = 0; at < original.length; at++) {
    const bytes = original.slice();
    bytes[at] = (bytes[at] as number) ^ 0x01;
    const parsed = parseTimeStampResponse(bytes);
    if (parsed.ok && parsed.value.verifySignature(leaf)) accepted++;
    else if (parsed.ok) assert.equal(parsed.value.checkSignature(leaf).ok, false);
  }
  assert.ok(accepted < 20, `${accepted} positions`);
  for (let length = 0; length < original.length; length++) {
    assert.equal(parseTimeStampResponse(original.subarray(0, length)).ok, false);
  }
});

if (await hasOpenssl('tsp')) {
  test('openssl verifies our token, with and without the certificate inside', async () => {
    const files = {
      'data.bin': data,
      'root.pem': pemEncode('CERTIFICATE', root.certificate.der),
      'tsa.pem': pemEncode('CERTIFICATE', leaf.der),
    };
    const verify = [
      'ts',
      '-verify',
      '-data',
      'data.bin',
      '-in',
      'r.tsr',
      '-CAfile',
      'root.pem',
      '-attime',
      String(NOW / 1000 + 5),
    ];
    const inside = await openssl(verify, { ...files, 'r.tsr': response({ certificates: [leaf] }) });
    assert.equal(inside.code, 0, inside.stderr);
    const outside = await openssl([...verify, '-untrusted', 'tsa.pem'], { ...files, 'r.tsr': response() });
    assert.equal(outside.code, 0, outside.stderr);
  });

  test('a request of openssl is read', async () => {
    const query = ['ts', '-query', '-data', 'data.bin', '-sha512', '-cert', '-out', 'out'];
    const made = await openssl(query, { 'data.bin': data });
    const request = unwrap(parseTimeStampRequest(made.out));
    assert.equal(request.hashName, 'sha512');
    assert.deepEqual(request.hash, hash('sha512', data));
    assert.equal(request.certReq, true);
    assert.ok((request.nonce?.length ?? 0) >= 1);
  });

  test('a token of openssl is read and verifies', async () => {
    const files = {
      'data.bin': data,
      'tsa.pem': pemEncode('CERTIFICATE', leaf.der),
      'key.pem': key.exportPem(),
      serial: '2A',
      'tsa.cnf':
        '[t]\nserial=serial\ndefault_policy=1.2.3.4\ndigests=sha256\nsigner_digest=sha256\naccuracy=secs:1\n' +
        'ess_cert_id_alg=sha256\n',
    };
    const query = await openssl(['ts', '-query', '-data', 'data.bin', '-sha256', '-out', 'out'], files);
    const reply = [
      'ts',
      '-reply',
      '-config',
      'tsa.cnf',
      '-section',
      't',
      '-queryfile',
      'q.tsq',
      '-signer',
      'tsa.pem',
    ];
    const made = await openssl([...reply, '-inkey', 'key.pem', '-out', 'out'], {
      ...files,
      'q.tsq': query.out,
    });
    assert.equal(made.code, 0, made.stderr);
    const token = unwrap(parseTimeStampResponse(made.out));
    assert.equal(token.policy, '1.2.3.4');
    assert.equal(token.covers(data), true);
    assert.equal(token.verifySignature(leaf), true);
  });
}

const material = conformanceMaterial('tsp');
if (material !== undefined) {
  test(`the ${material.timestamps.length} timestamps of sigstore-conformance are read, and verify with their signers`, () => {
    const known = material.certificates.map((bytes) => unwrap(parseCertificate(bytes)));
    let verified = 0;
    for (const bytes of material.timestamps) {
      const token = unwrap(parseTimeStampResponse(bytes));
      const signer = [...known, ...token.certificates].find((one) => token.isSignedBy(one));
      if (signer === undefined) continue;
      assert.equal(token.verifySignature(signer), true);
      verified++;
    }
    assert.ok(verified >= 8, `${verified} verified`);
  });
}
