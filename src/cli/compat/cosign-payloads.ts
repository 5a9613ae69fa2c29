/** What `cosign verify` and `verify-attestation` print of what was accepted. */
import { utf8Text } from '#base/bytes';
import { unwrap } from '#base/result';
import type { AttachedItem } from '#facts';
import type { VerifiedImage } from '#flows/verify-image';
import { parseBundle } from '#formats/bundle';
import { envelopeJson } from '#formats/dsse';
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from '#formats/json';
import { type Accepted, legacyAnnotations } from '#verify';
import type { CliContext } from '../context.ts';
import { plainLines } from '../render/plain.ts';

interface Form {
  readonly format: 'json' | 'text';
  readonly mode: 'bundle' | 'legacy';
}

export function printSignatures(
  { accepted, items }: VerifiedImage,
  given: string,
  { format, mode }: Form,
  context: CliContext,
): void {
  const payloads = accepted.map((verdict, i) => {
    const item = items[i];
    return item?.kind === 'legacy' ? legacyPayload(item, verdict, format) : bundlePayload(verdict, given);
  });
  if (format === 'json') {
    context.stdout(`\n${JSON.stringify(payloads)}`);
    return;
  }
  for (const [i, payload] of payloads.entries()) {
    if (mode === 'legacy') context.stderr(certificateText(accepted[i]));
    context.stdout(JSON.stringify(payload));
  }
}

/** A statement in the form of a simple signing document: cosign shows the name it was given. */
function bundlePayload({ statement }: Accepted, given: string): JsonObject {
  const subject = statement?.subject[0];
  return {
    critical: {
      identity: { 'docker-reference': given },
      image: { 'docker-manifest-digest': `sha256:${subject?.digest['sha256'] ?? ''}` },
      type: statement?.predicateType ?? '',
    },
    optional: subject?.annotations ?? {},
  };
}

type LegacyItem = Extract<AttachedItem, { kind: 'legacy' }>;

/** The signed document; as JSON with what the certificate and the log say among its annotations. */
function legacyPayload(item: LegacyItem, verdict: Accepted, format: Form['format']): JsonObject {
  const signed = unwrap(parseJson(item.bytes));
  const document = isJsonObject(signed) ? signed : {};
  if (format === 'text') return document;
  const own = document['optional'];
  const entry = item.annotations[legacyAnnotations.bundle];
  const stamp = item.annotations[legacyAnnotations.timestamp];
  const optional: JsonObject = {
    ...(isJsonObject(own) ? own : {}),
    ...certificateFields(verdict),
    ...(entry ? { Bundle: unwrap(parseJson(entry)) } : {}),
    ...(stamp ? { RFC3161Timestamp: unwrap(parseJson(stamp)) } : {}),
  };
  const names = Object.keys(optional).sort();
  const sorted = Object.fromEntries(names.map((name) => [name, optional[name] as JsonValue]));
  return { ...document, optional: names.length === 0 ? null : sorted };
}

/** Object identifiers under which cosign repeats a claim, beside its name. */
const claims = [
  ['githubWorkflowTrigger', '1.3.6.1.4.1.57264.1.2'],
  ['githubWorkflowSha', '1.3.6.1.4.1.57264.1.3'],
  ['githubWorkflowName', '1.3.6.1.4.1.57264.1.4'],
  ['githubWorkflowRepository', '1.3.6.1.4.1.57264.1.5'],
  ['githubWorkflowRef', '1.3.6.1.4.1.57264.1.6'],
] as const;

const labels = {
  githubWorkflowTrigger: 'GitHub Workflow Trigger',
  githubWorkflowSha: 'GitHub Workflow SHA',
  githubWorkflowName: 'GitHub Workflow Name',
  githubWorkflowRepository: 'GitHub Workflow Repository',
  githubWorkflowRef: 'GitHub Workflow Ref',
} as const;

/** Of several names cosign shows the first in this order (sigstore/pkg/cryptoutils), whichever was asked for. */
const subjectOrder = ['dns', 'email', 'ip', 'uri', 'otherName'] as const;

function certificateFields({ signer }: Accepted): JsonObject {
  if (signer.kind === 'key') return {};
  const { issuer, certificate } = signer;
  const names = subjectOrder.flatMap((type) => certificate.sans.filter((name) => name.type === type));
  const subject = names[0] ?? signer.san;
  const said = claims.flatMap(([name, oid]): [string, string][] => {
    const value = signer.claims[name];
    return value === undefined || value === ''
      ? []
      : [
          [name, value],
          [oid, value],
        ];
  });
  // An authority that is no Fulcio says no issuer.
  const by = issuer === '' ? {} : { Issuer: issuer, '1.3.6.1.4.1.57264.1.1': issuer };
  return { ...by, Subject: subject.value, ...Object.fromEntries(said) };
}

function certificateText(verdict: Accepted | undefined): string {
  if (verdict === undefined || verdict.signer.kind === 'key') return '';
  const { issuer, san, claims: claimed } = verdict.signer;
  const said = claims.flatMap(([name]) => {
    const value = claimed[name];
    return value === undefined || value === '' ? [] : [`${labels[name]}: ${value}`];
  });
  const by = issuer === '' ? [] : [`Certificate issuer URL: ${issuer}`];
  return plainLines([`Certificate subject: ${san.value}`, ...by, ...said]);
}

/** One envelope a line. */
export function printAttestations(
  { accepted, items }: VerifiedImage,
  mode: Form['mode'],
  context: CliContext,
): void {
  for (const [i, item] of items.entries()) {
    const text = certificateText(accepted[i]);
    if (mode === 'legacy' && text !== '') context.stderr(text);
    context.stdout(envelopeOf(item));
  }
}

function envelopeOf(item: AttachedItem): string {
  if (item.kind !== 'bundle') return utf8Text(item.bytes).trim();
  const { content } = unwrap(parseBundle(item.bytes));
  if (content.kind === 'dsse') return envelopeJson(content.envelope);
  throw new Error(`an accepted attestation without an envelope: ${item.name}`);
}
