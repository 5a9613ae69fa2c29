/** The same signed statement in the form of the other layout, without any judgement. */
import { equalBytes, toBase64, utf8 } from '#base/bytes';
import { hash } from '#base/crypto';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { bundleBytes } from '#formats/bundle';
import { type Envelope, envelopeJson } from '#formats/dsse';
import { pemEncode } from '#formats/pem';
import { type HashValue, parseRekorV1Body } from '#formats/rekor';
import type { TransparencyLogEntry } from '#formats/tlog-entry';
import { parseTimeStampResponse } from '#formats/tsp';
import type { LegacyMaterial } from '#oci';
import { rekorBundle } from '#sign';
import { legacyAnnotations, type SignedEntity, type TrustMaterial } from '#verify';
import { R as Flow } from './reasons.ts';
import { R } from './sign-reasons.ts';

/** A bundle 0.3. `entries` are those of the entity, each with its proof. */
export function bundleOf(
  entity: SignedEntity,
  entries: readonly TransparencyLogEntry[],
): { readonly bytes: Uint8Array; readonly left: readonly string[] } {
  const { content, material, signature, timestamps } = entity;
  if (content.kind !== 'dsse') throw new Error('only statements have a place in a bundle');
  // Old timestamps cover the whole envelope; a bundle's cover the signature.
  const kept = timestamps.filter((der) => {
    const token = parseTimeStampResponse(der);
    return token.ok && token.value.covers(signature);
  });
  const bytes = bundleBytes({
    material,
    tlogEntries: entries,
    timestamps: kept,
    content: { kind: 'dsse', envelope: content.envelope },
  });
  const isLess = kept.length < timestamps.length;
  return { bytes, left: isLess ? ['a timestamp over the envelope'] : [] };
}

export interface LegacyForm {
  /** The layer: the envelope in the spelling that the log has hashed. */
  readonly envelope: Uint8Array;
  readonly material: {
    readonly fields: Omit<LegacyMaterial, 'signature'>;
    readonly annotations: Readonly<Record<string, string>>;
  };
  readonly left: readonly string[];
}

/** Throws WB-903 without a promise of the log, WB-954 when the logged spelling of the envelope is not known. */
export function legacyOf(entity: SignedEntity, trust: TrustMaterial): LegacyForm {
  const { content, material, entries, timestamps } = entity;
  if (content.kind !== 'dsse') throw fail(R.resign, { expected: 'a statement', actual: 'a bare signature' });
  const promised = entries.find((entry) => entry.inclusionPromise !== undefined);
  if (promised === undefined && entries.length > 0) {
    throw fail(Flow.legacyNeedsPromise, {
      expected: 'a log entry with a signed entry timestamp',
      actual: 'none',
    });
  }
  const envelope =
    promised === undefined ? utf8(envelopeJson(content.envelope)) : asLogged(content.envelope, promised);
  const certificate = material.kind === 'certificate' ? material.certificate : undefined;
  const issuer = trust.authorities.find(
    ({ chain }) => certificate !== undefined && equalBytes(chain[0].subject, certificate.issuer),
  );
  const fields = {
    ...(certificate === undefined ? {} : { certificate: pemEncode('CERTIFICATE', certificate.der) }),
    ...(issuer === undefined
      ? {}
      : { chain: issuer.chain.map(({ der }) => pemEncode('CERTIFICATE', der)).join('') }),
    ...(promised === undefined ? {} : { rekorBundle: rekorBundle(promised) }),
  };
  const annotations = {
    ...(fields.certificate === undefined ? {} : { [legacyAnnotations.certificate]: fields.certificate }),
    ...(fields.rekorBundle === undefined ? {} : { [legacyAnnotations.bundle]: fields.rekorBundle }),
  };
  const left = [
    ...(promised?.inclusionProof === undefined ? [] : ['the inclusion proof']),
    ...(entries.length > 1 ? [`${entries.length - 1} more log entries`] : []),
    ...timestamps.map(() => 'a timestamp over the signature'),
  ];
  return { envelope, material: { fields, annotations }, left };
}

/** Old readers compare the hash of the layer with the one in the log, so the spelling that was logged is needed. */
function asLogged(envelope: Envelope, entry: TransparencyLogEntry): Uint8Array {
  const body = unwrap(parseRekorV1Body(entry.kind, entry.version, entry.canonicalizedBody));
  const logged: HashValue | undefined = 'envelopeHash' in body ? body.envelopeHash : undefined;
  const known = spellings(envelope).map(utf8);
  const found = known.find(
    (bytes) => logged !== undefined && equalBytes(hash(logged.algorithm, bytes), logged.value),
  );
  if (found !== undefined) return found;
  throw fail(R.spelling, {
    expected: `an envelope whose ${logged?.algorithm ?? 'hash'} is the logged one`,
    actual: `${known.length} known spellings, none of it`,
  });
}

/** Member orders and absent key ids of the tools that log envelopes. */
function spellings(envelope: Envelope): string[] {
  const { payloadType } = envelope;
  const payload = toBase64(envelope.payload);
  const signatures = envelope.signatures.map(({ sig, keyid }) => ({ sig: toBase64(sig), keyid }));
  const lists: readonly object[][] = [
    signatures.map(({ sig, keyid }) => (keyid === undefined ? { sig } : { keyid, sig })),
    signatures.map(({ sig, keyid = '' }) => ({ keyid, sig })),
    signatures.map(({ sig, keyid }) => (keyid === undefined ? { sig } : { sig, keyid })),
    signatures.map(({ sig, keyid = '' }) => ({ sig, keyid })),
  ];
  return lists.flatMap((list) => [
    JSON.stringify({ payload, payloadType, signatures: list }),
    JSON.stringify({ payloadType, payload, signatures: list }),
  ]);
}
