/** Demands on content and time that other checks hide: each is met alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '#base/bytes';
import { generateKey } from '#base/crypto';
import { digestOf, parseDigest } from '#base/digest';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { COSIGN_SIGN_V1, statementBytes } from '#formats/intoto';
import {
  identity,
  requireKey,
  requireKeyless,
  SIMPLE_SIGNING_TYPE,
  type SignedEntity,
  type Verdict,
  verifyEntity,
} from '#verify';
import { EPOCH, ISSUER, MINUTE, type SignOptions, SUBJECT, YEAR } from '../double/virtual-stack.ts';
import { codeOf, outcomeOf, stack } from './attack.ts';

type Keyless = Partial<Parameters<typeof requireKeyless>[0]>;
type Keyed = Parameters<typeof requireKey>[1];

const anyone = unwrap(identity({ issuer: ISSUER, san: SUBJECT }));

function keyless(options: SignOptions, demands: Keyless): Verdict {
  const requirements = unwrap(requireKeyless({ identities: [anyone], ...demands }));
  const { bytes, artifact } = stack.sign(options);
  return outcomeOf({ bundle: bytes, artifact, requirements });
}

function keyed(options: SignOptions, demands: Keyed, now = EPOCH): Verdict {
  const key = generateKey('p256');
  const { bytes, artifact } = stack.sign({ key, ...options });
  return outcomeOf({
    bundle: bytes,
    artifact,
    requirements: unwrap(requireKey(key.publicKey, demands)),
    now,
  });
}

test('a plain signature is of no predicate type, not even of an image signature (WB-344)', () => {
  assert.equal(codeOf(keyless({ statement: 'cosign' }, { predicateTypes: [COSIGN_SIGN_V1] })), 'accepted');
  assert.equal(codeOf(keyless({}, { predicateTypes: [COSIGN_SIGN_V1] })), 'WB-344');
});

test('a plain signature has no annotations (WB-345)', () => {
  assert.equal(codeOf(keyless({}, { annotations: { env: 'prod' } })), 'WB-345');
});

test('annotations count where one subject has them all, whatever the others have', () => {
  const artifact = utf8('hello');
  const digest = { sha256: digestOf(artifact).slice('sha256:'.length) };
  const statement = statementBytes({
    subject: [{ digest }, { digest, annotations: { env: 'prod' } }],
    predicateType: COSIGN_SIGN_V1,
    predicate: {},
  });
  assert.equal(codeOf(keyless({ artifact, statement }, { annotations: { env: 'prod' } })), 'accepted');
  assert.equal(codeOf(keyless({ artifact, statement }, { annotations: { env: 'test' } })), 'WB-345');
});

test('annotations of another subject of the statement say nothing of the artifact (WB-345)', () => {
  const artifact = utf8('hello');
  const sha256 = (text: string) => ({ sha256: digestOf(utf8(text)).slice('sha256:'.length) });
  const statement = statementBytes({
    subject: [
      { digest: sha256('released'), annotations: { env: 'prod' } },
      { digest: sha256('hello'), annotations: { env: 'test' } },
    ],
    predicateType: COSIGN_SIGN_V1,
    predicate: {},
  });
  const asked = { annotations: { env: 'prod' } };
  assert.equal(codeOf(keyless({ artifact, statement }, asked)), 'WB-345');
  assert.equal(codeOf(keyless({ artifact, statement }, { annotations: { env: 'test' } })), 'accepted');
  const givenUp = { ...asked, subject: 'notRequiredUnsafe' } as const;
  assert.equal(codeOf(keyless({ artifact, statement }, givenUp)), 'WB-345');
  assert.equal(codeOf(keyless({ artifact: utf8('a third'), statement }, givenUp)), 'accepted');
});

const strayStamp: SignOptions = {
  logs: [stack.rekorV2],
  alter: () => ({ timestamps: [stack.tsa.stamp(utf8('another signature'), EPOCH + MINUTE)] }),
};

test('where only a log’s time counts, a bad timestamp is not what is wrong (WB-320)', () => {
  assert.equal(codeOf(keyed(strayStamp, { time: { kind: 'integrated', atLeast: 1 } })), 'WB-320');
  assert.equal(codeOf(keyed(strayStamp, { time: { kind: 'signed', atLeast: 1 } })), 'WB-322');
  assert.equal(codeOf(keyed(strayStamp, { time: { kind: 'observed', atLeast: 1 } })), 'WB-322');
  assert.equal(codeOf(keyed(strayStamp, {})), 'accepted');
});

test('one good time of two that are required is too few, whatever is wrong with another (WB-320)', () => {
  const verdict = keyed(
    {
      alter: ({ timestamps }) => ({
        timestamps: [...timestamps, stack.tsa.stamp(utf8('another signature'), EPOCH + MINUTE)],
      }),
    },
    { time: { kind: 'signed', atLeast: 2 } },
  );
  assert.ok(verdict.outcome === 'rejected');
  assert.equal(verdict.reason.code, 'WB-320');
  assert.equal(verdict.reason.class, 'threshold');
});

test('a key is judged at the one trusted time there is, else now (WB-355)', () => {
  const validFor = { start: EPOCH - YEAR, end: EPOCH + YEAR };
  const timed: SignOptions = { logs: [stack.rekorV2] };
  const untimed: SignOptions = { ...timed, tsas: [] };
  const late = EPOCH + 2 * YEAR;
  assert.equal(codeOf(keyed(timed, { validFor }, late)), 'accepted');
  assert.equal(codeOf(keyed(untimed, { validFor }, late)), 'WB-355');
  assert.equal(codeOf(keyed(untimed, { validFor })), 'accepted');
});

/** A legacy image signature by a bare key, whose document states this digest. */
function simple(stated: string, artifact: Uint8Array | ReturnType<typeof digestOf>): Verdict {
  const key = generateKey('p256');
  const document = {
    critical: {
      identity: { 'docker-reference': '' },
      image: { 'docker-manifest-digest': stated },
      type: SIMPLE_SIGNING_TYPE,
    },
    optional: null,
  };
  const payload = utf8(JSON.stringify(document));
  const entity: SignedEntity = {
    material: { kind: 'publicKey', hint: '' },
    entries: [],
    timestamps: [],
    signature: key.sign(payload),
    content: { kind: 'simpleSigning', payload },
  };
  const requirements = unwrap(requireKey(key.publicKey, { tlog: 'notRequiredUnsafe' }));
  return verifyEntity({ artifact, trustedRoot: stack.trust(), requirements, now: EPOCH, entity });
}

test('a document about a digest in another algorithm than the one known is about another image (WB-342)', () => {
  const image = utf8('image manifest');
  assert.equal(codeOf(simple(digestOf(image, 'sha512'), image)), 'accepted');
  assert.equal(codeOf(simple(digestOf(image, 'sha512'), digestOf(image))), 'WB-342');
});

function refusalOf(digest: string): WaybillError {
  const parsed = parseDigest(digest);
  assert.ok(!parsed.ok);
  return new WaybillError(parsed.error);
}

test('a keyless signature is never judged without a time (WB-360)', () => {
  const time = { kind: 'notRequired' } as never;
  const built = requireKeyless({ identities: [anyone], time });
  assert.ok(!built.ok && built.error.code === 'WB-360');
});

test('a refusal raised on the way is that refusal, any other error is no verdict', () => {
  const judged = (error: Error): Verdict => {
    const entity: SignedEntity = {
      material: { kind: 'publicKey', hint: '' },
      get entries(): never {
        throw error;
      },
      timestamps: [],
      signature: new Uint8Array(),
      content: { kind: 'message' },
    };
    const requirements = unwrap(requireKey(generateKey('p256').publicKey));
    const trustedRoot = stack.trust();
    return verifyEntity({ artifact: utf8('x'), trustedRoot, requirements, now: EPOCH, entity });
  };
  const refusal = refusalOf('x');
  const refused = judged(refusal);
  assert.ok(refused.outcome === 'rejected' && refused.reason === refusal.reason);
  const broken = judged(new TypeError('x'));
  assert.ok(broken.outcome === 'unavailable' && broken.cause.side === 'defect');
});
