/** Verdicts of real Trivy and ours on the same records, for every ecosystem both know. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { requirePeer } from './cache.ts';
import { compareVerdicts, keyOf, makeWorld, type Reviewed } from './verdict-world.ts';

const [trivy, trivydb] = [requirePeer('trivy'), requirePeer('trivydb')];
const world = makeWorld('trivy-verdicts');
after(() => world.close());

const versionOf = (key: string): string => key.slice(key.lastIndexOf(' ') + 1);

const reviewed: readonly Reviewed[] = [
  {
    side: 'only we',
    why: 'a fix of one range that another range of the record covers: OSV unites ranges, Trivy takes a fix for all',
    isIt: (key, record) =>
      record?.affected.some(({ ranges = [] }) =>
        ranges.some(({ events }) => events.some(({ fixed }) => fixed === versionOf(key))),
      ) === true,
  },
  {
    side: 'only we',
    why: 'Composer: 2.3.2-p2 is a patch after 2.3.2; Trivy orders PHP as semver, where it comes before',
    isIt: (key) => /^FOP-magento\S+ magento\S+ 2\.3\.2$/.test(key),
  },
  {
    side: 'only they',
    why: 'the same, seen from a range that ends at 2.3.2: 2.3.2-p2 has the fix',
    isIt: (key) => /^FOP-magento\S+ magento\S+ 2\.3\.2-p2$/.test(key),
  },
  {
    side: 'only they',
    why: 'builds of a module stream and a package of none: Trivy keeps streams apart by a name OSV does not carry',
    isIt: (_, record) => JSON.stringify(record?.affected).includes('.module_'),
  },
  {
    side: 'only we',
    why: 'one listed release of the record is no PEP 440 version: Trivy then leaves the whole record out',
    isIt: (key) => key.startsWith('PYSEC-2022-5 '),
  },
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
