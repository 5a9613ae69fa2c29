/** The bytes of an SBOM that is named on the command line. */
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { R } from '#formats/reasons-sbom';
import { readFileLimited, readInputLimited } from '#platform/files';

/** Of the file, or of standard input for `-`. Throws WB-192 for more than `maxBytes` there. */
export async function sbomFileBytes(path: string, maxBytes: number = limits.sbomBytes): Promise<Uint8Array> {
  if (path !== '-') return readFileLimited(path, maxBytes);
  const bytes = await readInputLimited(maxBytes);
  if (bytes !== undefined) return bytes;
  throw fail(R.sbom, { expected: `at most ${maxBytes} bytes on standard input`, actual: 'more' });
}
