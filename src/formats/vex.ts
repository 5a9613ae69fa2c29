/**
 * What a VEX document says, whatever its form: OpenVEX 0.2, CSAF 2.0, CycloneDX. A statement is about one problem
 * in some products; a product is an image or a package, and may name the part of it that is meant.
 */

import { reason } from '#base/reason';
import { attempt, err, type Result } from '#base/result';
import { readCsaf } from './csaf.ts';
import { isJsonObject, own, parseJson } from './json.ts';
import { readOpenVex } from './openvex.ts';
import { readCycloneDxVex } from './vex-cyclonedx.ts';
import type { VexDocument } from './vex-model.ts';
import { R } from './vex-reasons.ts';

export * from './vex-model.ts';

const VEX_BYTES = 64 * 1024 * 1024;

/** Reads a VEX document. WB-197 names what is missing; JSON errors keep their own codes. */
export function parseVex(bytes: Uint8Array): Result<VexDocument> {
  const parsed = parseJson(bytes, { maxBytes: VEX_BYTES });
  if (!parsed.ok) return parsed;
  const json = parsed.value;
  if (!isJsonObject(json)) return unknownForm('another JSON value');
  if (String(own(json, '@context') ?? '').includes('openvex')) return attempt(() => readOpenVex(json));
  if (isJsonObject(own(json, 'document'))) return attempt(() => readCsaf(json));
  if (own(json, 'bomFormat') === 'CycloneDX') return attempt(() => readCycloneDxVex(json));
  return unknownForm(`fields ${Object.keys(json).slice(0, 8).join(', ')}`);
}

const unknownForm = (actual: string): Result<never> =>
  err(reason(R.vex, { expected: '@context of OpenVEX, document of CSAF, or bomFormat CycloneDX', actual }));
