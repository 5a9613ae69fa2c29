/**
 * trusted_root.json 0.1 and 0.2 (sigstore_trustroot.proto): the keys and certificates a verifier believes, each
 * with the interval in which it may vouch. Intervals are closed at both ends; a start is mandatory.
 */
import { toBase64 } from '#base/bytes';
import { type PublicKey, publicKeyFromPkcs1, publicKeyFromSpki } from '#base/crypto';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { attempt, isNonEmpty, type NonEmpty, type Result, unwrap } from '#base/result';
import { type JsonObject, type JsonReader, type JsonValue, parseJson, protoReader } from './json.ts';
import { keyDetailsByName, keyDetailsFor, keyFits } from './key-details.ts';
import { R } from './sigstore-reasons.ts';
import { type Certificate, parseCertificate } from './x509.ts';

export const TRUSTED_ROOT_V01 = 'application/vnd.dev.sigstore.trustedroot+json;version=0.1';
const mediaTypes: readonly string[] = [
  TRUSTED_ROOT_V01,
  'application/vnd.dev.sigstore.trustedroot.v0.1+json',
  'application/vnd.dev.sigstore.trustedroot.v0.2+json',
];

/** Milliseconds since the epoch, both ends included. */
export interface Validity {
  readonly start: number;
  readonly end?: number;
}

export function isValidAt(validity: Validity, ms: number): boolean {
  return ms >= validity.start && (validity.end === undefined || ms <= validity.end);
}

export interface LogAuthority {
  readonly baseUrl: string;
  readonly publicKey: PublicKey;
  /** `keyDetails` as named in the file. */
  readonly keyDetails: string;
  readonly validFor: Validity;
  readonly logId: Uint8Array;
  readonly checkpointKeyId?: Uint8Array;
  /** Who runs it: authorities of one operator count once towards a threshold. */
  readonly operator?: string;
}

export interface CaAuthority {
  readonly subject: { readonly organization: string; readonly commonName: string };
  readonly uri: string;
  /** Issuing certificate first (a TSA's own leaf first), anchor last. */
  readonly chain: NonEmpty<Certificate>;
  readonly validFor: Validity;
  readonly operator?: string;
}

export interface TrustedRoot {
  readonly mediaType: string;
  readonly tlogs: readonly LogAuthority[];
  readonly ctlogs: readonly LogAuthority[];
  readonly certificateAuthorities: readonly CaAuthority[];
  readonly timestampAuthorities: readonly CaAuthority[];
  /** Logs left out because their kind of key is not supported: base URL and key details. */
  readonly unsupported: readonly string[];
}

/** Parses a trusted root. Fails with WB-165, WB-166, a JSON or an X.509 reason. */
export function parseTrustedRoot(input: Uint8Array | string): Result<TrustedRoot> {
  return attempt(() => trustedRootFromJson(unwrap(parseJson(input, { maxBytes: limits.trustedRootBytes }))));
}

/** Throws `WaybillError`; for documents that embed a trusted root. */
function trustedRootFromJson(value: JsonValue): TrustedRoot {
  const json = protoReader(value, 'trustedRoot', { as: R.trustedRoot });
  const mediaType = json.string('mediaType');
  if (!mediaTypes.includes(mediaType)) {
    const expected = 'a trusted root 0.1 or 0.2';
    throw fail(R.trustedRootVersion, { expected, actual: JSON.stringify(mediaType) });
  }
  const unsupported: string[] = [];
  const logs = (key: string): LogAuthority[] =>
    json.children(key, AUTHORITIES_MAX).flatMap((item) => readLog(item, unsupported));
  const authorities = (key: string): CaAuthority[] => json.children(key, AUTHORITIES_MAX).map(readAuthority);
  return {
    mediaType,
    tlogs: logs('tlogs'),
    ctlogs: logs('ctlogs'),
    certificateAuthorities: authorities('certificateAuthorities'),
    timestampAuthorities: authorities('timestampAuthorities'),
    unsupported,
  };
}

const AUTHORITIES_MAX = 256;

function readLog(json: JsonReader, unsupported: string[]): LogAuthority[] {
  const key = json.child('publicKey');
  const name = key.text('keyDetails');
  const details = keyDetailsByName(name);
  const validFor = readValidity(key);
  const logId = json.child('logId').bytes('keyId');
  if (logId.length === 0) throw json.wrong('logId.keyId', 'a key id', '');
  const hashAlgorithm = json.optionalString('hashAlgorithm') ?? 'SHA2_256';
  // A log of a kind this version cannot check vouches for nothing, but must not disable the others.
  if (details === undefined || hashAlgorithm !== 'SHA2_256') {
    unsupported.push(`${json.optionalString('baseUrl') ?? ''} ${name} ${hashAlgorithm}`);
    return [];
  }
  const raw = key.bytes('rawBytes');
  const parsed = details.pkcs1 ? publicKeyFromPkcs1(raw) : publicKeyFromSpki(raw);
  const publicKey = unwrap(parsed);
  if (!keyFits(details, publicKey)) throw key.wrong('rawBytes', `a key for ${name}`, publicKey.kind);
  const checkpointKeyId = json.optionalChild('checkpointKeyId')?.optionalBytes('keyId');
  return [
    {
      baseUrl: json.optionalString('baseUrl') ?? '',
      publicKey,
      keyDetails: name,
      validFor,
      logId,
      ...(checkpointKeyId === undefined ? {} : { checkpointKeyId }),
      ...readOperator(json),
    },
  ];
}

function readAuthority(json: JsonReader): CaAuthority {
  const chain = json
    .child('certChain')
    .children('certificates', limits.chainCertificates)
    .map((item) => unwrap(parseCertificate(item.bytes('rawBytes'))));
  if (!isNonEmpty(chain)) throw json.wrong('certChain', 'at least one certificate', 'none');
  const subject = json.optionalChild('subject');
  return {
    subject: {
      organization: subject?.optionalString('organization') ?? '',
      commonName: subject?.optionalString('commonName') ?? '',
    },
    uri: json.optionalString('uri') ?? '',
    chain,
    validFor: readValidity(json),
    ...readOperator(json),
  };
}

function readOperator(json: JsonReader): { operator?: string } {
  const operator = json.optionalString('operator') ?? '';
  return operator === '' ? {} : { operator };
}

function readValidity(json: JsonReader): Validity {
  const range = json.child('validFor');
  const start = range.time('start');
  const end = range.optionalTime('end');
  if (end === undefined) return { start };
  if (end < start) throw range.wrong('end', 'an end that is not before the start', range.string('end'));
  return { start, end };
}

/** What a trusted root is written from. */
export type TrustedRootInput = Omit<TrustedRoot, 'mediaType' | 'unsupported' | 'tlogs' | 'ctlogs'> & {
  readonly tlogs: readonly LogInput[];
  readonly ctlogs: readonly LogInput[];
  /** Default: the 0.1 type, which every client reads. */
  readonly mediaType?: string;
};
export type LogInput = Omit<LogAuthority, 'keyDetails'> & { readonly keyDetails?: string };

/** The JSON value of a trusted root. */
export function trustedRootValue(root: TrustedRootInput): JsonObject {
  return {
    mediaType: root.mediaType ?? TRUSTED_ROOT_V01,
    tlogs: root.tlogs.map(logValue),
    certificateAuthorities: root.certificateAuthorities.map(authorityValue),
    ctlogs: root.ctlogs.map(logValue),
    timestampAuthorities: root.timestampAuthorities.map(authorityValue),
  };
}

/** The text of a trusted root, indented as the public one is. */
export function trustedRootJson(root: TrustedRootInput): string {
  return `${JSON.stringify(trustedRootValue(root), null, 2)}\n`;
}

function logValue(log: LogInput): JsonObject {
  const details = log.keyDetails ?? keyDetailsFor(log.publicKey);
  if (details === undefined) {
    throw fail(R.trustedRoot, { expected: 'a key that has PublicKeyDetails', actual: log.publicKey.kind });
  }
  return {
    baseUrl: log.baseUrl,
    hashAlgorithm: 'SHA2_256',
    publicKey: {
      rawBytes: toBase64(log.publicKey.spki),
      keyDetails: details,
      validFor: validityValue(log.validFor),
    },
    logId: { keyId: toBase64(log.logId) },
    ...(log.checkpointKeyId === undefined
      ? {}
      : { checkpointKeyId: { keyId: toBase64(log.checkpointKeyId) } }),
    ...(log.operator === undefined ? {} : { operator: log.operator }),
  };
}

function authorityValue(authority: CaAuthority): JsonObject {
  return {
    subject: { ...authority.subject },
    uri: authority.uri,
    certChain: { certificates: authority.chain.map(({ der }) => ({ rawBytes: toBase64(der) })) },
    validFor: validityValue(authority.validFor),
    ...(authority.operator === undefined ? {} : { operator: authority.operator }),
  };
}

/** `validFor` in protobuf JSON. */
export function validityValue(validity: Validity): JsonObject {
  const start = new Date(validity.start).toISOString();
  return validity.end === undefined ? { start } : { start, end: new Date(validity.end).toISOString() };
}
