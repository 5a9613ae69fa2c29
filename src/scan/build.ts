/**
 * Sources → database file: OSV records in JSON files, folders, zip archives and JSON lines, also compressed. A
 * record that cannot be used is counted and named; the file appears whole or not at all.
 */
import { createReadStream } from 'node:fs';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pipeline, Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { limits } from '#base/limits';
import { fail, WaybillError } from '#base/reason';
import { isJsonObject, type JsonValue, parseJson } from '#formats/json';
import { type OsvRecord, parseOsv } from '#formats/osv';
import { cutFrames } from '#formats/zstd-frames';
import { readFileLimited } from '#platform/files';
import { openDatabase } from '#platform/sqlite';
import { type DatabaseInfo, writeDatabase } from './database.ts';
import { R } from './reasons.ts';
import { readZip } from './zip.ts';

export interface SkippedRecord {
  /** Source, with the entry or line. */
  readonly where: string;
  readonly reason: string;
}

export interface BuildReport {
  readonly info: DatabaseInfo;
  readonly withdrawn: number;
  /** Bug fixes, enhancements, notices about maintenance. */
  readonly notSecurity: number;
  /** How many, and the first of them. */
  readonly skipped: number;
  readonly skippedExamples: readonly SkippedRecord[];
}

export interface LoadedRecords {
  readonly records: readonly OsvRecord[];
  readonly withdrawn: number;
  readonly notSecurity: number;
  readonly skipped: readonly SkippedRecord[];
}

const EXAMPLES = 20;

/** Builds the database file at `out`. Throws WB-871 for a source that cannot be read, WB-872 for no records. */
export async function buildDatabase(
  sources: readonly string[],
  out: string,
  options: { readonly builtMs: number },
): Promise<BuildReport> {
  const loaded = await loadRecords(sources);
  if (loaded.records.length === 0) {
    const example = loaded.skipped[0];
    const actual = example === undefined ? 'none' : `${loaded.skipped.length} unusable; ${example.reason}`;
    throw fail(R.databaseEmpty, { expected: `advisories in ${sources.join(', ')}`, actual });
  }
  const temporary = `${out}.${process.pid}.tmp`;
  try {
    await rm(temporary, { force: true });
    const database = openDatabase(temporary, { mode: 'fast' });
    let info: DatabaseInfo;
    try {
      info = writeDatabase(database, loaded.records, options.builtMs);
      database.exec('PRAGMA journal_mode = DELETE; VACUUM');
    } finally {
      database.close();
    }
    await rename(temporary, out);
    return {
      info,
      withdrawn: loaded.withdrawn,
      notSecurity: loaded.notSecurity,
      skipped: loaded.skipped.length,
      skippedExamples: loaded.skipped.slice(0, EXAMPLES),
    };
  } finally {
    for (const suffix of ['', '-wal', '-shm']) await rm(`${temporary}${suffix}`, { force: true });
  }
}

/** All usable records of the sources; of an id given twice the newer `modified` counts. */
export async function loadRecords(sources: readonly string[]): Promise<LoadedRecords> {
  const collector = new Collector();
  for (const source of sources) await readSource(source, collector);
  return {
    records: [...collector.records.values()],
    withdrawn: collector.withdrawn,
    notSecurity: collector.notSecurity,
    skipped: collector.skipped,
  };
}

class Collector {
  readonly records = new Map<string, OsvRecord>();
  readonly skipped: SkippedRecord[] = [];
  withdrawn = 0;
  notSecurity = 0;

  /** One JSON text: a record, or a list of records. */
  text(text: string | Uint8Array, where: string): void {
    const parsed = parseJson(text, { maxBytes: limits.osvSourceBytes });
    if (!parsed.ok) this.skip(where, `${parsed.error.expected}: ${parsed.error.actual}`);
    else if (Array.isArray(parsed.value)) for (const one of parsed.value) this.value(one, where);
    else this.value(parsed.value, where);
  }

  value(value: JsonValue, where: string): void {
    const record = isJsonObject(value) ? parseOsv(value) : undefined;
    if (record === undefined) this.skip(where, 'not a JSON object');
    else if (!record.ok) this.skip(where, `${record.error.check}: ${record.error.expected}`);
    else if (record.value.withdrawn !== undefined) this.withdrawn++;
    else this.#add(securityOnly(record.value));
  }

  #add(record: OsvRecord | undefined): void {
    if (record === undefined) {
      this.notSecurity++;
      return;
    }
    const known = this.records.get(record.id);
    if (known === undefined || (known.modified ?? '') <= (record.modified ?? '')) {
      this.records.set(record.id, record);
    }
  }

  skip(where: string, reason: string): void {
    this.skipped.push({ where, reason });
  }
}

/** Some sources also list bug fixes and unmaintained packages: undefined when nothing else is left. */
function securityOnly(record: OsvRecord): OsvRecord | undefined {
  if (/^AL[BE]A-/.test(record.id)) return undefined;
  const affected = record.affected.filter((one) => {
    const kind = one.databaseSpecific['informational'];
    return kind !== 'unmaintained' && kind !== 'notice';
  });
  if (affected.length === 0 && record.affected.length > 0) return undefined;
  return { ...record, affected };
}

async function readSource(source: string, collector: Collector): Promise<void> {
  try {
    const facts = await stat(source);
    if (facts.isDirectory()) return await readFolder(source, collector);
    await readFile(source, collector);
  } catch (error) {
    if (error instanceof WaybillError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw fail(R.databaseSource, { expected: `advisories at ${source}`, actual: code ?? message }, error);
  }
}

const readable = /\.(?:json|jsonl|ndjson|zip)(?:\.zst|\.gz)?$/;

async function readFolder(folder: string, collector: Collector): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && readable.test(entry.name));
  for (const path of files.map((entry) => join(entry.parentPath, entry.name)).sort()) {
    await readFile(path, collector);
  }
}

async function readFile(path: string, collector: Collector): Promise<void> {
  const bare = path.replace(/\.(?:zst|gz)$/, '');
  if (bare.endsWith('.zip')) {
    await readZip(path, (name, bytes) => {
      if (name.endsWith('.json')) collector.text(bytes, `${path}:${name}`);
    });
  } else if (/\.(?:jsonl|ndjson)$/.test(bare)) {
    await readLines(path, collector);
  } else if (bare === path) {
    collector.text(await readFileLimited(path, limits.osvSourceBytes), path);
  } else {
    const chunks: Uint8Array[] = [];
    for await (const chunk of bounded(openStream(path))) chunks.push(chunk);
    collector.text(Buffer.concat(chunks), path);
  }
}

async function readLines(path: string, collector: Collector): Promise<void> {
  let number = 0;
  for await (const line of linesOf(openStream(path))) {
    number++;
    if (line.trim() !== '') collector.text(line, `${path}:${number}`);
  }
}

async function* linesOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  yield* createInterface({ input: Readable.from(bounded(stream)), crlfDelay: Number.POSITIVE_INFINITY });
}

/** The decompressed bytes of a file; an archive that is cut short or damaged throws. */
function openStream(path: string): AsyncIterable<Uint8Array> {
  const file = createReadStream(path);
  if (!/\.(?:zst|gz)$/.test(path)) return file;
  const isZstd = path.endsWith('.zst');
  const source = isZstd ? Readable.from(cutFrames(file)) : file;
  const decoder = isZstd ? createZstdDecompress() : createGunzip();
  // An error of the source reaches the reader through the decoder.
  pipeline(source, decoder, () => {});
  return decoder;
}

async function* bounded(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes > limits.osvSourceBytes) {
      throw fail(R.databaseSource, { expected: `at most ${limits.osvSourceBytes} bytes`, actual: 'more' });
    }
    yield chunk;
  }
}
