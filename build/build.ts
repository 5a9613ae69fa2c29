/**
 * `npm run build`: makes what is published, in dist/: the bundled command line, the library as
 * JavaScript with declarations, and a package.json of its own (Node strips no types under node_modules, and
 * the pinned Node is for development only).
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { commandLine } from './command-line.ts';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly license: string;
  readonly imports: Record<string, string>;
  readonly dependencies: Record<string, string>;
  readonly engines: Record<string, string>;
}

/** Rooms that are the library's public subpaths (design: exports). `base`, `platform`, services and cli stay closed. */
export const publicRooms = [
  'verify',
  'oci',
  'trust',
  'identity',
  'sign',
  'sbom',
  'scan',
  'provenance',
  'policy',
  'tlog',
  'stack',
] as const;

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;

function library(): void {
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
    stdio: 'inherit',
  });
  // The compiler rewrites specifiers in JavaScript only; declarations still say .ts.
  for (const file of globSync('dist/lib/**/*.d.ts')) {
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace(/(from\s+|import\()(['"])(\.[^'"]+)\.ts\2/g, '$1$2$3.js$2'));
  }
}

function packageJson(): void {
  const toJs = (path: string): string => path.replace('./src/', './lib/').replace(/\.ts$/, '.js');
  const exportsMap: Record<string, unknown> = {};
  for (const room of publicRooms) {
    exportsMap[`./${room}`] = { types: `./lib/${room}/index.d.ts`, default: `./lib/${room}/index.js` };
  }
  for (const open of ['formats', 'flows']) {
    exportsMap[`./${open}/*`] = { types: `./lib/${open}/*.d.ts`, default: `./lib/${open}/*.js` };
  }
  const published = {
    name: manifest.name,
    version: manifest.version,
    description: manifest.description,
    license: manifest.license,
    type: 'module',
    bin: { waybill: 'bin/waybill', 'waybill-conformance': 'bin/waybill-conformance' },
    engines: manifest.engines,
    exports: exportsMap,
    imports: Object.fromEntries(Object.entries(manifest.imports).map(([door, path]) => [door, toJs(path)])),
    dependencies: manifest.dependencies,
  };
  writeFileSync('dist/package.json', `${JSON.stringify(published, null, 2)}\n`);
  // The sample of advisories is looked for where the sources have it.
  cpSync('demo/advisories', 'dist/demo/advisories', { recursive: true });
  for (const file of ['LICENSE', 'README.md', 'CHANGELOG.md']) cpSync(file, `dist/${file}`);
}

/** The client of sigstore-conformance starts the CLI of the library: it need not start fast. */
function conformanceClient(): void {
  const file = 'dist/bin/waybill-conformance';
  writeFileSync(file, "#!/usr/bin/env node\nimport '../lib/cli/conformance.js';\n");
  chmodSync(file, 0o755);
}

rmSync('dist', { recursive: true, force: true });
library();
await commandLine('dist', manifest.version);
conformanceClient();
packageJson();
console.log('dist/ is ready: bin/waybill, lib/, package.json');
