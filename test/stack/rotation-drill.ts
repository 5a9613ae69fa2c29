/** Every key of a stack is rotated while somebody signs; `npm test` goes through it once, `npm run soak` at length. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { utf8 } from '#base/bytes';
import { unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import { parseTrustedRoot } from '#formats/trusted-root';
import { systemClock } from '#platform/system';
import { rotatable, type Stack } from '#stack';
import { identity, requireKeyless, trustMaterial, type Verdict, verifyBundle } from '#verify';
import { ada, message, personSigner } from './signing.ts';

const HOUR_MS = 3_600_000;

/** The verdict over a bundle by the trusted root given, and by nothing else. */
export function judge(bundle: Uint8Array, trustedRoot: Uint8Array, issuer: string): Verdict {
  const who = unwrap(identity({ issuer, san: ada }));
  return verifyBundle({
    artifact: utf8('load'),
    bundle: unwrap(parseBundle(bundle)),
    trustedRoot: trustMaterial(unwrap(parseTrustedRoot(trustedRoot))),
    requirements: unwrap(requireKeyless({ identities: [who] })),
    now: systemClock.now(),
  });
}

export const outcome = (verdict: Verdict): string =>
  verdict.outcome === 'rejected' ? `rejected ${verdict.reason.code}` : verdict.outcome;

async function waitFor(what: string, isDone: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1200; tries++) {
    if (isDone()) return;
    await sleep(50);
  }
  assert.fail(`${what} took longer than a minute`);
}

export interface Drill {
  /** How often each key is rotated. */
  readonly rounds: number;
  /** Least time between two signatures; as long as the one before took, if that is longer: steps need their turn. */
  readonly pauseMs: number;
}

/** Signs again and again, each time with what is published, until told to stop. */
async function load(
  stack: Stack,
  bundles: Uint8Array[],
  pauseMs: number,
  isOver: () => boolean,
): Promise<void> {
  for (let round = 0; !isOver(); round++) {
    const began = performance.now();
    const signer = await personSigner(stack, round % 2 === 0 ? 1 : 2);
    bundles.push((await signer.sign(message('load'))).bundle);
    // The stack works in this process, and a slow machine has no time left for it in a fixed pause.
    await sleep(Math.max(pauseMs, performance.now() - began));
  }
}

/** Rotates every key under load; each bundle verifies with what is published at the end. */
export async function rotateUnderLoad(
  stack: Stack,
  { rounds, pauseMs }: Drill,
): Promise<readonly Uint8Array[]> {
  const bundles: Uint8Array[] = [];
  let isOver = false;
  const running = load(stack, bundles, pauseMs, () => isOver);
  // Whoever began to sign before a step has finished when two more signatures are there.
  const twoMore = async (what: string): Promise<void> => {
    const before = bundles.length;
    await waitFor(`signing ${what}`, () => bundles.length > before + 1);
  };
  try {
    for (let round = 1; round <= rounds; round++) {
      for (const station of rotatable) {
        const step = await stack.rotation.rotate({ station, overlapMs: HOUR_MS });
        assert.deepEqual([step.number, step.hasSwitched], [round + 1, false]);
        await twoMore(`while the new key of ${station} is only published`);
        while (stack.rotation.generations.pending.length > 0) {
          await stack.rotation.hasten(station);
          await twoMore(`with the new key of ${station}`);
        }
      }
    }
  } finally {
    isOver = true;
    await running;
  }
  const outcomes = bundles.map((bundle) =>
    outcome(judge(bundle, stack.published.trustedRoot, stack.origins.oidc)),
  );
  assert.deepEqual(
    outcomes.filter((one) => one !== 'accepted'),
    [],
  );
  return bundles;
}
