/** `waybill promote SRC DST --policy F`: judged, copied, judged again, summed up in a signed VSA. */
import type { Command } from 'commander';
import { fail } from '#base/reason';
import type { Promotion } from '#flows/promote';
import type { LevelQuestion } from '#flows/promotion-summary';
import type { CliContext } from '../context.ts';
import { R } from '../reasons.ts';
import { withRegistryOptions } from '../registry-options.ts';
import { promotionJson, renderPromotion } from '../render/promotion.ts';
import { addSignOptions, collect, type SignFlags, signingTools } from '../sign-options.ts';
import { addTrustOptions } from '../trust-options.ts';
import { packageVersion } from '../version.ts';
import { policyOf } from './provenance.ts';

interface Flags extends SignFlags {
  readonly policy: readonly string[];
  readonly namespace: string;
  readonly mirror: readonly string[];
  readonly forceTag?: boolean;
  readonly verifierId: string;
  readonly sourceUri?: string;
  readonly sourceTag?: string;
  readonly builderId?: string;
  readonly certificateOidcIssuer?: string;
  readonly maxLevel?: string;
}

const EXIT_DENIED = 2;
const EXIT_UNAVAILABLE = 20;

export function register(program: Command, context: CliContext): void {
  const command = program
    .command('promote')
    .description(
      'Verifies an image by a policy, copies it by digest with everything attached, verifies it at the target, ' +
        'and attaches a signed verification summary (VSA) there. The tag is set last.',
    )
    .argument('<source>', 'registry/repository:tag or @sha256:…; the policy knows the image by this name')
    .argument('<target>', 'registry/repository:tag')
    .option('--policy <file>', 'policy file; every check in it has to pass (repeatable)', collect, [])
    .option('--namespace <name>', 'namespace the image is judged in', 'default')
    .option(
      '--mirror <from=to>',
      'read the source from elsewhere: ghcr.io/acme/*=localhost:5000/acme/*',
      collect,
      [],
    )
    .option('--force-tag', 'move the tag at the target when it holds another digest')
    .option('--verifier-id <uri>', 'verifier.id of the summary', 'https://waybill.dev/promote/v1')
    .option('--source-uri <uri>', 'state the build level of provenance from this repository')
    .option('--source-tag <tag>', 'and from this tag')
    .option('--builder-id <uri>', 'and by this builder')
    .option('--certificate-oidc-issuer <url>', 'whose identities the builder signs with')
    .option('--max-level <n>', 'SLSA build level this builder may be granted: 1, 2 or 3');
  withRegistryOptions(addTrustOptions(addSignOptions(command)));
  command.action((source: string, target: string, flags: Flags) => promote(source, target, flags, context));
}

async function promote(source: string, target: string, flags: Flags, context: CliContext): Promise<void> {
  if (flags.policy.length === 0) throw fail(R.usage, { expected: '--policy FILE', actual: 'none' });
  if (!URL.canParse(flags.verifierId)) {
    throw fail(R.optionValue, { expected: '--verifier-id as a URI', actual: flags.verifierId });
  }
  const [{ promoteImage }, { loadPolicies }, { mirrorMap, parseMirrorRule }] = await Promise.all([
    import('#flows/promote'),
    import('#flows/load-policies'),
    import('#facts'),
  ]);
  const policies = await loadPolicies(flags.policy);
  const level = await levelFrom(flags);
  const tools = await signingTools(flags, context, target);
  const promotion = await promoteImage(
    source,
    target,
    {
      policies,
      namespace: flags.namespace,
      forceTag: flags.forceTag === true,
      verifier: { id: flags.verifierId, version: { waybill: packageVersion() } },
      format: flags.format,
      ...(level === undefined ? {} : { level }),
    },
    {
      ...tools,
      mirror: mirrorMap(flags.mirror.map(parseMirrorRule)),
      onCopied: (what, digest, size) => context.progress(`${what} ${digest} (${size} bytes)`),
    },
  );
  const value = promotionJson(promotion, policies.hash);
  context.result('waybill.dev/promote/v1', value, () => renderPromotion(promotion));
  if (promotion.outcome !== 'promoted') context.exit(exitOf(promotion));
}

const exitOf = ({ outcome }: Promotion): number => (outcome === 'denied' ? EXIT_DENIED : EXIT_UNAVAILABLE);

async function levelFrom(flags: Flags): Promise<LevelQuestion | undefined> {
  const { sourceUri, sourceTag, builderId, certificateOidcIssuer, maxLevel } = flags;
  if (sourceUri === undefined) {
    const others = { sourceTag, builderId, certificateOidcIssuer, maxLevel };
    const alone = Object.values(others).some((value) => value !== undefined);
    if (!alone) return undefined;
    throw fail(R.optionValue, { expected: '--source-uri with the options of the builder', actual: 'none' });
  }
  if (maxLevel !== undefined && !/^[123]$/.test(maxLevel)) {
    throw fail(R.optionValue, { expected: '--max-level 1, 2 or 3', actual: maxLevel });
  }
  const builders = await policyOf(flags);
  return {
    expected: {
      sourceUri,
      ...(sourceTag === undefined ? {} : { sourceTag }),
      ...(builderId === undefined ? {} : { builderId }),
      ...(certificateOidcIssuer === undefined ? {} : { issuer: certificateOidcIssuer }),
    },
    ...(builders === undefined ? {} : { builders }),
  };
}
