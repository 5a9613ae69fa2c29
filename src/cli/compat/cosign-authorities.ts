/**
 * Authorities that lie in files of their own, from before there were trusted roots: `--certificate-chain`, `--ca-roots`
 * with `--ca-intermediates`, `--timestamp-certificate-chain`, and the variables SIGSTORE_*. They become parts of a
 * trusted root, so the one verifier judges by them.
 */
import { equalBytes } from '#base/bytes';
import { unwrap } from '#base/result';
import type { CaAuthority, LogInput, TrustedRootInput, Validity } from '#formats/trusted-root';
import type { Certificate } from '#formats/x509';
import type { CliContext } from '../context.ts';
import { always, authoritiesUp, certificatesIn, issuedUnder, textAt } from '../issuer-chains.ts';
import { cosignRule } from './cosign-common.ts';

export interface AuthorityFlags {
  readonly certificateChain?: string;
  readonly caRoots?: string;
  readonly caIntermediates?: string;
  readonly timestampCertificateChain?: string;
}

/** The parts of a trusted root that files name; what nobody named is absent. */
export type NamedParts = Partial<Omit<TrustedRootInput, 'mediaType'>>;

/**
 * Undefined when neither a flag nor a variable names a file. `offered` are certificates that came with signatures: where
 * nothing names what lies between a signer and an anchor they may, and nobody has to believe them.
 */
export async function namedParts(
  flags: AuthorityFlags,
  context: CliContext,
  offered: readonly Certificate[] = [],
): Promise<NamedParts | undefined> {
  const { env } = context;
  const certificateAuthorities = await issuersFrom(flags, offered, context);
  const stampers = env['SIGSTORE_TSA_CERTIFICATE_FILE'] || flags.timestampCertificateChain;
  const [rekor, ctfe] = [env['SIGSTORE_REKOR_PUBLIC_KEY'], env['SIGSTORE_CT_LOG_PUBLIC_KEY_FILE']];
  const parts: NamedParts = {
    ...(certificateAuthorities === undefined ? {} : { certificateAuthorities }),
    ...(stampers ? { timestampAuthorities: stampersOf(await certificatesIn(stampers, context)) } : {}),
    ...(rekor ? { tlogs: [await logOf('', rekor, always, context)] } : {}),
    ...(ctfe ? { ctlogs: [await logOf('', ctfe, always, context)] } : {}),
  };
  return Object.keys(parts).length === 0 ? undefined : parts;
}

/** In cosign's order: a chain, roots with intermediates, the file of the variable. */
async function issuersFrom(
  { certificateChain, caRoots, caIntermediates }: AuthorityFlags,
  offered: readonly Certificate[],
  context: CliContext,
): Promise<readonly CaAuthority[] | undefined> {
  const up = async (
    anchors: readonly Certificate[],
    between: readonly Certificate[],
  ): Promise<readonly CaAuthority[]> =>
    authoritiesUp(anchors, between.length > 0 ? between : await issuedUnder(anchors, offered));
  if (certificateChain) {
    const chain = await certificatesIn(certificateChain, context);
    return up(chain.slice(-1), chain.slice(0, -1));
  }
  if (caRoots) {
    const between = caIntermediates ? await certificatesIn(caIntermediates, context) : [];
    return up(await certificatesIn(caRoots, context), between);
  }
  const file = context.env['SIGSTORE_ROOT_FILE'];
  if (!file) return undefined;
  const all = await certificatesIn(file, context);
  return up(
    all.filter(isSelfIssued),
    all.filter((one) => !isSelfIssued(one)),
  );
}

/** The issuers a signature of the older layout came with, without the last, which is its idea of an anchor. */
export async function offeredIssuers(pem: string | undefined): Promise<readonly Certificate[]> {
  if (pem === undefined || pem === '') return [];
  const [{ pemDecode }, { parseCertificate }] = await Promise.all([
    import('#formats/pem'),
    import('#formats/x509'),
  ]);
  const blocks = pemDecode(pem, 'CERTIFICATE');
  const found = blocks.ok ? blocks.value.slice(0, -1) : [];
  return found.flatMap(({ der }) => {
    const certificate = parseCertificate(der);
    return certificate.ok ? [certificate.value] : [];
  });
}

/** The certificate that signs timestamps is the one that is no authority; every other is one of its issuers. */
function stampersOf(all: readonly Certificate[]): readonly CaAuthority[] {
  const [leaf, ...more] = all.filter(({ isCa }) => !isCa);
  const issuers = all.filter(({ isCa }) => isCa);
  if (leaf === undefined || more.length > 0) {
    throw cosignRule('TSA certificate chain must contain exactly one leaf certificate');
  }
  const roots = issuers.filter(isSelfIssued);
  if (roots.length === 0)
    throw cosignRule('TSA certificate chain must contain at least one root certificate');
  const between = issuers.filter((one) => !isSelfIssued(one));
  return authoritiesUp(roots, between, [leaf]);
}

const isSelfIssued = ({ subject, issuer }: Certificate): boolean => equalBytes(subject, issuer);

export async function logOf(
  baseUrl: string,
  place: string,
  validFor: Validity,
  context: CliContext,
  origin?: string,
): Promise<LogInput> {
  const [{ publicKeyFromPem, sha256 }, { noteKeyId }] = await Promise.all([
    import('#base/crypto'),
    import('#formats/note'),
  ]);
  const publicKey = unwrap(publicKeyFromPem(await textAt(place, context)));
  // With an origin a log is known by the id its checkpoints are signed with.
  const logId = origin === undefined ? sha256(publicKey.spki) : noteKeyId(origin, publicKey);
  return { baseUrl, publicKey, logId, validFor };
}
