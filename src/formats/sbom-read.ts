/**
 * Reads SBOM documents of others and our own: CycloneDX 1.4–1.7, SPDX 2.2, 2.3 and 3.0, Syft's own JSON. What
 * scanners need is taken from package URLs and from the properties tools write. Nothing external is fetched.
 */
import { utf8 } from '#base/bytes';
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
export function parseSbom(given: Uint8Array): Result<Sbom> {
  const bytes = startsWith(given, UTF8_MARK) ? given.subarray(UTF8_MARK.length) : given;
  const other = otherForms.find(([start]) => startsWith(bytes, start))?.[1];
  if (other !== undefined) return unreadable('JSON in UTF-8', other);
  const parsed = parseJson(bytes, { maxBytes: limits.sbomBytes });
  if (!parsed.ok) return parsed;
  const wrapped = isJsonObject(parsed.value) ? own(parsed.value, 'sbom') : undefined;
  // GitHub's API answers with the document of SPDX in a field of its own.
  const isWrapped = isJsonObject(wrapped) && text(wrapped, 'spdxVersion') !== undefined;
  const json = isWrapped ? wrapped : parsed.value;
  if (!isJsonObject(json)) return unreadable('a JSON object', 'another JSON value');
  const read = readerOf(json);
  if (read !== undefined) return attempt(() => read(json));
  const expected = 'bomFormat CycloneDX, spdxVersion, an SPDX 3 @graph, or artifacts of Syft';
  return unreadable(expected, `fields ${Object.keys(json).slice(0, 8).join(', ')}`);
}

/** Some editors and tools put it before JSON; it says nothing. */
const UTF8_MARK = [0xef, 0xbb, 0xbf];
/** What tools also write, by its first bytes: told by name, as nobody finds them in a message about JSON. */
const otherForms: readonly (readonly [start: ArrayLike<number>, name: string])[] = [
  [[0x1f, 0x8b], 'gzip: unpack it first'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'zstd: unpack it first'],
  [[0xff, 0xfe], 'text in UTF-16'],
  [[0xfe, 0xff], 'text in UTF-16'],
  [utf8('<'), 'XML: have the tool write JSON'],
  [utf8('SPDXVersion:'), 'SPDX as tags and values: have the tool write JSON'],
];
const startsWith = (bytes: Uint8Array, start: ArrayLike<number>): boolean =>
  Array.from(start).every((byte, at) => bytes[at] === byte);

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
