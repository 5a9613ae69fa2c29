/**
 * Standard output and error of this process, written at once. Node's own stream objects load its sockets, which
 * costs a start as much as the signature checks of a bundle; they are made where a write would have to wait, and on
 * Windows, whose console knows letters and no bytes.
 */
import { fstatSync, writeSync } from 'node:fs';

export interface StandardStream {
  write(data: string | Uint8Array): void;
  readonly isTerminal: boolean;
}

/** A system's failure to write, as `node:fs` throws it. */
export type WriteError = NodeJS.ErrnoException;

/** Where the bytes go; the real one is `node:fs`. Returns how many were taken. */
export type WriteBytes = (fd: number, bytes: Uint8Array) => number;

/**
 * The stream of a descriptor. A reader that left is no error; `lost` is told once of any other failure, and what
 * follows it is dropped.
 */
export function standardStream(
  fd: 1 | 2,
  lost: (error: WriteError) => void,
  writeBytes: WriteBytes = writeSync,
): StandardStream {
  let later: NodeJS.WriteStream | undefined;
  let isOver = false;
  const over = (error: WriteError): void => {
    if (isOver) return;
    isOver = true;
    if (error.code !== 'EPIPE') lost(error);
  };
  // Once a write had to wait, all that follow come after it.
  const waiting = (): NodeJS.WriteStream => {
    if (later !== undefined) return later;
    later = fd === 1 ? process.stdout : process.stderr;
    later.on('error', over);
    return later;
  };
  return {
    write(data) {
      if (isOver) return;
      if (later !== undefined || process.platform === 'win32') {
        waiting().write(data);
        return;
      }
      let rest = typeof data === 'string' ? Buffer.from(data) : data;
      try {
        while (rest.length > 0) rest = rest.subarray(writeBytes(fd, rest));
      } catch (error) {
        if ((error as WriteError).code === 'EAGAIN') waiting().write(rest);
        else over(error as WriteError);
      }
    },
    get isTerminal() {
      return isTerminal(fd);
    },
  };
}

function isTerminal(fd: 1 | 2): boolean {
  try {
    // Every terminal is such a device; only of one is the question worth the sockets it loads.
    if (process.platform !== 'win32' && !fstatSync(fd).isCharacterDevice()) return false;
  } catch {
    return false;
  }
  return process.getBuiltinModule('node:tty').isatty(fd);
}
