/**
 * What `bin/waybill` of the published package is: it runs the bundle that knows the verb, with the code V8 compiled
 * for that verb the last time. Node's own compile cache keeps what runs while a module loads; the functions a verb
 * calls are most of its work, so here the code is taken at the end of a run. Built by build/command-line.ts.
 */
import { hash } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { constants, Script } from 'node:vm';

/** Bundle of a verb, `''` for all others: file below lib/cli, and the SHA-256 of its text. */
declare const BUNDLES: Readonly<Record<string, { readonly file: string; readonly id: string }>>;

/** More than the verbs of one version; what is oldest goes first. */
const KEPT_MAX = 200;
const KEPT_BYTES_MAX = 64 * 1024 * 1024;
const DIGEST_BYTES = 32;

const digestOf = (data: Uint8Array): Buffer => hash('sha256', data, 'buffer');

function isOwn(path: string): boolean {
  const { uid, mode } = lstatSync(path);
  return uid === process.getuid?.() && (mode & 0o022) === 0;
}

/**
 * The user's own cache folder, and only where nobody else can write: whoever writes there decides what runs. So
 * not in a shared temporary folder, not for root in another user's home, and not in a pipeline, whose cache folder
 * other jobs may have filled.
 */
function cacheFolder(): string | undefined {
  const {
    XDG_CACHE_HOME: cache,
    HOME: home,
    NODE_DISABLE_COMPILE_CACHE: disabled,
    CI: pipeline,
  } = process.env;
  const base = cache || (home ? `${home}/.cache` : '');
  return disabled || pipeline || !base.startsWith('/') ? undefined : base;
}

const compiledBelow = (base: string): string => `${base}/waybill/compiled`;

const isOurs = (base: string): boolean =>
  isOwn(base) && isOwn(`${base}/waybill`) && isOwn(compiledBelow(base));

/** What `work` gives, or nothing: without kept code everything runs as well, only later. */
function orNothing<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

function keptBelow(base: string, name: string): Buffer | undefined {
  if (!isOurs(base)) return undefined;
  const path = `${compiledBelow(base)}/${name}`;
  const entry = lstatSync(path);
  if (!entry.isFile() || entry.size > KEPT_BYTES_MAX || !isOwn(path)) return undefined;
  const bytes = readFileSync(path);
  const data = bytes.subarray(DIGEST_BYTES);
  return digestOf(data).equals(bytes.subarray(0, DIGEST_BYTES)) ? data : undefined;
}

function keep(folder: string, name: string, data: Buffer): void {
  const others = readdirSync(folder).map((file) => `${folder}/${file}`);
  if (others.length >= KEPT_MAX) {
    const age = (path: string): number => orNothing(() => statSync(path).mtimeMs) ?? 0;
    const byAge = others.map((path) => ({ path, at: age(path) })).sort((a, b) => a.at - b.at);
    for (const { path } of byAge.slice(0, KEPT_MAX / 2)) rmSync(path, { recursive: true, force: true });
  }
  const draft = `${folder}/${name}.${process.pid}`;
  try {
    writeFileSync(draft, Buffer.concat([digestOf(data), data]), { mode: 0o600, flag: 'wx' });
    renameSync(draft, `${folder}/${name}`);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

/** Makes the folder where it may be made, and keeps the code there. */
function keepBelow(base: string, name: string, script: Script): void {
  // A new home has none yet.
  if (isOwn(join(base, '..'))) orNothing(() => mkdirSync(base, { mode: 0o700 }));
  if (!isOwn(base)) return;
  mkdirSync(compiledBelow(base), { recursive: true, mode: 0o700 });
  if (isOurs(base)) keep(compiledBelow(base), name, script.createCachedData());
}

function launch(verb: string): void {
  const { file, id } = BUNDLES[Object.hasOwn(BUNDLES, verb) ? verb : ''] as (typeof BUNDLES)[string];
  const cache = /^[a-z][a-z-]{0,40}$/.test(verb) ? cacheFolder() : undefined;
  const name = `${id.slice(0, 16)}-${process.version}-${process.arch}-${verb}`;
  const cachedData = cache === undefined ? undefined : orNothing(() => keptBelow(cache, name));
  const folder = `${__dirname.slice(0, -'bin'.length)}lib/cli`;
  const filename = `${folder}/${file}`;
  // A function of what a module gets, written in ASCII: every byte is a letter.
  const script = new Script(readFileSync(filename, 'latin1'), {
    filename,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    ...(cachedData === undefined ? {} : { cachedData }),
  });
  if (cache !== undefined && (cachedData === undefined || script.cachedDataRejected === true)) {
    // A run that failed early has called too little to be worth keeping.
    process.once('exit', (code) => {
      if (code === 0) orNothing(() => keepBelow(cache, name, script));
    });
  }
  const loaded = { exports: {} };
  // What stands beside the bundle, and what Node brings.
  const requireBeside = (path: string): unknown =>
    require(path.startsWith('./') ? `${folder}/${path}` : path);
  script.runInThisContext()(loaded.exports, Object.assign(requireBeside, require), loaded, filename, folder);
}

launch(process.argv[2] ?? '');
