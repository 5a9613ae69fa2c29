import type { Command } from 'commander';
import { fail } from '#base/reason';
import type { ObjectVerdict } from '#flows/policy-test';
import type { Finding, Json } from '#policy';
import type { CliContext } from '../context.ts';
import { R } from '../reasons.ts';
import { type RegistryFlags, registryFrom, withRegistryOptions } from '../registry-options.ts';
import { renderFindings, renderVerdicts } from '../render/policy.ts';
import { collect } from '../sign-options.ts';
import { addTrustOptions, loadTrustFor, type TrustFlags } from '../trust-options.ts';

interface TestFlags extends TrustFlags, RegistryFlags {
  readonly policy: readonly string[];
  readonly image: readonly string[];
  readonly resource: readonly string[];
  readonly mirror: readonly string[];
  readonly namespace: string;
}

const EXIT_FINDINGS = 2;
const EXIT_UNAVAILABLE = 20;

export function register(program: Command, context: CliContext): void {
  const policy = program.command('policy').description('Tests and lints admission policies.');
  registerTest(policy, context);
  registerLint(policy, context);
}

function registerTest(policy: Command, context: CliContext): void {
  const test = policy
    .command('test')
    .description('Says what the admission webhook would say about an image or about objects in a file.')
    .option('--policy <file>', 'policy file (repeatable)', collect, [])
    .option('--image <ref>', 'image, judged as the container of a new Pod (repeatable)', collect, [])
    .option('--resource <file>', 'YAML or JSON with Pods or their controllers (repeatable)', collect, [])
    .option('--namespace <name>', 'namespace of objects that name none', 'default')
    .option(
      '--mirror <from=to>',
      'read images from elsewhere: ghcr.io/acme/*=localhost:5000/acme/*',
      collect,
      [],
    );
  withRegistryOptions(addTrustOptions(test));
  test.action(async (flags: TestFlags) => {
    if (flags.policy.length === 0) throw missing('--policy FILE');
    if (flags.image.length + flags.resource.length === 0) throw missing('--image REF or --resource FILE');
    const [{ policyTest }, { loadPolicies }, { mirrorMap, parseMirrorRule }, { trustMaterial }] =
      await Promise.all([
        import('#flows/policy-test'),
        import('#flows/load-policies'),
        import('#facts'),
        import('#verify'),
      ]);
    const policies = await loadPolicies(flags.policy);
    const trust = await loadTrustFor(flags, context);
    const verdicts = await policyTest(policies, await objectsFor(flags), flags.namespace, {
      registry: await registryFrom(flags, context, flags.image),
      mirror: mirrorMap(flags.mirror.map(parseMirrorRule)),
      trust: { material: trustMaterial(trust.trustedRoot), hash: trust.trustedRootSha256 },
      clock: context.clock,
    });
    const isAllowed = verdicts.every(({ outcome }) => outcome === 'allowed');
    const value = { ok: isAllowed, policyHash: policies.hash, objects: verdicts };
    context.result('waybill.dev/policy-test/v1', value, () => renderVerdicts(verdicts));
    if (!isAllowed) context.exit(exitOf(verdicts));
  });
}

/** Denied outweighs unavailable: it is known. */
const exitOf = (verdicts: readonly ObjectVerdict[]): number =>
  verdicts.some(({ outcome }) => outcome === 'denied') ? EXIT_FINDINGS : EXIT_UNAVAILABLE;

async function objectsFor(flags: TestFlags): Promise<Json[]> {
  const [{ objectsOf, podOf }, { readPolicyFiles }] = await Promise.all([
    import('#flows/policy-test'),
    import('#flows/load-policies'),
  ]);
  const files = await readPolicyFiles(flags.resource);
  return [
    ...flags.image.map((image) => podOf(image, flags.namespace)),
    ...files.flatMap(({ file, text }) => objectsOf(text, file)),
  ];
}

const missing = (what: string): Error => fail(R.usage, { expected: what, actual: 'none' });

function registerLint(policy: Command, context: CliContext): void {
  policy
    .command('lint')
    .description('Finds what is wrong in policies, and in scripts (*.sh, *.md, *.txt) that verify by hand.')
    .argument('[file...]', 'policy files, whole or fragments, and scripts')
    .option('--rules', 'list the rules instead')
    .action(async (files: string[], flags: { readonly rules?: boolean }) => {
      if (flags.rules === true) {
        const { lintRules } = await import('#policy');
        const text = (): string => lintRules.map(({ code, title }) => `${code}  ${title}`).join('\n');
        return context.result('waybill.dev/policy-lint-rules/v1', { rules: lintRules }, text);
      }
      if (files.length === 0) throw missing('at least one file');
      const { policyLint } = await import('#flows/policy-lint');
      const findings: Finding[] = await policyLint(files);
      const value = { ok: findings.length === 0, files, findings };
      context.result('waybill.dev/policy-lint/v1', value, () => renderFindings(findings, files.length));
      if (findings.length > 0) context.exit(EXIT_FINDINGS);
    });
}
