/** Reads the real imports of sources with oxc-parser: static, `import type`, re-exports and dynamic ones. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { parseSync } from 'oxc-parser';
import { allowedArrows, allowedPackages, openRooms } from './rooms.ts';

export interface SourceFile {
  /** Path from the repository root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

export interface Edge {
  readonly from: string;
  /** As written. */
  readonly specifier: string;
  /** The file it names, or undefined for a package. */
  readonly to: string | undefined;
}

/** The files git knows or would add below `folder`. */
export function listSources(folder: string): string[] {
  const out = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '--', folder], {
    encoding: 'utf8',
  });
  return [...new Set(out.split('\n'))].filter((path) => /\.tsx?$/.test(path)).sort();
}

export function readSources(paths: readonly string[]): SourceFile[] {
  return paths.map((path) => ({ path, text: readFileSync(path, 'utf8') }));
}

export function importsOf(file: SourceFile, doors: Readonly<Record<string, string>>): Edge[] {
  const { module } = parseSync(file.path, file.text);
  const specifiers = new Set<string>();
  for (const one of module.staticImports) specifiers.add(one.moduleRequest.value);
  for (const one of module.staticExports) {
    for (const entry of one.entries) if (entry.moduleRequest) specifiers.add(entry.moduleRequest.value);
  }
  for (const one of module.dynamicImports) {
    const raw = file.text.slice(one.moduleRequest.start, one.moduleRequest.end);
    specifiers.add(/^['"`].*['"`]$/s.test(raw) ? raw.slice(1, -1) : `<computed: ${raw}>`);
  }
  // `import('x').Y` in a type position is no module record of its own.
  for (const match of file.text.matchAll(/\bimport\(\s*'([^']+)'\s*\)\s*\./g))
    specifiers.add(match[1] as string);
  return [...specifiers].map((specifier) => ({
    from: file.path,
    specifier,
    to: resolveSpecifier(file.path, specifier, doors),
  }));
}

/** Resolves `./x.ts` and `#room…` to a path; packages to undefined; a refused `#…` to `<no door>`. */
export function resolveSpecifier(
  from: string,
  specifier: string,
  doors: Readonly<Record<string, string>>,
): string | undefined {
  if (specifier.startsWith('.')) return normalize(join(dirname(from), specifier)).replaceAll('\\', '/');
  if (!specifier.startsWith('#')) return undefined;
  const exact = doors[specifier];
  if (exact !== undefined) return exact.replace('./', '');
  for (const [pattern, target] of Object.entries(doors)) {
    if (!pattern.endsWith('/*')) continue;
    const prefix = pattern.slice(0, -1);
    const rest = specifier.slice(prefix.length);
    if (specifier.startsWith(prefix) && rest !== '' && !rest.includes('/')) {
      return target.replace('./', '').replace('*', rest);
    }
  }
  return '<no door>';
}

/** `src/verify/chain.ts` → `verify`; a service is its own room: `services/ca`. */
export function roomOf(path: string): string {
  const parts = path.split('/');
  const room = parts[1] ?? '';
  return room === 'services' ? `services/${parts[2] ?? ''}` : room.replace(/\.tsx?$/, '');
}

const kindOf = (room: string): string => (room.startsWith('services/') ? 'services' : room);

/** Every violation of the arrows as one line; empty when the house stands. */
export function violations(edges: readonly Edge[], known: ReadonlySet<string>): string[] {
  const out: string[] = [];
  for (const edge of edges) {
    const why = violationOf(edge, known);
    if (why !== undefined) out.push(`${edge.from} → ${edge.specifier}: ${why}`);
  }
  return [...out, ...cycles(edges)];
}

function violationOf(edge: Edge, known: ReadonlySet<string>): string | undefined {
  const from = roomOf(edge.from);
  const fromKind = kindOf(from);
  const arrows = allowedArrows[fromKind];
  if (arrows === undefined) return `${from} is not a room`;
  if (edge.specifier.startsWith('<computed')) return 'a computed import cannot be checked';
  if (edge.to === undefined) return packageViolation(fromKind, edge.specifier);
  if (edge.to === '<no door>') return 'there is no such door';
  if (!known.has(edge.to)) return `${edge.to} does not exist`;
  const to = roomOf(edge.to);
  if (edge.specifier.startsWith('.')) {
    return to === from ? undefined : `leaves its room through a window; use the door #${to}`;
  }
  if (to === from) return openRooms.has(from) || fromKind === 'services' ? undefined : 'inside a room use ./';
  if (fromKind === 'services' && kindOf(to) === 'services') return 'a service never imports another service';
  if (!arrows.includes(kindOf(to))) return `${from} may not import ${to}`;
  return undefined;
}

function packageViolation(room: string, specifier: string): string | undefined {
  const allowed = allowedPackages[room];
  if (allowed === undefined || allowed.includes(specifier)) return undefined;
  return `${room} may not take the package ${specifier}`;
}

/** File cycles, each once, as `cycle: a → b → a`. */
function cycles(edges: readonly Edge[]): string[] {
  const next = new Map<string, string[]>();
  for (const { from, to } of edges) {
    if (to === undefined) continue;
    const list = next.get(from) ?? [];
    list.push(to);
    next.set(from, list);
  }
  const state = new Map<string, 'open' | 'done'>();
  const found: string[] = [];
  const walk = (file: string, path: readonly string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      found.push(`cycle: ${[...path.slice(path.indexOf(file)), file].join(' → ')}`);
      return;
    }
    state.set(file, 'open');
    for (const target of next.get(file) ?? []) walk(target, [...path, file]);
    state.set(file, 'done');
  };
  for (const file of next.keys()) walk(file, []);
  return found;
}

/** The shortest import path from a file whose room is `start` to one whose room is `goal`, or undefined. */
export function pathBetween(
  edges: readonly Edge[],
  start: string,
  goals: ReadonlySet<string>,
): string[] | undefined {
  const next = Map.groupBy(edges, (edge) => edge.from);
  const queue = [...next.keys()].filter((file) => roomOf(file) === start).map((file) => [file]);
  const seen = new Set(queue.map(([file]) => file));
  for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
    const last = path.at(-1) as string;
    if (goals.has(roomOf(last))) return path;
    for (const edge of next.get(last) ?? []) {
      if (edge.to === undefined || seen.has(edge.to)) continue;
      seen.add(edge.to);
      queue.push([...path, edge.to]);
    }
  }
  return undefined;
}
