/** What the verbs `waybill serve STATION` have in common: their options, and how one is read. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { fail } from '#base/reason';
import type { Secret } from '#base/secret';
import type { SignerSettings, StationDeps, StationParts, StationSettings } from '#stack';
import type { CliContext } from './context.ts';
import { R } from './reasons.ts';
import { collect } from './sign-options.ts';

interface StationFlags {
  readonly config?: string;
  readonly data?: string;
  readonly listen: string;
  readonly admin?: string;
  readonly publicAdmin?: boolean;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly clientCa?: string;
  readonly trustedRoot?: string;
  readonly tenants?: string;
  readonly publicWrites?: boolean;
  readonly sigstoreMetrics?: boolean;
  readonly passphraseFile?: string;
  readonly caFile?: string;
  readonly init?: boolean;
  readonly logLevel: StationSettings['logLevel'];
}

/** Options as they were given, by name. */
export type Given = Readonly<Record<string, string | readonly string[] | boolean | undefined>>;

export type Flags = StationFlags & Given;

export interface Station {
  readonly name: string;
  readonly description: string;
  readonly port: number;
  addOptions?(command: Command): void;
  /** Under this name its data is kept, and its metrics are. */
  kind?(flags: Flags): string;
  parts(flags: Flags, deps: StationDeps, context: CliContext): Promise<StationParts>;
}

/** A path, from the current folder. */
export const text = (flags: Flags, name: string, { cwd }: CliContext): string | undefined => {
  const value = flags[name];
  return typeof value === 'string' ? resolve(cwd, value) : undefined;
};

/** The same value under the name a setting has, or nothing. */
export function optional<K extends string, V>(name: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined ? {} : ({ [name]: value } as Record<K, V>);
}

export const plain = (flags: Given, name: string): string | undefined => {
  const value = flags[name];
  return typeof value === 'string' ? value : undefined;
};

export function addSignerOptions(command: Command, key: string): Command {
  return command
    .option('--signer <program>', 'a program beside it that holds keys (docs/keys.md)')
    .option('--signer-arg <argument>', 'argument of that program (repeatable)', collect, [])
    .option(
      '--signer-key <name=key>',
      `a key of the station, and its name there: ${key}=${key} without this (repeatable)`,
      collect,
      [],
    );
}

/** `key` is what the program holds unless it is said otherwise. */
export function signerFrom(flags: Given, key: string, { env }: CliContext): SignerSettings | undefined {
  const command = plain(flags, 'signer');
  const args = flags['signerArg'] as readonly string[];
  const given = flags['signerKey'] as readonly string[];
  if (command === undefined) {
    if (args.length + given.length === 0) return undefined;
    throw fail(R.optionValue, { expected: '--signer with --signer-arg and --signer-key', actual: 'none' });
  }
  const pairs = given.map((pair): [string, string] => {
    const [, name, there] = /^([a-z][a-z0-9-]*)=(.+)$/.exec(pair) ?? [];
    if (name !== undefined && there !== undefined) return [name, there];
    throw fail(R.optionValue, { expected: `--signer-key as ${key}=NAME`, actual: JSON.stringify(pair) });
  });
  return { command, args, env, keys: new Map(pairs.length === 0 ? [[key, key]] : pairs) };
}

/** The first line of the file; undefined without one. */
export async function passphraseFrom(
  { passphraseFile }: Pick<Flags, 'passphraseFile'>,
  { cwd }: CliContext,
): Promise<Secret | undefined> {
  if (passphraseFile === undefined) return undefined;
  const [{ readFileLimited }, { Secret }, { utf8Text }] = await Promise.all([
    import('#platform/files'),
    import('#base/secret'),
    import('#base/bytes'),
  ]);
  const [line = ''] = utf8Text(await readFileLimited(resolve(cwd, passphraseFile), 4096)).split(/\r?\n/, 1);
  if (line === '')
    throw fail(R.optionValue, { expected: 'a passphrase in --passphrase-file', actual: 'an empty line' });
  return new Secret(line);
}

export function numberOf(option: string, value: string, digits = 9): number {
  if (/^[1-9]\d*$/.test(value) && value.length <= digits) return Number(value);
  throw fail(R.optionValue, { expected: `${option} as a number above 0`, actual: JSON.stringify(value) });
}
