/**
 * Keys of a stack that a program beside it holds: the intermediate of its certificate authority, the signer of its
 * timestamps, each generation's under a name of its own. What is not named lies in files as ever; a station that once
 * had its key elsewhere is never given one in a file.
 */
import type { KeyHolder } from '#base/crypto';
import { fail } from '#base/reason';
import { type KeyHolders, type KeyStore, keyHolders } from '#platform/key-store';
import type { Logger } from '#platform/telemetry';
import { ExternalSigner } from '#sign';
import { R } from './reasons.ts';

export interface StackSignerSettings {
  readonly command: string;
  readonly args: readonly string[];
  /** Of the process, which takes from it what opens its keys. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `ca`, `tsa` for the first generation, `ca@2`, `tsa@3` for later ones: the name the program has for the key. */
  readonly keys: ReadonlyMap<string, string>;
}

export type HeldStation = 'ca' | 'tsa';

const held: Readonly<Record<HeldStation, string>> = { ca: 'intermediate', tsa: 'tsa' };

export class StackSigner {
  readonly #signer: ExternalSigner;
  readonly #keys: ReadonlyMap<string, string>;

  /** The process starts with the first key that is asked for. */
  constructor({ command, args, env, keys }: StackSignerSettings, log: Logger) {
    this.#signer = new ExternalSigner({ command, args, env, log });
    this.#keys = keys;
  }

  /** The keys of one generation. Throws WB-1208 for a generation nobody named a key for, WB-823, WB-824. */
  async holders(station: HeldStation, number: number, files: KeyStore): Promise<KeyHolders> {
    const name = number === 1 ? station : `${station}@${number}`;
    const key = this.#keys.get(name);
    if (key !== undefined) {
      const elsewhere: [string, KeyHolder] = [held[station], await this.#signer.holder(key)];
      return keyHolders(files, new Map([elsewhere]));
    }
    const isHeld = [...this.#keys.keys()].some((one) => one.split('@')[0] === station);
    if (isHeld && (await files.findKey(held[station])) === undefined) {
      const expected = `the key of generation ${number} of ${station}: --signer-key ${name}=KEY`;
      throw fail(R.rotation, {
        expected,
        actual: 'none named',
        hint: 'start the stack with it, then rotate',
      });
    }
    return keyHolders(files);
  }

  close(): Promise<void> {
    return this.#signer.close();
  }
}
