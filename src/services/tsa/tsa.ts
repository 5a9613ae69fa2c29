/** The timestamp authority: a hash in, a signed statement of the time out (RFC 3161). No state is kept. */
import type { Der } from '#base/brand';
import { drawnAhead } from '#base/random';
import { fail } from '#base/reason';
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
  /** What was refused; undefined when granted. */
  readonly refusal: string | undefined;
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

function refused(failure: number, text: string): TsaAnswer {
  return { der: buildTimeStampFailure(failure, text), refusal: text };
}

async function answer(parts: Parts, bytes: Uint8Array): Promise<TsaAnswer> {
  const parsed = parseTimeStampRequest(bytes);
  if (!parsed.ok) return refused(pkiFailure.badDataFormat, `${parsed.error.code} ${parsed.error.actual}`);
  const request = parsed.value;
  if (request.hashName === undefined) {
    return refused(pkiFailure.badAlg, `hash ${request.hashOid} is not accepted; use SHA-256, -384 or -512`);
  }
  if (request.policy !== undefined && request.policy !== POLICY_OID) {
    return refused(pkiFailure.unacceptedPolicy, `policy ${request.policy} is not served; ${POLICY_OID} is`);
  }
  if (isNonEmpty(request.extensions)) {
    return refused(pkiFailure.unacceptedExtension, `extension ${request.extensions[0]} is not understood`);
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
    accuracySeconds: ACCURACY_SECONDS,
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
