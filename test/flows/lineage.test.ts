/** Answers of an audit service are only claims: each of these is forged in one way and refused for that reason. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toBase64, toHex, utf8 } from '#base/bytes';
import { generateKey, sha256 } from '#base/crypto';
import { digestOf } from '#base/digest';
import { WaybillError } from '#base/reason';
import { type AuditQuery, type Lineage, searchLogs } from '#flows/lineage';
import { tlogEntryJson } from '#formats/bundle';
import { INTOTO_PAYLOAD_TYPE } from '#formats/dsse';
import { statementBytes } from '#formats/intoto';
import type { TransparencyLogEntry } from '#formats/tlog-entry';
import type { Transport } from '#platform/http-client';
import { systemRandom } from '#platform/system';
import { SIMPLE_SIGNING_TYPE } from '#verify';
import { lineageJson, renderLineage } from '../../src/cli/render/lineage.ts';
import type { VirtualLog } from '../double/virtual-log.ts';
import { EPOCH, ISSUER, MINUTE, type Sample, SUBJECT, VirtualStack } from '../double/virtual-stack.ts';

const stack = new VirtualStack();
const image = digestOf(utf8('an image'));
const other = digestOf(utf8('another image'));
const leafKey = generateKey('p256');
const simpleSigning = 'application/vnd.dev.cosign.simplesigning.v1+json';

interface Item {
  origin: string;
  tlogEntry: ReturnType<typeof tlogEntryJson>;
  statement?: { payloadType: string; payload: string; seenIn: string };
}

interface Answer {
  digest?: string;
  identity?: string;
  issuer?: string;
  entries: Item[];
  truncated: boolean;
  next?: string;
  settled: boolean;
  coverage: { origin: string; treeSize: number; checkpoint: string }[];
  missing?: { url: string; logId: string; until: string; entries?: number }[];
}

const provenance = (digest = image, note = ''): Uint8Array =>
  statementBytes({
    subject: [{ digest: { sha256: digest.slice(7) } }],
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: { note },
  });

const plain = (digest = image): Uint8Array =>
  utf8(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': 'registry.example/app' },
        image: { 'docker-manifest-digest': digest },
        type: SIMPLE_SIGNING_TYPE,
      },
      optional: null,
    }),
  );

const entryOf = (sample: Sample): TransparencyLogEntry => sample.parts.entries[0] ?? assert.fail();
const originOf = (entry: TransparencyLogEntry): string =>
  entry.inclusionProof?.checkpoint.split('\n')[0] ?? assert.fail();

function item(sample: Sample, payload?: Uint8Array, payloadType = INTOTO_PAYLOAD_TYPE): Item {
  const entry = entryOf(sample);
  const found = { origin: originOf(entry), tlogEntry: tlogEntryJson(entry) };
  if (payload === undefined) return found;
  return { ...found, statement: { payloadType, payload: toBase64(payload), seenIn: 'app' } };
}

const attested = (payload = provenance(), log: VirtualLog = stack.rekorV1): Item =>
  item(stack.sign({ statement: payload, logs: [log] }), payload);
const signed = (payload = plain()): Item => item(stack.sign({ artifact: payload }), payload, simpleSigning);

/** An honest answer: coverage up to the newest entry of each log. */
function answer(entries: Item[], query: AuditQuery = { digest: image }): Answer {
  const coverage = [stack.rekorV1, stack.rekorV2].map((log) => {
    const sample = entryOf(stack.sign({ logs: [log] }));
    const { treeSize = 0, checkpoint = '' } = sample.inclusionProof ?? {};
    return { origin: originOf(sample), treeSize, checkpoint };
  });
  return { ...query, entries, truncated: false, settled: true, coverage };
}

interface AskOptions {
  readonly query?: AuditQuery;
  readonly keys?: Parameters<typeof searchLogs>[1]['keys'];
}

/** Searches where the service gives these pages, one after the other. */
function ask(pages: Answer | readonly Answer[], options: AskOptions = {}): Promise<Lineage> {
  const left = Array.isArray(pages) ? [...pages] : [pages];
  const transport: Transport = {
    request: async ({ url }) => {
      const page = left.shift() ?? assert.fail('asked once too often');
      return { status: 200, headers: new Map(), body: utf8(JSON.stringify(page)), url };
    },
    stream: () => assert.fail('nothing is streamed'),
  };
  return searchLogs(options.query ?? { digest: image }, {
    auditUrl: 'https://audit.example',
    trustedRoot: stack.trust(),
    transport,
    clock: stack.clock,
    random: systemRandom,
    ...(options.keys === undefined ? {} : { keys: options.keys }),
  });
}

async function refused(
  pages: Answer | readonly Answer[],
  actual: RegExp,
  code = 'WB-906',
  options?: AskOptions,
) {
  await assert.rejects(ask(pages, options), (error: unknown) => {
    assert.ok(error instanceof WaybillError);
    assert.equal(error.reason.code, code);
    assert.match(error.reason.actual, actual);
    return true;
  });
}

test('an honest answer becomes lineage: signatures of both forms and logs, proven', async () => {
  const lineage = await ask(answer([attested(), signed(), attested(provenance(image, '2'), stack.rekorV2)]));
  assert.deepEqual(
    lineage.steps.map((step) => [step.timeFrom, step.digests, step.verdict.signer.kind]),
    [
      ['certificate', [image], 'certificate'],
      ['log', [image], 'certificate'],
      ['log', [image], 'certificate'],
    ],
  );
  assert.deepEqual(lineage.unproven, []);
  assert.deepEqual(lineage.uncovered, []);
});

test('the order of an answer does not matter', async () => {
  const items = [attested(), signed(), attested(provenance(image, '3'))];
  const indices = async (list: Item[]): Promise<number[]> =>
    (await ask(answer(list))).steps.map((step) => step.logIndex);
  assert.deepEqual(await indices(items), await indices([...items].reverse()));
});

test('an entry the log does not hold is refused', async () => {
  const payload = provenance();
  const sample = stack.sign({ statement: payload });
  const found = item(sample, payload);
  const proof = entryOf(sample).inclusionProof ?? assert.fail();
  const wrong = { ...entryOf(sample), inclusionProof: { ...proof, logIndex: proof.logIndex - 1 } };
  await refused(answer([{ ...found, tlogEntry: tlogEntryJson(wrong) }]), /./);
});

test('an entry without a proof is refused though a promise holds', async () => {
  const payload = provenance();
  const sample = stack.sign({ statement: payload });
  const { inclusionProof: _, ...promised } = entryOf(sample);
  await refused(answer([{ ...item(sample, payload), tlogEntry: tlogEntryJson(promised) }]), /promise only/);
});

test('an entry of a log that is not trusted is refused', async () => {
  const foreign = new VirtualStack('stranger');
  const payload = provenance();
  const found = item(foreign.sign({ statement: payload }), payload);
  await refused(
    { ...answer([found]), coverage: [{ origin: found.origin, treeSize: 4, checkpoint: 'x' }] },
    /none that verifies/,
  );
  const page = answer([{ ...found, origin: originOf(entryOf(stack.sign())) }]);
  await refused(page, /log that is not trusted/);
});

test('a proof of another log is refused', async () => {
  const found = attested();
  const second = attested(provenance(), stack.rekorV2);
  await refused(answer([{ ...found, origin: second.origin }]), /a proof of rekor\.virtual/);
});

test('an index the proof does not prove is refused where no promise signs it', async () => {
  const payload = provenance();
  const sample = stack.sign({ statement: payload, logs: [stack.rekorV2] });
  const moved = { ...entryOf(sample), logIndex: 2 };
  await refused(answer([{ ...item(sample, payload), tlogEntry: tlogEntryJson(moved) }]), /a proof of #/);
});

test('signed bytes of another entry are refused', async () => {
  const [first, second] = [attested(provenance(image, 'a')), attested(provenance(image, 'b'))];
  const swapped: Item = {
    ...first,
    ...(second.statement === undefined ? {} : { statement: second.statement }),
  };
  await refused(answer([swapped, second]), /bytes with the hash/);
});

test('an entry about another digest is refused', async () => {
  await refused(answer([attested(provenance(other))]), new RegExp(`one about ${other}`));
  await refused(answer([signed(plain(other))]), new RegExp(`one about ${other}`));
});

test('an answer to another question is refused', async () => {
  await refused({ ...answer([attested()]), digest: other }, new RegExp(other));
  await refused({ ...answer([attested()]), identity: 'eve@example.com' }, /eve/);
});

test('the same entry twice is refused, also on two pages', async () => {
  const found = attested();
  await refused(answer([found, found]), /twice/);
  await refused([{ ...answer([found]), truncated: true, next: '0.5' }, answer([found])], /twice/);
});

test('coverage must be a checkpoint of a trusted log over as many entries', async () => {
  const honest = answer([]);
  const [first, second] = honest.coverage;
  if (first === undefined || second === undefined) assert.fail();
  const more = { ...first, treeSize: first.treeSize + 1 };
  await refused({ ...honest, coverage: [more] }, new RegExp(`^${first.treeSize} entries`));
  await refused({ ...honest, coverage: [{ ...first, origin: second.origin }] }, /entries of rekor/);
  const unsigned = { ...first, checkpoint: first.checkpoint.replace(/.$/m, 'A') };
  await refused({ ...honest, coverage: [unsigned] }, /none that verifies/);
});

test('an entry of a log outside the coverage is refused', async () => {
  const page = answer([attested()]);
  await refused({ ...page, coverage: page.coverage.slice(1) }, /one of rekor/);
});

test('nothing found says what was searched: WB-907, exit 10', async () => {
  const page = answer([]);
  await assert.rejects(ask(page), (error: unknown) => {
    assert.ok(error instanceof WaybillError);
    assert.equal(error.reason.code, 'WB-907');
    assert.equal(error.reason.exit, 10);
    const { treeSize = 0, origin } = page.coverage[0] ?? {};
    assert.ok(error.reason.actual.includes(`entries 0…${treeSize - 1} of ${origin}, root `));
    return true;
  });
  await refused({ ...page, coverage: page.coverage.slice(0, 1) }, /not searched: log2026/, 'WB-907');
  await refused({ ...page, settled: false }, /still being read/, 'WB-907');
});

test('a self-made certificate logged by a stranger is kept apart, never lineage', async () => {
  const stranger = new VirtualStack('stranger');
  const payload = provenance();
  for (const log of [stack.rekorV1, stack.rekorV2]) {
    const certificate = stranger.issue(leafKey, EPOCH);
    const sample = stack.sign({ statement: payload, leafKey, certificate, logs: [log] });
    const lineage = await ask(answer([item(sample, payload)]));
    assert.deepEqual(lineage.steps, []);
    assert.deepEqual(
      lineage.unproven.map((entry) => entry.reason.code),
      ['WB-330'],
    );
  }
});

test('a bare key counts only when it is named', async () => {
  const key = generateKey('p256');
  const payload = provenance();
  for (const log of [stack.rekorV1, stack.rekorV2]) {
    const page = answer([item(stack.sign({ statement: payload, key, logs: [log] }), payload)]);
    const apart = await ask(page);
    assert.deepEqual(apart.steps, []);
    assert.deepEqual(
      apart.unproven.map((entry) => [entry.reason.code, entry.reason.exit]),
      [['WB-910', 12]],
    );
    const named = await ask(page, { keys: [generateKey('p256').publicKey, key.publicKey] });
    assert.deepEqual(
      named.steps.map((step) => [step.verdict.signer.kind, step.timeFrom]),
      [['key', log === stack.rekorV1 ? 'log' : 'search']],
    );
  }
});

test('an entry whose signed bytes nobody has is kept apart', async () => {
  const lineage = await ask(answer([item(stack.sign({ statement: provenance() }))]));
  assert.deepEqual(
    lineage.unproven.map((entry) => entry.reason.code),
    ['WB-909'],
  );
});

test('one entry that cannot be proven takes nothing from the others', async () => {
  const stranger = new VirtualStack('stranger');
  const certificate = stranger.issue(leafKey, EPOCH);
  const payload = provenance();
  const bad = item(stack.sign({ statement: payload, leafKey, certificate }), payload);
  const lineage = await ask(answer([bad, attested()]));
  assert.equal(lineage.steps.length, 1);
  assert.equal(lineage.unproven.length, 1);
});

test('a certificate used outside its time is kept apart', async () => {
  const payload = provenance();
  const certificate = stack.issue(leafKey, EPOCH - 60 * MINUTE);
  const sample = stack.sign({ statement: payload, leafKey, certificate });
  const lineage = await ask(answer([item(sample, payload)]));
  assert.deepEqual(lineage.steps, []);
  assert.equal(lineage.unproven.length, 1);
});

test('a search by identity shows what each entry is about', async () => {
  const query = { identity: SUBJECT.toUpperCase(), issuer: ISSUER };
  const bytes = utf8('a file');
  const lineage = await ask(answer([attested(), item(stack.sign({ artifact: bytes }))], query), { query });
  assert.deepEqual(
    lineage.steps.map((step) => step.digests),
    [[image], [`sha256:${toHex(sha256(bytes))}`]],
  );
});

test('a search by identity refuses entries by others, whoever logged them', async () => {
  const key = generateKey('p256');
  const bare = item(stack.sign({ statement: provenance(), key }), provenance());
  const ask2 = (query: AuditQuery, found: Item, actual: RegExp): Promise<void> =>
    refused(answer([found], query), actual, 'WB-906', { query });
  await ask2({ identity: 'eve@example.com' }, attested(), /one by dev@acme\.example/);
  await ask2({ identity: 'eve@example.com' }, bare, /one by a key/);
  await ask2({ issuer: 'https://other.example' }, attested(), /issuer\.example/);
  await ask2({ issuer: ISSUER }, bare, /none/);
});

test('a stranger who certifies himself the identity searched for is kept apart', async () => {
  const query = { identity: SUBJECT };
  const certificate = new VirtualStack('stranger').issue(leafKey, EPOCH);
  const payload = provenance();
  const sample = stack.sign({ statement: payload, leafKey, certificate });
  const lineage = await ask(answer([item(sample, payload)], query), { query });
  assert.deepEqual([lineage.steps.length, lineage.unproven.length], [0, 1]);
});

test('all pages of an answer are read', async () => {
  const pages = [
    { ...answer([attested(provenance(image, '1'))]), truncated: true, next: '0.9' },
    answer([attested(provenance(image, '2'))]),
  ];
  const lineage = await ask(pages);
  assert.equal(lineage.steps.length, 2);
  assert.equal(lineage.truncated, false);
});

test('fifty pages are read of one search, and what is left is said', async () => {
  const pages = Array.from({ length: 50 }, (_, i) => ({
    ...answer([attested(provenance(image, `page ${i}`))]),
    truncated: true,
    next: `0.${i}`,
  }));
  const lineage = await ask(pages);
  assert.deepEqual([lineage.steps.length, lineage.truncated], [50, true]);
  const ended = await ask([...pages.slice(0, 49), answer([])]);
  assert.deepEqual([ended.steps.length, ended.truncated], [49, false]);
});

test('an answer that is none of its kind is WB-814', async () => {
  await refused({ ...answer([]), entries: 'none' } as unknown as Answer, /entries/, 'WB-814');
});

test('a log that is lost is told where it is trusted and was not searched, and nowhere else', async () => {
  const known = answer([attested()]);
  const [v1, v2] = known.coverage;
  const ids = [stack.rekorV1, stack.rekorV2].map(({ logId }) => toBase64(logId));
  const until = '2026-11-20T10:00:00Z';
  const lost = (logId: string | undefined) => ({
    url: 'https://old.example',
    logId: logId ?? '',
    until,
    entries: 7,
  });
  const partly = { ...known, coverage: [v1 ?? assert.fail()] };
  const told = await ask({
    ...partly,
    missing: [lost(ids[1]), lost(ids[0]), lost(toBase64(new Uint8Array(32)))],
  });
  assert.equal(told.uncovered.length, 1);
  assert.deepEqual(
    told.missing.map(({ logId, until: at, entries }) => [toBase64(logId), at, entries]),
    [[ids[1], Date.parse(until), 7]],
  );
  assert.match(
    renderLineage(told),
    /^ {2}LOST: the log https:\/\/old\.example, given up 2026-11-20T10:00:00Z: 7 entries/m,
  );
  const json = lineageJson(told) as { missing: object };
  assert.deepEqual(json.missing, [{ ...lost(ids[1]), until: '2026-11-20T10:00:00.000Z' }]);
  assert.deepEqual(
    (await ask({ ...known, coverage: [v1, v2] as Answer['coverage'], missing: [lost(ids[1])] })).missing,
    [],
  );
  await assert.rejects(
    ask({ ...partly, entries: [], missing: [lost(ids[1])] }),
    (error) =>
      error instanceof WaybillError && /lost for good: https:\/\/old\.example/.test(error.reason.actual),
  );
});
