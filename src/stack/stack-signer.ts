/**
 * Keys of a stack that a program beside it holds: the intermediate of its certificate authority, the signer of its
 * timestamps, those of its logs and of its TUF metadata, each generation's under a name of its own. What is not named lies in files as ever; a station that once
 * had its key elsewhere is never given one in a file.
 */
import type { KeyHolder } from '#base/crypto';
import { fail } from '#base/reason';
import { type KeyHolders, type KeyStore, keyHolders } from '#platform/key-store';
import type { Logger } from '#platform/telemetry';
import { ExternalSigner } from '#sign';
import type { Rotatable } from './generations.ts';
import { R } from './reasons.ts';
import type { WatchedKeys } from './serve/record.ts';

export interface StackSignerSettings {
  readonly command: string;
  readonly args: readonly string[];
  /** Of the process, which takes from it what opens its keys. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /**
   * `ca`, `ct`, `log`, `log2`, `tsa` for the first generation, `ca@2`, `log@3` for later ones; `tuf`, and `tuf@4` as of
   * version 4 of the root: the name the program has for the key.
   */
  readonly keys: ReadonlyMap<string, string>;
}

const held: Readonly<Record<Rotatable, string>> = {
  ...{ ca: 'intermediate', tsa: 'tsa' },
  ...{ ct: 'log', log: 'log', log2: 'log' },
};

export class StackSigner {
  readonly #signer: ExternalSigner;
  readonly #keys: ReadonlyMap<string, string>;

  /** The process starts with the first key that is asked for. */
  constructor({ command, args, env, keys }: StackSignerSettings, log: Logger) {
    this.#signer = new ExternalSigner({ command, args, env, log });
    this.#keys = keys;
  }

  /** The keys of one generation of an authority. Throws WB-1208 for one nobody named a key for, WB-823, WB-824. */
  async holders(station: 'ca' | 'tsa', number: number, files: KeyStore): Promise<KeyHolders> {
    const holder = await this.#holder(station, number, files);
    return keyHolders(files, new Map(holder === undefined ? [] : [[held[station], holder]]));
  }

  /** The key of one generation of a log; undefined when it is in a file. Errors as `holders`, WB-1213. */
  async logKey(
    station: 'ct' | 'log' | 'log2',
    number: number,
    { store, note }: WatchedKeys,
  ): Promise<KeyHolder | undefined> {
    const holder = await this.#holder(station, number, store);
    if (holder !== undefined) note(held[station], holder.publicKey);
    return holder;
  }

  /** The keys of snapshot and timestamp: `tuf`, and `tuf@4` as of version 4 of the root. Throws WB-823, WB-824. */
  async tufKeys(): Promise<ReadonlyMap<string, KeyHolder>> {
    const found = new Map<string, KeyHolder>();
    for (const [name, key] of this.#keys) {
      const [station, number] = name.split('@');
      if (station !== 'tuf') continue;
      found.set(number === undefined ? 'online' : `online-v${number}`, await this.#signer.holder(key));
    }
    return found;
  }

  async #holder(station: Rotatable, number: number, files: KeyStore): Promise<KeyHolder | undefined> {
    const name = number === 1 ? station : `${station}@${number}`;
    const key = this.#keys.get(name);
    if (key !== undefined) return this.#signer.holder(key);
    const isHeld = [...this.#keys.keys()].some((one) => one.split('@')[0] === station);
    if (!isHeld || (await files.findKey(held[station])) !== undefined) return undefined;
    throw fail(R.rotation, {
      expected: `the key of generation ${number} of ${station}: --signer-key ${name}=KEY`,
      actual: 'none named',
      hint: 'start the stack with it, then rotate',
    });
  }

  close(): Promise<void> {
    return this.#signer.close();
  }
}
