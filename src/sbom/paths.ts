/** Paths inside an image: relative to its root, without `.`, `..` or doubled slashes. `` is the root. */

/** Cleans a name from an archive. `..` never climbs above the root. */
export function cleanPath(name: string): string {
  if (isClean(name)) return name;
  const out: string[] = [];
  for (const segment of name.split('/')) {
    if (segment === '' || segment === '.') continue;
    if (segment === '..') out.pop();
    else out.push(segment);
  }
  return out.join('/');
}

function isClean(name: string): boolean {
  if (name === '' || name.startsWith('/') || name.endsWith('/')) return false;
  return !name.includes('//') && !/(?:^|\/)\.\.?(?:\/|$)/.test(name);
}

export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

export function baseOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

export function joinPath(folder: string, name: string): string {
  if (folder === '') return name;
  return name === '' ? folder : `${folder}/${name}`;
}

/** Every folder above `path`, nearest first, without the root. */
export function* ancestors(path: string): Generator<string> {
  for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) yield path.slice(0, at);
}
