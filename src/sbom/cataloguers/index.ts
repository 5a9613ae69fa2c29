/** Every cataloguer, in the order in which they look at an image. */
import type { Cataloguer } from '../types.ts';
import { alpm } from './alpm.ts';
import { apk } from './apk.ts';
import { binary } from './binary.ts';
import { dpkg } from './dpkg.ts';
import { go } from './go.ts';
import { npm } from './npm.ts';
import { python } from './python.ts';
import { rpm } from './rpm.ts';

export const cataloguers: readonly Cataloguer[] = [dpkg, apk, rpm, alpm, npm, python, go, binary];
