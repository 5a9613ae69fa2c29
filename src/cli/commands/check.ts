/** `waybill check IMAGE`: the whole checklist, each question with its evidence. */
import type { Command } from 'commander';
import { fail } from '#base/reason';
import type { BuilderText, Profile, SignerText } from '#flows/check-profile';
import type { Platform } from '#formats/oci';
import type { CliContext } from '../context.ts';
import { R } from '../reasons.ts';
import { type RegistryFlags, registryFrom, withRegistryOptions } from '../registry-options.ts';
import { collect } from '../sign-options.ts';
import { addTrustOptions, loadTrustFor, type TrustFlags } from '../trust-options.ts';
import { packageVersion } from '../version.ts';

interface Flags extends TrustFlags, RegistryFlags {
  readonly profile?: string;
  readonly certificateIdentity?: string;
  readonly certificateIdentityRegexp?: string;
  readonly certificateIdentityGlob?: string;
  readonly certificateOidcIssuer?: string;
  readonly key?: string;
  readonly sourceUri?: string;
  readonly sourceTag?: string;
  readonly sourceBranch?: string;
  readonly builderId?: string;
  readonly builderIssuer?: string;
  readonly level?: string;
  readonly failOn?: string;
  readonly maxScanAge?: string;
  readonly allowSampleDb?: boolean;
  readonly db?: string;
  readonly baseImage?: string;
  readonly baseIdentity?: string;
  readonly baseIssuer?: string;
  readonly baseKey?: string;
  readonly policy: readonly string[];
  readonly namespace?: string;
  readonly mirror: readonly string[];
  readonly auditUrl?: string;
  readonly platform?: string;
}

const PROFILE_DEFAULT = 'waybill.yaml';

export function register(program: Command, context: CliContext): void {
  const command = program
    .command('check')
    .description(
      'Asks the whole checklist about one image: pinned, base, SBOM, scan, signature, provenance, log, policy. ' +
        'Exit 0: every answer is yes. 2: an answer is no, or nothing says what is expected. 20: nothing is known ' +
        'to be wrong, but something could not be reached.',
    )
    .argument('<image>', 'registry/repository@sha256:…, a tag, or oci:DIR')
    .option('--profile <file>', `what is expected (default: ./${PROFILE_DEFAULT}, where it is there)`);
  addExpectationOptions(command);
  withRegistryOptions(addTrustOptions(command));
  command.action((image: string, flags: Flags) => check(image, flags, context));
}

/** Each replaces what the profile says. */
function addExpectationOptions(command: Command): void {
  command
    .option('--certificate-identity <name>', 'who signs: exact name in the certificate')
    .option('--certificate-identity-regexp <re2>', 'pattern the whole name must match (RE2, anchored)')
    .option('--certificate-identity-glob <glob>', 'pattern with *, which does not cross /')
    .option('--certificate-oidc-issuer <url>', 'exact issuer of that name')
    .option('--key <file>', 'public key that signs, instead of an identity')
    .option('--source-uri <uri>', 'repository it must be built from: github.com/owner/name')
    .option('--source-tag <tag>', 'tag it must be built from')
    .option('--source-branch <branch>', 'branch it must be built from')
    .option('--builder-id <uri>', 'builder that must have built it')
    .option('--builder-issuer <url>', 'issuer of the identity of that builder')
    .option('--level <n>', 'SLSA Build level its provenance must reach: 1, 2 or 3')
    .option('--fail-on <severity>', 'no finding of this severity or worse (default: high)')
    .option('--max-scan-age <days>', 'how old the attested scan may be (default: 7)')
    .option('--allow-sample-db', 'accept a scan with the sample that comes with waybill')
    .option('--db <file>', 'scan the attested SBOM again with this advisory database')
    .option('--base-image <ref>', 'base image by digest, or scratch')
    .option('--base-identity <name>', 'who signs the base image')
    .option('--base-issuer <url>', 'issuer of that name')
    .option('--base-key <file>', 'public key that signs the base image')
    .option('--policy <file>', 'admission policy that must admit it (repeatable)', collect, [])
    .option('--namespace <name>', 'namespace it is admitted to (default: default)')
    .option(
      '--mirror <from=to>',
      'read images from elsewhere: ghcr.io/acme/*=localhost:5000/acme/*',
      collect,
      [],
    )
    .option('--audit-url <url>', 'audit service to ask; default: the one of --stack')
    .option('--platform <os/arch>', 'image of this platform in an index');
}

async function check(image: string, flags: Flags, context: CliContext): Promise<void> {
  const [{ checkImage }, { checkExit }, expectations, { mirrorMap, parseMirrorRule }, { trustMaterial }] =
    await Promise.all([
      import('#flows/check-image'),
      import('#flows/check-item'),
      import('#flows/check-expectations'),
      import('#facts'),
      import('#verify'),
    ]);
  const loaded = await expectations.loadProfile(flags.profile, PROFILE_DEFAULT);
  const profile = withFlags(loaded.profile, flags, await stackAudit(flags, context));
  const expected = await expectations.expectationsOf(profile);
  const trust = await loadTrustFor(flags, context);
  const database = await databaseFor(profile.database);
  const cosignRepository = context.env['COSIGN_REPOSITORY'];
  try {
    const checked = await checkImage(image, expected, {
      registry: await registryFrom(flags, context, [image]),
      trust: { material: trustMaterial(trust.trustedRoot), hash: trust.trustedRootSha256 },
      mirror: mirrorMap(profile.mirror.map(parseMirrorRule)),
      version: packageVersion(),
      clock: context.clock,
      random: context.random,
      transport: context.transport,
      ...(cosignRepository === undefined ? {} : { cosignRepository }),
      ...(flags.platform === undefined ? {} : { platform: await platformOf(flags.platform) }),
      ...(database === undefined ? {} : { database }),
    });
    const exit = checkExit(checked.items);
    const { checkedJson, renderChecked } = await import('../render/check.ts');
    const value = { profile: loaded.file ?? null, ...checkedJson(checked, exit) };
    context.result('waybill.dev/check/v1', value, () => renderChecked(checked));
    if (exit !== 0) context.exit(exit);
  } finally {
    database?.close();
  }
}

function withFlags(profile: Profile, flags: Flags, audit: string | undefined): Profile {
  const { tag: _tag, branch: _branch, ...rest } = profile;
  const auditUrl = flags.auditUrl ?? profile.audit ?? audit;
  const builder = builderOf(profile.builder, flags);
  const base = baseOf(profile.base, flags);
  return {
    ...rest,
    signer: signerOf(profile.signer, flags),
    ...given({
      source: flags.sourceUri,
      database: flags.db,
      namespace: flags.namespace,
      audit: auditUrl,
      builder,
      base,
      severity: flags.failOn === undefined ? undefined : severityOf(flags.failOn),
      scanAgeDays: numberOf('--max-scan-age', flags.maxScanAge, 3650),
      allowSampleDatabase: flags.allowSampleDb,
    }),
    ...revisionOf(profile, flags),
    policies: flags.policy.length > 0 ? flags.policy : profile.policies,
    mirror: flags.mirror.length > 0 ? flags.mirror : profile.mirror,
  };
}

/** The fields that have a value. */
function given<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}

/** A tag given takes the place of a branch too, and the other way round. */
function revisionOf(profile: Profile, { sourceTag, sourceBranch }: Flags): Pick<Profile, 'tag' | 'branch'> {
  if (sourceTag === undefined && sourceBranch === undefined) {
    return given({ tag: profile.tag, branch: profile.branch });
  }
  return given({ tag: sourceTag, branch: sourceBranch });
}

function signerOf(before: SignerText, flags: Flags): SignerText {
  if (flags.key !== undefined) return { key: flags.key };
  const identity =
    flags.certificateIdentity ??
    (flags.certificateIdentityRegexp === undefined
      ? undefined
      : { regexp: flags.certificateIdentityRegexp }) ??
    (flags.certificateIdentityGlob === undefined ? undefined : { glob: flags.certificateIdentityGlob });
  const issuer = flags.certificateOidcIssuer;
  if (identity === undefined && issuer === undefined) return before;
  const { key: _, ...rest } = before;
  return { ...rest, ...given({ identity, issuer }) };
}

function builderOf(before: BuilderText | undefined, flags: Flags): BuilderText | undefined {
  const level = numberOf('--level', flags.level, 3);
  const changes = given({
    id: flags.builderId,
    issuer: flags.builderIssuer,
    level: level as 1 | 2 | 3 | undefined,
  });
  return Object.keys(changes).length === 0 ? before : { ...before, ...changes };
}

function baseOf(before: Profile['base'], flags: Flags): Profile['base'] {
  const { baseImage, baseIdentity, baseIssuer, baseKey } = flags;
  if (baseImage === 'scratch') return 'scratch';
  const changes = given({ image: baseImage, identity: baseIdentity, issuer: baseIssuer, key: baseKey });
  if (Object.keys(changes).length === 0) return before;
  return { ...(before === 'scratch' ? {} : before), ...changes };
}

function severityOf(text: string): NonNullable<Profile['severity']> {
  const words = ['low', 'medium', 'high', 'critical'] as const;
  const found = words.find((one) => one === text);
  if (found !== undefined) return found;
  throw fail(R.optionValue, { expected: `--fail-on ${words.join(', ')}`, actual: text });
}

function numberOf(option: string, text: string | undefined, max: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= max) return value;
  throw fail(R.optionValue, { expected: `${option} from 1 to ${max}`, actual: text });
}

/** The audit service of the stack that is trusted, where one is named. */
async function stackAudit(flags: Flags, context: CliContext): Promise<string | undefined> {
  const dir = flags.stack ?? context.env['WAYBILL_STACK'];
  if (dir === undefined) return undefined;
  const { readState } = await import('#stack');
  return (await readState(dir))?.origins.audit;
}

async function databaseFor(file: string | undefined): Promise<import('#scan').AdvisoryDatabase | undefined> {
  if (file === undefined) return undefined;
  return (await import('#scan')).loadDatabase(file);
}

async function platformOf(text: string): Promise<Platform> {
  const [{ parsePlatform }, { unwrap }] = await Promise.all([import('#oci'), import('#base/result')]);
  return unwrap(parsePlatform(text));
}
