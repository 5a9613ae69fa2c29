/** The timestamp authority: a hash in, a signed statement of the time out (RFC 3161). No state is kept. */
import type { Der } from '#base/brand';
import { drawnAhead } from '#base/random';
import { fail, type Reason, reason } from '#base/reason';
import { isNonEmpty } from '#base/result';
import { signDraftBy } from '#formats/draft';
import {
  buildTimeStampFailure,
  parseTimeStampRequest,
  pkiFailure,
  type TimeStampGrant,
  type TimeStampRequest,
  timeStampDraft,
} from '#formats/tsp';
import type { Certificate } from '#formats/x509';
import { openTsaAuthority, type TsaAuthority } from './authority.ts';
import { ACCURACY_SECONDS, POLICY_OID, type TsaConfig } from './config.ts';
import { R } from './reasons.ts';

export interface TsaAnswer {
  /** A TimeStampResp: a token, or a refusal in RFC 3161's own words. */
  readonly der: Der;
  /** What was refused: WB-1054 to WB-1058, or why the request cannot be read; undefined when granted. */
  readonly refusal: Reason | undefined;
}

export interface Tsa {
  /** Leaf, then root. */
  readonly chain: readonly [Certificate, Certificate];
  /** Answers a DER request. Never rejects for what is in it; rejects with WB-1053 when the authority may not sign now. */
  answer(request: Uint8Array): Promise<TsaAnswer>;
  close(): Promise<void>;
}

/** Opens the authority; makes its keys at the first start. Throws WB-1051, WB-219. */
export async function createTsa(config: TsaConfig): Promise<Tsa> {
  const authority = await openTsaAuthority(config);
  const parts: Parts = { config, authority, serial: drawnAhead(config.random, SERIAL_BYTES) };
  return {
    chain: [authority.leaf, authority.root],
    answer: (request) => answer(parts, request),
    close: async () => {},
  };
}

interface Parts {
  readonly config: TsaConfig;
  readonly authority: TsaAuthority;
  /** Random bytes of a serial number. */
  readonly serial: () => Uint8Array;
}

function refused(failure: number, refusal: Reason): TsaAnswer {
  const { code, expected, actual } = refusal;
  return { der: buildTimeStampFailure(failure, `${code} expected ${expected}, got ${actual}`), refusal };
}

const SHA1_OID = '1.3.14.3.2.26';

async function answer(parts: Parts, bytes: Uint8Array): Promise<TsaAnswer> {
  const parsed = parseTimeStampRequest(bytes);
  if (!parsed.ok) return refused(pkiFailure.badDataFormat, parsed.error);
  const trouble = parts.config.watch?.trouble();
  if (trouble !== undefined) return refused(pkiFailure.timeNotAvailable, trouble);
  const request = parsed.value;
  if (request.hashName === undefined) {
    const spec = request.hashOid === SHA1_OID ? R.weakHash : R.hash;
    const expected = 'a SHA-256, SHA-384 or SHA-512 hash';
    return refused(pkiFailure.badAlg, reason(spec, { expected, actual: `algorithm ${request.hashOid}` }));
  }
  if (request.policy !== undefined && request.policy !== POLICY_OID) {
    const why = reason(R.policy, { expected: `policy ${POLICY_OID}`, actual: request.policy });
    return refused(pkiFailure.unacceptedPolicy, why);
  }
  if (isNonEmpty(request.extensions)) {
    const why = reason(R.extension, { expected: 'no extension', actual: request.extensions[0] });
    return refused(pkiFailure.unacceptedExtension, why);
  }
  return granted(parts, request, request.hashName);
}

async function granted(
  { config, authority: { leaf, signer }, serial }: Parts,
  request: TimeStampRequest,
  hashName: NonNullable<TimeStampRequest['hashName']>,
): Promise<TsaAnswer> {
  const genTime = config.clock.now();
  if (genTime < leaf.notBefore || genTime > leaf.notAfter) {
    const expected = `a time within the validity of ${leaf.subjectText}`;
    throw fail(R.lifetime, { expected, actual: new Date(genTime).toISOString() });
  }
  const grant: TimeStampGrant = {
    hashName,
    hash: request.hash,
    policy: POLICY_OID,
    // 126 random bits: unique without a counter that a crash could set back.
    serial: positive(serial()),
    // Taken before the signature, however long a holder takes for it: what was asked about existed by then.
    genTime,
    accuracySeconds: Math.max(ACCURACY_SECONDS, Math.ceil((config.watch?.maxOffsetMs ?? 0) / 1000)),
    nonce: request.nonce,
    signerCertificate: leaf,
    certificates: request.certReq ? [leaf] : [],
  };
  const der = await signDraftBy(timeStampDraft(grant, signer.publicKey), signer);
  return { der, refusal: undefined };
}

const SERIAL_BYTES = 16;

function positive(serial: Uint8Array): Uint8Array {
  serial[0] = ((serial[0] as number) & 0x7f) | 0x40;
  return serial;
}
