import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { renderCliDocs } from '../../build/cli-docs.ts';
import { completeLock } from '../../build/complete-lock.ts';
import { withCosignTables } from '../../build/cosign-docs.ts';
import { readCatalogue, renderCatalogue } from '../../build/errors.ts';
import { verbs } from '../../src/cli/verbs.ts';

const catalogue = await readCatalogue();
const sources = globSync('src/**/*.ts').map((path) => ({ path, text: readFileSync(path, 'utf8') }));

test('every error code is declared once', () => {
  const seen = new Map<string, string>();
  const twice: string[] = [];
  for (const row of catalogue) {
    const before = seen.get(row.code);
    if (before !== undefined) twice.push(`${row.code}: ${before} and ${row.file}`);
    seen.set(row.code, row.file);
  }
  assert.deepEqual(twice, []);
});

test('every declared reason is raised somewhere', () => {
  const unused = catalogue.filter((row) => {
    const use = new RegExp(`\\.${row.name}\\b`);
    return !sources.some((source) => source.path !== row.file && use.test(source.text));
  });
  assert.deepEqual(
    unused.map((row) => `${row.code} ${row.file} ${row.name}`),
    [],
  );
});

test('docs/errors.md is the catalogue as it is', () => {
  const stale = readFileSync('docs/errors.md', 'utf8') !== renderCatalogue(catalogue);
  assert.equal(stale, false, 'run: node build/errors.ts');
});

test('every verb has its command file, and every command file a verb', () => {
  const files = globSync('src/cli/commands/*.ts').map((path) => /([^/\\]+)\.ts$/.exec(path)?.[1] ?? '');
  assert.deepEqual(files.sort(), verbs.map((verb) => verb.name).sort());
});

test('docs/cli.md is the commands as they are', async () => {
  const stale = readFileSync('docs/cli.md', 'utf8') !== (await renderCliDocs());
  assert.equal(stale, false, 'run: node build/cli-docs.ts');
});

test('docs/cosign.md lists the verbs and flags of waybill cosign as they are', () => {
  const page = readFileSync('docs/cosign.md', 'utf8');
  assert.equal(page === withCosignTables(page), true, 'run: node build/cli-docs.ts');
});

test('every service has routes, a configuration and a README', () => {
  const missing: string[] = [];
  for (const folder of globSync('src/services/*')) {
    for (const file of ['routes.ts', 'config.ts', 'README.md', 'index.ts']) {
      if (!existsSync(`${folder}/${file}`)) missing.push(`${folder}/${file}`);
    }
  }
  assert.deepEqual(missing, []);
});

test('the lock file names every platform package, so that npm ci works on every machine', () => {
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as Parameters<typeof completeLock>[0];
  assert.deepEqual(completeLock(lock), [], 'run: node build/complete-lock.ts');
});

test('the lock file holds no address of a registry', () => {
  assert.equal(readFileSync('package-lock.json', 'utf8').includes('"resolved"'), false);
});
