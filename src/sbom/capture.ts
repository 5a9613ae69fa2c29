/** Decides for each file of a layer what is kept of it, and keeps it within the limits. */
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { LOG_FINDING, logMark, withLog } from './cataloguers/wal.ts';
import { HeldMemory, roomBytes } from './held.ts';
import type { PathMatcher } from './match.ts';
import { baseOf, cleanPath } from './paths.ts';
import { leastBytes, PROGRAM_START_BYTES } from './program-end.ts';
import { R } from './reasons.ts';
import type { RecordWriter } from './record.ts';
import type { BodySink, OnEntry, TarEntry } from './tar.ts';
import type { Cataloguer, StreamScan } from './types.ts';

const HEAD_BYTES = 64;
/** Of memory that is used again. */
const ROOM_BYTES_MAX = 8 * 1024 * 1024;

interface Running {
  readonly cataloguer: Cataloguer;
  readonly scan: StreamScan;
}

export interface CaptureOptions {
  readonly cataloguers: readonly Cataloguer[];
  readonly matcher: PathMatcher<Cataloguer>;
  readonly again?: Again;
  /** What this thread holds; default: counted for itself. */
  readonly memory?: HeldMemory;
}

/** Cleaned names of what a first reading of a layer showed to need a second one. */
export interface Again {
  /** Kept although no rule names them: links of lower layers lead there. */
  readonly files: ReadonlySet<string>;
  /** Looked at whole. */
  readonly programs: ReadonlySet<string>;
  /** Databases with what `packLog` made of the logs beside them. */
  readonly logs?: ReadonlyMap<string, Uint8Array>;
}

/** Keeps what cataloguers want of one layer. Knows nothing of other layers, so layers can be read in any order. */
export class Capture {
  readonly #options: CaptureOptions;
  readonly #record: RecordWriter;
  readonly #scanning: readonly Cataloguer[];
  readonly #memory: HeldMemory;
  #bytesLeft: number = limits.capturedBytes;
  #room = new Uint8Array();

  constructor(options: CaptureOptions, record: RecordWriter) {
    this.#options = options;
    this.#record = record;
    this.#memory = options.memory ?? new HeldMemory();
    this.#scanning = options.cataloguers.filter((one) => one.scanner !== undefined);
  }

  get onEntry(): OnEntry {
    return (entry) => {
      const path = cleanPath(entry.name);
      const event = this.#record.add(entry.kind, path, entry.linkName);
      if (entry.kind !== 'file') return undefined;
      const wantedBy =
        this.#options.matcher.find(path) ?? (this.#options.again?.files.has(path) ? otherName : undefined);
      if (wantedBy !== undefined) return this.#whole(entry, event, wantedBy);
      if (!entry.isSparse) return this.#scan(entry, event, path);
      if ((entry.mode & 0o111) !== 0) {
        this.#record.problem(event, 'binary', 'a sparse program; its content was not read');
      }
      return undefined;
    };
  }

  #whole(
    entry: TarEntry,
    event: number,
    wantedBy: Pick<Cataloguer, 'name' | 'extractor' | 'condense'>,
  ): BodySink | undefined {
    const { extractor } = wantedBy;
    const most = extractor === undefined ? limits.capturedFileBytes : limits.extractedFileBytes;
    if (entry.isSparse || entry.size > most) {
      const reason = entry.isSparse
        ? 'a sparse file; its content was not read'
        : `${entry.size} bytes; at most ${most} are read`;
      this.#record.problem(event, wantedBy.name, reason);
      return undefined;
    }
    if (extractor === undefined) this.#spend(entry.size);
    const bytes = extractor === undefined ? new Uint8Array(entry.size) : this.#roomFor(entry.size);
    let at = 0;
    return {
      write: (chunk) => {
        bytes.set(chunk, at);
        at += chunk.length;
      },
      end: () => {
        if (extractor === undefined) {
          this.#record.keep(event, wantedBy.condense?.(bytes, baseOf(entry.name)) ?? bytes);
          return;
        }
        const findings = new Map<string, Uint8Array>();
        const log = this.#options.again?.logs?.get(cleanPath(entry.name));
        const whole = log === undefined ? bytes : this.#logged(wantedBy, event, bytes, log);
        this.#extract(wantedBy, event, whole, baseOf(entry.name), findings);
        if (log !== undefined && findings.size > 0) findings.set(LOG_FINDING, logMark(log));
        this.#giveBack(bytes);
        // What could not be read is a problem already; a hard link to it has to say so as well.
        if (findings.size > 0) this.#record.keep(event, new Uint8Array(), findings);
      },
    };
  }

  /** The database as it is where its log cannot be put into it. */
  #logged({ name }: Pick<Cataloguer, 'name'>, event: number, bytes: Uint8Array, log: Uint8Array): Uint8Array {
    try {
      return withLog(bytes, log);
    } catch (error) {
      this.#record.problem(event, name, error instanceof Error ? error.message : String(error));
      return bytes;
    }
  }

  /** For a file that is dropped at its end; what is in it is stale. Small ones have the same memory in turn. */
  #roomFor(bytes: number): Uint8Array {
    if (bytes > ROOM_BYTES_MAX) {
      this.#memory.take(bytes);
      return new Uint8Array(new ArrayBuffer(roomBytes(bytes)), 0, bytes);
    }
    if (this.#room.length < bytes) this.#room = new Uint8Array(2 ** Math.ceil(Math.log2(bytes)));
    return this.#room.subarray(0, bytes);
  }

  /** Large ones are not left to the garbage collector, which lets several of them pile up. */
  #giveBack({ buffer, length }: Uint8Array): void {
    if (buffer === this.#room.buffer || !(buffer instanceof ArrayBuffer)) return;
    buffer.transfer(0);
    this.#memory.give(length);
  }

  #scan(entry: TarEntry, event: number, path: string): BodySink | undefined {
    if (entry.size < HEAD_BYTES) return undefined;
    const base = baseOf(path);
    const head = new Uint8Array(HEAD_BYTES);
    const held = this.#heldFor(entry, event, path);
    let start: Uint8Array | undefined;
    let filled = 0;
    let at = 0;
    let running: Running[] = [];
    const isIdle = (): boolean => filled === HEAD_BYTES && running.length === 0;
    const write = (chunk: Uint8Array): void => {
      if (filled < HEAD_BYTES) {
        const early = filled;
        const part = chunk.subarray(0, HEAD_BYTES - filled);
        head.set(part, filled);
        filled += part.length;
        if (filled < HEAD_BYTES) return;
        running = this.#scanning
          .filter((one) => one.scanner?.accepts(base, entry.size, head) === true)
          .map((cataloguer) => ({ cataloguer, scan: cataloguer.scanner?.start(base) as StreamScan }));
        if (isIdle()) return;
        start = new Uint8Array(Math.min(PROGRAM_START_BYTES, entry.size));
        if (early > 0) write(head.slice(0, early));
      }
      for (const { scan } of running) scan.write(chunk);
      held?.set(chunk, at);
      if (start !== undefined && at < start.length) start.set(chunk.subarray(0, start.length - at), at);
      at += chunk.length;
    };
    const end = (): void => {
      const least = start === undefined ? 0 : leastBytes(start);
      if (least > entry.size) {
        const reason = `a program of ${entry.size} bytes whose tables speak of ${least}: it was cut`;
        this.#record.problem(event, 'binary', reason);
      }
      const findings = new Map<string, Uint8Array>();
      for (const { cataloguer, scan } of running) {
        const found = scan.end();
        if (found === undefined) continue;
        findings.set(cataloguer.name, found);
        const isWhole = held !== undefined && cataloguer.scanner?.needsWhole?.(found) === true;
        if (isWhole) this.#extract(cataloguer, event, held, base, findings);
      }
      if (held !== undefined) this.#giveBack(held);
      if (findings.size === 0) return;
      for (const found of findings.values()) this.#spend(found.length);
      this.#record.keep(event, new Uint8Array(), findings);
    };
    return { write, end, isIdle };
  }

  /** Room for a program that is read for the second time, because a first look asked for all of it. */
  #heldFor(entry: TarEntry, event: number, path: string): Uint8Array | undefined {
    if (this.#options.again?.programs.has(path) !== true) return undefined;
    if (entry.size <= limits.extractedFileBytes) return this.#roomFor(entry.size);
    const reason = `${entry.size} bytes; at most ${limits.extractedFileBytes} are looked at whole`;
    this.#record.problem(event, 'binary', reason);
    return undefined;
  }

  /** A file that breaks its reader becomes a named unknown; the others stay. */
  #extract(
    { name, extractor }: Pick<Cataloguer, 'name' | 'extractor'>,
    event: number,
    bytes: Uint8Array,
    base: string,
    findings: Map<string, Uint8Array>,
  ): void {
    try {
      const found = extractor?.extract(bytes, base, this.#memory);
      if (found !== undefined) findings.set(name, found);
    } catch (error) {
      this.#record.problem(event, name, error instanceof Error ? error.message : String(error));
    }
  }

  #spend(bytes: number): void {
    this.#bytesLeft -= bytes;
    if (this.#bytesLeft >= 0) return;
    const expected = `at most ${limits.capturedBytes} bytes of package data`;
    throw fail(R.layerLimit, { expected, actual: 'more' });
  }
}

/** Stands for the cataloguer of a file that only its real path will tell. */
const otherName: Pick<Cataloguer, 'name' | 'extractor' | 'condense'> = { name: 'layer' };
