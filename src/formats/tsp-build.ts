/** Writing timestamp requests and responses (RFC 3161, RFC 5816). */
import type { Der } from '#base/brand';
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
  /** Magnitude, big-endian. */
  readonly nonce?: Uint8Array;
  readonly certReq?: boolean;
  /** Dotted identifier. */
  readonly policy?: string;
}

/** Hash identifiers in imprints carry NULL, as most clients write and compare them. */
const imprintDer = (hashName: HashName, value: Uint8Array): Uint8Array =>
  der.seq(der.seq(der.oid(hashOids[hashName]), der.nul()), der.octets(value));

export function buildTimeStampRequest(ask: TimeStampAsk): Der {
  return der.seq(
    der.int(1),
    imprintDer(ask.hashName, ask.hash),
    ...(ask.policy === undefined ? [] : [der.oid(ask.policy)]),
    ...(ask.nonce === undefined ? [] : [der.int(ask.nonce)]),
    ...(ask.certReq === true ? [der.bool(true)] : []),
  ) as Der;
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

/** A granted response with its token, before the signature by `key`. */
export function timeStampDraft(grant: TimeStampGrant, key: PublicKey): Draft {
  const info = der.seq(
    der.int(1),
    der.oid(grant.policy),
    imprintDer(grant.hashName, grant.hash),
    der.int(grant.serial),
    der.generalTime(grant.genTime),
    der.seq(der.int(grant.accuracySeconds)),
    ...(grant.nonce === undefined ? [] : [der.rawInt(grant.nonce)]),
  );
  const hashName = defaultHash(key.kind);
  const attributes = signedAttributes(info, grant, hashName);
  return {
    toBeSigned: attributes,
    hash: hashName,
    assemble: (signature) => {
      const signer = signerInfo(grant.signerCertificate, key.kind, attributes, signature);
      return response(info, grant.certificates, hashName, signer);
    },
  };
}

/** A granted response, signed with a key at hand. */
export function buildTimeStampResponse(grant: TimeStampGrant, signer: Signer): Der {
  return signDraft(timeStampDraft(grant, signer.publicKey), signer);
}

function response(
  info: Uint8Array,
  certificates: readonly Certificate[],
  hashName: HashName,
  signer: Uint8Array,
): Der {
  const signedData = der.seq(
    der.int(3),
    der.set(hashAlgorithmDer(hashName)),
    der.seq(der.oid(cmsOids.tstInfo), der.explicit(0, der.octets(info))),
    ...(certificates.length === 0
      ? []
      : [der.implicit(0, der.set(...certificates.map((certificate) => certificate.der)))]),
    der.set(signer),
  );
  const token = der.seq(der.oid(cmsOids.signedData), der.explicit(0, signedData));
  return der.seq(der.seq(der.int(0)), token) as Der;
}

function signedAttributes(info: Uint8Array, grant: TimeStampGrant, hashName: HashName): Uint8Array {
  const certificate = grant.signerCertificate;
  const attribute = (oid: string, value: Uint8Array): Uint8Array => der.seq(der.oid(oid), der.set(value));
  // SHA-256 is ESSCertIDv2's default and therefore not written (RFC 5035 §4).
  const certificateId = der.seq(
    der.octets(sha256(certificate.der)),
    der.seq(der.seq(der.explicit(4, certificate.issuer)), der.rawInt(certificate.serial)),
  );
  return der.set(
    attribute(cmsOids.contentType, der.oid(cmsOids.tstInfo)),
    attribute(cmsOids.signingTime, der.utcOrGeneralTime(grant.genTime)),
    attribute(cmsOids.messageDigest, der.octets(hash(hashName, info))),
    attribute(cmsOids.signingCertificateV2, der.seq(der.seq(certificateId))),
  );
}

function signerInfo(
  certificate: Certificate,
  kind: KeyKind,
  attributes: Uint8Array,
  signature: Uint8Array,
): Uint8Array {
  const hashName = defaultHash(kind);
  return der.seq(
    der.int(1),
    der.seq(certificate.issuer, der.rawInt(certificate.serial)),
    hashAlgorithmDer(hashName),
    der.implicit(0, attributes),
    signatureAlgorithmDer(signatureAlgorithmFor(kind, hashName)),
    der.octets(signature),
  );
}

/** A refusal: PKIStatus rejection with one failure bit and a text. */
export function buildTimeStampFailure(failure: number, text: string): Der {
  return der.seq(der.seq(der.int(2), der.seq(der.utf8(text)), der.namedBits([failure]))) as Der;
}
