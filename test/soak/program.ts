/**
 * Child programs of the soaks, each made into one file: a process that is started thousands of times should not
 * spend its life reading modules.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

export interface Program {
  /** What to start after `process.execPath`. */
  readonly args: readonly string[];
  /** For its environment: compiled code is kept beside it. */
  readonly env: Readonly<Record<string, string>>;
}

/** Bundles `programs/<name>.ts` into `folder`. */
export async function bundled(name: string, folder: string): Promise<Program> {
  mkdirSync(folder, { recursive: true });
  const outfile = join(folder, `${name}.mjs`);
  await build({
    entryPoints: [join(import.meta.dirname, 'programs', `${name}.ts`)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    logLevel: 'error',
    banner: { js: "import { createRequire as $r } from 'node:module'; const require = $r(import.meta.url);" },
  });
  return {
    args: ['--disable-warning=ExperimentalWarning', outfile],
    env: { NODE_COMPILE_CACHE: join(folder, 'compiled'), PATH: process.env['PATH'] ?? '' },
  };
}
