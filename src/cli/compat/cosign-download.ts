/** `waybill cosign download signature|attestation`: what is attached, as it is. Nothing of it is verified. */
import type { Command } from 'commander';
import { fail } from '#base/reason';
import type { Attachments } from '#oci';
import type { CliContext } from '../context.ts';
import { R } from '../reasons.ts';
import { type RegistryFlags, registryFrom } from '../registry-options.ts';
import { tellingErrors, withRegistryFlags } from './cosign-common.ts';
import { refuseBy } from './native.ts';

export function addDownload(cosign: Command, context: CliContext): void {
  const download = cosign.command('download').description('what is attached, unverified');
  refuseBy(download, 'cosign download');
  const signature = withRegistryFlags(
    download
      .command('signature')
      .description('bundles, or else the older layout')
      .argument('<image>', 'image'),
  );
  refuseBy(signature, 'cosign download signature').action((image: string) =>
    tellingErrors(context, async () => {
      const found = await attachments(image, signature.opts<RegistryFlags>(), context);
      print(found.bundles.length > 0 ? await bundleLines(found) : await legacyLines(found), image, context);
    }),
  );
  const attestation = withRegistryFlags(
    download.command('attestation').description('envelopes').argument('<image>', 'image'),
  ).option('--predicate-type <type>', 'alias of a predicate type, or a URI');
  refuseBy(attestation, 'cosign download attestation').action((image: string) =>
    tellingErrors(context, async () => {
      const flags = attestation.opts<RegistryFlags & { readonly predicateType?: string }>();
      const found = await attachments(image, flags, context);
      print(await envelopeLines(found, flags.predicateType), image, context);
    }),
  );
}

async function attachments(image: string, flags: RegistryFlags, context: CliContext): Promise<Attachments> {
  const [{ attachmentPlaces, listAttachments, openImage }, registry] = await Promise.all([
    import('#oci'),
    registryFrom(flags, context, [image]),
  ]);
  const { source, selector, reference } = await openImage(registry, image);
  const digest = selector.digest ?? (await source.resolve(selector)).digest;
  const { COSIGN_REPOSITORY: elsewhere } = context.env;
  const places = reference === undefined ? [source] : attachmentPlaces(registry, reference, elsewhere).read;
  return listAttachments(places, digest);
}

function print(lines: readonly string[], image: string, context: CliContext): void {
  if (lines.length === 0) {
    throw fail(R.nothingAttached, { expected: `a signature or attestation on ${image}`, actual: 'none' });
  }
  context.stdout(lines.join('\n'));
}

async function bundleLines({ bundles }: Attachments): Promise<string[]> {
  const { utf8Text } = await import('#base/bytes');
  return bundles.map(({ bytes }) => oneLine(utf8Text(bytes)));
}

const oneLine = (json: string): string => json.replace(/\s*[\r\n]\s*/g, '');

async function legacyLines({ legacySignatures }: Attachments): Promise<string[]> {
  const { toBase64 } = await import('#base/bytes');
  return legacySignatures.map((one) =>
    JSON.stringify({
      Base64Signature: one.signature ?? '',
      Payload: toBase64(one.payload),
      Cert: one.certificate ?? null,
      Chain: one.chain ?? null,
      Bundle: one.rekorBundle === undefined ? null : (JSON.parse(one.rekorBundle) as unknown),
      RFC3161Timestamp: one.timestamp === undefined ? null : (JSON.parse(one.timestamp) as unknown),
    }),
  );
}

async function envelopeLines(found: Attachments, type: string | undefined): Promise<string[]> {
  const [
    { utf8Text },
    { parseBundle },
    { parseEnvelope, envelopeJson },
    { parseStatement, resolvePredicateType },
    { unwrap },
  ] = await Promise.all([
    import('#base/bytes'),
    import('#formats/bundle'),
    import('#formats/dsse'),
    import('#formats/intoto'),
    import('#base/result'),
  ]);
  const wanted = type === undefined ? undefined : unwrap(resolvePredicateType(type));
  const isWanted = (payload: Uint8Array): boolean => {
    const statement = parseStatement(payload);
    return wanted === undefined || (statement.ok && statement.value.predicateType === wanted);
  };
  const fromBundles = found.bundles.flatMap(({ bytes }) => {
    const bundle = parseBundle(bytes);
    if (!bundle.ok || bundle.value.content.kind !== 'dsse') return [];
    const { envelope } = bundle.value.content;
    return isWanted(envelope.payload) ? [envelopeJson(envelope)] : [];
  });
  const fromTags = found.legacyAttestations.flatMap(({ envelope }) => {
    const parsed = parseEnvelope(envelope);
    return parsed.ok && isWanted(parsed.value.payload) ? [oneLine(utf8Text(envelope))] : [];
  });
  return [...fromBundles, ...fromTags];
}
