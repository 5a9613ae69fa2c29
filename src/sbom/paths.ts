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

const SLASH = 0x2f;
const DOT = 0x2e;

/** No part is empty, `.` or `..`. Asked of every entry more than once, so without patterns. */
function isClean(name: string): boolean {
  let start = 0;
  for (let at = 0; at <= name.length; at++) {
    if (at < name.length && name.charCodeAt(at) !== SLASH) continue;
    const length = at - start;
    if (length === 0) return false;
    const isDots = length <= 2 && name.charCodeAt(start) === DOT && name.charCodeAt(at - 1) === DOT;
    if (isDots) return false;
    start = at + 1;
  }
  return true;
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
