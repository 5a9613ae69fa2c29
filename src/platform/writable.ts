/** Asking before long or costly work whether its result can be kept. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { asFileError } from './files.ts';

/**
 * Throws WB-209 when a file cannot be written at `path`: its folder is missing or takes nothing, or it is a folder
 * itself. Nothing is written; what changes afterwards is found at writing.
 */
export async function requireWritable(path: string): Promise<void> {
  const file = resolve(path);
  try {
    const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (found?.isDirectory() === true) {
      throw Object.assign(new Error('a folder'), { code: 'EISDIR', path: file, syscall: 'open' });
    }
    if (found !== undefined) return await access(file, constants.W_OK);
    await access(dirname(file), constants.W_OK | constants.X_OK);
  } catch (error) {
    throw asFileError(error) ?? error;
  }
}
