/**
 * Named trust profiles: where a trusted root comes from, under a name, in the user's configuration folder. A
 * profile of a file keeps a copy of it; a profile of a TUF mirror keeps the root to start from.
 */
import { join, resolve } from 'node:path';
import { toHex } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { limits } from '#base/limits';
import { nearestWord } from '#base/nearest';
import { fail } from '#base/reason';
import { attempt, type Result, unwrap } from '#base/result';
import { type JsonObject, type JsonReader, parseJson, reader } from '#formats/json';
import { readFileLimited, readFileLimitedIfThere, writeFileDurable } from '#platform/files';
import { R } from './reasons.ts';

/** What a profile says, in the words of the options; the paths are absolute. */
export interface TrustProfile {
  readonly trustedRoot?: string;
  readonly signingConfig?: string;
  readonly trustConfig?: string;
  readonly tufMirror?: string;
  readonly tufRoot?: string;
  readonly stack?: string;
}

export interface TrustProfiles {
  /** The profile used when nothing else is named. */
  readonly inUse?: string;
  readonly profiles: ReadonlyMap<string, TrustProfile>;
}

type Env = Readonly<Record<string, string | undefined>>;

const SCHEMA = 'waybill.dev/trust-profiles/v1';
const FILE = 'trust.json';
const nameForm = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const fields = ['trustedRoot', 'signingConfig', 'trustConfig', 'tufMirror', 'tufRoot', 'stack'] as const;
/** Fields that name a file whose content the profile keeps. */
const kept = ['trustedRoot', 'signingConfig', 'trustConfig', 'tufRoot'] as const;

/** `WAYBILL_CONFIG`, else `waybill` below the user's configuration folder. */
export function configDir(env: Env): string {
  if (env['WAYBILL_CONFIG']) return env['WAYBILL_CONFIG'];
  const base = env['XDG_CONFIG_HOME'] || join(env['HOME'] ?? env['USERPROFILE'] ?? '.', '.config');
  return join(base, 'waybill');
}

/** Throws WB-611 when the file is there and has not its form, WB-209 when it cannot be read or is too large. */
export async function readProfiles(folder: string): Promise<TrustProfiles> {
  const path = join(folder, FILE);
  const bytes = await readFileLimitedIfThere(path, limits.trustedRootBytes);
  if (bytes === undefined) return { profiles: new Map() };
  const read: Result<TrustProfiles> = attempt(() => {
    const json = reader(unwrap(parseJson(bytes, { maxBytes: limits.trustedRootBytes })), path);
    if (json.string('schema') !== SCHEMA) throw json.wrong('schema', SCHEMA, json.string('schema'));
    const profiles = json.child('profiles');
    const names = Object.keys(profiles.object);
    const inUse = json.optionalString('use');
    return {
      profiles: new Map(names.map((name) => [name, profileFrom(profiles.child(name))])),
      ...(inUse === undefined ? {} : { inUse }),
    };
  });
  if (read.ok) return read.value;
  throw fail(R.profile, { expected: `${path} as trust profiles`, actual: read.error.actual });
}

function profileFrom(json: JsonReader): TrustProfile {
  const given = fields.map((field) => [field, json.optionalString(field)] as const);
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

/** The profile of a name. Throws WB-611 naming the nearest when there is none. */
export async function profileNamed(folder: string, name: string): Promise<TrustProfile> {
  const { profiles } = await readProfiles(folder);
  return profiles.get(name) ?? unknown(name, profiles);
}

function unknown(name: string, profiles: TrustProfiles['profiles']): never {
  const names = [...profiles.keys()];
  const close = nearestWord(name, names);
  throw fail(R.profile, {
    expected: names.length === 0 ? 'a trust profile' : `one of ${names.join(', ')}`,
    actual: JSON.stringify(name),
    ...(close === undefined ? {} : { hint: `did you mean --trust ${close}?` }),
  });
}

/** Keeps `profile` under `name`, with a copy of each file it names. An existing one is replaced. */
export async function addProfile(
  folder: string,
  name: string,
  profile: TrustProfile,
  cwd: string,
): Promise<TrustProfile> {
  if (!nameForm.test(name)) {
    const expected = 'a name of lower-case letters, digits, dots, dashes and underscores';
    throw fail(R.profile, { expected, actual: JSON.stringify(name) });
  }
  const copied: { -readonly [K in keyof TrustProfile]: TrustProfile[K] } = { ...profile };
  for (const field of kept) {
    const path = profile[field];
    if (path === undefined) continue;
    const bytes = await readFileLimited(resolve(cwd, path), limits.trustedRootBytes);
    // Named by content: the old profile stays whole until the new one is written.
    const copy = join(folder, 'trust', `${name}.${toHex(sha256(bytes)).slice(0, 16)}.json`);
    await writeFileDurable(copy, bytes, { mode: 0o600 });
    copied[field] = copy;
  }
  if (profile.stack !== undefined) copied.stack = resolve(cwd, profile.stack);
  await change(folder, ({ profiles, ...rest }) => ({
    ...rest,
    profiles: new Map([...profiles, [name, copied]]),
  }));
  return copied;
}

/** Forgets a profile; its copies stay in the folder. WB-611 when there is none. */
export function removeProfile(folder: string, name: string): Promise<void> {
  return change(folder, ({ profiles, inUse }) => {
    if (!profiles.has(name)) unknown(name, profiles);
    const rest = new Map([...profiles].filter(([other]) => other !== name));
    return { profiles: rest, ...(inUse === undefined || inUse === name ? {} : { inUse }) };
  });
}

/** Makes a profile the one that is used when nothing else is named; undefined: none. */
export function useProfile(folder: string, name: string | undefined): Promise<void> {
  return change(folder, ({ profiles }) => {
    if (name !== undefined && !profiles.has(name)) unknown(name, profiles);
    return { profiles, ...(name === undefined ? {} : { inUse: name }) };
  });
}

async function change(folder: string, how: (before: TrustProfiles) => TrustProfiles): Promise<void> {
  const { profiles, inUse } = how(await readProfiles(folder));
  const value: JsonObject = {
    schema: SCHEMA,
    ...(inUse === undefined ? {} : { use: inUse }),
    profiles: Object.fromEntries(profiles) as unknown as JsonObject,
  };
  await writeFileDurable(join(folder, FILE), `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o600 });
}
