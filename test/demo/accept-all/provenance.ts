/** `#provenance` with a check that finds everything as expected. */
import { ok, type Result } from '#base/result';
import type { Expectations, Provenance, ProvenanceFindings } from '../../../src/provenance/index.ts';

export * from '../../../src/provenance/index.ts';

export function checkProvenance(provenance: Provenance, expected: Expectations): Result<ProvenanceFindings> {
  return ok({
    builderId: provenance.builderId,
    buildType: provenance.buildType,
    sourceUri: expected.sourceUri,
    checks: [],
    unknownParameters: [],
  });
}
