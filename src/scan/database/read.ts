/**
 * Opens a database: header and indexes are read and checked at once, blocks when they are asked for. Every byte
 * that is believed was compared with the digest.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { equalBytes, fromHex, toHex, utf8Text } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { fail, WaybillError } from '#base/reason';
import { isJsonObject, type JsonObject, own, parseJson } from '#formats/json';
import type { OsvRecord } from '#formats/osv';
import { smallInflater } from '#platform/inflate';
import { foldedName, storedEcosystem, storedName } from '../ecosystems.ts';
import { R } from '../reasons.ts';
import {
  BLOCK_ROW_BYTES,
  contentDigest,
  documentOf,
  hashText,
  MAGIC,
  PREAMBLE_BYTES,
  packageKey,
  type Section,
  type SectionName,
  sectionNames,
} from './format.ts';
import { infoOfHeader } from './info.ts';
import {
  type Advisory,
  type AdvisoryDatabase,
  type AffectedEntry,
  type DatabaseInfo,
  type ExplainedAdvisory,
  SCHEMA_VERSION,
} from './types.ts';
import {
  databaseBytes,
  type StoredAdvisory,
  type StoredEntry,
  type StoredPackage,
  type WriteOptions,
} from './write.ts';

const HEADER_BYTES_MAX = 4 * 1024 * 1024;
/** A block holds one document more than its size allows. */
const BLOCK_BYTES_MAX = 256 * 1024 * 1024;
const BLOCKS_KEPT = 1024;
const DOCUMENTS_KEPT = 2048;
const ENTRIES_SHOWN_MAX = 10_000;

/** Where the bytes are: a file, or memory. */
interface Bytes {
  readonly size: number;
  read(offset: number, length: number): Uint8Array;
  close(): void;
}

/** Opens a database file for reading. WB-870 for anything else. */
export function loadDatabase(path: string): AdvisoryDatabase {
  let bytes: Bytes;
  try {
    bytes = fileBytes(path);
  } catch (error) {
    if (error instanceof WaybillError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw unusable(path, code === 'ENOENT' ? 'no such file' : (code ?? message), error);
  }
  try {
    return new Reader(bytes, path);
  } catch (error) {
    bytes.close();
    throw error;
  }
}

/** A database that lives only as long as the process: for the sample. */
export function memoryDatabase(
  records: readonly OsvRecord[],
  builtMs: number,
  options: Omit<WriteOptions, 'builtMs'> = {},
): AdvisoryDatabase {
  const all = databaseBytes(records, { ...options, builtMs });
  const read = (offset: number, length: number): Uint8Array => all.subarray(offset, offset + length);
  return new Reader({ size: all.length, read, close: () => {} }, 'memory');
}

function fileBytes(path: string): Bytes {
  // A pipe would be waited for.
  const handle = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const read = (offset: number, length: number): Uint8Array => {
    const buffer = Buffer.allocUnsafe(length);
    let done = 0;
    while (done < length) {
      const count = readSync(handle, buffer, done, length - done, offset + done);
      if (count === 0) throw unusable(path, 'it ends early');
      done += count;
    }
    return buffer;
  };
  try {
    const info = fstatSync(handle);
    if (!info.isFile()) throw unusable(path, info.isDirectory() ? 'a folder' : 'no regular file');
    return { size: info.size, read, close: () => closeSync(handle) };
  } catch (error) {
    closeSync(handle);
    throw error;
  }
}

function unusable(path: string, actual: string, cause?: unknown): WaybillError {
  const expected = `${path} as a whole database of schema ${SCHEMA_VERSION}`;
  return fail(R.databaseFile, { expected, actual }, cause);
}

class Reader implements AdvisoryDatabase {
  readonly info: DatabaseInfo;
  readonly #bytes: Bytes;
  readonly #path: string;
  readonly #keys: Uint8Array;
  readonly #loadIds: () => Uint8Array;
  #ids: Uint8Array | undefined;
  readonly #packages: BlockTable;
  readonly #advisories: BlockTable;

  constructor(bytes: Bytes, path: string) {
    this.#bytes = bytes;
    this.#path = path;
    const { header, end } = readHeader(bytes, path);
    const sections = readSections(header, end, bytes.size, path);
    const whole = ({ offset, length }: Section): Uint8Array => bytes.read(offset, length);
    this.#keys = whole(sections.keys);
    const idsHash = String(own(header, 'idsHash'));
    this.#loadIds = () => {
      const ids = whole(sections.ids);
      if (toHex(sha256(ids)) !== idsHash) throw unusable(path, 'the index of ids is damaged');
      return ids;
    };
    const frames = (offset: number, length: number): Uint8Array => {
      if (offset + length > sections.data.length) throw unusable(path, 'a block outside the file');
      return bytes.read(sections.data.offset + offset, length);
    };
    this.#packages = new BlockTable(whole(sections.packages), frames, path);
    this.#advisories = new BlockTable(whole(sections.advisories), frames, path);
    const info = infoOfHeader(header);
    if (info === undefined) throw unusable(path, 'a broken header');
    this.info = info;
    const blockHashes = [...this.#packages.hashes(), ...this.#advisories.hashes()];
    const hashes = { keysHash: sha256(this.#keys), idsHash: hexBytes(idsHash) };
    const digest = contentDigest({ ...hashes, blockHashes });
    if (digest !== this.info.digest) throw unusable(path, `content ${digest}, not ${this.info.digest}`);
  }

  find(ecosystem: string, name: string): readonly AffectedEntry[] {
    const stored = storedEcosystem(ecosystem);
    const wanted = storedName(stored, name);
    const entries: AffectedEntry[] = [];
    for (const number of new Set(numbersOf(this.#keys, hashText(packageKey(stored, wanted))))) {
      const { ecosystem: of, name: its, entries: list } = this.#packages.document<StoredPackage>(number);
      if (of !== stored || (its !== wanted && foldedName(stored, its) !== wanted)) continue;
      for (const one of list) entries.push(new LazyEntry(one, stored, its, this.#advisories));
    }
    return entries;
  }

  explain(id: string): readonly ExplainedAdvisory[] {
    this.#ids ??= this.#loadIds();
    const found = numbersOf(this.#ids, hashText(id)).flatMap((number) => {
      const { packages, ...advisory } = this.#advisories.document<StoredAdvisory>(number);
      const isMeant = [advisory.id, ...advisory.aliases, ...advisory.related].includes(id);
      return isMeant ? [{ advisory, affected: this.#affectedBy(number, packages) }] : [];
    });
    return found.sort((a, b) => (a.advisory.id < b.advisory.id ? -1 : 1));
  }

  #affectedBy(advisory: number, packages: readonly number[]): Omit<AffectedEntry, 'advisory'>[] {
    return packages.slice(0, ENTRIES_SHOWN_MAX).flatMap((number) => {
      const { ecosystem, name, entries } = this.#packages.document<StoredPackage>(number);
      const its = entries.filter((one) => one.advisory === advisory);
      return its.map((one) => ({ ...entryWithout(one), ecosystem, name }));
    });
  }

  close(): void {
    this.#bytes.close();
  }

  get path(): string {
    return this.#path;
  }
}

/** Most entries turn out not to matter: what the advisory itself says is read when it is asked for. */
class LazyEntry implements AffectedEntry {
  readonly ecosystem: string;
  readonly name: string;
  readonly ranges: AffectedEntry['ranges'];
  readonly versions: AffectedEntry['versions'];
  readonly rating: AffectedEntry['rating'];
  readonly state?: Exclude<AffectedEntry['state'], undefined>;
  readonly module?: string;
  readonly architectures?: readonly string[];
  readonly #number: number;
  readonly #advisories: BlockTable;

  constructor(stored: StoredEntry, ecosystem: string, name: string, advisories: BlockTable) {
    this.ecosystem = ecosystem;
    this.name = name;
    this.ranges = stored.ranges;
    this.versions = stored.versions;
    this.rating = stored.rating;
    if (stored.state !== undefined) this.state = stored.state;
    if (stored.module !== undefined) this.module = stored.module;
    if (stored.architectures !== undefined) this.architectures = stored.architectures;
    this.#number = stored.advisory;
    this.#advisories = advisories;
  }

  get advisory(): Advisory {
    return this.#advisories.document<StoredAdvisory>(this.#number);
  }
}

/** Blocks of documents: found by the number of a document, read once, kept while they are among the latest. */
class BlockTable {
  readonly #rows: Uint8Array;
  readonly #view: DataView;
  readonly #frame: (offset: number, length: number) => Uint8Array;
  readonly #path: string;
  readonly #inflate: Inflate = smallInflater(BLOCK_BYTES_MAX);
  readonly #kept = new Map<number, Uint8Array>();
  /** The latest documents, parsed: the versions of one package in an image share theirs. */
  readonly #parsed = new Map<number, unknown>();

  constructor(rows: Uint8Array, frame: (offset: number, length: number) => Uint8Array, path: string) {
    if (rows.length % BLOCK_ROW_BYTES !== 0) throw unusable(path, 'a broken table of blocks');
    this.#rows = rows;
    this.#view = new DataView(rows.buffer, rows.byteOffset, rows.length);
    this.#frame = frame;
    this.#path = path;
  }

  *hashes(): Generator<Uint8Array> {
    for (let at = 0; at < this.#rows.length; at += BLOCK_ROW_BYTES) yield this.#rows.subarray(at, at + 32);
  }

  document<T>(number: number): T {
    const known = this.#parsed.get(number);
    if (known !== undefined) return known as T;
    const row = this.#rowOf(number);
    const first = this.#view.getUint32(row * BLOCK_ROW_BYTES + 40, true);
    const bytes = documentOf(this.#block(row), number - first);
    if (bytes === undefined) throw unusable(this.#path, `no document ${number}`);
    // Compared with the digest above: these are the bytes that were written.
    const document = JSON.parse(utf8Text(bytes)) as T;
    keep(this.#parsed, number, document, DOCUMENTS_KEPT);
    return document;
  }

  /** The last block whose first document is not after `number`. */
  #rowOf(number: number): number {
    let low = 0;
    let high = this.#rows.length / BLOCK_ROW_BYTES - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#view.getUint32(middle * BLOCK_ROW_BYTES + 40, true) <= number) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #block(row: number): Uint8Array {
    const known = this.#kept.get(row);
    if (known !== undefined) return known;
    const at = row * BLOCK_ROW_BYTES;
    if (at + BLOCK_ROW_BYTES > this.#rows.length) throw unusable(this.#path, `no block ${row}`);
    const frame = this.#frame(this.#view.getUint32(at + 32, true), this.#view.getUint32(at + 36, true));
    const plain = plainOf(frame, this.#inflate);
    if (plain === undefined || !equalBytes(sha256(plain), this.#rows.subarray(at, at + 32))) {
      throw unusable(this.#path, `block ${row} is damaged`);
    }
    keep(this.#kept, row, plain, BLOCKS_KEPT);
    return plain;
  }
}

/** What an entry says apart from whose it is. */
const entryWithout = ({
  ranges,
  versions,
  rating,
  state,
  module,
  architectures,
}: StoredEntry): Omit<StoredEntry, 'advisory'> => ({
  ranges,
  versions,
  rating,
  ...(state === undefined ? {} : { state }),
  ...(module === undefined ? {} : { module }),
  ...(architectures === undefined ? {} : { architectures }),
});

/** What is no hex becomes a hash nothing has. */
const hexBytes = (text: string): Uint8Array =>
  /^[0-9a-f]{64}$/.test(text) ? fromHex(text) : new Uint8Array(32);

type Inflate = (frame: Uint8Array) => Uint8Array;

function plainOf(frame: Uint8Array, inflate: Inflate): Uint8Array | undefined {
  try {
    return inflate(frame);
  } catch {
    return undefined;
  }
}

/** The oldest leaves when the map is full. */
function keep<V>(map: Map<number, V>, key: number, value: V, most: number): void {
  if (map.size >= most) map.delete(map.keys().next().value as number);
  map.set(key, value);
}

/** Document numbers under a hash, ascending. */
function numbersOf(index: Uint8Array, hash: number): number[] {
  const view = new DataView(index.buffer, index.byteOffset, index.length);
  const count = Math.floor(index.length / 8);
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (view.getUint32(8 * middle, true) < hash) low = middle + 1;
    else high = middle;
  }
  const found: number[] = [];
  for (; low < count && view.getUint32(8 * low, true) === hash; low++) {
    found.push(view.getUint32(8 * low + 4, true));
  }
  return found;
}

function readHeader(bytes: Bytes, path: string): { readonly header: JsonObject; readonly end: number } {
  if (bytes.size < PREAMBLE_BYTES) throw unusable(path, `${bytes.size} bytes`);
  const preamble = bytes.read(0, PREAMBLE_BYTES);
  if (!equalBytes(preamble.subarray(0, MAGIC.length), MAGIC)) throw unusable(path, 'another kind of file');
  const view = new DataView(preamble.buffer, preamble.byteOffset, preamble.length);
  const version = view.getUint32(12, true);
  if (version !== SCHEMA_VERSION) throw unusable(path, `schema ${version}`);
  const length = view.getUint32(16, true);
  const end = PREAMBLE_BYTES + length;
  if (length > HEADER_BYTES_MAX || end > bytes.size) throw unusable(path, 'it ends early');
  const parsed = parseJson(bytes.read(PREAMBLE_BYTES, length), { maxBytes: HEADER_BYTES_MAX });
  if (!parsed.ok || !isJsonObject(parsed.value)) throw unusable(path, 'a broken header');
  return { header: parsed.value, end };
}

function readSections(
  header: JsonObject,
  end: number,
  size: number,
  path: string,
): Readonly<Record<SectionName, Section>> {
  const given = own(header, 'sections');
  const found: Partial<Record<SectionName, Section>> = {};
  for (const name of sectionNames) {
    const section = isJsonObject(given) ? own(given, name) : undefined;
    const place = isJsonObject(section) ? [own(section, 'offset'), own(section, 'length')] : [];
    const [offset, length] = place.map((one) => (Number.isSafeInteger(one) ? (one as number) : -1));
    const isInside = offset !== undefined && length !== undefined && offset >= 0 && length >= 0;
    if (!isInside || end + offset + length > size) throw unusable(path, 'it ends early');
    found[name] = { offset: end + offset, length };
  }
  return found as Record<SectionName, Section>;
}
