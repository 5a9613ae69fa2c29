/**
 * Upload sessions: one file each, whose length is where the upload stands. They survive a restart; only the
 * running hash does not, and is then taken from the file at the end.
 */
import { type FileHandle, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '#base/brand';
import { toHex } from '#base/bytes';
import { type Hasher, hasher } from '#base/crypto';
import { digestAlgorithm } from '#base/digest';
import type { Random } from '#base/random';
import { fail, WaybillError } from '#base/reason';
import { fileDigest } from './blobs.ts';
import { R } from './reasons.ts';
import type { RegistryStore } from './store.ts';

/** Bytes as they arrive, with where the client says they go. */
export interface Chunk {
  readonly body: AsyncIterable<Uint8Array>;
  /** First byte's offset, when the client states it. */
  readonly start?: number;
  /** Bytes the client announced, when it did. */
  readonly length?: number;
}

/** Running hashes of sessions; an older one is taken from its file instead. */
const HASHES_KEPT = 10_000;
const ID_FORM = /^[0-9a-f]{32}$/;

export class Uploads {
  readonly #store: RegistryStore;
  readonly #random: Random;
  readonly #blobBytesMax: number;
  readonly #hashes = new Map<string, Hasher>();
  readonly #writing = new Set<string>();

  constructor(store: RegistryStore, random: Random, blobBytesMax: number) {
    this.#store = store;
    this.#random = random;
    this.#blobBytesMax = blobBytesMax;
  }

  /** A session belongs to the repository it was started in. */
  async start(repo: string): Promise<string> {
    const id = toHex(this.#random.bytes(16));
    const handle = await open(this.#path(repo, id), 'wx', 0o600);
    await handle.close();
    const [oldest] = this.#hashes.keys();
    if (this.#hashes.size >= HASHES_KEPT && oldest !== undefined) this.#hashes.delete(oldest);
    this.#hashes.set(id, hasher());
    return id;
  }

  /** Bytes received so far. */
  async offset(repo: string, id: string): Promise<number> {
    const info = await stat(this.#path(repo, id)).catch(() => undefined);
    if (info === undefined)
      throw fail(R.noUpload, { expected: 'an upload session', actual: id.slice(0, 64) });
    return info.size;
  }

  /** Appends a chunk; answers with the new offset. Bytes before a broken connection are kept. */
  async append(repo: string, id: string, chunk: Chunk): Promise<number> {
    return this.#exclusively(repo, id, (offset) => this.#write(repo, id, offset, chunk));
  }

  /** Appends the last chunk and makes the whole a blob. A wrong digest ends the session (WB-1081). */
  async finish(repo: string, id: string, digest: Digest, chunk: Chunk): Promise<number> {
    return this.#exclusively(repo, id, async (offset) => {
      const size = await this.#write(repo, id, offset, chunk);
      const file = this.#path(repo, id);
      const running = digestAlgorithm(digest) === 'sha256' ? this.#hashes.get(id) : undefined;
      this.#hashes.delete(id);
      const actual =
        running === undefined ? await fileDigest(file, digest) : `sha256:${toHex(running.finish())}`;
      if (actual !== digest) {
        await rm(file, { force: true });
        throw fail(R.digest, { expected: digest, actual });
      }
      await sync(file);
      await this.#store.commitBlob(file, repo, digest, size);
      return size;
    });
  }

  async cancel(repo: string, id: string): Promise<void> {
    await this.#exclusively(repo, id, async () => {
      this.#hashes.delete(id);
      await rm(this.#path(repo, id), { force: true });
    });
  }

  /** The repository is part of the name: a session id is of no use in another one. */
  #path(repo: string, id: string): string {
    if (!ID_FORM.test(id)) throw fail(R.noUpload, { expected: 'an upload session', actual: id.slice(0, 64) });
    const state = hasher();
    state.update(new TextEncoder().encode(repo));
    return join(this.#store.uploadsDir, `${toHex(state.finish()).slice(0, 16)}-${id}`);
  }

  async #exclusively<T>(repo: string, id: string, body: (offset: number) => Promise<T>): Promise<T> {
    if (this.#writing.has(id)) {
      throw fail(R.uploadBusy, { expected: 'one writer at a time', actual: 'another request is writing' });
    }
    this.#writing.add(id);
    try {
      return await body(await this.offset(repo, id));
    } finally {
      this.#writing.delete(id);
    }
  }

  async #write(repo: string, id: string, offset: number, chunk: Chunk): Promise<number> {
    if (chunk.start !== undefined && chunk.start !== offset) {
      throw fail(R.uploadRange, { expected: `a chunk from byte ${offset}`, actual: `from ${chunk.start}` });
    }
    const file = await open(this.#path(repo, id), 'r+');
    const state = this.#hashes.get(id);
    let at = offset;
    try {
      for await (const bytes of chunk.body) {
        if (at + bytes.length > this.#blobBytesMax) {
          throw fail(R.tooLarge, { expected: `at most ${this.#blobBytesMax} bytes`, actual: 'more' });
        }
        await writeAll(file, bytes, at);
        state?.update(bytes);
        at += bytes.length;
      }
      if (chunk.length !== undefined && at - offset !== chunk.length) {
        throw fail(R.uploadRange, { expected: `${chunk.length} bytes`, actual: `${at - offset} bytes` });
      }
      return at;
    } catch (error) {
      // What is too large is not kept; else the file may be ahead of the hash: cut it back to what counted.
      const isTooLarge = error instanceof WaybillError && error.reason.code === R.tooLarge.code;
      if (isTooLarge) this.#hashes.delete(id);
      await file.truncate(isTooLarge ? 0 : at).catch(() => this.#hashes.delete(id));
      throw (error as NodeJS.ErrnoException).code === 'ENOSPC'
        ? fail(R.full, { expected: 'room for the upload', actual: 'a full disk' }, error)
        : error;
    } finally {
      await file.close();
    }
  }
}

/** A disk that is nearly full may take less than it is given, without an error. */
async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
  }
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
