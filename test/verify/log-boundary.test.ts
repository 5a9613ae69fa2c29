/** Checks of log entries that other checks hide: each is met alone, and by the readers of a log. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateKey } from '#base/crypto';
import { unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import type { InclusionProof, TransparencyLogEntry } from '#formats/tlog-entry';
import type { TrustedRootInput } from '#formats/trusted-root';
import {
  entityOf,
  requireKey,
  type TrustMaterial,
  verifyBundle,
  verifyEntity,
  verifyLogEntry,
  verifyLogHead,
} from '#verify';
import { VirtualLog } from '../double/virtual-log.ts';
import { EPOCH, YEAR } from '../double/virtual-stack.ts';
import { codeOf, edit, outcomeOf, stack } from './attack.ts';

const trust = stack.trust();
const entryOf = (logs = [stack.rekorV1]): TransparencyLogEntry =>
  stack.sign({ logs }).parts.entries[0] as TransparencyLogEntry;
const { rekorV1, rekorV2, validFor } = stack;
const strange = new VirtualLog({
  generation: 'v2',
  host: 'other.example',
  key: generateKey('ed25519'),
  validFor,
});

test('a reader of a log gets an entry that is proven', () => {
  for (const log of [rekorV1, rekorV2]) {
    const judged = verifyLogEntry(entryOf([log]), trust);
    assert.ok(judged?.ok);
    assert.equal(judged.value.isProven, true);
    assert.equal(judged.value.log.host, log.host);
  }
});

test('a reader of a log gets nothing of a log that is not trusted', () => {
  assert.equal(verifyLogEntry(entryOf([strange]), trust), undefined);
});

test('a reader of a log is refused an entry that is promised only (WB-315)', () => {
  const promised: Partial<TransparencyLogEntry> = { ...entryOf() };
  Reflect.deleteProperty(promised, 'inclusionProof');
  const judged = verifyLogEntry(promised as TransparencyLogEntry, trust);
  assert.ok(judged !== undefined && !judged.ok);
  assert.equal(judged.error.code, 'WB-315');
});

test('a reader of a log is refused an entry whose proof does not hold (WB-313)', () => {
  const entry = entryOf([rekorV2]);
  const judged = verifyLogEntry({ ...entry, canonicalizedBody: Buffer.from('{}') }, trust);
  assert.ok(judged !== undefined && !judged.ok);
  assert.equal(judged.error.code, 'WB-313');
});

test('the head of a log is what a trusted log signed, and nothing else', () => {
  const [first, second] = [rekorV1, rekorV2].map((log) => entryOf([log]).inclusionProof?.checkpoint ?? '');
  assert.equal(verifyLogHead(first as string, trust)?.origin, rekorV1.origin);
  assert.equal(verifyLogHead(second as string, trust)?.origin, rekorV2.origin);
  assert.equal(verifyLogHead(entryOf([strange]).inclusionProof?.checkpoint ?? '', trust), undefined);
  assert.equal(verifyLogHead('', trust), undefined);
});

/** The stack's root with one log listed once for each interval. */
function listed(log: VirtualLog, ...intervals: readonly { start: number; end?: number }[]): TrustedRootInput {
  return { ...stack.root, tlogs: intervals.map((interval) => ({ ...log.authority, validFor: interval })) };
}

test('of a log listed with two intervals the one counts that holds the promised time', () => {
  const sample = stack.sign();
  const intervals = [{ start: EPOCH - YEAR, end: EPOCH - YEAR / 2 }, { start: EPOCH - 1000 }];
  for (const order of [intervals, intervals.toReversed()]) {
    const setup = {
      bundle: sample.bytes,
      artifact: sample.artifact,
      trust: stack.trust(listed(rekorV1, ...order)),
    };
    assert.equal(codeOf(outcomeOf(setup)), 'accepted');
  }
});

test('a log that gives no time is not one that was valid in 1970', () => {
  const sample = stack.sign({ logs: [rekorV2] });
  const root = listed(rekorV2, { start: EPOCH - YEAR }, { start: 0, end: 1000 });
  const setup = { bundle: sample.bytes, artifact: sample.artifact, trust: stack.trust(root) };
  assert.equal(codeOf(outcomeOf(setup)), 'accepted');
});

test('a promise over no time promises nothing, though it is signed (WB-312)', () => {
  const sample = stack.sign({
    alter: ({ entries: [entry] }) => {
      const { kind, version, canonicalizedBody } = entry as TransparencyLogEntry;
      return { entries: [rekorV1.append(kind, version, canonicalizedBody, 0)] };
    },
  });
  assert.equal(codeOf(outcomeOf({ bundle: sample.bytes, artifact: sample.artifact })), 'WB-312');
});

test('an entry with neither promise nor checkpoint is refused, whatever read it (WB-314)', () => {
  const { bytes, artifact } = stack.sign();
  const entity = entityOf(unwrap(parseBundle(bytes)));
  const entries = entity.entries.map((entry) => {
    const inclusionProof = { ...(entry.inclusionProof as InclusionProof), checkpoint: '' };
    const bare: Partial<TransparencyLogEntry> = { ...entry, inclusionProof };
    Reflect.deleteProperty(bare, 'inclusionPromise');
    return bare as TransparencyLogEntry;
  });
  const question = { artifact, trustedRoot: trust, requirements: stack.requirements(), now: EPOCH };
  assert.equal(codeOf(verifyEntity({ ...question, entity: { ...entity, entries } })), 'WB-314');
  const promised = entity.entries.map((entry, at) => ({
    ...entries[at],
    inclusionPromise: entry.inclusionPromise,
  }));
  const withPromise = { ...entity, entries: promised as TransparencyLogEntry[] };
  assert.equal(codeOf(verifyEntity({ ...question, entity: withPromise })), 'accepted');
});

const proof = 'verificationMaterial.tlogEntries.0.inclusionProof';

for (const [name, logs] of [
  ['v1', [rekorV1]],
  ['v2', [rekorV2]],
] as const) {
  test(`size and root beside the checkpoint may be left out, each alone (${name})`, () => {
    const { json, artifact } = stack.sign({ logs });
    for (const field of ['treeSize', 'rootHash']) {
      const bundle = edit(json, { [`${proof}.${field}`]: undefined });
      assert.equal(codeOf(outcomeOf({ bundle, artifact })), 'accepted', field);
    }
  });

  test(`size and root beside the checkpoint must be its own, each alone (${name}) (WB-314)`, () => {
    const { json, artifact } = stack.sign({ logs });
    const size = edit(json, { [`${proof}.treeSize`]: '5' });
    assert.equal(codeOf(outcomeOf({ bundle: size, artifact })), 'WB-314');
    const root = edit(json, { [`${proof}.rootHash`]: Buffer.alloc(32, 1).toString('base64') });
    assert.equal(codeOf(outcomeOf({ bundle: root, artifact })), 'WB-314');
  });
}

test('under a bare key and no trusted time, a log that is not in use now is told (WB-316 as a note)', () => {
  const key = generateKey('p256');
  const sample = stack.sign({ key, logs: [rekorV2], tsas: [] });
  const bundle = unwrap(parseBundle(sample.bytes));
  const requirements = unwrap(requireKey(key.publicKey));
  const retired = stack.root.tlogs.map((log) => ({
    ...log,
    validFor: { start: EPOCH - YEAR, end: EPOCH - 1 },
  }));
  const verdictIn = (trustedRoot: TrustMaterial) =>
    verifyBundle({ artifact: sample.artifact, bundle, trustedRoot, requirements, now: EPOCH });
  const [current, past] = [verdictIn(trust), verdictIn(stack.trust({ ...stack.root, tlogs: retired }))];
  assert.ok(current.outcome === 'accepted' && past.outcome === 'accepted');
  assert.deepEqual(current.notes, []);
  assert.deepEqual(
    past.notes.map(({ code }) => code),
    ['WB-316'],
  );
});

test('with a trusted time the log is held to that time, and nothing is told of now', () => {
  const key = generateKey('p256');
  const sample = stack.sign({ key, logs: [rekorV2] });
  const bundle = unwrap(parseBundle(sample.bytes));
  const requirements = unwrap(requireKey(key.publicKey));
  const end = EPOCH + YEAR / 12;
  const retired = stack.root.tlogs.map((log) => ({ ...log, validFor: { start: EPOCH - YEAR, end } }));
  const trustedRoot = stack.trust({ ...stack.root, tlogs: retired });
  const verdict = verifyBundle({
    artifact: sample.artifact,
    bundle,
    trustedRoot,
    requirements,
    now: EPOCH + YEAR,
  });
  assert.ok(verdict.outcome === 'accepted');
  assert.deepEqual(verdict.notes, []);
});
