import { defineReasons } from '#base/reason';

export const R = defineReasons({
  review: {
    code: 'WB-1140',
    check: 'admission.review',
    side: 'input',
    summary: 'A request is not an AdmissionReview of admission.k8s.io/v1.',
    hint: 'set admissionReviewVersions: [v1] in the webhook configuration',
  },
  mediaType: {
    code: 'WB-1141',
    check: 'admission.mediaType',
    side: 'input',
    summary: 'A review is not sent as JSON.',
    hint: 'send Content-Type: application/json',
    status: 415,
  },
  certificate: {
    code: 'WB-1143',
    check: 'admission.certificate',
    side: 'usage',
    summary: 'The certificate or key of the webhook cannot be used.',
    hint: 'give a PEM certificate and its private key, or --self-made',
  },
  unmatched: {
    code: 'WB-1144',
    check: 'admission.unmatched',
    side: 'evidence',
    class: 'policy-denied',
    summary: 'No policy covers an image, and the webhook is told to deny such images.',
    hint: 'add a rule for the registry of this image, or start with --unmatched warn',
  },
  defect: {
    code: 'WB-1145',
    check: 'admission.defect',
    side: 'defect',
    summary: 'A review could not be judged because of a defect; it is denied.',
    hint: 'report it with the log line of the same uid',
  },
  policies: {
    code: 'WB-1146',
    check: 'admission.policies',
    side: 'usage',
    summary: 'The webhook was started without a usable set of policies or trusted root.',
    hint: 'give --policy FILE and --trusted-root FILE',
  },
});
