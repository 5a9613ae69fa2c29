/**
 * The certificate log as tiles (c2sp.org/static-ct-api): data tiles in place of entry bundles, issuers by
 * fingerprint, and a checkpoint whose signature is the RFC 6962 tree head.
 */
import { concat, equalBytes, fromHex, toHex, uintBytes, utf8 } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { unwrap } from '#base/result';
import { formatCheckpoint, signatureLine } from '#formats/note';
import { parseTilePath, TILE_WIDTH } from '#formats/tiles';
import type { Certificate } from '#formats/x509';
import type { LogStore } from '#platform/store';
import type { Log, LogRecord } from '#tlog';
import { ctPersonality, issuerPath, readExtra } from './leaf.ts';

/** Note signature type of an RFC 6962 tree head. */
const RFC6962_NOTE = 0x05;

interface Head {
  readonly treeSize: number;
  readonly timestamp: number;
  readonly root: Uint8Array;
  /** TLS DigitallySigned. */
  readonly signature: Uint8Array;
}

export function staticCheckpoint(origin: string, logId: Uint8Array, head: Head): string {
  const text = formatCheckpoint(origin, head.treeSize, head.root);
  const keyId = sha256(concat(utf8(`${origin}\n`), Uint8Array.of(RFC6962_NOTE), logId));
  const signature = concat(uintBytes(head.timestamp, 8), head.signature);
  return `${text}\n${signatureLine(origin, keyId, signature)}`;
}

const DATA = /^tile\/data\//;

export class StaticView {
  readonly #store: LogStore;
  readonly #log: Log;
  /** Issuers that are kept already: the log's own objects, and fingerprints. */
  readonly #known = new WeakSet<Certificate>();
  readonly #kept = new Set<string>();

  constructor(store: LogStore, log: Log) {
    this.#store = store;
    this.#log = log;
  }

  /** Makes the issuers of an entry durable: before the entry is, so that no data tile names one that is not there. */
  async keepIssuers(issuers: readonly Certificate[]): Promise<void> {
    for (const issuer of issuers) {
      if (this.#known.has(issuer)) continue;
      const name = toHex(sha256(issuer.der));
      if (!this.#kept.has(name)) await this.#store.writeTile(issuerPath(name), issuer.der);
      this.#kept.add(name);
      this.#known.add(issuer);
    }
  }

  /**
   * Makes the issuers of the first and the newest entry again from the entries themselves, where they are missing or
   * altered; returns their paths. Those in between are for a check of the whole log: it would read every entry.
   */
  async restoreIssuers(): Promise<readonly string[]> {
    const { size } = this.#log.tree;
    const restored: string[] = [];
    for (const index of size === 0 ? [] : new Set([0, size - 1])) {
      for (const { path, bytes } of ctPersonality.files?.(await this.#log.record(index)) ?? []) {
        const stored = await this.#store.readTile(path);
        if (stored !== undefined && equalBytes(stored, bytes)) continue;
        await this.#store.writeTile(path, bytes);
        restored.push(path);
      }
    }
    return restored;
  }

  /** The issuer with this SHA-256; undefined when no entry names it. Throws WB-102 for what is no lower-case hex. */
  issuer(fingerprint: string): Promise<Uint8Array | undefined> {
    return this.#store.readTile(issuerPath(toHex(fromHex(fingerprint))));
  }

  /** The bytes at `tile/…`, data tiles included; undefined beyond the published tree. Throws WB-119. */
  async tile(path: string): Promise<Uint8Array | undefined> {
    const log = this.#log;
    // Entry bundles are another API's: this one has data tiles in their place.
    if (!DATA.test(path)) return path.startsWith('tile/entries/') ? undefined : unwrap(await log.tile(path));
    const tile = unwrap(parseTilePath(path.replace(DATA, 'tile/entries/')));
    const first = tile.index * TILE_WIDTH;
    if (first + tile.width > log.tree.size) return undefined;
    const leaves: Uint8Array[] = [];
    for (let at = first; at < first + tile.width; at++) leaves.push(tileLeaf(await log.record(at)));
    return concat(...leaves);
  }
}

/** TileLeaf: the TimestampedEntry, the precertificate of one, and the fingerprints of its chain. */
function tileLeaf({ entry, extra }: LogRecord): Uint8Array {
  const { precert, issuers } = readExtra(entry, extra);
  const fingerprints = concat(...issuers.map(sha256));
  // A leaf is version and leaf type, then the TimestampedEntry.
  const parts = [entry.subarray(2)];
  if (precert !== undefined) parts.push(uintBytes(precert.length, 3), precert);
  return concat(...parts, uintBytes(fingerprints.length, 2), fingerprints);
}
