/** dpkg: `[epoch:]upstream[-revision]` (deb-version(7)). A missing epoch is 0, a missing revision sorts first. */
import { compareNumbers, type VersionOrder } from './order.ts';

export const compareDeb: VersionOrder = (a, b) => {
  const left = split(a);
  const right = split(b);
  if (left === undefined || right === undefined) return undefined;
  return (
    compareNumbers(left.epoch, right.epoch) ||
    comparePart(left.upstream, right.upstream) ||
    comparePart(left.revision, right.revision)
  );
};

function split(version: string): { epoch: string; upstream: string; revision: string } | undefined {
  const text = version.trim();
  const colon = text.indexOf(':');
  const epoch = colon < 0 ? '0' : text.slice(0, colon);
  const rest = text.slice(colon + 1);
  const dash = rest.lastIndexOf('-');
  const upstream = dash < 0 ? rest : rest.slice(0, dash);
  if (!/^[0-9]+$/.test(epoch) || upstream === '' || /\s/.test(text)) return undefined;
  return { epoch, upstream, revision: dash < 0 ? '' : rest.slice(dash + 1) };
}

/** `~` before the end, the end before letters, letters before everything else. */
function weight(char: string | undefined): number {
  if (char === '~') return -1;
  if (char === undefined || /[0-9]/.test(char)) return 0;
  const code = char.charCodeAt(0);
  return /[A-Za-z]/.test(char) ? code : code + 65_536;
}

function comparePart(a: string, b: string): number {
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    while ((i < a.length && !isDigit(a, i)) || (j < b.length && !isDigit(b, j))) {
      const difference = weight(a[i]) - weight(b[j]);
      if (difference !== 0) return difference;
      i++;
      j++;
    }
    const left = digitsAt(a, i);
    const right = digitsAt(b, j);
    const difference = compareNumbers(left, right);
    if (difference !== 0) return difference;
    i += left.length;
    j += right.length;
  }
  return 0;
}

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 48 && code <= 57;
}

function digitsAt(text: string, at: number): string {
  let end = at;
  while (end < text.length && isDigit(text, end)) end++;
  return text.slice(at, end);
}
