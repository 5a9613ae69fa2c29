/**
 * The requirements, each with its check. The table is typed by the record: a requirement without a check does
 * not compile. Checks run in the order written, over facts that already hold.
 */
import { type Reason, reason } from '#base/reason';
import { err, ok, type Result } from '#base/result';
import type { Sct } from '#formats/sct';
import { isValidAt } from '#formats/trusted-root';
import type { Certificate } from '#formats/x509';
import { type Claims, checkAnnotations, checkPredicate, checkSubject } from './content.ts';
import type { Hashed } from './hashed.ts';
import { matchIdentity, type NamedSigner } from './identity.ts';
import type { TrustedAuthority, TrustMaterial } from './material.ts';
import { R } from './reasons.ts';
import type { Requirements } from './requirements.ts';
import { verifyScts } from './sct.ts';
import type { LoggedEntry } from './tlog.ts';
import type { Evidence, ObservedTime } from './verdict.ts';

/** What was established before any requirement is asked. */
export interface Facts {
  readonly artifact: Hashed;
  readonly trust: TrustMaterial;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly entries: readonly LoggedEntry[];
  readonly times: readonly ObservedTime[];
  /** Timestamps that failed: they explain why a time is missing. */
  readonly timestampFaults: readonly Reason[];
  readonly issued:
    | {
        readonly certificate: Certificate;
        readonly authority: TrustedAuthority;
        readonly signer: NamedSigner;
        readonly sct: Sct | undefined;
      }
    | undefined;
  readonly claims: Claims;
}

export type RequirementName = Exclude<keyof Requirements, symbol>;

/** Evidence that the requirement is met; `degraded` when the caller gave it up. */
export type Outcome =
  | { readonly kind: 'met'; readonly evidence: readonly Evidence[] }
  | { readonly kind: 'degraded' };

export type Check<K extends RequirementName> = (required: Requirements[K], facts: Facts) => Result<Outcome>;

const met = (...evidence: readonly Evidence[]): Result<Outcome> => ok({ kind: 'met', evidence });
const degraded: Result<Outcome> = ok({ kind: 'degraded' });

export const checks: { readonly [K in RequirementName]: Check<K> } = {
  tlog: (required, facts) => {
    if (required.kind === 'notRequiredUnsafe') return degraded;
    const operators = new Set(facts.entries.map(({ log }) => log.operator));
    if (operators.size < required.count) {
      const expected = `entries in ${required.count} independent transparency log${required.count > 1 ? 's' : ''}`;
      return err(reason(R.logThreshold, { expected, actual: [...operators].join(', ') || 'none' }));
    }
    return met(...facts.entries.map(logEvidence));
  },
  time: (required, facts) => {
    if (required.kind === 'current') return degraded;
    if (required.kind === 'notRequired') return met();
    if (required.kind !== 'signedIfAny') return checkTime(required.kind, required.atLeast, facts);
    const isStamped =
      facts.timestampFaults.length > 0 || facts.times.some(({ kind }) => kind === 'timestamp');
    if (isStamped) return checkTime('signed', 1, facts);
    if (required.otherwise === 'integrated') return checkTime('integrated', 1, facts);
    return required.otherwise === 'current' ? degraded : met();
  },
  sct: (required, { issued, trust }) => {
    if (required.kind === 'notRequiredUnsafe') return degraded;
    if (required.kind === 'notApplicable' || issued === undefined) return met();
    const scts = verifyScts(issued, trust, required.count);
    if (!scts.ok) return scts;
    const operators = scts.value.join(', ');
    return met({ requirement: 'sct', summary: 'the certificate was logged', details: { operators } });
  },
  signer: (required, facts) => {
    if (required.kind === 'anyIdentityUnsafe') return degraded;
    if (required.kind === 'key') return checkKeyWindow(required, facts);
    const { issued } = facts;
    if (issued === undefined) {
      return err(reason(R.certificateMissing, { expected: 'a certificate', actual: 'a bare key' }));
    }
    const matched = matchIdentity(issued.certificate, issued.signer, required.anyOf);
    if (!matched.ok) return matched;
    const details = { issuer: issued.signer.issuer, identity: issued.signer.san.value };
    return met({ requirement: 'signer', summary: 'the identity is one of those required', details });
  },
  subject: (required, { claims, artifact }) => {
    if (required.kind === 'notRequiredUnsafe') return degraded;
    const subject = checkSubject(claims, artifact);
    if (!subject.ok) return subject;
    const details = { subject: subject.value };
    return met({ requirement: 'subject', summary: 'the content is about the artifact', details });
  },
  predicate: (required, { claims }) => {
    const type = checkPredicate(claims, required);
    if (!type.ok) return type;
    if (required.kind === 'any' || type.value === undefined) return met();
    const details = { predicateType: type.value };
    return met({ requirement: 'predicate', summary: 'the statement is of a type required', details });
  },
  annotations: (required, { claims, artifact }) => {
    const annotations = checkAnnotations(claims, required, artifact);
    if (!annotations.ok) return annotations;
    if (Object.keys(required).length === 0) return met();
    return met({
      requirement: 'annotations',
      summary: 'the annotations are as required',
      details: { ...required },
    });
  },
};

function logEvidence({ entry, log, isProven, promisedAt }: LoggedEntry): Evidence {
  return {
    requirement: 'tlog',
    summary: isProven ? 'the entry is proven to be in the log' : 'the log promised the entry',
    details: {
      operator: log.operator,
      host: log.host,
      // Without a promise nothing but the proof vouches for an index.
      logIndex:
        promisedAt === undefined ? (entry.inclusionProof?.logIndex ?? entry.logIndex) : entry.logIndex,
      ...(promisedAt === undefined ? {} : { integratedTime: promisedAt / 1000 }),
    },
  };
}

function checkTime(
  kind: 'observed' | 'signed' | 'integrated',
  atLeast: number,
  facts: Facts,
): Result<Outcome> {
  const accepted = facts.times.filter(
    (time) =>
      (kind !== 'integrated' && time.kind === 'timestamp') ||
      (kind !== 'signed' && time.kind === 'integrated'),
  );
  // An operator may run a log and a timestamp authority: those are two witnesses, two tokens of one are not.
  const witnesses = new Set(accepted.map((time) => `${time.kind} ${time.operator}`));
  if (witnesses.size >= atLeast) {
    return met(
      ...accepted.map(({ at, kind: source, operator }): Evidence => {
        const details = { time: new Date(at).toISOString(), source, operator };
        return { requirement: 'time', summary: 'the signature existed at a trusted time', details };
      }),
    );
  }
  const [fault] = facts.timestampFaults;
  if (witnesses.size === 0 && kind !== 'integrated' && fault !== undefined) return err(fault);
  const expected = `${atLeast} independent trusted time${atLeast > 1 ? 's' : ''} (${kind})`;
  const actual = [...witnesses].join(', ') || 'none';
  return err(
    reason(R.timeMissing, { expected, actual, class: witnesses.size > 0 ? 'threshold' : 'no-time' }),
  );
}

function checkKeyWindow(
  { key, validFor }: Extract<Requirements['signer'], { kind: 'key' }>,
  { times, now }: Facts,
): Result<Outcome> {
  const moments = times.length > 0 ? times.map((time) => time.at) : [now];
  const outside = validFor === undefined ? undefined : moments.find((ms) => !isValidAt(validFor, ms));
  if (outside !== undefined) {
    const actual = new Date(outside).toISOString();
    return err(reason(R.keyWindow, { expected: 'a time within the validity of the key', actual }));
  }
  return met({ requirement: 'signer', summary: 'the key is the one required', details: { kind: key.kind } });
}
