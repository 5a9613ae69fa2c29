/**
 * Squashes layers into the tree a container would see, keeping only captured files and symbolic links.
 * A whiteout hides what lower layers have at a path, an opaque folder hides all that lower layers have inside
 * it; both never touch files of their own layer, whatever the order (image-spec layer.md, "Whiteouts").
 */
import { limits } from '#base/limits';
import type { Unknown } from '#formats/sbom';
import { ancestors, baseOf, cleanPath, joinPath, parentOf } from './paths.ts';
import type { LayerEvent } from './record.ts';
import type { ImageFile, SquashedFiles } from './types.ts';

const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';
const AUFS = '.wh..wh.';
const FOLDERS_KEPT = 50_000;

/** What became another one since: files that came or went, and the paths of these and of links. */
export interface Changed {
  readonly files: ImageFile[];
  readonly paths: Set<string>;
}

export class ImageTree implements SquashedFiles {
  #files = new Map<string, ImageFile>();
  #links = new Map<string, string>();
  #folders = new Set<string>();
  #sorted: ImageFile[] | undefined;
  /** Folders asked for before, with links in them followed; `..` for a loop of them. */
  readonly #realFolders = new Map<string, string>();

  get files(): readonly ImageFile[] {
    this.#sorted ??= [...this.#files.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
    return this.#sorted;
  }

  get links(): Iterable<string> {
    return this.#links.keys();
  }

  get linkTargets(): Iterable<readonly [string, string]> {
    return this.#links;
  }

  /** A tree as it was: its files, and its links with what they say. */
  static of(files: Iterable<ImageFile>, links: Iterable<readonly [string, string]>): ImageTree {
    const tree = new ImageTree();
    for (const file of files) tree.#put(file.path, tree.#files, file);
    for (const [path, target] of links) tree.#put(path, tree.#links, target);
    return tree;
  }

  /** Also adds to `asked` every path that the answer depends on. */
  find(path: string, asked?: Set<string>): ImageFile | undefined {
    const real = resolvePath(cleanPath(path), (at) => {
      asked?.add(at);
      return this.#links.get(at);
    });
    return real === undefined ? undefined : this.#files.get(real);
  }

  real(path: string): string {
    const named = cleanPath(path);
    // Tens of thousands of owned files are asked for, folder by folder.
    const folder = parentOf(named);
    let above = this.#realFolders.get(folder);
    if (above === undefined) {
      above = resolvePath(folder, (at) => this.#links.get(at)) ?? '..';
      this.#realFolders.set(folder, above);
    }
    const found = above === folder ? named : joinPath(above, baseOf(named));
    if (above !== '..' && !this.#links.has(found)) return found;
    return resolvePath(named, (at) => this.#links.get(at)) ?? path;
  }

  file(path: string): ImageFile | undefined {
    return this.#files.get(path);
  }

  link(path: string): string | undefined {
    return this.#links.get(path);
  }

  get isEmpty(): boolean {
    return this.#files.size === 0 && this.#links.size === 0;
  }

  /** Whether something kept is at the path or below it. */
  occupies(path: string): boolean {
    return this.#files.has(path) || this.#links.has(path) || this.#folders.has(path);
  }

  /** Puts what a second reading found at a path in place of what was there. */
  replace(file: ImageFile): void {
    this.#sorted = undefined;
    this.#files.set(file.path, file);
  }

  /** Puts a finished layer on top; notes in `changed` what that changed. */
  apply(layer: LayerChanges, changed?: Changed): void {
    this.#sorted = undefined;
    this.#realFolders.clear();
    if (changed !== undefined) this.#note(layer, changed);
    for (const paths of [this.#files, this.#links]) {
      for (const path of paths.keys()) if (layer.hides(path)) paths.delete(path);
    }
    for (const [path, target] of layer.links) this.#put(path, this.#links, target);
    for (const [path, file] of layer.files) this.#put(path, this.#files, file);
  }

  #put<T>(path: string, map: Map<string, T>, one: T): void {
    map.set(path, one);
    for (const folder of ancestors(path)) this.#folders.add(folder);
  }

  #note(layer: LayerChanges, { files, paths }: Changed): void {
    for (const file of this.#files.values()) {
      if (!layer.hides(file.path) && !layer.files.has(file.path)) continue;
      files.push(file);
      paths.add(file.path);
    }
    for (const path of this.#links.keys()) if (layer.hides(path)) paths.add(path);
    for (const path of layer.links.keys()) paths.add(path);
    for (const file of layer.files.values()) {
      files.push(file);
      paths.add(file.path);
    }
  }
}

/** What one layer does to the tree below it. */
export class LayerChanges {
  readonly files = new Map<string, ImageFile>();
  readonly links = new Map<string, string>();
  readonly unknowns: Unknown[] = [];
  readonly #lower: ImageTree;
  /** Hidden with everything below: whited out, or replaced by something that is no folder. */
  readonly #removed = new Set<string>();
  /** Replaced by a folder: what was there is gone, nothing can be below it. */
  readonly #folders = new Set<string>();
  readonly #opaque = new Set<string>();
  /** Every folder above a file or link of this layer, and what is right below it; some of that may be gone. */
  readonly #above = new Map<string, string[]>();
  /** Folders with links in them followed, each with all above it, and where those lead: undefined for nowhere. */
  readonly #realFolders = new Map<string, string | undefined>();
  readonly #reached = new Set<string>();
  #unplacedCount = 0;
  #unreadCount = 0;
  #emptyCount = 0;

  constructor(lower: ImageTree) {
    this.#lower = lower;
  }

  /**
   * Takes an entry; returns its real path when it is a regular file, to be captured or not. Parent folders that
   * are symbolic links lead where they point, inside the image.
   */
  take(entry: LayerEvent): string | undefined {
    const named = entry.name;
    if (named === '') return undefined;
    if (isTooDeep(named)) {
      this.#unplaced(named, `in more than ${limits.pathFolders} folders`);
      return undefined;
    }
    const parent = parentOf(named);
    const folder = this.#realFolder(parent);
    const base = baseOf(named);
    if (folder === undefined) {
      this.#unplaced(named, 'its folder is a loop of symbolic links, or too deep');
      return undefined;
    }
    if (base.startsWith(WHITEOUT)) {
      this.#whiteout(folder, base);
      return undefined;
    }
    // The same text where no link leads elsewhere: its hash is known already.
    const path = folder === parent ? named : joinPath(folder, base);
    const isFolder = entry.kind === 'directory';
    this.#replace(path, isFolder);
    if (isFolder) return undefined;
    if (entry.kind === 'symlink') {
      this.links.set(path, entry.linkName);
      this.#note(path);
      if (this.#reached.has(path)) this.#forget();
    }
    return entry.kind === 'file' || entry.kind === 'hardlink' ? path : undefined;
  }

  /** To be called after the last entry: says how many of them are not named one by one. */
  finish(): void {
    this.#tellMore(this.#unplacedCount, 'entries in folders that are loops of symbolic links, or too deep');
    this.#tellMore(this.#unreadCount, 'hard links to content that was not kept');
    this.#tellMore(this.#emptyCount, 'whiteouts that name nothing');
  }

  #tellMore(count: number, what: string): void {
    const more = count - limits.entriesNamed;
    if (more > 0) this.unknowns.push({ path: '', wantedBy: 'layer', reason: `${more} more ${what}` });
  }

  /** A hard link whose content nobody has. */
  unread(unknown: Unknown): void {
    if (++this.#unreadCount <= limits.entriesNamed) this.unknowns.push(unknown);
  }

  #unplaced(path: string, reason: string): void {
    if (++this.#unplacedCount > limits.entriesNamed) return;
    this.unknowns.push({ path, wantedBy: 'layer', reason });
  }

  /** Keeps a captured file; the path came from `take`. */
  keep(file: ImageFile): void {
    this.files.set(file.path, file);
    this.#note(file.path);
  }

  /** The captured file a hard link names: of this layer, or still visible from below. */
  linkTarget(name: string): ImageFile | undefined {
    const path = cleanPath(name);
    const folder = this.#realFolder(parentOf(path));
    if (folder === undefined) return undefined;
    const real = joinPath(folder, baseOf(path));
    return this.files.get(real) ?? (this.hides(real) ? undefined : this.#lower.file(real));
  }

  /** Whether a path of the lower layers is not visible any more. */
  hides(path: string): boolean {
    if (this.#removed.has(path) || this.#folders.has(path)) return true;
    if (this.#removed.size === 0 && this.#opaque.size === 0) return false;
    if (this.#opaque.has('')) return true;
    for (const folder of ancestors(path)) {
      if (this.#removed.has(folder) || this.#opaque.has(folder)) return true;
    }
    return false;
  }

  #whiteout(folder: string, base: string): void {
    this.#forget();
    if (base === OPAQUE) {
      this.#opaque.add(folder);
      return;
    }
    if (base.startsWith(AUFS)) return;
    const name = base.slice(WHITEOUT.length);
    if (name === '' || name === '.' || name === '..') {
      if (++this.#emptyCount > limits.entriesNamed) return;
      const reason = 'a whiteout that names nothing; it was ignored';
      this.unknowns.push({ path: joinPath(folder, base), wantedBy: 'layer', reason });
      return;
    }
    this.#removed.add(joinPath(folder, name));
  }

  /** An entry replaces what is at its path: of this layer, and of lower ones; a folder keeps what is below. */
  #replace(path: string, isFolder: boolean): void {
    this.files.delete(path);
    if (this.links.delete(path)) this.#forget();
    if (!this.#lower.isEmpty && this.#lower.occupies(path)) {
      (isFolder ? this.#folders : this.#removed).add(path);
      if (!isFolder || this.#lower.link(path) !== undefined) this.#forget();
    }
    if (isFolder || !this.#above.has(path)) return;
    const gone = [path];
    for (let folder = gone.pop(); folder !== undefined; folder = gone.pop()) {
      const inside = this.#above.get(folder) ?? [];
      this.#above.delete(folder);
      for (const one of inside) {
        this.files.delete(one);
        this.links.delete(one);
        if (this.#above.has(one)) gone.push(one);
      }
    }
    this.#forget();
  }

  #note(path: string): void {
    let below = path;
    for (const folder of ancestors(path)) {
      const inside = this.#above.get(folder);
      if (inside !== undefined) {
        if (inside.at(-1) !== below) inside.push(below);
        return;
      }
      this.#above.set(folder, [below]);
      below = folder;
    }
  }

  /** What links say changed: where folders lead is asked again. */
  #forget(): void {
    this.#realFolders.clear();
    this.#reached.clear();
  }

  #realFolder(folder: string): string | undefined {
    if (folder === '') return '';
    const known = this.#realFolders.get(folder);
    if (known !== undefined || this.#realFolders.has(folder)) return known;
    const parent = parentOf(folder);
    const above = this.#realFolder(parent);
    if (this.#realFolders.size >= FOLDERS_KEPT || this.#reached.size >= FOLDERS_KEPT * 2) this.#forget();
    const real = above === undefined ? undefined : this.#realBelow(above, parent, folder);
    this.#realFolders.set(folder, real);
    if (real !== undefined) this.#reached.add(real);
    return real;
  }

  #realBelow(above: string, parent: string, folder: string): string | undefined {
    const next = above === parent ? folder : joinPath(above, baseOf(folder));
    if (this.#linkAt(next) === undefined) return isTooDeep(next) ? undefined : next;
    // A link that comes later to any place on the way changes where this leads.
    return resolvePath(folder, (at) => {
      this.#reached.add(at);
      return this.#linkAt(at);
    });
  }

  #linkAt(path: string): string | undefined {
    const own = this.links.get(path);
    if (own !== undefined) return own;
    const lower = this.#lower.link(path);
    // A whiteout of the same layer hides the link whatever comes first; an entry that replaced it, too.
    return lower === undefined || this.hides(path) ? undefined : lower;
  }
}

function isTooDeep(path: string): boolean {
  let folders = 0;
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
    if (++folders > limits.pathFolders) return true;
  }
  return false;
}

/** Follows symbolic links in every part of `path`, never leaving the root; undefined after too many hops. */
function resolvePath(path: string, linkAt: (path: string) => string | undefined): string | undefined {
  const pending = path.split('/').reverse();
  let real = '';
  let hops = 0;
  let steps = 0;
  while (pending.length > 0) {
    const segment = pending.pop() as string;
    if (segment === '' || segment === '.') continue;
    if (segment === '..') {
      real = parentOf(real);
      continue;
    }
    const next = joinPath(real, segment);
    const target = linkAt(next);
    if (target === undefined) {
      real = next;
      if (++steps > limits.pathFolders * limits.symlinkHops) return undefined;
      continue;
    }
    if (++hops > limits.symlinkHops || pending.length > limits.pathBytes) return undefined;
    if (target.startsWith('/')) real = '';
    pending.push(...target.split('/').reverse());
  }
  return isTooDeep(real) ? undefined : real;
}
