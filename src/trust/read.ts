/** Files that may be missing, never larger than they have a reason to be. */
import { WaybillError } from '#base/reason';
import { readFileLimited } from '#platform/files';

/** As `readFileLimited`; undefined where there is no such file. A device without end is not read to its end. */
export async function readFileLimitedIfThere(
  path: string,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  try {
    return await readFileLimited(path, maxBytes);
  } catch (error) {
    const cause = error instanceof WaybillError ? error.cause : undefined;
    if ((cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') return undefined;
    throw error;
  }
}
