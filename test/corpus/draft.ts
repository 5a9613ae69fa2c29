/** What a case is put together from: how it is signed, what is changed afterwards, who judges it and how. */
import type { Digest } from '#base/brand';
import { toBase64, toHex, utf8 } from '#base/bytes';
import { digestOf } from '#base/digest';
import { unwrap } from '#base/result';
import { envelopeJson } from '#formats/dsse';
import type { JsonObject, JsonValue } from '#formats/json';
import { pemEncode } from '#formats/pem';
import { parseTrustedRoot, type TrustedRootInput, trustedRootJson } from '#formats/trusted-root';
import {
  DSSE_MEDIA_TYPE,
  type IdentityInput,
  identity,
  type LegacyLayer,
  legacyAnnotations,
  type Requirements,
  requireKey,
  requireKeyless,
  SIMPLE_SIGNING_MEDIA_TYPE,
  type TrustMaterial,
  trustMaterial,
  withoutIdentityUnsafe,
} from '#verify';
import { ISSUER, type Parts, type Sample, type SignOptions, SUBJECT } from '../double/virtual-stack.ts';
import { keyNamed, moment, stack } from './world.ts';

/** What is asked, as data: every door puts it in its own words. */
export interface Ask {
  readonly issuer: IdentityInput['issuer'];
  readonly san: IdentityInput['san'];
  readonly sanType?: IdentityInput['sanType'];
  readonly claims?: IdentityInput['claims'];
  /** Several signers, any of whom will do, instead of the one above. */
  readonly anyOf?: readonly IdentityInput[];
  /** Verify with this key instead of an identity. */
  readonly key?: string;
  /** Seconds from EPOCH. */
  readonly keyValid?: readonly [number, number];
  /** Accept any identity. */
  readonly anyone?: boolean;
  readonly tlog?: number | 'notRequiredUnsafe';
  readonly sct?: number | 'notRequiredUnsafe';
  readonly time?:
    | { readonly kind: 'observed' | 'signed' | 'integrated'; readonly atLeast: number }
    | { readonly kind: 'current' };
  readonly predicateTypes?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly subject?: 'notRequiredUnsafe';
}

export interface Draft {
  sign: { -readonly [K in keyof SignOptions]: SignOptions[K] };
  ask: Ask;
  root: TrustedRootInput;
  /** Changes of the text of the trusted root, in order. */
  rootEdits: ((text: string) => string)[];
  now: number;
  /** Another artifact is handed to the verifier than was signed. */
  judged?: Uint8Array;
  /** In order, over the parts before they are put together. */
  partEdits: ((parts: Parts) => Partial<Parts>)[];
  /** In order, over the JSON of the bundle; bytes end the chain. */
  edits: ((json: JsonObject, draft: Draft) => JsonObject | Uint8Array)[];
  container: 'bundle' | 'signature' | 'attestation';
  /** Changes of a legacy layer, in order. */
  layerEdits: ((layer: LegacyLayer) => LegacyLayer)[];
}

/** What is handed to a door. */
export interface Exhibit {
  readonly evidence: Uint8Array | LegacyLayer;
  /** Bytes of an OCI manifest: a file for one door, an image for the others. */
  readonly artifact: Uint8Array;
  readonly digest: Digest;
  readonly ask: Ask;
  readonly trustedRoot: string;
  readonly now: number;
}

/** An image manifest, so that the same bytes are a file and an image. */
export const manifestBytes = (name: string): Uint8Array =>
  utf8(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: {
        mediaType: 'application/vnd.oci.empty.v1+json',
        digest: 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
        size: 2,
      },
      layers: [],
      annotations: { name },
    }),
  );

export const ARTIFACT = manifestBytes('app');

export function newDraft(): Draft {
  return {
    sign: { artifact: ARTIFACT },
    ask: { issuer: ISSUER, san: SUBJECT },
    root: stack.root,
    rootEdits: [],
    now: stack.clock.now(),
    partEdits: [],
    edits: [],
    container: 'bundle',
    layerEdits: [],
  };
}

export function exhibit(draft: Draft): Exhibit {
  const artifact = draft.judged ?? ARTIFACT;
  return {
    evidence: draft.container === 'bundle' ? editedBundle(draft) : editedLayer(draft),
    artifact,
    digest: digestOf(artifact),
    ask: draft.ask,
    trustedRoot: draft.rootEdits.reduce((text, edit) => edit(text), trustedRootJson(draft.root)),
    now: draft.now,
  };
}

/** Signs as the draft says. */
export function signed(draft: Draft, changes: Partial<SignOptions> = {}): Sample {
  const alter = (parts: Parts): Parts => {
    const altered = { ...parts };
    for (const edit of draft.partEdits) Object.assign(altered, edit(altered));
    return altered;
  };
  return stack.sign({ ...draft.sign, ...changes, alter });
}

function editedBundle(draft: Draft): Uint8Array {
  let document: JsonObject | Uint8Array = signed(draft).json;
  for (const edit of draft.edits) {
    if (document instanceof Uint8Array) throw new Error('a change after the document became bytes');
    document = edit(document, draft);
  }
  return document instanceof Uint8Array ? document : utf8(JSON.stringify(document));
}

/** The document `cosign sign` signed before version 3. */
export const simpleSigningOf = (artifact: Uint8Array, more: JsonObject = {}): Uint8Array =>
  utf8(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': 'registry.example/app' },
        image: { 'docker-manifest-digest': digestOf(artifact) },
        type: 'cosign container image signature',
      },
      optional: null,
      ...more,
    }),
  );

function editedLayer(draft: Draft): LegacyLayer {
  const isAttestation = draft.container === 'attestation';
  const { artifact = ARTIFACT } = draft.sign;
  const payload =
    draft.sign.statement instanceof Uint8Array ? draft.sign.statement : simpleSigningOf(artifact);
  if (!isAttestation) delete draft.sign.statement;
  const sample = signed(draft, isAttestation ? {} : { artifact: payload });
  const layer = isAttestation ? attestationLayer(sample) : signatureLayer(sample, payload);
  return draft.layerEdits.reduce((before, edit) => edit(before), layer);
}

function signatureLayer(sample: Sample, payload: Uint8Array): LegacyLayer {
  const { content } = sample.parts;
  if (content.kind !== 'message') throw new Error('a legacy signature is over a document');
  const signature = toBase64(content.signature);
  return {
    mediaType: SIMPLE_SIGNING_MEDIA_TYPE,
    payload,
    annotations: { ...beside(sample), [legacyAnnotations.signature]: signature },
  };
}

function attestationLayer(sample: Sample): LegacyLayer {
  const { content } = sample.parts;
  if (content.kind !== 'dsse') throw new Error('a legacy attestation is an envelope');
  const annotations = { ...beside(sample), [legacyAnnotations.signature]: '' };
  return { mediaType: DSSE_MEDIA_TYPE, payload: utf8(envelopeJson(content.envelope)), annotations };
}

/** Certificate, promise and timestamp as annotations. */
function beside({ parts }: Sample): Record<string, string> {
  const [entry] = parts.entries;
  const [stamp] = parts.timestamps;
  const annotations: Record<string, string> = {};
  if (parts.material.kind === 'certificate') {
    const { certificate } = parts.material;
    const bytes = certificate instanceof Uint8Array ? certificate : certificate.der;
    annotations[legacyAnnotations.certificate] = pemEncode('CERTIFICATE', bytes);
  }
  if (entry?.inclusionPromise !== undefined) {
    const Payload = {
      body: toBase64(entry.canonicalizedBody),
      integratedTime: entry.integratedTime,
      logIndex: entry.logIndex,
      logID: toHex(entry.logId),
    };
    annotations[legacyAnnotations.bundle] = JSON.stringify({
      SignedEntryTimestamp: toBase64(entry.inclusionPromise),
      Payload,
    });
  }
  if (stamp !== undefined) {
    const value: JsonValue = { SignedRFC3161Timestamp: toBase64(stamp) };
    annotations[legacyAnnotations.timestamp] = JSON.stringify(value);
  }
  return annotations;
}

/** What is asked, in the words of the library. Throws the reason of a question that cannot be asked. */
export function requirementsOf(ask: Ask): Requirements {
  const { tlog, sct, time, predicateTypes, annotations, subject } = ask;
  const common = {
    ...(tlog === undefined ? {} : { tlog }),
    ...(predicateTypes === undefined ? {} : { predicateTypes }),
    ...(annotations === undefined ? {} : { annotations }),
    ...(subject === undefined ? {} : { subject }),
    ...(time === undefined ? {} : { time }),
  };
  if (ask.key !== undefined) {
    const [start, end] = ask.keyValid ?? [];
    const validFor =
      start === undefined || end === undefined
        ? {}
        : { validFor: { start: moment(start), end: moment(end) } };
    return unwrap(requireKey(keyNamed(ask.key).publicKey, { ...common, ...validFor }));
  }
  const keyless = { ...common, ...(sct === undefined ? {} : { sct }) };
  if (ask.anyone === true) return unwrap(withoutIdentityUnsafe(keyless));
  const wanted: readonly IdentityInput[] = ask.anyOf ?? [identityOf(ask)];
  return unwrap(requireKeyless({ ...keyless, identities: wanted.map((one) => unwrap(identity(one))) }));
}

const identityOf = ({ issuer, san, sanType, claims }: Ask): IdentityInput => ({
  issuer,
  san,
  ...(sanType === undefined ? {} : { sanType }),
  ...(claims === undefined ? {} : { claims }),
});

const materials = new Map<string, TrustMaterial>();

/** Trust as every caller loads it: through the text of the trusted root. */
export function trustOf(trustedRoot: string): TrustMaterial {
  const known = materials.get(trustedRoot) ?? trustMaterial(unwrap(parseTrustedRoot(trustedRoot)));
  materials.set(trustedRoot, known);
  return known;
}
