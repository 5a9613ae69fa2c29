/** The form of an attack: an accepted twin, one change, and the reason it must be refused for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '#base/brand';
import { utf8 } from '#base/bytes';
import { reasonText } from '#base/reason';
import { isJsonObject, type JsonObject, type JsonValue } from '#formats/json';
import type { Requirements, TrustMaterial, Verdict } from '#verify';
import { VirtualStack } from '../double/virtual-stack.ts';

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

/** A copy of a document with changes by path (`a.0.b`); undefined removes. */
export function edit(
  document: JsonObject,
  changes: Readonly<Record<string, JsonValue | undefined>>,
): JsonObject {
  const copy = structuredClone(document) as JsonObject;
  for (const [path, value] of Object.entries(changes)) {
    const keys = path.split('.');
    const last = keys.pop() as string;
    const holder = keys.reduce<JsonValue>((at, key) => child(at, key, path), copy);
    assert.ok(typeof holder === 'object' && holder !== null, path);
    if (value === undefined) Reflect.deleteProperty(holder, last);
    else Reflect.set(holder, last, value);
  }
  return copy;
}

function child(holder: JsonValue, key: string, path: string): JsonValue {
  const value = Array.isArray(holder) ? holder[Number(key)] : isJsonObject(holder) ? holder[key] : undefined;
  assert.ok(value !== undefined, `no ${key} on the way to ${path}`);
  return value;
}

/** Text of a document with one textual replacement, for what JSON objects cannot say (duplicate keys). */
export function rewrite(document: JsonObject, from: string | RegExp, to: string): Uint8Array {
  const text = JSON.stringify(document);
  const changed = text.replace(from, to);
  assert.notEqual(changed, text, `nothing to rewrite for ${from}`);
  return utf8(changed);
}

/** A base64 text with one bit of byte `at` flipped. */
export function flip(base64: JsonValue | undefined, at = -1): string {
  const bytes = Buffer.from(base64 as string, 'base64');
  const index = at < 0 ? bytes.length + at : at;
  bytes[index] = (bytes[index] as number) ^ 1;
  return bytes.toString('base64');
}

/** The value at a path. */
export function at(document: JsonObject, path: string): JsonValue {
  return path.split('.').reduce<JsonValue>((holder, key) => child(holder, key, path), document);
}
