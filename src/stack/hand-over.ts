/**
 * What a stack gives to machines that cannot reach it: its TUF repository, verified, and its public files, in one
 * folder. Nothing in it is secret, and nothing in it is believed where it arrives: that begins with a checksum of the
 * first root, which travels by another way.
 */
import { join } from 'node:path';
import { fail } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import { parseJson, reader } from '#formats/json';
import { readFileIfThere, readFileLimited, writeFileDurable } from '#platform/files';
import type { Transport } from '#platform/http-client';
import {
  addProfile,
  exportTrust,
  importTrust,
  rootChecksum,
  stackTrustFiles,
  type Trust,
  writeExport,
} from '#trust';
import { requireSignedFiles } from './hand-over-files.ts';
import { R } from './reasons.ts';
import { requireState, stackTransport } from './state.ts';

const SCHEMA = 'waybill.dev/stack-export/v1';
const ABOUT_FILE = 'stack-export.json';
const MIRROR = 'mirror';
const FILE_BYTES_MAX = 1024 * 1024;
/** Beside what TUF signs: for clients that take single files. */
const singleFiles = [
  ...Object.values(stackTrustFiles),
  'public/fulcio_chain.pem',
  'public/tsa_chain.pem',
  'public/rekor.pub',
  'public/ctfe.pub',
];

export interface HandOver {
  /** `sha512:…` of the first root: to be compared by people. */
  readonly rootChecksum: string;
  readonly files: number;
  readonly mirror: string;
}

/** Throws WB-1202, and what the repository is refused for. */
export async function exportStack(
  dataDir: string,
  folder: string,
  given: { readonly transport: Transport; readonly cacheDir: string },
): Promise<HandOver> {
  const state = await requireState(dataDir);
  const transport = stackTransport(dataDir, state, given.transport);
  const root = join(dataDir, stackTrustFiles.tufRoot);
  const mirror = state.origins.tuf;
  const source = { kind: 'tuf', mirror, root, cacheDir: given.cacheDir } as const;
  const { exported } = await exportTrust(source, { transport });
  await writeExport(exported, join(folder, MIRROR));
  let count = exported.files.size;
  for (const name of singleFiles) {
    const bytes = await readFileIfThere(join(dataDir, name));
    if (bytes === undefined) continue;
    await writeFileDurable(join(folder, name.replace(/^public\//, '')), bytes);
    count += 1;
  }
  const checksum = rootChecksum(await readFileLimited(root, FILE_BYTES_MAX));
  // Last: a folder without it was broken off.
  const about = { schema: SCHEMA, mirror, rootChecksum: checksum, development: state.development };
  await writeFileDurable(join(folder, ABOUT_FILE), `${JSON.stringify(about, undefined, 2)}\n`);
  return { rootChecksum: checksum, files: count, mirror };
}

/**
 * Takes an export into the trust cache of this machine, and under a name when one is given. `checksum` is what the
 * stack's operator said. Throws WB-1218 for another folder or single files in it that are not of this stack, and what the trust is refused for (exit 16).
 */
export async function importStack(
  folder: string,
  checksum: string,
  place: { readonly cacheDir: string; readonly configDir: string; readonly name?: string },
): Promise<{ readonly trust: Trust; readonly mirror: string }> {
  const bytes = await readFileIfThere(join(folder, ABOUT_FILE));
  const read = attempt(() => {
    const json = reader(unwrap(parseJson(bytes ?? new Uint8Array(0))), ABOUT_FILE);
    if (json.string('schema') !== SCHEMA) throw json.wrong('schema', SCHEMA, json.string('schema'));
    return json.text('mirror');
  });
  if (!read.ok) {
    const actual = bytes === undefined ? `no ${ABOUT_FILE}` : read.error.check;
    throw fail(R.exported, { expected: `a folder of waybill stack export in ${folder}`, actual });
  }
  const root = join(folder, 'root.json');
  const trust = await importTrust(join(folder, MIRROR), {
    cacheDir: place.cacheDir,
    root,
    rootChecksum: checksum,
  });
  await requireSignedFiles(folder, MIRROR, trust);
  if (place.name !== undefined) {
    await addProfile(place.configDir, place.name, { tufMirror: read.value, tufRoot: root }, folder);
  }
  return { trust, mirror: read.value };
}
