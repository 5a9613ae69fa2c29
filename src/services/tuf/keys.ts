/** Keys of a TUF repository: those this machine holds, and how a public key stands in root.json. */
import { readdir } from 'node:fs/promises';
import { Key, Signature } from '@tufjs/models';
import { toHex, utf8 } from '#base/bytes';
import { holderOf, type KeyHolder, type PublicKey, publicKeyPem, sha256 } from '#base/crypto';
import { fail } from '#base/reason';
import type { Secret } from '#base/secret';
import { fileKeyStore } from '#platform/key-store';
import { OFFLINE_ROLES, ONLINE_ROLES, type TufRoleName } from './config.ts';
import { R } from './reasons.ts';

export interface TufKey {
  readonly id: string;
  /** As it stands in root.json. */
  readonly key: Key;
}

/** A key that signs. */
export interface TufSigner extends TufKey {
  /** Its file, without `.key`, or what it is called where it lies elsewhere. */
  readonly name: string;
  sign(data: Buffer): Promise<Signature>;
}

/** What a folder holds; which of it signs what, the newest root says. */
export interface KeyRing {
  readonly held: readonly TufSigner[];
  /** Makes one more key, durably; one that lies elsewhere is taken. Throws WB-1067. */
  make(name: string): Promise<TufSigner>;
}

export interface KeyRingOptions {
  readonly passphrase?: Secret;
  /** Keys that are in no file here, by the names their files would have. */
  readonly elsewhere?: ReadonlyMap<string, KeyHolder>;
}

export async function openKeyRing(dir: string, options: KeyRingOptions = {}): Promise<KeyRing> {
  const { passphrase, elsewhere = new Map<string, KeyHolder>() } = options;
  const store = fileKeyStore(dir, passphrase);
  const held = [...elsewhere].map(([name, holder]) => tufSigner(name, holder));
  const open = async (name: string): Promise<TufSigner> => {
    const signer = tufSigner(name, holderOf(await store.openKey(name, 'p256')));
    held.push(signer);
    return signer;
  };
  const make = async (name: string): Promise<TufSigner> => {
    const known = held.find((one) => one.name === name);
    if (known !== undefined) return known;
    const [kind] = name.split('-');
    if (![...elsewhere.keys()].some((one) => one.split('-')[0] === kind)) return open(name);
    // A key in a file would be one the operator believes to be elsewhere.
    throw fail(R.heldElsewhere, {
      expected: `the key ${name} where the other ${kind} keys are`,
      actual: 'none named',
    });
  };
  const names = await readdir(dir).catch(() => []);
  for (const name of names.sort((a, b) => (a < b ? -1 : 1)))
    if (name.endsWith('.key')) await open(name.slice(0, -'.key'.length));
  return { held, make };
}

export function tufSigner(name: string, holder: KeyHolder): TufSigner {
  const { id, key } = tufKey(holder.publicKey);
  const sign = async (data: Uint8Array): Promise<Signature> =>
    new Signature({ keyID: id, sig: toHex(await holder.sign(data)) });
  return { name, id, key, sign };
}

/** A P-256 or Ed25519 key as it stands in root.json; its id is the hash of that. Throws WB-1065 for others. */
export function tufKey(publicKey: PublicKey): TufKey {
  const fields = keyFields(publicKey);
  const id = toHex(sha256(utf8(olpc(fields))));
  return { id, key: Key.fromJSON(id, fields) };
}

function keyFields(publicKey: PublicKey) {
  if (publicKey.kind === 'p256') {
    const keyval = { public: publicKeyPem(publicKey) as string };
    return { keytype: 'ecdsa', keyval, scheme: 'ecdsa-sha2-nistp256' };
  }
  if (publicKey.kind === 'ed25519') {
    // The last 32 bytes of its SPKI are the key itself.
    return { keytype: 'ed25519', keyval: { public: toHex(publicKey.spki.subarray(-32)) }, scheme: 'ed25519' };
  }
  throw fail(R.root, { expected: 'a P-256 or Ed25519 key', actual: publicKey.kind });
}

/** The keys of a new repository: several for root and targets, one online key for snapshot and timestamp. */
export async function firstKeys(
  ring: KeyRing,
  rootCount: number,
): Promise<Readonly<Record<TufRoleName, readonly TufKey[]>>> {
  const root: TufKey[] = [];
  for (let index = 1; index <= rootCount; index++) root.push(await ring.make(`root-${index}`));
  const online = [await ring.make('online')];
  return { root, targets: root, snapshot: online, timestamp: online };
}

export const rolesOf = (kind: 'online' | 'root'): readonly TufRoleName[] =>
  kind === 'online' ? ONLINE_ROLES : OFFLINE_ROLES;

type Flat = string | { readonly [key: string]: Flat };

/** OLPC canonical JSON of strings and objects: only quote and backslash are escaped, newlines stay as they are. */
function olpc(value: Flat): string {
  if (typeof value === 'string') return `"${value.replace(/["\\]/g, (character) => `\\${character}`)}"`;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, member]) => `${olpc(key)}:${olpc(member)}`).join(',')}}`;
}
