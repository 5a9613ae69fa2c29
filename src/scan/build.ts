/**
 * Sources → database file: OSV records in JSON files, folders, zip archives and JSON lines, feeds of distributions,
 * lists of exploited vulnerabilities and of EPSS scores; all of them also compressed. A record that cannot be used
 * is counted and named; the file appears whole or not at all.
 */
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { pipeline, Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { concat, utf8Text } from '#base/bytes';
import { limits } from '#base/limits';
import { fail, WaybillError } from '#base/reason';
import type { OsvRecord } from '#formats/osv';
import { cutFrames } from '#formats/zstd-frames';
import { writeFileDurable } from '#platform/files';
import { type DatabaseInfo, databaseBytes, type Enrichment, loadDatabase } from './database/index.ts';
import { R } from './reasons.ts';
import { Collector, type SkippedRecord } from './sources/collector.ts';

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
  readonly enrichment: Enrichment;
  readonly sources: DatabaseInfo['sources'];
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
  const { enrichment, records } = loaded;
  await writeFileDurable(out, databaseBytes(records, { ...options, enrichment, sources: loaded.sources }));
  const database = loadDatabase(out);
  database.close();
  return {
    info: database.info,
    withdrawn: loaded.withdrawn,
    notSecurity: loaded.notSecurity,
    skipped: loaded.skipped.length,
    skippedExamples: loaded.skipped.slice(0, EXAMPLES),
  };
}

/** All usable records of the sources; of an id given twice the newer `modified` counts. */
export async function loadRecords(sources: readonly string[]): Promise<LoadedRecords> {
  const collector = new Collector();
  for (const source of sources) await readSource(source, collector);
  const { withdrawn, notSecurity, skipped, epss, knownExploited } = collector;
  return {
    records: [...collector.records.values()],
    enrichment: { epss, knownExploited },
    sources: collector.sources,
    withdrawn,
    notSecurity,
    skipped,
  };
}

async function readSource(source: string, collector: Collector): Promise<void> {
  // Only the last part of the path: a database names no folder of the machine it was built on.
  collector.startSource(basename(source));
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

const readable = /\.(?:json|jsonl|ndjson|zip|csv|xml)(?:\.zst|\.gz)?$/;

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
    // Readers with a library of their own are loaded only where a source needs them.
    const { readZip } = await import('./sources/zip.ts');
    await readZip(path, (name, bytes) => {
      if (name.endsWith('.json')) collector.text(bytes, `${path}:${name}`);
    });
  } else if (/\.(?:jsonl|ndjson)$/.test(bare)) {
    await readLines(path, collector);
  } else {
    const bytes = await readWhole(path);
    if (bare.endsWith('.xml')) {
      const { readOval } = await import('./sources/oval.ts');
      collector.found(readOval(utf8Text(bytes)), path);
    } else if (bare.endsWith('.csv')) collector.csv(utf8Text(bytes), path);
    else collector.text(bytes, path);
  }
}

async function readWhole(path: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bounded(openStream(path))) chunks.push(chunk);
  return concat(...chunks);
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
