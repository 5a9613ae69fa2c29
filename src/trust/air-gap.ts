/**
 * Trust over an air gap: everything a TUF client needs of a mirror, as a folder that is itself a mirror or as one
 * file. Nothing in it is believed: the importing side verifies it from the root it has pinned.
 */
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fromBase64, toBase64 } from '#base/bytes';
import { limits } from '#base/limits';
import { fail, type WaybillError } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import { parseJson, reader } from '#formats/json';
import {
  asFileError,
  makeFolders,
  readFileLimited,
  readFileLimitedIfThere,
  writeFileDurable,
} from '#platform/files';
import { rememberRoot, type Trust, type TrustDeps, type TrustSource, tufTrust } from './load.ts';
import { R } from './reasons.ts';
import { refuseSimulated } from './simulated.ts';
import { folderSource, mirrorSource } from './sources.ts';
import type { TufSource } from './tuf-types.ts';

type TufTrustSource = Extract<TrustSource, { kind: 'tuf' }>;

const SCHEMA = 'waybill.dev/trust-export/v1';
/** Where the name of the mirror stands in an exported folder. */
const ORIGIN_FILE = 'waybill-trust-export.json';
const EXPORT_BYTES_MAX = 64 * 1024 * 1024;

/** What was exported: paths below the mirror, with their bytes. */
export interface TrustExport {
  readonly mirror: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Reads a mirror whole and verifies it; every root there is comes along, for clients that start at an old one. */
export async function exportTrust(
  source: TufTrustSource,
  deps: TrustDeps,
): Promise<{ readonly exported: TrustExport; readonly trust: Trust }> {
  const files = new Map<string, Uint8Array>();
  const mirror = mirrorSource(source.mirror, deps.transport);
  const recording: TufSource = {
    name: source.mirror,
    read: async (path, maxBytes) => {
      const bytes = await mirror.read(path, maxBytes);
      if (bytes !== undefined) files.set(path, bytes);
      return bytes;
    },
  };
  const trust = await tufTrust(source, recording, 'forget');
  for (let version = 1; version <= (trust.tuf?.rootVersion ?? 0); version++) {
    const path = `${version}.root.json`;
    if (!files.has(path)) await recording.read(path, limits.tufMetadataBytes);
  }
  return { exported: { mirror: source.mirror, files }, trust };
}

/** A folder, which is a mirror of its own (`file://…`), or a file when the name ends in `.json`. */
export async function writeExport({ mirror, files }: TrustExport, path: string): Promise<void> {
  const head = { schema: SCHEMA, mirror };
  if (path.endsWith('.json')) {
    const encoded = Object.fromEntries([...files].map(([name, bytes]) => [name, toBase64(bytes)]));
    return writeFileDurable(path, `${JSON.stringify({ ...head, files: encoded })}\n`);
  }
  await makeFolders(path);
  for (const [name, bytes] of files) {
    await makeFolders(dirname(join(path, name)));
    await writeFileDurable(join(path, name), bytes);
  }
  await writeFileDurable(join(path, ORIGIN_FILE), `${JSON.stringify(head)}\n`);
}

/** Reads a file, whatever its name, or a folder that `writeExport` wrote. Throws WB-612, or WB-209 for neither. */
export async function readExport(
  path: string,
): Promise<{ readonly mirror: string; readonly source: TufSource }> {
  if (await isFolder(path)) {
    const head = await readFileLimitedIfThere(join(path, ORIGIN_FILE), limits.trustedRootBytes);
    if (head === undefined) throw unusable(path, `no ${ORIGIN_FILE}`);
    const { mirror } = parseExport(head, path);
    return { mirror, source: folderSource(path) };
  }
  const bytes = await readFileLimited(path, EXPORT_BYTES_MAX);
  const { mirror, files } = parseExport(bytes, path);
  return { mirror, source: { name: path, read: async (name) => files.get(name) } };
}

/** Throws WB-209 when there is nothing. */
async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    throw asFileError(error) ?? error;
  }
}

function parseExport(bytes: Uint8Array, path: string): TrustExport {
  const read = attempt(() => {
    const json = reader(unwrap(parseJson(bytes, { maxBytes: EXPORT_BYTES_MAX })), path);
    if (json.string('schema') !== SCHEMA) throw json.wrong('schema', SCHEMA, json.string('schema'));
    const mirror = json.text('mirror');
    if (!URL.canParse(mirror)) throw json.wrong('mirror', 'a URL', mirror);
    const listed = json.optionalChild('files');
    const names = Object.keys(listed?.object ?? {});
    return {
      mirror,
      files: new Map(names.map((name) => [name, fromBase64(listed?.text(name) ?? '')])),
    };
  });
  if (read.ok) return read.value;
  throw unusable(path, read.error.actual);
}

const unusable = (path: string, actual: string): WaybillError =>
  fail(R.exported, { expected: `${path} as waybill trust export writes it`, actual });

/**
 * Takes an export into the cache of its mirror, verified from the root that is pinned there or given. What is
 * older than the cache, expired, or does not verify changes nothing (WB-601, WB-602, exit 16).
 */
export async function importTrust(
  path: string,
  source: Omit<TufTrustSource, 'mirror' | 'kind'>,
): Promise<Trust> {
  const { mirror, source: reads } = await readExport(path);
  const tuf: TufTrustSource = { ...source, kind: 'tuf', mirror };
  const trust = await tufTrust(tuf, reads, 'remember', (root) => refuseSimulated(root, path));
  await rememberRoot(tuf);
  return trust;
}
