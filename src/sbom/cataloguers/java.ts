/** Java archives, what was packed into them, and the run-time of Java by its `release` file. */
import { utf8 } from '#base/bytes';
import { isJsonObject, own, parseJson } from '#formats/json';
import type { Unknown } from '#formats/sbom';
import { filesFor } from '../match.ts';
import type { Cataloguer, FoundPackage, ImageFile } from '../types.ts';
import { listIn, objectsIn, packageIn, readEach, stringIn, textOf, textsIn } from './common.ts';
import { archiveEndings, readArchive } from './java-archive.ts';

export const java: Cataloguer = {
  name: 'java',
  reads: 'Java archives and the archives inside them: Maven files, manifests, names',
  types: ['maven'],
  evidence: 'installed',
  files: [{ endings: archiveEndings }],
  // Archives are large; what they say fits into a line each.
  extractor: {
    extract: (bytes, base, memory) => {
      const problems: string[] = [];
      const artifacts = readArchive(bytes, base, problems, memory);
      return utf8(JSON.stringify({ artifacts, problems }));
    },
  },
  catalogue(image) {
    const packages: FoundPackage[] = [];
    const unknowns: Unknown[] = [];
    for (const file of filesFor(image, java.files)) {
      const bytes = file.findings?.get('java');
      const parsed = bytes === undefined ? undefined : parseJson(bytes, { maxBytes: bytes.length });
      if (parsed?.ok !== true || !isJsonObject(parsed.value)) continue;
      for (const reason of textsIn(own(parsed.value, 'problems'))) {
        unknowns.push({ path: file.path, wantedBy: 'java', reason });
      }
      packages.push(...artifactPackages(file, objectsIn(parsed.value, 'artifacts'), packages.length));
    }
    return { packages, unknowns };
  },
};

function artifactPackages(
  file: ImageFile,
  artifacts: readonly Parameters<typeof stringIn>[0][],
  offset: number,
): FoundPackage[] {
  const packages = artifacts.map((one) => {
    const artifact = stringIn(one, 'artifact') ?? '';
    const group = stringIn(one, 'group');
    const sha1 = stringIn(one, 'sha1');
    const inside = textsIn(listIn(one, 'inside'));
    return packageIn(
      { layer: file.layer, path: [file.path, ...inside].join(':') },
      {
        type: 'maven',
        // An archive that says nothing of its group is looked up under its own name, as others do.
        namespace: group ?? artifact,
        name: artifact,
        version: stringIn(one, 'version') ?? '',
        shown: group === undefined ? artifact : `${group}:${artifact}`,
      },
      {
        licenses: textsIn(listIn(one, 'licenses')),
        supplier: stringIn(one, 'vendor'),
        ...(sha1 === undefined ? {} : { hashes: [`sha1:${sha1}`] }),
      },
    );
  });
  const [head] = packages;
  if (head === undefined || packages.length === 1) return packages;
  const needs = packages.slice(1).map((_, i) => offset + 1 + i);
  return [{ ...head, needs }, ...packages.slice(1)];
}

/** `release` beside `bin/java`: KEY="value" lines. */
export const jvm: Cataloguer = {
  name: 'jvm',
  reads: 'the `release` file of a Java run-time',
  types: ['generic'],
  evidence: 'installed',
  files: [{ names: ['release'], path: /(?:jvm|jdk|jre|java|graalvm)[^/]*\/(?:[^/]+\/)*release$/i }],
  catalogue: (image) => readEach(image, jvm, readRelease),
};

function* readRelease(file: ImageFile): Generator<FoundPackage> {
  const fields = new Map<string, string>();
  for (const line of textOf(file).split('\n')) {
    const match = /^([A-Z_]+)="?([^"\r]*)"?\s*$/.exec(line);
    if (match !== null) fields.set(match[1] as string, match[2] as string);
  }
  const version =
    fields.get('JAVA_RUNTIME_VERSION') ?? fields.get('FULL_VERSION') ?? fields.get('JAVA_VERSION') ?? '';
  if (version === '' || !fields.has('JAVA_VERSION')) {
    // Other things are called release too; only a run-time says who built it for what.
    if (['IMPLEMENTOR', 'MODULES', 'OS_ARCH', 'SOURCE'].some((key) => fields.has(key)))
      throw new Error('a Java run-time without a JAVA_VERSION');
    return;
  }
  const implementor = fields.get('IMPLEMENTOR') ?? '';
  const isOracle = /oracle/i.test(implementor) && !fields.has('IMPLEMENTOR_VERSION');
  const source = /^https?:\S+/.exec(fields.get('SOURCE_REPO') ?? fields.get('BUILD_SOURCE_REPO') ?? '')?.[0];
  const name = isOracle ? 'jdk' : 'openjdk';
  yield packageIn(
    file,
    {
      type: 'generic',
      namespace: 'oracle',
      name,
      version,
      shown: name,
      qualifiers: { repository_url: source },
    },
    {
      supplier: implementor === '' ? undefined : implementor,
      architecture: fields.get('OS_ARCH'),
      cpes: [`cpe:2.3:a:oracle:${name}:${cpeVersion(version)}:*:*:*:*:*:*:*`],
    },
  );
}

const cpeVersion = (version: string): string => version.replace(/[^A-Za-z0-9._-]/g, '\\$&');
