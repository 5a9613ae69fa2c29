/**
 * Reads SBOM documents of others and our own: CycloneDX 1.4–1.7, SPDX 2.2, 2.3 and 3.0, Syft's own JSON. What
 * scanners need is taken from package URLs and from the properties tools write. Nothing external is fetched.
 */
import { limits } from '#base/limits';
import { reason } from '#base/reason';
import { attempt, err, type Result } from '#base/result';
import { readCycloneDx } from './cyclonedx-read.ts';
import { isJsonObject, type JsonObject, own, parseJson } from './json.ts';
import { R } from './reasons-sbom.ts';
import type { Sbom } from './sbom.ts';
import { object, text } from './sbom-parts.ts';
import { readSyft } from './sbom-syft-read.ts';
import { readSpdx } from './spdx-read.ts';
import { readSpdx3 } from './spdx3-read.ts';

/** Reads an SBOM. WB-192 names what is missing; JSON errors keep their own codes. */
export function parseSbom(bytes: Uint8Array): Result<Sbom> {
  const parsed = parseJson(bytes, { maxBytes: limits.sbomBytes });
  if (!parsed.ok) return parsed;
  const json = parsed.value;
  if (!isJsonObject(json)) return unreadable('a JSON object', 'another JSON value');
  const read = readerOf(json);
  if (read !== undefined) return attempt(() => read(json));
  const expected = 'bomFormat CycloneDX, spdxVersion, an SPDX 3 @graph, or artifacts of Syft';
  return unreadable(expected, `fields ${Object.keys(json).slice(0, 8).join(', ')}`);
}

function readerOf(json: JsonObject): ((json: JsonObject) => Sbom) | undefined {
  if (text(json, 'bomFormat') === 'CycloneDX') return readCycloneDx;
  if (text(json, 'spdxVersion') !== undefined) return readSpdx;
  if (Array.isArray(own(json, '@graph'))) return readSpdx3;
  const isSyft = Array.isArray(own(json, 'artifacts')) && object(json, 'descriptor') !== undefined;
  return isSyft ? readSyft : undefined;
}

function unreadable(expected: string, actual: string): Result<never> {
  return err(reason(R.sbom, { expected, actual }));
}
