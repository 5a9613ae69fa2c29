/**
 * An exception: one image, by its digest, in one namespace, until a moment, for a reason that somebody else
 * agreed to. Here are its terms as they stand in an in-toto statement; who signed is `approval.ts`.
 */
import type { Digest } from '#base/brand';
import { rfc3339 } from '#base/clock';
import { digest, digestHex } from '#base/digest';
import { fail } from '#base/reason';
import { attempt, type Result } from '#base/result';
import type { Statement, StatementInput } from '#formats/intoto';
import { type JsonReader, type JsonValue, reader } from '#formats/json';
import { R } from './reasons.ts';

/** Predicate types. The last is what the log holds about each admission by exception. */
export const EXCEPTION_V1 = 'https://waybill.dev/exception/v1';
export const REVOCATION_V1 = 'https://waybill.dev/exception-revocation/v1';
export const EXCEPTION_USE_V1 = 'https://waybill.dev/exception-use/v1';

export interface Exception {
  /** A DNS label: what warnings, metrics and logs call it. */
  readonly name: string;
  readonly digest: Digest;
  /** Exact; no patterns. */
  readonly namespace: string;
  /** Only results of this policy, and of this rule of it, are excused; absent: of any. */
  readonly policy?: string;
  readonly rule?: string;
  readonly reason: string;
  /** Where it is discussed. */
  readonly ticket: string;
  /** Milliseconds since the epoch, whole seconds. */
  readonly createdAt: number;
  /** The first moment it no longer holds. */
  readonly notAfter: number;
}

const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const TEXT_CHARS_MAX = 500;

/** The statement to sign. `repository` is for people; the digest is what counts. Throws WB-750. */
export function exceptionStatement(exception: Exception, repository?: string): StatementInput {
  const { name, namespace, policy, rule, reason, ticket, createdAt, notAfter } = exception;
  const sha256 = digestHex(exception.digest);
  const predicate = {
    name,
    scope: {
      namespace,
      ...(policy === undefined ? {} : { policy }),
      ...(rule === undefined ? {} : { rule }),
    },
    reason,
    ticket,
    createdAt: rfc3339(createdAt),
    notAfter: rfc3339(notAfter),
  };
  // Nothing is written that could not be read.
  termsOf(predicate, exception.digest);
  const subject = { ...(repository === undefined ? {} : { name: repository }), digest: { sha256 } };
  return { subject: [subject], predicateType: EXCEPTION_V1, predicate };
}

/** The terms of a statement. WB-750 for anything that is not exactly an exception. */
export function readException(statement: Statement): Result<Exception> {
  return attempt(() => {
    if (statement.predicateType !== EXCEPTION_V1) {
      throw fail(R.form, { expected: EXCEPTION_V1, actual: statement.predicateType });
    }
    return termsOf(statement.predicate, onlySubject(statement, 'the image'));
  });
}

/** The SHA-256 the one subject of a statement names. Throws WB-750. */
export function onlySubject({ subject }: Statement, what: string): Digest {
  const [only] = subject;
  const sha256 = only.digest['sha256'];
  if (subject.length !== 1 || sha256 === undefined) {
    const expected = `one subject with a sha256: ${what}`;
    throw fail(R.form, { expected, actual: `${subject.length} subjects` });
  }
  return digest(`sha256:${sha256}`);
}

const predicateFields = ['name', 'scope', 'reason', 'ticket', 'createdAt', 'notAfter'];

function termsOf(predicate: JsonValue, image: Digest): Exception {
  const json = reader(predicate, 'predicate', { as: R.form });
  onlyFields(json, predicateFields);
  const scope = json.child('scope');
  onlyFields(scope, ['namespace', 'policy', 'rule']);
  const policy = scope.has('policy') ? line(scope, 'policy') : undefined;
  const rule = scope.has('rule') ? line(scope, 'rule') : undefined;
  if (rule !== undefined && policy === undefined) throw scope.wrong('rule', 'a policy beside the rule', rule);
  const createdAt = json.time('createdAt');
  const notAfter = json.time('notAfter');
  if (notAfter <= createdAt) {
    throw json.wrong('notAfter', `a time after ${rfc3339(createdAt)}`, rfc3339(notAfter));
  }
  return {
    name: labelOf(json, 'name'),
    digest: image,
    namespace: labelOf(scope, 'namespace'),
    ...(policy === undefined ? {} : { policy }),
    ...(rule === undefined ? {} : { rule }),
    reason: line(json, 'reason'),
    ticket: line(json, 'ticket'),
    createdAt,
    notAfter,
  };
}

/** A field nobody reads would be a condition nobody checks. */
function onlyFields(json: JsonReader, known: readonly string[]): void {
  for (const key of Object.keys(json.object)) {
    if (!known.includes(key)) throw json.wrong(key, `only ${known.join(', ')}`, 'another field');
  }
}

function labelOf(json: JsonReader, key: string): string {
  const value = json.string(key);
  if (!label.test(value)) throw json.wrong(key, 'lower-case letters, digits and hyphens, at most 63', value);
  return value;
}

/** One line of text: it goes into warnings, logs and terminals. */
function line(json: JsonReader, key: string): string {
  const value = json.string(key);
  if (value.trim() === '' || value.length > TEXT_CHARS_MAX || /\p{C}|\p{Zl}|\p{Zp}/u.test(value)) {
    throw json.wrong(key, `one line of 1 to ${TEXT_CHARS_MAX} characters`, value);
  }
  return value;
}
