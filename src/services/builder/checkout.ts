/**
 * A commit's tree as files, written by us: no git checkout, so no hook, filter, attribute or line-ending rule
 * has a say. Every blob and every tree is hashed again; the root must be the tree the commit names.
 */
import { spawn } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { concat, fromHex, toHex, utf8 } from '#base/bytes';
import { gitObjectId } from '#base/crypto';
import { fail } from '#base/reason';
import { type GitPlace, git, gitArguments, gitEnvironment } from './git.ts';
import { R } from './reasons.ts';
import type { ResolvedSource } from './source.ts';

export interface TreeEntry {
  readonly path: string;
  readonly mode: '100644' | '100755' | '120000' | '160000';
  /** Object id, hex. */
  readonly id: string;
}

const FILES_MAX = 200_000;
const BLOB_BYTES_MAX = 512 * 1024 * 1024;
const modes = new Set(['100644', '100755', '120000', '160000']);

/**
 * Writes the tree into `folder` (which must not exist). Returns the bytes of the regular file `wanted`, or
 * undefined when the commit has none. WB-1116 when a hash differs.
 */
export async function checkoutTree(
  source: ResolvedSource,
  folder: string,
  wanted: string,
): Promise<Uint8Array | undefined> {
  let found: Uint8Array | undefined;
  const entries = await listTree(source);
  checkTreeHash(entries, source.tree);
  await mkdir(folder, { mode: 0o755 });
  const folders = new Set(entries.map(({ path }) => dirname(join(folder, path))));
  for (const path of folders) await mkdir(path, { recursive: true, mode: 0o755 });
  const links: { at: string; to: string }[] = [];
  for await (const { entry, bytes } of readBlobs(source, entries)) {
    const at = join(folder, entry.path);
    if (entry.path === wanted && entry.mode !== '120000') found = Uint8Array.from(bytes);
    if (entry.mode === '120000') links.push({ at, to: Buffer.from(bytes).toString('utf8') });
    else await writeFile(at, bytes, { flag: 'wx', mode: entry.mode === '100755' ? 0o755 : 0o644 });
  }
  for (const entry of entries) if (entry.mode === '160000') await mkdir(join(folder, entry.path));
  // Links come last: no file can have been written through one.
  for (const { at, to } of links) await symlink(to, at);
  return found;
}

async function listTree({ place, gitDir, tree }: ResolvedSource): Promise<TreeEntry[]> {
  const printed = await git(place, gitDir, ['ls-tree', '-r', '-z', '--full-tree', tree]);
  const entries = printed
    .split('\0')
    .filter((line) => line !== '')
    .map(readEntry);
  if (entries.length > FILES_MAX) {
    throw fail(R.source, { expected: `at most ${FILES_MAX} files`, actual: `${entries.length}` });
  }
  return entries;
}

function readEntry(line: string): TreeEntry {
  const tab = line.indexOf('\t');
  const [mode = '', , id = ''] = line.slice(0, tab).split(' ');
  const path = line.slice(tab + 1);
  const parts = path.split('/');
  const isPlain = parts.every(
    (part) => part !== '' && part !== '.' && part !== '..' && part.toLowerCase() !== '.git',
  );
  if (!modes.has(mode) || !isPlain || path.includes('\uFFFD')) {
    throw fail(R.source, { expected: 'plain UTF-8 paths of files', actual: JSON.stringify(line) });
  }
  return { mode: mode as TreeEntry['mode'], id, path };
}

interface Folder {
  readonly files: Map<string, TreeEntry>;
  readonly folders: Map<string, Folder>;
}

/** Hashes the tree objects from the entries, as git does, and compares the root. */
function checkTreeHash(entries: readonly TreeEntry[], expected: string): void {
  const root: Folder = { files: new Map(), folders: new Map() };
  for (const entry of entries) {
    const parts = entry.path.split('/');
    let at = root;
    for (const part of parts.slice(0, -1)) {
      let next = at.folders.get(part);
      if (next === undefined) {
        next = { files: new Map(), folders: new Map() };
        at.folders.set(part, next);
      }
      at = next;
    }
    at.files.set(parts.at(-1) as string, entry);
  }
  const actual = hashFolder(root, expected.length === 64 ? 'sha256' : 'sha1');
  if (actual !== expected) throw fail(R.tree, { expected: `tree ${expected}`, actual: `tree ${actual}` });
}

function hashFolder(folder: Folder, format: 'sha1' | 'sha256'): string {
  const rows: { key: Uint8Array; row: Uint8Array }[] = [];
  for (const [name, entry] of folder.files) {
    rows.push({ key: utf8(name), row: concat(utf8(`${entry.mode} ${name}\0`), fromHex(entry.id)) });
  }
  for (const [name, inner] of folder.folders) {
    const id = fromHex(hashFolder(inner, format));
    // git sorts a folder as if its name ended with a slash.
    rows.push({ key: utf8(`${name}/`), row: concat(utf8(`40000 ${name}\0`), id) });
  }
  rows.sort((a, b) => Buffer.compare(a.key, b.key));
  return toHex(gitObjectId(format, 'tree', concat(...rows.map(({ row }) => row))));
}

/** Streams the blobs in the order of the entries; each is checked against its id. */
async function* readBlobs(
  source: ResolvedSource,
  entries: readonly TreeEntry[],
): AsyncGenerator<{ entry: TreeEntry; bytes: Uint8Array }> {
  const wanted = entries.filter(({ mode }) => mode !== '160000');
  const format = source.tree.length === 64 ? 'sha256' : 'sha1';
  const batch = catFile(source.place, source.gitDir, wanted.map(({ id }) => `${id}\n`).join(''));
  const reader = new ExactReader(batch);
  for (const entry of wanted) {
    const [id, type, length] = (await reader.line()).split(' ');
    const size = Number(length);
    if (id !== entry.id || type !== 'blob' || !Number.isSafeInteger(size) || size > BLOB_BYTES_MAX) {
      const actual = `${type ?? 'nothing'} of ${length ?? 'no'} bytes`;
      throw fail(R.source, { expected: `blob ${entry.id} of at most ${BLOB_BYTES_MAX} bytes`, actual });
    }
    const bytes = await reader.bytes(size);
    await reader.bytes(1);
    const hashed = toHex(gitObjectId(format, 'blob', bytes));
    if (hashed !== entry.id) throw fail(R.tree, { expected: `blob ${entry.id}`, actual: hashed });
    yield { entry, bytes };
  }
}

async function* catFile(place: GitPlace, gitDir: string, input: string): AsyncGenerator<Uint8Array> {
  const child = spawn('git', gitArguments(place, ['cat-file', '--batch']), {
    cwd: gitDir,
    env: gitEnvironment(place),
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  try {
    for await (const chunk of child.stdout) yield chunk as Uint8Array;
  } finally {
    child.kill('SIGKILL');
  }
}

/** Lines and exact byte counts out of a stream of chunks. */
class ExactReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async #more(): Promise<Uint8Array> {
    const next = await this.#chunks.next();
    if (next.done === true)
      throw fail(R.source, { expected: 'all objects from git', actual: 'an early end' });
    return next.value;
  }

  async line(): Promise<string> {
    let end = this.#rest.indexOf(0x0a);
    while (end === -1) {
      this.#rest = concat(this.#rest, await this.#more());
      end = this.#rest.indexOf(0x0a);
    }
    const text = Buffer.from(this.#rest.subarray(0, end)).toString('latin1');
    this.#rest = this.#rest.subarray(end + 1);
    return text;
  }

  async bytes(length: number): Promise<Uint8Array> {
    const parts = [this.#rest];
    let have = this.#rest.length;
    while (have < length) {
      const chunk = await this.#more();
      parts.push(chunk);
      have += chunk.length;
    }
    const all = parts.length === 1 ? this.#rest : concat(...parts);
    this.#rest = all.subarray(length);
    return all.subarray(0, length);
  }
}
