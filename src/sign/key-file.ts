/**
 * Private key files: cosign's (`ENCRYPTED SIGSTORE PRIVATE KEY`, the older `ENCRYPTED COSIGN PRIVATE KEY`), read
 * and written, and PKCS#8 PEM as OpenSSL writes it, read only.
 */
import { fromBase64, toBase64, utf8 } from '#base/bytes';
import {
  generateKey,
  type KeyKind,
  type PrivateKey,
  privateKeyFromPem,
  publicKeyPem,
  type ScryptCost,
  scryptKey,
} from '#base/crypto';
import type { Random } from '#base/random';
import { fail } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import type { Secret } from '#base/secret';
import { parseJson, reader } from '#formats/json';
import { pemDecode, pemEncode } from '#formats/pem';
import { R } from './reasons.ts';
import { SECRETBOX_KEY_BYTES, SECRETBOX_NONCE_BYTES, secretboxOpen, secretboxSeal } from './secretbox.ts';

export const KEY_LABEL = 'ENCRYPTED SIGSTORE PRIVATE KEY';
const OLD_LABEL = 'ENCRYPTED COSIGN PRIVATE KEY';

/** What cosign writes today. */
const cost: ScryptCost = { N: 65_536, r: 8, p: 1 };
/** A hostile file must not buy more than this much memory and time. */
const MEMORY_BYTES_MAX = 512 * 1024 * 1024;
const PARALLEL_MAX = 4;

/** Reads a private key. Throws WB-816 for the form, WB-817 for the password. */
export async function readPrivateKey(pem: string, password?: Secret): Promise<PrivateKey> {
  const blocks = pemDecode(pem);
  const [block] = blocks.ok ? blocks.value : [];
  if (block === undefined) throw fail(R.keyFile, { expected: 'a PEM private key', actual: 'no PEM block' });
  if (block.label !== KEY_LABEL && block.label !== OLD_LABEL) return readPlainKey(pem, block.label, password);
  const der = await open(block.der, password?.reveal() ?? '');
  const key = privateKeyFromPem(pemEncode('PRIVATE KEY', der));
  if (key.ok) return key.value;
  throw fail(R.keyFile, { expected: 'a PKCS#8 key inside the encryption', actual: 'something else' });
}

function readPlainKey(pem: string, label: string, password: Secret | undefined): PrivateKey {
  const key = privateKeyFromPem(pem, password?.reveal());
  if (key.ok) return key.value;
  if (label === 'ENCRYPTED PRIVATE KEY') {
    throw fail(R.password, { expected: 'the password of the key', actual: 'one that does not open it' });
  }
  throw fail(R.keyFile, { expected: 'a cosign or PKCS#8 private key', actual: `a ${label} block` });
}

async function open(body: Uint8Array, password: string): Promise<Uint8Array> {
  const form = attempt(() => {
    const json = reader(unwrap(parseJson(body)), 'key', { as: R.keyFile });
    const kdf = json.child('kdf');
    const params = kdf.child('params');
    const cipher = json.child('cipher');
    if (kdf.string('name') !== 'scrypt') throw kdf.wrong('name', 'scrypt', kdf.string('name'));
    if (cipher.string('name') !== 'nacl/secretbox') {
      throw cipher.wrong('name', 'nacl/secretbox', cipher.string('name'));
    }
    return {
      cost: { N: params.integer('N'), r: params.integer('r'), p: params.integer('p') },
      salt: fromBase64(kdf.string('salt')),
      nonce: fromBase64(cipher.string('nonce')),
      ciphertext: fromBase64(json.string('ciphertext')),
    };
  });
  if (!form.ok) throw fail(R.keyFile, { expected: 'a cosign private key', actual: form.error.check });
  const { cost: asked, salt, nonce, ciphertext } = form.value;
  requireBearable(asked);
  if (nonce.length !== SECRETBOX_NONCE_BYTES) {
    throw fail(R.keyFile, { expected: `${SECRETBOX_NONCE_BYTES} bytes of nonce`, actual: `${nonce.length}` });
  }
  const opened = secretboxOpen(
    await scryptKey(password, salt, asked, SECRETBOX_KEY_BYTES),
    nonce,
    ciphertext,
  );
  if (opened !== undefined) return opened;
  throw fail(R.password, { expected: 'the password of the key', actual: 'one that does not open it' });
}

function requireBearable({ N, r, p }: ScryptCost): void {
  const isPowerOfTwo = N >= 2 && (N & (N - 1)) === 0 && N <= 2 ** 30;
  if (isPowerOfTwo && r >= 1 && p >= 1 && p <= PARALLEL_MAX && 128 * N * r <= MEMORY_BYTES_MAX) return;
  const expected = `scrypt within ${MEMORY_BYTES_MAX} bytes, p at most ${PARALLEL_MAX}`;
  throw fail(R.keyFile, { expected, actual: `N ${N}, r ${r}, p ${p}` });
}

/** The PEM of a private key under a password, in cosign's form. An empty password is cosign's "no password". */
export async function writePrivateKey(key: PrivateKey, password: Secret, random: Random): Promise<string> {
  const der = unwrap(pemDecode(key.exportPem(), 'PRIVATE KEY'))[0].der;
  const salt = random.bytes(32);
  const nonce = random.bytes(SECRETBOX_NONCE_BYTES);
  const secret = await scryptKey(password.reveal(), salt, cost, SECRETBOX_KEY_BYTES);
  const body = {
    kdf: { name: 'scrypt', params: cost, salt: toBase64(salt) },
    cipher: { name: 'nacl/secretbox', nonce: toBase64(nonce) },
    ciphertext: toBase64(secretboxSeal(secret, nonce, der)),
  };
  return pemEncode(KEY_LABEL, utf8(JSON.stringify(body)));
}

export interface KeyPairFiles {
  readonly privatePem: string;
  readonly publicPem: string;
}

/** A fresh key pair as `cosign generate-key-pair` makes it. */
export async function makeKeyPair(
  password: Secret,
  random: Random,
  kind: KeyKind = 'p256',
): Promise<KeyPairFiles> {
  const key = generateKey(kind);
  return {
    privatePem: await writePrivateKey(key, password, random),
    publicPem: publicKeyPem(key.publicKey),
  };
}
