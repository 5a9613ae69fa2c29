/** sigstore-go and ours on the same bundles: every disagreement is a written one (test/differential/disagreements.ts). */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { publicKeyPem } from '#base/crypto';
import { unwrap } from '#base/result';
import { trustedRootJson } from '#formats/trusted-root';
import { requireKey } from '#verify';
import { bytesOf, type Compared, mutantsOf, samplesOf } from '../differential/bundles.ts';
import { Comparison, ourAnswer } from '../differential/compare.ts';
import { disagreements } from '../differential/disagreements.ts';
import { ISSUER, SUBJECT } from '../double/virtual-stack.ts';
import { temporaryFolder } from '../stack/helper.ts';
import { stack } from '../verify/attack.ts';
import { requirePeer } from './cache.ts';

const home = await temporaryFolder();
const root = join(home, 'trusted_root.json');
await writeFile(root, trustedRootJson(stack.root));
const trust = stack.trust();
const now = stack.clock.now();

const judge = spawn(requirePeer('sigstore-go'), ['judge', root], { stdio: ['pipe', 'pipe', 'inherit'] });
const answers = createInterface({ input: judge.stdout })[Symbol.asyncIterator]();
after(() => judge.stdin.end());

/** What sigstore-go says; undefined when it accepts. */
async function refusal({ sample, key }: Compared, bundle: Uint8Array): Promise<string | undefined> {
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  const question = {
    bundle: base64(bundle),
    artifact: base64(sample.artifact),
    identity: SUBJECT,
    issuer: ISSUER,
    key: key === undefined ? '' : publicKeyPem(key),
  };
  judge.stdin.write(`${JSON.stringify(question)}\n`);
  const { value, done } = await answers.next();
  if (done === true) throw new Error('sigstore-go ended');
  const text = JSON.parse(value) as string;
  return text === '' ? undefined : text;
}

async function put(comparison: Comparison, what: string, bundle: Uint8Array, one: Compared): Promise<void> {
  const { artifact } = one.sample;
  const requirements =
    one.key === undefined
      ? stack.requirements()
      : unwrap(requireKey(one.key, { time: { kind: 'observed', atLeast: 1 } }));
  const ours = ourAnswer(bundle, { artifact, trustedRoot: trust, requirements, now });
  comparison.add(what, ours, await refusal(one, bundle));
}

const met = new Set<unknown>();

function settle(comparison: Comparison): void {
  for (const known of comparison.met) met.add(known);
  const { unexplained } = comparison;
  assert.deepEqual(unexplained.slice(0, 25), [], `${unexplained.length} disagreements nobody wrote down`);
}

test('on bundles good and bad sigstore-go says what we say', async () => {
  const comparison = new Comparison('sigstore-go');
  for (const one of samplesOf()) await put(comparison, one.name, one.sample.bytes, one);
  settle(comparison);
  const { accepting, refusing } = comparison.agreed;
  assert.ok(accepting >= 12 && refusing >= 12, JSON.stringify(comparison.agreed));
});

const mutated = [
  'message, v1',
  'message, v2',
  'statement, v1 dsse',
  'statement, v1 intoto',
  'statement, v2',
  'message, bare P-256 key',
];

test('on thousands of changed bundles too', async () => {
  const comparison = new Comparison('sigstore-go');
  let count = 0;
  const others = samplesOf(mutated);
  for (const [at, one] of samplesOf(mutated).entries()) {
    for (const mutant of mutantsOf(one.sample, (others[at] as Compared).sample, 1)) {
      count++;
      await put(comparison, `${one.name}: ${mutant.name}`, bytesOf(mutant.bundle), one);
    }
  }
  settle(comparison);
  console.log(`${count} changed bundles, ${JSON.stringify(comparison.agreed)}`);
  assert.ok(count >= 3000, `${count} mutants`);
});

test('every disagreement that is written down was met', () => {
  const stale = disagreements.filter((one) => one.client === 'sigstore-go' && !met.has(one));
  assert.deepEqual(
    stale.map(({ why }) => why),
    [],
  );
});
