/**
 * What a station's data directory says about itself: which station, in which form, with which keys, and the latest
 * time it knows. A start that contradicts it is refused before anything is signed.
 */
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { toHex, utf8Text } from '#base/bytes';
import { type Clock, rfc3339 } from '#base/clock';
import { type PublicKey, type Signer, sha256 } from '#base/crypto';
import { fail } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import type { Secret } from '#base/secret';
import { parseJson, reader } from '#formats/json';
import { readFileIfThere, writeFileDurable } from '#platform/files';
import { fileKeyStore, type KeyStore } from '#platform/key-store';
import { R } from './reasons.ts';

const FILE = 'station.json';
const SEEN_FILE = 'seen';
const SCHEMA = 'waybill.dev/station/v1';
/** As logs allow it (tlog: CLOCK_STEP_BACK_MS_MAX), and a minute for a clock that is set by hand at a start. */
export const STEP_BACK_MS_MAX = 2000;

export interface StationRecord {
  readonly station: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** SHA-256 of the SubjectPublicKeyInfo, hex, by the name of the key. */
  readonly keys: Readonly<Record<string, string>>;
  /** Of a log in a folder: where its checkpoint lock is kept. */
  readonly lockFile?: string;
}

/** Throws WB-1214 for another station or version, WB-1202 for a file that cannot be read. */
export async function readRecord(dataDir: string, station: string): Promise<StationRecord | undefined> {
  const path = join(dataDir, FILE);
  const bytes = await readFileIfThere(path);
  if (bytes === undefined) return undefined;
  const read = attempt(() => {
    const json = reader(unwrap(parseJson(bytes)), path, { as: R.dataDir });
    const keys = json.child('keys');
    const lockFile = json.optionalString('lockFile');
    return {
      schema: json.string('schema'),
      station: json.string('station'),
      createdAt: json.integer('createdAt'),
      keys: Object.fromEntries(Object.keys(keys.object).map((name) => [name, keys.string(name)])),
      ...(lockFile === undefined ? {} : { lockFile }),
    };
  });
  if (!read.ok) throw fail(R.dataDir, { expected: `${path} of this version`, actual: read.error.check });
  const { schema, ...record } = read.value;
  if (schema !== SCHEMA) throw fail(R.dataDir, { expected: `${path} in form ${SCHEMA}`, actual: schema });
  if (record.station !== station) {
    throw fail(R.dataDir, { expected: `the data of ${station}`, actual: `the data of ${record.station}` });
  }
  return record;
}

export function writeRecord(dataDir: string, record: StationRecord): Promise<void> {
  const text = JSON.stringify({ schema: SCHEMA, ...record }, undefined, 2);
  return writeFileDurable(join(dataDir, FILE), `${text}\n`, { mode: 0o600 });
}

/** Throws WB-1214 for a folder that somebody else owns or may write to. */
export async function requireOwnFolder(dataDir: string): Promise<void> {
  const { uid, mode } = await lstat(dataDir);
  const self = process.getuid?.();
  if (self !== undefined && uid !== self) {
    throw fail(R.dataDir, { expected: `${dataDir} to belong to uid ${self}`, actual: `uid ${uid}` });
  }
  if (process.platform !== 'win32' && (mode & 0o022) !== 0) {
    const actual = `mode 0${(mode & 0o777).toString(8)}`;
    throw fail(R.dataDir, { expected: `${dataDir} closed to other writers (chmod go-w)`, actual });
  }
}

export const fingerprint = (key: PublicKey): string => toHex(sha256(key.spki));

export interface WatchedKeys {
  readonly store: KeyStore;
  /** Every key that was opened, by name. */
  readonly opened: ReadonlyMap<string, PublicKey>;
  /** Names of those that lie elsewhere. */
  readonly elsewhere: ReadonlySet<string>;
  /** One that lies elsewhere: as one that was opened here. Throws WB-1213. */
  note(name: string, key: PublicKey): void;
}

/**
 * The keys of a station. At the first start, without `known`, they are made; later one that is missing or another
 * than before is refused (WB-1213), and so is a certificate that is missing: a fresh one would sign what nobody can
 * verify. `known` has the SHA-256 of each as it was published.
 */
export function watchedKeys(
  dir: string,
  known: StationRecord['keys'] | undefined,
  passphrase?: Secret,
): WatchedKeys {
  const files = fileKeyStore(dir, passphrase);
  const opened = new Map<string, PublicKey>();
  const elsewhere = new Set<string>();
  const note = (name: string, key: PublicKey | undefined, where: string): void => {
    const wanted = known?.[name];
    const found = key === undefined ? undefined : fingerprint(key);
    if (wanted !== undefined && found !== wanted) {
      const expected = `key ${name} ${where} with SHA-256 ${wanted}, as it was published`;
      throw fail(R.otherKey, { expected, actual: found ?? 'no such key' });
    }
    if (key !== undefined) opened.set(name, key);
  };
  const checked = (name: string, signer: Signer | undefined): Signer | undefined => {
    note(name, signer?.publicKey, `in ${dir}`);
    return signer;
  };
  const refuseAnother = (what: string): void => {
    if (known === undefined) return;
    throw fail(R.otherKey, { expected: `${what} in ${dir}, as it was published`, actual: 'no such file' });
  };
  const findKey: KeyStore['findKey'] = async (name) => checked(name, await files.findKey(name));
  return {
    opened,
    elsewhere,
    note: (name, key) => {
      note(name, key, 'of the program that holds it');
      elsewhere.add(name);
    },
    store: {
      ...files,
      findKey,
      openKey: async (name, kind) => {
        const kept = await findKey(name);
        if (kept !== undefined) return kept;
        refuseAnother(`key ${name}`);
        return checked(name, await files.openKey(name, kind)) as Signer;
      },
      write: async (name, data) => {
        if ((await files.read(name)) === undefined) refuseAnother(name);
        await files.write(name, data);
      },
    },
  };
}

/** Notices a clock that went back, over restarts too. */
export class TimeWatch {
  readonly #path: string;
  readonly #clock: Clock;
  #seen: number;

  private constructor(path: string, clock: Clock, seen: number) {
    this.#path = path;
    this.#clock = clock;
    this.#seen = seen;
  }

  /** Throws WB-1215. */
  static async open(dataDir: string, clock: Clock): Promise<TimeWatch> {
    const path = join(dataDir, SEEN_FILE);
    const bytes = await readFileIfThere(path);
    const seen = bytes === undefined ? 0 : Date.parse(utf8Text(bytes).trim());
    if (Number.isNaN(seen)) throw fail(R.dataDir, { expected: `a time in ${path}`, actual: 'another text' });
    const watch = new TimeWatch(path, clock, seen);
    watch.look();
    return watch;
  }

  /** Throws WB-1215 when the time is before one that was seen. */
  look(): void {
    const now = this.#clock.now();
    if (now < this.#seen - STEP_BACK_MS_MAX) {
      const expected = `a time not before ${rfc3339(this.#seen)}, when this station last ran`;
      throw fail(R.clock, { expected, actual: rfc3339(now) });
    }
    this.#seen = Math.max(this.#seen, now);
  }

  /** Makes what was seen durable. */
  keep(): Promise<void> {
    return writeFileDurable(this.#path, `${rfc3339(this.#seen)}\n`);
  }
}
