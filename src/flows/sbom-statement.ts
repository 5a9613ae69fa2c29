/** SBOMs inside in-toto statements: which predicate types hold one, and the document of a predicate. Pure. */
import { utf8 } from '#base/bytes';
import { reason } from '#base/reason';
import { err, type NonEmpty, type Result } from '#base/result';
import { predicateTypes, type Statement } from '#formats/intoto';
import { isJsonObject, own } from '#formats/json';
import type { Sbom } from '#formats/sbom';
import { parseSbom } from '#formats/sbom-read';
import { R } from './sbom-reasons.ts';

const { cyclonedx, spdx } = predicateTypes;

/** Predicate types of SBOMs: those of cosign, then with the version of the document, as `attest-sbom` writes them. */
export const sbomPredicateTypes: NonEmpty<string> = [
  cyclonedx,
  spdx,
  ...['v1.4', 'v1.5', 'v1.6', 'v1.7'].map((version) => `${cyclonedx}/${version}`),
  ...['v2.2', 'v2.3', 'v3', 'v3.0', 'v3.0.1'].map((version) => `${spdx}/${version}`),
];

/**
 * The SBOM of a statement; cosign's `spdx` type holds it as text. WB-980 for another predicate type, and for a
 * document that is not what its type says.
 */
export function sbomOfStatement({ predicateType, predicate }: Statement): Result<Sbom> {
  const said = predicateType.startsWith(cyclonedx) ? 'CycloneDX' : 'SPDX';
  if (!sbomPredicateTypes.includes(predicateType)) {
    const expected = `a statement of type ${cyclonedx} or ${spdx}`;
    return err(reason(R.attestation, { expected, actual: JSON.stringify(predicateType).slice(0, 200) }));
  }
  if (typeof predicate === 'string') return parseSbom(utf8(predicate));
  const isCycloneDx = isJsonObject(predicate) && own(predicate, 'bomFormat') === 'CycloneDX';
  const read = parseSbom(utf8(JSON.stringify(predicate)));
  if (!read.ok || isCycloneDx === (said === 'CycloneDX')) return read;
  const expected = `${said}, as ${predicateType} says`;
  return err(reason(R.attestation, { expected, actual: 'an SBOM of another form' }));
}
