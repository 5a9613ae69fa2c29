/** Timestamp tokens put together by hand: each part can be left out, doubled or replaced, and is signed over. */
import { type HashName, hash, type PrivateKey, sha1Unsafe, sha256 } from '#base/crypto';
import { cmsOids } from '#formats/cms';
import { der } from '#formats/der';
import type { Certificate } from '#formats/x509';
import { hashAlgorithmDer, signatureAlgorithmDer, signatureAlgorithmFor } from '#formats/x509-algorithms';
import { NOW } from './pki.ts';

type Part = Uint8Array | readonly Uint8Array[];

export interface TokenSigner {
  readonly key: PrivateKey;
  readonly certificate: Certificate;
}

/** What replaces the usual parts; an empty list leaves a part out, several double it. */
export interface TokenParts {
  readonly contentInfoType?: Part;
  readonly contentInfoContent?: (signedData: Uint8Array) => Part;
  readonly contentInfoEnd?: Part;
  readonly digestAlgorithms?: Part;
  readonly contentType?: string;
  readonly content?: (info: Uint8Array) => Part;
  readonly contentEnd?: Part;
  readonly certificates?: Part;
  readonly crls?: Part;
  readonly signerInfos?: (signerInfo: Uint8Array) => Part;
  readonly signedDataEnd?: Part;
  readonly signerVersion?: Part;
  readonly signerId?: Part;
  readonly digestAlgorithm?: Part;
  readonly hash?: HashName;
  /** The signed attributes, by their own order. */
  readonly attributes?: (
    usual: Record<'contentType' | 'messageDigest' | 'certificateId', Uint8Array>,
  ) => Part;
  /** Replaces the whole `[0]` element. */
  readonly signedAttributes?: Part;
  readonly signatureAlgorithm?: Part;
  readonly signature?: (usual: Uint8Array) => Part;
  readonly unsignedAttributes?: Part;
  readonly signerInfoEnd?: Part;
  /** Of the TSTInfo. */
  readonly info?: Uint8Array;
}

const list = (part: Part | undefined, usual: Part): readonly Uint8Array[] => {
  const chosen = part ?? usual;
  return chosen instanceof Uint8Array ? [chosen] : chosen;
};

export const attribute = (oid: string, ...values: readonly Uint8Array[]): Uint8Array =>
  der.seq(der.oid(oid), der.set(...values));

/** ESSCertIDv2 in its attribute; with `hashName` the hash is named. */
export function certificateIdV2(certificate: Certificate, hashName?: HashName): Uint8Array {
  const named = hashName === undefined ? [] : [hashAlgorithmDer(hashName)];
  const id = der.seq(...named, der.octets(hash(hashName ?? 'sha256', certificate.der)));
  return attribute(cmsOids.signingCertificateV2, der.seq(der.seq(id)));
}

export const certificateIdV1 = (certificate: Certificate): Uint8Array =>
  attribute(cmsOids.signingCertificate, der.seq(der.seq(der.seq(der.octets(sha1Unsafe(certificate.der))))));

export interface InfoParts {
  readonly version?: Part;
  readonly policy?: Part;
  readonly imprint?: Part;
  readonly serial?: Part;
  readonly genTime?: Part;
  readonly accuracy?: Part;
  readonly ordering?: Part;
  readonly nonce?: Part;
  readonly tsa?: Part;
  readonly extensions?: Part;
  readonly end?: Part;
}

export const stamped = new TextEncoder().encode('what is timed');

/** A TSTInfo over `stamped`. */
export function infoOf(parts: InfoParts = {}): Uint8Array {
  return der.seq(
    ...list(parts.version, der.int(1)),
    ...list(parts.policy, der.oid('1.2.3')),
    ...list(parts.imprint, der.seq(hashAlgorithmDer('sha256'), der.octets(sha256(stamped)))),
    ...list(parts.serial, der.int(7)),
    ...list(parts.genTime, der.generalTime(NOW)),
    ...list(parts.accuracy, []),
    ...list(parts.ordering, []),
    ...list(parts.nonce, []),
    ...list(parts.tsa, []),
    ...list(parts.extensions, []),
    ...list(parts.end, []),
  );
}

/** A TimeStampToken by `signer`. */
export function tokenOf({ key, certificate }: TokenSigner, parts: TokenParts = {}): Uint8Array {
  const info = parts.info ?? infoOf();
  const hashName = parts.hash ?? 'sha256';
  const usual = {
    contentType: attribute(cmsOids.contentType, der.oid(cmsOids.tstInfo)),
    messageDigest: attribute(cmsOids.messageDigest, der.octets(hash(hashName, info))),
    certificateId: certificateIdV2(certificate),
  };
  const attributes = der.set(
    ...list(parts.attributes?.(usual), [usual.contentType, usual.messageDigest, usual.certificateId]),
  );
  const signature = key.sign(attributes, hashName);
  const signerInfo = der.seq(
    ...list(parts.signerVersion, der.int(1)),
    ...list(parts.signerId, der.seq(certificate.issuer, der.rawInt(certificate.serial))),
    ...list(parts.digestAlgorithm, hashAlgorithmDer(hashName)),
    ...list(parts.signedAttributes, der.implicit(0, attributes)),
    ...list(
      parts.signatureAlgorithm,
      signatureAlgorithmDer(signatureAlgorithmFor(key.publicKey.kind, hashName)),
    ),
    ...list(parts.signature?.(signature), der.octets(signature)),
    ...list(parts.unsignedAttributes, []),
    ...list(parts.signerInfoEnd, []),
  );
  const signedData = der.seq(
    der.int(3),
    ...list(parts.digestAlgorithms, der.set(hashAlgorithmDer(hashName))),
    der.seq(
      der.oid(parts.contentType ?? cmsOids.tstInfo),
      ...list(parts.content?.(info), der.explicit(0, der.octets(info))),
      ...list(parts.contentEnd, []),
    ),
    ...list(parts.certificates, []),
    ...list(parts.crls, []),
    ...list(parts.signerInfos?.(signerInfo), der.set(signerInfo)),
    ...list(parts.signedDataEnd, []),
  );
  return der.seq(
    ...list(parts.contentInfoType, der.oid(cmsOids.signedData)),
    ...list(parts.contentInfoContent?.(signedData), der.explicit(0, signedData)),
    ...list(parts.contentInfoEnd, []),
  );
}
