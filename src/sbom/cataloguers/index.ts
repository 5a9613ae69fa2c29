/** Every cataloguer, in the order in which they look at an image. */
import type { Cataloguer } from '../types.ts';
import { alpm } from './alpm.ts';
import { apk } from './apk.ts';
import { binary } from './binary.ts';
import { conan } from './conan.ts';
import { dotnet } from './dotnet.ts';
import { dpkg } from './dpkg.ts';
import { gem } from './gem.ts';
import { go } from './go.ts';
import { java, jvm } from './java.ts';
import { linuxKernel } from './linux-kernel.ts';
import * as locks from './locks.ts';
import { gradleLock, gradleVerification, pomXml } from './locks-jvm.ts';
import { bunLock, denoLock, npmLock, pnpmLock, yarnLock } from './locks-npm.ts';
import { pipfileLock, pythonLock, requirements } from './locks-python.ts';
import { npm } from './npm.ts';
import { conda, cran, portage, wordpress } from './others.ts';
import { composer, pear } from './php.ts';
import { python } from './python.ts';
import { rpm } from './rpm.ts';
import { rust } from './rust.ts';

const system: readonly Cataloguer[] = [dpkg, apk, rpm, alpm, portage];
const languages: readonly Cataloguer[] = [npm, python, gem, java, go, rust, composer, pear, dotnet];
const smaller: readonly Cataloguer[] = [conan, conda, cran, wordpress, jvm, binary, linuxKernel];
const declared: readonly Cataloguer[] = [
  ...[npmLock, yarnLock, pnpmLock, bunLock, denoLock],
  ...[pythonLock, pipfileLock, requirements],
  ...[pomXml, gradleLock, gradleVerification],
  ...Object.values(locks),
];

export const cataloguers: readonly Cataloguer[] = [...system, ...languages, ...smaller, ...declared];
