/** The two ways to a TUF repository: over the network (or a folder), and from the cache alone. */

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fail, WaybillError } from '#base/reason';
import { readFileLimitedIfThere } from '#platform/files';
import { safeUrl, type Transport } from '#platform/http-client';
import { R } from './reasons.ts';
import type { TufMemory, TufSource } from './tuf.ts';
import { isPlainSegment } from './tuf-target.ts';

/**
 * Reads a mirror. Where no timestamp is, there is no repository, and a page, a refusal or a redirect that is not
 * followed is nobody's word about the content: all of that is WB-609, never a verdict. 403 counts as "not there" for
 * a next root only, since buckets that are not listed answer so.
 */
export function mirrorSource(mirror: string, transport: Transport): TufSource {
  const source = mirror.startsWith('file:')
    ? folderSource(folderOf(mirror), mirror)
    : httpSource(mirror.replace(/\/+$/, ''), transport);
  return {
    name: mirror,
    read: async (path, maxBytes) => {
      const bytes = await source.read(path, maxBytes);
      if (bytes !== undefined || path !== 'timestamp.json') return bytes;
      throw fail(R.unavailable, {
        expected: `a TUF repository at ${shown(mirror)}`,
        actual: 'no timestamp.json there',
        hint: 'check the address: it names the folder that timestamp.json and 1.root.json lie in',
      });
    },
  };
}

const shown = (mirror: string): string => (mirror.startsWith('file:') ? mirror : safeUrl(mirror));

function httpSource(base: string, transport: Transport): TufSource {
  return {
    read: async (path, maxBytes) => {
      const url = `${base}/${path}`;
      const answer = await transport.request({ url, maxBytes, redirects: 2 }).catch((error: unknown) => {
        if (!(error instanceof WaybillError) || error.reason.check !== 'http.redirect') throw error;
        throw unavailable(url, `a redirect that is not followed: ${error.reason.actual}`, error);
      });
      const isAbsent = answer.status === 404 || (answer.status === 403 && isRoot(path));
      if (isAbsent) return undefined;
      if (answer.status !== 200) throw unavailable(url, `status ${answer.status}`);
      if (!isPage(path, answer.body)) return answer.body;
      throw unavailable(url, `a page of HTML${answer.url === url ? '' : ` from ${safeUrl(answer.url)}`}`);
    },
  };
}

const isRoot = (path: string): boolean => /^\d+\.root\.json$/.test(path);

/** Whether a login, error or start page came in place of JSON. */
const isPage = (path: string, body: Uint8Array): boolean =>
  path.endsWith('.json') &&
  /^(?:\xef\xbb\xbf)?\s*</.test(Buffer.from(body.subarray(0, 256)).toString('latin1'));

const unavailable = (url: string, actual: string, cause?: unknown): WaybillError =>
  fail(R.unavailable, { expected: `TUF metadata from ${safeUrl(url)}`, actual }, cause);

/** Throws WB-607 for a file URL that names no folder here. */
function folderOf(mirror: string): string {
  try {
    return fileURLToPath(mirror);
  } catch (error) {
    throw fail(
      R.source,
      { expected: 'a folder as file:///PATH', actual: JSON.stringify(mirror), hint: mirrorHint },
      error,
    );
  }
}

/** What an address of a mirror looks like. */
export const mirrorHint =
  'give the address of a TUF repository, such as https://tuf.example, or file:///PATH of a folder';

/** Reads a folder as a mirror serves it. Throws WB-209 for what cannot be read, WB-601 for what is too long. */
export function folderSource(folder: string, name = folder): TufSource {
  return {
    name,
    read: async (path, maxBytes) => {
      const file = join(folder, ...path.split('/').map(decodeSegment));
      try {
        return await readFileLimitedIfThere(file, maxBytes);
      } catch (error) {
        if (!(error instanceof WaybillError) || error.reason.class !== 'limit') throw error;
        throw fail(R.tuf, { expected: error.reason.expected, actual: error.reason.actual }, error);
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
export function offlineSource(memory: TufMemory, mirror: string): TufSource {
  return {
    name: `the cache of ${mirror}`,
    read: async (path) => {
      if (isRoot(path)) return undefined;
      const kept = await memory.recall(path.replace(/^\d+\.(?=(?:snapshot|targets)\.json$)/, ''));
      if (kept !== undefined) return kept;
      throw fail(R.offline, { expected: `${path} in the cache`, actual: 'it is not there' });
    },
  };
}
