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
}

function add<T>(map: Map<string, Wish<T>[]>, key: string, wish: Wish<T>): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [wish]);
  else list.push(wish);
}

const pick = <T>(wishes: Wish<T>[] | undefined, path: string): Wish<T> | undefined =>
  wishes?.find((wish) => wish.path === undefined || wish.path.test(path));

/** The files of an image that rules name, in order of their paths. */
export function filesFor(image: ImageFiles, rules: readonly PathRule[]): ImageFile[] {
  const matcher = new PathMatcher([[true, rules]]);
  return image.files.filter((file) => matcher.find(file.path) === true);
}
