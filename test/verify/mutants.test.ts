/**
 * The machines of reliability-security §1d: swap, emptiness, duplication, truncation and type changes over every
 * part of accepted bundles. None is accepted but those a written list explains; none ends as a defect.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '#base/bytes';
import { generateKey } from '#base/crypto';
import { EPOCH, type Sample, type SignOptions } from '../double/virtual-stack.ts';
import { outcomeOf, shown, stack } from './attack.ts';
import { allPaths, type Mutant, mutations, swaps } from './mutants.ts';

const leafKey = generateKey('p256');
const other = { artifact: utf8('other') };

/** Samples by form: of each form several that differ in one dimension. */
const forms: Readonly<Record<string, readonly SignOptions[]>> = {
  'v1 message': [{}, {}, other, { leafKey }, { leafKey, certificate: stack.issue(leafKey, EPOCH) }],
  'v2 message': [{}, {}, other].map((options) => ({ ...options, logs: [stack.rekorV2] })),
  'v1 dsse': [{}, {}, other].map((options) => ({ ...options, statement: 'cosign' })),
  'v1 intoto': [{}, other].map((options) => ({ ...options, statement: 'cosign', entryKind: 'intoto' })),
  'v2 dsse': [{}, {}, other].map((options) => ({ ...options, statement: 'cosign', logs: [stack.rekorV2] })),
};

/** Changes that may be accepted: what they change proves nothing, or is proven by something else. */
const harmless: readonly [RegExp, string][] = [
  [/^messageSignature\.messageDigest: (?:null|absent)$/, 'a hint; the signature is over the artifact'],
  [/inclusionProof\.(?:rootHash|treeSize): (?:null|absent|an empty string)$/, 'repeats the checkpoint'],
  [/rfc3161Timestamps: (?:null|absent|an empty list|without its first)$/, 'the log promised a time'],
  [/rfc3161Timestamps: doubled$/, 'one witness twice counts once'],
  [/rfc3161Timestamps: reversed$/, 'a list of one'],
  [/rfc3161Timestamps\.0: swapped|signedTimestamp: /, 'the log promised a time; the bad one is noted'],
  [/timestampVerificationData: /, 'the log promised a time; a bad timestamp is noted'],
  [/rfc3161Timestamps: swapped/, 'the log promised a time; the bad one is noted'],
  [/inclusionPromise: (?:null|absent)$/, 'the proof stands and a timestamp gives the time'],
  [/integratedTime: /, 'no promise covers it: it is not used'],
  [/tlogEntries\.\d+\.logIndex: /, 'no promise covers it: it is not used'],
  [/(?:publicKey|messageDigest|x509CertificateChain): null$/, 'absent'],
];

function explained(sample: Sample, mutant: Mutant): boolean {
  const isV2 = sample.parts.entries.every((entry) => entry.inclusionPromise === undefined);
  // In a v2 bundle only the timestamp gives a time, and in v1 the promise covers time and index.
  const rule = harmless.find(([pattern]) => pattern.test(mutant.name));
  if (rule === undefined) return false;
  const needsPromise = /the log promised a time/.test(rule[1]);
  const needsNone = /no promise covers it/.test(rule[1]);
  return (!needsPromise || !isV2) && (!needsNone || isV2);
}

let judged = 0;
let refused = 0;

function judge(sample: Sample, mutants: readonly Mutant[]): void {
  for (const mutant of mutants) {
    const verdict = outcomeOf({ bundle: mutant.bundle, artifact: sample.artifact });
    judged++;
    assert.notEqual(verdict.outcome, 'unavailable', `${mutant.name}: ${shown(verdict)}`);
    if (verdict.outcome === 'rejected') {
      refused++;
      assert.notEqual(verdict.reason.side, 'defect', `${mutant.name}: ${shown(verdict)}`);
    } else assert.ok(explained(sample, mutant), `accepted without explanation: ${mutant.name}`);
  }
}

for (const [name, options] of Object.entries(forms)) {
  const samples = options.map((option) => stack.sign(option));
  const [first] = samples as [Sample];

  test(`${name}: no part can be emptied, cut, doubled, flipped or of another type`, () => {
    for (const path of allPaths(first.json)) judge(first, mutations(first.json, path));
  });

  test(`${name}: no part can be that of another valid bundle`, () => {
    for (const target of samples) {
      for (const source of samples) if (target !== source) judge(target, swaps(target.json, source.json));
    }
  });
}

test('parts of every form are refused in every other form', () => {
  const samples = Object.values(forms).map(([options]) => stack.sign(options));
  for (const target of samples) {
    for (const source of samples) if (target !== source) judge(target, swaps(target.json, source.json));
  }
});

test('the machines made at least 2,000 changed bundles and nearly all were refused', () => {
  assert.ok(judged >= 2000, `${judged} judged`);
  assert.ok(refused / judged > 0.9, `${refused} of ${judged} refused`);
});
