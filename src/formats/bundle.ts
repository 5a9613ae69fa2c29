/**
 * Sigstore bundles 0.1, 0.2 and 0.3 (sigstore_bundle.proto): what may be in which version, how much, and nothing
 * twice. Written bundles are always 0.3.
 */
import { toBase64, toHex, utf8 } from '#base/bytes';
import type { HashName } from '#base/crypto';
import { limits } from '#base/limits';
import { fail, type WaybillError } from '#base/reason';
import { attempt, type Result, unwrap } from '#base/result';
import { type Envelope, envelopeValue, readEnvelope } from './dsse.ts';
import { type JsonObject, type JsonReader, parseJson, protoReader } from './json.ts';
import { R } from './sigstore-reasons.ts';
import { readTlogEntry, type TransparencyLogEntry, tlogEntryJson } from './tlog-entry.ts';
import { type Certificate, parseCertificate } from './x509.ts';

export {
  type InclusionProof,
  type TransparencyLogEntry,
  tlogEntryFromJson,
  tlogEntryJson,
} from './tlog-entry.ts';

/** The media type waybill writes. */
export const BUNDLE_V03 = 'application/vnd.dev.sigstore.bundle.v0.3+json';

const mediaTypes: Readonly<Record<string, BundleVersion>> = {
  [BUNDLE_V03]: '0.3',
  'application/vnd.dev.sigstore.bundle+json;version=0.3': '0.3',
  'application/vnd.dev.sigstore.bundle+json;version=0.2': '0.2',
  'application/vnd.dev.sigstore.bundle+json;version=0.1': '0.1',
};

export type BundleVersion = '0.1' | '0.2' | '0.3';

export type BundleMaterial =
  | {
      readonly kind: 'certificate';
      readonly certificate: Certificate;
      /** What came with the leaf, leaf excluded; empty in 0.3. Never trusted. */
      readonly chain: readonly Certificate[];
    }
  | { readonly kind: 'publicKey'; readonly hint: string };

export interface MessageDigest {
  readonly algorithm: HashName;
  readonly value: Uint8Array;
}

export type BundleContent =
  | {
      readonly kind: 'message';
      /** A hint of the signer; it must still agree with the artifact. */
      readonly digest?: MessageDigest;
      readonly signature: Uint8Array;
    }
  | { readonly kind: 'dsse'; readonly envelope: Envelope };

export interface ParsedBundle {
  readonly mediaType: string;
  readonly version: BundleVersion;
  readonly material: BundleMaterial;
  readonly tlogEntries: readonly TransparencyLogEntry[];
  /** DER TimeStampResp. */
  readonly timestamps: readonly Uint8Array[];
  readonly content: BundleContent;
}

export interface ParseBundleOptions {
  /**
   * Read bundles 0.1 and 0.2 that carry their root certificate, as tools of 2023 wrote them. It stays unused:
   * issuers come from the trusted root. Default: refuse them, as the conformance suite demands.
   */
  readonly toleratesRoot?: boolean;
}

/** Parses a bundle. Fails with WB-155 and WB-160–164, a JSON reason or an X.509 reason. */
export function parseBundle(
  input: Uint8Array | string,
  options: ParseBundleOptions = {},
): Result<ParsedBundle> {
  return attempt(() => {
    const value = unwrap(parseJson(input, { maxBytes: limits.bundleBytes }));
    const json = protoReader(value, 'bundle', { as: R.bundle });
    const mediaType = json.string('mediaType');
    const version = Object.hasOwn(mediaTypes, mediaType) ? mediaTypes[mediaType] : undefined;
    if (version === undefined) {
      const expected = 'a Sigstore bundle 0.1, 0.2 or 0.3';
      throw fail(R.bundleVersion, { expected, actual: JSON.stringify(mediaType) });
    }
    const material = json.child('verificationMaterial');
    return {
      mediaType,
      version,
      tlogEntries: readEntries(material, version),
      timestamps: readTimestamps(material),
      material: readMaterial(material, version, options.toleratesRoot ?? false),
      content: readContent(json),
    };
  });
}

function exactlyOne(json: JsonReader, ...keys: string[]): string {
  const present = keys.filter((key) => json.has(key));
  if (present.length === 1) return present[0] as string;
  throw json.wrong('', `exactly one of ${keys.join(', ')}`, present.join(' and ') || 'none');
}

function readMaterial(json: JsonReader, version: BundleVersion, toleratesRoot: boolean): BundleMaterial {
  const kind = exactlyOne(json, 'publicKey', 'certificate', 'x509CertificateChain');
  if (kind === 'publicKey') {
    return { kind, hint: json.child('publicKey').optionalString('hint') ?? '' };
  }
  const wanted = version === '0.3' ? 'certificate' : 'x509CertificateChain';
  if (kind !== wanted) throw json.wrong(kind, `${wanted} in a bundle ${version}`, kind);
  if (kind === 'certificate') {
    const certificate = readCertificate(json.child(kind));
    refuseRoot(certificate);
    return { kind: 'certificate', certificate, chain: [] };
  }
  const [certificate, ...chain] = json
    .child(kind)
    .children('certificates', limits.chainCertificates)
    .map(readCertificate);
  if (certificate === undefined) throw json.wrong(kind, 'at least the leaf certificate', 'none');
  for (const member of toleratesRoot ? [certificate] : [certificate, ...chain]) refuseRoot(member);
  return { kind: 'certificate', certificate, chain };
}

function readCertificate(json: JsonReader): Certificate {
  return unwrap(parseCertificate(json.bytes('rawBytes')));
}

function refuseRoot(certificate: Certificate): void {
  if (!certificate.isCa || toHex(certificate.subject) !== toHex(certificate.issuer)) return;
  const expected = 'no root certificate in a bundle';
  throw fail(R.rootCertificate, { expected, actual: certificate.subjectText });
}

function tooMany(what: string, max: number, actual: number): WaybillError {
  return fail(R.bundleLimit, { expected: `at most ${max} ${what}`, actual: `${actual}` });
}

function readEntries(json: JsonReader, version: BundleVersion): TransparencyLogEntry[] {
  // Counted before the first entry is parsed (sigstore-go 7e8ee0f).
  const count = json.array('tlogEntries').length;
  if (count > limits.bundleTlogEntries) throw tooMany('log entries', limits.bundleTlogEntries, count);
  const seen = new Set<string>();
  return json.children('tlogEntries').map((item) => {
    const entry = readTlogEntry(item);
    const key = `${toHex(entry.logId)}/${entry.logIndex}`;
    if (seen.has(key)) throw item.wrong('', 'each log entry once', key);
    seen.add(key);
    if (version === '0.1' && entry.inclusionPromise === undefined) {
      throw item.wrong('inclusionPromise', 'an inclusion promise in a bundle 0.1', undefined, 'log-entry');
    }
    if (version !== '0.1' && (entry.inclusionProof?.checkpoint ?? '') === '') {
      throw item.wrong(
        'inclusionProof',
        `an inclusion proof with checkpoint in a bundle ${version}`,
        undefined,
        'log-proof',
      );
    }
    return entry;
  });
}

function readTimestamps(json: JsonReader): Uint8Array[] {
  const data = json.optionalChild('timestampVerificationData');
  if (data === undefined) return [];
  const count = data.array('rfc3161Timestamps').length;
  if (count > limits.bundleTimestamps) throw tooMany('timestamps', limits.bundleTimestamps, count);
  return data.children('rfc3161Timestamps').map((item) => item.bytes('signedTimestamp'));
}

function readContent(json: JsonReader): BundleContent {
  const kind = exactlyOne(json, 'messageSignature', 'dsseEnvelope');
  if (kind === 'dsseEnvelope') {
    const envelope = readEnvelope(json.value(kind) ?? null, `bundle.${kind}`);
    if (envelope.signatures.length !== 1) {
      const actual = `${envelope.signatures.length}`;
      throw fail(R.envelope, { expected: 'exactly one signature in a bundle', actual });
    }
    return { kind: 'dsse', envelope };
  }
  const message = json.child(kind);
  const signature = message.bytes('signature');
  if (signature.length === 0) throw message.wrong('signature', 'a signature', '');
  const digest = message.optionalChild('messageDigest');
  return {
    kind: 'message',
    signature,
    ...(digest === undefined ? {} : { digest: readMessageDigest(digest) }),
  };
}

const protoHashes: Readonly<Record<string, HashName>> = {
  SHA2_256: 'sha256',
  SHA2_384: 'sha384',
  SHA2_512: 'sha512',
};
const protoHashNames = { sha256: 'SHA2_256', sha384: 'SHA2_384', sha512: 'SHA2_512' } as const;

/** `SHA2_256` → `sha256`; undefined for algorithms that are not accepted. */
export function hashFromProto(name: string): HashName | undefined {
  return Object.hasOwn(protoHashes, name) ? protoHashes[name] : undefined;
}

/** `sha256` → `SHA2_256`. */
export const hashToProto = (name: HashName): string => protoHashNames[name];

const hashBytes = { sha256: 32, sha384: 48, sha512: 64 } as const;

function readMessageDigest(json: JsonReader): MessageDigest {
  const name = json.string('algorithm');
  const algorithm = hashFromProto(name);
  if (algorithm === undefined) throw json.wrong('algorithm', 'SHA2_256, SHA2_384 or SHA2_512', name);
  const value = json.bytes('digest');
  if (value.length !== hashBytes[algorithm]) {
    throw json.wrong('digest', `${hashBytes[algorithm]} bytes`, `${value.length} bytes`);
  }
  return { algorithm, value };
}

export interface BundleInput {
  readonly material:
    | { readonly kind: 'certificate'; readonly certificate: Uint8Array | Pick<Certificate, 'der'> }
    | { readonly kind: 'publicKey'; readonly hint: string };
  readonly tlogEntries: readonly TransparencyLogEntry[];
  readonly timestamps: readonly Uint8Array[];
  readonly content: BundleContent;
}

/** The JSON of a 0.3 bundle. */
export function bundleJson(bundle: BundleInput): JsonObject {
  const { material, content } = bundle;
  return {
    mediaType: BUNDLE_V03,
    verificationMaterial: {
      ...(material.kind === 'certificate'
        ? { certificate: { rawBytes: toBase64(derOf(material.certificate)) } }
        : { publicKey: { hint: material.hint } }),
      tlogEntries: bundle.tlogEntries.map(tlogEntryJson),
      timestampVerificationData: {
        rfc3161Timestamps: bundle.timestamps.map((der) => ({ signedTimestamp: toBase64(der) })),
      },
    },
    ...contentJson(content),
  };
}

function derOf(certificate: Uint8Array | Pick<Certificate, 'der'>): Uint8Array {
  return certificate instanceof Uint8Array ? certificate : certificate.der;
}

function contentJson(content: BundleContent): JsonObject {
  if (content.kind === 'dsse') return { dsseEnvelope: envelopeValue(content.envelope) };
  const { digest, signature } = content;
  const messageDigest =
    digest === undefined
      ? {}
      : { messageDigest: { algorithm: hashToProto(digest.algorithm), digest: toBase64(digest.value) } };
  return { messageSignature: { ...messageDigest, signature: toBase64(signature) } };
}

/** A 0.3 bundle as UTF-8 JSON. */
export function bundleBytes(bundle: BundleInput): Uint8Array {
  return utf8(JSON.stringify(bundleJson(bundle)));
}
