/**
 * The published command line: a launcher, and bundles that need nothing beside them. Packages that few runs need
 * are evaluated at their first use, and V8 keeps the compiled code between runs.
 */
import { createHash } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';

/**
 * Files for some verbs only, beside the one for all: those that verify are run thousands of times a day and must
 * start at once, and what a file holds decides how long that takes. Only one file is read.
 */
const quick: Readonly<Record<string, readonly string[]>> = {
  'verify-blob.cjs': ['verify-blob'],
  'verify.cjs': ['digest', 'tree', 'verify'],
  'attestations.cjs': ['verify-attestation', 'verify-blob-attestation'],
  'sbom.cjs': ['sbom'],
  'scan.cjs': ['scan'],
};

/** Packages few runs need, by the file of their own they stand in: no run reads them that does not. */
const apart: Readonly<Record<string, readonly string[]>> = {
  're2js.cjs': ['re2js'],
  'edwards.cjs': ['@noble/curves/abstract/edwards.js'],
  'tuf.cjs': ['tuf-js', '@tufjs/models'],
};

const fileApart = (path: string): string | undefined =>
  Object.entries(apart).find(([, packages]) => packages.includes(path))?.[0];

/** Packages that are loaded at their first use, with the names our sources import from them. */
const lateNames: Readonly<Record<string, readonly string[]>> = {
  re2js: ['RE2JS'],
  '@noble/curves/abstract/edwards.js': ['eddsa', 'edwards'],
};

/** Parts of Node that draw in others and that few runs need; of theirs only functions are imported. */
const lateBuiltins: readonly string[] = [
  'node:child_process',
  'node:fs/promises',
  'node:os',
  'node:readline/promises',
  'node:timers/promises',
];

const LATE = 'late';
const APART = 'apart';

const functionsOf = (builtin: string): readonly string[] =>
  Object.entries(createRequire(import.meta.url)(builtin) as object).flatMap(([name, value]) =>
    typeof value === 'function' ? [name] : [],
  );

/** A module whose names load the real one when they are first called or read. */
function lateModule(path: string): string {
  const stand = (name: string): string =>
    `export const ${name} = /* @__PURE__ */ new Proxy(function () {}, {
      get: (_, key) => Reflect.get(load().${name}, key),
      apply: (_, self, args) => Reflect.apply(load().${name}, self, args),
    });`;
  const names = lateNames[path] ?? functionsOf(path);
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
      const isLate = (path: string): boolean => Object.hasOwn(lateNames, path) || lateBuiltins.includes(path);
      onResolve({ filter: /^[^./]/ }, ({ path, namespace, importer }) => {
        if (namespace === APART || /[/\\]node_modules[/\\]/.test(importer)) return undefined;
        if (namespace !== LATE && isLate(path)) return { path, namespace: LATE };
        const file = fileApart(path);
        return file === undefined ? undefined : { path: `./${file}`, external: true };
      });
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

/** Packages as one file. */
const together = (packages: readonly string[]): Plugin => ({
  name: 'together',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^apart$/ }, ({ path }) => ({ path, namespace: APART }));
    onLoad({ filter: /.*/, namespace: APART }, () => ({
      contents: packages.map((path) => `export * from ${JSON.stringify(path)};`).join('\n'),
      resolveDir: process.cwd(),
    }));
  },
});

/** Leaves out verbs that are not asked for: their imports stay, and are never reached. */
const only = (verbs: readonly string[]): Plugin => ({
  name: 'only',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\/commands\// }, ({ path }) =>
      verbs.some((verb) => path === `./commands/${verb}.ts`) ? undefined : { path, external: true },
    );
  },
});

const common = {
  bundle: true,
  minify: true,
  platform: 'node',
  format: 'cjs',
  target: 'node24',
  legalComments: 'linked',
  logLevel: 'warning',
  // A script that is run with kept code has nothing that could import for it.
  supported: { 'dynamic-import': false },
} satisfies BuildOptions;

interface Bundle {
  readonly file: string;
  /** SHA-256 of its text. */
  readonly id: string;
}

/** What the launcher runs is a function: the engine takes its text as it is read. */
const asFunction = { open: '(function(exports,require,module,__filename,__dirname){', close: '})' };

interface BundleOptions {
  readonly plugins: Plugin[];
  readonly isFunction?: boolean;
}

async function bundle(
  folder: string,
  file: string,
  entry: string,
  { plugins, isFunction = false }: BundleOptions,
): Promise<Bundle> {
  const outfile = join(folder, file);
  const { open, close } = isFunction ? asFunction : { open: '', close: '' };
  await build({
    ...common,
    entryPoints: [entry],
    outfile,
    define: {
      'import.meta.url': '__here.url',
      'import.meta.dirname': '__dirname',
      'import.meta.main': 'false',
    },
    banner: {
      js: `${open}const __here={get url(){return require('node:url').pathToFileURL(__filename).href}};`,
    },
    footer: { js: close },
    plugins,
  });
  const text = inAscii(readFileSync(outfile, 'utf8'));
  writeFileSync(outfile, text);
  return { file, id: createHash('sha256').update(text).digest('hex') };
}

/**
 * One letter outside ASCII makes the engine hold the whole text in twice the memory, and read it slower. What
 * esbuild leaves of them stands in regular expressions and tagged templates, where an escape means the same as long
 * as nobody reads raw text.
 */
const inAscii = (text: string): string =>
  text.replace(/[^\x00-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** Writes `bin/waybill` and `lib/cli` below `folder`. */
export async function commandLine(folder: string, version: string): Promise<void> {
  const cli = join(folder, 'lib', 'cli');
  const main = 'src/cli/main.ts';
  const bundles: Record<string, Bundle> = {
    '': await bundle(cli, 'waybill.cjs', main, { plugins: [adjustments(version)], isFunction: true }),
  };
  for (const [file, verbs] of Object.entries(quick)) {
    const plugins = [adjustments(version), only(verbs)];
    const made = await bundle(cli, file, main, { plugins, isFunction: true });
    for (const verb of verbs) bundles[verb] = made;
  }
  for (const [file, packages] of Object.entries(apart)) {
    await bundle(cli, file, 'apart', { plugins: [together(packages)] });
  }
  // The threads of `sbom` and `scan` look for it beside the bundle that starts them.
  await bundle(cli, 'layer-worker.cjs', 'src/sbom/layer-worker.ts', { plugins: [adjustments(version)] });
  const bin = join(folder, 'bin');
  await build({
    ...common,
    entryPoints: ['src/cli/launcher.ts'],
    outfile: join(bin, 'waybill'),
    define: { BUNDLES: JSON.stringify(bundles) },
    banner: { js: '#!/usr/bin/env node' },
  });
  // It has no ending to say so, and the package around it is of type module.
  writeFileSync(join(bin, 'package.json'), '{"type":"commonjs"}\n');
  chmodSync(join(bin, 'waybill'), 0o755);
}
