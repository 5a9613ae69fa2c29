/**
 * Use case: sign an image by its digest and attach the signature. A tag is resolved once and everything after
 * works with the digest. Nothing is attached that our own verifier does not accept for that digest.
 */

import type { Digest } from '#base/brand';
import { utf8 } from '#base/bytes';
import type { Clock } from '#base/clock';
import { publicKeyFromSpki } from '#base/crypto';
import { digestAlgorithm, digestHex } from '#base/digest';
import { fail, WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import { INTOTO_PAYLOAD_TYPE } from '#formats/dsse';
import { isFileSource } from '#formats/image-source';
import { COSIGN_SIGN_V1, STATEMENT_V1, statementBytes } from '#formats/intoto';
import type { Descriptor } from '#formats/oci';
import { parseReference, type Reference, repositoryText } from '#formats/reference';
import {
  attachBundle,
  attachLegacySignature,
  attachmentPlaces,
  imagesOf,
  type LegacyOptions,
  type Registry,
} from '#oci';
import type { Signer, SignResult } from '#sign';
import {
  requireKey,
  SIMPLE_SIGNING_TYPE,
  type TrustMaterial,
  verifyBundle,
  withoutIdentityUnsafe,
} from '#verify';
import { R } from './reasons.ts';

export type SignatureFormat = 'bundle' | 'legacy' | 'both';

export interface SignImageDeps {
  readonly registry: Registry;
  readonly signer: Signer;
  readonly trustedRoot: TrustMaterial;
  readonly clock: Clock;
  readonly cosignRepository?: string;
}

export interface SignImageOptions {
  readonly format: SignatureFormat;
  readonly annotations: Readonly<Record<string, string>>;
  /** Sign every image of an index too. */
  readonly recursive: boolean;
  /** False: signed, logged and verified, but not attached. */
  readonly upload?: boolean;
  /** Of the legacy layout. */
  readonly legacy?: LegacyDocuments;
}

/** What is signed in the legacy layout, and how it is written. */
export interface LegacyDocuments extends LegacyOptions {
  /** Signed as it is, instead of a document made here. */
  readonly payload?: Uint8Array;
  /** Names that documents say the image has, one document each. Default: its repository. */
  readonly identities?: readonly string[];
}

export interface SignedImage {
  readonly given: string;
  readonly pinned: string;
  /** Digest of the bundle's manifest and the legacy tag, as written. */
  readonly attached: readonly string[];
  readonly results: readonly SignResult[];
  /** The simple signing document, where the legacy layout was asked for. */
  readonly payload?: Uint8Array;
}

/** Signs one reference; with `recursive`, an index and each of its images, the index last. */
export async function signImage(
  given: string,
  options: SignImageOptions,
  deps: SignImageDeps,
): Promise<readonly SignedImage[]> {
  const { reference, targets } = await targetsOf(given, options.recursive, deps.registry);
  const signed: SignedImage[] = [];
  for (const target of targets) signed.push(await signOne(given, reference, target, options, deps));
  return signed;
}

/**
 * The image, and with `recursive` each image of an index. The index comes last: a reader who finds its signature
 * finds those below it.
 */
export async function targetsOf(
  given: string,
  recursive: boolean,
  registry: Registry,
): Promise<{ readonly reference: Reference; readonly targets: readonly Descriptor[] }> {
  const reference = registryReference(given);
  const resolved = await registry.resolve(reference);
  if (!recursive) return { reference, targets: [resolved.descriptor] };
  const manifest = await resolved.repository.manifest(resolved.descriptor.digest);
  const below = manifest.kind === 'index' ? imagesOf(manifest) : [];
  // An index may name one image for several platforms: it is signed once.
  const once = new Map([...below, resolved.descriptor].map((target) => [target.digest, target]));
  return { reference, targets: [...once.values()] };
}

/** A reference in a registry; a layout directory has no place for referrers others would find. */
export function registryReference(given: string): Reference {
  if (isFileSource(given) && !given.startsWith('oci://')) {
    throw fail(R.layoutTarget, { expected: 'an image in a registry', actual: given });
  }
  return unwrap(parseReference(given));
}

async function signOne(
  given: string,
  reference: Reference,
  target: Descriptor,
  options: SignImageOptions,
  deps: SignImageDeps,
): Promise<SignedImage> {
  const repository = repositoryText(reference);
  const place = attachmentPlaces(deps.registry, reference, deps.cosignRepository).write;
  // Everything is signed before anything is attached: what cannot be had in both layouts is in neither.
  const documents = options.format === 'bundle' ? [] : documentsFor(repository, target, options);
  const legacy: LegacySigned[] = [];
  for (const payload of documents) legacy.push({ payload, result: await signLegacy(payload, deps) });
  const bundled =
    options.format === 'legacy'
      ? undefined
      : await signStatement(signatureStatement(target, options.annotations), target, deps);
  const attached: string[] = [];
  if (bundled !== undefined && options.upload !== false) {
    const written = await attachBundle(place, target, bundled.bundle, {
      predicateType: COSIGN_SIGN_V1,
      createdMs: deps.clock.now(),
    });
    attached.push(`${place.name}@${written.manifest.digest}`);
  }
  if (options.upload !== false) {
    for (const { payload, result } of legacy) {
      const material = { signature: result.legacy.signature, ...legacyMaterial(result.legacy) };
      const written = await attachLegacySignature(place, target.digest, payload, material, options.legacy);
      attached.push(`${place.name}:${written.tag ?? ''}`);
    }
  }
  const results = [...(bundled === undefined ? [] : [bundled]), ...legacy.map(({ result }) => result)];
  const [first] = legacy;
  return {
    given,
    pinned: `${repository}@${target.digest}`,
    attached,
    results,
    ...(first === undefined ? {} : { payload: first.payload }),
  };
}

interface LegacySigned {
  readonly payload: Uint8Array;
  readonly result: SignResult;
}

function documentsFor(
  repository: string,
  { digest }: Descriptor,
  { annotations, legacy }: SignImageOptions,
): readonly Uint8Array[] {
  if (legacy?.payload !== undefined) return [legacy.payload];
  const { identities = [] } = legacy ?? {};
  const names = identities.length === 0 ? [repository] : identities;
  return names.map((name) => simpleSigning(name, digest, annotations));
}

async function signLegacy(payload: Uint8Array, { signer }: SignImageDeps): Promise<SignResult> {
  const result = await signer.sign({ kind: 'message', bytes: payload });
  requirePromise(result);
  return result;
}

/** The pieces of the legacy layout under the names `#oci` gives them. */
export function legacyMaterial(legacy: SignResult['legacy']): {
  certificate?: string;
  chain?: string;
  rekorBundle?: string;
  timestamp?: string;
} {
  return {
    ...(legacy.certificate === undefined ? {} : { certificate: legacy.certificate }),
    ...(legacy.chain === undefined ? {} : { chain: legacy.chain }),
    ...(legacy.bundle === undefined ? {} : { rekorBundle: legacy.bundle }),
    ...(legacy.timestamp === undefined ? {} : { timestamp: legacy.timestamp }),
  };
}

/** Readers of the legacy layout know a log entry only by its promise. */
export function requirePromise(result: SignResult): void {
  // What was logged nowhere on purpose has nothing to promise.
  if (result.legacy.bundle !== undefined || result.entries.length === 0) return;
  throw fail(R.legacyNeedsPromise, {
    expected: 'a log entry with a signed entry timestamp',
    actual: 'an entry without one',
  });
}

/** Signs a statement and judges the bundle as a reader of each of its subjects would. */
export async function signStatement(
  statement: Uint8Array,
  about: Pick<Descriptor, 'digest'> | readonly Pick<Descriptor, 'digest'>[],
  deps: Pick<SignImageDeps, 'signer' | 'trustedRoot' | 'clock'>,
): Promise<SignResult> {
  const result = await deps.signer.sign({
    kind: 'dsse',
    payloadType: INTOTO_PAYLOAD_TYPE,
    payload: statement,
  });
  const by = result.verdict.signer;
  const sct = deps.trustedRoot.ctlogs.size === 0 ? { sct: 'notRequiredUnsafe' as const } : {};
  const tlog = result.entries.length === 0 ? { tlog: 'notRequiredUnsafe' as const } : {};
  const asked =
    by.kind === 'key'
      ? requireKey(keyOf(result), tlog)
      : withoutIdentityUnsafe({ ...sct, ...tlog, ...timeOf(result), isOfAnyAuthority: true });
  for (const { digest } of [about].flat()) {
    const verdict = verifyBundle({
      artifact: digest,
      bundle: unwrap(parseBundle(result.bundle)),
      trustedRoot: deps.trustedRoot,
      requirements: unwrap(asked),
      now: deps.clock.now(),
    });
    if (verdict.outcome === 'rejected') throw new WaybillError(verdict.reason);
    if (verdict.outcome === 'unavailable') throw new WaybillError(verdict.cause);
  }
  return result;
}

/** What nobody said a time of was judged by the time of signing. */
const timeOf = ({ verdict }: SignResult): { readonly time?: { readonly kind: 'current' } } =>
  verdict.times.every(({ kind }) => kind === 'current') ? { time: { kind: 'current' } } : {};

function keyOf(result: SignResult): Parameters<typeof requireKey>[0] {
  const { signer } = result.verdict;
  if (signer.kind !== 'key') throw new Error('a certificate has no bare key');
  return unwrap(publicKeyFromSpki(signer.spki));
}

/** The digest as a statement names it, under its own algorithm. */
export const digestSet = (digest: Digest): Readonly<Record<string, string>> => ({
  [digestAlgorithm(digest)]: digestHex(digest),
});

function signatureStatement(target: Descriptor, annotations: Readonly<Record<string, string>>): Uint8Array {
  const named = Object.keys(annotations).length === 0 ? {} : { annotations };
  return statementBytes({
    type: STATEMENT_V1,
    subject: [{ digest: digestSet(target.digest), ...named }],
    predicateType: COSIGN_SIGN_V1,
    predicate: {},
  });
}

/** The simple-signing payload as cosign writes it (SIGNATURE_SPEC.md). */
export function simpleSigning(
  identity: string,
  digest: Digest,
  annotations: Readonly<Record<string, string>>,
): Uint8Array {
  const sorted = Object.entries(annotations).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const payload = {
    critical: {
      identity: { 'docker-reference': identity },
      image: { 'docker-manifest-digest': digest },
      type: SIMPLE_SIGNING_TYPE,
    },
    optional: sorted.length === 0 ? null : Object.fromEntries(sorted),
  };
  return utf8(JSON.stringify(payload));
}
