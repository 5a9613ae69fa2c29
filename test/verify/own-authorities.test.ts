/** Certificates of authorities that are no Fulcio, detached stamps, and times that count only where there are any. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { utf8 } from '#base/bytes';
import { generateKey, sha256 } from '#base/crypto';
import { unwrap } from '#base/result';
import { certificateSignedData, type Sct } from '#formats/sct';
import type { TrustedRoot } from '#formats/trusted-root';
import { extensionOf, extKeyUsage } from '#formats/x509-build';
import {
  identity,
  type KeylessOptions,
  requireKeyless,
  type SignedEntity,
  trustMaterial,
  type Verdict,
  verifyEntity,
} from '#verify';
import { authority, type Holder, signer } from '../peers/own-pki.ts';

const root = authority('Root');
const ada = signer('ada@example.com', root);
const both = signer('ada@example.com', root, {
  extensions: [
    extensionOf.keyUsage('digitalSignature'),
    extensionOf.extKeyUsage([extKeyUsage.codeSigning]),
    extensionOf.subjectAltName([
      { type: 'uri', value: 'https://example.com/ada' },
      { type: 'email', value: 'ada@example.com' },
    ]),
  ],
});
const ct = generateKey('p256');
const logId = sha256(ct.publicKey.spki);
const validFor = { start: 0 };
const trust: TrustedRoot = {
  mediaType: '',
  tlogs: [],
  ctlogs: [
    {
      baseUrl: 'https://ct.example',
      publicKey: ct.publicKey,
      keyDetails: 'PKIX_ECDSA_P256_SHA_256',
      validFor,
      logId,
    },
  ],
  certificateAuthorities: [
    { uri: '', subject: { organization: '', commonName: 'Root' }, chain: [root.certificate], validFor },
  ],
  timestampAuthorities: [],
  unsupported: [],
};
const content = utf8('content');
const now = Date.now();

const by = ({ key, certificate }: Holder, sct?: Sct): SignedEntity => ({
  material: { kind: 'certificate', certificate, ...(sct === undefined ? {} : { sct }) },
  entries: [],
  timestamps: [],
  signature: key.sign(content),
  content: { kind: 'message' },
});

/** A stamp over the certificate as it is, as a log gives for one that is submitted after it was issued. */
function stampFor({ certificate }: Holder, over = certificate.der): Sct {
  const timed = { timestamp: now, extensions: new Uint8Array() };
  return { ...timed, logId, algorithm: 'ecdsa', signature: ct.sign(certificateSignedData(timed, over)) };
}

function judged(entity: SignedEntity, more: Partial<KeylessOptions> = {}, issuer = '.*'): Verdict {
  const pattern = { regexpUnanchoredUnsafe: issuer, mayAdmitEverybody: true };
  const requirements = requireKeyless({
    identities: [unwrap(identity({ san: 'ada@example.com', issuer: pattern }))],
    tlog: 'notRequiredUnsafe',
    sct: 'notRequiredUnsafe',
    time: { kind: 'current' },
    isOfAnyAuthority: true,
    ...more,
  });
  const input = { artifact: content, trustedRoot: trustMaterial(trust), now };
  return verifyEntity({ ...input, entity, requirements: unwrap(requirements) });
}

const told = (verdict: Verdict): string =>
  verdict.outcome === 'rejected' ? verdict.reason.check : verdict.outcome;

test('a certificate without an issuer, or with several names, counts only where that was said', () => {
  for (const holder of [ada, both]) {
    const verdict = judged(by(holder));
    assert.ok(verdict.outcome === 'accepted' && verdict.signer.kind === 'certificate');
    // Of several names the one that was asked for.
    assert.deepEqual(verdict.signer.san, { type: 'email', value: 'ada@example.com' });
    assert.equal(told(judged(by(holder), { isOfAnyAuthority: false })), 'identity.san');
  }
  assert.equal(told(judged(by(ada), {}, 'issuer')), 'identity.issuer');
  const other = signer('eve@example.com', root);
  assert.equal(told(judged(by(other))), 'identity.san');
});

describe('a stamp of a CT log that came beside the certificate', () => {
  test('counts when it is over this certificate', () => {
    assert.equal(told(judged(by(ada, stampFor(ada)), { sct: 1 })), 'accepted');
  });
  for (const [about, entity, check] of [
    ['absent', by(ada), 'sct.present'],
    ['over another certificate', by(ada, stampFor(ada, both.certificate.der)), 'sct.signature'],
    ['of another log', by(ada, { ...stampFor(ada), logId: new Uint8Array(32) }), 'sct.signature'],
    ['far from the life of the certificate', by(ada, { ...stampFor(ada), timestamp: 1 }), 'sct.signature'],
  ] as const) {
    test(`${about}: refused`, () => assert.equal(told(judged(entity, { sct: 1 })), check));
  }
});

test('times where there are any: none falls back as asked, a bad one never does', () => {
  const current = { time: { kind: 'signedIfAny', otherwise: 'current' } } as const;
  const integrated = { time: { kind: 'signedIfAny', otherwise: 'integrated' } } as const;
  assert.equal(told(judged(by(ada), current)), 'accepted');
  assert.equal(told(judged(by(ada), integrated)), 'time.threshold');
  const stamped = { ...by(ada), timestamps: [utf8('no timestamp')] };
  assert.equal(told(judged(stamped, current)), 'der.form');
  const none = { time: { kind: 'signedIfAny', otherwise: 'notRequired' } } as const;
  const refused = requireKeyless({ identities: [unwrap(identity({ san: 'a@b.c', issuer: 'x' }))], ...none });
  assert.equal(refused.ok, false);
});
