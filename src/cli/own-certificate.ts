/** `--key` with `--certificate`: a certificate of somebody's own authority, which no trusted root names. */
import { equalBytes } from '#base/bytes';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import type { Certificate } from '#formats/x509';
import type { ContentKey, OwnCertificate, SignerOptions } from '#sign';
import type { Trust } from '#trust';
import type { CliContext } from './context.ts';
import { always, authoritiesUp, certificatesIn } from './issuer-chains.ts';
import { R } from './reasons.ts';

export type SignerTrust = Pick<Trust, 'origin' | 'trustedRoot' | 'signingConfig'>;

interface Files {
  readonly certificate?: string;
  readonly certificateChain?: string;
}

/** Undefined without `--certificate`. Throws WB-1305 for one of another key, or whose issuers nobody knows. */
export async function ownCertificate(
  { certificate: file, certificateChain }: Files,
  key: ContentKey,
  { trustedRoot }: SignerTrust,
  context: CliContext,
): Promise<OwnCertificate | undefined> {
  if (file === undefined) {
    if (certificateChain === undefined) return undefined;
    throw fail(R.optionValue, {
      expected: '--certificate-chain with --certificate',
      actual: 'no certificate',
    });
  }
  const certificate = await leafIn(file, context);
  if (!equalBytes(certificate.publicKey.spki, key.publicKey.spki)) {
    throw fail(R.optionValue, {
      expected: `a certificate for the key, in ${file}`,
      actual: 'one for another key',
    });
  }
  if (certificateChain === undefined) {
    const known = trustedRoot.certificateAuthorities.map(({ chain }) => chain);
    const issuers = known.find(([issuer]) => equalBytes(issuer.subject, certificate.issuer));
    if (issuers !== undefined) return { certificate, issuers };
    const hint =
      'what is signed is verified before it is given out: give the issuers with --certificate-chain FILE';
    throw fail(R.optionValue, {
      expected: '--certificate-chain',
      actual: `none for ${certificate.issuerText}`,
      hint,
    });
  }
  const chain = await certificatesIn(certificateChain, context);
  const ways = authoritiesUp(chain.slice(-1), chain.slice(0, -1));
  const way = ways.find(({ chain: [issuer] }) => equalBytes(issuer.subject, certificate.issuer));
  if (way !== undefined) return { certificate, issuers: way.chain };
  const expected = `a way from ${certificate.issuerText} to the last certificate of ${certificateChain}`;
  throw fail(R.optionValue, { expected, actual: 'none' });
}

/** PEM or DER, as cosign takes it. */
async function leafIn(file: string, context: CliContext): Promise<Certificate> {
  const [{ readFileLimited }, { parseCertificate }, { resolve }] = await Promise.all([
    import('#platform/files'),
    import('#formats/x509'),
    import('node:path'),
  ]);
  const bytes = await readFileLimited(resolve(context.cwd, file), FILE_BYTES_MAX);
  const SEQUENCE = 0x30;
  if (bytes[0] === SEQUENCE) return unwrap(parseCertificate(bytes));
  const [leaf] = await certificatesIn(file, context);
  return leaf;
}

const FILE_BYTES_MAX = 64 * 1024;

/** Trust to verify one's own signatures by: with a certificate of one's own, its anchor and no CT log. */
export function trustIn(found: SignerTrust, identity: SignerOptions['identity']): SignerTrust {
  if (identity.kind !== 'key' || identity.certified === undefined) return found;
  const { issuers } = identity.certified;
  const certificateAuthorities = authoritiesUp(issuers.slice(-1), issuers.slice(0, -1)).map((authority) => ({
    ...authority,
    validFor: always,
  }));
  return { ...found, trustedRoot: { ...found.trustedRoot, ctlogs: [], certificateAuthorities } };
}
