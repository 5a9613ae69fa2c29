/**
 * `waybill cosign attach sbom|signature|attestation` and `generate`: what was signed, or is to be signed, with other
 * tools. Nothing that is attached here is verified: whoever reads it does that.
 */

import type { Command } from 'commander';
import type { Digest } from '#base/brand';
import { utf8, utf8Text } from '#base/bytes';
import { limits } from '#base/limits';
import { unwrap } from '#base/result';
import { isJsonObject, own, parseJson } from '#formats/json';
import type { ImageSink } from '#oci';
import type { CliContext } from '../context.ts';
import { readInput } from '../input.ts';
import { type RegistryFlags, registryFrom } from '../registry-options.ts';
import { plainLine } from '../render/plain.ts';
import { annotationsFrom } from '../sign-options.ts';
import { asCosign, cosignRule } from './cosign-common.ts';
import { addFlags, type FlagSpec, prefixedRegistryFlags, readFlags, tagPrefixOf } from './cosign-flags.ts';
import { refuseBy } from './native.ts';

interface Flags extends RegistryFlags {
  readonly sbom?: string;
  readonly type?: string;
  readonly inputFormat?: string;
  readonly attestation?: readonly string[];
  readonly payload?: string;
  readonly signature?: string;
  readonly certificate?: string;
  readonly certificateChain?: string;
  readonly rekorResponse?: string;
  readonly tsr?: string;
  readonly annotations?: readonly string[];
}

const sbomFlags: readonly FlagSpec[] = [
  ...prefixedRegistryFlags,
  { flags: '--sbom <file>', help: 'the document; - reads standard input' },
  { flags: '--type <type>', help: 'spdx (default), cyclonedx or syft' },
  { flags: '--input-format <format>', help: 'json, xml or text' },
];
const attestationFlags: readonly FlagSpec[] = [
  ...prefixedRegistryFlags,
  { flags: '--attestation <file>', help: 'bundle, or envelopes one after another', isList: true },
];
const signatureFlags: readonly FlagSpec[] = [
  ...prefixedRegistryFlags,
  { flags: '--payload <file>', help: 'the signed document, or a bundle' },
  { flags: '--signature <file>', help: 'base64 of the signature; - reads standard input' },
  { flags: '--certificate <file>', help: 'certificate of the signer' },
  { flags: '--certificate-chain <file>', help: 'its issuers' },
  { flags: '--rekor-response <file>', help: 'local bundle with the log entry' },
  { flags: '--tsr <file>', help: 'timestamp, RFC 3161' },
];
const generateFlags: readonly FlagSpec[] = [
  ...prefixedRegistryFlags,
  { flags: '-a, --annotations <key=value>', help: 'annotation (repeatable)', isList: true },
];

type Work = (target: Target, flags: Flags, context: CliContext) => Promise<void>;

export function addAttach(cosign: Command, context: CliContext): void {
  const group = cosign.command('attach').description('attach what was made with other tools');
  refuseBy(group, 'cosign attach');
  const add = (at: Command, name: string, help: string, specs: readonly FlagSpec[], work: Work): void => {
    const command = addFlags(at.command(name).description(help), specs).argument('<image>', 'image');
    refuseBy(command, `cosign ${name}`).action((image: string) =>
      asCosign(context, {}, async () => {
        const flags = readFlags<Flags>(command, specs, context);
        await work(await targetOf(image, flags, context), flags, context);
      }),
    );
  };
  add(group, 'sbom', 'an SBOM, which nobody signed', sbomFlags, attachSbom);
  add(group, 'signature', 'a signature', signatureFlags, attachSignature);
  add(group, 'attestation', 'attestations', attestationFlags, attachAttestations);
  add(cosign, 'generate', 'print the document that cosign sign would sign', generateFlags, generate);
}

interface Target {
  readonly repository: string;
  readonly digest: Digest;
  readonly subject: { readonly mediaType: string; readonly digest: Digest; readonly size: number };
  readonly place: ImageSink & { readonly name: string };
  readonly options: { readonly tagPrefix?: string };
}

async function targetOf(image: string, flags: Flags, context: CliContext): Promise<Target> {
  const [{ attachmentPlaces }, { parseReference, repositoryText }, registry] = await Promise.all([
    import('#oci'),
    import('#formats/reference'),
    registryFrom(flags, context, [image]),
  ]);
  const reference = unwrap(parseReference(image));
  const { descriptor } = await registry.resolve(reference);
  const place = attachmentPlaces(registry, reference, context.env['COSIGN_REPOSITORY']).write;
  const repository = repositoryText(reference);
  const options = tagPrefixOf(flags);
  return { repository, digest: descriptor.digest, subject: descriptor, place, options };
}

const read = (file: string): Promise<Uint8Array> => readInput(file, limits.attachmentBytes);

/** By type, then by format; the first of each is what an SBOM without `--input-format` is. */
const sbomTypes: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  spdx: { text: 'text/spdx', json: 'text/spdx+json' },
  cyclonedx: { xml: 'application/vnd.cyclonedx+xml', json: 'application/vnd.cyclonedx+json' },
  syft: { json: 'application/vnd.syft+json' },
};

async function attachSbom(target: Target, flags: Flags, context: CliContext): Promise<void> {
  const { sbom, type = 'spdx', inputFormat } = flags;
  context.stderr('WARNING: nobody signs an SBOM that is attached; waybill attest --type cyclonedx signs it');
  if (!sbom) throw cosignRule('required flag(s) "sbom" not set');
  const formats = sbomTypes[type];
  if (formats === undefined) throw cosignRule(`unknown SBOM type: "${type}", expected (spdx|cyclonedx|syft)`);
  const [usual = ''] = Object.keys(formats);
  if (inputFormat && formats[inputFormat] === undefined) {
    throw cosignRule(
      `invalid SBOM input format: "${inputFormat}", expected (${Object.keys(formats).join('|')})`,
    );
  }
  // For cosign a name that ends so says more than the flag.
  const mediaType = formats[sbom.endsWith('.json') ? 'json' : inputFormat || usual] ?? '';
  const { attachLegacySbom } = await import('#oci');
  const { tag } = await attachLegacySbom(
    target.place,
    target.digest,
    await read(sbom),
    mediaType,
    target.options,
  );
  const to = `${target.place.name}:${tag ?? ''}`;
  context.stderr(`Uploaded SBOM file for [${target.repository}] to [${to}] with mediaType [${mediaType}].`);
}

async function attachSignature(target: Target, flags: Flags, context: CliContext): Promise<void> {
  const { payload, signature, certificate, certificateChain, rekorResponse, tsr } = flags;
  const given = payload ? await read(payload) : undefined;
  if (given !== undefined && (await attachIfBundle(target, given, context))) return;
  const text = signature ? utf8Text(await read(signature)).trim() : '';
  if (text === '') throw cosignRule('empty signature');
  const [{ attachLegacySignature }, { simpleSigning }, { timestampJson }] = await Promise.all([
    import('#oci'),
    import('#flows/sign-image'),
    import('./cosign-pieces.ts'),
  ]);
  const document = given ?? simpleSigning(target.repository, target.digest, {});
  const entry = rekorResponse ? rekorBundleIn(await read(rekorResponse)) : undefined;
  const material = {
    signature: text,
    ...(certificate ? { certificate: utf8Text(await read(certificate)) } : {}),
    ...(certificateChain ? { chain: utf8Text(await read(certificateChain)) } : {}),
    ...(entry === undefined ? {} : { rekorBundle: entry }),
    ...(tsr ? { timestamp: timestampJson(await read(tsr)) } : {}),
  };
  await attachLegacySignature(target.place, target.digest, document, material, target.options);
}

/** The log entry of `{"base64Signature", …, "rekorBundle"}`, or the entry alone. */
function rekorBundleIn(bytes: Uint8Array): string | undefined {
  const json = unwrap(parseJson(bytes));
  if (!isJsonObject(json)) return undefined;
  const inner = own(json, 'rekorBundle');
  if (inner !== undefined) return JSON.stringify(inner);
  return own(json, 'SignedEntryTimestamp') === undefined ? undefined : JSON.stringify(json);
}

async function attachIfBundle(
  { place, subject }: Target,
  bytes: Uint8Array,
  context: CliContext,
): Promise<boolean> {
  const [{ parseBundle }, { parseStatement }, { attachBundle }] = await Promise.all([
    import('#formats/bundle'),
    import('#formats/intoto'),
    import('#oci'),
  ]);
  const bundle = parseBundle(bytes);
  if (!bundle.ok) return false;
  const { content } = bundle.value;
  if (content.kind !== 'dsse') throw cosignRule('bundle does not contain a DSSE envelope');
  const { predicateType } = unwrap(parseStatement(content.envelope.payload));
  await attachBundle(place, { annotations: new Map(), ...subject }, bytes, {
    predicateType,
    createdMs: context.clock.now(),
  });
  return true;
}

async function attachAttestations(target: Target, flags: Flags, context: CliContext): Promise<void> {
  const files = flags.attestation ?? [];
  if (files.length === 0) throw cosignRule('required flag(s) "attestation" not set');
  const [{ parseEnvelope }, { parseStatement }, { attachLegacyAttestation }] = await Promise.all([
    import('#formats/dsse'),
    import('#formats/intoto'),
    import('#oci'),
  ]);
  for (const file of files) {
    context.stderr(`Using attestation from: ${plainLine(file)}`);
    const bytes = await read(file);
    if (await attachIfBundle(target, bytes, context)) continue;
    for (const text of documentsIn(utf8Text(bytes))) {
      const envelope = utf8(text);
      const { predicateType } = unwrap(parseStatement(unwrap(parseEnvelope(envelope)).payload));
      await attachLegacyAttestation(target.place, target.digest, envelope, { predicateType }, target.options);
    }
  }
}

/** One document, or one a line. */
function documentsIn(text: string): readonly string[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.every((line) => line.trimStart().startsWith('{"')) ? lines : [text];
}

async function generate({ repository, digest }: Target, flags: Flags, context: CliContext): Promise<void> {
  const { simpleSigning } = await import('#flows/sign-image');
  context.stdout(simpleSigning(repository, digest, annotationsFrom(flags.annotations ?? [])));
}
