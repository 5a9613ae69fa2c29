/**
 * Image → everything attached to it → verdicts. The one place that judges an image for admission, promotion
 * and tests. It reads the registry and nothing else: the trusted root is handed in, log entries and timestamps
 * come with the evidence. Facts are kept by digest, questions and trusted root; what could not be read is
 * never kept.
 */
import type { Digest } from '#base/brand';
import type { Clock } from '#base/clock';
import { limits } from '#base/limits';
import { fail, type Reason, reason, WaybillError } from '#base/reason';
import type { Requirements, TrustMaterial, Verdict } from '#verify';
import { Coalescer, ExpiringCache } from './cache.ts';
import { type AttachedItem, concerns, prepareItem } from './item.ts';
import { R } from './reasons.ts';

export interface ImageLocation {
  /** `registry/repository` as the policy sees it; a source may read it elsewhere. */
  readonly repository: string;
  readonly digest: Digest;
}

/** Everything attached to an image. Contract: [] is "nothing attached"; trouble is a thrown `WaybillError`. */
export interface ImageEvidenceSource {
  attached(image: ImageLocation): Promise<readonly AttachedItem[]>;
}

export interface FactQuestion {
  readonly id: string;
  readonly requirements: Requirements;
}

export interface QuestionSet {
  /** Equal sets have equal hashes. */
  readonly hash: string;
  readonly questions: readonly FactQuestion[];
}

/** A trusted root ready for use, and the SHA-256 of the file it came from. */
export interface Trust {
  readonly material: TrustMaterial;
  readonly hash: string;
}

export interface Facts {
  /** One verdict for each attached item, by question id. */
  readonly answers: ReadonlyMap<string, readonly Verdict[]>;
}

export type Judgement =
  | { readonly kind: 'facts'; readonly facts: Facts }
  /**
   * The evidence could not be read. The side of the cause tells trouble on the way (environment) from an answer
   * that cannot be used: no such image, oversized content (input).
   */
  | { readonly kind: 'unavailable'; readonly cause: Reason };

export interface JudgeOptions {
  readonly source: ImageEvidenceSource;
  /** Read at each judgement, so that a new root counts at once. */
  readonly trust: () => Trust;
  readonly clock: Clock;
  /** How long facts live when every question has an accepted answer. Milliseconds; default one hour. */
  readonly acceptedTtlMs?: number;
  /** And when one has not: a signature may be attached any time. Default ten seconds. */
  readonly otherTtlMs?: number;
  readonly factsMax?: number;
}

export interface JudgeCounts {
  /** Answers from memory, joined computations, registry reads. */
  readonly hits: number;
  readonly joined: number;
  readonly reads: number;
}

export interface Judge {
  judgeImage(image: ImageLocation, questions: QuestionSet): Promise<Judgement>;
  readonly counts: JudgeCounts;
  /** Forgets everything, for example after a policy or trust change that must count at once. */
  forget(): void;
}

const HOUR_MS = 3_600_000;
const OTHER_TTL_MS = 10_000;
const FACTS_MAX = 10_000;
const EVIDENCE_BYTES_MAX = 64 * 1024 * 1024;

export function createJudge(options: JudgeOptions): Judge {
  const { clock, source } = options;
  const facts = new ExpiringCache<Facts>({ clock, weightMax: options.factsMax ?? FACTS_MAX });
  const evidence = new ExpiringCache<readonly AttachedItem[]>({ clock, weightMax: EVIDENCE_BYTES_MAX });
  const judging = new Coalescer<Judgement>();
  const reading = new Coalescer<readonly AttachedItem[]>();
  const otherTtlMs = options.otherTtlMs ?? OTHER_TTL_MS;
  const counts = { hits: 0, joined: 0, reads: 0 };

  async function readEvidence(image: ImageLocation): Promise<readonly AttachedItem[]> {
    const key = `${image.repository}@${image.digest}`;
    const known = evidence.get(key);
    if (known !== undefined) return known;
    return reading.run(key, async () => {
      counts.reads++;
      const items = await source.attached(image);
      const bytes = items.reduce((sum, item) => sum + item.bytes.length, 1);
      evidence.set(key, items, otherTtlMs, bytes);
      return items;
    });
  }

  async function judge(
    image: ImageLocation,
    set: QuestionSet,
    trust: Trust,
    key: string,
  ): Promise<Judgement> {
    try {
      const items = await readEvidence(image);
      const found = judgeItems(image.digest, items, set.questions, trust.material, clock.now());
      // An answer that could not be judged is as little a fact as a registry that did not answer.
      const verdicts = [...found.answers.values()];
      if (!verdicts.some((list) => list.some((verdict) => verdict.outcome === 'unavailable'))) {
        const isSettled = verdicts.every((list) => list.some((verdict) => verdict.outcome === 'accepted'));
        facts.set(key, found, isSettled ? (options.acceptedTtlMs ?? HOUR_MS) : otherTtlMs);
      }
      return { kind: 'facts', facts: found };
    } catch (error) {
      return { kind: 'unavailable', cause: causeOf(error, image) };
    }
  }

  return {
    counts,
    judgeImage(image, set) {
      const trust = options.trust();
      const key = `${image.repository}@${image.digest} ${set.hash} ${trust.hash}`;
      const known = facts.get(key);
      if (known !== undefined) {
        counts.hits++;
        return Promise.resolve({ kind: 'facts', facts: known });
      }
      let isFirst = false;
      const judged = judging.run(key, () => {
        isFirst = true;
        return judge(image, set, trust, key);
      });
      if (!isFirst) counts.joined++;
      return judged;
    },
    forget() {
      facts.clear();
      evidence.clear();
    },
  };
}

function causeOf(error: unknown, image: ImageLocation): Reason {
  if (error instanceof WaybillError) return error.reason;
  const actual = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return reason(R.defect, { expected: `evidence of ${image.repository}@${image.digest}`, actual });
}

/** Every question put to every item. Pure. */
export function judgeItems(
  digest: Digest,
  items: readonly AttachedItem[],
  questions: readonly FactQuestion[],
  trustedRoot: TrustMaterial,
  now: number,
): Facts {
  if (items.length > limits.signaturesPerImage) {
    const expected = `at most ${limits.signaturesPerImage} signatures and attestations`;
    throw fail(R.attachmentForm, { expected, actual: `${items.length} on ${digest}` });
  }
  const prepared = items.map(prepareItem);
  const answers = new Map<string, readonly Verdict[]>();
  for (const { id, requirements } of questions) {
    const concerned = prepared.filter((item) => concerns(item, requirements));
    answers.set(
      id,
      concerned.map((item) => item.judge({ artifact: digest, trustedRoot, requirements, now })),
    );
  }
  return { answers };
}
