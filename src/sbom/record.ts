/**
 * What one layer says, without any other layer: its entries in order and what was kept of them. A record can be
 * made on another thread, stored, and laid on a tree later. Names are packed: most share a beginning with the
 * one before, and a layer may have two million of them.
 */
import { concat, utf8 } from '#base/bytes';
import { limits } from '#base/limits';
import { noRecord } from './record-form.ts';
import type { EntryKind } from './tar-header.ts';

/** What was kept of an entry, by the number of the entry. */
export interface KeptFile {
  readonly event: number;
  readonly bytes: Uint8Array;
  readonly findings?: ReadonlyMap<string, Uint8Array>;
}

export interface Problem {
  readonly event: number;
  readonly wantedBy: string;
  readonly reason: string;
}

export interface LayerRecord {
  /** Entries, packed. */
  readonly events: Uint8Array;
  readonly kept: readonly KeptFile[];
  readonly problems: readonly Problem[];
}

export interface LayerEvent {
  readonly kind: EntryKind;
  /** Cleaned. */
  readonly name: string;
  readonly linkName: string;
}

const kinds: readonly EntryKind[] = ['file', 'hardlink', 'symlink', 'directory', 'special'];
const FIRST_BYTES = 64 * 1024;
/** A name, a link, and what is around them. */
const EVENT_BYTES_MAX = 3 * 4096 * 2 + 16;

export class RecordWriter {
  #packed: Uint8Array = new Uint8Array(FIRST_BYTES);
  #at = 0;
  #count = 0;
  #last = '';
  readonly #kept: KeptFile[] = [];
  readonly #problems: Problem[] = [];
  #problemCount = 0;

  /** Adds an entry; returns its number. */
  add(kind: EntryKind, name: string, linkName: string): number {
    const shared = sharedLength(this.#last, name);
    this.#last = name;
    this.#room();
    this.#packed[this.#at++] = kinds.indexOf(kind);
    this.#number(shared);
    this.#text(name.slice(shared));
    if (kind === 'hardlink' || kind === 'symlink') this.#text(linkName);
    return this.#count++;
  }

  keep(event: number, bytes: Uint8Array, findings?: ReadonlyMap<string, Uint8Array>): void {
    this.#kept.push({ event, bytes, ...(findings === undefined ? {} : { findings }) });
  }

  /** Of a layer with very many of them the first are kept, and how many more there were. */
  problem(event: number, wantedBy: string, reason: string): void {
    if (++this.#problemCount > limits.entriesNamed) return;
    this.#problems.push({ event, wantedBy, reason });
  }

  /** A problem of the layer as a whole: its number is the one after the last entry's. */
  doubt(reason: string): void {
    this.#problems.push({ event: this.#count, wantedBy: 'layer', reason });
  }

  finish(): LayerRecord {
    const more = this.#problemCount - limits.entriesNamed;
    if (more > 0) this.doubt(`${more} more files that could not be read`);
    this.#problemCount = 0;
    return { events: this.#packed.slice(0, this.#at), kept: this.#kept, problems: this.#problems };
  }

  #room(): void {
    if (this.#at + EVENT_BYTES_MAX <= this.#packed.length) return;
    this.#packed = concat(this.#packed, new Uint8Array(this.#packed.length));
  }

  #number(value: number): void {
    let rest = value;
    while (rest > 0x7f) {
      this.#packed[this.#at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#packed[this.#at++] = rest;
  }

  #text(text: string): void {
    const bytes = utf8(text);
    this.#number(bytes.length);
    this.#packed.set(bytes, this.#at);
    this.#at += bytes.length;
  }
}

/** Equal characters at the start; never half of a surrogate pair. */
function sharedLength(a: string, b: string): number {
  const most = Math.min(a.length, b.length);
  let length = 0;
  while (length < most && a.charCodeAt(length) === b.charCodeAt(length)) length++;
  const last = length === 0 ? 0 : a.charCodeAt(length - 1);
  return last >= 0xd800 && last <= 0xdbff ? length - 1 : length;
}

/** Bits of the longest number: lengths of names, which are far shorter. */
const NUMBER_BITS_MAX = 28;

/** The entries of a record, in their order. Throws for bytes that are none. */
export function* eventsOf(events: Uint8Array): Generator<LayerEvent> {
  const view = Buffer.from(events.buffer, events.byteOffset, events.byteLength);
  let at = 0;
  let last = '';
  const number = (): number => {
    let value = 0;
    for (let shift = 0; shift < NUMBER_BITS_MAX; shift += 7) {
      const byte = events[at++];
      if (byte === undefined) throw noRecord();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw noRecord();
  };
  const text = (): string => {
    const length = number();
    at += length;
    if (at > events.length) throw noRecord();
    return length === 0 ? '' : view.toString('utf8', at - length, at);
  };
  while (at < events.length) {
    const kind = kinds[events[at++] as number];
    if (kind === undefined) throw noRecord();
    const shared = number();
    last = last.slice(0, shared) + text();
    yield { kind, name: last, linkName: kind === 'hardlink' || kind === 'symlink' ? text() : '' };
  }
}
