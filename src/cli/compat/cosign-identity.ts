/** cosign's identity flags as requirements. Its patterns are found anywhere in a name; only here is that so. */
import { defaultHash, type PublicKey } from '#base/crypto';
import { fail } from '#base/reason';
import { type Result, unwrap } from '#base/result';
import type { Identity, Pattern, Requirements, TimeRequirement } from '#verify';
import type { CliContext } from '../context.ts';
import {
  type ContentDemand,
  claimsOf,
  type IdentityFlags,
  publicKeyIn,
  readPublicKey,
} from '../identity-options.ts';
import { R } from '../reasons.ts';
import type { AuthorityFlags } from './cosign-authorities.ts';
import { cosignRule } from './cosign-common.ts';

export interface CosignIdentityFlags extends IdentityFlags, AuthorityFlags {
  readonly trustedRoot?: string;
  readonly certificate?: string;
  readonly sct?: string;
  readonly signatureDigestAlgorithm?: string;
  readonly privateInfrastructure?: boolean;
  readonly checkClaims?: boolean;
}

/** Bundles, or the older layout of tags and of files with single pieces. */
export type Mode = 'bundle' | 'legacy';

export const ignoresTlog = (flags: CosignIdentityFlags): boolean =>
  flags.insecureIgnoreTlog === true || flags.privateInfrastructure === true;

/** Throws what cosign says itself when it is not told whom to expect. */
export async function cosignRequirements(
  flags: CosignIdentityFlags,
  content: ContentDemand,
  context: CliContext,
  mode: Mode = 'bundle',
): Promise<Requirements> {
  const { requireKey, requireKeyless } = await import('#verify');
  const isUnlogged = ignoresTlog(flags);
  const common = {
    ...content,
    ...(isUnlogged ? { tlog: 'notRequiredUnsafe' as const } : {}),
    ...(flags.checkClaims === false ? { subject: 'notRequiredUnsafe' as const } : {}),
  };
  checkAuthorities(flags);
  const signed = signedTime(flags, mode);
  if (flags.key !== undefined) {
    refuseBoth(flags);
    const key = await keyFrom(flags.key, context);
    checkHash(flags, key);
    return unwrap(requireKey(key, { ...common, ...(signed === undefined ? {} : { time: signed }) }));
  }
  checkHash(flags);
  // Without a log nobody says when it was signed but a timestamp, which has to be asked for.
  const time = signed ?? (isUnlogged ? ({ kind: 'current' } as const) : undefined);
  return unwrap(
    requireKeyless({
      ...common,
      identities: [await identityOf(flags, context)],
      isOfAnyAuthority: true,
      ...(time === undefined ? {} : { time }),
      ...(flags.insecureIgnoreSct === true ? { sct: 'notRequiredUnsafe' as const } : {}),
    }),
  );
}

/** A certificate chain of a timestamp authority asks for timestamps, too. */
export const wantsSignedTime = (flags: CosignIdentityFlags): boolean =>
  flags.useSignedTimestamps === true || Boolean(flags.timestampCertificateChain);

type NeededTime = Exclude<TimeRequirement, { kind: 'notRequired' }>;

/** In the older layout cosign looks at a timestamp where there is one; the log's time it looks at in any case. */
function signedTime(flags: CosignIdentityFlags, mode: Mode): NeededTime | undefined {
  if (!wantsSignedTime(flags)) return undefined;
  if (mode !== 'legacy') return { kind: 'signed', atLeast: 1 };
  if (flags.key !== undefined) return { kind: 'signedIfAny', otherwise: 'notRequired' };
  return { kind: 'signedIfAny', otherwise: ignoresTlog(flags) ? 'current' : 'integrated' };
}

const HASHES = ['sha224', 'sha256', 'sha384', 'sha512'];

/** The verifier tries SHA-256 and the hash of the curve; with a certificate cosign does not look at the flag either. */
function checkHash(
  { signatureDigestAlgorithm: name = 'sha256' }: CosignIdentityFlags,
  key?: PublicKey,
): void {
  if (name === '' || name === 'sha256') return;
  if (!HASHES.includes(name)) throw cosignRule(`unknown digest algorithm: ${name}`);
  if (key === undefined || name === defaultHash(key.kind)) return;
  throw fail(R.compatFlag, {
    expected: 'cosign verify with --signature-digest-algorithm of the kind of key',
    actual: `--signature-digest-algorithm ${name}`,
    hint: 'waybill tries the hashes a key is used with: SHA-256, and for P-384 and P-521 those of the curve',
  });
}

function checkAuthorities({ certificateChain, caRoots, caIntermediates }: CosignIdentityFlags): void {
  if (!certificateChain || (!caRoots && !caIntermediates)) return;
  throw cosignRule('--certificate-chain goes neither with --ca-roots nor with --ca-intermediates');
}

function refuseBoth(flags: CosignIdentityFlags): void {
  const { certificateIdentity, certificateIdentityRegexp } = flags;
  if (certificateIdentity === undefined && certificateIdentityRegexp === undefined) return;
  throw fail(R.optionValue, { expected: '--key or --certificate-identity', actual: 'both' });
}

const besideBundle = {
  certificate: 'certificate must be in bundle and may not be provided using --certificate',
  certificateChain: 'certificate chain must be in bundle and may not be provided using --certificate-chain',
  caRoots: 'CA roots/intermediates must be provided using --trusted-root',
  caIntermediates: 'CA roots/intermediates must be provided using --trusted-root',
  timestampCertificateChain: 'TSA certificate chain path may only be provided using --trusted-root',
  rfc3161Timestamp: 'RFC3161 timestamp may not be provided using --rfc3161-timestamp',
  sct: 'SCT may not be provided using --sct',
} as const;

/** What a bundle carries itself is not taken from elsewhere. */
export function refuseBesideBundle(flags: { readonly [F in keyof typeof besideBundle]?: string }): void {
  for (const [name, sentence] of Object.entries(besideBundle)) {
    if (!flags[name as keyof typeof besideBundle]) continue;
    throw cosignRule(`unsupported: ${sentence} when using --new-bundle-format`);
  }
}

async function keyFrom(reference: string, context: CliContext): Promise<import('#base/crypto').PublicKey> {
  const [scheme] = /^[a-z0-9]+:\/\//.exec(reference) ?? [];
  if (scheme === undefined) return readPublicKey(reference);
  if (scheme === 'env://') {
    const text = context.env[reference.slice(scheme.length)];
    if (text !== undefined && text !== '') return publicKeyIn(text, reference);
    const actual = `${reference}: no such variable, or an empty one`;
    throw fail(R.optionValue, { expected: '--key env://VARIABLE with a public key in it', actual });
  }
  const hint = 'export the public key to a file and give it with --key FILE';
  throw fail(R.compatFlag, { expected: '--key with a file or env://VARIABLE', actual: reference, hint });
}

async function identityOf(flags: CosignIdentityFlags, context: CliContext): Promise<Identity> {
  const { identity } = await import('#verify');
  const san = patternOf('identity', flags.certificateIdentity, flags.certificateIdentityRegexp);
  const issuer = patternOf('oidc-issuer', flags.certificateOidcIssuer, flags.certificateOidcIssuerRegexp);
  const claims = claimsOf(flags);
  for (const [what, pattern] of [
    ['identity', san],
    ['oidc-issuer', issuer],
  ] as const) {
    warnUnanchored(what, pattern, context);
  }
  const built: Result<Identity> = identity({
    san: await excluding('identity', san, context),
    issuer: await excluding('oidc-issuer', issuer, context),
    claims,
  });
  return unwrap(built);
}

/** In cosign a pattern wins over a text. */
function patternOf(what: string, exact: string | undefined, regexp: string | undefined): Pattern {
  if (regexp !== undefined && regexp !== '') return { regexpUnanchoredUnsafe: regexp };
  if (exact !== undefined && exact !== '') return exact;
  const flag = `--certificate-${what}`;
  throw fail(R.identityMissing, {
    expected: `${flag} or ${flag}-regexp, required for verification in keyless mode`,
    actual: 'neither',
  });
}

function warnUnanchored(what: string, pattern: Pattern, context: CliContext): void {
  if (typeof pattern === 'string' || !('regexpUnanchoredUnsafe' in pattern)) return;
  const text = pattern.regexpUnanchoredUnsafe;
  if (text.startsWith('^') && text.endsWith('$')) return;
  context.stderr(
    `warning: cosign finds --certificate-${what}-regexp anywhere in the name, so ${JSON.stringify(text)} also ` +
      'admits names with something before or after it; write ^…$ (waybill verify anchors by itself)',
  );
}

/** What demands nothing is refused by waybill itself; cosign takes it, and here the user is told. */
async function excluding(what: string, pattern: Pattern, context: CliContext): Promise<Pattern> {
  const { identity } = await import('#verify');
  if (typeof pattern === 'string' || !('regexpUnanchoredUnsafe' in pattern)) return pattern;
  const isUsable = identity({ san: pattern, issuer: 'https://issuer.example' });
  if (isUsable.ok || !isUsable.error.expected.startsWith('a pattern that excludes')) return pattern;
  context.stderr(`WARNING: --certificate-${what}-regexp ${pattern.regexpUnanchoredUnsafe} admits anybody`);
  return { ...pattern, mayAdmitEverybody: true };
}
