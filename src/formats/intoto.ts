/** in-toto statements (github.com/in-toto/attestation, spec v0.1 and v1) and the predicate types of the field. */
import { utf8 } from '#base/bytes';
import { limits } from '#base/limits';
import { fail, reason } from '#base/reason';
import { attempt, err, type NonEmpty, ok, type Result, unwrap } from '#base/result';
import { isJsonObject, type JsonObject, type JsonReader, type JsonValue, parseJson, reader } from './json.ts';
import { R } from './sigstore-reasons.ts';

export const STATEMENT_V1 = 'https://in-toto.io/Statement/v1';
/** What `cosign attest` writes to this day. */
export const STATEMENT_V01 = 'https://in-toto.io/Statement/v0.1';

export interface Subject {
  readonly name?: string;
  /** Algorithm → lower-case hex; never empty. */
  readonly digest: Readonly<Record<string, string>>;
  readonly annotations?: JsonObject;
}

export interface Statement {
  readonly type: typeof STATEMENT_V1 | typeof STATEMENT_V01;
  readonly subject: NonEmpty<Subject>;
  readonly predicateType: string;
  /** Null when the statement has none, as signatures by cosign 3.0.0–3.0.4. */
  readonly predicate: JsonValue;
}

/** Predicate type of an image signature made by cosign ≥ 3. */
export const COSIGN_SIGN_V1 = 'https://sigstore.dev/cosign/sign/v1';

/** cosign's `--type` aliases. */
export const predicateTypes = {
  custom: 'https://cosign.sigstore.dev/attestation/v1',
  slsaprovenance: 'https://slsa.dev/provenance/v0.2',
  slsaprovenance02: 'https://slsa.dev/provenance/v0.2',
  slsaprovenance1: 'https://slsa.dev/provenance/v1',
  spdx: 'https://spdx.dev/Document',
  spdxjson: 'https://spdx.dev/Document',
  cyclonedx: 'https://cyclonedx.org/bom',
  link: 'https://in-toto.io/Link/v1',
  vuln: 'https://cosign.sigstore.dev/attestation/vuln/v1',
  openvex: 'https://openvex.dev/ns',
  vsa: 'https://slsa.dev/verification_summary/v1',
} as const;

export type PredicateAlias = keyof typeof predicateTypes;

/** An alias or an absolute URI → the predicate type. */
export function resolvePredicateType(aliasOrUri: string): Result<string> {
  if (Object.hasOwn(predicateTypes, aliasOrUri)) return ok(predicateTypes[aliasOrUri as PredicateAlias]);
  // Types are compared as strings, so the URI is kept as written.
  if (/^[A-Za-z][A-Za-z0-9+.-]*:[^\s\p{Cc}]+$/u.test(aliasOrUri) && URL.canParse(aliasOrUri)) {
    return ok(aliasOrUri);
  }
  const expected = `one of ${Object.keys(predicateTypes).join(', ')} or an absolute URI`;
  return err(reason(R.predicateType, { expected, actual: JSON.stringify(aliasOrUri) }));
}

/** Parses the payload of an attestation. Fails with WB-156, WB-157, WB-158 or a JSON reason. */
export function parseStatement(
  bytes: Uint8Array,
  maxBytes: number = limits.attachmentBytes,
): Result<Statement> {
  return attempt(() => {
    const json = reader(unwrap(parseJson(bytes, { maxBytes })), 'statement', { as: R.statement });
    // Whatever it is, it does not say that it is a statement.
    if (!json.has('_type')) throw json.wrong('_type', 'a statement', undefined, 'payload-type');
    const type = json.string('_type');
    if (type !== STATEMENT_V1 && type !== STATEMENT_V01) {
      throw fail(R.statementType, { expected: `${STATEMENT_V1} or v0.1`, actual: JSON.stringify(type) });
    }
    const predicateType = json.text('predicateType');
    return { type, subject: readSubjects(json), predicateType, predicate: json.value('predicate') ?? null };
  });
}

function readSubjects(json: JsonReader): NonEmpty<Subject> {
  const subjects = json.value('subject');
  if (!Array.isArray(subjects) || subjects.length === 0 || subjects.length > limits.statementSubjects) {
    const actual = Array.isArray(subjects) ? `${subjects.length}` : typeof subjects;
    const expected = `1–${limits.statementSubjects} subjects`;
    const isMany = Array.isArray(subjects) && subjects.length > 0;
    throw fail(R.subject, { expected, actual, class: isMany ? 'limit' : 'subject' });
  }
  return subjects.map(readSubject) as unknown as NonEmpty<Subject>;
}

function readSubject(value: JsonValue, index: number): Subject {
  const json = reader(value, `statement.subject[${index}]`, { as: R.subject });
  const digest = readDigests(json);
  const name = json.has('name') ? json.string('name') : undefined;
  const annotations = json.value('annotations');
  if (annotations !== undefined && annotations !== null && !isJsonObject(annotations)) {
    throw json.wrong('annotations', 'an object', annotations);
  }
  return {
    digest,
    ...(name === undefined ? {} : { name }),
    ...(isJsonObject(annotations) ? { annotations } : {}),
  };
}

const hexLength: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

function readDigests(json: JsonReader): Record<string, string> {
  const entries = Object.entries(json.child('digest').object);
  if (entries.length === 0 || entries.length > limits.subjectDigests) {
    const expected = `1–${limits.subjectDigests} digests`;
    const kind = entries.length > 0 ? 'limit' : 'subject';
    const check = `${json.path}.digest`;
    throw fail(R.subject, { expected, actual: `${entries.length}`, check, class: kind });
  }
  for (const [algorithm, value] of entries) {
    const length = Object.hasOwn(hexLength, algorithm) ? hexLength[algorithm] : undefined;
    const sound =
      typeof value === 'string' &&
      value !== '' &&
      (length === undefined || (value.length === length && /^[0-9a-f]+$/.test(value)));
    if (!sound) throw json.wrong(`digest.${algorithm}`, `${length ?? 'some'} lower-case hex digits`, value);
  }
  return Object.fromEntries(entries) as Record<string, string>;
}

export interface StatementInput {
  readonly subject: NonEmpty<Subject>;
  readonly predicateType: string;
  readonly predicate: JsonValue;
  /** Default: v1. */
  readonly type?: Statement['type'];
}

/** The UTF-8 JSON of a statement: the payload to sign. */
export function statementBytes(input: StatementInput): Uint8Array {
  return utf8(
    JSON.stringify({
      _type: input.type ?? STATEMENT_V1,
      subject: input.subject.map(({ name, digest, annotations }) => ({ name, digest, annotations })),
      predicateType: input.predicateType,
      predicate: input.predicate,
    }),
  );
}
