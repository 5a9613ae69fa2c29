/** The key to be certified: that it is sound, and that the requester holds it. */
import { toHex, utf8 } from '#base/bytes';
import { type PublicKey, verifySignatureAsync } from '#base/crypto';
import { fail } from '#base/reason';
import { R as baseReasons } from '#base/reasons';
import { attempt, type Result } from '#base/result';
import { pemDecode } from '#formats/pem';
import { parseSubjectPublicKey } from '#formats/x509';
import { parseCsr, verifyCsrSignature } from '#formats/x509-build';
import { R } from './reasons.ts';

/** How a requester shows that it holds the key. */
export type KeyProof =
  | { readonly kind: 'signature'; readonly spki: Uint8Array; readonly signature: Uint8Array }
  | { readonly kind: 'csr'; readonly der: Uint8Array };

/** SubjectPublicKeyInfo of a `PUBLIC KEY` PEM block. Throws WB-1008. */
export function spkiFromPem(pem: string): Uint8Array {
  const blocks = readable(pemDecode(pem, 'PUBLIC KEY'), R.publicKey, 'a PUBLIC KEY block');
  if (blocks.length > 1) throw fail(R.publicKey, { expected: 'one key', actual: `${blocks.length}` });
  return blocks[0].der;
}

/** The bytes of a request in a PEM block. Throws WB-1011. */
export function csrFromPem(pem: string): Uint8Array {
  const blocks = readable(pemDecode(pem), R.csr, 'a CERTIFICATE REQUEST block');
  const [block] = blocks;
  const isRequest = block.label === 'CERTIFICATE REQUEST' || block.label === 'NEW CERTIFICATE REQUEST';
  if (blocks.length > 1 || !isRequest) {
    throw fail(R.csr, {
      expected: 'one CERTIFICATE REQUEST block',
      actual: `${blocks.length} × ${block.label}`,
    });
  }
  return block.der;
}

function readable<T>(parsed: Result<T>, spec: typeof R.publicKey | typeof R.csr, expected: string): T {
  if (parsed.ok) return parsed.value;
  const { code, expected: inner, actual } = parsed.error;
  // A key that is read but of no supported kind is insecure, not unreadable.
  if (code === baseReasons.publicKey.code) throw fail(R.weakKey, { expected: inner, actual });
  throw fail(spec, { expected, actual: `${code}: expected ${inner}` });
}

/**
 * The proven key. A signature is over the UTF-8 of `challenge` with the key's default hash; a request proves
 * itself by its own signature, and nothing else in it is looked at. Rejects with WB-1008 to WB-1011.
 */
export async function provenKey(proof: KeyProof, challenge: string): Promise<PublicKey> {
  if (proof.kind === 'signature') {
    const key = soundKey(proof.spki);
    if (!(await verifySignatureAsync(key, utf8(challenge), proof.signature))) {
      const expected = `a signature of the certified key over ${JSON.stringify(challenge)}`;
      throw fail(R.possession, { expected, actual: 'one that does not verify' });
    }
    return key;
  }
  const request = readable(parseCsr(proof.der), R.csr, 'a PKCS#10 request');
  const key = soundKey(request.publicKey.spki);
  if (!verifyCsrSignature(request)) {
    throw fail(R.possession, {
      expected: 'a request signed by the key inside it',
      actual: 'another signature',
    });
  }
  return key;
}

function soundKey(spki: Uint8Array): PublicKey {
  const key = readable(parseSubjectPublicKey(spki), R.publicKey, 'DER SubjectPublicKeyInfo');
  // Reading it natively as well finds points off the curve.
  readable(
    attempt(() => key.handle),
    R.publicKey,
    'a key on its curve',
  );
  const fault = weaknessOf(key);
  if (fault !== undefined) throw fail(R.weakKey, { expected: R.weakKey.hint, actual: fault });
  return key;
}

const rsaBits = new Set([2048, 3072, 4096]);
const RSA_EXPONENT = 65537n;

function weaknessOf(key: PublicKey): string | undefined {
  if (key.kind === 'ed25519') return isSmallOrder(key) ? 'an Ed25519 point of small order' : undefined;
  if (key.kind !== 'rsa') return undefined;
  if (!rsaBits.has(key.bits)) return `RSA with ${key.bits} bits`;
  const exponent = key.handle.asymmetricKeyDetails?.publicExponent;
  if (exponent !== RSA_EXPONENT) return `RSA with exponent ${exponent}`;
  const modulus = Buffer.from(key.handle.export({ format: 'jwk' }).n ?? '', 'base64url');
  return hasSmallFactor(BigInt(`0x${modulus.toString('hex')}`))
    ? 'an RSA modulus with a small factor'
    : undefined;
}

const smallPrimes = primesBelow(752);

function primesBelow(end: number): bigint[] {
  const primes: bigint[] = [];
  for (let n = 2; n < end; n++) {
    if (primes.every((prime) => BigInt(n) % prime !== 0n)) primes.push(BigInt(n));
  }
  return primes;
}

const hasSmallFactor = (modulus: bigint): boolean => smallPrimes.some((prime) => modulus % prime === 0n);

/** Encodings of y for the points of order 1, 2, 4 and 8, also those above the field prime; sign bit cleared. */
const smallOrderPoints = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
]);

function isSmallOrder(key: PublicKey): boolean {
  const point = key.spki.slice(-32);
  point[31] = (point[31] as number) & 0x7f;
  return smallOrderPoints.has(toHex(point));
}
