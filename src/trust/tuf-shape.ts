/** What tuf-js takes and no repository has: versions that count nothing, and maps so large that reading them stalls. */
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { isJsonObject, type JsonValue, own } from '#formats/json';
import { R } from './reasons.ts';

/**
 * Throws WB-601 for metadata whose version is no whole number from 1, or whose maps have more than
 * `limits.tufEntries` members: @tufjs/models copies a map once for each of its members.
 */
export function refuseOddShape(metadata: JsonValue, path: string): void {
  const signed = isJsonObject(metadata) ? own(metadata, 'signed') : undefined;
  if (!isJsonObject(signed)) return;
  const version = own(signed, 'version');
  if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 1) {
    throw fail(R.tuf, { expected: `a version of 1 or more in ${path}`, actual: JSON.stringify(version) });
  }
  const delegations = own(signed, 'delegations');
  const parts = [signed, ...(isJsonObject(delegations) ? [delegations] : [])];
  for (const part of parts) {
    for (const name of ['keys', 'roles', 'meta', 'targets']) {
      const entries = sizeOf(own(part, name));
      if (entries <= limits.tufEntries) continue;
      const expected = `at most ${limits.tufEntries} ${name} in ${path}`;
      throw fail(R.tuf, { expected, actual: String(entries) });
    }
  }
}

function sizeOf(value: JsonValue | undefined): number {
  if (Array.isArray(value)) return value.length;
  return isJsonObject(value) ? Object.keys(value).length : 0;
}

/** In JSON text a quote within a string is escaped: what is found here is a member. */
const BROKEN = /"(version|length|threshold)"\s*:\s*-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** Throws WB-601 for a count that is written as a fraction or with an exponent: read as text, it is not what was signed. */
export function refuseOddNumbers(text: string, path: string): void {
  for (const [found, name] of text.matchAll(BROKEN)) {
    const written = found.slice(found.indexOf(':') + 1).trim();
    if (/^-?\d+$/.test(written)) continue;
    throw fail(R.tuf, { expected: `a whole ${name} in ${path}`, actual: written.slice(0, 40) });
  }
}
