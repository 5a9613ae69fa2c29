/** Checks of certificates that the CT logs' stamps hide: each is met alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateKey, type PrivateKey } from '#base/crypto';
import { unwrap } from '#base/result';
import { der } from '#formats/der';
import { buildName, type Certificate, parseCertificate } from '#formats/x509';
import { type CertificateTemplate, extensionOf } from '#formats/x509-build';
import { identity, requireKeyless, withoutIdentityUnsafe } from '#verify';
import { EPOCH, ISSUER, MINUTE, type SignOptions, SUBJECT } from '../double/virtual-stack.ts';
import { codeOf, outcomeOf, stack } from './attack.ts';

const who = unwrap(identity({ issuer: ISSUER, san: SUBJECT }));
const unstamped = unwrap(requireKeyless({ identities: [who], sct: 'notRequiredUnsafe' }));

/** The same certificate under a signature of another key. */
function resigned(certificate: Certificate, key: PrivateKey): Certificate {
  const { tbs, signatureAlgorithm } = certificate;
  const signature = der.bits(key.sign(tbs, signatureAlgorithm.hash));
  return unwrap(parseCertificate(der.seq(tbs, der.seq(der.oid(signatureAlgorithm.oid)), signature)));
}

function judged(options: SignOptions, requirements = unstamped): string {
  const { bytes, artifact } = stack.sign(options);
  return codeOf(outcomeOf({ bundle: bytes, artifact, requirements }));
}

test('a leaf with the names of the authority but not its signature is refused, stamps or none (WB-330)', () => {
  const leafKey = generateKey('p256');
  const genuine = stack.issue(leafKey, EPOCH);
  assert.equal(judged({ leafKey, certificate: genuine }), 'accepted');
  const forged = resigned(genuine, generateKey('p384'));
  assert.equal(judged({ leafKey, certificate: forged }), 'WB-330');
});

test('a leaf signed by the authority’s key under another issuer name is refused (WB-330)', () => {
  const alter = (template: CertificateTemplate): CertificateTemplate => ({
    ...template,
    issuer: buildName([{ type: 'CN', value: 'another name' }]),
  });
  assert.equal(judged({ leaf: { alter } }), 'WB-330');
});

test('a leaf signed by the authority’s key that names another authority key is refused (WB-330)', () => {
  const another = extensionOf.authorityKeyId(Buffer.alloc(20, 7));
  const alter = (template: CertificateTemplate): CertificateTemplate => ({
    ...template,
    extensions: template.extensions.map((one) => (one.oid === another.oid ? another : one)),
  });
  assert.equal(judged({ leaf: { alter } }), 'WB-330');
});

test('times at the very ends of a certificate count, a millisecond beside them does not (WB-331)', () => {
  const leaf = { notBefore: EPOCH - MINUTE, notAfter: EPOCH + 10 * MINUTE };
  const current = unwrap(
    withoutIdentityUnsafe({ sct: 'notRequiredUnsafe', time: { kind: 'current' }, tlog: 'notRequiredUnsafe' }),
  );
  const at = (now: number): string => {
    const { bytes, artifact } = stack.sign({ leaf, tsas: [], logs: [stack.rekorV2] });
    return codeOf(outcomeOf({ bundle: bytes, artifact, requirements: current, now }));
  };
  assert.equal(at(leaf.notBefore), 'accepted');
  assert.equal(at(leaf.notAfter), 'accepted');
  assert.equal(at(leaf.notBefore - 1), 'WB-331');
  assert.equal(at(leaf.notAfter + 1), 'WB-331');
});
