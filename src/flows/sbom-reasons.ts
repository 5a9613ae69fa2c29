import { defineReasons } from '#base/reason';

/** Codes 980–985: SBOMs in attestations. */
export const R = defineReasons({
  attestation: {
    code: 'WB-980',
    check: 'sbom.attestation',
    side: 'input',
    summary: 'An attestation that was given holds no SBOM that can be read.',
    hint: 'give an in-toto statement, a DSSE envelope or a Sigstore bundle whose predicate is CycloneDX or SPDX',
  },
  disagree: {
    code: 'WB-981',
    check: 'sbom.disagree',
    side: 'evidence',
    class: 'subject',
    summary: 'Attested SBOMs of the image differ, and nothing trusted says which is the newest.',
    hint: 'verify with times (a log or a timestamp authority), or take the wrong attestation away: waybill clean',
    exit: 2,
  },
  epoch: {
    code: 'WB-982',
    check: 'sbom.epoch',
    side: 'input',
    summary: 'SOURCE_DATE_EPOCH, which dates what is written, is no time.',
    hint: 'set it to seconds since 1970, as git log -1 --format=%ct prints them, or unset it',
  },
});
