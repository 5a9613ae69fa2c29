/**
 * Where a service keeps its private keys and the certificates that go with them.
 *
 * Contract: `openKey` returns the key kept under a name, or makes and keeps one durably before it returns; the
 * same name gives the same key for ever. A key that others may read, or that the passphrase does not open, is
 * refused (WB-219) and never replaced.
 */
import { chmod, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { utf8, utf8Text } from '#base/bytes';
import {
  generateKey,
  holderOf,
  type KeyHolder,
  type KeyKind,
  type PrivateKey,
  privateKeyFromPem,
  type Signer,
} from '#base/crypto';
import { fail } from '#base/reason';
import type { Secret } from '#base/secret';
import { readFileIfThere, writeFileDurable } from './files.ts';
import { R } from './reasons.ts';

export interface KeyStore {
  /** Where it is, for words: a folder. */
  readonly place?: string;
  /** The kept key, undefined when there is none. */
  findKey(name: string): Promise<Signer | undefined>;
  /** The kept key; a fresh one of `kind` when there is none. */
  openKey(name: string, kind: KeyKind): Promise<Signer>;
  /** A file beside the keys, such as a certificate. */
  read(name: string): Promise<Uint8Array | undefined>;
  write(name: string, data: string): Promise<void>;
}

/**
 * Keys by name, wherever each is held: in files here, or out of this process's reach (a device, a key service).
 * Contract: as `KeyStore`; a key that is held elsewhere is never made here.
 */
export interface KeyHolders {
  find(name: string): Promise<KeyHolder | undefined>;
  open(name: string, kind: KeyKind): Promise<KeyHolder>;
}

/** The keys of a store; those in `elsewhere` are never looked for in it. */
export function keyHolders(
  keys: KeyStore,
  elsewhere: ReadonlyMap<string, KeyHolder> = new Map(),
): KeyHolders {
  return {
    find: async (name) => {
      const held = elsewhere.get(name);
      if (held !== undefined) return held;
      const signer = await keys.findKey(name);
      return signer === undefined ? undefined : holderOf(signer);
    },
    open: async (name, kind) => elsewhere.get(name) ?? holderOf(await keys.openKey(name, kind)),
  };
}

/** Its keys are at hand whole. */
export interface FileKeyStore extends KeyStore {
  findKey(name: string): Promise<PrivateKey | undefined>;
  openKey(name: string, kind: KeyKind): Promise<PrivateKey>;
}

/**
 * Encrypts the keys of a folder that lie there plain, each file replaced as a whole; returns their names. Copies of the
 * plain files elsewhere, and blocks a disk has not overwritten, are not reached. Throws WB-219.
 */
export async function encryptKeys(dir: string, passphrase: Secret): Promise<readonly string[]> {
  const files = (await readdir(dir).catch(() => [])).filter((name) => name.endsWith('.key'));
  const encrypted: string[] = [];
  for (const name of files.sort()) {
    const path = join(dir, name);
    const pem = utf8Text((await readFileIfThere(path)) ?? new Uint8Array(0));
    if (pem.includes('BEGIN ENCRYPTED')) continue;
    await requirePrivate(path);
    const key = readKey(path, pem, undefined);
    await writeFileDurable(path, key.exportPem(passphrase.reveal()), { mode: 0o600 });
    encrypted.push(path);
  }
  return encrypted;
}

/** Keys as PKCS#8 PEM files with mode 0600, encrypted when a passphrase is given. */
export function fileKeyStore(dir: string, passphrase?: Secret): FileKeyStore {
  const pathOf = (name: string): string => join(dir, name);
  const findKey = async (name: string): Promise<PrivateKey | undefined> => {
    const path = pathOf(`${name}.key`);
    const pem = await readFileIfThere(path);
    if (pem === undefined) return undefined;
    await requirePrivate(path);
    return readKey(path, utf8Text(pem), passphrase);
  };
  return {
    place: dir,
    findKey,
    openKey: async (name, kind) => {
      const kept = await findKey(name);
      if (kept !== undefined) return kept;
      const made = generateKey(kind);
      await writeFileDurable(pathOf(`${name}.key`), made.exportPem(passphrase?.reveal()), { mode: 0o600 });
      await chmod(dir, 0o700);
      return made;
    },
    read: (name) => readFileIfThere(pathOf(name)),
    write: (name, data) => writeFileDurable(pathOf(name), data),
  };
}

function readKey(path: string, pem: string, passphrase: Secret | undefined): PrivateKey {
  const isEncrypted = pem.includes('BEGIN ENCRYPTED');
  if (!isEncrypted && passphrase !== undefined) {
    throw fail(R.keyFile, { expected: `${path} encrypted, as a passphrase is set`, actual: 'a plain key' });
  }
  const key = privateKeyFromPem(pem, passphrase?.reveal());
  if (key.ok) return key.value;
  const expected = isEncrypted ? `a passphrase that opens ${path}` : `a PKCS#8 key in ${path}`;
  const actual = isEncrypted && passphrase === undefined ? 'no passphrase' : 'a key that does not open';
  throw fail(R.keyFile, { expected, actual });
}

async function requirePrivate(path: string): Promise<void> {
  const mode = (await stat(path)).mode & 0o777;
  if ((mode & 0o077) !== 0) {
    throw fail(R.keyFile, { expected: `${path} with mode 0600`, actual: `mode 0${mode.toString(8)}` });
  }
}

/** Keys in memory: for tests and throw-away stacks. */
export function memoryKeyStore(): KeyStore {
  const keys = new Map<string, Signer>();
  const files = new Map<string, Uint8Array>();
  return {
    findKey: async (name) => keys.get(name),
    openKey: async (name, kind) => {
      const key = keys.get(name) ?? generateKey(kind);
      keys.set(name, key);
      return key;
    },
    read: async (name) => files.get(name),
    write: async (name, data) => void files.set(name, utf8(data)),
  };
}
