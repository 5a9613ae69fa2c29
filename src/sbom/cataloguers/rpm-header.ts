/** An rpm header as the databases hold it: an index of tags, then their values. Numbers are big-endian. */

export interface RpmPackage {
  readonly name: string;
  readonly epoch?: number;
  readonly version: string;
  readonly release: string;
  readonly arch?: string;
  readonly license?: string;
  readonly sourceRpm?: string;
  readonly vendor?: string;
  readonly summary?: string;
  readonly url?: string;
  readonly modularity?: string;
  /** SHA-256 of the header, in hex. */
  readonly sha256?: string;
  readonly provides: readonly string[];
  readonly requires: readonly string[];
  /** Without a leading slash. */
  readonly files: readonly string[];
}

interface Entry {
  readonly type: number;
  readonly offset: number;
  readonly count: number;
}

const tags = {
  sha256: 273,
  name: 1000,
  version: 1001,
  release: 1002,
  epoch: 1003,
  summary: 1004,
  vendor: 1011,
  license: 1014,
  url: 1020,
  arch: 1022,
  sourceRpm: 1044,
  provides: 1047,
  requires: 1049,
  dirIndexes: 1116,
  baseNames: 1117,
  dirNames: 1118,
  modularity: 5096,
} as const;

const INDEX_BYTES = 16;
const INT32 = 4;
const stringTypes = new Set([6, 8, 9]);
const ENTRIES_MAX = 65_536;
const decoder = new TextDecoder();

/** Reads a header blob. Throws with the reason when it is damaged. */
export function parseRpmHeader(blob: Uint8Array): RpmPackage {
  const header = new Header(blob);
  const name = header.text(tags.name);
  const version = header.text(tags.version);
  const release = header.text(tags.release);
  if (name === undefined || version === undefined || release === undefined) {
    throw new Error('a header without a name, a version and a release');
  }
  const [epoch] = header.numbers(tags.epoch);
  const optional = (key: string, value: string | undefined): object =>
    value === undefined || value === '' || value === '(none)' ? {} : { [key]: value };
  return {
    name,
    version,
    release,
    ...(epoch === undefined ? {} : { epoch }),
    ...optional('arch', header.text(tags.arch)),
    ...optional('license', header.text(tags.license)),
    ...optional('sourceRpm', header.text(tags.sourceRpm)),
    ...optional('vendor', header.text(tags.vendor)),
    ...optional('summary', header.text(tags.summary)),
    ...optional('url', header.text(tags.url)),
    ...optional('modularity', header.text(tags.modularity)),
    ...optional('sha256', header.text(tags.sha256)),
    provides: header.texts(tags.provides),
    requires: header.texts(tags.requires),
    files: header.files(),
  };
}

class Header {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #data: number;
  readonly #entries = new Map<number, Entry>();

  constructor(blob: Uint8Array) {
    this.#view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
    this.#bytes = blob;
    if (blob.length < 8) throw new Error('a header that ends early');
    const count = this.#view.getUint32(0);
    const length = this.#view.getUint32(4);
    this.#data = 8 + count * INDEX_BYTES;
    if (count > ENTRIES_MAX || this.#data + length > blob.length) {
      throw new Error(`a header of ${blob.length} bytes that says it has ${this.#data + length}`);
    }
    for (let i = 0; i < count; i++) {
      const at = 8 + i * INDEX_BYTES;
      const tag = this.#view.getUint32(at);
      const entry = {
        type: this.#view.getUint32(at + 4),
        offset: this.#view.getUint32(at + 8),
        count: this.#view.getUint32(at + 12),
      };
      if (!this.#entries.has(tag) && entry.offset <= length) this.#entries.set(tag, entry);
    }
  }

  text(tag: number): string | undefined {
    return this.texts(tag, 1)[0];
  }

  texts(tag: number, most = Number.POSITIVE_INFINITY): string[] {
    const entry = this.#entries.get(tag);
    if (entry === undefined || !stringTypes.has(entry.type)) return [];
    const found: string[] = [];
    let at = this.#data + entry.offset;
    for (let i = 0; i < Math.min(entry.count, most); i++) {
      const end = this.#bytes.indexOf(0, at);
      if (end < 0) throw new Error('a text without an end');
      found.push(decoder.decode(this.#bytes.subarray(at, end)));
      at = end + 1;
    }
    return found;
  }

  numbers(tag: number): number[] {
    const entry = this.#entries.get(tag);
    if (entry === undefined || entry.type !== INT32) return [];
    const start = this.#data + entry.offset;
    if (start + entry.count * 4 > this.#bytes.length) throw new Error('a list of numbers without an end');
    return Array.from({ length: entry.count }, (_, i) => this.#view.getUint32(start + i * 4));
  }

  files(): string[] {
    const folders = this.texts(tags.dirNames);
    const indexes = this.numbers(tags.dirIndexes);
    return this.texts(tags.baseNames).map((base, i) => {
      const folder = folders[indexes[i] ?? -1] ?? '/';
      return `${folder}${base}`.replace(/^\/+/, '');
    });
  }
}
