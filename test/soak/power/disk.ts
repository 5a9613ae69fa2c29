/**
 * A disk that loses power. What was synchronised is there. Of everything since, each piece may be there or not,
 * whatever the order: a page of a file, a new length, a name in a folder. A rename is one piece: both of its names
 * change or neither does (POSIX), and a name is on disk when its folder was synchronised, never because its file was.
 */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import type { DiskCall } from './trace.ts';

const PAGE = 4096;

/** One thing that may or may not have reached the disk. */
export interface Piece {
  readonly id: number;
  /** File or folder it belongs to. */
  readonly node: number;
}

interface FilePiece extends Piece {
  readonly at: number;
  /** Absent: the length becomes `at`. */
  readonly bytes?: Uint8Array;
}

interface NamePiece extends Piece {
  /** Names as they are after it; undefined: no such name. */
  readonly names: readonly (readonly [string, number | undefined])[];
}

class FileNode {
  synced: Buffer = Buffer.alloc(0);
  pending: FilePiece[] = [];
  version = 0;
}

class FolderNode {
  synced = new Map<string, number>();
  pending: NamePiece[] = [];
  version = 0;
}

interface Open {
  readonly node: number;
  position: number;
}

const ROOT = 0;

export class Disk {
  readonly #root: string;
  readonly #nodes: (FileNode | FolderNode)[] = [new FolderNode()];
  readonly #open = new Map<number, Open>();
  #ids = 0;

  /** `root` is a folder that was on disk before anything began. */
  constructor(root: string) {
    this.#root = root;
  }

  /** Pieces that may or may not be there. */
  get pending(): readonly Piece[] {
    return this.#nodes.flatMap((node): readonly Piece[] => node.pending);
  }

  /** A process ended: what it had open is closed, what it did stays as it is. */
  processEnded(): void {
    this.#open.clear();
  }

  /** True when the call was one on this disk. */
  apply(one: DiskCall): boolean {
    switch (one.call) {
      case 'open':
        return this.#opens(one.fd, one.path, one.flags);
      case 'close':
        return this.#open.delete(one.fd);
      case 'sync':
        return this.#onOpen(one.fd, ({ node }) => this.#sync(node));
      case 'write':
        return this.#onOpen(one.fd, (open) => this.#write(open, one.bytes, one.at));
      case 'truncate':
        return this.#onOpen(one.fd, ({ node }) => this.#file(node).pending.push(this.#piece(node, one.size)));
      case 'rename':
        return this.#rename(one.from, one.to);
      case 'mkdir':
        return this.#onPath(one.path, () => this.#name(one.path, this.#made(new FolderNode())));
      case 'unlink':
      case 'rmdir':
        return this.#onPath(one.path, () => this.#name(one.path, undefined));
    }
  }

  /** The files that are there when only the pieces of `kept` have arrived, by path below the root. */
  image(kept: ReadonlySet<number>): Map<string, Buffer | 'folder'> {
    const found = new Map<string, Buffer | 'folder'>();
    const walk = (node: number, at: string): void => {
      for (const [name, inside] of this.#namesIn(node, kept)) {
        const path = join(at, name);
        const what = this.#nodes[inside];
        if (what instanceof FolderNode) {
          found.set(path, 'folder');
          walk(inside, path);
        } else if (!isShared(path)) found.set(path, bytesOf(what as FileNode, kept));
      }
    };
    walk(ROOT, '');
    return found;
  }

  /** The same text for images that have the same bytes because nothing between them differs. */
  signature(kept: ReadonlySet<number>): string {
    return this.#nodes
      .map((node, i) => {
        const arrived = node.pending.filter(({ id }) => kept.has(id)).map(({ id }) => id);
        return `${i}:${node.version}:${arrived.join(',')}`;
      })
      .join(' ');
  }

  #namesIn(node: number, kept: ReadonlySet<number> | 'all'): Map<string, number> {
    const folder = this.#nodes[node];
    assert.ok(folder instanceof FolderNode);
    const names = new Map(folder.synced);
    for (const { id, names: changed } of folder.pending) {
      if (kept === 'all' || kept.has(id)) change(names, changed);
    }
    return names;
  }

  #opens(fd: number, path: string, flags: readonly string[]): boolean {
    this.#open.delete(fd);
    return this.#onPath(path, () => {
      let node = this.#find(path);
      if (node === undefined) {
        assert.ok(flags.includes('O_CREAT'), `${path} was opened and is not there`);
        node = this.#made(new FileNode());
        this.#name(path, node);
      } else if (flags.includes('O_TRUNC')) this.#file(node).pending.push(this.#piece(node, 0));
      this.#open.set(fd, { node, position: 0 });
    });
  }

  #write(open: Open, bytes: Uint8Array, at: number | undefined): void {
    const from = at ?? open.position;
    if (at === undefined) open.position += bytes.length;
    const file = this.#file(open.node);
    for (let done = 0; done < bytes.length; ) {
      const step = Math.min(PAGE - ((from + done) % PAGE), bytes.length - done);
      file.pending.push({
        ...this.#piece(open.node, from + done),
        bytes: bytes.subarray(done, done + step),
      });
      done += step;
    }
  }

  #sync(node: number): void {
    const what = this.#nodes[node] as FileNode | FolderNode;
    if (what.pending.length === 0) return;
    if (what instanceof FileNode) what.synced = bytesOf(what, 'all');
    else for (const { names } of what.pending) change(what.synced, names);
    what.pending = [];
    what.version++;
  }

  #rename(from: string, to: string): boolean {
    return this.#onPath(from, () => {
      assert.equal(dirname(from), dirname(to), 'a rename into another folder is not read here');
      const parent = this.#find(dirname(from)) as number;
      const names = [
        [basename(from), undefined],
        [basename(to), this.#find(from)],
      ] as const;
      this.#folder(parent).pending.push({ id: this.#ids++, node: parent, names });
    });
  }

  #name(path: string, node: number | undefined): void {
    const parent = this.#find(dirname(path)) as number;
    const names = [[basename(path), node]] as const;
    this.#folder(parent).pending.push({ id: this.#ids++, node: parent, names });
  }

  #find(path: string): number | undefined {
    let node: number | undefined = ROOT;
    for (const part of relative(this.#root, path).split('/')) {
      if (part === '' || node === undefined) continue;
      node = this.#namesIn(node, 'all').get(part);
    }
    return node;
  }

  #onPath(path: string, act: () => void): boolean {
    if (path !== this.#root && !path.startsWith(`${this.#root}/`)) return false;
    act();
    return true;
  }

  #onOpen(fd: number, act: (open: Open) => void): boolean {
    const open = this.#open.get(fd);
    if (open === undefined) return false;
    act(open);
    return true;
  }

  #made(node: FileNode | FolderNode): number {
    return this.#nodes.push(node) - 1;
  }

  #piece(node: number, at: number): FilePiece {
    return { id: this.#ids++, node, at };
  }

  #file(node: number): FileNode {
    const file = this.#nodes[node];
    assert.ok(file instanceof FileNode);
    return file;
  }

  #folder(node: number): FolderNode {
    const folder = this.#nodes[node];
    assert.ok(folder instanceof FolderNode);
    return folder;
  }
}

/** The index of a write-ahead log is shared memory, not data: SQLite makes it anew for its first user. */
export const isShared = (path: string): boolean => path.endsWith('-shm');

function change(names: Map<string, number>, changed: NamePiece['names']): void {
  for (const [name, node] of changed) {
    if (node === undefined) names.delete(name);
    else names.set(name, node);
  }
}

function bytesOf(file: FileNode, kept: ReadonlySet<number> | 'all'): Buffer {
  const arrived = file.pending.filter(({ id }) => kept === 'all' || kept.has(id));
  if (arrived.length === 0) return file.synced;
  const ends = arrived.map(({ at, bytes }) => at + (bytes?.length ?? 0));
  const bytes = Buffer.alloc(Math.max(file.synced.length, ...ends));
  let length = file.synced.copy(bytes);
  for (const { at, bytes: written } of arrived) {
    // What is cut off and grows again is zero.
    if (written === undefined) bytes.fill(0, Math.min(at, length), length);
    else bytes.set(written, at);
    length = written === undefined ? at : Math.max(length, at + written.length);
  }
  return bytes.subarray(0, length);
}

/** Writes an image below a folder. */
export function writeImage(image: ReadonlyMap<string, Buffer | 'folder'>, folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const [path, what] of image) {
    if (what === 'folder') mkdirSync(join(folder, path));
    else writeFileSync(join(folder, path), what);
  }
}
