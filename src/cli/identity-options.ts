/** The options that say whose signature is expected, and the requirements they make. */
import type { Command } from 'commander';
import { fail, WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import type { ClaimName, Pattern, Requirements, TimeRequirement } from '#verify';
import type { CliContext } from './context.ts';
import { ofFile } from './of-file.ts';
import { R } from './reasons.ts';

export interface IdentityFlags {
  readonly key?: string;
  readonly certificateIdentity?: string;
  readonly certificateIdentityRegexp?: string;
  readonly certificateIdentityGlob?: string;
  readonly certificateOidcIssuer?: string;
  readonly certificateOidcIssuerRegexp?: string;
  readonly certificateGithubWorkflowTrigger?: string;
  readonly certificateGithubWorkflowSha?: string;
  readonly certificateGithubWorkflowName?: string;
  readonly certificateGithubWorkflowRepository?: string;
  readonly certificateGithubWorkflowRef?: string;
  readonly certificateClaim?: readonly string[];
  readonly logThreshold?: string;
  readonly sctThreshold?: string;
  readonly timestampThreshold?: string;
  readonly useSignedTimestamps?: boolean;
  readonly insecureIgnoreTlog?: boolean;
  readonly insecureIgnoreSct?: boolean;
}

export function addIdentityOptions(command: Command): Command {
  return command
    .option('--certificate-identity <name>', 'exact name in the certificate: e-mail or URI')
    .option('--certificate-identity-regexp <re2>', 'pattern the whole name must match (RE2, anchored)')
    .option('--certificate-identity-glob <glob>', 'pattern with *, which does not cross /')
    .option('--certificate-oidc-issuer <url>', 'exact issuer of the identity')
    .option('--certificate-oidc-issuer-regexp <re2>', 'pattern the whole issuer must match')
    .option('--certificate-github-workflow-trigger <event>', 'event that started the workflow')
    .option('--certificate-github-workflow-sha <commit>', 'commit the workflow ran on')
    .option('--certificate-github-workflow-name <name>', 'name of the workflow')
    .option('--certificate-github-workflow-repository <owner/name>', 'repository of the workflow')
    .option('--certificate-github-workflow-ref <ref>', 'ref the workflow ran on')
    .option(
      '--certificate-claim <name=value>',
      'claim of the certificate, such as sourceRepositoryUri=https://… (repeatable)',
      (value: string, before: readonly string[]): readonly string[] => [...before, value],
      [],
    )
    .option('--log-threshold <n>', 'transparency logs of different operators that must vouch')
    .option('--sct-threshold <n>', 'CT logs of different operators that must have seen the certificate')
    .option('--timestamp-threshold <n>', 'timestamp authorities of different operators that must vouch')
    .option('--key <file>', 'verify with this public key instead of certificates')
    .option('--use-signed-timestamps', 'believe timestamp authorities only, not the log’s own times')
    .option('--insecure-ignore-tlog', 'do not require a log entry (the result says so)')
    .option('--insecure-ignore-sct', 'do not require a certificate timestamp (the result says so)');
}

export interface ContentDemand {
  readonly predicateTypes?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Builds the requirements; WB-1303 when the flags do not say whose signature is expected. */
export async function requirementsFor(
  flags: IdentityFlags,
  content: ContentDemand,
  context: CliContext,
): Promise<Requirements> {
  const { requireKey, requireKeyless } = await import('#verify');
  const common = {
    ...content,
    ...threshold('tlog', '--log-threshold', flags.logThreshold, flags.insecureIgnoreTlog),
    ...timeOf(flags),
  };
  if (flags.key !== undefined) {
    refuseTogether(flags);
    return unwrap(requireKey(await readPublicKey(flags.key), common));
  }
  return unwrap(
    requireKeyless({
      ...common,
      identities: [await identityOf(flags, context)],
      ...threshold('sct', '--sct-threshold', flags.sctThreshold, flags.insecureIgnoreSct),
    }),
  );
}

/** How many must vouch, or that nobody need; not both. The requirement refuses what is no count. */
function threshold<K extends 'tlog' | 'sct'>(
  name: K,
  option: string,
  count: string | undefined,
  isGivenUp = false,
): { [P in K]?: number | 'notRequiredUnsafe' } {
  if (count === undefined && !isGivenUp) return {};
  if (count !== undefined && isGivenUp) {
    throw fail(R.optionValue, { expected: `${option} or --insecure-ignore-${name}`, actual: 'both' });
  }
  const value = isGivenUp ? 'notRequiredUnsafe' : Number(count);
  return { [name]: value } as { [P in K]?: number | 'notRequiredUnsafe' };
}

function timeOf({ useSignedTimestamps, timestampThreshold }: IdentityFlags): {
  time?: Extract<TimeRequirement, { atLeast: number }>;
} {
  if (timestampThreshold === undefined && useSignedTimestamps !== true) return {};
  return { time: { kind: 'signed', atLeast: Number(timestampThreshold ?? 1) } };
}

async function identityOf(flags: IdentityFlags, context: CliContext): Promise<import('#verify').Identity> {
  const { identity } = await import('#verify');
  const san = onePattern('identity', [
    ['--certificate-identity', flags.certificateIdentity, (text) => text],
    ['--certificate-identity-regexp', flags.certificateIdentityRegexp, (regexp) => ({ regexp })],
    ['--certificate-identity-glob', flags.certificateIdentityGlob, (glob) => ({ glob })],
  ]);
  const issuer = onePattern('issuer', [
    ['--certificate-oidc-issuer', flags.certificateOidcIssuer, (text) => text],
    ['--certificate-oidc-issuer-regexp', flags.certificateOidcIssuerRegexp, (regexp) => ({ regexp })],
  ]);
  warnLoosePattern(flags.certificateIdentityRegexp, context);
  return unwrap(identity({ issuer, san, claims: claimsOf(flags) }));
}

/** Claims of the certificate that the flags demand. */
export function claimsOf(flags: IdentityFlags): Partial<Record<ClaimName, Pattern>> {
  // Without a prototype `__proto__` is a name like any other, and refused as one that no claim has.
  const claims = Object.create(null) as Partial<Record<ClaimName, Pattern>>;
  for (const [claim, value] of Object.entries(claimFlags(flags))) {
    if (value !== undefined) claims[claim as ClaimName] = value;
  }
  for (const pair of flags.certificateClaim ?? []) {
    const at = pair.indexOf('=');
    const name = pair.slice(0, at) as ClaimName;
    if (at < 1 || Object.hasOwn(claims, name)) {
      throw fail(R.optionValue, { expected: '--certificate-claim NAME=VALUE, each name once', actual: pair });
    }
    claims[name] = pair.slice(at + 1);
  }
  return claims;
}

const claimFlags = (flags: IdentityFlags): Partial<Record<ClaimName, string | undefined>> => ({
  githubWorkflowTrigger: flags.certificateGithubWorkflowTrigger,
  githubWorkflowSha: flags.certificateGithubWorkflowSha,
  githubWorkflowName: flags.certificateGithubWorkflowName,
  githubWorkflowRepository: flags.certificateGithubWorkflowRepository,
  githubWorkflowRef: flags.certificateGithubWorkflowRef,
});

function onePattern(
  what: string,
  options: readonly (readonly [string, string | undefined, (text: string) => Pattern])[],
): Pattern {
  const given = options.filter(([, value]) => value !== undefined);
  const [first] = given;
  if (given.length === 1 && first?.[1] !== undefined && first[1] !== '') return first[2](first[1]);
  const names = options.map(([name]) => name).join(' or ');
  throw fail(R.identityMissing, {
    expected: `one expected ${what}: ${names}`,
    actual: given.length === 0 ? 'none' : given.map(([name, value]) => `${name}=${value}`).join(' '),
  });
}

/** An unescaped dot matches any character: `github.com` then also matches `githubXcom`. */
function warnLoosePattern(pattern: string | undefined, context: CliContext): void {
  if (pattern === undefined) return;
  const loose = /(?<!\\)\.(?![*+?{])/.test(pattern.replace(/\[[^\]]*\]/g, ''));
  if (loose) {
    context.progress(
      `warning: an unescaped "." in --certificate-identity-regexp matches any character: ${pattern}`,
    );
  }
}

function refuseTogether(flags: IdentityFlags): void {
  const identityFlags = [
    flags.certificateIdentity,
    flags.certificateIdentityRegexp,
    flags.certificateIdentityGlob,
    flags.certificateOidcIssuer,
    flags.certificateOidcIssuerRegexp,
    // A key has no certificate: a claim that was asked for would go unchecked.
    ...Object.values(claimFlags(flags)),
    flags.certificateClaim?.[0],
    flags.sctThreshold,
  ];
  if (identityFlags.every((value) => value === undefined)) return;
  throw fail(R.optionValue, { expected: '--key or an identity', actual: 'both' });
}

/** A public key in PEM, in a file. Throws WB-105, WB-209, or WB-1305 for what names no file. */
export async function readPublicKey(path: string): Promise<import('#base/crypto').PublicKey> {
  if (/^[a-z0-9]+:\/\//.test(path)) {
    const hint = 'export the public key to a file and give it with --key FILE';
    throw fail(R.optionValue, { expected: '--key with a file that holds a public key', actual: path, hint });
  }
  const { readFileLimited } = await import('#platform/files');
  const { utf8Text } = await import('#base/bytes');
  return publicKeyIn(utf8Text(await readFileLimited(path, 64 * 1024)), path);
}

/** The key in a text that was found at `place`; WB-105 says so where it is a private one. */
export async function publicKeyIn(text: string, place: string): Promise<import('#base/crypto').PublicKey> {
  const { publicKeyFromPem } = await import('#base/crypto');
  const read = publicKeyFromPem(text);
  if (read.ok || !/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) return ofFile(place, read);
  const hint = 'give the public key that belongs to it: waybill public-key --key FILE prints it';
  throw new WaybillError({ ...read.error, actual: `${place}: a private key`, hint });
}
