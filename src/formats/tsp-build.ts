/** Writing timestamp requests and responses (RFC 3161, RFC 5816). */

import type { Der } from '#base/brand';
import { fromHex } from '#base/bytes';
import {
  defaultHash,
  type HashName,
  hash,
  type KeyKind,
  type PublicKey,
  type Signer,
  sha256,
} from '#base/crypto';
import { cmsOids } from './cms.ts';
import { der } from './der.ts';
import { type Draft, signDraft } from './draft.ts';
import type { Certificate } from './x509.ts';
import {
  hashAlgorithmDer,
  hashOids,
  signatureAlgorithmDer,
  signatureAlgorithmFor,
} from './x509-algorithms.ts';

export interface TimeStampAsk {
  readonly hashName: HashName;
  /** The hash value itself. */
  readonly hash: Uint8Array;
  /** Magnitude, big-endian; or the number itself, of any sign. */
  readonly nonce?: Uint8Array | bigint;
  readonly certReq?: boolean;
  /** Dotted identifier. */
  readonly policy?: string;
}

/** Hash identifiers in imprints carry NULL, as most clients write and compare them. */
const imprintAlgorithms: Readonly<Record<HashName, Uint8Array>> = {
  sha256: der.seq(der.oid(hashOids.sha256), der.nul()),
  sha384: der.seq(der.oid(hashOids.sha384), der.nul()),
  sha512: der.seq(der.oid(hashOids.sha512), der.nul()),
};

const imprintDer = (hashName: HashName, value: Uint8Array): Uint8Array =>
  der.seq(imprintAlgorithms[hashName], der.octets(value));

export function buildTimeStampRequest(ask: TimeStampAsk): Der {
  return der.seq(
    der.int(1),
    imprintDer(ask.hashName, ask.hash),
    ...(ask.policy === undefined ? [] : [der.oid(ask.policy)]),
    ...(ask.nonce === undefined ? [] : [nonceDer(ask.nonce)]),
    ...(ask.certReq === true ? [der.bool(true)] : []),
  ) as Der;
}

const nonceDer = (nonce: Uint8Array | bigint): Uint8Array =>
  typeof nonce === 'bigint' ? der.rawInt(twosComplement(nonce)) : der.int(nonce);

/** The shortest two's complement, big-endian (X.690 §8.3). */
function twosComplement(value: bigint): Uint8Array {
  let bytes = 1;
  while (BigInt.asIntN(bytes * 8, value) !== value) bytes++;
  const hex = BigInt.asUintN(bytes * 8, value).toString(16);
  return fromHex(hex.padStart(bytes * 2, '0'));
}

export interface TimeStampGrant {
  readonly hashName: HashName;
  readonly hash: Uint8Array;
  readonly policy: string;
  /** Magnitude, big-endian. */
  readonly serial: Uint8Array;
  /** Milliseconds since the epoch; fractions of a second are dropped. */
  readonly genTime: number;
  readonly accuracySeconds: number;
  /** Content octets of the request's nonce INTEGER, returned as they came. */
  readonly nonce?: Uint8Array | undefined;
  readonly signerCertificate: Certificate;
  /** Put into the token: the chain when the request asked for it, else none. */
  readonly certificates: readonly Certificate[];
}

const VERSION_1 = der.int(1);

/** A granted response with its token, before the signature by `key`. */
export function timeStampDraft(grant: TimeStampGrant, key: PublicKey): Draft {
  const fixed = fixedParts(grant.signerCertificate, key.kind);
  const info = der.seq(
    VERSION_1,
    der.oid(grant.policy),
    imprintDer(grant.hashName, grant.hash),
    der.int(grant.serial),
    der.generalTime(grant.genTime),
    der.seq(der.int(grant.accuracySeconds)),
    ...(grant.nonce === undefined ? [] : [der.rawInt(grant.nonce)]),
  );
  const attributes = der.set(
    fixed.contentType,
    attribute(cmsOids.signingTime, der.utcOrGeneralTime(grant.genTime)),
    attribute(cmsOids.messageDigest, der.octets(hash(fixed.hashName, info))),
    fixed.signingCertificate,
  );
  return {
    toBeSigned: attributes,
    hash: fixed.hashName,
    assemble: (signature) =>
      response(fixed, info, grant.certificates, signerInfo(fixed, attributes, signature)),
  };
}

/** A granted response, signed with a key at hand. */
export function buildTimeStampResponse(grant: TimeStampGrant, signer: Signer): Der {
  return signDraft(timeStampDraft(grant, signer.publicKey), signer);
}

/** What every token of one signer repeats. */
interface FixedParts {
  readonly kind: KeyKind;
  readonly hashName: HashName;
  readonly hashAlgorithm: Uint8Array;
  readonly signatureAlgorithm: Uint8Array;
  /** Signed attributes. */
  readonly contentType: Uint8Array;
  readonly signingCertificate: Uint8Array;
  readonly issuerAndSerial: Uint8Array;
}

const fixedOf = new WeakMap<Certificate, FixedParts>();

function fixedParts(certificate: Certificate, kind: KeyKind): FixedParts {
  const known = fixedOf.get(certificate);
  if (known?.kind === kind) return known;
  const hashName = defaultHash(kind);
  const serial = der.rawInt(certificate.serial);
  // SHA-256 is ESSCertIDv2's default and therefore not written (RFC 5035 §4).
  const certificateId = der.seq(
    der.octets(sha256(certificate.der)),
    der.seq(der.seq(der.explicit(4, certificate.issuer)), serial),
  );
  const made: FixedParts = {
    kind,
    hashName,
    hashAlgorithm: hashAlgorithmDer(hashName),
    signatureAlgorithm: signatureAlgorithmDer(signatureAlgorithmFor(kind, hashName)),
    contentType: attribute(cmsOids.contentType, der.oid(cmsOids.tstInfo)),
    signingCertificate: attribute(cmsOids.signingCertificateV2, der.seq(der.seq(certificateId))),
    issuerAndSerial: der.seq(certificate.issuer, serial),
  };
  fixedOf.set(certificate, made);
  return made;
}

const attribute = (oid: string, value: Uint8Array): Uint8Array => der.seq(der.oid(oid), der.set(value));

const VERSION_3 = der.int(3);
const GRANTED = der.seq(der.int(0));

function response(
  fixed: FixedParts,
  info: Uint8Array,
  certificates: readonly Certificate[],
  signer: Uint8Array,
): Der {
  const signedData = der.seq(
    VERSION_3,
    der.set(fixed.hashAlgorithm),
    der.seq(der.oid(cmsOids.tstInfo), der.explicit(0, der.octets(info))),
    ...(certificates.length === 0
      ? []
      : [der.implicit(0, der.set(...certificates.map((certificate) => certificate.der)))]),
    der.set(signer),
  );
  return der.seq(GRANTED, der.seq(der.oid(cmsOids.signedData), der.explicit(0, signedData))) as Der;
}

function signerInfo(fixed: FixedParts, attributes: Uint8Array, signature: Uint8Array): Uint8Array {
  return der.seq(
    VERSION_1,
    fixed.issuerAndSerial,
    fixed.hashAlgorithm,
    der.implicit(0, attributes),
    fixed.signatureAlgorithm,
    der.octets(signature),
  );
}

/** A refusal: PKIStatus rejection with one failure bit and a text. */
export function buildTimeStampFailure(failure: number, text: string): Der {
  return der.seq(der.seq(der.int(2), der.seq(der.utf8(text)), der.namedBits([failure]))) as Der;
}
