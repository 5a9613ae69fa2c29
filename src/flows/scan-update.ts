/**
 * Use case: bring the newest advisory database here, from the first place that answers: an OCI artifact, an address
 * or a file. What was fetched is whole, verified and not older than what is there before it takes its place; where
 * any of that fails, what is there stays.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Digest } from '#base/brand';
import { utf8 } from '#base/bytes';
import { type Clock, rfc3339 } from '#base/clock';
import { fail, type Reason, WaybillError } from '#base/reason';
import { isJsonObject, own, parseJson } from '#formats/json';
import {
  annotation,
  buildManifest,
  type Descriptor,
  describe,
  emptyDescriptor,
  emptyJson,
  mediaType,
} from '#formats/oci';
import { openImage, type Registry, readBlob } from '#oci';
import { makeFolderDurable, readFileIfThere, readFileLimited, writeFileDurable } from '#platform/files';
import type { Transport } from '#platform/http-client';
import { type DatabaseInfo, loadDatabase, scanReasons as R } from '#scan';
import {
  bundlePath,
  DATABASE_BYTES_MAX,
  type DatabaseTrust,
  verifyDatabase,
  verifyDatabaseBundle,
} from './scan-database.ts';
import { registryReference } from './sign-image.ts';

export const DATABASE_MEDIA_TYPE = 'application/vnd.waybill.advisories.v2';
const FETCH_TIMEOUT_MS = 600_000;
const BUNDLE_BYTES_MAX = 1024 * 1024;

/** What is remembered of the place the installed database came from. */
interface UpdateState {
  readonly place: string;
  readonly etag?: string;
  readonly lastModified?: string;
  /** Of the OCI manifest. */
  readonly manifest?: string;
}

interface Fetched {
  readonly database: Uint8Array;
  readonly bundle: Uint8Array | undefined;
  readonly state: UpdateState;
}

export interface UpdateDeps {
  readonly registry: () => Promise<Registry>;
  readonly transport: Transport;
  readonly clock: Clock;
  /** Absent: the caller does not ask who signed it. */
  readonly trust?: DatabaseTrust;
}

export interface UpdateResult {
  readonly outcome: 'updated' | 'unchanged';
  readonly file: string;
  readonly place: string;
  readonly info: DatabaseInfo;
  /** Places that gave nothing, and why. */
  readonly failed: readonly { readonly place: string; readonly reason: Reason }[];
}

const statePath = (file: string): string => `${file}.state.json`;

/** Throws WB-881 when no place gives a database; a database that does not verify ends it with its own reason. */
export async function updateDatabase(
  places: readonly string[],
  file: string,
  deps: UpdateDeps,
): Promise<UpdateResult> {
  const known = (await isAsAsked(file, deps.trust)) ? await readState(file) : undefined;
  const failed: { place: string; reason: Reason }[] = [];
  for (const place of places) {
    let fetched: Fetched | 'unchanged';
    try {
      fetched = await fetchFrom(place, known?.place === place ? known : undefined, deps);
    } catch (error) {
      if (!(error instanceof WaybillError)) throw error;
      failed.push({ place, reason: error.reason });
      continue;
    }
    if (fetched === 'unchanged') return { outcome: 'unchanged', file, place, info: infoOf(file), failed };
    const info = await install(fetched, file, deps);
    return { outcome: info.isNew ? 'updated' : 'unchanged', file, place, info: info.info, failed };
  }
  const actual = failed.map(
    ({ place, reason }) => `${place}: ${reason.check} (${reason.code}) ${reason.actual}`,
  );
  throw fail(R.databaseUpdate, { expected: 'a database from one of the places', actual: actual.join('; ') });
}

function infoOf(file: string): DatabaseInfo {
  const database = loadDatabase(file);
  database.close();
  return database.info;
}

/** What is here and is not signed as asked does not count as known: it is fetched again, and judged anew. */
async function isAsAsked(file: string, trust: DatabaseTrust | undefined): Promise<boolean> {
  const info = installedInfo(file);
  if (info === undefined || trust === undefined) return info !== undefined;
  return verifyDatabase(file, info, trust).then(
    () => true,
    (error: unknown) => {
      if (error instanceof WaybillError) return false;
      throw error;
    },
  );
}

function installedInfo(file: string): DatabaseInfo | undefined {
  try {
    return infoOf(file);
  } catch {
    // Damaged or of another version: anything that verifies is better.
    return undefined;
  }
}

async function readState(file: string): Promise<UpdateState | undefined> {
  const bytes = await readFileIfThere(statePath(file));
  const parsed = bytes === undefined ? undefined : parseJson(bytes);
  if (parsed?.ok !== true || !isJsonObject(parsed.value)) return undefined;
  const json = parsed.value;
  const text = (key: keyof UpdateState): Partial<UpdateState> => {
    const value = own(json, key);
    return typeof value === 'string' ? { [key]: value } : {};
  };
  const place = own(json, 'place');
  if (typeof place !== 'string') return undefined;
  return { place, ...text('etag'), ...text('lastModified'), ...text('manifest') };
}

/** `https://…`, `file:PATH` or a path that names a file, else a reference of a registry or a layout. */
async function fetchFrom(
  place: string,
  known: UpdateState | undefined,
  deps: UpdateDeps,
): Promise<Fetched | 'unchanged'> {
  if (/^https?:\/\//.test(place)) return await fetchUrl(place, known, deps);
  const path = place.startsWith('file:') ? place.slice(5) : place;
  if (place.startsWith('file:') || /^[./]/.test(place)) return await fetchFile(place, path);
  return await fetchArtifact(place, known, deps);
}

async function fetchFile(place: string, path: string): Promise<Fetched> {
  const database = await readFileLimited(path, DATABASE_BYTES_MAX);
  return { database, bundle: await readFileIfThere(bundlePath(path)), state: { place } };
}

async function fetchUrl(
  place: string,
  known: UpdateState | undefined,
  { transport }: UpdateDeps,
): Promise<Fetched | 'unchanged'> {
  const common = { timeoutMs: FETCH_TIMEOUT_MS, redirects: 3 };
  const headers = {
    ...(known?.etag === undefined ? {} : { 'if-none-match': known.etag }),
    ...(known?.lastModified === undefined ? {} : { 'if-modified-since': known.lastModified }),
  };
  const answer = await transport.request({ ...common, url: place, headers, maxBytes: DATABASE_BYTES_MAX });
  if (answer.status === 304 && known !== undefined) return 'unchanged';
  if (answer.status !== 200) {
    throw fail(R.databaseUpdate, { expected: `a database at ${place}`, actual: `status ${answer.status}` });
  }
  const signature = await transport.request({
    ...common,
    url: bundlePath(place),
    maxBytes: BUNDLE_BYTES_MAX,
  });
  const etag = answer.headers.get('etag');
  const lastModified = answer.headers.get('last-modified');
  return {
    database: answer.body,
    bundle: signature.status === 200 ? signature.body : undefined,
    state: {
      place,
      ...(etag === undefined ? {} : { etag }),
      ...(lastModified === undefined ? {} : { lastModified }),
    },
  };
}

async function fetchArtifact(
  place: string,
  known: UpdateState | undefined,
  deps: UpdateDeps,
): Promise<Fetched | 'unchanged'> {
  const { source, selector } = await openImage(await deps.registry(), place);
  const { digest } = await source.resolve(selector);
  if (known?.manifest === digest) return 'unchanged';
  const manifest = await source.manifest(digest);
  const layers: readonly Descriptor[] = manifest.kind === 'manifest' ? manifest.layers : [];
  const database = layers.find((layer) => layer.mediaType === DATABASE_MEDIA_TYPE);
  if (database === undefined) {
    const actual = layers.map((layer) => layer.mediaType).join(', ') || 'none';
    throw fail(R.databaseUpdate, { expected: `a layer of type ${DATABASE_MEDIA_TYPE} in ${place}`, actual });
  }
  const bundle = layers.find((layer) => layer.mediaType === mediaType.bundle);
  return {
    database: await readBlob(source, database, DATABASE_BYTES_MAX),
    bundle: bundle === undefined ? undefined : await readBlob(source, bundle, BUNDLE_BYTES_MAX),
    state: { place, manifest: digest },
  };
}

/** Beside its place first: it is opened and verified there, and only then takes the place. */
async function install(
  fetched: Fetched,
  file: string,
  { trust }: UpdateDeps,
): Promise<{ readonly info: DatabaseInfo; readonly isNew: boolean }> {
  const folder = dirname(file);
  makeFolderDurable(folder);
  const waitingFolder = await mkdtemp(join(folder, '.update-'));
  const waiting = join(waitingFolder, 'advisories.db');
  try {
    await writeFileDurable(waiting, fetched.database);
    const info = infoOf(waiting);
    if (trust !== undefined) {
      if (fetched.bundle === undefined) {
        const expected = `a signature beside ${fetched.state.place}`;
        throw fail(R.databaseSignature, { expected, actual: 'none' });
      }
      verifyDatabaseBundle(fetched.bundle, info, trust);
    }
    const before = installedInfo(file);
    if (before !== undefined && before.builtMs > info.builtMs) {
      const expected = `a database built after ${rfc3339(before.builtMs)}, the one that is here`;
      throw fail(R.databaseUpdate, { expected, actual: `one built ${rfc3339(info.builtMs)}` });
    }
    await writeFileDurable(file, fetched.database);
    if (fetched.bundle === undefined) await rm(bundlePath(file), { force: true });
    else await writeFileDurable(bundlePath(file), fetched.bundle);
    await writeFileDurable(statePath(file), utf8(`${JSON.stringify(fetched.state)}\n`));
    return { info, isNew: before?.digest !== info.digest };
  } finally {
    await rm(waitingFolder, { recursive: true, force: true });
  }
}

/** Publishes a database file, with the signature beside it, as an OCI artifact. */
export async function pushDatabase(
  file: string,
  reference: string,
  deps: { readonly registry: Registry },
): Promise<Digest> {
  const target = registryReference(reference);
  const repository = deps.registry.repository(target);
  const info = infoOf(file);
  const database = await readFileLimited(file, DATABASE_BYTES_MAX);
  const bundle = await readFileIfThere(bundlePath(file));
  const parts: readonly (readonly [Uint8Array, string])[] = [
    [database, DATABASE_MEDIA_TYPE],
    ...(bundle === undefined ? [] : [[bundle, mediaType.bundle] as const]),
  ];
  const layers = parts.map(([bytes, type]) => describe(bytes, type));
  const manifest = buildManifest({
    artifactType: DATABASE_MEDIA_TYPE,
    config: emptyDescriptor,
    layers,
    annotations: new Map([
      [annotation.created, rfc3339(info.builtMs)],
      ['dev.waybill.advisories.content', info.digest],
    ]),
  });
  await repository.putBlob(emptyDescriptor, () => once(emptyJson));
  for (const [i, [bytes]] of parts.entries())
    await repository.putBlob(layers[i] as Descriptor, () => once(bytes));
  await repository.putManifest(manifest, {
    ...(target.tag === undefined ? {} : { tag: target.tag }),
    listed: true,
  });
  return manifest.digest;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
