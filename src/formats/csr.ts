/** Certificate signing requests (PKCS#10, RFC 2986). A Sigstore authority takes nothing from one but its key. */
import type { Der } from '#base/brand';
import { defaultHash, type PublicKey, type Signer, verifySignature } from '#base/crypto';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { attempt, type Result } from '#base/result';
import { R } from './crypto-reasons.ts';
import { contextTag, der, readSequence, smallInteger, tags, wholeBits } from './der.ts';
import {
  familyOf,
  readPublicKey,
  readSignatureAlgorithm,
  type SignatureAlgorithm,
  signatureAlgorithmDer,
  signatureAlgorithmFor,
} from './x509-algorithms.ts';
import { checkName } from './x509-name.ts';

export interface CertificateRequest {
  /** The signed part, header included. */
  readonly info: Uint8Array;
  /** Raw Name, as the requester wrote it; nothing vouches for it. */
  readonly subject: Uint8Array;
  readonly publicKey: PublicKey;
  readonly signatureAlgorithm: SignatureAlgorithm;
  readonly signature: Uint8Array;
}

/** Parses a DER request; its signature is checked by `verifyCsrSignature`. Refusals: WB-105, WB-121 to WB-129. */
export function parseCsr(bytes: Uint8Array): Result<CertificateRequest> {
  return attempt(() => {
    if (bytes.length > limits.certificateBytes) {
      throw fail(R.csr, { expected: `at most ${limits.certificateBytes} bytes`, actual: `${bytes.length}` });
    }
    const outer = readSequence(bytes, 'CertificationRequest').cursor('CertificationRequest');
    const info = outer.take(tags.seq, 'certificationRequestInfo');
    const algorithm = outer.take(tags.seq, 'signatureAlgorithm');
    const signature = wholeBits(outer.take(tags.bits, 'signature'));
    outer.finish();
    const cursor = info.cursor('CertificationRequestInfo');
    const version = smallInteger(cursor.take(tags.int, 'version'));
    if (version !== 0) throw fail(R.csr, { expected: 'version 1 (0)', actual: `${version}` });
    const subject = cursor.take(tags.seq, 'subject');
    checkName(subject);
    const publicKey = readPublicKey(cursor.take(tags.seq, 'subjectPKInfo'));
    // Attributes ask for names and uses; they are demanded by the syntax and never looked into.
    cursor.take(contextTag(0), 'attributes');
    cursor.finish();
    const signatureAlgorithm = readSignatureAlgorithm(algorithm, 'request signature');
    return { info: info.raw, subject: subject.raw, publicKey, signatureAlgorithm, signature };
  });
}

/** Whether the request is signed by the key inside it: the proof that the requester holds that key. */
export function verifyCsrSignature(request: CertificateRequest): boolean {
  const { family, hash } = request.signatureAlgorithm;
  if (familyOf(request.publicKey.kind) !== family) return false;
  return verifySignature(request.publicKey, request.info, request.signature, hash);
}

/** A request without attributes. */
export function buildCsr(subject: Uint8Array, signer: Signer): Der {
  const hash = defaultHash(signer.publicKey.kind);
  const info = der.seq(der.int(0), subject, signer.publicKey.spki, der.implicit(0, der.set()));
  const algorithm = signatureAlgorithmDer(signatureAlgorithmFor(signer.publicKey.kind, hash));
  return der.seq(info, algorithm, der.bits(signer.sign(info, hash))) as Der;
}
