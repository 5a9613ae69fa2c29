import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { importsOf, listSources, pathBetween, readSources, type SourceFile, violations } from './imports.ts';

const doors = (JSON.parse(readFileSync('package.json', 'utf8')) as { imports: Record<string, string> })
  .imports;
const paths = listSources('src');
const sources = readSources(paths);
const edges = sources.flatMap((file) => importsOf(file, doors));
const known = new Set(paths);

/** What the planted files add to the violations that are there already (none, when the house stands). */
function planted(extra: readonly SourceFile[]): string[] {
  const more = extra.flatMap((file) => importsOf(file, doors));
  const found = violations([...edges, ...more], new Set([...known, ...extra.map((file) => file.path)]));
  const before = new Set(violations(edges, known));
  return found.filter((line) => !before.has(line));
}

test('every source is seen, and sources import each other', () => {
  assert.ok(paths.length > 20, `only ${paths.length} sources`);
  assert.equal(new Set(sources.map((file) => file.path)).size, paths.length);
  assert.ok(edges.filter((edge) => edge.to !== undefined).length > paths.length / 2);
});

test('every import follows an allowed arrow, through a door, without cycles', () => {
  assert.deepEqual(violations(edges, known), []);
});

test('a planted arrow against the order is found and names both ends', () => {
  const text = "import { x } from '#platform/system';\nexport const y = x;\n";
  const found = planted([{ path: 'src/verify/planted.ts', text }]);
  assert.deepEqual(found, ['src/verify/planted.ts → #platform/system: verify may not import platform']);
});

test('a planted import type is found as well', () => {
  const text = "import type { Clock } from '#platform/system';\nexport type Y = Clock;\n";
  assert.equal(planted([{ path: 'src/formats/planted.ts', text }]).length, 1);
});

test('a planted dynamic import is found as well', () => {
  const text = "export const load = () => import('#platform/system');\n";
  assert.equal(planted([{ path: 'src/policy/planted.ts', text }]).length, 1);
});

test('a computed dynamic import is refused', () => {
  const text = 'export const load = (name: string) => import(name);\n';
  assert.match(planted([{ path: 'src/sign/planted.ts', text }])[0] ?? '', /computed import/);
});

test('a planted climb through a window is found', () => {
  const text = "export { openLog } from '../tlog/engine.ts';\n";
  const target = { path: 'src/tlog/engine.ts', text: 'export const openLog = 1;\n' };
  const found = planted([{ path: 'src/oci/planted.ts', text }, target]);
  assert.match(found.join('\n'), /through a window/);
});

test('a planted cycle is found with its path', () => {
  const a = { path: 'src/oci/planted-a.ts', text: "import './planted-b.ts';\n" };
  const b = { path: 'src/oci/planted-b.ts', text: "import './planted-a.ts';\n" };
  const cycle = planted([a, b]).find((line) => line.startsWith('cycle'));
  assert.match(cycle ?? '', /planted-a\.ts → src\/oci\/planted-b\.ts → src\/oci\/planted-a\.ts/);
});

test('a planted service that imports another service is found', () => {
  const text = "import { createCa } from '#services/ca';\nexport const x = createCa;\n";
  const target = { path: 'src/services/ca/index.ts', text: 'export const createCa = 1;\n' };
  const found = planted([{ path: 'src/services/planted/index.ts', text }, target]);
  assert.match(found.join('\n'), /a service never imports another service/);
});

test('verify takes no package beyond its two', () => {
  const text = "import { z } from 'zod';\nexport const x = z;\n";
  assert.match(planted([{ path: 'src/verify/planted.ts', text }])[0] ?? '', /may not take the package zod/);
});

test('nothing that signs, logs or fetches trust is reachable from admission', () => {
  const goals = new Set(['sign', 'tlog', 'identity', 'trust']);
  assert.equal(pathBetween(edges, 'services/admission', goals)?.join(' → '), undefined);
});
