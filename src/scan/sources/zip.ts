/** The entries of a zip archive, one after another, each within the limits. */
import { promisify } from 'node:util';
import { type Entry, type Options, open, type ZipFile } from 'yauzl';
import { concat } from '#base/bytes';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { R } from '../reasons.ts';

const openZip = promisify<string, Options, ZipFile>(open);

/** Calls `onEntry` for every file in the archive at `path`. WB-871 for archives that cannot be read. */
export async function readZip(
  path: string,
  onEntry: (name: string, bytes: Uint8Array) => void,
): Promise<void> {
  let total = 0;
  try {
    const zip = await openZip(path, { lazyEntries: true, autoClose: true, validateEntrySizes: true });
    await new Promise<void>((resolve, reject) => {
      zip.on('error', reject);
      zip.on('end', () => resolve());
      zip.on('entry', (entry: Entry) => {
        total += entry.uncompressedSize;
        if (entry.uncompressedSize > limits.osvRecordBytes || total > limits.osvSourceBytes) {
          reject(fail(R.databaseSource, { expected: 'records within the limits', actual: entry.fileName }));
          zip.close();
          return;
        }
        readEntry(zip, entry).then((bytes) => {
          onEntry(entry.fileName, bytes);
          zip.readEntry();
        }, reject);
      });
      zip.readEntry();
    });
  } catch (error) {
    const actual = (error as Error).message;
    throw fail(R.databaseSource, { expected: `${path} as a zip archive of OSV records`, actual }, error);
  }
}

async function readEntry(zip: ZipFile, entry: Entry): Promise<Uint8Array> {
  const stream = await promisify<Entry, NodeJS.ReadableStream>(zip.openReadStream.bind(zip))(entry);
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return concat(...chunks);
}
