/** What does the signed content say, and is it about the artifact? */
import type { Digest } from '#base/brand';
import { toHex } from '#base/bytes';
import type { HashName } from '#base/crypto';
import { digestAlgorithm, digestHex } from '#base/digest';
import { reason } from '#base/reason';
import { err, ok, type Result } from '#base/result';
import { INTOTO_PAYLOAD_TYPE } from '#formats/dsse';
import { COSIGN_SIGN_V1, parseStatement, type Statement, type Subject } from '#formats/intoto';
import { own } from '#formats/json';
import type { SignedEntity } from './entity.ts';
import type { Hashed } from './hashed.ts';
import { R } from './reasons.ts';
import type { PredicateRequirement } from './requirements.ts';
import { parseSimpleSigning, type SimpleSigning } from './simple-signing.ts';

/** The signed content, read. */
export type Claims =
  | { readonly kind: 'message' }
  | { readonly kind: 'statement'; readonly statement: Statement }
  | { readonly kind: 'simpleSigning'; readonly simpleSigning: SimpleSigning };

/** Reads the content. To be called after the signature holds. Fails with WB-341, WB-346 or format reasons. */
export function readClaims({ content }: SignedEntity): Result<Claims> {
  switch (content.kind) {
    case 'message':
      return ok({ kind: 'message' });
    case 'simpleSigning': {
      const parsed = parseSimpleSigning(content.payload);
      return parsed.ok ? ok({ kind: 'simpleSigning', simpleSigning: parsed.value }) : parsed;
    }
    case 'dsse': {
      const { payloadType, payload } = content.envelope;
      if (payloadType !== INTOTO_PAYLOAD_TYPE) {
        const actual = JSON.stringify(payloadType);
        return err(reason(R.payloadType, { expected: INTOTO_PAYLOAD_TYPE, actual }));
      }
      const parsed = parseStatement(payload);
      return parsed.ok ? ok({ kind: 'statement', statement: parsed.value }) : parsed;
    }
  }
}

/** The digest a bundle states beside its signature must be the artifact's. Fails with WB-303, WB-304. */
export function checkDigestHint(entity: SignedEntity, artifact: Hashed): Result<void> {
  const hint = entity.content.kind === 'message' ? entity.content.digest : undefined;
  if (hint === undefined) return ok(undefined);
  const actual = artifact.digest(hint.algorithm);
  if (actual === undefined) {
    const expected = `the artifact, or its ${hint.algorithm} digest`;
    return err(reason(R.artifactForm, { expected, actual: 'another digest only' }));
  }
  if (Buffer.compare(actual, hint.value) === 0) return ok(undefined);
  const shown = (value: Uint8Array): string => `${hint.algorithm}:${toHex(value)}`;
  return err(reason(R.digestHint, { expected: shown(actual), actual: shown(hint.value) }));
}

const strong: readonly HashName[] = ['sha256', 'sha384', 'sha512'];
/** Names of digests that are not over an artifact's bytes (in-toto digest_set.md). */
const ofOtherThings = ['gitCommit', 'gitTree', 'gitBlob', 'gitTag', 'dirHash', 'goModuleH1'];

/**
 * The digest by which the content names the artifact. Of one subject every digest that can be compared must
 * agree, and at least one must be. Fails with WB-342, WB-343.
 */
export function checkSubject(claims: Claims, artifact: Hashed): Result<string> {
  switch (claims.kind) {
    case 'message':
      return ok('signature over the artifact'); // the signature itself is over these bytes
    case 'simpleSigning':
      return checkImage(claims.simpleSigning.digest, artifact);
    case 'statement': {
      const { subject } = claims.statement;
      for (const candidate of subject) {
        const match = matchSubject(candidate, artifact);
        if (match !== undefined) return ok(match);
      }
      const named = subject.flatMap(({ digest }) =>
        Object.entries(digest).map(([name, hex]) => `${name}:${hex}`),
      );
      const isWeak = !subject.some(({ digest }) =>
        [...strong, ...ofOtherThings].some((name) => Object.hasOwn(digest, name)),
      );
      const spec = isWeak ? R.subjectWeak : R.subject;
      return err(reason(spec, { expected: artifactText(artifact), actual: named.slice(0, 8).join(', ') }));
    }
  }
}

function matchSubject({ digest }: Subject, artifact: Hashed): string | undefined {
  let match: string | undefined;
  for (const name of strong) {
    const stated = Object.hasOwn(digest, name) ? digest[name] : undefined;
    const actual = stated === undefined ? undefined : artifact.digest(name);
    if (actual === undefined) continue;
    if (toHex(actual) !== stated) return undefined;
    match ??= `${name}:${stated}`;
  }
  return match;
}

function subjectsAbout({ subject }: Statement, artifact: Hashed): readonly Subject[] {
  const named = subject.filter((candidate) => matchSubject(candidate, artifact) !== undefined);
  return named.length > 0 ? named : subject;
}

function checkImage(stated: Digest, artifact: Hashed): Result<string> {
  const actual = artifact.digest(digestAlgorithm(stated));
  if (actual !== undefined && toHex(actual) === digestHex(stated)) return ok(stated);
  return err(reason(R.subject, { expected: artifactText(artifact), actual: stated }));
}

function artifactText(artifact: Hashed): string {
  const known = strong.find((name) => artifact.digest(name) !== undefined) ?? 'sha256';
  return `${known}:${toHex(artifact.digest(known) ?? new Uint8Array())}`;
}

/** Fails with WB-344. A legacy image signature is what `cosign/sign/v1` became. */
export function checkPredicate(claims: Claims, required: PredicateRequirement): Result<string | undefined> {
  const type =
    claims.kind === 'statement'
      ? claims.statement.predicateType
      : claims.kind === 'simpleSigning'
        ? COSIGN_SIGN_V1
        : undefined;
  if (required.kind === 'any' || (type !== undefined && required.types.includes(type))) return ok(type);
  const actual = type ?? 'a signature without a statement';
  return err(reason(R.predicateType, { expected: required.types.join(' or '), actual }));
}

/**
 * Fails with WB-345. Every annotation must stand in one place: the signed document, or one subject that names the
 * artifact. What a statement says of another artifact counts only where none is named, which `checkSubject` admits
 * only to those who gave the subject up.
 */
export function checkAnnotations(
  claims: Claims,
  required: Readonly<Record<string, string>>,
  artifact: Hashed,
): Result<void> {
  const wanted = Object.entries(required);
  if (wanted.length === 0) return ok(undefined);
  const holders =
    claims.kind === 'statement'
      ? subjectsAbout(claims.statement, artifact).map((subject) => subject.annotations ?? {})
      : claims.kind === 'simpleSigning'
        ? [claims.simpleSigning.optional]
        : [];
  const isMet = holders.some((holder) => wanted.every(([key, value]) => own(holder, key) === value));
  if (isMet) return ok(undefined);
  const expected = wanted.map(([key, value]) => `${key}=${value}`).join(', ');
  return err(reason(R.annotations, { expected, actual: JSON.stringify(holders.slice(0, 4)) }));
}
