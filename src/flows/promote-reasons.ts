import { defineReasons } from '#base/reason';

export const R = defineReasons({
  uncovered: {
    code: 'WB-970',
    check: 'promote.policy',
    side: 'evidence',
    class: 'policy-denied',
    summary: 'No rule of the policy covers the image that is to be promoted.',
    hint: 'add a rule for the repository of the source: what no rule looks at was not verified',
    exit: 2,
  },
  noEvidence: {
    code: 'WB-971',
    check: 'promote.evidence',
    side: 'evidence',
    class: 'no-evidence',
    summary: 'The policy lets the image in without looking at any signature or attestation.',
    hint: 'ask for a signature or an attestation: a summary of no evidence is not signed',
    exit: 2,
  },
  provenance: {
    code: 'WB-972',
    check: 'promote.provenance',
    side: 'evidence',
    class: 'no-evidence',
    summary: 'Nothing the policy accepted is provenance, so no build level can be stated.',
    hint: 'ask for provenance in the policy, or leave --source-uri out',
    exit: 2,
  },
  tagTaken: {
    code: 'WB-973',
    check: 'promote.tag',
    side: 'usage',
    summary: 'The tag at the target already holds another digest.',
    hint: 'promote under a new tag, or move this one with --force-tag',
  },
  targetDigest: {
    code: 'WB-974',
    check: 'promote.digest',
    side: 'usage',
    summary: 'The target names another digest than the source has.',
    hint: 'leave the digest out of the target, or name the source by the digest you expect',
  },
});
