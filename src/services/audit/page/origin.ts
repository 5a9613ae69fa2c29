/** What verified provenance says about source and build, and whether the builder it names signed it. */
import { GITHUB_ISSUER, type Provenance, parseBuilderId, readProvenance } from '#provenance';
import type { VerifiedSigner } from '#verify';
import type { Fact, Origin } from './model.ts';
import { namingOf } from './words.ts';

type Said = Pick<Fact, 'statement' | 'signer' | 'verifiedSigner'>;

/** Undefined for everything that is no readable provenance with a signature that holds. */
export function builtBy(said: Said, id: string, isAttached: boolean): Origin | undefined {
  const { statement, signer, verifiedSigner } = said;
  if (statement === undefined || signer === undefined || verifiedSigner === undefined) return undefined;
  if (namingOf(statement.predicateType).topic !== 'provenance') return undefined;
  const provenance = readProvenance(statement);
  if (!provenance.ok) return undefined;
  const isByBuilder = provesBuilder(provenance.value, verifiedSigner);
  return { provenance: provenance.value, signer, isByBuilder, isAttached, id };
}

/** Words for provenance that names a builder who did not sign it. */
export function builderDoubt(said: Said): string | undefined {
  const origin = builtBy(said, '', true);
  if (origin === undefined || origin.isByBuilder) return undefined;
  return 'Its signature holds, but the builder it names did not sign it: who signed could write anything here.';
}

/** Who built is proven by the certificate, never by the statement (SLSA v1.2, verifying artifacts). */
function provesBuilder({ builderId }: Provenance, signer: VerifiedSigner): boolean {
  if (signer.kind !== 'certificate') return false;
  const stated = parseBuilderId(builderId);
  const proven = parseBuilderId(signer.san.value);
  if (!stated.ok || !proven.ok) return false;
  if (stated.value.name === proven.value.name) {
    return stated.value.version === undefined || stated.value.version === proven.value.version;
  }
  // GitHub names its machines as the builder and proves them by a claim of the certificate.
  return (
    builderId === 'https://github.com/actions/runner/github-hosted' &&
    signer.issuer === GITHUB_ISSUER &&
    signer.claims.runnerEnvironment === 'github-hosted'
  );
}
