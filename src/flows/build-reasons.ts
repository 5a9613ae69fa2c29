import { defineReasons } from '#base/reason';

/** Codes 920–929: building, and provenance of images. */
export const R = defineReasons({
  issuerMissing: {
    code: 'WB-920',
    check: 'provenance.issuer',
    side: 'usage',
    summary: 'Nothing says which issuer vouches for the identity of a builder.',
    hint: 'name it with --certificate-oidc-issuer',
  },
  noProvenance: {
    code: 'WB-921',
    check: 'provenance.attached',
    side: 'evidence',
    class: 'no-evidence',
    summary: 'An image carries no SLSA provenance.',
    hint: 'build it with `waybill build`, or attach what its builder signed',
    exit: 10,
  },
  builderAnswer: {
    code: 'WB-922',
    check: 'build.answer',
    side: 'environment',
    summary: 'A builder refused a request or answered with something else than a build record.',
    hint: 'check the address of the builder and its caller token',
    exit: 20,
  },
});
