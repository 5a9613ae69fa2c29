/** What the build needs: a git repository with the service and its definition, and the declared inputs. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';

export interface Prepared {
  readonly repository: string;
  readonly commit: string;
  readonly dependencies: string;
  readonly runtime: string;
  readonly files: number;
}

export const TAG = 'v1.4.2';

/** A hundred megabytes in the image; `WAYBILL_DEMO_RUNTIME` names something lighter where no image has to run. */
const runtimeFile = process.env['WAYBILL_DEMO_RUNTIME'] ?? process.execPath;

/** Nothing of the user's git configuration takes part; the commit is the same on every machine. */
const gitEnv = {
  ...process.env,
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_SYSTEM: '/dev/null',
  GIT_AUTHOR_NAME: 'acme',
  GIT_AUTHOR_EMAIL: 'release@acme.example',
  GIT_COMMITTER_NAME: 'acme',
  GIT_COMMITTER_EMAIL: 'release@acme.example',
  GIT_AUTHOR_DATE: '2026-01-02T03:04:05Z',
  GIT_COMMITTER_DATE: '2026-01-02T03:04:05Z',
};

function git(folder: string, ...args: string[]): string {
  return execFileSync('git', ['-C', folder, ...args], { env: gitEnv, encoding: 'utf8' }).trim();
}

/** Commits `files` into a fresh repository and tags it. */
export function makeRepository(folder: string, copy: (folder: string) => void, tag = TAG): string {
  mkdirSync(folder, { recursive: true });
  git(folder, 'init', '--quiet', '--initial-branch=main');
  copy(folder);
  git(folder, 'add', '--all');
  git(folder, 'commit', '--quiet', '--message', `Release ${tag}`);
  git(folder, 'tag', tag);
  return git(folder, 'rev-parse', 'HEAD');
}

export function prepare(work: string): Prepared {
  const repository = join(work, 'acme', 'api');
  const commit = makeRepository(repository, (folder) => {
    cpSync('src', join(folder, 'src'), { recursive: true });
    cpSync('package.json', join(folder, 'package.json'));
    cpSync('demo/service/waybill-build.yaml', join(folder, 'waybill-build.yaml'));
  });
  const dependencies = join(work, 'inputs', 'dependencies');
  const files = copyProductionDependencies(dependencies);
  const runtime = join(work, 'inputs', 'runtime');
  mkdirSync(runtime, { recursive: true });
  cpSync(realpathSync(runtimeFile), join(runtime, 'node'));
  return { repository, commit, dependencies, runtime, files };
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly optional?: boolean }>>;
}

/** The installed tree without what only development needs, by npm's own lock file. */
function copyProductionDependencies(to: string): number {
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as Lock;
  let files = 0;
  for (const [path, entry] of Object.entries(lock.packages)) {
    const isNested = path.split('node_modules/').length > 2;
    if (path === '' || entry.dev === true || entry.optional === true || isNested || !existsSync(path))
      continue;
    const target = join(to, path.replace(/^node_modules\//, ''));
    cpSync(path, target, { recursive: true, verbatimSymlinks: true });
    files += countFiles(target);
  }
  return files;
}

function countFiles(folder: string): number {
  let count = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true }))
    if (entry.isFile()) count++;
  return count;
}

export const megabytes = (path: string): string => (statSync(path).size / 1e6).toFixed(0);
