/** A file named on the command line, or standard input for `-`, bounded. */
import { fail } from '#base/reason';
import { inputChunks, readFileLimited } from '#platform/files';
import { R } from './reasons.ts';

export async function readInput(path: string, maxBytes: number): Promise<Uint8Array> {
  if (path !== '-') return readFileLimited(path, maxBytes);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of inputChunks()) {
    length += chunk.length;
    if (length > maxBytes) {
      throw fail(R.predicateFile, {
        expected: `at most ${maxBytes} bytes on standard input`,
        actual: 'more',
      });
    }
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}
