/** Who built it: proven by the certificate, never by the predicate. */
import { reason } from '#base/reason';
import { err, ok, type Result } from '#base/result';
import type { Expectations, ProvenanceSigner } from './expectations.ts';
import type { Provenance } from './model.ts';
import { R } from './reasons.ts';
import { isReleaseTag } from './semver.ts';
import { delegatedPrefix, delegators, GITHUB_ISSUER, trustedBuilders } from './trusted.ts';

export type CertificateSigner = Extract<ProvenanceSigner, { kind: 'certificate' }>;

export interface BuilderName {
  readonly name: string;
  /** After the last `@` of the path; absent when there is none. */
  readonly version?: string;
}

/** Splits at the last `@` of the path. Both halves must be there when an `@` is. */
export function parseBuilderId(id: string): Result<BuilderName> {
  const at = id.lastIndexOf('@');
  const malformed = (): Result<BuilderName> =>
    err(
      reason(R.uri, {
        check: 'provenance.builderId',
        expected: 'a URI, optionally followed by @version',
        actual: JSON.stringify(id),
      }),
    );
  const name = at === -1 ? id : id.slice(0, at);
  const version = at === -1 ? undefined : id.slice(at + 1);
  if (!/^[\x21-\x7e]+$/.test(id) || !URL.canParse(name) || version === '') return malformed();
  return ok(version === undefined ? { name } : { name, version });
}

/** Names equal; versions equal when one is expected, `v1.2.3` standing for `refs/tags/v1.2.3`. */
export function builderMatches(actual: BuilderName, expected: BuilderName): boolean {
  if (actual.name !== expected.name) return false;
  if (expected.version === undefined || actual.version === expected.version) return true;
  return actual.version === `refs/tags/${expected.version}` && isReleaseTag(actual.version);
}

const isGitHubBuilder = (name: string): boolean => name.startsWith('https://github.com/');

/** RE2 that matches exactly this text. */
const literal = (text: string): string => text.replace(/[^A-Za-z0-9/:]/g, (one) => `\\${one}`);

/**
 * Which names a certificate may carry for these expectations, as patterns for the verifier: the named builder
 * or the trusted ones, with any version, and the workflows that sign for builders they call. `checkProvenance`
 * then decides about version and delegation.
 */
export function builderSans(
  expected: Pick<Expectations, 'builderId' | 'artifactKind' | 'trusted'>,
): string[] {
  const named = expected.builderId === undefined ? undefined : parseBuilderId(expected.builderId);
  if (named?.ok === false) return [];
  const kind = expected.artifactKind ?? 'image';
  const table = (expected.trusted ?? trustedBuilders).filter((row) => row.artifacts.includes(kind));
  const names = named === undefined ? table.map((row) => row.builderId) : [named.value.name];
  const signsForOthers = names.some(isGitHubBuilder) ? delegators : [];
  return [...names, ...signsForOthers].map((name) => `${literal(name)}(?:@.+)?`);
}

export const isDelegator = (name: string): boolean => delegators.includes(name);

/** The builder the certificate proves: issuer, name and the form of its version. */
export function certifiedBuilder(signer: CertificateSigner, expected: Expectations): Result<BuilderName> {
  const parsed = parseBuilderId(signer.san);
  if (!parsed.ok) return parsed;
  const builder = parsed.value;
  const onGitHub = isGitHubBuilder(builder.name);
  const issuer = expected.issuer ?? (onGitHub ? GITHUB_ISSUER : signer.issuer);
  if (signer.issuer !== issuer) {
    return err(reason(R.issuer, { expected: issuer, actual: signer.issuer }));
  }
  if (onGitHub && builder.version === undefined) {
    return err(reason(R.uri, { expected: `${builder.name}@<ref>`, actual: signer.san }));
  }
  if (!isDelegator(builder.name)) {
    const trusted = builderTrusted(builder, expected);
    if (!trusted.ok) return trusted;
  }
  return onGitHub ? releasedBuilder(builder, expected) : ok(builder);
}

function builderTrusted(builder: BuilderName, expected: Expectations): Result<BuilderName> {
  const text = `${builder.name}${builder.version === undefined ? '' : `@${builder.version}`}`;
  if (expected.builderId !== undefined) {
    const wanted = parseBuilderId(expected.builderId);
    if (!wanted.ok) return wanted;
    if (builderMatches(builder, wanted.value)) return ok(builder);
    return err(reason(R.builderUntrusted, { expected: expected.builderId, actual: text }));
  }
  const kind = expected.artifactKind ?? 'image';
  const table = (expected.trusted ?? trustedBuilders).filter((row) => row.artifacts.includes(kind));
  if (table.some((row) => row.builderId === builder.name)) return ok(builder);
  const names = table.map((row) => row.builderId).join(', ');
  return err(reason(R.builderUntrusted, { expected: `one of ${names}`, actual: text }));
}

/** A workflow referenced by a branch can change between two builds; a release tag or a listed ref cannot. */
function releasedBuilder(builder: BuilderName, expected: Expectations): Result<BuilderName> {
  const version = builder.version ?? '';
  if (isReleaseTag(version) || expected.builderRefs?.includes(version)) return ok(builder);
  return err(
    reason(R.ref, {
      check: 'provenance.builderRef',
      expected: 'a builder referenced by refs/tags/vX.Y.Z',
      actual: version === '' ? 'no ref' : version,
    }),
  );
}

/** The predicate may only repeat the builder that the certificate proves, or one delegated by it. */
export function predicateBuilder(
  provenance: Provenance,
  certified: BuilderName,
  expected: Expectations,
): Result<BuilderName> {
  const parsed = parseBuilderId(provenance.builderId);
  if (!parsed.ok) return parsed;
  const named = parsed.value;
  if (!isDelegator(certified.name)) {
    if (named.name === certified.name && named.version === certified.version) return ok(named);
    const proven = `${certified.name}${certified.version === undefined ? '' : `@${certified.version}`}`;
    return err(
      reason(R.builderIdMismatch, {
        expected: `${proven} as in the certificate`,
        actual: provenance.builderId,
        hint: 'the predicate names a builder that did not sign it: treat it as forged',
      }),
    );
  }
  const released = releasedBuilder(named, expected);
  if (!released.ok) return released;
  return delegatedBuilder(named, provenance.builderId, expected);
}

function delegatedBuilder(named: BuilderName, text: string, expected: Expectations): Result<BuilderName> {
  if (expected.builderId === undefined) {
    if (named.name.startsWith(delegatedPrefix)) return ok(named);
    return err(reason(R.builderIdForm, { expected: `a builder below ${delegatedPrefix}`, actual: text }));
  }
  const wanted = parseBuilderId(expected.builderId);
  if (!wanted.ok) return wanted;
  if (builderMatches(named, wanted.value)) return ok(named);
  return err(reason(R.builderIdMismatch, { expected: expected.builderId, actual: text }));
}
