/** A folder of this machine → packages, by the same capture as a layer. Links are recorded, never followed. */
import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import type { Unknown } from '#formats/sbom';
import { assemble } from './assemble.ts';
import { type Again, Capture } from './capture.ts';
import { type Catalogue, type CatalogueOptions, distroReader } from './catalogue.ts';
import { cataloguers as allCataloguers } from './cataloguers/index.ts';
import { unreadLogs } from './logs.ts';
import { matcherOf } from './read-layers.ts';
import { R } from './reasons.ts';
import { RecordWriter } from './record.ts';
import { type Replayed, replayLayer } from './replay.ts';
import { stageOf } from './stage.ts';
import type { BodySink, OnEntry, TarEntry } from './tar.ts';
import type { EntryKind } from './tar-header.ts';
import { ImageTree } from './tree.ts';

const CHUNK_BYTES = 64 * 1024;

const nothingMore: Again = { files: new Set(), programs: new Set() };

/** Catalogues a folder: what is installed in it and what its lock files declare. */
export async function catalogueFolder(
  folder: string,
  options: Omit<CatalogueOptions, 'scope' | 'cache' | 'reader'>,
): Promise<Catalogue> {
  const cataloguers = [distroReader, ...(options.cataloguers ?? allCataloguers)];
  const matcher = matcherOf(cataloguers);
  const { isExcluded } = options;
  const replay = { matcher, cataloguers, ...(isExcluded === undefined ? {} : { isExcluded }) };
  const read = async (again?: Again): Promise<{ walk: Walk; replayed: Replayed; tree: ImageTree }> => {
    const writer = new RecordWriter();
    const capture = new Capture({ cataloguers, matcher, ...(again === undefined ? {} : { again }) }, writer);
    const walk = new Walk(folder, capture.onEntry, isExcluded);
    await walk.folder('');
    const tree = new ImageTree();
    const replayed = replayLayer(tree, writer.finish(), 0, replay);
    tree.apply(replayed.changes);
    return { walk, replayed, tree };
  };
  const first = await read();
  const { again = nothingMore } = first.replayed;
  const logs = new Map(unreadLogs(first.tree).map(({ database, log }) => [database.path, log]));
  const isWhole = again === nothingMore && logs.size === 0;
  const { walk, replayed, tree } = isWhole ? first : await read({ ...again, logs });
  const { changes } = replayed;
  const subject = { name: options.name, kind: 'folder' as const };
  const unknowns = [...walk.unknowns, ...changes.unknowns];
  const sbom = assemble(
    { subject, layers: [], tool: options.tool },
    tree,
    [stageOf(tree, cataloguers)],
    unknowns,
  );
  return { sbom, bytes: walk.bytes, entries: walk.entries };
}

class Walk {
  readonly unknowns: Unknown[] = [];
  bytes = 0;
  entries = 0;
  readonly #root: string;
  readonly #onEntry: OnEntry;
  readonly #isExcluded: ((path: string) => boolean) | undefined;
  readonly #chunk = new Uint8Array(CHUNK_BYTES);

  constructor(root: string, onEntry: OnEntry, isExcluded: ((path: string) => boolean) | undefined) {
    this.#root = root;
    this.#onEntry = onEntry;
    this.#isExcluded = isExcluded;
  }

  /** In order of names, so that every run sees the same. */
  async folder(path: string): Promise<void> {
    const names = await readdir(join(this.#root, path)).catch((error: unknown) => this.#failed(path, error));
    for (const name of (names ?? []).sort()) {
      const inner = path === '' ? name : `${path}/${name}`;
      if (this.#isExcluded?.(inner) === true) continue;
      await this.#entry(inner);
    }
  }

  async #entry(path: string): Promise<void> {
    const full = join(this.#root, path);
    const info = await lstat(full).catch((error: unknown) => this.#failed(path, error));
    if (info === undefined) return;
    if (++this.entries > limits.layerEntries) {
      throw fail(R.layerLimit, { expected: `at most ${limits.layerEntries} entries`, actual: 'more' });
    }
    const kind: EntryKind = info.isDirectory()
      ? 'directory'
      : info.isSymbolicLink()
        ? 'symlink'
        : info.isFile()
          ? 'file'
          : 'special';
    const linkName =
      kind === 'symlink' ? await readlink(full).catch((error: unknown) => this.#failed(path, error)) : '';
    if (linkName === undefined) return;
    const entry = { kind, name: path, linkName, mode: info.mode & 0o777, size: info.size, isSparse: false };
    if (kind === 'directory') {
      this.#onEntry(entry);
      await this.folder(path);
    } else if (kind === 'file') await this.#file(full, entry);
    else this.#onEntry(entry);
  }

  async #file(full: string, entry: TarEntry): Promise<void> {
    // What became a link or a pipe meanwhile is neither followed nor waited for.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const handle = await open(full, flags).catch((error: unknown) => this.#failed(entry.name, error));
    if (handle === undefined) return;
    try {
      const sink = this.#onEntry(entry);
      if (sink !== undefined && (await this.#feed(sink, handle, entry))) sink.end();
    } finally {
      await handle.close();
    }
  }

  /** A file may grow or shrink while it is read; the sink gets as many bytes as were promised or none count. */
  async #feed(sink: BodySink, handle: FileHandle, { name, size }: TarEntry): Promise<boolean> {
    let left = size;
    while (left > 0 && sink.isIdle?.() !== true) {
      const read = await handle
        .read(this.#chunk, 0, Math.min(CHUNK_BYTES, left))
        .catch((error: unknown) => this.#failed(name, error));
      if (read?.bytesRead === 0) this.#failed(name, 'changed while it was read');
      if (read === undefined || read.bytesRead === 0) return false;
      left -= read.bytesRead;
      this.bytes += read.bytesRead;
      sink.write(this.#chunk.slice(0, read.bytesRead));
    }
    return true;
  }

  #failed(path: string, error: unknown): undefined {
    if (path === '')
      throw fail(R.folder, { expected: `a folder ${this.#root}`, actual: messageOf(error) }, error);
    const reason = messageOf(error).replace(this.#root, '');
    this.unknowns.push({ path, wantedBy: 'folder', reason });
    return undefined;
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
