/** Records → the bytes of a database. Equal records give equal documents, whatever order they came in. */
import { deflateRawSync } from 'node:zlib';
import { concat, toHex, utf8 } from '#base/bytes';
import { sha256 } from '#base/crypto';
import type { OsvAffected, OsvRecord } from '#formats/osv';
import { foldedName, storedEcosystem, storedName } from '../ecosystems.ts';
import { evaluate } from '../range.ts';
import { rate } from '../severity.ts';
import {
  BLOCK_BYTES,
  BLOCK_ROW_BYTES,
  blockOf,
  contentDigest,
  hashText,
  MAGIC,
  PREAMBLE_BYTES,
  packageKey,
  type Section,
  type SectionName,
} from './format.ts';
import {
  type Advisory,
  type AffectedEntry,
  type DatabaseSource,
  type Epss,
  type KnownExploited,
  SAMPLE_SOURCE,
  SCHEMA_VERSION,
} from './types.ts';

export interface Enrichment {
  /** By CVE id. */
  readonly epss: ReadonlyMap<string, Epss>;
  readonly knownExploited: ReadonlyMap<string, KnownExploited>;
}

export interface WriteOptions {
  /** Milliseconds. */
  readonly builtMs: number;
  readonly sources?: readonly DatabaseSource[];
  readonly enrichment?: Enrichment;
}

/** An entry as it is stored: the advisory by its number. */
export type StoredEntry = Omit<AffectedEntry, 'advisory' | 'ecosystem' | 'name'> & {
  readonly advisory: number;
};

export interface StoredPackage {
  readonly ecosystem: string;
  readonly name: string;
  readonly entries: readonly StoredEntry[];
}

/** An advisory as it is stored: with the numbers of the packages it is about. */
export type StoredAdvisory = Advisory & { readonly packages: readonly number[] };

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const isSample = (record: OsvRecord): boolean => record.databaseSpecific['source'] === SAMPLE_SOURCE;

/** Withdrawn records must be gone already; of equal ids the last given counts. */
export function databaseBytes(records: readonly OsvRecord[], options: WriteOptions): Uint8Array {
  const sorted = [...new Map(records.map((record) => [record.id, record])).values()].sort((a, b) =>
    compareText(a.id, b.id),
  );
  const drafts = packagesOf(sorted);
  const order = byPackage(drafts, sorted.length);
  const advisoryNumber = inverse(order);
  const packages = drafts.map(({ ecosystem, name, entries }): StoredPackage => {
    const numbered = entries.map((one) => ({ ...one, advisory: advisoryNumber[one.advisory] as number }));
    return { ecosystem, name, entries: numbered };
  });
  const numbers = new Map(packages.map((one, i) => [packageKey(one.ecosystem, one.name), i]));
  const ordered = order.map((at) => sorted[at] as OsvRecord);
  const advisories = ordered.map((record) => advisoryOf(record, numbers, options.enrichment));
  const keys = indexOf(
    packages.flatMap(({ ecosystem, name }, number) =>
      [...new Set([name, foldedName(ecosystem, name)])].map(
        (one) => [hashText(packageKey(ecosystem, one)), number] as const,
      ),
    ),
  );
  const ids = indexOf(
    advisories.flatMap((one, i) =>
      [...new Set([one.id, ...one.aliases, ...one.related])].map((id) => [hashText(id), i] as const),
    ),
  );
  const data = new BlockWriter();
  const packageBlocks = data.add(packages);
  const advisoryBlocks = data.add(advisories);
  const idsHash = sha256(ids);
  const digest = contentDigest({ keysHash: sha256(keys), idsHash, blockHashes: data.hashes });
  const info = { ...infoOf(sorted, packages, options), digest, idsHash: toHex(idsHash) };
  return assemble({ keys, ids, packages: packageBlocks, advisories: advisoryBlocks }, data.frames, info);
}

function infoOf(
  records: readonly OsvRecord[],
  packages: readonly StoredPackage[],
  { builtMs, sources = [], enrichment }: WriteOptions,
): object {
  const ecosystems = new Map<string, number>();
  for (const { ecosystem, entries } of packages) {
    ecosystems.set(ecosystem, (ecosystems.get(ecosystem) ?? 0) + entries.length);
  }
  const newest = records.reduce((latest, { modified = '' }) => (modified > latest ? modified : latest), '');
  return {
    schemaVersion: SCHEMA_VERSION,
    builtMs,
    ...(newest === '' ? {} : { newest }),
    records: records.length,
    sampleRecords: records.filter(isSample).length,
    ecosystems: Object.fromEntries([...ecosystems].sort(([a], [b]) => compareText(a, b))),
    sources: [...sources],
    epss: enrichment?.epss.size ?? 0,
    knownExploited: enrichment?.knownExploited.size ?? 0,
  };
}

/**
 * The places of records in the order in which packages name them first: what is read together for a package lies
 * together.
 */
function byPackage(packages: readonly StoredPackage[], count: number): readonly number[] {
  const order = new Set<number>();
  for (const { entries } of packages) for (const { advisory } of entries) order.add(advisory);
  for (let at = 0; at < count; at++) order.add(at);
  return [...order];
}

function inverse(order: readonly number[]): readonly number[] {
  const places = new Array<number>(order.length);
  order.forEach((from, to) => {
    places[from] = to;
  });
  return places;
}

/** Entries in the order of their records. Sorted by ecosystem and name, so that blocks hold what compresses well together. */
function packagesOf(records: readonly OsvRecord[]): StoredPackage[] {
  const found = new Map<string, { ecosystem: string; name: string; entries: StoredEntry[] }>();
  records.forEach((record, advisory) => {
    for (const affected of record.affected) {
      const ecosystem = storedEcosystem(affected.ecosystem);
      const name = storedName(ecosystem, affected.name);
      const key = packageKey(ecosystem, name);
      const known = found.get(key) ?? { ecosystem, name, entries: [] };
      known.entries.push(entryOf(record, affected, advisory));
      found.set(key, known);
    }
  });
  return [...found]
    .sort(([a], [b]) => compareText(a, b))
    .map(([, one]) => ({ ...one, entries: one.entries.sort((a, b) => a.advisory - b.advisory) }));
}

function entryOf(record: OsvRecord, affected: OsvAffected, advisory: number): StoredEntry {
  const { state, module, architectures } = affected;
  const ranges = affected.ranges.filter((range) => range.type !== 'GIT');
  const ecosystem = storedEcosystem(affected.ecosystem);
  // Lists and ranges are a union: what a range covers need not be listed as well.
  const isOnlyListed = (version: string): boolean =>
    evaluate(version, ecosystem, ranges, []).affected !== 'yes';
  return {
    advisory,
    ranges,
    versions: ranges.length === 0 ? affected.versions : affected.versions.filter(isOnlyListed),
    rating: rate(record, affected),
    ...(state === undefined ? {} : { state }),
    ...(module === undefined ? {} : { module }),
    ...(architectures === undefined ? {} : { architectures }),
  };
}

function advisoryOf(
  record: OsvRecord,
  numbers: ReadonlyMap<string, number>,
  enrichment: Enrichment | undefined,
): StoredAdvisory {
  const aliases = new Set([...record.aliases, ...record.upstream]);
  aliases.delete(record.id);
  const ids = [record.id, ...aliases, ...record.related];
  const epss = ids.map((id) => enrichment?.epss.get(id)).find((one) => one !== undefined);
  const exploited = ids.map((id) => enrichment?.knownExploited.get(id)).find((one) => one !== undefined);
  const packages = record.affected.map((one) => {
    const ecosystem = storedEcosystem(one.ecosystem);
    return numbers.get(packageKey(ecosystem, storedName(ecosystem, one.name))) as number;
  });
  return {
    id: record.id,
    aliases: [...aliases].sort(),
    related: record.related.filter((id) => id !== record.id && !aliases.has(id)).toSorted(),
    summary: record.summary,
    ...(record.published === undefined ? {} : { published: record.published }),
    ...(record.modified === undefined ? {} : { modified: record.modified }),
    isSample: isSample(record),
    cwes: record.cwes,
    references: record.references,
    ...(epss === undefined ? {} : { epss }),
    ...(exploited === undefined ? {} : { knownExploited: exploited }),
    packages: [...new Set(packages)].sort((a, b) => a - b),
  };
}

/** Pairs of hash and document number, sorted. */
function indexOf(pairs: readonly (readonly [number, number])[]): Uint8Array {
  const sorted = pairs.toSorted((a, b) => a[0] - b[0] || a[1] - b[1]);
  const words = new DataView(new ArrayBuffer(8 * sorted.length));
  sorted.forEach(([hash, number], i) => {
    words.setUint32(8 * i, hash, true);
    words.setUint32(8 * i + 4, number, true);
  });
  return new Uint8Array(words.buffer);
}

class BlockWriter {
  readonly frames: Uint8Array[] = [];
  readonly hashes: Uint8Array[] = [];
  #end = 0;

  /** Adds documents in their order; the rows of the blocks they went to. */
  add(documents: readonly object[]): Uint8Array {
    const rows: Uint8Array[] = [];
    let waiting: Uint8Array[] = [];
    let bytes = 0;
    let first = 0;
    documents.forEach((document, i) => {
      const text = utf8(JSON.stringify(document));
      waiting.push(text);
      bytes += text.length;
      if (bytes < BLOCK_BYTES && i + 1 < documents.length) return;
      rows.push(this.#flush(waiting, first));
      waiting = [];
      bytes = 0;
      first = i + 1;
    });
    return concat(...rows);
  }

  #flush(documents: readonly Uint8Array[], first: number): Uint8Array {
    const plain = blockOf(documents);
    const hash = sha256(plain);
    const frame = deflateRawSync(plain, { level: 9 });
    const row = new Uint8Array(BLOCK_ROW_BYTES);
    row.set(hash);
    const view = new DataView(row.buffer);
    view.setUint32(32, this.#end, true);
    view.setUint32(36, frame.length, true);
    view.setUint32(40, first, true);
    this.frames.push(frame);
    this.hashes.push(hash);
    this.#end += frame.length;
    return row;
  }
}

function assemble(
  indexes: Readonly<Record<Exclude<SectionName, 'data'>, Uint8Array>>,
  frames: readonly Uint8Array[],
  info: object,
): Uint8Array {
  const sections: Partial<Record<SectionName, Section>> = {};
  let offset = 0;
  // Places are relative to the end of the header, which would otherwise depend on itself.
  for (const name of ['keys', 'ids', 'packages', 'advisories'] as const) {
    sections[name] = { offset, length: indexes[name].length };
    offset += indexes[name].length;
  }
  sections.data = { offset, length: frames.reduce((sum, one) => sum + one.length, 0) };
  const header = utf8(JSON.stringify({ ...info, sections }));
  const preamble = new Uint8Array(PREAMBLE_BYTES);
  preamble.set(MAGIC);
  const view = new DataView(preamble.buffer);
  view.setUint32(12, SCHEMA_VERSION, true);
  view.setUint32(16, header.length, true);
  const { keys, ids, packages, advisories } = indexes;
  return concat(preamble, header, keys, ids, packages, advisories, ...frames);
}
