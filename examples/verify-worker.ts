/**
 * Verification on other threads: it is synchronous, pure and keeps no state outside the trust material, so every thread
 * prepares its own and verifies what it is sent. For servers whose own thread must answer meanwhile, and for lists of
 * thousands. This file is the thread and the pool; a program starts `openVerifyPool`.
 */
import { availableParallelism } from 'node:os';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { Reason } from '#base/reason';
import { unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import { parseTrustedRoot } from '#formats/trusted-root';
import { identity, type Pattern, requireKeyless, trustMaterial, verifyBundle } from '#verify';

/** What every thread is told once; all of it can be sent. */
export interface PoolOptions {
  /** trusted_root.json. */
  readonly trustedRoot: Uint8Array;
  readonly identities: readonly { readonly issuer: Pattern; readonly san: Pattern }[];
}

export interface Job {
  readonly bundle: Uint8Array;
  readonly artifact: Uint8Array;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** A verdict that crosses threads: no evidence, because only the verifier itself can make that. */
export type Told =
  | { readonly outcome: 'accepted' }
  | { readonly outcome: 'rejected' | 'unavailable'; readonly reason: Reason };

export interface VerifyPool {
  verify(job: Job): Promise<Told>;
  close(): Promise<void>;
}

interface Thread {
  readonly worker: Worker;
  /** In the order of the jobs: a thread answers one after the other. */
  readonly waiting: { readonly resolve: (told: Told) => void; readonly reject: (error: Error) => void }[];
}

export function openVerifyPool(options: PoolOptions, threads: number = availableParallelism()): VerifyPool {
  const pool = Array.from({ length: threads }, (): Thread => {
    const thread: Thread = {
      worker: new Worker(new URL(import.meta.url), { workerData: { verifyPool: options } }),
      waiting: [],
    };
    thread.worker.on('message', (told: Told) => thread.waiting.shift()?.resolve(told));
    thread.worker.on('error', (error) => {
      for (const { reject } of thread.waiting.splice(0)) reject(error);
    });
    return thread;
  });
  return {
    verify: (job) =>
      new Promise((resolve, reject) => {
        const [idlest] = [...pool].sort((a, b) => a.waiting.length - b.waiting.length) as [Thread];
        idlest.waiting.push({ resolve, reject });
        idlest.worker.postMessage(job);
      }),
    close: async () => {
      await Promise.all(pool.map(({ worker }) => worker.terminate()));
    },
  };
}

function serve({ trustedRoot, identities }: PoolOptions): void {
  const trust = trustMaterial(unwrap(parseTrustedRoot(trustedRoot)));
  const requirements = unwrap(requireKeyless({ identities: identities.map((one) => unwrap(identity(one))) }));
  parentPort?.on('message', ({ bundle, artifact, now }: Job) => {
    const parsed = parseBundle(bundle);
    if (!parsed.ok)
      return parentPort?.postMessage({ outcome: 'rejected', reason: parsed.error } satisfies Told);
    const verdict = verifyBundle({ artifact, bundle: parsed.value, trustedRoot: trust, requirements, now });
    parentPort?.postMessage(toldOf(verdict));
  });
}

function toldOf(verdict: ReturnType<typeof verifyBundle>): Told {
  if (verdict.outcome === 'accepted') return { outcome: 'accepted' };
  const reason = verdict.outcome === 'rejected' ? verdict.reason : verdict.cause;
  return { outcome: verdict.outcome, reason };
}

// Other threads may import this file for its types and its pool.
const given = (workerData ?? {}) as { readonly verifyPool?: PoolOptions };
if (!isMainThread && given.verifyPool !== undefined) serve(given.verifyPool);
