/** cosign's identity flags as requirements. Its patterns are found anywhere in a name; only here is that so. */
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

export interface CosignIdentityFlags extends IdentityFlags {
  readonly trustedRoot?: string;
  readonly privateInfrastructure?: boolean;
  readonly checkClaims?: boolean;
}

/** Throws what cosign says itself when it is not told whom to expect. */
export async function cosignRequirements(
  flags: CosignIdentityFlags,
  content: ContentDemand,
  context: CliContext,
): Promise<Requirements> {
  const { requireKey, requireKeyless } = await import('#verify');
  const ignoresTlog = flags.insecureIgnoreTlog === true || flags.privateInfrastructure === true;
  const common = {
    ...content,
    ...(ignoresTlog ? { tlog: 'notRequiredUnsafe' as const } : {}),
    ...(flags.checkClaims === false ? { subject: 'notRequiredUnsafe' as const } : {}),
  };
  const signed: TimeRequirement | undefined =
    flags.useSignedTimestamps === true ? { kind: 'signed', atLeast: 1 } : undefined;
  if (flags.key !== undefined) {
    refuseBoth(flags);
    const key = await keyFrom(flags.key, context);
    return unwrap(requireKey(key, { ...common, ...(signed === undefined ? {} : { time: signed }) }));
  }
  // Without a log nobody says when it was signed but a timestamp, which has to be asked for.
  const time = signed ?? (ignoresTlog ? ({ kind: 'current' } as const) : undefined);
  return unwrap(
    requireKeyless({
      ...common,
      identities: [await identityOf(flags, context)],
      ...(time === undefined ? {} : { time }),
      ...(flags.insecureIgnoreSct === true ? { sct: 'notRequiredUnsafe' as const } : {}),
    }),
  );
}

function refuseBoth(flags: CosignIdentityFlags): void {
  const { certificateIdentity, certificateIdentityRegexp } = flags;
  if (certificateIdentity === undefined && certificateIdentityRegexp === undefined) return;
  throw fail(R.optionValue, { expected: '--key or --certificate-identity', actual: 'both' });
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
