/**
 * A tar walker for streams: bytes are pushed in, entries come out in order, bodies go to a sink only where one
 * is wanted. Reads ustar, PAX, GNU long names and sparse files. Extended headers belong to the next real entry
 * and never to another extended header, so that no reader can be made to see different entries.
 */
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { R } from './reasons.ts';
import {
  BLOCK,
  checkName,
  type EntryKind,
  isZero,
  kindOf,
  malformed,
  nameText,
  parseHeader,
  parsePax,
  paxSize,
  type RawHeader,
} from './tar-header.ts';

export interface TarEntry {
  readonly kind: EntryKind;
  /** As in the archive. */
  readonly name: string;
  /** Target of a hard or symbolic link, else empty. */
  readonly linkName: string;
  readonly mode: number;
  /** Bytes stored in the archive. */
  readonly size: number;
  /** Holes are left out of the body, so it is not the file's content. */
  readonly isSparse: boolean;
}

export interface BodySink {
  /** A part of the body; the memory is only valid during the call. */
  write(chunk: Uint8Array): void;
  end(): void;
  /** Whether nothing more of the body is wanted; asked after each part. */
  isIdle?(): boolean;
}

/** Called for each entry; returns where its body goes, or undefined to skip it. */
export type OnEntry = (entry: TarEntry) => BodySink | undefined;

interface Extensions {
  name?: string;
  linkName?: string;
  size?: number;
  isSparse?: boolean;
}

type State = 'header' | 'body' | 'padding' | 'sparseMap' | 'end';

export class TarWalker {
  readonly #onEntry: OnEntry;
  readonly #block = new Uint8Array(BLOCK);
  #filled = 0;
  #state: State = 'header';
  #left = 0;
  #padding = 0;
  #sink: BodySink | undefined;
  #extensions: Extensions = {};
  #held: { header: RawHeader; isSparse: boolean } | undefined;
  #entries = 0;
  /** Something other than zeros lies behind the end. */
  #isFollowed = false;

  constructor(onEntry: OnEntry) {
    this.#onEntry = onEntry;
  }

  get entries(): number {
    return this.#entries;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      switch (this.#state) {
        case 'header':
        case 'sparseMap':
          at = this.#takeBlock(chunk, at);
          break;
        case 'body':
          at = this.#takeBody(chunk, at);
          break;
        case 'padding': {
          const step = Math.min(this.#left, chunk.length - at);
          at += step;
          this.#left -= step;
          if (this.#left === 0) this.#state = 'header';
          break;
        }
        case 'end':
          this.#isFollowed ||= !isZero(chunk.subarray(at));
          return;
      }
    }
  }

  /**
   * Why this may not be the whole archive, though every entry is: programs that unpack it stop here as well, and
   * what was cut off at this place leaves no other trace.
   */
  get doubt(): string | undefined {
    if (this.#isFollowed) return `after ${this.#entries} entries the archive says it ends, and goes on`;
    const isMarked = this.#state === 'end' || this.#entries === 0;
    return isMarked ? undefined : `the archive stops after ${this.#entries} entries without saying it ends`;
  }

  /** To be called after the last byte; refuses an archive that stops inside an entry. */
  finish(): void {
    const isBetween = this.#state === 'end' || (this.#state === 'header' && this.#filled === 0);
    if (!isBetween) throw malformed('a complete archive', `an end inside a ${this.#state}`);
    if (Object.keys(this.#extensions).length > 0) {
      throw malformed('an entry after an extended header', 'the end of the archive');
    }
  }

  #takeBlock(chunk: Uint8Array, at: number): number {
    const step = Math.min(BLOCK - this.#filled, chunk.length - at);
    // Almost every header lies whole inside a chunk and is read in place.
    const isWhole = step === BLOCK;
    if (!isWhole) this.#block.set(chunk.subarray(at, at + step), this.#filled);
    this.#filled = isWhole ? 0 : (this.#filled + step) % BLOCK;
    if (isWhole || this.#filled === 0) {
      const block = isWhole ? chunk.subarray(at, at + BLOCK) : this.#block;
      if (this.#state === 'header') this.#header(block);
      else this.#sparseBlock(block);
    }
    return at + step;
  }

  #takeBody(chunk: Uint8Array, at: number): number {
    const step = Math.min(this.#left, chunk.length - at);
    if (this.#sink !== undefined) {
      this.#sink.write(chunk.subarray(at, at + step));
      if (this.#sink.isIdle?.() === true) this.#sink = undefined;
    }
    this.#left -= step;
    if (this.#left === 0) this.#endBody();
    return at + step;
  }

  #startBody(size: number, sink: BodySink | undefined): void {
    this.#sink = sink;
    this.#left = size;
    this.#padding = (BLOCK - (size % BLOCK)) % BLOCK;
    this.#state = 'body';
    if (size === 0) this.#endBody();
  }

  #endBody(): void {
    const sink = this.#sink;
    this.#sink = undefined;
    this.#left = this.#padding;
    this.#state = this.#left === 0 ? 'header' : 'padding';
    sink?.end();
  }

  #header(block: Uint8Array): void {
    const header = parseHeader(block);
    if (header === undefined) {
      this.#state = 'end';
      return;
    }
    if (++this.#entries > limits.layerEntries) {
      throw fail(R.layerLimit, { expected: `at most ${limits.layerEntries} entries`, actual: 'more' });
    }
    switch (header.flag) {
      case 'x':
      case 'g':
      case 'L':
      case 'K':
        this.#startBody(header.size, this.#extensionSink(header));
        return;
      case 'S':
        this.#held = { header, isSparse: true };
        if (header.sparseExtended) this.#state = 'sparseMap';
        else this.#emit();
        return;
      default:
        this.#held = { header, isSparse: false };
        this.#emit();
    }
  }

  #sparseBlock(block: Uint8Array): void {
    if (block[504] !== 1) this.#emit();
  }

  #emit(): void {
    const { header, isSparse } = this.#held as { header: RawHeader; isSparse: boolean };
    const extra = this.#extensions;
    this.#held = undefined;
    this.#extensions = {};
    const name = checkName(extra.name ?? header.name);
    // Old archives mark a folder by its name only. The whole name counts: a cut one may end anywhere.
    const kind = header.flag === '0' && name.endsWith('/') ? 'directory' : kindOf(header.flag);
    // Only files have a body; links and folders with a size are read as others read them: without one.
    const size = kind === 'file' ? (extra.size ?? header.size) : 0;
    const entry: TarEntry = {
      kind,
      name,
      linkName: checkName(extra.linkName ?? header.linkName),
      mode: header.mode,
      size,
      isSparse: isSparse || extra.isSparse === true,
    };
    this.#startBody(size, this.#onEntry(entry));
  }

  #extensionSink(header: RawHeader): BodySink {
    if (header.size > limits.tarExtensionBytes) {
      throw fail(R.layerLimit, {
        expected: `an extended header of at most ${limits.tarExtensionBytes} bytes`,
        actual: `${header.size} bytes`,
      });
    }
    const bytes = new Uint8Array(header.size);
    let at = 0;
    return {
      write: (chunk) => {
        bytes.set(chunk, at);
        at += chunk.length;
      },
      end: () => this.#extend(header.flag, bytes),
    };
  }

  #extend(flag: string, bytes: Uint8Array): void {
    if (flag === 'L' || flag === 'K') {
      const end = bytes.indexOf(0);
      const name = nameText(end < 0 ? bytes : bytes.subarray(0, end));
      // A PAX name wins over a GNU one whatever their order.
      if (flag === 'L') this.#extensions.name ??= name;
      else this.#extensions.linkName ??= name;
      return;
    }
    const records = parsePax(bytes);
    if (flag === 'g') {
      for (const key of ['path', 'linkpath', 'size']) {
        if (records.has(key)) throw malformed('a global header without names or sizes', `one with ${key}`);
      }
      return;
    }
    const path = records.get('GNU.sparse.name') ?? records.get('path');
    const link = records.get('linkpath');
    const size = records.get('size');
    if (path !== undefined) this.#extensions.name = path;
    if (link !== undefined) this.#extensions.linkName = link;
    if (size !== undefined) this.#extensions.size = paxSize(size);
    for (const key of records.keys()) if (key.startsWith('GNU.sparse.')) this.#extensions.isSparse = true;
  }
}
