/** Timestamps (RFC 3161, RFC 5816): requests, responses and the token inside. */
import type { Der } from '#base/brand';
import { equalBytes } from '#base/bytes';
import { type HashName, hash } from '#base/crypto';
import { limits } from '#base/limits';
import { fail, reason } from '#base/reason';
import { attempt, err, ok, type Result } from '#base/result';
import {
  cmsOids,
  namesSigner,
  parsedCertificates,
  readSignedData,
  type SignedData,
  type SignerInfo,
  signatureFault,
} from './cms.ts';
import { R } from './crypto-reasons.ts';
import {
  contextTag,
  type DerNode,
  isTrue,
  oidText,
  readSequence,
  smallInteger,
  stringText,
  tags,
} from './der.ts';
import { timeMs } from './der-time.ts';
import type { Certificate } from './x509.ts';
import { hashLengths, readAlgorithm, readHashAlgorithm } from './x509-algorithms.ts';

export type { SignerIdentifier, SignerInfo } from './cms.ts';
export {
  buildTimeStampFailure,
  buildTimeStampRequest,
  buildTimeStampResponse,
  type TimeStampGrant,
  timeStampDraft,
} from './tsp-build.ts';

export interface TimeStampRequest {
  /** Undefined when the hash is not supported (SHA-1 and older): answer badAlg. */
  readonly hashName: HashName | undefined;
  /** Dotted identifier of the hash, for messages. */
  readonly hashOid: string;
  readonly hash: Uint8Array;
  readonly policy: string | undefined;
  /** Content octets of the nonce INTEGER. */
  readonly nonce: Uint8Array | undefined;
  readonly certReq: boolean;
  /** Dotted identifiers of extensions; none is understood. */
  readonly extensions: readonly string[];
}

/** Parses a TimeStampReq. Refusals: WB-121 to WB-123, WB-133, and WB-136 for a hash of the wrong length. */
export function parseTimeStampRequest(bytes: Uint8Array): Result<TimeStampRequest> {
  return attempt(() => {
    const cursor = readSequence(bytes, 'TimeStampReq').cursor('TimeStampReq');
    const version = smallInteger(cursor.take(tags.int, 'version'));
    if (version !== 1) throw badRequest('version 1', `${version}`);
    const imprint = readImprint(cursor.take(tags.seq, 'messageImprint'));
    const policy = cursor.maybe(tags.oid);
    const nonce = cursor.maybe(tags.int)?.body;
    // Some clients write certReq FALSE, which DER leaves out; it says the same.
    const certReq = cursor.maybe(tags.bool);
    const extensions = cursor.maybe(contextTag(0));
    cursor.finish();
    if ((nonce?.length ?? 0) > limits.tsaNonceBytes) {
      throw badRequest(`a nonce of at most ${limits.tsaNonceBytes} bytes`, `${nonce?.length} bytes`);
    }
    return {
      ...imprint,
      policy: policy === undefined ? undefined : oidText(policy),
      nonce,
      certReq: certReq !== undefined && isTrue(certReq),
      extensions: extensions?.children().map(extensionOid) ?? [],
    };
  });
}

const badRequest = (expected: string, actual: string): Error => fail(R.tspRequest, { expected, actual });
const badResponse = (expected: string, actual: string): Error => fail(R.tspResponse, { expected, actual });

function extensionOid(node: DerNode): string {
  return oidText(node.cursor('Extension').take(tags.oid, 'extnID'));
}

function readImprint(node: DerNode): Pick<TimeStampRequest, 'hashName' | 'hashOid' | 'hash'> {
  const cursor = node.cursor('MessageImprint');
  const algorithm = cursor.take(tags.seq, 'hashAlgorithm');
  const value = cursor.take(tags.octets, 'hashedMessage').body;
  cursor.finish();
  const hashOid = readAlgorithm(algorithm, 'imprint').oid;
  const hashName = readHashAlgorithm(algorithm, 'imprint');
  if (hashName !== undefined && value.length !== hashLengths[hashName]) {
    throw fail(R.tspImprint, {
      expected: `${hashLengths[hashName]} bytes of ${hashName}`,
      actual: `${value.length} bytes`,
    });
  }
  return { hashName, hashOid, hash: value };
}

/** Numbers of PKIStatus (RFC 3161 §2.4.2). */
const pkiStatus = { granted: 0, grantedWithMods: 1, rejection: 2, waiting: 3 } as const;

/** Bit numbers of PKIFailureInfo (RFC 3161 §2.4.2). */
export const pkiFailure = {
  badAlg: 0,
  badRequest: 2,
  badDataFormat: 5,
  timeNotAvailable: 14,
  unacceptedPolicy: 15,
  unacceptedExtension: 16,
  addInfoNotAvailable: 17,
  systemFailure: 25,
} as const;

interface Info {
  readonly policy: string;
  readonly imprint: { readonly algorithm: HashName; readonly hash: Uint8Array };
  readonly serial: Uint8Array;
  readonly genTime: number;
  readonly accuracyMs: number | undefined;
  readonly ordering: boolean;
  readonly nonce: Uint8Array | undefined;
}

/** A token whose shape is checked; nothing is trusted until `checkSignature` names its signer. */
export class TimestampToken {
  /** DER of the whole response, or of the token where only that was parsed. */
  readonly der: Der;
  /** Milliseconds since the epoch; finer fractions are dropped. */
  readonly genTime: number;
  /** Milliseconds either way; undefined when the token does not say. */
  readonly accuracyMs: number | undefined;
  readonly messageImprint: { readonly algorithm: HashName; readonly hash: Uint8Array };
  /** Dotted identifier. */
  readonly policy: string;
  /** Content octets of the serial number INTEGER. */
  readonly serial: Uint8Array;
  /** Content octets of the nonce INTEGER. */
  readonly nonce: Uint8Array | undefined;
  readonly ordering: boolean;
  readonly signerInfo: SignerInfo;
  readonly #data: SignedData;
  #certificates: readonly Certificate[] | undefined;

  /** @internal */
  constructor(der: Der, data: SignedData, info: Info) {
    this.der = der;
    this.#data = data;
    this.signerInfo = data.signerInfo;
    this.genTime = info.genTime;
    this.accuracyMs = info.accuracyMs;
    this.messageImprint = info.imprint;
    this.policy = info.policy;
    this.serial = info.serial;
    this.nonce = info.nonce;
    this.ordering = info.ordering;
  }

  /** Certificates inside the token that parse: hints, never trust. */
  get certificates(): readonly Certificate[] {
    this.#certificates ??= parsedCertificates(this.#data.embedded);
    return this.#certificates;
  }

  /** Whether the token names this certificate as its signer's. */
  isSignedBy(certificate: Certificate): boolean {
    return namesSigner(this.signerInfo.signer, certificate);
  }

  /** Signer name, content type, message digest, ESSCertID and signature, in that order. Refusal: WB-137. */
  checkSignature(certificate: Certificate): Result<void> {
    const fault = signatureFault(this.#data, certificate);
    if (fault === undefined) return ok(undefined);
    const expected = `a token signed by ${certificate.subjectText} (serial ${certificate.serialHex})`;
    return err(reason(R.tspSignature, { expected, actual: fault }));
  }

  /** `checkSignature` as a yes or no. */
  verifySignature(certificate: Certificate): boolean {
    return signatureFault(this.#data, certificate) === undefined;
  }

  /** Whether the imprint is the hash of these bytes. */
  covers(bytes: Uint8Array): boolean {
    return equalBytes(hash(this.messageImprint.algorithm, bytes), this.messageImprint.hash);
  }
}

/**
 * Parses a TimeStampResp that grants a token. Refusals: WB-135 where the authority refused, WB-136 for an
 * imprint that is not SHA-2, WB-121 to WB-134 for form.
 */
export function parseTimeStampResponse(bytes: Uint8Array): Result<TimestampToken> {
  return attempt(() => {
    const cursor = readSequence(bytes, 'TimeStampResp').cursor('TimeStampResp');
    const status = readStatus(cursor.take(tags.seq, 'status'));
    const token = cursor.maybe(tags.seq);
    cursor.finish();
    const isGranted = status.code === pkiStatus.granted || status.code === pkiStatus.grantedWithMods;
    if (isGranted !== (token !== undefined)) {
      throw badResponse(
        'a token exactly when granted',
        `status ${status.code}, token ${token !== undefined}`,
      );
    }
    if (token === undefined) {
      throw fail(R.tspStatus, { expected: 'status granted', actual: statusText(status) });
    }
    return readToken(bytes as Der, token);
  });
}

/** Parses a bare TimeStampToken (a CMS ContentInfo), as some formats store it. */
export function parseTimeStampToken(bytes: Uint8Array): Result<TimestampToken> {
  return attempt(() => readToken(bytes as Der, readSequence(bytes, 'TimeStampToken')));
}

interface Status {
  readonly code: number;
  readonly texts: readonly string[];
  readonly failures: readonly number[];
}

function readStatus(node: DerNode): Status {
  const cursor = node.cursor('PKIStatusInfo');
  const code = smallInteger(cursor.take(tags.int, 'status'));
  const texts = cursor.maybe(tags.seq)?.children().map(stringText) ?? [];
  const bits = cursor.maybe(tags.bits)?.body.subarray(1) ?? new Uint8Array(0);
  cursor.finish();
  const failures: number[] = [];
  for (let bit = 0; bit < Math.min(bits.length, 8) * 8; bit++) {
    if (((bits[bit >> 3] as number) & (0x80 >> (bit & 7))) !== 0) failures.push(bit);
  }
  return { code, texts, failures };
}

function statusText({ code, texts, failures }: Status): string {
  const names = failures.map(
    (bit) => Object.entries(pkiFailure).find(([, n]) => n === bit)?.[0] ?? `bit ${bit}`,
  );
  return [`status ${code}`, ...names, ...texts].join(', ');
}

function readToken(source: Der, contentInfo: DerNode): TimestampToken {
  const data = readSignedData(contentInfo);
  if (data.contentType !== cmsOids.tstInfo) throw badResponse('content TSTInfo', data.contentType);
  return new TimestampToken(source, data, readInfo(readSequence(data.content, 'TSTInfo')));
}

function readInfo(node: DerNode): Info {
  const cursor = node.cursor('TSTInfo');
  const version = smallInteger(cursor.take(tags.int, 'version'));
  if (version !== 1) throw badResponse('TSTInfo version 1', `${version}`);
  const policy = oidText(cursor.take(tags.oid, 'policy'));
  const { hashName, hashOid, hash: value } = readImprint(cursor.take(tags.seq, 'messageImprint'));
  if (hashName === undefined) {
    const expected = 'SHA-256, SHA-384 or SHA-512';
    throw fail(R.tspImprint, { expected, actual: `hash ${hashOid}`, class: 'unsupported' });
  }
  const serial = cursor.take(tags.int, 'serialNumber').body;
  const genTime = timeMs(cursor.take(tags.generalizedTime, 'genTime'), { fraction: true });
  const accuracy = cursor.maybe(tags.seq);
  const ordering = cursor.maybe(tags.bool);
  const nonce = cursor.maybe(tags.int)?.body;
  cursor.maybe(contextTag(0));
  const extensions = cursor.maybe(contextTag(1))?.children() ?? [];
  cursor.finish();
  if (extensions.some(isCritical)) throw badResponse('no critical extension', 'one');
  return {
    policy,
    imprint: { algorithm: hashName, hash: value },
    serial,
    genTime,
    accuracyMs: accuracy === undefined ? undefined : readAccuracy(accuracy),
    ordering: ordering !== undefined && isTrue(ordering),
    nonce,
  };
}

function isCritical(extension: DerNode): boolean {
  const critical = extension.children()[1];
  return critical?.tag === tags.bool && isTrue(critical);
}

/** Seconds, milliseconds and microseconds, each optional; microseconds round up to a millisecond. */
function readAccuracy(node: DerNode): number {
  const cursor = node.cursor('Accuracy');
  const seconds = cursor.maybe(tags.int);
  const millis = cursor.maybe(contextTag(0, false));
  const micros = cursor.maybe(contextTag(1, false));
  cursor.finish();
  const read = (field: DerNode | undefined): number => (field === undefined ? 0 : smallInteger(field));
  return read(seconds) * 1000 + read(millis) + Math.ceil(read(micros) / 1000);
}
