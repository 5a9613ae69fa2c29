/**
 * A folder in memory for what the tests write. They write thousands of small durable files, and on a disk most of
 * their time would be waiting for it. Nothing is lost by that: tests end processes, not machines, so none sees
 * whether a disk was asked to keep what it has.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const SHARED_MEMORY = '/dev/shm';
const FREE_BYTES_MIN = 4 * 1024 ** 3;

/** Removed when this process ends; undefined where memory is short, or programs cannot be started from there. */
export function memoryFolder(): string | undefined {
  try {
    const { bavail, bsize } = statfsSync(SHARED_MEMORY);
    if (bavail * bsize < FREE_BYTES_MIN) return undefined;
    // A short name: the address of a local socket, which lies below it, has some hundred bytes.
    const folder = mkdtempSync(join(SHARED_MEMORY, 'wb-'));
    // Databases and builds that run under another user pass through it, as they would through /tmp.
    chmodSync(folder, 0o711);
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    const program = join(folder, 'program');
    writeFileSync(program, '#!/bin/sh\n');
    chmodSync(program, 0o755);
    return spawnSync(program).status === 0 ? folder : undefined;
  } catch {
    return undefined;
  }
}
