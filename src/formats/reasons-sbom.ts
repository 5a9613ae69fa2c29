import { defineReasons } from '#base/reason';

/** Reasons of the package and advisory formats (190–199). */
export const R = defineReasons({
  purl: {
    code: 'WB-190',
    check: 'purl.form',
    side: 'input',
    summary: 'A package URL is malformed.',
    hint: 'write pkg:type/namespace/name@version?qualifiers#subpath',
  },
  osv: {
    code: 'WB-191',
    check: 'osv.record',
    side: 'input',
    summary: 'An advisory is not a usable OSV record.',
    hint: 'give OSV JSON (https://ossf.github.io/osv-schema/), one record a file or a line',
  },
  sbom: {
    code: 'WB-192',
    check: 'sbom.form',
    side: 'input',
    summary: 'A document is not an SBOM that can be read.',
    hint: 'give CycloneDX 1.4–1.7, SPDX 2.2, 2.3 or 3.0, or the JSON of Syft',
  },
});
