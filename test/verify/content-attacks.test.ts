/** ATT: statements that say something else than they seem (attack corpus §2.9). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ed25519ph } from '@noble/curves/ed25519.js';
import { toHex, utf8 } from '#base/bytes';
import { generateKey, hash } from '#base/crypto';
import { digestOf } from '#base/digest';
import { unwrap } from '#base/result';
import { COSIGN_SIGN_V1, predicateTypes, type Subject, statementBytes } from '#formats/intoto';
import type { JsonValue } from '#formats/json';
import { pemDecode } from '#formats/pem';
import { identity, type Requirements, requireKey, requireKeyless } from '#verify';
import { ISSUER, type SignOptions, SUBJECT, signStatement } from '../double/virtual-stack.ts';
import { type Attack, at, codeOf, edit, outcomeOf, type Setup, shown, stack, testAttacks } from './attack.ts';

const artifact = utf8('image manifest');
const sha256 = toHex(hash('sha256', artifact));
const sha512 = toHex(hash('sha512', artifact));
const other = 'ab'.repeat(32);
const anyone = unwrap(identity({ issuer: ISSUER, san: SUBJECT }));
const keyless = (options: Partial<Parameters<typeof requireKeyless>[0]> = {}): Requirements =>
  unwrap(requireKeyless({ identities: [anyone], ...options }));

/** A statement as JSON text, with whatever is given in place of the right members. */
const raw = (members: Readonly<Record<string, JsonValue | undefined>>): Uint8Array =>
  utf8(
    JSON.stringify({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ name: 'image', digest: { sha256 } }],
      predicateType: predicateTypes.slsaprovenance1,
      predicate: {},
      ...members,
    }),
  );
const subjects = (...list: JsonValue[]): Uint8Array => raw({ subject: list });

function signed(
  options: SignOptions,
  requirements: Requirements = keyless(),
  by: 'bytes' | 'digest' = 'bytes',
): Setup {
  const sample = stack.sign({ artifact, ...options });
  return { bundle: sample.bytes, artifact: by === 'bytes' ? artifact : digestOf(artifact), requirements };
}

function refuse(
  id: string,
  name: string,
  code: Attack['code'],
  statement: Uint8Array,
  twin: Uint8Array = raw({}),
): Attack {
  return { id, name, code, twin: () => signed({ statement: twin }), attack: () => signed({ statement }) };
}

const provenance = keyless({ predicateTypes: [predicateTypes.slsaprovenance1] });
function refuseType(name: string, predicateType: string): Attack {
  return {
    id: 'ATT-05',
    name,
    code: 'WB-344',
    twin: () => signed({ statement: raw({}) }, provenance),
    attack: () => signed({ statement: raw({ predicateType }) }, provenance),
  };
}
const many = (count: number): JsonValue[] =>
  Array.from({ length: count }, (_, i) => ({ name: `${i}`, digest: { sha256 } }));
const digests = (count: number): JsonValue =>
  Object.fromEntries([['sha256', sha256], ...Array.from({ length: count - 1 }, (_, i) => [`alg${i}`, 'aa'])]);
const simpleSigning = utf8(
  JSON.stringify({
    critical: {
      identity: { 'docker-reference': '' },
      image: { 'docker-manifest-digest': `sha256:${sha256}` },
      type: 'cosign container image signature',
    },
    optional: null,
  }),
);
const withAnnotations = keyless({ annotations: { env: 'prod', team: 'a' } });

testAttacks([
  {
    id: 'ATT-01',
    name: 'another payload type under the same signature',
    code: 'WB-340',
    twin: () => signed({ statement: raw({}), entryKind: 'dsse' }),
    attack: () => {
      const sample = stack.sign({ artifact, statement: raw({}) });
      return { bundle: edit(sample.json, { 'dsseEnvelope.payloadType': 'text/plain' }), artifact };
    },
  },
  {
    id: 'ATT-02',
    name: 'another payload type, validly signed',
    code: 'WB-341',
    twin: () => signed({ statement: raw({}) }),
    attack: () => signed({ statement: raw({}), payloadType: 'text/plain' }),
  },
  refuse('ATT-03', 'a simple-signing document in an envelope', 'WB-156', simpleSigning),
  refuseType('another predicate type', predicateTypes.spdx),
  refuseType('a predicate type with another case', predicateTypes.slsaprovenance1.toUpperCase()),
  refuseType('a predicate type with a slash behind it', `${predicateTypes.slsaprovenance1}/`),
  refuseType('a predicate type of another version', predicateTypes.slsaprovenance02),
  refuseType('an image signature where provenance is required', COSIGN_SIGN_V1),
  {
    id: 'ATT-06',
    name: 'a plain signature where an attestation is required',
    code: 'WB-344',
    twin: () => signed({ statement: raw({}) }, provenance),
    attack: () => signed({}, provenance),
  },
  refuse('ATT-07', 'no subjects', 'WB-158', subjects()),
  refuse('ATT-07', 'a null subject', 'WB-158', subjects(null)),
  refuse('ATT-07', 'a subject list that is an object', 'WB-158', raw({ subject: {} })),
  refuse('ATT-07', 'a missing subject list', 'WB-158', raw({ subject: undefined })),
  refuse('ATT-07', 'a subject without digest', 'WB-158', subjects({ name: 'image' })),
  refuse('ATT-07', 'a subject with an empty digest set', 'WB-158', subjects({ name: 'image', digest: {} })),
  refuse('ATT-07', 'a digest that is a number', 'WB-158', subjects({ digest: { sha256: 5 } })),
  refuse(
    'ATT-08',
    'the right name with another digest',
    'WB-342',
    subjects({ name: 'image', digest: { sha256: other } }),
  ),
  refuse(
    'ATT-09',
    'a right sha256 beside a wrong sha512',
    'WB-342',
    subjects({ digest: { sha256, sha512: 'ab'.repeat(64) } }),
    subjects({ digest: { sha256, sha512 } }),
  ),
  refuse(
    'ATT-09',
    'only an md5 digest',
    'WB-343',
    subjects({ digest: { md5: 'd41d8cd98f00b204e9800998ecf8427e' } }),
  ),
  refuse('ATT-09', 'only an unknown algorithm', 'WB-343', subjects({ digest: { quux: sha256 } })),
  refuse(
    'ATT-09',
    'a digest in upper case',
    'WB-158',
    subjects({ digest: { sha256: sha256.toUpperCase() } }),
  ),
  refuse('ATT-10', 'the digest under gitCommit', 'WB-342', subjects({ digest: { gitCommit: sha256 } })),
  refuse('ATT-11', '1,025 subjects', 'WB-158', subjects(...many(1025)), subjects(...many(1024))),
  refuse(
    'ATT-11',
    '33 digests',
    'WB-158',
    subjects({ digest: digests(33) }),
    subjects({ digest: digests(32) }),
  ),
  refuse(
    'ATT-12',
    'two subject members',
    'WB-151',
    utf8(new TextDecoder().decode(raw({})).replace('"subject"', '"subject":[],"subject"')),
  ),
  refuse(
    'ATT-13',
    'an unknown statement type',
    'WB-157',
    raw({ _type: 'https://in-toto.io/Statement/v2' }),
    raw({ _type: 'https://in-toto.io/Statement/v0.1' }),
  ),
  refuse('ATT-14', 'a statement that is an array', 'WB-156', utf8('[]')),
  refuse('ATT-14', 'a statement without predicate type', 'WB-156', raw({ predicateType: undefined })),
  refuse('ATT-14', 'a payload that is no JSON', 'WB-150', utf8('hello')),
  {
    id: 'BND-20',
    name: 'annotations of which one differs',
    code: 'WB-345',
    twin: () =>
      signed({ statement: signStatement(artifact, { env: 'prod', team: 'a', more: 'b' }) }, withAnnotations),
    attack: () => signed({ statement: signStatement(artifact, { env: 'prod', team: 'b' }) }, withAnnotations),
  },
  {
    id: 'ATT-18',
    name: 'annotations spread over two subjects',
    code: 'WB-345',
    twin: () => signed({ statement: signStatement(artifact, { env: 'prod', team: 'a' }) }, withAnnotations),
    attack: () => {
      const one = { digest: { sha256 }, annotations: { env: 'prod' } };
      const two = { digest: { sha256 }, annotations: { team: 'a' } };
      return signed(
        { statement: statementBytes({ subject: [one, two], predicateType: COSIGN_SIGN_V1, predicate: {} }) },
        withAnnotations,
      );
    },
  },
  {
    id: 'ATT-20',
    name: 'a bare-key signature where an identity is required',
    code: 'WB-301',
    twin: () => signed({}),
    attack: () => signed({ key: generateKey('p256') }),
  },
  {
    id: 'ATT-20',
    name: 'a certificate where a key is required',
    code: 'WB-302',
    twin: () => {
      const key = generateKey('p256');
      return signed({ key }, unwrap(requireKey(key.publicKey)));
    },
    attack: () => signed({}, unwrap(requireKey(generateKey('p256').publicKey))),
  },
  {
    id: 'CRT-18',
    name: 'a signature by another bare key',
    code: 'WB-310',
    twin: () => {
      const key = generateKey('p256');
      return signed({ key }, unwrap(requireKey(key.publicKey)));
    },
    attack: () => signed({ key: generateKey('p256') }, unwrap(requireKey(generateKey('p256').publicKey))),
  },
  {
    id: 'CRT-18',
    name: 'a signature by another bare key, logs given up',
    code: 'WB-340',
    twin: () => {
      const key = generateKey('p256');
      return signed({ key, logs: [] }, unwrap(requireKey(key.publicKey, { tlog: 'notRequiredUnsafe' })));
    },
    attack: () =>
      signed(
        { key: generateKey('p256'), logs: [] },
        unwrap(requireKey(generateKey('p256').publicKey, { tlog: 'notRequiredUnsafe' })),
      ),
  },
  {
    id: 'ATT-08',
    name: 'a statement about another artifact, by digest',
    code: 'WB-342',
    twin: () => signed({ statement: 'cosign' }, keyless(), 'digest'),
    attack: () => ({ ...signed({ statement: 'cosign' }), artifact: digestOf(utf8('other')) }),
  },
  {
    id: 'BND-13',
    name: 'another artifact under a plain signature without digest hint',
    code: 'WB-310',
    twin: () => signed({}, keyless(), 'digest'),
    attack: () => {
      const sample = stack.sign({ artifact });
      return {
        bundle: edit(sample.json, { 'messageSignature.messageDigest': undefined }),
        artifact: utf8('other'),
      };
    },
  },
  {
    id: 'BND-13',
    name: 'a digest in an algorithm the signature does not use',
    code: 'WB-304',
    twin: () => signed({}, keyless(), 'digest'),
    attack: () => ({ ...signed({}), artifact: digestOf(artifact, 'sha512') }),
  },
]);

test('ATT-08: a subject with the right digest and any name is accepted', () => {
  const subject: Subject = { name: '../../etc/passwd', digest: { sha256 } };
  const statement = statementBytes({ subject: [subject], predicateType: COSIGN_SIGN_V1, predicate: {} });
  const verdict = outcomeOf(signed({ statement }));
  assert.ok(verdict.outcome === 'accepted', shown(verdict));
  assert.equal(verdict.statement?.subject[0].name, '../../etc/passwd');
});

test('ATT-16: a lying key id changes nothing', () => {
  const sample = stack.sign({ artifact, statement: 'cosign' });
  const bundle = edit(sample.json, { 'dsseEnvelope.signatures.0.keyid': 'sha256:lie' });
  assert.equal(outcomeOf({ bundle, artifact }).outcome, 'accepted');
});

test('ATT-17: the payload is judged byte for byte, whatever its spacing', () => {
  const spaced = utf8(JSON.stringify(JSON.parse(new TextDecoder().decode(raw({}))), null, 3));
  assert.equal(outcomeOf(signed({ statement: spaced })).outcome, 'accepted');
  const sample = stack.sign({ artifact, statement: spaced });
  const payload = Buffer.from(raw({})).toString('base64');
  const bundle = edit(sample.json, { 'dsseEnvelope.payload': payload });
  assert.equal(codeOf(outcomeOf({ bundle, artifact })), 'WB-310');
});

test('a statement without predicate, as cosign 3.0.0 wrote it, is read', () => {
  const verdict = outcomeOf(signed({ statement: raw({ predicate: undefined }) }));
  assert.ok(verdict.outcome === 'accepted', shown(verdict));
  assert.equal(verdict.statement?.predicate, null);
});

test('a caller may give up the subject, and the verdict says so', () => {
  const requirements = keyless({ subject: 'notRequiredUnsafe' });
  const verdict = outcomeOf({
    ...signed({ statement: 'cosign' }, requirements),
    artifact: digestOf(utf8('x')),
  });
  assert.ok(verdict.outcome === 'accepted', shown(verdict));
  assert.deepEqual(verdict.degraded, ['subject']);
});

test('every kind of key is verified over bytes and, where it can be, over the digest', () => {
  for (const kind of ['p256', 'p384', 'p521', 'rsa', 'ed25519'] as const) {
    const key = generateKey(kind);
    const requirements = unwrap(requireKey(key.publicKey));
    const sample = stack.sign({ artifact, key });
    const judge = (input: Setup['artifact']) =>
      outcomeOf({ bundle: sample.bytes, artifact: input, requirements });
    assert.equal(judge(artifact).outcome, 'accepted', kind);
    const algorithm = { p384: 'sha384', p521: 'sha512' } as const;
    const digest = digestOf(artifact, Object.hasOwn(algorithm, kind) ? algorithm[kind as 'p384'] : 'sha256');
    // Pure Ed25519 signs the bytes themselves: a digest cannot be judged, and that is not a forgery.
    assert.equal(codeOf(judge(digest)), kind === 'ed25519' ? 'WB-304' : 'accepted', kind);
  }
});

test('the verdict of an attestation carries signer, statement, times and evidence for each requirement', () => {
  const verdict = outcomeOf(signed({ statement: raw({}) }, provenance));
  assert.ok(verdict.outcome === 'accepted', shown(verdict));
  assert.ok(verdict.signer.kind === 'certificate');
  assert.deepEqual(verdict.signer.san, { type: 'email', value: SUBJECT });
  assert.equal(verdict.signer.issuer, ISSUER);
  assert.equal(verdict.statement?.predicateType, predicateTypes.slsaprovenance1);
  assert.deepEqual(
    verdict.times.map((time) => time.kind),
    ['timestamp', 'integrated'],
  );
  assert.deepEqual(
    [...new Set(verdict.evidence.map((evidence) => evidence.requirement))],
    ['signature', 'certificate', 'tlog', 'time', 'sct', 'signer', 'subject', 'predicate'],
  );
  assert.equal(
    at(stack.sign({ artifact }).json, 'mediaType'),
    'application/vnd.dev.sigstore.bundle.v0.3+json',
  );
});

test('Ed25519ph, as cosign signs with Ed25519 keys, is verified over bytes and over the SHA-512 digest', () => {
  const key = generateKey('ed25519');
  const seed = unwrap(pemDecode(key.exportPem()))[0].der.subarray(-32);
  const replaceSignature = ed25519ph.sign(artifact, seed);
  const requirements = unwrap(requireKey(key.publicKey));
  for (const log of [stack.rekorV1, stack.rekorV2]) {
    const sample = stack.sign({ artifact, key, replaceSignature, logs: [log] });
    const judge = (input: Setup['artifact']) =>
      codeOf(outcomeOf({ bundle: sample.bytes, artifact: input, requirements }));
    assert.equal(judge(artifact), 'accepted');
    assert.equal(judge(digestOf(artifact, 'sha512')), 'accepted');
    assert.equal(judge(digestOf(artifact)), 'WB-304');
    assert.equal(judge(utf8('other')), 'WB-303');
  }
  const forged = stack.sign({ artifact, key, replaceSignature: ed25519ph.sign(utf8('other'), seed) });
  assert.equal(codeOf(outcomeOf({ bundle: forged.bytes, artifact, requirements })), 'WB-340');
});
