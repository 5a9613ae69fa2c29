/** A file named on the command line, or standard input for `-`, bounded. */
import { fail } from '#base/reason';
import { readFileLimited, readInputLimited } from '#platform/files';
import { R } from './reasons.ts';

export async function readInput(path: string, maxBytes: number): Promise<Uint8Array> {
  if (path !== '-') return readFileLimited(path, maxBytes);
  const bytes = await readInputLimited(maxBytes);
  if (bytes !== undefined) return bytes;
  throw fail(R.predicateFile, { expected: `at most ${maxBytes} bytes on standard input`, actual: 'more' });
}
