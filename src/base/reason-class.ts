/**
 * What kind of thing went wrong: a small, stable vocabulary over the many error codes. Scripts and dashboards
 * may rely on these words; codes may be added, a word never changes its meaning.
 */
export const reasonClasses = {
  malformed: 'bytes or a document do not have their form',
  limit: 'something is larger, deeper or more numerous than allowed',
  unsupported: 'a version, kind or algorithm that is not accepted',
  'untrusted-root': 'the trusted root is missing, unusable or not the expected one',
  chain: 'a certificate does not lead to an authority of the trusted root',
  'cert-usage': 'a certificate may not be used for this',
  sct: 'no CT log of the trusted root vouches for the certificate',
  time: 'a time lies outside an interval, or a timestamp is not of this signature or a trusted authority',
  'no-time': 'no trusted time says when the signature existed',
  'log-entry': 'a log entry is about something else, or its promise does not hold',
  'log-proof': 'an entry is not proven to be in its log',
  checkpoint: 'a checkpoint is malformed or not signed by its log',
  'log-consistency': 'two views of a log contradict each other',
  tuf: 'trust metadata does not verify or has expired',
  signature: 'a signature does not verify',
  'payload-type': 'signed content is of another kind than an attestation or image signature',
  'predicate-type': 'a statement is of another type than asked for',
  subject: 'signed content is about something else, or names nothing',
  digest: 'bytes do not have the digest they are announced with',
  identity: 'the signer is somebody else',
  issuer: 'the identity was vouched for by another issuer',
  builder: 'another builder, or a build that is not as expected',
  source: 'built from another source',
  threshold: 'fewer independent witnesses than required',
  'no-evidence': 'nothing that could be judged is there',
  ref: 'a name does not lead to anything, or is malformed',
  'policy-invalid': 'a policy or requirement cannot be used, or demands nothing',
  'policy-denied': 'the evidence holds and the policy still says no',
  auth: 'credentials are missing or refused',
  forbidden: 'the caller may not do this',
  'ssrf-blocked': 'a redirect or address was refused to protect the caller',
  io: 'a file, a store or an address cannot be used',
  unavailable: 'somebody did not answer, so nothing was judged',
  usage: 'the words of the caller cannot be understood',
  internal: 'a defect of waybill; never the verdict on evidence',
} as const;

export type ReasonClass = keyof typeof reasonClasses;
