import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { parseSync, Visitor } from 'oxc-parser';
import { listSources, readSources, roomOf, type SourceFile } from './imports.ts';
import { edgeRooms, pureRooms } from './rooms.ts';

const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;
const BLOB_BYTES_MAX = 256 * 1024;

const sources = readSources(listSources('src'));
const all = [
  ...sources,
  ...readSources([...listSources('test'), ...listSources('demo'), ...listSources('bench')]),
];

/** A table file is data: it may be long. Its first line says so. */
const isTable = (file: SourceFile): boolean => /^\/\*\* (?:Table|Generated)\b/.test(file.text);

test('no source file is longer than two ideas', () => {
  const long = sources.filter((file) => !isTable(file) && lines(file.text) > FILE_LINES_MAX);
  assert.deepEqual(
    long.map((file) => `${file.path}: ${lines(file.text)} lines`),
    [],
  );
});

test('no function in src is longer than a screen', () => {
  const long: string[] = [];
  for (const file of sources) {
    if (isTable(file)) continue;
    const check = (node: { start: number; end: number; id?: { name?: string } | null }): void => {
      const length = lines(file.text.slice(node.start, node.end));
      if (length > FUNCTION_LINES_MAX)
        long.push(`${file.path} ${node.id?.name ?? '(function)'}: ${length} lines`);
    };
    new Visitor({
      FunctionDeclaration: check,
      FunctionExpression: check,
      ArrowFunctionExpression: check,
    }).visit(parseSync(file.path, file.text).program);
  }
  assert.deepEqual(long, []);
});

interface Ban {
  readonly pattern: RegExp;
  readonly instead: string;
  /** Rooms the ban holds in; all of src when absent. */
  readonly rooms?: (room: string) => boolean;
}

const notEdge = (room: string): boolean => !edgeRooms.has(room);

const bans: readonly Ban[] = [
  { pattern: /\bDate\.now\(|\bnew Date\(\)/, instead: 'clock.now()', rooms: notEdge },
  { pattern: /\bMath\.random\(/, instead: 'random.bytes()', rooms: notEdge },
  { pattern: /\bprocess\.env\b/, instead: 'configuration handed in', rooms: notEdge },
  { pattern: /\bas any\b/, instead: 'a type' },
  { pattern: /@ts-(?:ignore|nocheck|expect-error)/, instead: 'a type' },
  { pattern: /\b(?:TODO|FIXME|XXX)\b/, instead: 'an issue or the work itself' },
  { pattern: /^\s*(?:const )?enum /m, instead: 'a union of literals' },
  { pattern: /\bconsole\./, instead: 'context.stdout/stderr or the logger' },
  {
    pattern: /from 'node:(?:fs|fs\/promises|http|https|net|tls|dgram|child_process|dns|worker_threads|os)'/,
    instead: 'bytes handed in',
    rooms: (room) => pureRooms.has(room),
  },
  {
    pattern: /from 'node:crypto'/,
    instead: '#base/crypto',
    rooms: (room) => pureRooms.has(room) && room !== 'base',
  },
];

test('no banned call stands in src', () => {
  const found: string[] = [];
  for (const file of sources) {
    for (const ban of bans) {
      if (ban.rooms !== undefined && !ban.rooms(roomOf(file.path))) continue;
      const at = withoutComments(file.text).search(ban.pattern);
      if (at >= 0) found.push(`${file.path}: ${ban.pattern.source} → use ${ban.instead}`);
    }
  }
  assert.deepEqual(found, []);
});

test('no test is skipped or narrowed', () => {
  const marks = /\b(?:test|it|describe)\.(?:skip|only|todo)\(|\{\s*(?:skip|only|todo):\s*true/;
  const found = all.filter((file) => marks.test(file.text) && !file.path.endsWith('style.test.ts'));
  assert.deepEqual(
    found.map((file) => file.path),
    [],
  );
});

test('no path of a machine stands in the repository', () => {
  const files = execFileSync('git', ['ls-files'], { encoding: 'utf8' }).split('\n').filter(Boolean);
  const pattern = /(?:\/home\/|\/root\/|\/work\/|\/Users\/)[a-z]/;
  const found = files.filter((path) => {
    if (/package-lock\.json$/.test(path) || path.endsWith('style.test.ts')) return false;
    try {
      return pattern.test(readFileSync(path, 'utf8'));
    } catch {
      return false;
    }
  });
  assert.deepEqual(found, []);
});

test('no large file is committed', () => {
  const files = execFileSync('git', ['ls-files'], { encoding: 'utf8' }).split('\n').filter(Boolean);
  const large = files.filter((path) => {
    if (path === 'package-lock.json') return false;
    try {
      return statSync(path).size > BLOB_BYTES_MAX;
    } catch {
      return false;
    }
  });
  assert.deepEqual(large, []);
});

function lines(text: string): number {
  return text.split('\n').length;
}

/** Comments may name what is banned; code may not. Strings are kept. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[^:'"`])\/\/.*$/gm, '$1');
}
