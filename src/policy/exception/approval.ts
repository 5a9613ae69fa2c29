/** Two people, one statement: when an exception is approved, and when an approved one holds. */
import { rfc3339 } from '#base/clock';
import { type Reason, reason } from '#base/reason';
import { err, ok, type Result } from '#base/result';
import type { Statement } from '#formats/intoto';
import type { Accepted } from '#verify';
import { parseImageName } from '../image/name.ts';
import type { Approver, Approvers } from './approvers.ts';
import { type Exception, onlySubject, REVOCATION_V1, readException } from './exception.ts';
import { R } from './reasons.ts';

declare const approved: unique symbol;

/** An exception whose signatures were verified and whose signers are two people. Made by `approveException`. */
export interface ApprovedException extends Exception {
  /** SHA-256 of the signed statement, hex: what revocations and uses name. */
  readonly id: string;
  readonly approvedBy: readonly Approver[];
  readonly [approved]: true;
}

/** One signature the verifier accepted, and the SHA-256 (hex) of the payload it is over. */
export interface ExceptionSignature {
  readonly id: string;
  readonly accepted: Accepted;
}

const HOUR_MS = 3_600_000;
/** How far the clock of who signs may be ahead of ours. */
const SKEW_MS = 60_000;

/** Fails with WB-750, WB-752, WB-753 or WB-754. */
export function approveException(
  signatures: readonly ExceptionSignature[],
  approvers: Approvers,
): Result<ApprovedException> {
  const [first] = signatures;
  const statement = first?.accepted.statement;
  if (first === undefined || statement === undefined) {
    return refuse(R.approval, 'two signed statements', `${signatures.length}`);
  }
  const other = signatures.find(({ id }) => id !== first.id);
  if (other !== undefined) {
    return refuse(R.statement, `the statement sha256:${first.id}`, `sha256:${other.id}`);
  }
  const terms = readException(statement);
  if (!terms.ok) return terms;
  const by = signatures.flatMap(({ accepted }) => approverOf(accepted, approvers) ?? []);
  if (by.length < signatures.length) {
    return refuse(R.approval, 'signatures of approvers', 'one of somebody else');
  }
  const people = [...new Set(by.map(({ person }) => person))];
  if (people.length < 2) {
    const actual = `${signatures.length} signature${signatures.length === 1 ? '' : 's'} by ${people.join()}`;
    return refuse(R.approval, 'signatures of two different people', actual);
  }
  const hours = (terms.value.notAfter - terms.value.createdAt) / HOUR_MS;
  if (hours > approvers.hoursMax) {
    return refuse(R.duration, `at most ${approvers.hoursMax} hours`, `${Math.ceil(hours)} hours`);
  }
  return ok({ ...terms.value, id: first.id, approvedBy: by } as unknown as ApprovedException);
}

function approverOf({ signer }: Accepted, { all }: Approvers): Approver | undefined {
  if (signer.kind !== 'certificate') return undefined;
  return all.find(({ identity, issuer }) => identity === signer.san.value && issuer === signer.issuer);
}

/** The id of the exception a revocation ends. WB-750 for another statement. */
export function revokedId(statement: Statement): Result<string> {
  if (statement.predicateType !== REVOCATION_V1) {
    return refuse(R.form, REVOCATION_V1, statement.predicateType);
  }
  return ok(onlySubject(statement, 'the exception').slice('sha256:'.length));
}

/** Fails with WB-755 outside the time of the exception. */
export function isCurrent({ name, createdAt, notAfter }: Exception, nowMs: number): Result<void> {
  if (nowMs >= notAfter) {
    return refuse(R.time, `a time before ${rfc3339(notAfter)}, when ${name} ended`, rfc3339(nowMs));
  }
  if (nowMs < createdAt - SKEW_MS) {
    return refuse(R.time, `a time from ${rfc3339(createdAt)}, when ${name} begins`, rfc3339(nowMs));
  }
  return ok(undefined);
}

/** One result of a check that would refuse a request. */
export interface Refused {
  readonly namespace: string;
  /** As written in the object. */
  readonly image: string;
  readonly policy: string;
  readonly rule: string;
}

/**
 * Whether the terms are about this refusal: exactly the namespace, and the digest as the object itself names it.
 * An image by tag is never excused: what runs may be something else by then. WB-756.
 */
export function isAbout(terms: Exception, refused: Refused): Result<void> {
  const name = parseImageName(refused.image);
  const digest = name.ok && name.value.digest !== '' ? name.value.digest : 'an image named by its tag';
  const pairs: readonly (readonly [string, string, string])[] = [
    ['namespace', terms.namespace, refused.namespace],
    ['image', terms.digest, digest],
    ['policy', terms.policy ?? refused.policy, refused.policy],
    ['rule', terms.rule ?? refused.rule, refused.rule],
  ];
  const off = pairs.find(([, wanted, actual]) => wanted !== actual);
  return off === undefined ? ok(undefined) : refuse(R.scope, `${off[0]} ${off[1]}`, off[2]);
}

function refuse(spec: Parameters<typeof reason>[0], expected: string, actual: string): Result<never> {
  return err(reason(spec, { expected, actual }) satisfies Reason);
}
