import { defineReasons } from '#base/reason';

export const R = defineReasons({
  blobSignature: {
    code: 'WB-911',
    check: 'blob.signature',
    side: 'evidence',
    class: 'predicate-type',
    summary: 'The document holds a statement about the file, not a signature over it.',
    hint: 'use waybill verify-blob-attestation --type TYPE, or accept it with --accept-any-predicate',
    exit: 12,
  },
  blobAttestation: {
    code: 'WB-912',
    check: 'blob.attestation',
    side: 'evidence',
    class: 'predicate-type',
    summary: 'The document holds a bare signature over the file, not a statement about it.',
    hint: 'use waybill verify-blob',
    exit: 12,
  },
  localBundle: {
    code: 'WB-913',
    check: 'blob.bundle',
    side: 'input',
    summary: 'A local bundle of cosign before version 3 does not have its form.',
    hint: 'give what cosign sign-blob --bundle wrote, or a Sigstore bundle (*.sigstore.json)',
  },
  condition: {
    code: 'WB-908',
    check: 'attestation.condition',
    side: 'evidence',
    class: 'policy-denied',
    summary: 'A verified attestation does not meet a condition on its predicate.',
    hint: 'look at the predicate with --json, and correct the condition or the image',
    exit: 12,
  },
  conditionFailed: {
    code: 'WB-914',
    check: 'attestation.conditionError',
    side: 'evidence',
    class: 'policy-denied',
    summary: 'A condition cannot be decided on the predicate of a verified attestation.',
    hint: 'look at the predicate with --json; ask with has(…) before using a field that may be absent',
    exit: 12,
  },
  conditionText: {
    code: 'WB-915',
    check: 'attestation.conditionText',
    side: 'usage',
    summary: 'A condition is not a CEL expression that says true or false.',
    hint: 'write for example --condition \'predicate.builder.id == "https://…"\'; the variables are predicate, predicateType and subject',
  },
});
