/**
 * Versions of no known scheme, as catalogues of products write them: `1.1.1k`, `8u292`, `2.4.57-rc1`. Runs of digits
 * and letters as rpm compares them; words for what comes before a release sort before it.
 */
import type { VersionOrder } from './order.ts';
import { compareRpm } from './rpm.ts';

const before = /[-._+~]?(?<![a-z])(alpha|beta|rc|cr|pre|preview|dev|snapshot|milestone)(?![a-z])/gi;

const normalised = (version: string): string =>
  version
    .trim()
    .toLowerCase()
    .replace(/^v(?=\d)/, '')
    .replace(before, '~$1')
    // How ranges of semantic versions say "and everything unfinished before it".
    .replace(/-0$/, '~')
    .replace(/[-_:+]/g, '.');

export const compareLoose: VersionOrder = (a, b) =>
  /\d/.test(a) && /\d/.test(b) ? compareRpm(normalised(a), normalised(b)) : a === b ? 0 : undefined;
