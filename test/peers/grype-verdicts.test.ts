/** Verdicts of real Grype and ours on the same records, for every ecosystem both know. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { requirePeer } from './cache.ts';
import { compareVerdicts, keyOf, makeWorld, type Reviewed } from './verdict-world.ts';

const [grype, grypedb] = [requirePeer('grype'), requirePeer('grypedb')];
const world = makeWorld('grype-verdicts', { withProducts: true, times: 2 });
after(() => world.close());
const env = {
  GRYPE_DB_CACHE_DIR: join(world.folder, 'cache'),
  GRYPE_DB_AUTO_UPDATE: 'false',
  GRYPE_DB_VALIDATE_AGE: 'false',
  GRYPE_CHECK_FOR_APP_UPDATE: 'false',
  XDG_CACHE_HOME: join(world.folder, 'xdg'),
};

const isComposerPatch = (key: string): boolean => /^FOP-magento\S+ magento\S+ 2\.3\.2/.test(key);

const reviewed: readonly Reviewed[] = [
  {
    side: 'only we',
    why: 'Composer: 2.3.2-p2 is a patch after 2.3.2; Grype orders PHP as semver, where it comes before',
    isIt: isComposerPatch,
  },
  {
    side: 'only they',
    why: 'the same, seen from a range that ends at 2.3.2: 2.3.2-p2 has the fix',
    isIt: isComposerPatch,
  },
  {
    side: 'only we',
    why: 'Java by CPE: a range from 1.9.0 to 8.0.451 counts numbers; Grype reads 1.9 as Java 9 and finds nothing in it',
    isIt: (key) => /^BIT-(?:java|jre)-/.test(key),
  },
  {
    side: 'only they',
    why: 'the same: 1.8.0 is Java 8 there, so that ranges of Java 8 hold it beside those that name 1.8.0',
    isIt: (key) => /^BIT-(?:java|jre)-\S+ \S+ 1\./.test(key),
  },
  {
    side: 'only we',
    why: 'PyPI: 2.0.0-final is listed by name and no PEP 440 version: Grype cannot read it, and finds nothing in it',
    isIt: (key) => key.endsWith(' 2.0.0-final'),
  },
  {
    side: 'only they',
    why: 'builds of a module stream and a package of none: Grype keeps streams apart by a field OSV does not carry',
    isIt: (_, record) => JSON.stringify(record?.affected).includes('.module_'),
  },
];

function theirs(): Set<string> {
  world.run(grypedb, [world.records, join(world.folder, 'grype')]);
  world.run(grype, ['db', 'import', join(world.folder, 'grype', 'vulnerability.db')], env);
  return new Set(
    [...world.documents.values()].flatMap((file) => {
      const json = world.run(grype, [`sbom:${file}`, '-o', 'json', '-q'], env);
      const { matches } = JSON.parse(json) as {
        matches: {
          vulnerability: { id: string };
          artifact: { name: string; version: string };
        }[];
      };
      return matches.map(({ vulnerability, artifact }) =>
        keyOf({ ...artifact, id: vulnerability.id.replace(/#\d+$/, '') }),
      );
    }),
  );
}

test('Grype and waybill find the same at and around every bound, in every ecosystem', () => {
  const mine = world.ours();
  assert.ok(mine.size > 500, String(mine.size));
  assert.deepEqual(compareVerdicts(world, mine, theirs(), reviewed), []);
});
