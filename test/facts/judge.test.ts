import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '#base/brand';
import { utf8 } from '#base/bytes';
import { FixedClock } from '#base/clock';
import { digestOf } from '#base/digest';
import { limits } from '#base/limits';
import { fail, type ReasonSpec } from '#base/reason';
import { unwrap } from '#base/result';
import {
  type AttachedItem,
  Coalescer,
  createJudge,
  ExpiringCache,
  type Judgement,
  mirrorMap,
  parseMirrorRule,
  type QuestionSet,
} from '#facts';
import { COSIGN_SIGN_V1 } from '#formats/intoto';
import { identity, requireKeyless } from '#verify';
import { ISSUER, SUBJECT, VirtualStack } from '../double/virtual-stack.ts';

const stack = new VirtualStack();
const artifact = utf8('{"schemaVersion":2}');
const digest = digestOf(artifact);
const image = { repository: 'ghcr.io/acme/api', digest };
const signature: AttachedItem = {
  kind: 'bundle',
  name: 'ghcr.io/acme/api@sig',
  bytes: stack.sign({ artifact, statement: 'cosign' }).bytes,
};

function asking(san = SUBJECT): QuestionSet {
  const identities = [unwrap(identity({ issuer: ISSUER, san }))];
  const requirements = unwrap(requireKeyless({ identities, predicateTypes: [COSIGN_SIGN_V1] }));
  return { hash: san, questions: [{ id: 'signature', requirements }] };
}

const trouble: ReasonSpec = {
  code: 'WB-202',
  check: 'http.network',
  side: 'environment',
  summary: 'No connection.',
  hint: 'try again',
};

class Source {
  items: readonly AttachedItem[] = [signature];
  reads = 0;
  isDown = false;

  attached(): Promise<readonly AttachedItem[]> {
    this.reads++;
    if (this.isDown) return Promise.reject(fail(trouble, { expected: 'an answer', actual: 'ECONNREFUSED' }));
    return Promise.resolve(this.items);
  }
}

function judgeOf(source: Source, trust = { material: stack.trust(), hash: 'root-1' }) {
  const clock = new FixedClock(stack.clock.now());
  const held = { trust };
  const judge = createJudge({ source, trust: () => held.trust, clock });
  return { judge, clock, held };
}

function outcomes(judgement: Judgement): string[] {
  assert.equal(judgement.kind, 'facts');
  if (judgement.kind !== 'facts') return [];
  return (judgement.facts.answers.get('signature') ?? []).map((verdict) =>
    verdict.outcome === 'rejected' ? verdict.reason.code : verdict.outcome,
  );
}

test('an accepted signature is a fact, read once however often it is asked for', async () => {
  const source = new Source();
  const { judge } = judgeOf(source);
  const all = await Promise.all(Array.from({ length: 50 }, () => judge.judgeImage(image, asking())));
  assert.deepEqual(
    all.map(outcomes),
    Array.from({ length: 50 }, () => ['accepted']),
  );
  assert.deepEqual(outcomes(await judge.judgeImage(image, asking())), ['accepted']);
  assert.equal(source.reads, 1);
  assert.deepEqual(judge.counts, { hits: 1, joined: 49, reads: 1 });
});

test('facts are of the questions and the trusted root they were judged by', async () => {
  const source = new Source();
  const { judge, held } = judgeOf(source);
  assert.deepEqual(outcomes(await judge.judgeImage(image, asking())), ['accepted']);
  assert.deepEqual(outcomes(await judge.judgeImage(image, asking('other@acme.example'))), ['WB-351']);
  held.trust = { material: new VirtualStack('other').trust(), hash: 'root-2' };
  assert.notDeepEqual(outcomes(await judge.judgeImage(image, asking())), ['accepted']);
});

test('a missing signature is asked for again soon, an accepted one late', async () => {
  const source = new Source();
  source.items = [];
  const { judge, clock } = judgeOf(source);
  assert.deepEqual(outcomes(await judge.judgeImage(image, asking())), []);
  source.items = [signature];
  clock.advance(9_999);
  assert.deepEqual(outcomes(await judge.judgeImage(image, asking())), []);
  clock.advance(2);
  assert.deepEqual(outcomes(await judge.judgeImage(image, asking())), ['accepted']);
  clock.advance(3_599_000);
  await judge.judgeImage(image, asking());
  assert.equal(source.reads, 2);
});

test('a registry that is down is unavailable, and is not remembered', async () => {
  const source = new Source();
  source.isDown = true;
  const { judge } = judgeOf(source);
  const down = await judge.judgeImage(image, asking());
  assert.ok(down.kind === 'unavailable' && down.cause.code === 'WB-202');
  source.isDown = false;
  assert.deepEqual(outcomes(await judge.judgeImage(image, asking())), ['accepted']);
});

test('a trusted root with nothing in it makes the answer unavailable, and is not remembered', async () => {
  const empty = { tlogs: [], ctlogs: [], certificateAuthorities: [], timestampAuthorities: [] };
  const { judge, held } = judgeOf(new Source(), { material: stack.trust(empty), hash: 'same' });
  assert.deepEqual(outcomes(await judge.judgeImage(image, asking())), ['unavailable']);
  held.trust = { material: stack.trust(), hash: 'same' };
  assert.deepEqual(outcomes(await judge.judgeImage(image, asking())), ['accepted']);
});

test('something broken beside a good signature hides nothing', async () => {
  const source = new Source();
  source.items = [
    { kind: 'bundle', name: 'broken', bytes: utf8('{"mediaType":1}') },
    { kind: 'legacy', name: 'old', mediaType: 'text/plain', bytes: utf8('x'), annotations: {} },
    signature,
  ];
  const { judge } = judgeOf(source);
  const verdicts = outcomes(await judge.judgeImage(image, asking()));
  assert.equal(verdicts.length, 3);
  assert.equal(verdicts.filter((verdict) => verdict === 'accepted').length, 1);
});

test('the signature of another image is rejected for its subject', async () => {
  const other = digestOf(utf8('other')) as Digest;
  const { judge } = judgeOf(new Source());
  const [code] = outcomes(await judge.judgeImage({ ...image, digest: other }, asking()));
  assert.match(code ?? '', /^WB-34[23]$/);
});

test('more attachments than the cap are refused, at the cap they are judged', async () => {
  const source = new Source();
  const { judge } = judgeOf(source);
  source.items = Array.from({ length: limits.signaturesPerImage }, () => signature);
  assert.equal(outcomes(await judge.judgeImage(image, asking())).length, limits.signaturesPerImage);
  judge.forget();
  source.items = [...source.items, signature];
  const over = await judge.judgeImage(image, asking());
  assert.ok(over.kind === 'unavailable' && over.cause.code === 'WB-801' && over.cause.side === 'evidence');
});

test('a cache forgets by time and by weight, the least recently used first', () => {
  const clock = new FixedClock(0);
  const cache = new ExpiringCache<string>({ clock, weightMax: 3 });
  for (const key of ['a', 'b', 'c']) cache.set(key, key, 100);
  assert.equal(cache.get('a'), 'a');
  cache.set('d', 'd', 50);
  assert.deepEqual([cache.get('a'), cache.get('b'), cache.get('d')], ['a', undefined, 'd']);
  cache.set('heavy', 'x', 100, 4);
  assert.equal(cache.get('heavy'), undefined);
  clock.advance(50);
  assert.deepEqual([cache.get('d'), cache.get('a')], [undefined, 'a']);
});

test('a failed computation is shared by those who wait and forgotten afterwards', async () => {
  const coalescer = new Coalescer<number>();
  let calls = 0;
  const work = (): Promise<number> =>
    ++calls === 1 ? Promise.reject(new Error('first')) : Promise.resolve(calls);
  const both = await Promise.allSettled([coalescer.run('k', work), coalescer.run('k', work)]);
  assert.deepEqual(
    both.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  assert.equal(await coalescer.run('k', work), 2);
});

test('a mirror map rewrites the longest match and nothing else', () => {
  const map = mirrorMap([
    parseMirrorRule('ghcr.io/acme/*=localhost:5000/acme/*'),
    parseMirrorRule('ghcr.io/acme/api=localhost:5001/api'),
  ]);
  assert.equal(map('ghcr.io/acme/web'), 'localhost:5000/acme/web');
  assert.equal(map('ghcr.io/acme/api'), 'localhost:5001/api');
  assert.equal(map('ghcr.io/acme-evil/web'), 'ghcr.io/acme-evil/web');
  for (const bad of ['ghcr.io/acme/*=localhost:5000/x', '*=x', 'a/*b=c/*d', '/*=/*']) {
    assert.throws(() => mirrorMap([parseMirrorRule(bad)]), { name: 'WaybillError', message: /WB-802/ }, bad);
  }
});
