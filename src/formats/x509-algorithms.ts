/** Algorithm identifiers of certificates, requests and CMS: object identifiers ↔ what is supported. */
import type { Der } from '#base/brand';
import { type HashName, type KeyKind, lazyPublicKey, type PublicKey } from '#base/crypto';
import { fail } from '#base/reason';
import { R as baseReasons } from '#base/reasons';
import { R } from './crypto-reasons.ts';
import { type DerNode, der, oidText, readDer, smallInteger, tags, wholeBits } from './der.ts';

export type SignatureFamily = 'ecdsa' | 'rsa' | 'ed25519';

export interface SignatureAlgorithm {
  readonly oid: string;
  readonly family: SignatureFamily;
  /** For Ed25519 the hash is fixed inside the scheme; SHA-512 is named here. */
  readonly hash: HashName;
}

const signatureAlgorithms: readonly SignatureAlgorithm[] = [
  { oid: '1.2.840.10045.4.3.2', family: 'ecdsa', hash: 'sha256' },
  { oid: '1.2.840.10045.4.3.3', family: 'ecdsa', hash: 'sha384' },
  { oid: '1.2.840.10045.4.3.4', family: 'ecdsa', hash: 'sha512' },
  { oid: '1.2.840.113549.1.1.11', family: 'rsa', hash: 'sha256' },
  { oid: '1.2.840.113549.1.1.12', family: 'rsa', hash: 'sha384' },
  { oid: '1.2.840.113549.1.1.13', family: 'rsa', hash: 'sha512' },
  { oid: '1.3.101.112', family: 'ed25519', hash: 'sha512' },
];
const signatureByOid = new Map(signatureAlgorithms.map((algorithm) => [algorithm.oid, algorithm]));

export const hashOids: Readonly<Record<HashName, string>> = {
  sha256: '2.16.840.1.101.3.4.2.1',
  sha384: '2.16.840.1.101.3.4.2.2',
  sha512: '2.16.840.1.101.3.4.2.3',
};
const hashByOid = new Map(Object.entries(hashOids).map(([name, oid]) => [oid, name as HashName]));

export const hashLengths: Readonly<Record<HashName, number>> = { sha256: 32, sha384: 48, sha512: 64 };

export const familyOf = (kind: KeyKind): SignatureFamily =>
  kind === 'rsa' || kind === 'ed25519' ? kind : 'ecdsa';

interface AlgorithmIdentifier {
  readonly oid: string;
  readonly parameters: DerNode | undefined;
}

/** AlgorithmIdentifier: the identifier and its parameters, unjudged. */
export function readAlgorithm(node: DerNode, what: string): AlgorithmIdentifier {
  const cursor = node.cursor(what);
  const oid = oidText(cursor.take(tags.oid, 'algorithm'));
  const parameters = cursor.peek() === -1 ? undefined : cursor.any('parameters');
  cursor.finish();
  return { oid, parameters };
}

/** A signature AlgorithmIdentifier; throws WB-125 for one that is not supported or has foreign parameters. */
export function readSignatureAlgorithm(node: DerNode, what: string): SignatureAlgorithm {
  const { oid, parameters } = readAlgorithm(node, what);
  const algorithm = signatureByOid.get(oid);
  // RFC 4055 §2.1: NULL for RSA; RFC 5758 §3.2, RFC 8410 §3: absent for the others.
  const isClean = parameters === undefined || (algorithm?.family === 'rsa' && parameters.tag === tags.nul);
  if (algorithm === undefined || !isClean) {
    throw fail(R.algorithm, {
      expected: 'ECDSA or RSA PKCS#1 v1.5 with SHA-2, or Ed25519',
      actual: `${what} ${oid}${isClean ? '' : ' with parameters'}`,
    });
  }
  return algorithm;
}

/** A hash AlgorithmIdentifier; parameters absent or NULL. Undefined when the hash is not supported. */
export function readHashAlgorithm(node: DerNode, what: string): HashName | undefined {
  const { oid, parameters } = readAlgorithm(node, what);
  if (parameters !== undefined && parameters.tag !== tags.nul) return undefined;
  return hashByOid.get(oid);
}

export const hashAlgorithmDer = (name: HashName): Uint8Array => der.seq(der.oid(hashOids[name]));

/** The algorithm a key of this kind signs certificates with, using this hash. */
export function signatureAlgorithmFor(kind: KeyKind, hash: HashName): SignatureAlgorithm {
  const family = familyOf(kind);
  const found = signatureAlgorithms.find(
    (algorithm) => algorithm.family === family && (family === 'ed25519' || algorithm.hash === hash),
  );
  if (found === undefined) throw new Error(`no signature algorithm for ${kind} with ${hash}`);
  return found;
}

export function signatureAlgorithmDer(algorithm: SignatureAlgorithm): Uint8Array {
  const oid = der.oid(algorithm.oid);
  return algorithm.family === 'rsa' ? der.seq(oid, der.nul()) : der.seq(oid);
}

const curveKinds = new Map<string, { kind: KeyKind; pointBytes: number }>([
  ['1.2.840.10045.3.1.7', { kind: 'p256', pointBytes: 65 }],
  ['1.3.132.0.34', { kind: 'p384', pointBytes: 97 }],
  ['1.3.132.0.35', { kind: 'p521', pointBytes: 133 }],
]);

/**
 * SubjectPublicKeyInfo: kind and length are read here, the native key is made at first use. Throws WB-105 for a
 * key of another kind, a compressed point or an RSA key outside 2048–8192 bits.
 */
export function readPublicKey(node: DerNode): PublicKey {
  const cursor = node.cursor('SubjectPublicKeyInfo');
  const { oid, parameters } = readAlgorithm(cursor.take(tags.seq, 'algorithm'), 'public key algorithm');
  const bits = wholeBits(cursor.take(tags.bits, 'subjectPublicKey'));
  cursor.finish();
  const spki = node.raw as Der;
  if (oid === '1.2.840.10045.2.1' && parameters?.tag === tags.oid) {
    const curve = curveKinds.get(oidText(parameters));
    if (curve !== undefined && bits.length === curve.pointBytes && bits[0] === 4) {
      return lazyPublicKey(spki, curve.kind, 0);
    }
  }
  if (oid === '1.3.101.112' && parameters === undefined && bits.length === 32) {
    return lazyPublicKey(spki, 'ed25519', 0);
  }
  if (oid === '1.2.840.113549.1.1.1' && parameters?.tag === tags.nul) {
    const modulusBits = rsaModulusBits(bits);
    if (modulusBits >= 2048 && modulusBits <= 8192) return lazyPublicKey(spki, 'rsa', modulusBits);
  }
  throw fail(baseReasons.publicKey, {
    expected: 'ECDSA P-256/384/521 (uncompressed), RSA 2048–8192 bits or Ed25519',
    actual: `algorithm ${oid} with ${bits.length} key bytes`,
  });
}

function rsaModulusBits(key: Uint8Array): number {
  const cursor = readDer(key).cursor('RSAPublicKey');
  const modulus = cursor.take(tags.int, 'modulus').body;
  const exponent = smallInteger(cursor.take(tags.int, 'publicExponent'));
  cursor.finish();
  const first = modulus[0] as number;
  if (first >= 0x80 || exponent < 3 || exponent % 2 === 0) return 0;
  const skipped = first === 0 ? 1 : 0;
  return (modulus.length - skipped) * 8 - Math.clz32(modulus[skipped] as number) + 24;
}
