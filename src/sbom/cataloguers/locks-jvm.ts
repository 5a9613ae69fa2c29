/** What Maven and Gradle projects declare. */
import { XMLParser } from 'fast-xml-parser';
import type { Cataloguer, FoundPackage, ImageFile } from '../types.ts';
import { type Problem, packageIn, readEach, someOf, textOf } from './common.ts';
import { type PomCoordinates, parsePom } from './pom.ts';

const declared = 'declared' as const;

function maven(file: ImageFile, one: PomCoordinates): FoundPackage[] {
  const { group, artifact } = one;
  if (artifact === '' || /\$\{/.test(artifact)) return [];
  // A range, or a property that another file sets.
  const version = /\$\{|[[\](),]/.test(one.version) ? '' : one.version;
  const shown = group === undefined ? artifact : `${group}:${artifact}`;
  return [
    packageIn(
      file,
      { type: 'maven', namespace: group ?? artifact, name: artifact, version, shown },
      { licenses: one.licenses ?? [] },
    ),
  ];
}

export const pomXml: Cataloguer = {
  name: 'pom',
  reads: '`pom.xml`: the project and its dependencies, with the versions it says',
  types: ['maven'],
  evidence: declared,
  files: [{ names: ['pom.xml'] }, { endings: ['.pom'] }],
  catalogue: (image) =>
    readEach(image, pomXml, (file) => {
      const { project, dependencies } = parsePom(textOf(file));
      const found = [project, ...dependencies].flatMap((one) => maven(file, one));
      const open = found.filter((one) => one.version === '').map((one) => one.name);
      return open.length === 0 ? found : [...found, { problem: `without an exact version: ${someOf(open)}` }];
    }),
};

/** `group:artifact:version=configurations`. */
export const gradleLock: Cataloguer = {
  name: 'gradle-lock',
  reads: '`gradle.lockfile` and `buildscript-gradle.lockfile`',
  types: ['maven'],
  evidence: declared,
  files: [{ names: ['gradle.lockfile', 'buildscript-gradle.lockfile'] }],
  catalogue: (image) =>
    readEach(image, gradleLock, (file) =>
      textOf(file)
        .split(/\r?\n/)
        .flatMap((line): (FoundPackage | Problem)[] => {
          // `empty=` lists the configurations that have nothing.
          if (/^\s*(?:#|$)|^empty=/.test(line)) return [];
          const match = /^([^#:=\s]+):([^:=\s]+):([^:=\s]+)(?:=|\s*$)/.exec(line);
          if (match === null) return [{ problem: `a line ${JSON.stringify(line)} that locks nothing` }];
          const [, group = '', artifact = '', version = ''] = match;
          return maven(file, { group, artifact, version });
        }),
    ),
};

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseAttributeValue: false,
});

export const gradleVerification: Cataloguer = {
  name: 'gradle-verification',
  reads: '`gradle/verification-metadata.xml`',
  types: ['maven'],
  evidence: declared,
  files: [{ names: ['verification-metadata.xml'] }],
  catalogue: (image) =>
    readEach(image, gradleVerification, (file) => {
      const root = (parser.parse(textOf(file)) as Record<string, unknown>)['verification-metadata'];
      if (typeof root !== 'object' || root === null) throw new Error('no verification metadata in the file');
      const components = (root as { components?: { component?: unknown } | string }).components;
      const list = typeof components === 'object' ? components.component : [];
      return (Array.isArray(list) ? list : list === undefined ? [] : [list]).flatMap(
        (one): (FoundPackage | Problem)[] => {
          const { group, name, version } = one as Record<string, unknown>;
          const parts = [group, name, version];
          if (!parts.every((part): part is string => typeof part === 'string' && part !== ''))
            return [{ problem: `a component ${JSON.stringify(parts.join(':'))} without all of its parts` }];
          return maven(file, {
            group: parts[0] as string,
            artifact: parts[1] as string,
            version: parts[2] as string,
          });
        },
      );
    }),
};
