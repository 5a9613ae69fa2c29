/** The cache of Conan 2, whose folders do not say what is in them. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { catalogueLayers, cataloguers } from '#sbom';
import { type Entry, image, options } from './fixture.ts';

const recipes =
  'CREATE TABLE recipes (reference text NOT NULL, rrev text NOT NULL, path text NOT NULL UNIQUE, timestamp real NOT NULL, lru integer NOT NULL , UNIQUE(reference, rrev))';
const packages =
  'CREATE TABLE packages (reference text NOT NULL, rrev text NOT NULL, pkgid text, prev text, path text NOT NULL UNIQUE, timestamp real NOT NULL, build_id text, lru integer NOT NULL , UNIQUE(reference, rrev, pkgid, prev))';

function cache(...statements: readonly string[]): Uint8Array {
  const database = new DatabaseSync(':memory:');
  for (const one of statements) database.exec(one);
  const bytes = database.serialize();
  database.close();
  return bytes;
}

async function found(...entries: readonly Entry[]): Promise<{ purls: string[]; reasons: string[] }> {
  const chosen = cataloguers.filter(({ name }) => name === 'conan');
  const { sbom } = await catalogueLayers((await image(entries)).input, { ...options, cataloguers: chosen });
  return {
    purls: sbom.packages.map((one) => one.purl ?? '').sort(),
    reasons: sbom.unknowns
      .filter((one) => one.wantedBy === 'conan')
      .map((one) => `${one.path}: ${one.reason}`),
  };
}

const at = 'root/.conan2/p/cache.sqlite3';
const info: Entry = { path: 'root/.conan2/p/b/app12/p/conaninfo.txt', text: '[requires]\ndep/1.Y.Z\n' };

test('what the database of the cache lists is found, and nothing of what it was built against', async () => {
  const bytes = cache(
    recipes,
    packages,
    "INSERT INTO recipes VALUES ('dep/1.2.11', 'r', 'a', 1, 1), ('dep/1.2.11', 's', 'b', 1, 1)",
    "INSERT INTO packages VALUES ('app/2.0@team/stable', 'r', 'i', 'p', 'c', 1, NULL, 1)",
  );
  assert.deepEqual(await found({ path: at, text: bytes }, info), {
    purls: ['pkg:conan/dep@1.2.11', 'pkg:conan/team/app@2.0?channel=stable'],
    reasons: [],
  });
});

test('a package of a cache without its database is an unknown; a deployed one says itself what it is', async () => {
  const deployed = {
    path: 'app/full_deploy/host/dep/1.2.11/Release/x86_64/conaninfo.txt',
    text: '[settings]\nos=Linux\n',
  };
  assert.deepEqual(await found(info, deployed), {
    purls: ['pkg:conan/dep@1.2.11'],
    reasons: [`${info.path}: a package of a cache whose database is not there`],
  });
});

test('a database that is none, or that would run what it says, is an unknown', async () => {
  const view = cache(packages, "CREATE VIEW recipes AS SELECT 'a/1' AS reference");
  const computed = cache(packages, 'CREATE TABLE recipes (reference text NOT NULL, x text AS (reference))');
  const names = cache(recipes, packages, "INSERT INTO recipes VALUES ('nothing', 'r', 'a', 1, 1)");
  for (const [bytes, reason] of [
    [view, /plain table recipes/],
    [computed, /plain table recipes/],
    [cache(recipes), /plain table packages/],
    [new TextEncoder().encode('SQLite format 3\0 and no more'), /./],
    [names, /"nothing" without a version/],
  ] as const) {
    const { purls, reasons } = await found({ path: at, text: bytes });
    assert.deepEqual(purls, []);
    assert.equal(reasons.length, 1);
    assert.match(reasons[0] ?? '', reason);
  }
});
