/**
 * Authorities that lie in files of their own, from before there were trusted roots: `--certificate-chain`, `--ca-roots`
 * with `--ca-intermediates`, `--timestamp-certificate-chain`, and the variables SIGSTORE_*. They become parts of a
 * trusted root, so the one verifier judges by them.
 */
import { equalBytes, utf8Text } from '#base/bytes';
import { fail } from '#base/reason';
import { isNonEmpty, type NonEmpty, unwrap } from '#base/result';
import type { CaAuthority, LogInput, TrustedRootInput, Validity } from '#formats/trusted-root';
import type { Certificate } from '#formats/x509';
import type { CliContext } from '../context.ts';
import { R } from '../reasons.ts';
import { cosignRule } from './cosign-common.ts';

export interface AuthorityFlags {
  readonly certificateChain?: string;
  readonly caRoots?: string;
  readonly caIntermediates?: string;
  readonly timestampCertificateChain?: string;
}

/** The parts of a trusted root that files name; what nobody named is absent. */
export type NamedParts = Partial<Omit<TrustedRootInput, 'mediaType'>>;

/** They say no interval: certificates and keys count whenever they are valid themselves. */
const always: Validity = { start: 0 };

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
  const up = (anchors: readonly Certificate[], between: readonly Certificate[]): readonly CaAuthority[] =>
    authoritiesUp(anchors, between.length > 0 ? between : offered);
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

const CHAIN_MAX = 10;
const CHAINS_MAX = 64;

/**
 * Every way up from a certificate of the pools, or from `first`, to an anchor, by names alone: whether the links and
 * the certificates hold is the verifier's question.
 */
function authoritiesUp(
  anchors: readonly Certificate[],
  between: readonly Certificate[],
  first: readonly Certificate[] = [...anchors, ...between],
): readonly CaAuthority[] {
  const found: NonEmpty<Certificate>[] = [];
  const climb = (path: NonEmpty<Certificate>): void => {
    if (found.length >= CHAINS_MAX || path.length > CHAIN_MAX) return;
    const top = path.at(-1) ?? path[0];
    if (anchors.includes(top)) {
      found.push(path);
      return;
    }
    for (const next of [...anchors, ...between]) {
      if (!path.includes(next) && equalBytes(top.issuer, next.subject)) climb([...path, next]);
    }
  };
  for (const one of first) climb([one]);
  return found.map((chain) => authorityOf('', chain, always));
}

export function authorityOf(uri: string, chain: NonEmpty<Certificate>, validFor: Validity): CaAuthority {
  const anchor = chain.at(-1) ?? chain[0];
  const part = (name: string): string =>
    new RegExp(`(?:^|,)${name}=((?:[^,\\\\]|\\\\.)*)`).exec(anchor.subjectText)?.[1] ?? '';
  return { uri, chain, validFor, subject: { organization: part('O'), commonName: part('CN') } };
}

/** Certificates in PEM, at a place as cosign names places. */
export async function certificatesIn(place: string, context: CliContext): Promise<NonEmpty<Certificate>> {
  const [{ pemDecode }, { parseCertificate }, text] = await Promise.all([
    import('#formats/pem'),
    import('#formats/x509'),
    textAt(place, context),
  ]);
  const chain = unwrap(pemDecode(text, 'CERTIFICATE')).map(({ der }) => unwrap(parseCertificate(der)));
  if (isNonEmpty(chain)) return chain;
  throw fail(R.optionValue, { expected: `a certificate in ${place}`, actual: 'none' });
}

const FILE_BYTES_MAX = 256 * 1024;

/** Text of a file, of `env://VARIABLE`, or behind an http or https address. */
export async function textAt(place: string, context: CliContext): Promise<string> {
  if (place.startsWith('env://')) {
    const text = context.env[place.slice('env://'.length)];
    if (text !== undefined && text !== '') return text;
    throw fail(R.optionValue, {
      expected: `something in ${place}`,
      actual: 'no such variable, or an empty one',
    });
  }
  if (/^https?:\/\//.test(place)) {
    const request = { url: place, maxBytes: FILE_BYTES_MAX, redirects: 2 };
    const { status, body } = await context.transport.request(request);
    if (status === 200) return utf8Text(body);
    throw fail(R.optionValue, { expected: `a file at ${place}`, actual: `status ${status}` });
  }
  const [{ readFileLimited }, { resolve }] = await Promise.all([
    import('#platform/files'),
    import('node:path'),
  ]);
  return utf8Text(await readFileLimited(resolve(context.cwd, place), FILE_BYTES_MAX));
}

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
