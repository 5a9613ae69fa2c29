/** Verdicts of real Trivy and ours on the same records, for every ecosystem both know. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { requirePeer } from './cache.ts';
import {
  compareVerdicts,
  type Event,
  keyOf,
  makeWorld,
  type OsvRecord,
  type Reviewed,
} from './verdict-world.ts';

const [trivy, trivydb] = [requirePeer('trivy'), requirePeer('trivydb')];
const world = makeWorld('trivy-verdicts', { times: 30 });
after(() => world.close());

const versionOf = (key: string): string => key.slice(key.lastIndexOf(' ') + 1);

/** PEP 440, appendix B. */
const pep440 =
  /^v?(?:\d+!)?\d+(?:\.\d+)*(?:[-_.]?(?:a|b|c|rc|alpha|beta|pre|preview)[-_.]?\d*)?(?:-\d+|[-_.]?(?:post|rev|r)[-_.]?\d*)?(?:[-_.]?dev[-_.]?\d*)?(?:\+[a-z\d]+(?:[-_.][a-z\d]+)*)?$/i;

const boundsOf = (record: OsvRecord | undefined): Event[] =>
  (record?.affected ?? []).flatMap(({ ranges = [] }) => ranges.flatMap(({ events }) => [...events]));

const ecosystemOf = (record: OsvRecord | undefined): string | undefined =>
  record?.affected[0]?.package.ecosystem;

/** Three numbers, and what may follow them. */
const semver = /^(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*)){2}(?:-[\dA-Za-z.-]+)?(?:\+[\dA-Za-z.-]+)?$/;

/** `8.4.0` and `8.4` are one version where versions are compared by their numbers. */
const short = (version: string): string => version.replace(/(?:\.0)+$/, '');

const reviewed: readonly Reviewed[] = [
  {
    side: 'only we',
    why: 'a fix of one range that another range of the record covers: OSV unites ranges, Trivy takes a fix for all',
    isIt: (key, record) => boundsOf(record).some(({ fixed = '' }) => short(fixed) === short(versionOf(key))),
  },
  {
    side: 'only we',
    why: 'Composer: 2.3.2-p2 is a patch after 2.3.2; Trivy orders PHP as semver, where it comes before',
    isIt: (key, record) => boundsOf(record).some(({ fixed = '' }) => fixed.startsWith(`${versionOf(key)}-p`)),
  },
  {
    side: 'only they',
    why: 'the same, seen from a range that ends at 2.3.2: 2.3.2-p2 has the fix',
    isIt: (key, record) => record?.id.startsWith('FOP-') === true && /-p\d+$/.test(versionOf(key)),
  },
  {
    side: 'only they',
    why: 'builds of a module stream and a package of none: Trivy keeps streams apart by a name OSV does not carry',
    isIt: (_, record) => JSON.stringify(record?.affected).includes('.module_'),
  },
  {
    side: 'only we',
    why: 'a build of a module stream whose stream the document does not say: Trivy passes over it without a word',
    isIt: (key, record) => ecosystemOf(record) === 'AlmaLinux:9' && versionOf(key).includes('.module_el'),
  },
  {
    side: 'only we',
    why: 'one listed release of the record is no PEP 440 version: Trivy then leaves the whole record out',
    isIt: (_, record) =>
      record?.affected.some(
        ({ package: { ecosystem }, versions = [] }) =>
          ecosystem === 'PyPI' && versions.some((one) => !pep440.test(one)),
      ) === true,
  },
  {
    side: 'only we',
    why: 'npm: a version or a bound that is not SemVer (4.0, 1.2.0-*, 1.0RC2, 0.9.7.1): Trivy then compares nothing',
    isIt: (key, record) =>
      ecosystemOf(record) === 'npm' &&
      (!semver.test(versionOf(key)) ||
        boundsOf(record).some(
          ({ introduced, fixed = introduced }) =>
            fixed !== undefined && !/^\d+(?:\.\d+){0,2}$/.test(fixed) && !semver.test(fixed),
        )),
  },
  {
    side: 'only we',
    why: 'a range that ends before it begins: OSV sorts the events, so that it has no end; in Trivy it holds nothing',
    isIt: (_, record) => record?.id === 'RETIRE-electron-d6e1f544',
  },
  {
    side: 'only we',
    why: 'Go: the 0 a range begins with is before every version (OSV); Trivy takes it for 0.0.0, after v0.0.0-DATE-COMMIT',
    isIt: (key, record) =>
      ecosystemOf(record) === 'Go' &&
      versionOf(key).startsWith('0.0.0-') &&
      boundsOf(record).some(({ introduced }) => introduced === '0'),
  },
  ...(['only we', 'only they'] as const).map(
    (side): Reviewed => ({
      side,
      why: 'Maven: builds of one release for several Java runtimes (9.4.1209, 9.4.1209.jre7) are one here, several there',
      isIt: (_, record) =>
        ecosystemOf(record) === 'Maven' &&
        boundsOf(record).some(({ introduced = '', fixed = '' }) =>
          /[.-](?:jre|jdk)\d+$/.test(introduced + fixed),
        ),
    }),
  ),
];

function theirs(): Set<string> {
  const cache = join(world.folder, 'trivy');
  world.run(trivydb, [world.records, cache]);
  const flags = ['--skip-db-update', '--skip-java-db-update', '--offline-scan', '--skip-version-check'];
  return new Set(
    [...world.documents.values()].flatMap((file) => {
      const args = ['sbom', '--cache-dir', cache, ...flags, '--quiet', '--format', 'json', file];
      const { Results = [] } = JSON.parse(world.run(trivy, args, { HOME: world.folder })) as {
        Results?: {
          Vulnerabilities?: { VulnerabilityID: string; PkgName: string; InstalledVersion: string }[];
        }[];
      };
      return Results.flatMap(({ Vulnerabilities = [] }) =>
        Vulnerabilities.map((one) =>
          keyOf({ id: one.VulnerabilityID, name: one.PkgName, version: one.InstalledVersion }),
        ),
      );
    }),
  );
}

test('Trivy and waybill find the same at and around every bound, in every ecosystem', () => {
  const mine = world.ours();
  assert.deepEqual(compareVerdicts(world, mine, theirs(), reviewed), []);
});
