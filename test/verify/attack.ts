/** The form of an attack: an accepted twin, one change, and the reason it must be refused for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '#base/brand';
import { reasonText } from '#base/reason';
import type { JsonObject } from '#formats/json';
import type { Requirements, TrustMaterial, Verdict } from '#verify';
import { VirtualStack } from '../double/virtual-stack.ts';

export { at, edit, flip, rewrite } from '../double/json-edits.ts';

/** What is handed to the verifier; what is absent is the stack's default. */
export interface Setup {
  readonly bundle: JsonObject | Uint8Array;
  readonly artifact: Uint8Array | Digest;
  readonly requirements?: Requirements;
  readonly trust?: TrustMaterial;
  readonly now?: number;
}

export interface Attack {
  /** Case of the attack corpus (reference: reliability-security §2). */
  readonly id: string;
  /** What is changed. */
  readonly name: string;
  readonly code: `WB-${number}`;
  readonly twin: (stack: VirtualStack) => Setup;
  readonly attack: (stack: VirtualStack) => Setup;
}

/** One stack for the tests of a file: it only ever grows. */
export const stack = new VirtualStack();

export function outcomeOf(setup: Setup): Verdict {
  return stack.verify(setup.bundle, setup.artifact, setup);
}

/** `accepted`, or the code of the refusal; for people also the text. */
export function shown(verdict: Verdict): string {
  if (verdict.outcome === 'accepted') return 'accepted';
  return reasonText(verdict.outcome === 'rejected' ? verdict.reason : verdict.cause);
}

export function codeOf(verdict: Verdict): string {
  if (verdict.outcome === 'accepted') return 'accepted';
  return verdict.outcome === 'rejected' ? verdict.reason.code : verdict.cause.code;
}

/** Registers one test a case: the twin is accepted, the attack is refused for its reason. */
export function testAttacks(attacks: readonly Attack[]): void {
  for (const { id, name, code, twin, attack } of attacks) {
    test(`${id}: refuses ${name} (${code}), accepts its twin`, () => {
      const accepted = outcomeOf(twin(stack));
      assert.equal(accepted.outcome, 'accepted', shown(accepted));
      const refused = outcomeOf(attack(stack));
      assert.equal(codeOf(refused), code, shown(refused));
    });
  }
}
