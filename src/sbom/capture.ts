/** Decides for each file of a layer what is kept of it, and keeps it within the limits. */
import { concat } from '#base/bytes';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { baseOf } from './paths.ts';
import { R } from './reasons.ts';
import type { BodySink, OnEntry, TarEntry } from './tar.ts';
import type { LayerChanges } from './tree.ts';
import type { Cataloguer, ImageFile, StreamScan, StreamScanner } from './types.ts';

const HEAD_BYTES = 64;

/** Bytes kept over all layers of one image. */
class CaptureBudget {
  #left: number = limits.capturedBytes;

  spend(bytes: number): void {
    this.#left -= bytes;
    if (this.#left >= 0) return;
    const expected = `at most ${limits.capturedBytes} bytes of package data`;
    throw fail(R.layerLimit, { expected, actual: 'more' });
  }
}

export class Capture {
  readonly #cataloguers: readonly Cataloguer[];
  readonly #scanners: readonly StreamScanner[];
  readonly #budget = new CaptureBudget();

  constructor(cataloguers: readonly Cataloguer[]) {
    this.#cataloguers = cataloguers;
    this.#scanners = cataloguers.flatMap((one) => (one.scanner === undefined ? [] : [one.scanner]));
  }

  /** The entry handler for one layer; what is kept goes into `changes`. */
  layer(changes: LayerChanges, layer: number): OnEntry {
    return (entry) => {
      const path = changes.take(entry);
      if (path === undefined) return undefined;
      const wantedBy = this.#wantedBy(path);
      if (entry.kind === 'hardlink') {
        this.#hardlink(changes, entry, path, layer, wantedBy);
        return undefined;
      }
      if (wantedBy !== undefined) return this.#whole(changes, entry, path, layer, wantedBy);
      if (!entry.isSparse) return this.#scan(changes, entry, path, layer);
      if ((entry.mode & 0o111) !== 0) {
        const reason = 'a sparse program; its content was not read';
        changes.unknowns.push({ path, wantedBy: 'binary', reason });
      }
      return undefined;
    };
  }

  #wantedBy(path: string): string | undefined {
    const base = baseOf(path);
    return this.#cataloguers.find((one) => one.wants(path, base))?.name;
  }

  #hardlink(
    changes: LayerChanges,
    entry: TarEntry,
    path: string,
    layer: number,
    wantedBy: string | undefined,
  ): void {
    const target = changes.linkTarget(entry.linkName);
    if (target !== undefined) {
      changes.keep({ ...target, path, layer });
    } else if (wantedBy !== undefined) {
      const reason = `a hard link to ${JSON.stringify(entry.linkName)}, whose content was not kept`;
      changes.unknowns.push({ path, wantedBy, reason });
    }
  }

  #whole(
    changes: LayerChanges,
    entry: TarEntry,
    path: string,
    layer: number,
    wantedBy: string,
  ): BodySink | undefined {
    if (entry.isSparse || entry.size > limits.capturedFileBytes) {
      const reason = entry.isSparse
        ? 'a sparse file; its content was not read'
        : `${entry.size} bytes; at most ${limits.capturedFileBytes} are read`;
      changes.unknowns.push({ path, wantedBy, reason });
      return undefined;
    }
    this.#budget.spend(entry.size);
    const bytes = new Uint8Array(entry.size);
    let at = 0;
    return {
      write: (chunk) => {
        bytes.set(chunk, at);
        at += chunk.length;
      },
      end: () => changes.keep({ path, layer, bytes }),
    };
  }

  #scan(changes: LayerChanges, entry: TarEntry, path: string, layer: number): BodySink | undefined {
    const base = baseOf(path);
    if (this.#scanners.length === 0 || entry.size < HEAD_BYTES) return undefined;
    let head: Uint8Array | undefined = new Uint8Array();
    let running: { name: string; scan: StreamScan }[] = [];
    const write = (chunk: Uint8Array): void => {
      if (head === undefined) {
        for (const { scan } of running) scan.write(chunk);
        return;
      }
      head = concat(head, chunk);
      if (head.length < HEAD_BYTES) return;
      const start = head;
      head = undefined;
      running = this.#scanners
        .filter((one) => one.accepts(base, entry.size, start.subarray(0, HEAD_BYTES)))
        .map((one) => ({ name: one.name, scan: one.start(base) }));
      write(start);
    };
    return { write, end: () => this.#keepFindings(changes, path, layer, running) };
  }

  #keepFindings(
    changes: LayerChanges,
    path: string,
    layer: number,
    running: readonly { readonly name: string; readonly scan: StreamScan }[],
  ): void {
    const findings = new Map<string, Uint8Array>();
    for (const { name, scan } of running) {
      const found = scan.end();
      if (found === undefined) continue;
      this.#budget.spend(found.length);
      findings.set(name, found);
    }
    const file: ImageFile = { path, layer, bytes: new Uint8Array(), findings };
    if (findings.size > 0) changes.keep(file);
  }
}
