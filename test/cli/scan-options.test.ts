/** The options of cataloguing: the same for `scan`, `sbom` and `explain`, and refused where they mean nothing. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { before, test } from 'node:test';
import { Command } from 'commander';
import type { CliContext } from '../../src/cli/context.ts';
import { verbs } from '../../src/cli/verbs.ts';
import { waybillHere } from './here.ts';
import {
  folder,
  good,
  inFolder,
  makeImage,
  refused,
  run,
  writeDatabase,
  writeFolder,
  writeLayout,
} from './scan-world.ts';

let layout = '';
let tree = '';
before(async () => {
  layout = writeLayout('image', await makeImage());
  tree = writeFolder('tree');
  await writeDatabase();
  await good(['sbom', layout, '-o', `cyclonedx-json=${inFolder('s.json')}`]);
});

async function optionsOf(verb: string): Promise<Map<string, string>> {
  const program = new Command();
  (await verbs.find(({ name }) => name === verb)?.load())?.register(program, {} as CliContext);
  const command = program.commands.find((one) => one.name() === verb) ?? assert.fail(verb);
  return new Map(command.options.map((one) => [one.long ?? '', one.description]));
}

test('scan, sbom, sbom check and explain offer the same options of cataloguing, in the same words', async () => {
  const names = [
    '--platform',
    '--scope',
    '--exclude',
    '--select-cataloguers',
    '--layer-cache',
    '--threads',
    '--skip-diff-id',
  ];
  const [first, ...others] = await Promise.all(['sbom', 'scan', 'explain'].map(optionsOf));
  for (const name of names) {
    assert.ok(first?.get(name), name);
    for (const other of others) assert.equal(other.get(name), first?.get(name), name);
  }
});

interface Found {
  readonly findings: readonly { readonly id: string; readonly package: { readonly name: string } }[];
}
const namesIn = async (...words: readonly string[]): Promise<string[]> => {
  const { value } = await good(['scan', ...words], { json: true });
  return [...new Set((value as Found).findings.map((one) => one.package.name))].sort();
};

test('scan of an image takes every option, and each does what it says', async () => {
  assert.deepEqual(await namesIn(layout), ['left', 'libssl3', 'right']);
  assert.deepEqual(await namesIn(layout, '--scope', 'all-layers'), ['gone', 'left', 'libssl3', 'right']);
  assert.deepEqual(await namesIn(layout, '--exclude', './app/**', '--exclude', '/opt'), ['libssl3']);
  assert.deepEqual(await namesIn(layout, '--select-cataloguers', 'npm'), ['left', 'right']);
  assert.deepEqual(await namesIn(layout, '--select-cataloguers=-npm'), ['libssl3']);
  const cache = inFolder('cache');
  const words = ['--layer-cache', cache, '--threads', '0', '--platform', 'linux/amd64'];
  assert.deepEqual(await namesIn(layout, ...words), ['left', 'libssl3', 'right']);
  assert.ok(readdirSync(cache).length > 0);
  assert.deepEqual(await namesIn(layout, ...words), ['left', 'libssl3', 'right'], 'from the cache');
  assert.deepEqual(await namesIn(layout, '--skip-diff-id'), ['left', 'libssl3', 'right']);
  await refused(['scan', layout, '--scope', 'deep'], 'WB-855', 'deep');
  await refused(['scan', layout, '--threads', 'many'], 'WB-856', 'many');
  await refused(['scan', layout, '--select-cataloguers', 'nobody'], 'WB-850', 'nobody');
  await refused(['scan', layout, '--exclude', 'usr'], 'WB-851', 'usr');
  await refused(['scan', layout, '--platform', 'linux/arm64'], 'WB-511', 'linux/arm64');
});

test('scan of a folder takes what means something there', async () => {
  assert.deepEqual(await namesIn(tree), ['left', 'right']);
  assert.deepEqual(await namesIn(tree, '--exclude', '**/left'), ['right']);
  assert.deepEqual(await namesIn(tree, '--select-cataloguers', 'npm'), ['left', 'right']);
});

const ofImages: readonly (readonly string[])[] = [
  ['--platform', 'linux/amd64'],
  ['--scope', 'squashed'],
  ['--layer-cache', 'c'],
  ['--threads', '1'],
  ['--skip-diff-id'],
];
const ofRegistries: readonly (readonly string[])[] = [
  ['--allow-http-registry'],
  ['--registry-token', 't'],
  ['--registry-auth-host', 'auth.example'],
];

test('what means nothing for a folder or a document is refused by name in every verb', async () => {
  const document = `sbom:${inFolder('s.json')}`;
  for (const words of [...ofImages, ...ofRegistries]) {
    const [name = ''] = words;
    for (const verb of [['scan'], ['sbom'], ['explain', 'CVE-2026-1001']]) {
      await refused([...verb, tree, ...words], 'WB-1312', name);
    }
    await refused(['scan', document, ...words], 'WB-1312', name);
    await refused(['explain', 'CVE-2026-1001', document, ...words], 'WB-1312', name);
    await refused(['explain', 'CVE-2026-1001', ...words], 'WB-1312', name);
  }
  await refused(['scan', document, '--exclude', '/usr'], 'WB-1312', '--exclude');
  await refused(['scan', document, '--select-cataloguers', 'npm'], 'WB-1312', '--select-cataloguers');
  for (const words of ofRegistries) {
    await refused(['scan', layout, ...words], 'WB-1312', words[0] ?? '');
    await refused(['sbom', layout, ...words], 'WB-1312', words[0] ?? '');
  }
});

test('verbs of documents refuse the options of the verb they belong to', async () => {
  const file = inFolder('s.json');
  for (const words of [...ofImages, ['--exclude', '/usr'], ['--fail-on-unknown'], ['--name', 'x']]) {
    const [name = ''] = words;
    await refused(['sbom', 'convert', file, ...words], 'WB-1312', name);
    await refused(['sbom', 'score', file, ...words], 'WB-1312', name);
    await refused(['sbom', 'diff', file, file, ...words], 'WB-1312', name);
    if (name !== '--name') await refused(['sbom', 'merge', file, file, ...words], 'WB-1312', name);
  }
  await refused(['sbom', 'check', layout, '--fail-on-unknown'], 'WB-1312', '--fail-on-unknown');
  await refused(['sbom', 'diff', file, file, '-o', 'table'], 'WB-1312', '--output');
  await good(['sbom', 'merge', file, file, '--name', 'both']);
});

test('what every command takes is never refused', async () => {
  const file = inFolder('s.json');
  const env = { HOME: folder, WAYBILL_DB: inFolder('a.db') };
  for (const words of [
    ['scan', tree],
    ['scan', `sbom:${file}`],
    ['sbom', tree],
    ['explain', 'CVE-2026-1001'],
    ['explain', 'CVE-2026-1001', `sbom:${file}`],
    ['sbom', 'convert', file],
    ['sbom', 'merge', file, file],
    ['sbom', 'diff', file, file],
    ['sbom', 'score', file],
    ['db', 'build', inFolder('records.json'), '--out', inFolder('b.db')],
  ]) {
    const { code, stderr } = await waybillHere([...words, '--json', '--quiet'], { env, cwd: folder });
    assert.equal(code, 0, `${words.join(' ')}: ${stderr}`);
  }
});

test('who signed is asked of attestations only, and what is attested is not catalogued', async () => {
  await refused(['scan', layout, '--key', 'k.pub'], 'WB-1312', '--key');
  await refused(['scan', layout, '--certificate-identity', 'a@b.c'], 'WB-1312', '--certificate-identity');
  await refused(['scan', layout, '--attested', '--key', 'k', '--scope', 'squashed'], 'WB-1312', '--scope');
  await refused(['scan', layout, '--attested', '--key', 'k', '--exclude', '/x'], 'WB-1312', '--exclude');
  await refused(['scan', tree, '--attested', '--key', 'k'], 'WB-1312', '--attested');
  await refused(['scan', 'docker:app:v1', '--attested', '--key', 'k'], 'WB-1312', '--attested');
});

test('the modes refuse by name too what means nothing for their source', async () => {
  const document = `sbom:${inFolder('s.json')}`;
  for (const [words, name] of [
    [['syft', tree, '--platform', 'linux/amd64'], '--platform'],
    [['syft', tree, '--scope', 'all-layers'], '--scope'],
    [['grype', document, '--platform', 'linux/amd64'], '--platform'],
    [['grype', document, '--scope', 'squashed'], '--scope'],
    [['grype', document, '--exclude', './usr'], '--exclude'],
    [['grype', tree, '--scope', 'all-layers'], '--scope'],
    [['grype', document, '-o', 'json', '-o', 'sarif', '--file', 'one'], '--file'],
    [['grype', document, '-o', `json=${inFolder('g.json')}`, '--file', 'one'], '--file'],
    [['trivy', 'sbom', inFolder('s.json'), '--platform', 'linux/amd64'], '--platform'],
    [['trivy', 'sbom', inFolder('s.json'), '--skip-dirs', '/usr'], '--skip-dirs'],
    [['trivy', 'image', '--input', inFolder('image'), '-f', 'cyclonedx', '--severity', 'HIGH'], '--severity'],
    [['trivy', 'image', '--input', inFolder('image'), '-f', 'spdx-json', '--exit-code', '1'], '--exit-code'],
    [['trivy', 'image', '--input', inFolder('image'), '-f', 'cyclonedx', '--vex', 'v'], '--vex'],
    [['trivy', 'sbom', inFolder('s.json'), '--pkg-types', 'os', '--vuln-type', 'library'], '--vuln-type'],
  ] as const) {
    const { reason, stderr, stdout, exit } = await run(words);
    const told = `${reason?.actual} ${stderr}`;
    assert.ok(told.includes(name), `${words.join(' ')}: ${told}`);
    assert.notEqual(exit, 0, words.join(' '));
    assert.equal(stdout, '', words.join(' '));
  }
});

test('the modes translate scope and paths that are left out', async () => {
  const names = async (...words: readonly string[]): Promise<readonly string[]> => {
    const { stdout } = await good(words);
    return ['gone', 'left', 'libssl3', 'right'].filter((name) => stdout.includes(`"${name}"`));
  };
  const grype = ['grype', layout.replace('oci:', 'oci-dir:'), '-o', 'json'];
  assert.deepEqual(await names(...grype), ['left', 'libssl3', 'right']);
  assert.deepEqual(await names(...grype, '--scope', 'all-layers'), ['gone', 'left', 'libssl3', 'right']);
  assert.deepEqual(await names(...grype, '--exclude', './app', '--exclude', './opt'), ['libssl3']);
  const trivy = ['trivy', 'image', '--input', inFolder('image'), '-f', 'json'];
  assert.deepEqual(await names(...trivy, '--skip-dirs', 'app,/opt'), ['libssl3']);
  assert.deepEqual(await names(...trivy, '--skip-files', '**/right/package.json'), ['left', 'libssl3']);
});

test('a list of commas asks for nothing, and lets no gate pass', async () => {
  const document = `sbom:${inFolder('s.json')}`;
  for (const option of ['--severity', '--pkg-types', '--ignore-states', '--allow-license', '--deny-license'])
    await refused(['scan', document, '--fail-on', 'low', option, ' ,'], 'WB-1305', '" ,"');
});
