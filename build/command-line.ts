/**
 * The published command line: a launcher, and bundles that need nothing beside them. Packages that few runs need
 * are evaluated at their first use, and V8 keeps the compiled code between runs.
 */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';

/**
 * Files for some verbs only, beside the one for all: those that verify are run thousands of times a day and must
 * start at once, and what a file holds decides how long that takes. Only one file is read.
 */
const quick: Readonly<Record<string, readonly string[]>> = {
  'verify.cjs': ['digest', 'tree', 'verify', 'verify-blob'],
  'attestations.cjs': ['verify-attestation', 'verify-blob-attestation'],
};

/** Packages that are large and rarely needed, with the names our sources import from them. */
const lateNames: Readonly<Record<string, readonly string[]>> = {
  re2js: ['RE2JS'],
  '@noble/curves/abstract/edwards.js': ['eddsa', 'edwards'],
};

const LATE = 'late';

/** A module whose names load the real one when they are first called or read. */
function lateModule(path: string): string {
  const stand = (name: string): string =>
    `export const ${name} = new Proxy(function () {}, {
      get: (_, key) => Reflect.get(load().${name}, key),
      apply: (_, self, args) => Reflect.apply(load().${name}, self, args),
    });`;
  const names = lateNames[path] ?? [];
  return `const load = () => require(${JSON.stringify(path)});\n${names.map(stand).join('\n')}`;
}

/** What the bundle knows that the sources look up, and what it loads later than they do. */
function adjustments(version: string): Plugin {
  return {
    name: 'waybill',
    setup({ onResolve, onLoad }) {
      onLoad({ filter: /[/\\]src[/\\]cli[/\\]version\.ts$/ }, () => ({
        contents: `export const packageVersion = () => ${JSON.stringify(version)};`,
      }));
      // CommonJS has no await at the top; nothing follows it there.
      onLoad({ filter: /[/\\]src[/\\]cli[/\\]main\.ts$/ }, ({ path }) => {
        const contents = readFileSync(path, 'utf8').replace(/^await main\(/m, 'void main(');
        return { contents, loader: 'ts' };
      });
      onResolve(
        { filter: /^(?:re2js|@noble\/curves\/abstract\/edwards\.js)$/ },
        ({ path, namespace, importer }) =>
          namespace === LATE || /[/\\]node_modules[/\\]/.test(importer)
            ? undefined
            : { path, namespace: LATE },
      );
      onLoad({ filter: /.*/, namespace: LATE }, ({ path }) => ({
        contents: lateModule(path),
        resolveDir: process.cwd(),
      }));
      // commander wants it for subcommands that are programs of their own; there are none.
      onResolve({ filter: /^node:child_process$/ }, ({ importer, path }) =>
        /[/\\]commander[/\\]/.test(importer) ? { path, namespace: 'unused' } : undefined,
      );
      onLoad({ filter: /.*/, namespace: 'unused' }, () => ({ contents: 'module.exports = {};' }));
    },
  };
}

/** Leaves out verbs that are not asked for: their imports stay, and are never reached. */
const only = (verbs: readonly string[]): Plugin => ({
  name: 'only',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\/commands\// }, ({ path }) =>
      verbs.some((verb) => path === `./commands/${verb}.ts`) ? undefined : { path, external: true },
    );
  },
});

const fileOfVerb = (): Record<string, string> =>
  Object.fromEntries(Object.entries(quick).flatMap(([file, verbs]) => verbs.map((verb) => [verb, file])));

async function bundle(outfile: string, plugins: Plugin[]): Promise<void> {
  await build({
    entryPoints: ['src/cli/main.ts'],
    outfile,
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'cjs',
    target: 'node24',
    legalComments: 'linked',
    logLevel: 'warning',
    define: { 'import.meta.url': '__here', 'import.meta.dirname': '__dirname', 'import.meta.main': 'false' },
    banner: { js: "const __here = require('node:url').pathToFileURL(__filename).href;" },
    plugins,
  });
}

/**
 * Starts the file that knows the verb. Compiled code is kept in the user's own cache folder, and only where nobody
 * else can write: whoever writes there decides what runs. So not in a shared temporary folder, and not for root in
 * another user's home.
 */
const launcher = `#!/usr/bin/env node
'use strict';
const { mkdirSync, statSync } = require('node:fs');
const { XDG_CACHE_HOME: cache, HOME: home } = process.env;
const files = ${JSON.stringify(fileOfVerb())};
const isOwn = (path) => {
  const { uid, mode } = statSync(path);
  return uid === process.getuid() && (mode & 0o022) === 0;
};
try {
  const base = cache || (home ? home + '/.cache' : '');
  const folder = base + '/waybill/compiled';
  if (base.startsWith('/') && isOwn(base)) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (isOwn(base + '/waybill') && isOwn(folder)) require('node:module').enableCompileCache(folder);
  }
} catch {
  // Without a place to keep it, the code is compiled again.
}
const verb = process.argv[2] ?? '';
require('../lib/cli/' + (Object.hasOwn(files, verb) ? files[verb] : 'waybill.cjs'));
`;

/** Writes `bin/waybill` and `lib/cli` below `folder`. */
export async function commandLine(folder: string, version: string): Promise<void> {
  const cli = join(folder, 'lib', 'cli');
  await bundle(join(cli, 'waybill.cjs'), [adjustments(version)]);
  for (const [file, verbs] of Object.entries(quick)) {
    await bundle(join(cli, file), [adjustments(version), only(verbs)]);
  }
  const bin = join(folder, 'bin');
  mkdirSync(bin, { recursive: true });
  // The launcher has no ending to say so, and the package around it is of type module.
  writeFileSync(join(bin, 'package.json'), '{"type":"commonjs"}\n');
  writeFileSync(join(bin, 'waybill'), launcher);
  chmodSync(join(bin, 'waybill'), 0o755);
}
