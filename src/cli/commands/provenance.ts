/** `waybill provenance show|verify IMAGE`: who built it, from what, and is that what was expected? */
import { type Command, Option } from 'commander';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import type { CheckedProvenance, ShownImage, VerifiedProvenance } from '#flows/provenance';
import type { VerifyImageDeps } from '#flows/verify-image';
import type { Provenance, TrustedBuilder } from '#provenance';
import type { CliContext } from '../context.ts';
import { R } from '../reasons.ts';
import { type RegistryFlags, registryFrom, withRegistryOptions } from '../registry-options.ts';
import { plainLines } from '../render/plain.ts';
import { collect } from '../sign-options.ts';
import { addTrustOptions, loadTrustFor, type TrustFlags } from '../trust-options.ts';

interface VerifyFlags extends TrustFlags, RegistryFlags {
  readonly sourceUri: string;
  readonly sourceTag?: string;
  readonly sourceVersionedTag?: string;
  readonly sourceBranch?: string;
  readonly builderId?: string;
  readonly buildType?: string;
  readonly buildWorkflowInput: readonly string[];
  readonly certificateOidcIssuer?: string;
  readonly type?: string;
  readonly maxLevel?: string;
  readonly failOnUnknownParameters?: boolean;
}

export function register(program: Command, context: CliContext): void {
  const provenance = program
    .command('provenance')
    .description('show and verify who built an image from what');
  const show = provenance
    .command('show')
    .description('print the provenance attached to an image; nothing is verified')
    .argument('<image>', 'registry/repository@sha256:…, a tag, or oci:DIR');
  withRegistryOptions(show).action((image: string, flags: RegistryFlags) => showImage(image, flags, context));
  const verify = provenance
    .command('verify')
    .description('verify that an image was built by the builder and from the source you expect')
    .argument('<image>', 'registry/repository@sha256:…, a tag, or oci:DIR')
    .requiredOption('--source-uri <repository>', 'github.com/owner/name or git+https://host/path')
    .addOption(new Option('--source-tag <tag>', 'exact tag').conflicts('sourceVersionedTag'))
    .option('--source-versioned-tag <version>', 'v1, v1.2 or v1.2.3: the parts given must match')
    .option('--source-branch <branch>', 'branch')
    .option('--builder-id <uri>', 'builder, with or without @version')
    .option('--build-type <uri>', 'build type')
    .option(
      '--build-workflow-input <key=value>',
      'input the build was started with (repeatable)',
      collect,
      [],
    )
    .option('--certificate-oidc-issuer <url>', 'issuer of the builder’s identity (GitHub’s for its builders)')
    .option('--type <type>', 'count only this predicate type: slsaprovenance1, slsaprovenance02 or a URI')
    .addOption(
      new Option('--max-level <n>', 'Build level you grant to --builder-id').choices(['1', '2', '3']),
    )
    .option('--fail-on-unknown-parameters', 'refuse external parameters no reader knows');
  withRegistryOptions(addTrustOptions(verify)).action((image: string, flags: VerifyFlags) =>
    verifyOne(image, flags, context),
  );
}

async function showImage(image: string, flags: RegistryFlags, context: CliContext): Promise<void> {
  const [{ showProvenance }, { noTrustMaterial }, registry] = await Promise.all([
    import('#flows/provenance'),
    import('#verify'),
    registryFrom(flags, context, [image]),
  ]);
  const shown = await showProvenance(
    image,
    depsOf(registry, { material: noTrustMaterial, hash: '' }, context),
  );
  const json = {
    verified: false,
    given: shown.given,
    digest: shown.digest,
    provenance: shown.shown.map(({ statement, ...rest }) => ({ ...rest, predicate: statement.predicate })),
  };
  context.result('waybill.dev/provenance-show/v1', json, () => shownText(shown));
}

async function verifyOne(image: string, flags: VerifyFlags, context: CliContext): Promise<void> {
  await requireSourceUri(flags.sourceUri);
  const [{ verifyProvenance }, { trustMaterial }, { resolvePredicateType }, trust, registry] =
    await Promise.all([
      import('#flows/provenance'),
      import('#verify'),
      import('#formats/intoto'),
      loadTrustFor(flags, context),
      registryFrom(flags, context, [image]),
    ]);
  const given = { material: trustMaterial(trust.trustedRoot), hash: trust.trustedRootSha256 };
  const policy = await policyOf(flags);
  const verified = await verifyProvenance(
    image,
    {
      expected: expectationsOf(flags),
      ...(policy === undefined ? {} : { policy }),
      ...(flags.type === undefined ? {} : { types: [unwrap(resolvePredicateType(flags.type))] as const }),
    },
    depsOf(registry, given, context),
  );
  context.result('waybill.dev/provenance-verify/v1', verifiedJson(verified), () => verifiedText(verified));
}

function depsOf(
  registry: VerifyImageDeps['registry'],
  trust: VerifyImageDeps['trust'],
  context: CliContext,
): VerifyImageDeps {
  const cosignRepository = context.env['COSIGN_REPOSITORY'];
  return {
    registry,
    trust,
    clock: context.clock,
    ...(cosignRepository === undefined ? {} : { cosignRepository }),
  };
}

/** Refused before anything is fetched: with an image without provenance nobody would notice. */
async function requireSourceUri(text: string): Promise<void> {
  const { parseSourceUri } = await import('#provenance');
  const parsed = parseSourceUri(text);
  if (parsed.ok) return;
  const { expected, actual, hint } = parsed.error;
  throw fail(R.optionValue, { expected: `--source-uri as ${expected}`, actual, hint });
}

function expectationsOf(flags: VerifyFlags): import('#flows/provenance').VerifyProvenanceOptions['expected'] {
  const inputs = flags.buildWorkflowInput.map((pair) => {
    const at = pair.indexOf('=');
    if (at <= 0) throw fail(R.optionValue, { expected: '--build-workflow-input key=value', actual: pair });
    return [pair.slice(0, at), pair.slice(at + 1)] as const;
  });
  const { sourceTag, sourceVersionedTag, sourceBranch, builderId, buildType } = flags;
  return {
    sourceUri: flags.sourceUri,
    ...(sourceTag === undefined ? {} : { sourceTag }),
    ...(sourceVersionedTag === undefined ? {} : { sourceVersionedTag }),
    ...(sourceBranch === undefined ? {} : { sourceBranch }),
    ...(builderId === undefined ? {} : { builderId }),
    ...(buildType === undefined ? {} : { buildType }),
    ...(flags.certificateOidcIssuer === undefined ? {} : { issuer: flags.certificateOidcIssuer }),
    ...(inputs.length === 0 ? {} : { workflowInputs: Object.fromEntries(inputs) }),
    refuseUnknownParameters: flags.failOnUnknownParameters === true,
  };
}

/** `--max-level` is a trust policy of one row, for the builder that is named. */
export async function policyOf(
  flags: Pick<VerifyFlags, 'maxLevel' | 'builderId' | 'certificateOidcIssuer' | 'buildType'>,
): Promise<readonly TrustedBuilder[] | undefined> {
  const { maxLevel, builderId, certificateOidcIssuer } = flags;
  if (maxLevel === undefined) return undefined;
  if (builderId === undefined || certificateOidcIssuer === undefined) {
    throw fail(R.optionValue, {
      expected: '--builder-id and --certificate-oidc-issuer with --max-level',
      actual: 'one of them alone',
    });
  }
  const { trustedBuilders, WAYBILL_BUILD_TYPE } = await import('#provenance');
  const row: TrustedBuilder = {
    builderId: builderId.split('@')[0] as string,
    issuer: certificateOidcIssuer,
    levelMax: Number(maxLevel) as 1 | 2 | 3,
    buildTypes: [flags.buildType ?? WAYBILL_BUILD_TYPE],
    artifacts: ['image'],
  };
  return [row, ...trustedBuilders];
}

function verifiedJson(verified: VerifiedProvenance): object {
  return {
    ok: true,
    given: verified.given,
    image: verified.pinned,
    digest: verified.digest,
    checked: verified.checked.map(({ predicateType, findings, level, accepted }) => ({
      predicateType,
      ...findings,
      level,
      times: accepted.times.map((time) => ({ ...time, at: new Date(time.at).toISOString() })),
    })),
    refused: verified.refused,
  };
}

function verifiedText(verified: VerifiedProvenance): string {
  const lines = [`verified ${verified.pinned}`];
  for (const one of verified.checked) lines.push(...checkedLines(one));
  for (const why of verified.refused) lines.push(`  refused besides: ${why.code} ${why.check}`);
  return plainLines(lines);
}

function checkedLines({ predicateType, findings, level }: CheckedProvenance): string[] {
  return [
    `  ${predicateType}`,
    `    builder ${findings.builderId}`,
    `    source  ${findings.sourceUri}${findings.sourceRef === undefined ? '' : ` ${findings.sourceRef}`}`,
    ...(findings.commit === undefined ? [] : [`    commit  ${findings.commit}`]),
    `    level   SLSA Build L${level.level}${level.notMore.length === 0 ? '' : ` (${level.notMore.join('; ')})`}`,
    ...findings.checks.map(({ check, actual }) => `    held    ${check}: ${actual}`),
    ...findings.unknownParameters.map((name) => `    unknown external parameter ${name}`),
  ];
}

function shownText({ given, digest, shown }: ShownImage): string {
  const lines = [`${given}`, `  ${digest}`, '  NOT VERIFIED: anybody who can push can attach this'];
  for (const { predicateType, provenance, problem, from } of shown) {
    lines.push(`  ${predicateType}`, `    from    ${from}`);
    lines.push(
      ...(provenance === undefined ? [`    cannot be read: ${problem}`] : provenanceLines(provenance)),
    );
  }
  return plainLines(lines);
}

function provenanceLines(provenance: Provenance): string[] {
  const { source, builderId, buildType, startedOn } = provenance;
  return [
    `    builder ${builderId}`,
    `    type    ${buildType}`,
    ...(source === undefined ? [] : [`    source  ${source.uri} ${source.ref ?? ''} ${source.commit ?? ''}`]),
    ...(startedOn === undefined ? [] : [`    started ${startedOn}`]),
  ];
}
