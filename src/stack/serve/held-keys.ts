/** The keys of a station: in its folder, or with a process beside it that holds some of them. */
import type { KeyHolder, KeyKind, Signer } from '#base/crypto';
import { fail } from '#base/reason';
import { type KeyHolders, keyHolders } from '#platform/key-store';
import { ExternalSigner } from '#sign';
import type { StationDeps } from './frame.ts';
import { R } from './reasons.ts';

export interface SignerSettings {
  readonly command: string;
  readonly args: readonly string[];
  /** Of the process, which takes from it what opens its keys. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Which keys of the station it holds, each under the name the process has for it. */
  readonly keys: ReadonlyMap<string, string>;
}

export interface HeldKeys {
  readonly holders: KeyHolders;
  /** Those the process holds. */
  readonly elsewhere: ReadonlyMap<string, KeyHolder>;
  /** Why nothing can be signed now. */
  trouble(): string | undefined;
  close(): Promise<void>;
}

/** The names of keys a station has. */
export interface KeyNames {
  readonly form: RegExp;
  /** The same in words. */
  readonly told: string;
}

/** Starts the process. Throws WB-1212 for a key the station does not have, WB-823, WB-824. */
export async function openHeldKeys(
  settings: SignerSettings | undefined,
  names: KeyNames,
  { keys, log }: StationDeps,
): Promise<HeldKeys> {
  if (settings === undefined) {
    const holders = keyHolders(keys);
    return { holders, elsewhere: new Map(), trouble: () => undefined, close: async () => {} };
  }
  const unknown = [...settings.keys.keys()].find((name) => !names.form.test(name));
  if (unknown !== undefined) {
    throw fail(R.settings, { expected: `a key of the station: ${names.told}`, actual: unknown });
  }
  const { command, args, env } = settings;
  const signer = new ExternalSigner({ command, args, env, log });
  try {
    const elsewhere = new Map<string, KeyHolder>();
    for (const [name, key] of settings.keys) elsewhere.set(name, await signer.holder(key));
    const holders = keyHolders(keys, elsewhere);
    return { holders, elsewhere, trouble: () => signer.trouble, close: () => signer.close() };
  } catch (error) {
    await signer.close();
    throw error;
  }
}

/** The key of a log: `log`. Throws WB-1213 for another than the one that was published. */
export async function openLogStationKey(
  { elsewhere }: HeldKeys,
  { keys, noteKey }: Pick<StationDeps, 'keys' | 'noteKey'>,
  kind: KeyKind,
): Promise<Signer | KeyHolder> {
  const held = elsewhere.get('log');
  if (held === undefined) return keys.openKey('log', kind);
  noteKey('log', held.publicKey);
  return held;
}

export function signerDown(held: HeldKeys): string | undefined {
  const why = held.trouble();
  return why === undefined ? undefined : `the program that holds the key is down: ${why}`;
}

/** Opens a station on the keys; when it does not open, nothing of them is left running. */
export async function withHeldKeys<T>(held: HeldKeys, make: (holders: KeyHolders) => Promise<T>): Promise<T> {
  try {
    return await make(held.holders);
  } catch (error) {
    await held.close();
    throw error;
  }
}

/** Closes what signs, then the process that signed for it, whatever became of the first. */
export async function closeWithKeys(held: HeldKeys, close: () => Promise<void>): Promise<void> {
  try {
    await close();
  } finally {
    await held.close();
  }
}
