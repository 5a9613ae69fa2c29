/** RubyGems (`Gem::Version`): letters make a prerelease, trailing zeros do not count, `-` means `.pre.`. */
import { compareNumbers, compareText, isNumber, type VersionOrder } from './order.ts';

export const compareGem: VersionOrder = (a, b) => {
  const left = segments(a);
  const right = segments(b);
  if (left === undefined || right === undefined) return undefined;
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const one = left[i] ?? '0';
    const other = right[i] ?? '0';
    if (isNumber(one) !== isNumber(other)) return isNumber(one) ? 1 : -1;
    const difference = isNumber(one) ? compareNumbers(one, other) : compareText(one, other);
    if (difference !== 0) return difference;
  }
  return 0;
};

function segments(version: string): string[] | undefined {
  const text = version.trim() === '' ? '0' : version.trim().replaceAll('-', '.pre.');
  if (!/^[0-9a-zA-Z.]+$/.test(text)) return undefined;
  const all = text.match(/[0-9]+|[a-z]+/gi) ?? ['0'];
  const firstText = all.findIndex((one) => !isNumber(one));
  const release = firstText < 0 ? all : all.slice(0, firstText);
  const rest = firstText < 0 ? [] : all.slice(firstText);
  return [...trimZeros(release), ...trimZeros(rest)];
}

function trimZeros(list: readonly string[]): string[] {
  let end = list.length;
  while (end > 0 && /^0+$/.test(list[end - 1] as string)) end--;
  return list.slice(0, end);
}
