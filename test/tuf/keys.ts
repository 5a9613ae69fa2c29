/** Keys of a simulated TUF repository. */
import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { toHex, utf8 } from '#base/bytes';
import { sha256 } from '#base/crypto';

export type Json = string | number | boolean | null | Json[] | { [name: string]: Json };
export type JsonMap = { [name: string]: Json };

export type KeyKind = 'ecdsa' | 'ed25519' | 'rsa';

/** OLPC canonical JSON: members sorted, no blanks, only quote and backslash escaped. */
export function canonical(value: Json): string {
  if (typeof value === 'string') return `"${value.replace(/["\\]/g, (character) => `\\${character}`)}"`;
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${canonical(name)}:${canonical(member)}`).join(',')}}`;
}

const schemes: Readonly<Record<KeyKind, string>> = {
  ecdsa: 'ecdsa-sha2-nistp256',
  ed25519: 'ed25519',
  rsa: 'rsassa-pss-sha256',
};

function pairOf(kind: KeyKind): { publicKey: KeyObject; privateKey: KeyObject } {
  if (kind === 'ecdsa') return generateKeyPairSync('ec', { namedCurve: 'P-256' });
  if (kind === 'ed25519') return generateKeyPairSync('ed25519');
  return generateKeyPairSync('rsa', { modulusLength: 2048 });
}

export class TestKey {
  readonly kind: KeyKind;
  readonly fields: JsonMap;
  readonly id: string;
  readonly #privateKey: KeyObject;

  constructor(kind: KeyKind = 'ecdsa', more: JsonMap = {}) {
    const { publicKey, privateKey } = pairOf(kind);
    this.kind = kind;
    this.#privateKey = privateKey;
    const pem = publicKey.export({ type: 'spki', format: 'pem' }) as string;
    const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('hex');
    const keyval = { public: kind === 'ed25519' ? raw : pem };
    this.fields = { keytype: kind, scheme: schemes[kind], keyval, ...more };
    this.id = toHex(sha256(utf8(canonical(this.fields))));
  }

  /** Hex signature over the canonical form of `signed`. */
  sign(signed: Json): string {
    const data = utf8(canonical(signed));
    if (this.kind === 'ed25519') return sign(null, data, this.#privateKey).toString('hex');
    if (this.kind === 'ecdsa') return sign('sha256', data, this.#privateKey).toString('hex');
    const padding = constants.RSA_PKCS1_PSS_PADDING;
    const key = { key: this.#privateKey, padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
    return sign('sha256', data, key).toString('hex');
  }
}
