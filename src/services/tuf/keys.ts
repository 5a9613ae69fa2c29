/** The repository's keys: several for root and targets, one online key for snapshot and timestamp. */
import { readdir } from 'node:fs/promises';
import { Key, Signature } from '@tufjs/models';
import { toHex, utf8 } from '#base/bytes';
import { publicKeyPem, type Signer, sha256 } from '#base/crypto';
import { fileKeyStore } from '#platform/key-store';

export interface TufKey {
  readonly name: string;
  readonly id: string;
  /** As it stands in root.json. */
  readonly key: Key;
  sign(data: Buffer): Signature;
}

export interface KeyRing {
  readonly root: readonly TufKey[];
  readonly online: TufKey;
}

/** Opens the keys in `dir`; makes them when the folder is empty. */
export async function openKeyRing(dir: string, rootCount: number): Promise<KeyRing> {
  const names = await readdir(dir).catch(() => []);
  const kept = names.flatMap((name) => /^(root-\d+)\.key$/.exec(name)?.[1] ?? []).sort();
  const wanted =
    kept.length > 0 ? kept : Array.from({ length: rootCount }, (_, index) => `root-${index + 1}`);
  const store = fileKeyStore(dir);
  const open = async (name: string): Promise<TufKey> => tufKey(name, await store.openKey(name, 'p256'));
  return { root: await Promise.all(wanted.map(open)), online: await open('online') };
}

function tufKey(name: string, pair: Signer): TufKey {
  const fields = {
    keytype: 'ecdsa',
    keyval: { public: publicKeyPem(pair.publicKey) as string },
    scheme: 'ecdsa-sha2-nistp256',
  };
  const id = toHex(sha256(utf8(olpc(fields))));
  return {
    name,
    id,
    key: Key.fromJSON(id, fields),
    sign: (data) => new Signature({ keyID: id, sig: toHex(pair.sign(data)) }),
  };
}

type Flat = string | { readonly [key: string]: Flat };

/** OLPC canonical JSON of strings and objects: only quote and backslash are escaped, newlines stay as they are. */
function olpc(value: Flat): string {
  if (typeof value === 'string') return `"${value.replace(/["\\]/g, (character) => `\\${character}`)}"`;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, member]) => `${olpc(key)}:${olpc(member)}`).join(',')}}`;
}
