/** The JavaScript reference client and ours on the same bundles: every disagreement is a written one. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { publicKeyFromPem } from '#base/crypto';
import { unwrap } from '#base/result';
import type { JsonObject } from '#formats/json';
import { parseTrustedRoot, trustedRootValue } from '#formats/trusted-root';
import { identity, type Requirements, requireKey, requireKeyless, trustMaterial } from '#verify';
import { ISSUER, SUBJECT } from '../double/virtual-stack.ts';
import { type Case, readCases, vectorsFolder } from '../vectors/sigstore-cases.ts';
import { stack } from '../verify/attack.ts';
import { bytesOf, type Compared, mutantsOf, samplesOf } from './bundles.ts';
import { Comparison, ourAnswer } from './compare.ts';
import { disagreements } from './disagreements.ts';
import { type ReferenceQuestion, referenceRefusal } from './reference-client.ts';

const trust = stack.trust();
const trustedRoot = trustedRootValue(stack.root);
const now = stack.clock.now();
const met = new Set<unknown>();

function put(comparison: Comparison, what: string, bundle: JsonObject, { sample, key }: Compared): void {
  const { artifact } = sample;
  const signer = key === undefined ? { issuer: ISSUER, san: SUBJECT } : { key };
  const requirements =
    key === undefined
      ? stack.requirements()
      : unwrap(requireKey(key, { time: { kind: 'observed', atLeast: 1 } }));
  const ours = ourAnswer(bytesOf(bundle), { artifact, trustedRoot: trust, requirements, now });
  comparison.add(what, ours, referenceRefusal({ bundle, artifact, trustedRoot, signer }));
}

function settle(comparison: Comparison): void {
  for (const known of comparison.met) met.add(known);
  const { unexplained } = comparison;
  assert.deepEqual(unexplained.slice(0, 20), [], `${unexplained.length} disagreements nobody wrote down`);
}

test('on bundles good and bad the reference client says what we say', () => {
  const comparison = new Comparison('sigstore-js');
  for (const one of samplesOf()) put(comparison, one.name, one.sample.json, one);
  settle(comparison);
  assert.ok(
    comparison.agreed.accepting >= 12 && comparison.agreed.refusing >= 12,
    JSON.stringify(comparison.agreed),
  );
});

/** One mutant in eight, so that the comparison takes seconds; `WAYBILL_MUTANTS=all` takes every one. */
const isWhole = process.env['WAYBILL_MUTANTS'] === 'all';
const MUTANT_EVERY = isWhole ? 1 : 8;

const mutated = [
  'message, v1',
  'message, v2',
  'statement, v1 dsse',
  'statement, v1 intoto',
  'statement, v2',
  'message, bare P-256 key',
];

test('on changed bundles too, by the hundred or all', () => {
  const comparison = new Comparison('sigstore-js');
  let count = 0;
  const others = samplesOf(mutated);
  for (const [at, one] of samplesOf(mutated).entries()) {
    const other = others[at] as Compared;
    for (const { name, bundle } of mutantsOf(one.sample, other.sample, MUTANT_EVERY)) {
      count++;
      put(comparison, `${one.name}: ${name}`, bundle, one);
    }
  }
  settle(comparison);
  console.log(`${count} changed bundles, ${JSON.stringify(comparison.agreed)}`);
  assert.ok(count >= (isWhole ? 3000 : 400), `${count} mutants`);
});

function questionOf(
  folder: string,
  item: Case,
): { readonly requirements: Requirements; readonly signer: ReferenceQuestion['signer'] } {
  if (item.key !== null) {
    const key = unwrap(publicKeyFromPem(readFileSync(join(folder, item.key), 'utf8')));
    return {
      requirements: unwrap(requireKey(key, { time: { kind: 'observed', atLeast: 1 } })),
      signer: { key },
    };
  }
  const who = { issuer: item.issuer ?? '', san: item.identity ?? '' };
  return { requirements: unwrap(requireKeyless({ identities: [unwrap(identity(who))] })), signer: who };
}

const folder = vectorsFolder();
if (folder === undefined) {
  console.log('note: the comparison on sigstore-conformance did not run: no shared data');
} else {
  test('on the vectors of sigstore-conformance', () => {
    const comparison = new Comparison('sigstore-js');
    for (const item of readCases(folder)) {
      const read = (name: string): Uint8Array => readFileSync(join(folder, name));
      const bytes = read(join('bundle-verify', item.name, 'bundle.sigstore.json'));
      let bundle: JsonObject;
      try {
        bundle = JSON.parse(Buffer.from(bytes).toString('utf8')) as JsonObject;
      } catch {
        continue;
      }
      const artifact = read(item.artifact);
      const root = parseTrustedRoot(read(item.trustedRoot));
      let question: ReturnType<typeof questionOf>;
      try {
        question = questionOf(folder, item);
      } catch {
        continue;
      }
      const ours = root.ok
        ? ourAnswer(bytes, {
            artifact,
            trustedRoot: trustMaterial(root.value),
            requirements: question.requirements,
            now,
          })
        : { code: root.error.code, text: root.error.actual, notes: [] };
      const rootJson: unknown = JSON.parse(Buffer.from(read(item.trustedRoot)).toString('utf8'));
      const theirs = referenceRefusal({ bundle, artifact, trustedRoot: rootJson, signer: question.signer });
      comparison.add(`vector ${item.name}`, ours, theirs);
    }
    settle(comparison);
    assert.ok(
      comparison.agreed.accepting >= 19 && comparison.agreed.refusing >= 40,
      JSON.stringify(comparison.agreed),
    );
  });
}

if (isWhole && folder !== undefined) {
  test('every disagreement that is written down was met', () => {
    const stale = disagreements.filter((one) => one.client === 'sigstore-js' && !met.has(one));
    assert.deepEqual(
      stale.map(({ why }) => why),
      [],
    );
  });
}
