/** The two ways to a TUF repository: over the network (or a folder), and from the cache alone. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fail } from '#base/reason';
import { safeUrl, type Transport } from '#platform/http-client';
import { R } from './reasons.ts';
import type { TufMemory, TufSource } from './tuf.ts';
import { isPlainSegment } from './tuf-target.ts';

/** Reads a mirror. Only 404 and 403 mean "not there"; any other status is nobody's word about the content. */
export function mirrorSource(mirror: string, transport: Transport): TufSource {
  if (mirror.startsWith('file:')) return folderSource(fileURLToPath(mirror));
  const base = mirror.replace(/\/+$/, '');
  return {
    read: async (path, maxBytes) => {
      const url = `${base}/${path}`;
      const answer = await transport.request({ url, maxBytes, redirects: 2 });
      if (answer.status === 200) return answer.body;
      if (answer.status === 404 || answer.status === 403) return undefined;
      throw fail(R.unavailable, { expected: `200 from ${safeUrl(url)}`, actual: String(answer.status) });
    },
  };
}

function folderSource(folder: string): TufSource {
  return {
    read: async (path) => {
      try {
        return new Uint8Array(await readFile(join(folder, ...path.split('/').map(decodeSegment))));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
    },
  };
}

/** A segment of a path as a file name. Throws WB-605 for one that is more than a name. */
function decodeSegment(segment: string): string {
  const name = decodeURIComponent(segment);
  if (isPlainSegment(name)) return name;
  throw fail(R.target, { expected: 'a plain file name', actual: JSON.stringify(name) });
}

/** Opens no connection: what the cache holds is read again, to be verified again. */
export function offlineSource(memory: TufMemory): TufSource {
  return {
    read: async (path) => {
      if (/^\d+\.root\.json$/.test(path)) return undefined;
      const kept = await memory.recall(path.replace(/^\d+\.(?=(?:snapshot|targets)\.json$)/, ''));
      if (kept !== undefined) return kept;
      throw fail(R.offline, { expected: `${path} in the cache`, actual: 'it is not there' });
    },
  };
}
