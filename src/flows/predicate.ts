/** From a predicate file to the predicate of a statement, by type as cosign's `attest` does it. */
import { utf8Text } from '#base/bytes';
import { rfc3339 } from '#base/clock';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { attempt, type Result, unwrap } from '#base/result';
import { predicateTypes, resolvePredicateType } from '#formats/intoto';
import { isJsonObject, type JsonValue, own, parseJson } from '#formats/json';
import { R } from './reasons.ts';

export interface Predicate {
  readonly type: string;
  readonly value: JsonValue;
}

/** `alias` is cosign's `--type`: an alias or a URI. Fails with WB-904, WB-159 or a JSON reason. */
export function predicateFrom(alias: string, bytes: Uint8Array, nowMs: number): Result<Predicate> {
  return attempt(() => {
    const type = unwrap(resolvePredicateType(alias));
    if (bytes.length === 0) {
      throw fail(R.predicate, { expected: `a predicate of ${type}`, actual: 'an empty file' });
    }
    if (type === predicateTypes.custom) {
      return { type, value: { Data: utf8Text(bytes), Timestamp: rfc3339(nowMs) } };
    }
    if (alias === 'spdx') return { type, value: utf8Text(bytes) };
    const value = unwrap(parseJson(bytes, { maxBytes: limits.sbomBytes }));
    if (!isJsonObject(value)) {
      throw fail(R.predicate, { expected: `a JSON object as predicate of ${type}`, actual: typeof value });
    }
    for (const field of requiredFields[type] ?? []) {
      if (own(value, field) === undefined) {
        throw fail(R.predicate, { expected: `${field} in a predicate of ${type}`, actual: 'nothing' });
      }
    }
    return { type, value };
  });
}

/** Enough to tell a document of another type apart before it is signed. */
const requiredFields: Readonly<Record<string, readonly string[]>> = {
  [predicateTypes.cyclonedx]: ['bomFormat', 'specVersion'],
  [predicateTypes.spdxjson]: ['spdxVersion'],
  [predicateTypes.slsaprovenance]: ['builder', 'buildType'],
  [predicateTypes.slsaprovenance1]: ['buildDefinition', 'runDetails'],
  [predicateTypes.vuln]: ['scanner', 'metadata'],
  [predicateTypes.openvex]: ['statements'],
};
