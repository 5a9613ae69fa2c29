import 'reflect-metadata';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as peculiar from '@peculiar/x509';
import * as pkijs from 'pkijs';
import { concat } from '#base/bytes';
import { generateKey } from '#base/crypto';
import { unwrap } from '#base/result';
import { der } from '#formats/der';
import { pemDecode, pemEncode } from '#formats/pem';
import { parseCertificate, verifyCertificateSignature } from '#formats/x509';
import {
  buildCertificate,
  buildCsr,
  buildName,
  buildPrecertificate,
  extensionOf,
  fulcioExtensionTemplates,
  parseCsr,
  selfSignedAuthority,
  serialNumber,
  serverCertificate,
  verifyCsrSignature,
} from '#formats/x509-build';
import { DAY, hasOpenssl, leafTemplate, NOW, openssl, rootAuthority } from './pki.ts';

const root = rootAuthority();
const key = generateKey('p256');
const claims = { issuer: 'https://issuer.example', buildTrigger: 'push', tokenSubject: 'repo:x' };
const template = leafTemplate(root, key);
const leaf = buildCertificate(
  { ...template, extensions: [...template.extensions, ...fulcioExtensionTemplates(claims)] },
  root.key,
);

test('@peculiar/x509 reads our certificate and verifies it', async () => {
  const theirs = new peculiar.X509Certificate(Buffer.from(leaf));
  assert.equal(theirs.serialNumber, '7f0203');
  assert.equal(theirs.notAfter.getTime(), NOW + 600_000);
  const issuer = new peculiar.X509Certificate(Buffer.from(root.certificate.der));
  assert.equal(await theirs.verify({ publicKey: issuer, signatureOnly: true }), true);
  const names = theirs.getExtension(peculiar.SubjectAlternativeNameExtension);
  assert.deepEqual(names?.names.toJSON(), [{ type: 'email', value: 'dev@example.com' }]);
  assert.equal(names?.critical, true);
});

test('pkijs reads our certificate', () => {
  const theirs = pkijs.Certificate.fromBER(new Uint8Array(leaf));
  assert.equal(theirs.extensions?.length, template.extensions.length + 4);
});

test('a certificate of @peculiar/x509 is read and verified by us', async () => {
  const keys = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
    'sign',
    'verify',
  ]);
  const made = await peculiar.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: 'CN=Peculiar, O=Test',
    notBefore: new Date(NOW),
    notAfter: new Date(NOW + DAY),
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    keys,
    extensions: [
      new peculiar.BasicConstraintsExtension(true, 2, true),
      new peculiar.SubjectAlternativeNameExtension([{ type: 'dns', value: 'a.example' }]),
    ],
  });
  const ours = unwrap(parseCertificate(new Uint8Array(made.rawData)));
  assert.equal(ours.pathLen, 2);
  assert.deepEqual(ours.sans, [{ type: 'dns', value: 'a.example' }]);
  assert.equal(verifyCertificateSignature(ours, ours), true);
});

test('a precertificate differs from its certificate by the poison alone', () => {
  const pre = unwrap(parseCertificate(buildPrecertificate(template, root.key)));
  const plain = unwrap(parseCertificate(buildCertificate(template, root.key)));
  assert.deepEqual(pre.unknownCritical, ['1.3.6.1.4.1.11129.2.4.3']);
  assert.deepEqual([...pre.extensions.keys()].slice(0, -1), [...plain.extensions.keys()]);
  assert.deepEqual(pre.serial, plain.serial);
});

test('serial numbers are positive, of 20 octets, and never start with a zero', () => {
  assert.deepEqual(serialNumber(new Uint8Array(20)).subarray(0, 2), Uint8Array.of(0x40, 0));
  assert.equal(serialNumber(new Uint8Array(20).fill(0xff))[0], 0x7f);
});

test('an alternative name that a certificate cannot carry is not written', () => {
  for (const value of ['', 'ä@example.com', 'a\nb@example.com']) {
    assert.throws(() => extensionOf.subjectAltName([{ type: 'email', value }]), /WB-126/);
  }
  for (const value of ['1.2.3', '256.1.1.1', '01.2.3.4', '::1::', '1:2:3:4:5:6:7:8:9', 'g::']) {
    assert.throws(() => extensionOf.subjectAltName([{ type: 'ip', value }]), /WB-126/, value);
  }
});

test('a request is read, and its signature binds its key', () => {
  for (const kind of ['p256', 'p384', 'p521', 'rsa', 'ed25519'] as const) {
    const request = unwrap(parseCsr(buildCsr(buildName([{ type: 'CN', value: 'x' }]), generateKey(kind))));
    assert.equal(request.publicKey.kind, kind);
    assert.equal(verifyCsrSignature(request), true);
  }
});

test('a request with a changed byte never throws and is refused or does not verify', () => {
  const bytes = buildCsr(buildName([{ type: 'CN', value: 'name' }]), key);
  for (let at = 0; at < bytes.length; at++) {
    const mangled = bytes.slice();
    mangled[at] = (mangled[at] as number) ^ 0x01;
    const parsed = parseCsr(mangled);
    assert.equal(parsed.ok && verifyCsrSignature(parsed.value), false, `byte ${at}`);
  }
});

test('a request of another version and one with bytes after it are refused', () => {
  const bytes = buildCsr(der.seq(), key);
  assert.equal(parseCsr(concat(bytes, Uint8Array.of(0))).ok, false);
  const hex = Buffer.from(bytes).toString('hex').replace('02010030', '02010130');
  const parsed = parseCsr(Buffer.from(hex, 'hex'));
  assert.equal(!parsed.ok && parsed.error.code, 'WB-129');
});

test('server certificates name hosts and addresses', () => {
  const issue = { serial: Uint8Array.of(5), notBefore: NOW, notAfter: NOW + DAY };
  const authority = selfSignedAuthority('webhook', generateKey('p256'), issue);
  const server = unwrap(
    parseCertificate(serverCertificate(authority, ['svc.ns.svc', '127.0.0.1', '::1'], key.publicKey, issue)),
  );
  assert.deepEqual(server.sans, [
    { type: 'dns', value: 'svc.ns.svc' },
    { type: 'ip', value: '127.0.0.1' },
    { type: 'ip', value: '0:0:0:0:0:0:0:1' },
  ]);
  assert.equal(verifyCertificateSignature(server, authority.certificate), true);
});

if (await hasOpenssl('x509-build')) {
  test('openssl verifies our chain and reads our extensions', async () => {
    const files = {
      'leaf.pem': pemEncode('CERTIFICATE', leaf),
      'root.pem': pemEncode('CERTIFICATE', root.certificate.der),
    };
    const at = String(NOW / 1000 + 60);
    const verified = await openssl(
      ['verify', '-x509_strict', '-attime', at, '-CAfile', 'root.pem', 'leaf.pem'],
      files,
    );
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
    const text = await openssl(['x509', '-in', 'leaf.pem', '-noout', '-text'], files);
    assert.match(text.stdout, /X509v3 Key Usage: critical\s+Digital Signature/);
    assert.match(text.stdout, /Code Signing/);
    assert.match(text.stdout, /X509v3 Subject Alternative Name: critical\s+email:dev@example\.com/);
    assert.match(text.stdout, /1\.3\.6\.1\.4\.1\.57264\.1\.8/);
  });

  test('a request of openssl is read by us, and openssl verifies ours', async () => {
    const pem = key.exportPem();
    const theirs = await openssl(
      [
        'req',
        '-new',
        '-key',
        'key.pem',
        '-subj',
        '/CN=theirs',
        '-addext',
        'subjectAltName=email:a@example.com',
      ],
      { 'key.pem': pem },
    );
    const request = unwrap(parseCsr(unwrap(pemDecode(theirs.stdout, 'CERTIFICATE REQUEST'))[0].der));
    assert.equal(verifyCsrSignature(request), true);
    const ours = pemEncode('CERTIFICATE REQUEST', buildCsr(buildName([{ type: 'CN', value: 'ours' }]), key));
    const checked = await openssl(['req', '-in', 'csr.pem', '-noout', '-verify'], { 'csr.pem': ours });
    assert.equal(checked.code, 0, checked.stderr);
  });

  test('certificates that openssl makes with default settings are read', async () => {
    for (const kind of ['p256', 'rsa', 'ed25519'] as const) {
      const made = await openssl(
        ['req', '-x509', '-new', '-key', 'key.pem', '-subj', '/C=DE/O=Test AG/CN=Wurzel', '-days', '30'],
        { 'key.pem': generateKey(kind).exportPem() },
      );
      const certificate = unwrap(parseCertificate(unwrap(pemDecode(made.stdout))[0].der));
      assert.equal(certificate.subjectText, 'CN=Wurzel,O=Test AG,C=DE');
      assert.equal(verifyCertificateSignature(certificate, certificate), true);
    }
  });
}
