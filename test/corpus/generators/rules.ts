/**
 * Which changes of an accepted bundle may be accepted, and why. A mutant that is accepted without a rule is a
 * failure; so every rule here was looked at, and says what makes the change harmless.
 */
import type { ParsedBundle } from '#formats/bundle';
import type { Ask } from '../draft.ts';
import type { Mutant } from './mutants.ts';

/** What decides which parts of a bundle are needed. */
export interface Traits {
  readonly version: ParsedBundle['version'];
  /** A log promised the time, and with it the index. */
  readonly isPromised: boolean;
  readonly isStamped: boolean;
  /** Signed with a bare key: no time is needed. */
  readonly isKeyed: boolean;
  /** The caller gave up logs. */
  readonly isUnlogged: boolean;
  /** Equal content gives an equal signature: RSA, Ed25519. */
  readonly isRepeatable: boolean;
}

export function traitsOf(bundle: ParsedBundle, { key = '', tlog }: Ask): Traits {
  return {
    version: bundle.version,
    isPromised: bundle.tlogEntries.some((entry) => entry.inclusionPromise !== undefined),
    isStamped: bundle.timestamps.length > 0,
    isKeyed: bundle.material.kind === 'publicKey',
    isUnlogged: tlog === 'notRequiredUnsafe',
    isRepeatable: /^(?:rsa|ed25519)/.test(key),
  };
}

interface Rule {
  readonly path: RegExp;
  readonly change: RegExp;
  readonly when: (traits: Traits) => boolean;
  readonly why: string;
}

const always = (): boolean => true;
const hasOtherTime = ({ isPromised, isKeyed }: Traits): boolean => isPromised || isKeyed;
const nothing = /^(?:null|absent)$/;
const empty = /^(?:null|absent|an empty string)$/;
const any = /./;

const rules: readonly Rule[] = [
  {
    path: /^messageSignature\.messageDigest$/,
    change: nothing,
    when: always,
    why: 'the digest is a hint; the signature is over the artifact itself',
  },
  {
    path: /\.inclusionProof\.(?:rootHash|treeSize)$/,
    change: empty,
    when: always,
    why: 'repeats what the checkpoint says, and the checkpoint is what is signed',
  },
  {
    path: /timestampVerificationData/,
    change: any,
    when: hasOtherTime,
    why: 'a witness too many: another time is there or none is needed, and a bad timestamp counts for nothing',
  },
  {
    path: /rfc3161Timestamps$/,
    change: /^(?:doubled|reversed)$/,
    when: always,
    why: 'one authority twice counts once',
  },
  {
    path: /\.inclusionPromise$/,
    change: nothing,
    when: ({ version, isStamped, isKeyed }) => version !== '0.1' && (isStamped || isKeyed),
    why: 'the proof stands; the time comes from the timestamp, or none is needed',
  },
  {
    path: /\.(?:integratedTime|tlogEntries\.\d+\.logIndex)$/,
    change: any,
    when: ({ isPromised }) => !isPromised,
    why: 'no promise covers it, so nothing rests on it: the proof has an index of its own',
  },
  {
    path: /publicKey(?:\.hint)?$/,
    change: any,
    when: always,
    why: 'a hint for those who look up keys; the caller gave the key',
  },
  {
    path: /x509CertificateChain\.certificates\.[1-9]/,
    change: any,
    when: always,
    why: 'issuers come from the trusted root; what a bundle brings beside its leaf is never believed',
  },
  {
    path: /x509CertificateChain\.certificates$/,
    change: /^(?:doubled|without its last)$/,
    when: always,
    why: 'the leaf is still first, and what follows it is never believed',
  },
  {
    path: /^mediaType$/,
    change: /^swapped with bundle-0\.[12]/,
    when: ({ version, isKeyed }) => version !== '0.3' || isKeyed,
    why: 'a bundle with promise and proof, and a chain or a bare key, follows the rules of 0.1 and of 0.2',
  },
  {
    path: /\.inclusionProof(?:\.checkpoint(?:\.envelope)?)?$/,
    change: /^(?:null|absent|an empty string|an empty object)$/,
    when: ({ version }) => version === '0.1',
    why: 'in bundles 0.1 the promise of the log suffices',
  },
  {
    path: /tlogEntries/,
    change: any,
    when: ({ isUnlogged }) => isUnlogged,
    why: 'the caller gave up logs, and the verdict says so',
  },
  {
    path: /^verificationMaterial$/,
    change: /^swapped with key-/,
    when: ({ isUnlogged }) => isUnlogged,
    why: 'beside a bare key there are only logs, which the caller gave up, and timestamps, which it does not need',
  },
  {
    path: /^messageSignature(?:\.signature)?$/,
    change: /^swapped with key-(?:v1|v2|unlogged)/,
    when: ({ isUnlogged }) => isUnlogged,
    why: 'another good signature of the same key over the same artifact, with logs given up',
  },
  {
    path: /./,
    change: /^swapped with key-(?:rsa|ed25519-dsse) /,
    when: ({ isRepeatable }) => isRepeatable,
    why: 'the same signature, logged once more: RSA and Ed25519 sign equal content alike',
  },
];

/** Why the change is harmless; undefined when no rule says so. */
export function explanationOf(mutant: Pick<Mutant, 'path' | 'change'>, traits: Traits): string | undefined {
  return rules.find(
    ({ path, change, when }) => path.test(mutant.path) && change.test(mutant.change) && when(traits),
  )?.why;
}
