/** `waybill cosign verify` and `verify-attestation`. */
import type { Command } from 'commander';
import { type Reason, reasonText } from '#base/reason';
import type { CliContext } from '../context.ts';
import { type IdentityFlags, requirementsFor } from '../identity-options.ts';
import { type RegistryFlags, registryFrom } from '../registry-options.ts';
import { loadTrustFor, type TrustFlags } from '../trust-options.ts';
import { collect, cosignExit, errorText, withRegistryFlags } from './cosign-common.ts';
import { givenFlags, type NativeRun, refuseBy, runNative, unsupported } from './native.ts';

interface Flags extends IdentityFlags, TrustFlags, RegistryFlags {
  readonly output?: string;
  readonly type?: string;
}

function withVerifyFlags(command: Command): Command {
  return withRegistryFlags(command)
    .option('--key <file>', 'public key')
    .option('--certificate-identity <name>', 'exact name in the certificate')
    .option('--certificate-identity-regexp <re2>', 'pattern found anywhere in the name, as cosign does it')
    .option('--certificate-oidc-issuer <url>', 'exact issuer')
    .option('--certificate-oidc-issuer-regexp <re2>', 'pattern found anywhere in the issuer')
    .option('--certificate-github-workflow-trigger <event>', 'event')
    .option('--certificate-github-workflow-sha <commit>', 'commit')
    .option('--certificate-github-workflow-name <name>', 'name of the workflow')
    .option('--certificate-github-workflow-repository <owner/name>', 'repository')
    .option('--certificate-github-workflow-ref <ref>', 'ref')
    .option('--offline', 'open no connection for trust')
    .option('--use-signed-timestamps', 'believe timestamp authorities only')
    .option('--insecure-ignore-tlog', 'do not require a log entry')
    .option('--insecure-ignore-sct', 'do not require a certificate timestamp')
    .option('-o, --output <format>', 'json or text');
}

export function addVerify(cosign: Command, context: CliContext): void {
  const verify = withVerifyFlags(
    cosign.command('verify').description('waybill verify').argument('<image...>', 'image'),
  ).option('-a, --annotations <key=value>', 'annotation (repeatable)', collect, []);
  refuseBy(verify, 'cosign verify').action(async (images: string[]) => {
    const run = await verified('verify', verify, images, context);
    if (run.exit !== 0) return refused(run, context);
    const payloads = imagesOf(run).flatMap(simpleSignings);
    for (const image of imagesOf(run)) context.stderr(checksText(image.given, verify.opts<Flags>()));
    context.stdout(JSON.stringify(payloads));
  });
  const attested = withVerifyFlags(
    cosign
      .command('verify-attestation')
      .description('waybill verify-attestation')
      .argument('<image...>', 'image'),
  ).option('--type <type>', 'alias of a predicate type, or a URI');
  refuseBy(attested, 'cosign verify-attestation').action(async (images: string[]) => {
    const run = await verified('verify-attestation', attested, images, context);
    if (run.exit !== 0) return refused(run, context);
    for (const image of imagesOf(run)) {
      context.stderr(checksText(image.given, attested.opts<Flags>()));
      for (const line of await envelopes(image.image, attested.opts<Flags>(), context)) context.stdout(line);
    }
  });
}

/** Ours are anchored; cosign finds a pattern anywhere. */
const anywhere = (pattern: string): string => `(?s:.*)(?:${pattern})(?s:.*)`;

function verified(
  verb: 'verify' | 'verify-attestation',
  command: Command,
  images: readonly string[],
  context: CliContext,
): Promise<NativeRun> {
  const flags = command.opts<Flags>();
  if (!['json', 'text', undefined].includes(flags.output)) {
    throw unsupported(`cosign ${verb}`, `--output ${flags.output}`, '--output json or text');
  }
  for (const name of ['Identity', 'OidcIssuer'] as const) warnUnanchored(flags, name, context);
  const words = givenFlags(command, {
    '--output': () => [],
    '--certificate-identity-regexp': (re) => [`--certificate-identity-regexp=${anywhere(re)}`],
    '--certificate-oidc-issuer-regexp': (re) => [`--certificate-oidc-issuer-regexp=${anywhere(re)}`],
  });
  const load = () =>
    verb === 'verify' ? import('../commands/verify.ts') : import('../commands/verify-attestation.ts');
  return runNative(load, [verb, ...words, '--', ...images], context, {
    // The pattern is shown as it was written.
    progress: (text) => context.progress(text.replaceAll('(?s:.*)', '')),
  });
}

function warnUnanchored(flags: Flags, name: 'Identity' | 'OidcIssuer', context: CliContext): void {
  const pattern = flags[`certificate${name}Regexp`];
  if (pattern === undefined || (pattern.startsWith('^') && pattern.endsWith('$'))) return;
  const flag = name === 'Identity' ? '--certificate-identity-regexp' : '--certificate-oidc-issuer-regexp';
  context.stderr(
    `warning: cosign finds ${flag} anywhere in the name, so ${JSON.stringify(pattern)} also admits names with ` +
      'something before or after it; write ^…$ (waybill verify anchors by itself)',
  );
}

interface JudgedImage {
  readonly ok: boolean;
  readonly given: string;
  readonly image: string;
  readonly digest: string;
  readonly reason?: Reason;
  readonly accepted: readonly {
    readonly predicateType: string | null;
    readonly annotations?: Readonly<Record<string, unknown>> | null;
    readonly signer: { readonly kind: string; readonly identity?: string; readonly issuer?: string };
  }[];
}

const imagesOf = (run: NativeRun): readonly JudgedImage[] =>
  (run.value as { readonly images: readonly JudgedImage[] } | undefined)?.images ?? [];

function refused(run: NativeRun, context: CliContext): void {
  const reasons = run.reason === undefined ? imagesOf(run).map(({ reason }) => reason) : [run.reason];
  const shown = reasons.filter((reason) => reason !== undefined);
  for (const reason of shown) context.stderr(`Error: ${errorText(reason).replaceAll('(?s:.*)', '')}`);
  context.exit(cosignExit(run.exit));
}

/** The payloads cosign prints: a bundle's statement in the form of a simple signing document. */
function simpleSignings(image: JudgedImage): object[] {
  const reference = image.image.slice(0, image.image.lastIndexOf('@'));
  return image.accepted.map(({ predicateType, annotations, signer }) => ({
    critical: {
      // In a bundle nothing says a name: cosign shows the one it was given.
      identity: { 'docker-reference': predicateType === null ? reference : image.given },
      image: { 'docker-manifest-digest': image.digest },
      type: predicateType ?? 'cosign container image signature',
    },
    optional:
      predicateType !== null
        ? {}
        : {
            ...annotations,
            ...(signer.kind === 'key' ? {} : { Issuer: signer.issuer, Subject: signer.identity }),
          },
  }));
}

function checksText(image: string, flags: Flags): string {
  const tlog =
    flags.insecureIgnoreTlog === true
      ? []
      : ['Existence of the claims in the transparency log was verified offline'];
  const signer =
    flags.key === undefined
      ? 'The code-signing certificate was verified using trusted certificate authority certificates'
      : 'The signatures were verified against the specified public key';
  const checks = ['The cosign claims were validated', ...tlog, signer].map((check) => `  - ${check}`);
  return [
    `\nVerification for ${image} --`,
    'The following checks were performed on each of these signatures:',
    ...checks,
  ].join('\n');
}

/** The envelopes of what was accepted: each attached item is judged again, alone, with the same requirements. */
async function envelopes(pinned: string, flags: Flags, context: CliContext): Promise<string[]> {
  const [
    { createJudge, attachedItems },
    { listAttachments, openImage },
    intoto,
    { trustMaterial },
    { unwrap },
  ] = await Promise.all([
    import('#facts'),
    import('#oci'),
    import('#formats/intoto'),
    import('#verify'),
    import('#base/result'),
  ]);
  const types = [unwrap(intoto.resolvePredicateType(flags.type ?? 'custom'))];
  const quiet: CliContext = { ...context, progress: () => {} };
  const requirements = await requirementsFor(unanchoredFlags(flags), { predicateTypes: types }, quiet);
  const trust = await loadTrustFor(flags, quiet);
  const material = { material: trustMaterial(trust.trustedRoot), hash: trust.trustedRootSha256 };
  const opened = await openImage(await registryFrom(flags, quiet, [pinned]), pinned);
  const digest = opened.selector.digest ?? (await opened.source.resolve(opened.selector)).digest;
  const out: string[] = [];
  for (const item of attachedItems(await listAttachments(opened.source, digest))) {
    const source = { attached: async () => [item] };
    const judge = createJudge({ source, trust: () => material, clock: context.clock });
    const judged = await judge.judgeImage(
      { repository: pinned, digest },
      { hash: 'one', questions: [{ id: 'one', requirements }] },
    );
    const verdicts = judged.kind === 'facts' ? (judged.facts.answers.get('one') ?? []) : [];
    if (verdicts.some(({ outcome }) => outcome === 'accepted')) out.push(await envelopeOf(item));
  }
  return out;
}

const unanchoredFlags = (flags: Flags): Flags => ({
  ...flags,
  ...(flags.certificateIdentityRegexp === undefined
    ? {}
    : { certificateIdentityRegexp: anywhere(flags.certificateIdentityRegexp) }),
  ...(flags.certificateOidcIssuerRegexp === undefined
    ? {}
    : { certificateOidcIssuerRegexp: anywhere(flags.certificateOidcIssuerRegexp) }),
});

async function envelopeOf(item: import('#facts').AttachedItem): Promise<string> {
  const [{ parseBundle }, { envelopeJson }, { utf8Text }] = await Promise.all([
    import('#formats/bundle'),
    import('#formats/dsse'),
    import('#base/bytes'),
  ]);
  if (item.kind !== 'bundle') return utf8Text(item.bytes).trim();
  const bundle = parseBundle(item.bytes);
  if (bundle.ok && bundle.value.content.kind === 'dsse') return envelopeJson(bundle.value.content.envelope);
  throw new Error(
    `an accepted attestation without an envelope: ${bundle.ok ? item.name : reasonText(bundle.error)}`,
  );
}
