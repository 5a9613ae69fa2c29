/** Legacy cosign signatures and attestations: same checks, same reasons as bundles (BND-20). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '#base/brand';
import { toBase64, toHex, utf8 } from '#base/bytes';
import { generateKey, type PrivateKey, sha256 } from '#base/crypto';
import { digestOf } from '#base/digest';
import { unwrap } from '#base/result';
import { envelopeJson, INTOTO_PAYLOAD_TYPE, pae } from '#formats/dsse';
import { COSIGN_SIGN_V1, predicateTypes, statementBytes } from '#formats/intoto';
import { pemEncode } from '#formats/pem';
import { dsseV1Body, hashedRekordV1Body, intotoV1Body } from '#formats/rekor';
import type { Certificate } from '#formats/x509';
import {
  DSSE_MEDIA_TYPE,
  identity,
  type LegacyLayer,
  legacyAnnotations as names,
  parseLegacyLayer,
  parseSimpleSigning,
  type Requirements,
  requireKey,
  requireKeyless,
  SIMPLE_SIGNING_MEDIA_TYPE,
  type Verdict,
  verifyEntity,
} from '#verify';
import { EPOCH, ISSUER, MINUTE, SUBJECT, verifierPem } from '../double/virtual-stack.ts';
import { codeOf, shown, stack } from './attack.ts';

const image = digestOf(utf8('image manifest'));
const payloadOf = (digest: string, optional: unknown = null): Uint8Array =>
  utf8(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': 'registry.example/app' },
        image: { 'docker-manifest-digest': digest },
        type: 'cosign container image signature',
      },
      optional,
    }),
  );

interface Signer {
  readonly key: PrivateKey;
  readonly certificate: Certificate | undefined;
}
const keyless = (): Signer => {
  const key = generateKey('p256');
  return { key, certificate: stack.issue(key, EPOCH) };
};

/** The bundle annotation for an entry body. */
function logged(kind: string, version: string, body: Uint8Array): string {
  const entry = stack.rekorV1.append(kind, version, body, EPOCH);
  return JSON.stringify({
    SignedEntryTimestamp: toBase64(entry.inclusionPromise as Uint8Array),
    Payload: {
      body: toBase64(body),
      integratedTime: entry.integratedTime,
      logIndex: entry.logIndex,
      logID: toHex(entry.logId),
    },
  });
}

function certificateAnnotations({ certificate }: Signer): Record<string, string> {
  return certificate === undefined
    ? {}
    : { [names.certificate]: pemEncode('CERTIFICATE', certificate.der), [names.chain]: '' };
}

/** What `cosign sign` ≤ 2 attaches. */
function signature(payload: Uint8Array, signer: Signer = keyless()): LegacyLayer {
  const value = signer.key.sign(payload, 'sha256');
  const hash = { algorithm: 'sha256', value: sha256(payload) } as const;
  const body = hashedRekordV1Body({ hash, signature: value, verifier: verifierPem(signer) });
  return {
    mediaType: SIMPLE_SIGNING_MEDIA_TYPE,
    payload,
    annotations: {
      ...certificateAnnotations(signer),
      [names.signature]: toBase64(value),
      [names.bundle]: logged('hashedrekord', '0.0.1', body),
    },
  };
}

/** What `cosign attest` ≤ 2 attaches. */
function attestation(kind: 'dsse' | 'intoto' | 'intoto1' = 'dsse', signer: Signer = keyless()): LegacyLayer {
  const digest = { sha256: image.slice('sha256:'.length) };
  const payload = statementBytes({
    subject: [{ digest }],
    predicateType: predicateTypes.vuln,
    predicate: {},
  });
  const sig = signer.key.sign(pae(INTOTO_PAYLOAD_TYPE, payload));
  const stored = utf8(envelopeJson({ payloadType: INTOTO_PAYLOAD_TYPE, payload, signatures: [{ sig }] }));
  const envelopeHash = { algorithm: 'sha256', value: sha256(stored) } as const;
  const payloadHash = { algorithm: 'sha256', value: sha256(payload) } as const;
  const signatures = [{ signature: sig, verifier: verifierPem(signer) }];
  const bodies = {
    dsse: () => logged('dsse', '0.0.1', dsseV1Body({ envelopeHash, payloadHash, signatures })),
    intoto: () =>
      logged(
        'intoto',
        '0.0.2',
        intotoV1Body({ envelopeHash, payloadHash, payloadType: INTOTO_PAYLOAD_TYPE, signatures }),
      ),
    intoto1: () => {
      const hash = { algorithm: 'sha256', value: toHex(envelopeHash.value) };
      const spec = { content: { hash }, publicKey: toBase64(utf8(verifierPem(signer))) };
      return logged('intoto', '0.0.1', utf8(JSON.stringify({ apiVersion: '0.0.1', kind: 'intoto', spec })));
    },
  };
  return {
    mediaType: DSSE_MEDIA_TYPE,
    payload: stored,
    annotations: { ...certificateAnnotations(signer), [names.signature]: '', [names.bundle]: bodies[kind]() },
  };
}

const anyone = unwrap(identity({ issuer: ISSUER, san: SUBJECT }));
const byIdentity = (options: Partial<Parameters<typeof requireKeyless>[0]> = {}): Requirements =>
  unwrap(requireKeyless({ identities: [anyone], ...options }));

function judge(
  layer: LegacyLayer,
  requirements: Requirements = byIdentity(),
  artifact: Digest = image,
): Verdict {
  const parsed = parseLegacyLayer(layer, requirements.signer.kind === 'key' ? 'key' : 'certificate');
  if (!parsed.ok) return { outcome: 'rejected', reason: parsed.error };
  const now = stack.clock.now();
  return verifyEntity({ entity: parsed.value, artifact, trustedRoot: stack.trust(), requirements, now });
}

/** The layer with other annotations; undefined removes one. */
function annotated(layer: LegacyLayer, changes: Readonly<Record<string, string | undefined>>): LegacyLayer {
  const annotations = Object.entries({ ...layer.annotations, ...changes }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return { ...layer, annotations: Object.fromEntries(annotations) };
}

test('a legacy image signature is accepted and counts as cosign/sign/v1', () => {
  const verdict = judge(signature(payloadOf(image)), byIdentity({ predicateTypes: [COSIGN_SIGN_V1] }));
  assert.ok(verdict.outcome === 'accepted', shown(verdict));
  assert.equal(verdict.simpleSigning?.digest, image);
  assert.equal(verdict.simpleSigning?.dockerReference, 'registry.example/app');
});

test('legacy attestations of every generation are accepted', () => {
  for (const kind of ['dsse', 'intoto', 'intoto1'] as const) {
    const verdict = judge(attestation(kind), byIdentity({ predicateTypes: [predicateTypes.vuln] }));
    assert.equal(verdict.outcome, 'accepted', `${kind}: ${shown(verdict)}`);
  }
});

test('a keyless legacy signature or attestation is not what a demand for a key asks for (WB-302, exit 12)', () => {
  const wanted = unwrap(requireKey(generateKey('p256').publicKey));
  for (const layer of [signature(payloadOf(image)), attestation('dsse'), attestation('intoto1')]) {
    const verdict = judge(layer, wanted);
    assert.ok(verdict.outcome === 'rejected');
    assert.deepEqual([verdict.reason.code, verdict.reason.exit], ['WB-302', 12], shown(verdict));
  }
});

test('a legacy timestamp over signature or whole envelope is accepted', () => {
  const layer = attestation();
  const signed = byIdentity({ time: { kind: 'signed', atLeast: 1 } });
  const stamp = (bytes: Uint8Array): LegacyLayer =>
    annotated(layer, {
      [names.timestamp]: JSON.stringify({
        SignedRFC3161Timestamp: toBase64(stack.tsa.stamp(bytes, EPOCH + MINUTE)),
      }),
    });
  const { signatures } = JSON.parse(new TextDecoder().decode(layer.payload)) as {
    signatures: [{ sig: string }];
  };
  for (const bytes of [layer.payload, Buffer.from(signatures[0].sig, 'base64')]) {
    const verdict = judge(stamp(bytes), signed);
    assert.equal(verdict.outcome, 'accepted', shown(verdict));
  }
  assert.equal(codeOf(judge(stamp(utf8('other')), signed)), 'WB-322');
});

test('a legacy signature is verified with a key even when a certificate lies beside it', () => {
  const signer = { key: generateKey('p256'), certificate: undefined };
  const layer = annotated(signature(payloadOf(image), signer), certificateAnnotations(keyless()));
  const verdict = judge(layer, unwrap(requireKey(signer.key.publicKey)));
  assert.equal(verdict.outcome, 'accepted', shown(verdict));
});

test('the digest name is read in any case, but not twice', () => {
  const text = new TextDecoder().decode(payloadOf(image));
  const capital = utf8(text.replace('docker-manifest-digest', 'Docker-manifest-digest'));
  assert.equal(judge(signature(capital)).outcome, 'accepted');
  const twice = utf8(
    text.replace('"docker-manifest-digest"', '"Docker-manifest-digest":"","docker-manifest-digest"'),
  );
  assert.equal(codeOf(judge(signature(twice))), 'WB-346');
});

const good = signature(payloadOf(image));
const other = signature(payloadOf(image));
const otherImage = digestOf(utf8('other'));
const refusals: readonly [string, string, () => Verdict][] = [
  ['REG-10: the signature of another image', 'WB-342', () => judge(signature(payloadOf(otherImage)))],
  [
    'LOG-01: the log entry of another signature',
    'WB-310',
    () => judge(annotated(good, { [names.bundle]: other.annotations[names.bundle] })),
  ],
  [
    'LOG-02: the certificate of another signature',
    'WB-310',
    () => judge(annotated(good, { [names.certificate]: other.annotations[names.certificate] })),
  ],
  [
    'LOG-13: a changed promised time',
    'WB-312',
    () =>
      judge(
        annotated(good, {
          [names.bundle]: good.annotations[names.bundle]?.replace(
            /"integratedTime":\d+/,
            '"integratedTime":1780000000',
          ),
        }),
      ),
  ],
  ['no log entry', 'WB-320', () => judge(annotated(good, { [names.bundle]: undefined }))],
  [
    'no log entry where none is needed for time',
    'WB-317',
    () => {
      const signer = { key: generateKey('p256'), certificate: undefined };
      const layer = annotated(signature(payloadOf(image), signer), { [names.bundle]: '' });
      return judge(layer, unwrap(requireKey(signer.key.publicKey)));
    },
  ],
  [
    'no certificate where an identity is required',
    'WB-301',
    () => judge(annotated(good, { [names.certificate]: undefined })),
  ],
  ['no signature', 'WB-380', () => judge(annotated(good, { [names.signature]: '' }))],
  ['a signature that is no base64', 'WB-380', () => judge(annotated(good, { [names.signature]: '!!' }))],
  [
    'two certificates in one annotation',
    'WB-380',
    () =>
      judge(
        annotated(good, {
          [names.certificate]: `${good.annotations[names.certificate]}${other.annotations[names.certificate]}`,
        }),
      ),
  ],
  ['a bundle annotation that is no JSON', 'WB-150', () => judge(annotated(good, { [names.bundle]: '{' }))],
  ['a bundle annotation without payload', 'WB-380', () => judge(annotated(good, { [names.bundle]: '{}' }))],
  ['a layer of another media type', 'WB-380', () => judge({ ...good, mediaType: 'text/plain' })],
  ['ATT-03: a statement as simple-signing payload', 'WB-346', () => judge(signature(utf8('{"_type":"x"}')))],
  [
    'a payload of another type',
    'WB-346',
    () =>
      judge(
        signature(
          utf8(new TextDecoder().decode(payloadOf(image)).replace('cosign container', 'atomic container')),
        ),
      ),
  ],
  ['a payload with a malformed digest', 'WB-346', () => judge(signature(payloadOf('sha256:../../x')))],
  [
    'annotations that are not there',
    'WB-345',
    () => judge(signature(payloadOf(image, { env: 'test' })), byIdentity({ annotations: { env: 'prod' } })),
  ],
  [
    'LOG-03: an envelope stored otherwise than logged',
    'WB-310',
    () => {
      const layer = attestation();
      return judge({ ...layer, payload: utf8(` ${new TextDecoder().decode(layer.payload)}`) });
    },
  ],
  [
    'LOG-19: an intoto 0.0.1 entry on a plain signature',
    'WB-311',
    () => judge(annotated(good, { [names.bundle]: attestation('intoto1').annotations[names.bundle] })),
  ],
];

for (const [name, code, act] of refusals) {
  test(`legacy: refuses ${name} (${code})`, () => {
    const verdict = act();
    assert.equal(codeOf(verdict), code, shown(verdict));
  });
}

test('annotations of a legacy signature are compared', () => {
  const layer = signature(payloadOf(image, { env: 'prod', team: 'a' }));
  assert.equal(judge(layer, byIdentity({ annotations: { env: 'prod' } })).outcome, 'accepted');
});

test('a payload without optional annotations is read', () => {
  assert.deepEqual(unwrap(parseSimpleSigning(payloadOf(image))).optional, {});
});
