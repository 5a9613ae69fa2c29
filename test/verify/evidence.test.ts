/** What an accepted verdict rests on: exactly the demands that were made, no evidence for what was not asked. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateKey } from '#base/crypto';
import { unwrap } from '#base/result';
import { COSIGN_SIGN_V1 } from '#formats/intoto';
import { identity, type Requirements, requireKey, requireKeyless, withoutIdentityUnsafe } from '#verify';
import { EPOCH, ISSUER, type SignOptions, SUBJECT, signStatement } from '../double/virtual-stack.ts';
import { outcomeOf, shown, stack } from './attack.ts';

const identities = [unwrap(identity({ issuer: ISSUER, san: SUBJECT }))];
const bare = generateKey('p256');
const annotated: SignOptions = { statement: signStatement(Buffer.from('hello'), { env: 'prod' }) };

interface Row {
  readonly name: string;
  readonly options: SignOptions;
  readonly requirements: Requirements;
  readonly evidence: readonly string[];
  readonly degraded: readonly string[];
}

const always = ['signature', 'certificate'];
const rows: readonly Row[] = [
  {
    name: 'an identity',
    options: {},
    requirements: unwrap(requireKeyless({ identities })),
    evidence: [...always, 'tlog', 'time', 'time', 'sct', 'signer', 'subject'],
    degraded: [],
  },
  {
    name: 'an identity and a predicate type',
    options: { statement: 'cosign' },
    requirements: unwrap(requireKeyless({ identities, predicateTypes: [COSIGN_SIGN_V1] })),
    evidence: [...always, 'tlog', 'time', 'time', 'sct', 'signer', 'subject', 'predicate'],
    degraded: [],
  },
  {
    name: 'an identity, of a statement whatever its type',
    options: { statement: 'cosign' },
    requirements: unwrap(requireKeyless({ identities })),
    evidence: [...always, 'tlog', 'time', 'time', 'sct', 'signer', 'subject'],
    degraded: [],
  },
  {
    name: 'annotations',
    options: annotated,
    requirements: unwrap(requireKeyless({ identities, annotations: { env: 'prod' } })),
    evidence: [...always, 'tlog', 'time', 'time', 'sct', 'signer', 'subject', 'annotations'],
    degraded: [],
  },
  {
    name: 'a signed time only',
    options: {},
    requirements: unwrap(requireKeyless({ identities, time: { kind: 'signed', atLeast: 1 } })),
    evidence: [...always, 'tlog', 'time', 'sct', 'signer', 'subject'],
    degraded: [],
  },
  {
    name: 'anyone, with all that can be given up given up',
    options: {},
    requirements: unwrap(
      withoutIdentityUnsafe({
        tlog: 'notRequiredUnsafe',
        sct: 'notRequiredUnsafe',
        subject: 'notRequiredUnsafe',
        time: { kind: 'current' },
      }),
    ),
    evidence: always,
    degraded: ['tlog', 'time', 'sct', 'signer', 'subject'],
  },
  {
    name: 'a key',
    options: { key: bare },
    requirements: unwrap(requireKey(bare.publicKey)),
    evidence: ['signature', 'tlog', 'signer', 'subject'],
    degraded: [],
  },
];

for (const { name, options, requirements, evidence, degraded } of rows) {
  test(`evidence for ${name}`, () => {
    const { bytes, artifact } = stack.sign(options);
    const verdict = outcomeOf({ bundle: bytes, artifact, requirements, now: EPOCH });
    assert.ok(verdict.outcome === 'accepted', shown(verdict));
    assert.deepEqual(
      verdict.evidence.map(({ requirement }) => requirement),
      evidence,
    );
    assert.deepEqual(verdict.degraded, degraded);
  });
}
