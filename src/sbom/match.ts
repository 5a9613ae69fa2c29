/** Which files which cataloguers want, compiled: three look-ups a file instead of a pattern for each. */
import { baseOf, parentOf } from './paths.ts';
import type { ImageFile, ImageFiles, PathRule } from './types.ts';

interface Wish<T> {
  readonly owner: T;
  readonly path: RegExp | undefined;
}

export class PathMatcher<T> {
  readonly #names = new Map<string, Wish<T>[]>();
  readonly #endings = new Map<string, Wish<T>[]>();
  readonly #folders = new Map<string, Wish<T>[]>();

  constructor(owners: Iterable<readonly [T, readonly PathRule[]]>) {
    for (const [owner, rules] of owners) {
      for (const rule of rules) {
        const wish = { owner, path: rule.path };
        for (const name of rule.names ?? []) add(this.#names, name, wish);
        for (const ending of rule.endings ?? []) add(this.#endings, ending, wish);
        for (const folder of rule.folders ?? []) add(this.#folders, folder, wish);
      }
    }
  }

  /** The first owner that wants the file. */
  find(path: string): T | undefined {
    const base = baseOf(path);
    const dot = base.lastIndexOf('.');
    return (
      pick(this.#names.get(base), path) ??
      (dot < 0 ? undefined : pick(this.#endings.get(base.slice(dot)), path)) ??
      (this.#folders.size === 0 ? undefined : pick(this.#folders.get(baseOf(parentOf(path))), path))
    )?.owner;
  }

  /** Every owner that wants the file; one may be named twice. */
  all(path: string): T[] {
    const base = baseOf(path);
    const dot = base.lastIndexOf('.');
    const wishes = [
      this.#names.get(base),
      dot < 0 ? undefined : this.#endings.get(base.slice(dot)),
      this.#folders.size === 0 ? undefined : this.#folders.get(baseOf(parentOf(path))),
    ];
    return wishes.flatMap((list) => fitting(list, path).map((wish) => wish.owner));
  }
}

function add<T>(map: Map<string, T[]>, key: string, one: T): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [one]);
  else list.push(one);
}

const fitting = <T>(wishes: Wish<T>[] | undefined, path: string): Wish<T>[] =>
  wishes?.filter((wish) => wish.path === undefined || wish.path.test(path)) ?? [];

const pick = <T>(wishes: Wish<T>[] | undefined, path: string): Wish<T> | undefined =>
  wishes?.find((wish) => wish.path === undefined || wish.path.test(path));

/** The files of an image that rules name, in order of their paths. */
export function filesFor(image: ImageFiles, rules: readonly PathRule[]): ImageFile[] {
  const shelves = shelvesOf(image.files);
  const found = new Set<number>();
  for (const { names = [], endings = [], folders = [], path } of rules) {
    const places = [
      ...names.map((name) => shelves.names.get(name)),
      ...endings.map((ending) => shelves.endings.get(ending)),
      ...folders.map((folder) => shelves.folders.get(folder)),
    ];
    for (const place of places) {
      for (const at of place ?? []) {
        if (path === undefined || path.test((image.files[at] as ImageFile).path)) found.add(at);
      }
    }
  }
  return [...found].sort((a, b) => a - b).map((at) => image.files[at] as ImageFile);
}

/** Numbers of files by what rules ask for. */
interface Shelves {
  readonly names: ReadonlyMap<string, readonly number[]>;
  readonly endings: ReadonlyMap<string, readonly number[]>;
  readonly folders: ReadonlyMap<string, readonly number[]>;
}

/** Every cataloguer asks about the same files. */
const known = new WeakMap<readonly ImageFile[], Shelves>();

function shelvesOf(files: readonly ImageFile[]): Shelves {
  const before = known.get(files);
  if (before !== undefined) return before;
  const [names, endings, folders] = [1, 2, 3].map(() => new Map<string, number[]>()) as [Shelf, Shelf, Shelf];
  for (const [at, { path }] of files.entries()) {
    const base = baseOf(path);
    const dot = base.lastIndexOf('.');
    add(names, base, at);
    if (dot >= 0) add(endings, base.slice(dot), at);
    add(folders, baseOf(parentOf(path)), at);
  }
  const shelves = { names, endings, folders };
  known.set(files, shelves);
  return shelves;
}

type Shelf = Map<string, number[]>;
