/** `waybill cosign download signature|attestation|sbom`: what is attached, as it is. Nothing of it is verified. */
import type { Command } from 'commander';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import type { ParsedBundle } from '#formats/bundle';
import type { JsonObject, JsonValue } from '#formats/json';
import type { Attachments, ImageSource } from '#oci';
import type { CliContext } from '../context.ts';
import { R } from '../reasons.ts';
import { type RegistryFlags, registryFrom } from '../registry-options.ts';
import { asCosign } from './cosign-common.ts';
import { addFlags, type FlagSpec, listOptions, prefixedRegistryFlags, readFlags } from './cosign-flags.ts';
import { refuseBy } from './native.ts';

interface Flags extends RegistryFlags {
  readonly platform?: string;
  readonly predicateType?: string;
}

const platform: FlagSpec = { flags: '--platform <os/arch>', help: 'of an index, the image of this platform' };
const type: FlagSpec = { flags: '--predicate-type <type>', help: 'alias of a predicate type, or a URI' };

type Printer = (found: Found, flags: Flags, context: CliContext) => Promise<void>;

export function addDownload(cosign: Command, context: CliContext): void {
  const download = cosign.command('download').description('what is attached, unverified');
  refuseBy(download, 'cosign download');
  const add = (name: string, description: string, specs: readonly FlagSpec[], print: Printer): void => {
    const command = addFlags(download.command(name).description(description), specs);
    command.argument('<image>', 'image');
    refuseBy(command, `cosign download ${name}`).action((image: string) =>
      asCosign(context, {}, async () => {
        const flags = readFlags<Flags>(command, specs, context);
        await print(await attachments(image, flags, context), flags, context);
      }),
    );
  };
  add('signature', 'bundles, or else the older layout', prefixedRegistryFlags, printSignatures);
  add(
    'attestation',
    'bundles, and envelopes of the older layout',
    [...prefixedRegistryFlags, platform, type],
    printAttestations,
  );
  add('sbom', 'an attached SBOM, which nobody signed', [...prefixedRegistryFlags, platform], printSbom);
}

interface Found {
  readonly image: string;
  readonly attached: Attachments;
  readonly place: ImageSource;
}

async function attachments(image: string, flags: Flags, context: CliContext): Promise<Found> {
  const [{ attachmentPlaces, listAttachments, openImage, parsePlatform, selectImage }, registry] =
    await Promise.all([import('#oci'), registryFrom(flags, context, [image])]);
  const { source, selector, reference } = await openImage(registry, image);
  let digest = selector.digest ?? (await source.resolve(selector)).digest;
  if (flags.platform !== undefined) {
    digest = (await selectImage(source, { digest }, unwrap(parsePlatform(flags.platform)))).manifest.digest;
  }
  const { COSIGN_REPOSITORY: elsewhere } = context.env;
  const places = reference === undefined ? [source] : attachmentPlaces(registry, reference, elsewhere).read;
  return {
    image,
    attached: await listAttachments(places, digest, listOptions(flags, context)),
    place: places[0] ?? source,
  };
}

const nothing = ({ image }: Found, what: string) =>
  fail(R.nothingAttached, { expected: `${what} on ${image}`, actual: 'none' });

async function printSignatures(found: Found, _flags: Flags, context: CliContext): Promise<void> {
  const bundles = await bundlesOf(found);
  const lines = bundles.length > 0 ? bundles.map(({ text }) => text) : await legacySignatures(found);
  if (lines.length === 0) throw nothing(found, 'a signature');
  context.stdout(lines.join('\n'));
}

async function printAttestations(found: Found, flags: Flags, context: CliContext): Promise<void> {
  const [{ parseEnvelope }, { parseStatement, resolvePredicateType }, { toBase64 }] = await Promise.all([
    import('#formats/dsse'),
    import('#formats/intoto'),
    import('#base/bytes'),
  ]);
  const wanted =
    flags.predicateType === undefined ? undefined : unwrap(resolvePredicateType(flags.predicateType));
  const isWanted = (payload: Uint8Array): boolean => {
    const statement = parseStatement(payload);
    return wanted === undefined || (statement.ok && statement.value.predicateType === wanted);
  };
  const bundles = (await bundlesOf(found)).flatMap(({ bundle: { content }, text }) =>
    wanted === undefined || (content.kind === 'dsse' && isWanted(content.envelope.payload)) ? [text] : [],
  );
  const envelopes = found.attached.legacyAttestations.flatMap(({ envelope }) => {
    const parsed = parseEnvelope(envelope);
    if (!parsed.ok || !isWanted(parsed.value.payload)) return [];
    const { payloadType, payload, signatures } = parsed.value;
    const signed = signatures.map(({ sig, keyid }) => ({ keyid: keyid ?? '', sig: toBase64(sig) }));
    return [JSON.stringify({ payloadType, payload: toBase64(payload), signatures: signed })];
  });
  const lines = [...bundles, ...envelopes];
  if (lines.length > 0) context.stdout(lines.join('\n'));
  else if (wanted !== undefined) throw nothing(found, `an attestation of type ${wanted}`);
}

async function printSbom(found: Found, _flags: Flags, context: CliContext): Promise<void> {
  const [sbom] = found.attached.legacySboms;
  context.stderr('warning: nobody signed an SBOM that is attached this way; prefer an attestation');
  if (sbom === undefined) throw nothing(found, 'an SBOM');
  const { readBlob } = await import('#oci');
  context.stderr(`Found SBOM of media type: ${sbom.layer.mediaType}`);
  context.stdout(await readBlob(found.place, sbom.layer));
}

interface FoundBundle {
  readonly bundle: ParsedBundle;
  readonly text: string;
}

/** What cannot be read is left out, as cosign leaves it out. */
async function bundlesOf({ attached }: Found): Promise<FoundBundle[]> {
  const [{ parseBundle }, { parseJson }] = await Promise.all([
    import('#formats/bundle'),
    import('#formats/json'),
  ]);
  return attached.bundles.flatMap(({ bytes }) => {
    const bundle = parseBundle(bytes);
    if (!bundle.ok) return [];
    return [{ bundle: bundle.value, text: JSON.stringify(withoutDefaults(unwrap(parseJson(bytes)))) }];
  });
}

/** Members whose zero protobuf JSON leaves out. */
const counts: ReadonlySet<string> = new Set(['logIndex', 'treeSize', 'integratedTime']);

/** As protobuf's JSON encoder writes it anew: without members that hold their default. */
function withoutDefaults(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map(withoutDefaults);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value as JsonObject).filter(
    ([name, member]) =>
      member !== '' &&
      !(counts.has(name) && (member === '0' || member === 0)) &&
      !(Array.isArray(member) && member.length === 0),
  );
  return Object.fromEntries(members.map(([name, member]) => [name, withoutDefaults(member)]));
}

async function legacySignatures({ attached }: Found): Promise<string[]> {
  const [{ toBase64 }, { parseJson }, { goCertificates }] = await Promise.all([
    import('#base/bytes'),
    import('#formats/json'),
    import('./go-certificate.ts'),
  ]);
  const json = (text: string | undefined): JsonValue => (text === undefined ? null : unwrap(parseJson(text)));
  return attached.legacySignatures.map((one) =>
    JSON.stringify({
      Base64Signature: one.signature ?? '',
      Payload: toBase64(one.payload),
      Cert: goCertificates(one.certificate)?.[0] ?? null,
      Chain: goCertificates(one.chain),
      Bundle: json(one.rekorBundle),
      RFC3161Timestamp: json(one.timestamp),
    }),
  );
}
