/**
 * `waybill cosign verify` and `verify-attestation`. As in cosign 3 the first image decides for all of them: where
 * it carries bundles only bundles count, of whatever type; else the tags of the older layout. The verdicts are
 * those of the flow behind `waybill verify`, which looks at both and at signatures only.
 */
import type { Command } from 'commander';
import { fail, type Reason, WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import type { VerifiedImage, VerifyImageDeps, VerifyImageSurroundings } from '#flows/verify-image';
import type { Certificate } from '#formats/x509';
import type { Attachments, ListOptions } from '#oci';
import type { Requirements } from '#verify';
import type { CliContext } from '../context.ts';
import { type RegistryFlags, registryFrom } from '../registry-options.ts';
import { plainLine } from '../render/plain.ts';
import { annotationsFrom } from '../sign-options.ts';
import { offeredIssuers } from './cosign-authorities.ts';
import { asCosign } from './cosign-common.ts';
import { type Amend, detachedEvidence } from './cosign-detached.ts';
import { addFlags, type FlagSpec, imageFlags, listOptions, readFlags } from './cosign-flags.ts';
import {
  type CosignIdentityFlags,
  cosignRequirements,
  ignoresTlog,
  type Mode,
  refuseBesideBundle,
} from './cosign-identity.ts';
import { printAttestations, printSignatures } from './cosign-payloads.ts';
import { cosignTrust } from './cosign-trust.ts';
import { refuseBy } from './native.ts';

export interface VerifyFlags extends CosignIdentityFlags, RegistryFlags {
  readonly output?: string;
  readonly type?: string;
  readonly annotations?: readonly string[];
  readonly localImage?: boolean;
  readonly newBundleFormat?: boolean;
  readonly attachment?: string;
  readonly signature?: string;
  readonly payload?: string;
}

const cue = 'write it in CEL: waybill verify-attestation --condition EXPRESSION';
const oldLayout: FlagSpec = { flags: '--no-new-bundle-format', help: 'look at the older layout only' };
const verifyFlags: readonly FlagSpec[] = [
  ...imageFlags,
  oldLayout,
  { flags: '-a, --annotations <key=value>', help: 'annotation (repeatable)', isList: true },
  { flags: '--attachment <sbom>', help: 'verify the signature of the attached SBOM' },
  { flags: '--signature <file>', help: 'signature that is not in the registry, base64 or a file' },
  { flags: '--payload <file>', help: 'what --signature signed' },
];
const attestationFlags: readonly FlagSpec[] = [
  ...imageFlags,
  oldLayout,
  { flags: '--type <type>', help: 'alias of a predicate type, or a URI' },
  { flags: '--policy <file>', help: `not supported: ${cue}`, instead: cue },
];

export function addVerify(cosign: Command, context: CliContext): void {
  for (const [kind, specs] of [
    ['verify', verifyFlags],
    ['verify-attestation', attestationFlags],
  ] as const) {
    const command = addFlags(cosign.command(kind).description(`waybill ${kind}`), specs);
    command.argument('<image...>', 'image');
    refuseBy(command, `cosign ${kind}`).action((images: string[]) => {
      const asked: Asked = { kind, mode: 'legacy', isCertified: false };
      const exitOf = (why: Reason): number => exitCode(why, asked);
      return asCosign(context, { exitOf }, async () => {
        const flags = readFlags<VerifyFlags>(command, specs, context);
        await verifyAll(images, flags, asked, context);
      });
    });
  }
}

interface Asked {
  readonly kind: 'verify' | 'verify-attestation';
  /** Known when the first image was looked at. */
  mode: Mode;
  /** A certificate was given, which is judged before any signature. */
  isCertified: boolean;
}

const aboutCertificate = /^(?:certificate\.(?:chain|use)|identity\.|sct\.|trust\.)/;

/** cosign 3.1 has codes of its own only for signatures in the older layout. */
function exitCode(why: Reason, { kind, mode, isCertified }: Asked): number {
  if (kind === 'verify-attestation' || mode === 'bundle') return 1;
  if (isCertified && aboutCertificate.test(why.check)) return 1;
  const codes: Readonly<Record<number, number>> = { 10: 10, 11: 11, 12: 12, 13: 12, 14: 12, 15: 12 };
  // An authority that cannot be one vouches for no signature.
  return why.check.startsWith('trust.') ? 12 : (codes[why.exit] ?? 1);
}

async function verifyAll(
  images: readonly string[],
  flags: VerifyFlags,
  asked: Asked,
  context: CliContext,
): Promise<void> {
  const [registry, { readingOnce }, { listAttachments }] = await Promise.all([
    registryFrom(flags, context, images),
    import('#facts'),
    import('#oci'),
  ]);
  const options: ListOptions = { suffixes: ['sig', 'att'], ...listOptions(flags, context) };
  const attachments = readingOnce((where, digest) => listAttachments(where, digest, options));
  const places: Places = { registry, attachments, ...repositoryOf(context) };
  // Words first: what is asked must be clear before anything is read. What they warn of is said below, once.
  await requirementsOf(flags, asked, { ...context, stderr: () => {} });
  asked.mode = await modeOf(images[0] ?? '', flags, places);
  if (asked.mode === 'bundle') refuseBesideBundle(flags);
  asked.isCertified = Boolean(flags.certificate);
  // Where there are bundles cosign does not look at the files.
  const amend: Amend =
    asked.mode === 'bundle' ? (found) => Promise.resolve(found) : await detachedEvidence(flags, context);
  const requirements = await requirementsOf(flags, asked, context);
  const [trust, { verifyImage }] = await Promise.all([
    cosignTrust(flags, context, requirements),
    import('#flows/verify-image'),
  ]);
  const offered: Certificate[] = [];
  const deps: VerifyImageSurroundings & Places = {
    ...places,
    trust: async () =>
      offered.length === 0 || flags.trustedRoot !== undefined
        ? trust
        : cosignTrust(flags, context, requirements, offered),
    clock: context.clock,
    attachments: async (where, digest) => {
      const found = layoutOf(await amend(await attachments(where, digest), where[0]?.name ?? ''), asked);
      const attached = [...found.legacySignatures, ...found.legacyAttestations];
      for (const { chain } of attached) offered.push(...(await offeredIssuers(chain)));
      return found;
    },
  };
  const kind = asked.kind === 'verify' ? 'signature' : 'attestation';
  for (const given of images) {
    const target = await targetOf(given, flags, places);
    const verified = await verifyImage(target, { kind, requirements }, deps).catch((error: unknown) => {
      throw inCosignsWords(error, asked);
    });
    await print(verified, given, flags, asked, context);
  }
}

type Places = Pick<VerifyImageDeps, 'registry' | 'cosignRepository'> &
  Required<Pick<VerifyImageDeps, 'attachments'>>;

function repositoryOf({ env }: CliContext): Pick<VerifyImageDeps, 'cosignRepository'> {
  const { COSIGN_REPOSITORY: cosignRepository } = env;
  return cosignRepository === undefined ? {} : { cosignRepository };
}

/** Bundles where there is one that can be read; trouble on the way is told when the image itself is asked. */
async function modeOf(first: string, flags: VerifyFlags, places: Places): Promise<Asked['mode']> {
  if (flags.newBundleFormat === false) return 'legacy';
  const [{ attachmentPlaces, openImage }, { parseBundle }] = await Promise.all([
    import('#oci'),
    import('#formats/bundle'),
  ]);
  try {
    const { registry, cosignRepository } = places;
    const { source, selector, reference } = await openImage(registry, await targetOf(first, flags, places));
    const digest = selector.digest ?? (await source.resolve(selector)).digest;
    const where =
      reference === undefined ? [source] : attachmentPlaces(registry, reference, cosignRepository).read;
    const { bundles } = await places.attachments(where, digest);
    return bundles.some(({ bytes }) => parseBundle(bytes).ok) ? 'bundle' : 'legacy';
  } catch (error) {
    if (error instanceof WaybillError) return 'legacy';
    throw error;
  }
}

async function requirementsOf(
  flags: VerifyFlags,
  { kind, mode }: Asked,
  context: CliContext,
): Promise<Requirements> {
  if (kind === 'verify') {
    const annotations = annotationsFrom(flags.annotations ?? []);
    return cosignRequirements(flags, { annotations }, context, mode);
  }
  const { resolvePredicateType } = await import('#formats/intoto');
  const predicateTypes = [unwrap(resolvePredicateType(flags.type ?? 'custom'))];
  return cosignRequirements(flags, { predicateTypes }, context, mode);
}

/** The image, the folder of `cosign save`, or with `--attachment sbom` the tag of the attached SBOM. */
async function targetOf(given: string, flags: VerifyFlags, { registry }: Places): Promise<string> {
  if (flags.localImage === true) return `oci:${given}`;
  if (flags.attachment === undefined || flags.attachment === '') return given;
  if (flags.attachment !== 'sbom') {
    const { R } = await import('../reasons.ts');
    throw fail(R.optionValue, { expected: '--attachment sbom', actual: flags.attachment });
  }
  const { legacyTag, openImage } = await import('#oci');
  const { source, selector } = await openImage(registry, given);
  const digest = selector.digest ?? (await source.resolve(selector)).digest;
  return `${source.name}:${legacyTag(digest, 'sbom')}`;
}

const nothing = (subject: Attachments['subject']): Attachments => ({
  subject,
  bundles: [],
  legacySignatures: [],
  legacyAttestations: [],
  legacySboms: [],
  others: [],
  problems: [],
});

function layoutOf(found: Attachments, { kind, mode }: Asked): Attachments {
  const { bundles, legacySignatures, legacyAttestations, problems } = found;
  const empty = { ...nothing(found.subject), problems };
  if (mode === 'bundle') return { ...empty, bundles };
  return kind === 'verify' ? { ...empty, legacySignatures } : { ...empty, legacyAttestations };
}

/** In bundle mode an image without bundles is another error than one without signatures. */
function inCosignsWords(error: unknown, { kind, mode }: Asked): unknown {
  if (!(error instanceof WaybillError)) return error;
  const isNothing = error.reason.exit === 10;
  if (!isNothing || (mode === 'legacy' && kind === 'verify')) return error;
  const check = mode === 'bundle' ? 'no valid bundles exist in registry' : 'no matching attestations';
  return new WaybillError({ ...error.reason, check: `${check}: ${error.reason.check}` }, { cause: error });
}

async function print(
  verified: VerifiedImage,
  given: string,
  flags: VerifyFlags,
  asked: Asked,
  context: CliContext,
): Promise<void> {
  context.stderr(checksText(given, flags));
  if (asked.kind === 'verify-attestation') return printAttestations(verified, asked.mode, context);
  warnOtherTypes(verified, context);
  const format = flags.output === 'text' ? 'text' : 'json';
  return printSignatures(verified, given, { format, mode: asked.mode }, context);
}

function warnOtherTypes({ accepted }: VerifiedImage, context: CliContext): void {
  const types = new Set(accepted.flatMap(({ statement }) => statement?.predicateType ?? []));
  for (const type of types) {
    if (type === 'https://sigstore.dev/cosign/sign/v1') continue;
    context.stderr(
      `warning: cosign counts the attestation ${plainLine(type)} as a signature; waybill verify does not`,
    );
  }
}

function checksText(image: string, flags: VerifyFlags): string {
  const checks = [
    ...((flags.annotations ?? []).length > 0 ? ['The specified annotations were verified.'] : []),
    ...(flags.checkClaims === false ? [] : ['The cosign claims were validated']),
    ...(ignoresTlog(flags) ? [] : ['Existence of the claims in the transparency log was verified offline']),
    // To cosign a certificate that is given is a key whose owner it looked at before.
    flags.key === undefined && !flags.certificate
      ? 'The code-signing certificate was verified using trusted certificate authority certificates'
      : 'The signatures were verified against the specified public key',
  ];
  const lines = checks.map((check) => `  - ${check}`);
  const head = 'The following checks were performed on each of these signatures:';
  return [`\nVerification for ${plainLine(image)} --`, head, ...lines].join('\n');
}
