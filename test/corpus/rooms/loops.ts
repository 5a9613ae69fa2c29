/** Cases that are many questions: every length, every leaf, every interleaving. */
import { utf8 } from '#base/bytes';
import { unwrap } from '#base/result';
import { createJudge } from '#facts';
import { parseBundle } from '#formats/bundle';
import { pae } from '#formats/dsse';
import type { JsonObject } from '#formats/json';
import { bases, type Case } from '../case.ts';
import { type Answer, admission, answerOf, itemOf, library } from '../doors.ts';
import { type Exhibit, exhibit, requirementsOf, trustOf } from '../draft.ts';
import { leafPaths, retyped } from '../generators/mutants.ts';
import { explanationOf, traitsOf } from '../generators/rules.ts';
import { draftOf } from '../recipes/index.ts';
import { stack } from '../world.ts';
import { accepted, type Room } from './room.ts';

const baseOf = (item: Case): Exhibit => exhibit(draftOf(bases[item.base] ?? [], item.setting));

function bytesOf({ evidence }: Exhibit): Uint8Array {
  if (evidence instanceof Uint8Array) return evidence;
  throw new Error('a bundle is wanted');
}

/** The first question that was not answered as all must be, else the last answer. */
async function each(answers: AsyncIterable<readonly [string, Answer, boolean]>): Promise<Answer> {
  let last: Answer | undefined;
  for await (const [name, answer, isFine] of answers) {
    if (!isFine)
      throw new Error(
        `${name}: ${answer.verdict} ${answer.reason?.class ?? ''} ${answer.reason?.code ?? ''}`,
      );
    if (answer.verdict === 'reject') last = answer;
  }
  return last ?? accepted;
}

async function* truncated(base: Exhibit): AsyncGenerator<readonly [string, Answer, boolean]> {
  const bytes = bytesOf(base);
  for (let length = 0; length < bytes.length; length++) {
    const answer = await library({ ...base, evidence: bytes.subarray(0, length) });
    yield [`${length} bytes`, answer, answer.verdict === 'reject' && answer.reason?.class === 'malformed'];
  }
}

async function* ofOtherTypes(base: Exhibit): AsyncGenerator<readonly [string, Answer, boolean]> {
  const document = JSON.parse(Buffer.from(bytesOf(base)).toString()) as JsonObject;
  const traits = traitsOf(unwrap(parseBundle(bytesOf(base))), base.ask);
  for (const path of leafPaths(document)) {
    for (const mutant of retyped(document, path)) {
      const answer = await library({ ...base, evidence: utf8(JSON.stringify(mutant.bundle)) });
      const isRefused = answer.verdict === 'reject' && answer.reason?.class !== 'internal';
      const isExplained = answer.verdict === 'accept' && explanationOf(mutant, traits) !== undefined;
      yield [mutant.name, answer, isRefused || isExplained];
    }
  }
}

/** Two bundles, two questions, one judge with its caches: every answer must be that of its serial run. */
async function interleaved(count: number): Promise<Answer> {
  const exhibits = ['v1', 'v2-dsse', 'key-v1', 'workflow'].map((name) => exhibit(draftOf(bases[name] ?? [])));
  const asks = exhibits.map(({ ask }) => ask);
  const pairs = exhibits.flatMap((one) => asks.map((ask) => ({ ...one, ask })));
  const serial = await Promise.all(pairs.map(admission));
  const trust = trustOf(exhibits[0]?.trustedRoot ?? '');
  const judge = createJudge({
    source: {
      attached: async ({ repository }) => {
        await new Promise((resolve) => setImmediate(resolve));
        return [itemOf((pairs[Number(repository)] as Exhibit).evidence)];
      },
    },
    trust: () => ({ material: trust, hash: 'one' }),
    clock: stack.clock,
  });
  const questions = pairs.map(({ ask }, i) => ({
    hash: `${i % asks.length}`,
    questions: [{ id: 'q', requirements: requirementsOf(ask) }],
  }));
  const answers = await Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const i = (n * 7) % pairs.length;
      if (n % 97 === 0) judge.forget();
      const set = questions[i] as (typeof questions)[number];
      const image = { repository: `${i}`, digest: (pairs[i] as Exhibit).digest };
      const judged = await judge.judgeImage(image, set);
      const [verdict] = judged.kind === 'facts' ? (judged.facts.answers.get('q') ?? []) : [];
      return [i, verdict === undefined ? undefined : answerOf(verdict)] as const;
    }),
  );
  for (const [i, answer] of answers) {
    const expected = serial[i] as Answer;
    if (answer?.verdict !== expected.verdict || answer.reason?.code !== expected.reason?.code) {
      throw new Error(`pair ${i}: ${answer?.verdict} instead of ${expected.verdict}`);
    }
  }
  return accepted;
}

/** Every way to cut a text into type and payload must be encoded differently. */
function paeSplits(): Answer {
  const text = 'application/vnd.in-toto+json 29 é{"a": 12 "b"}';
  const seen = new Map<string, number>();
  for (let at = 0; at <= text.length; at++) {
    const encoded = Buffer.from(pae(text.slice(0, at), utf8(text.slice(at)))).toString('latin1');
    const before = seen.get(encoded);
    if (before !== undefined) throw new Error(`cuts at ${before} and ${at} encode alike`);
    seen.set(encoded, at);
    const head = Buffer.from(encoded, 'latin1').toString().split(' ');
    if (Number(head[1]) !== Buffer.byteLength(text.slice(0, at))) throw new Error('lengths are in bytes');
  }
  return accepted;
}

export const loopRoom: Room = {
  truncations: async (_, item) => {
    const base = baseOf(item);
    return { twin: await library(base), answer: await each(truncated(base)) };
  },
  retyped: async (_, item) => ({
    twin: await library(baseOf(item)),
    answer: await each(ofOtherTypes(baseOf(item))),
  }),
  prototype: async (_, item) => {
    const base = baseOf(item);
    const text = Buffer.from(bytesOf(base)).toString();
    let answer: Answer = accepted;
    for (const member of ['"constructor":{"prototype":{"x":1}}', '"toJSON":1', '"__proto__":{"x":1}']) {
      answer = await library({ ...base, evidence: utf8(`{${member},${text.slice(1)}`) });
      if (Reflect.get({}, 'x') !== undefined) throw new Error('the object prototype was changed');
    }
    return { twin: await library(base), answer };
  },
  interleaved: async ([, count], item) => ({
    twin: await library(baseOf(item)),
    answer: await interleaved(Number(count)),
  }),
  paeSplits: () => ({ twin: accepted, answer: paeSplits() }),
};
