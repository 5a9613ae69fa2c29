/**
 * Recoverable (P15): what is kept of a log is enough. Its folder and key open without any derived file; the tiles
 * that anybody can fetch, and nothing else, prove every entry and make the same log again.
 */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { FixedClock } from '#base/clock';
import { generateKey } from '#base/crypto';
import { unwrap } from '#base/result';
import { TILE_WIDTH, tilePath, tileWidth } from '#formats/tiles';
import { embeddedLogStore } from '#platform/store-embedded';
import {
  checkpointSigner,
  checkpointVerifier,
  folderTiles,
  fsckStored,
  type LogWriter,
  lookAt,
  openLog,
} from '#tlog';
import { entryOf } from './log-run.ts';
import { chance } from './random.ts';

export interface RebuildReport {
  readonly entries: number;
  /** Public files of the log: its checkpoint, tiles and entry bundles. */
  readonly files: number;
  readonly checkpoints: number;
  readonly ways: readonly string[];
}

const ORIGIN = 'log.example';
const NOW = Date.UTC(2026, 0, 1);

export async function rebuild(options: { entries: number; seed: number }): Promise<RebuildReport> {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-rebuild-'));
  try {
    return await new Rebuilt(folder, chance(options.seed)).run(options.entries);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

class Rebuilt {
  readonly #folder: string;
  readonly #random: () => number;
  readonly #key = generateKey('ed25519');
  readonly #signer = checkpointSigner({ origin: ORIGIN, signer: this.#key });
  /** All anybody outside has. */
  readonly #verifier = checkpointVerifier({ origin: ORIGIN, publicKey: this.#key.publicKey });
  readonly #checkpoints: string[] = [];
  #size = 0;
  #root = '';

  constructor(folder: string, random: () => number) {
    this.#folder = folder;
    this.#random = random;
  }

  async run(entries: number): Promise<RebuildReport> {
    const log = await this.#open('data');
    await this.#fill(log, entries);
    const files = await this.#publish(log);
    this.#size = log.tree.size;
    this.#root = hex(log.tree.root);
    await log.close();
    await this.#fromFolder();
    const found = await this.#fromTiles();
    await this.#goesOn(await this.#replayed(found));
    const ways = [
      'from the folder and the key without its index',
      'from the public tiles without the folder',
    ];
    return { entries: this.#size, files, checkpoints: this.#checkpoints.length, ways };
  }

  #paths(name: string) {
    const place = join(this.#folder, name);
    return { directory: join(place, 'data'), lockFile: join(place, 'lock.db') };
  }

  #open(name: string, create = true): Promise<LogWriter> {
    const store = embeddedLogStore(this.#paths(name));
    return openLog({ store, signer: this.#signer, clock: new FixedClock(NOW), create });
  }

  async #fill(log: LogWriter, entries: number): Promise<void> {
    for (let at = 0; at < entries; ) {
      const together = Math.min(entries - at, 1 + Math.floor(this.#random() * TILE_WIDTH));
      const names = Array.from({ length: together }, () => entryOf(`${at++}`, 20 + this.#random() * 200));
      await Promise.all(names.map((entry) => log.append(entry)));
      this.#checkpoints.push(log.tree.checkpoint);
    }
  }

  /** Everything the log serves, as files: full and partial tiles, and the checkpoint. */
  async #publish(log: LogWriter): Promise<number> {
    const { size, checkpoint } = log.tree;
    const files = new Map<string, Uint8Array>([['checkpoint', Buffer.from(checkpoint)]]);
    for (let level = 0; TILE_WIDTH ** level <= size; level++) {
      for (let index = 0; tileWidth(size, level, index) > 0; index++) {
        const width = tileWidth(size, level, index);
        const paths = [tilePath({ kind: 'hashes', level, index, width })];
        if (level === 0) paths.push(tilePath({ kind: 'entries', index, width }));
        for (const path of paths) files.set(path, unwrap(await log.tile(path)) as Uint8Array);
      }
    }
    for (const [path, bytes] of files) {
      const file = join(this.#folder, 'public', path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, bytes);
    }
    return files.size;
  }

  /** A copy on another machine, without what can be derived. */
  async #fromFolder(): Promise<void> {
    cpSync(join(this.#folder, 'data'), join(this.#folder, 'moved'), { recursive: true });
    const paths = this.#paths('moved');
    for (const name of readdirSync(paths.directory)) {
      if (name.startsWith('index.db')) rmSync(join(paths.directory, name));
    }
    const log = await this.#open('moved', false);
    assert.deepEqual([log.tree.size, hex(log.tree.root)], [this.#size, this.#root]);
    await this.#goesOn(log);
    const store = embeddedLogStore(paths);
    try {
      const report = await fsckStored({ store, verifier: this.#verifier, known: this.#checkpoints });
      assert.deepEqual(report.problems, []);
    } finally {
      await store.close();
    }
  }

  /** Proves every entry with the public key alone. */
  async #fromTiles(): Promise<Uint8Array[]> {
    rmSync(join(this.#folder, 'data'), { recursive: true });
    const entries: Uint8Array[] = [];
    const look = await lookAt({
      source: folderTiles(join(this.#folder, 'public')),
      verifier: this.#verifier,
      known: this.#checkpoints,
      tiles: true,
      onEntry: (index, entry) => {
        entries[index] = entry;
      },
    });
    assert.deepEqual(look.problems, []);
    assert.equal(entries.length, this.#size);
    return entries;
  }

  /** The same entries in the same order are the same tree: its old checkpoints are checkpoints of the new log. */
  async #replayed(entries: readonly Uint8Array[]): Promise<LogWriter> {
    const log = await this.#open('again');
    for (let at = 0; at < entries.length; at += TILE_WIDTH) {
      await Promise.all(entries.slice(at, at + TILE_WIDTH).map((entry) => log.append(entry)));
    }
    assert.deepEqual([log.tree.size, hex(log.tree.root)], [this.#size, this.#root]);
    for (const checkpoint of this.#checkpoints) {
      const { size, root } = unwrap(this.#verifier.open(checkpoint));
      assert.equal(hex(await log.rootAt(size)), hex(root), 'an old checkpoint is of another tree');
    }
    return log;
  }

  /** A name that is known is found, a new one is taken; then the log is closed. */
  async #goesOn(log: LogWriter): Promise<void> {
    const known = await log.append((await log.record(this.#size - 1)).entry);
    assert.deepEqual([known.duplicate, known.logged.index], [true, this.#size - 1]);
    assert.equal((await log.append(entryOf('one more', 20))).logged.index, this.#size);
    assert.deepEqual((await log.check()).problems, []);
    await log.close();
  }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
