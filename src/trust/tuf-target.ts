/** Targets by name and hash: where a consistent-snapshot mirror keeps them, and whether bytes are one. */
import { Readable } from 'node:stream';
import type { TargetFile } from 'tuf-js';
import { fail } from '#base/reason';
import { R } from './reasons.ts';

/** Whether a name stays in the folder it is put in. */
export const isPlainSegment = (name: string): boolean =>
  name !== '' && name !== '.' && name !== '..' && !/[/\\\0]/.test(name);

/** `a/b.json` as `targets/a/<hash>.b.json`. Throws WB-605 for a name that could leave its folder. */
export function targetPath(name: string, hash: string): string {
  const segments = name.split('/');
  if (!segments.every(isPlainSegment)) {
    throw fail(R.target, { expected: 'a target name of plain segments', actual: JSON.stringify(name) });
  }
  const last = segments.pop() as string;
  return ['targets', ...segments, `${hash}.${last}`].join('/');
}

/** The hashes of a target this client can check, strongest habit first; at least one. Throws WB-605. */
export function targetHashes(info: TargetFile): readonly string[] {
  const hashes = ['sha256', 'sha512'].flatMap((name) => info.hashes[name] ?? []);
  if (hashes.length > 0 && hashes.every((hash) => /^(?:[0-9a-f]{64}|[0-9a-f]{128})$/.test(hash)))
    return hashes;
  const actual = Object.keys(info.hashes).join(', ');
  throw fail(R.target, { expected: `a SHA-256 or SHA-512 for ${info.path}`, actual });
}

/** Each segment URL-encoded, as a `TufSource` reads it. */
export const encodePath = (path: string): string => path.split('/').map(encodeURIComponent).join('/');

/** Whether `bytes` have the length and every hash of the target. */
export async function isTarget(info: TargetFile, bytes: Uint8Array): Promise<boolean> {
  try {
    await info.verify(Readable.from([Buffer.from(bytes)]));
    return true;
  } catch {
    return false;
  }
}
