/**
 * Java runtimes: `1.8.0_292-b10`, `8u292` and `8.0.292+10` name one release (JEP 223). The build after `-b` or `+`
 * says nothing about age; `-ea` sorts before the release.
 */
import type { VersionOrder } from './order.ts';
import { compareNumberLists, comparePrerelease } from './semver.ts';

interface Release {
  readonly numbers: readonly string[];
  readonly prerelease: readonly string[];
}

/** Before JEP 223: `1.MAJOR[.MINOR[_UPDATE]]`. */
const old = /^1\.(\d+)(?:\.(\d+)(?:[_-](?:update)?_?(\d+))?)?(?:-([^b+][^-+]*))?(?:-b\d+)?(?:\+.*)?$/;
/** `8u292`, `8.0-update292`, `11.0.5+10`, `17.0.2.1`. */
const shortForm = /^(\d+)u(\d+)(?:-([^b+][^-+]*))?(?:-b\d+)?(?:\+.*)?$/;
const modern =
  /^(\d+(?:\.\d+)*)(?:[_-](?:update)?_?(\d+))?(?:-([^b+0-9][^-+]*))?(?:-b\d+)?(?:-[^+]*)?(?:\+.*)?$/;

function parse(text: string): Release | undefined {
  const version = text.trim();
  const before = old.exec(version);
  if (before !== null) {
    const [, major = '', minor = '0', update = '0', prerelease = ''] = before;
    return releaseOf([major, minor, update], prerelease);
  }
  const short = shortForm.exec(version);
  if (short !== null) return releaseOf([short[1] as string, '0', short[2] as string], short[3] ?? '');
  const match = modern.exec(version);
  if (match === null) return undefined;
  const numbers = (match[1] as string).split('.');
  const update = match[2];
  if (update !== undefined && /^0*$/.test(numbers[2] ?? '')) {
    return releaseOf([numbers[0] as string, numbers[1] ?? '0', update], match[3] ?? '');
  }
  return releaseOf(numbers, match[3] ?? '');
}

const releaseOf = (numbers: readonly string[], prerelease: string): Release => ({
  numbers,
  prerelease: prerelease === '' ? [] : prerelease.split('.'),
});

export const compareJvm: VersionOrder = (a, b) => {
  const left = parse(a);
  const right = parse(b);
  if (left === undefined || right === undefined) return undefined;
  return (
    compareNumberLists(left.numbers, right.numbers) || comparePrerelease(left.prerelease, right.prerelease)
  );
};
