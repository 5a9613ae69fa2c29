/**
 * Trees that package managers make here and now: each cataloguer has to find what the manager lists, no more and no
 * less. Where Syft writes the same package URLs, that is a proof as well.
 */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { run } from '#platform/process';
import { catalogueFolder, cataloguers } from '#sbom';
import { gaps, purlsOfTree } from '../sbom/census-gaps.ts';
import { prove, readProofs } from '../sbom/census-record.ts';
import { options } from '../sbom/fixture.ts';
import { peersFolder } from './cache.ts';
import { findApk } from './sbom-truth.ts';
import { syftPurls } from './syft-purls.ts';

const tools = join(dirname(peersFolder), 'census');
const apk = findApk();
const env = {
  ...process.env,
  WAYBILL_CENSUS_TOOLS: tools,
  ...(apk === undefined ? {} : { WAYBILL_APK: apk }),
};
const script = (name: string): string => new URL(name, import.meta.url).pathname;

let folder: string;
const managers: Record<string, string> = {};
const purls: Record<string, number> = {};

before(
  async () => {
    folder = await mkdtemp(join(tmpdir(), 'waybill-census-'));
    const { code, stderr } = await run('sh', [script('census-tools.sh')], { timeoutMs: 900_000, env });
    assert.equal(code, 0, stderr);
  },
  { timeout: 900_000 },
);
after(() => rm(folder, { recursive: true, force: true }));

/** Nobody but Alpine publishes apk: where it is not, what another machine proved of it stands. */
const absent: readonly string[] = apk === undefined ? ['apk'] : [];
for (const name of absent) {
  const before = readProofs()[name]?.tree;
  if (before !== undefined) managers[name] = before;
  console.log(`${name} was not run: put the program on the PATH, or name it in WAYBILL_APK`);
}

const isRun = (name: string): boolean => gaps.tree[name] === undefined && !absent.includes(name);
for (const { name } of cataloguers.filter((one) => isRun(one.name))) {
  test(`${name}: finds what its package manager lists`, { timeout: 200_000 }, async () => {
    const work = join(folder, name);
    await mkdir(work);
    const made = await run('sh', [script('census-trees.sh'), name, work], { timeoutMs: 180_000, env });
    assert.equal(made.code, 0, made.stderr);
    const [manager = '', ...listed] = made.stdout.split('\n').filter((line) => line !== '');
    const tree = join(work, 'tree');
    const { sbom } = await catalogueFolder(tree, { ...options, cataloguers });
    const found = sbom.packages.filter((one) => one.foundBy === name);
    assert.deepEqual([...new Set(found.map((one) => `${one.name} ${one.version}`))].sort(), listed.sort());
    assert.deepEqual(
      sbom.unknowns.filter((one) => one.wantedBy === name),
      [],
    );
    managers[name] = manager;
    if (!purlsOfTree.includes(name)) return;
    const ours = [...new Set(found.map((one) => one.purl ?? ''))].sort();
    assert.deepEqual(await syftPurls(tree, name), ours);
    purls[name] = ours.length;
  });
}

test('the census names the package managers', () => prove('tree', managers));

test('the census counts package URLs that Syft writes of a tree', () => prove('treePurls', purls));
