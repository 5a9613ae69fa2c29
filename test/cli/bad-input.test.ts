/** Command lines and files nobody can use: each ends with its exit code and one message. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Command } from 'commander';
import { nearestWord } from '#base/nearest';
import type { RunResult } from '#platform/process';
import { processContext } from '../../src/cli/context.ts';
import { plainLine, plainText } from '../../src/cli/render/plain.ts';
import { verbs } from '../../src/cli/verbs.ts';
import {
  assertJsonRefusal,
  assertRefused,
  type Call,
  folder,
  plainEnv,
  type Refusal,
  shell,
  waybill,
} from './child.ts';
import { waybillHere } from './here.ts';

const file = (name: string, text: string | Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const here = (args: readonly string[]): Promise<RunResult> => waybillHere(args, { env: plainEnv });
const empty = file('empty', '');
const notJson = file('not.json', 'not json\n');
const object = file('object.json', '{"a":1}');
const policy = file(
  'policy.yaml',
  [
    'apiVersion: policy.sigstore.dev/v1beta1',
    'kind: ClusterImagePolicy',
    'metadata: { name: x }',
    'spec:',
    '  images: [{ glob: "**" }]',
    '  authorities: [{ static: { action: pass } }]',
    '',
  ].join('\n'),
);
const misspelt = file(
  'misspelt.yaml',
  'apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: { name: x }\nspec: { image: [] }\n',
);
const badYaml = file('bad.yaml', 'a: [\n');
const configMap = file('map.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: m }\n');
const directory = join(folder, 'directory');
mkdirSync(directory);

/** Every command that runs something, as the words that call it. */
async function leaves(): Promise<string[][]> {
  const context = processContext({ json: false, quiet: true, version: '' });
  const program = new Command('waybill');
  for (const verb of verbs) (await verb.load()).register(program, context);
  const below = (command: Command, path: readonly string[]): string[][] =>
    command.commands.length === 0
      ? [[...path]]
      : command.commands.flatMap((child) => below(child, [...path, child.name()]));
  return below(program, []);
}

/** Verbs of a test double or of other tools' grammars, which report in the way of the tool they stand for. */
const foreign = new Set(['cosign', 'slsa-verifier', 'rekor-cli', 'syft', 'grype', 'trivy']);
const ours = (await leaves()).filter(([verb]) => !foreign.has(verb ?? ''));

describe('an unknown flag is refused by every command', () => {
  for (const words of ours) {
    test(words.join(' '), async () => {
      const result = await here([...words, '--no-such-flag']);
      assertRefused(result, { exit: 3, code: 'WB-1301', says: /unknown option '--no-such-flag'/ });
      assert.equal(result.stdout, '');
    });
  }
});

test('every verb is offered when its name is misspelt', () => {
  const names = verbs.map(({ name }) => name);
  for (const name of names) {
    const typo = `${name.slice(0, 1)}${name.slice(2)}`;
    if (typo.length > 1 && !names.includes(typo)) assert.ok(nearestWord(typo, names) !== undefined, typo);
  }
  assert.equal(nearestWord('verfy', names), 'verify');
});

interface Case extends Refusal, Call {
  readonly name: string;
  readonly args: readonly string[];
}

const lines: readonly Case[] = [
  {
    name: 'a misspelt verb',
    args: ['verfy'],
    exit: 3,
    code: 'WB-1302',
    says: /did you mean 'waybill verify'/,
  },
  { name: 'help on no verb', args: ['help', 'verfy'], exit: 3, code: 'WB-1302' },
  {
    name: 'an option before the verb',
    args: ['--nope', 'verify'],
    exit: 3,
    code: 'WB-1302',
    says: /before its options/,
  },
  { name: 'words after version', args: ['version', 'x'], exit: 3, code: 'WB-1301' },
  { name: 'a group without its verb', args: ['stack'], exit: 3, code: 'WB-1301', says: /one of up, status/ },
  {
    name: 'a misspelt verb of a group',
    args: ['db', 'bild'],
    exit: 3,
    code: 'WB-1301',
    says: /did you mean waybill db build/,
  },
  { name: 'a missing argument', args: ['digest'], exit: 3, code: 'WB-1301', says: /see waybill help digest/ },
  { name: 'an argument too many', args: ['digest', 'a', 'b'], exit: 3, code: 'WB-1301' },
  { name: 'no identity', args: ['verify', 'a', '--certificate-identity', 'x'], exit: 3, code: 'WB-1303' },
  {
    name: 'an empty identity',
    args: ['verify', 'a', '--certificate-identity=', '--certificate-oidc-issuer', 'x'],
    exit: 3,
    code: 'WB-1305',
  },
  {
    name: 'two identities',
    args: ['verify', 'a', '--certificate-identity', 'x', '--certificate-identity', 'y'],
    exit: 3,
    code: 'WB-1305',
  },
  {
    name: 'an expression outside RE2',
    args: ['verify', 'a', '--certificate-identity-regexp', '(?=a)', '--certificate-oidc-issuer', 'x'],
    exit: 3,
    code: 'WB-361',
  },
  { name: 'an annotation without a value', args: ['verify', 'a', '-a', 'x'], exit: 3, code: 'WB-1305' },
  {
    name: 'a choice that is none',
    args: ['sign', 'a', '--format', 'x'],
    exit: 3,
    code: 'WB-1301',
    says: /bundle, legacy, both/,
  },
  { name: 'an unreadable reference', args: ['digest', 'Not/A:Name:Here'], exit: 3, code: 'WB-185' },
  { name: 'an empty reference', args: ['tree', ''], exit: 3, code: 'WB-185' },
  { name: 'a short digest', args: ['digest', 'a/b@sha256:abc'], exit: 3, code: 'WB-185' },
  {
    name: 'a predicate type that is none',
    args: ['verify-attestation', 'a', '--type', 'x'],
    exit: 3,
    code: 'WB-159',
  },
  {
    name: 'a source that is none',
    args: ['provenance', 'verify', 'a', '--source-uri', ''],
    exit: 3,
    code: 'WB-1305',
  },
  { name: 'a severity that is none', args: ['scan', 'a', '--fail-on', 'x'], exit: 3, code: 'WB-876' },
  { name: 'an output that is none', args: ['sbom', 'a', '-o', 'x'], exit: 3, code: 'WB-847' },
  { name: 'a digest that is none', args: ['scan', 'a', '--expect-digest', 'x'], exit: 3, code: 'WB-104' },
  {
    name: 'a platform that is none',
    args: ['digest', '--platform', 'x', 'oci:DIR'],
    exit: 3,
    code: 'WB-512',
  },
  { name: 'no trusted root', args: ['trust', 'show'], exit: 3, code: 'WB-607' },
  {
    name: 'a mirror that is no URL',
    args: ['trust', 'show', '--tuf-mirror', 'x', '--tuf-root', object],
    exit: 3,
    code: 'WB-607',
  },
  {
    name: 'a service that is no URL',
    args: ['audit', 'search', `sha256:${'0'.repeat(64)}`, '--audit-url', 'x', '--trusted-root', object],
    exit: 16,
    code: 'WB-604',
  },
  { name: 'no token', args: ['identity'], exit: 31, code: 'WB-620' },
  {
    name: 'text that is no token',
    args: ['identity', '--identity-token', 'a.b.c'],
    exit: 31,
    code: 'WB-621',
  },
  {
    name: 'a port that is none',
    args: ['stack', 'up', '--data', join(folder, 'st'), '--port-base', 'x'],
    exit: 3,
    code: 'WB-1305',
  },
  {
    name: 'a port out of range',
    args: ['stack', 'up', '--data', join(folder, 'st'), '--port-base', '80'],
    exit: 3,
    code: 'WB-1205',
  },
  {
    name: 'an address that is none',
    args: ['serve', 'admission', '--listen', 'x'],
    exit: 3,
    code: 'WB-1305',
  },
];

const key = ['verify', 'a/b', '--trusted-root', object, '--key'];
const attest = (predicate: string, type: string): readonly string[] => [
  'attest',
  'a/b',
  '--predicate',
  predicate,
  '--type',
  type,
];
const policyTest = (path: string): readonly string[] => [
  'policy',
  'test',
  '--policy',
  path,
  '--image',
  'a/b',
];

const files: readonly Case[] = [
  {
    name: 'a predicate that is not JSON',
    args: attest(notJson, 'cyclonedx'),
    exit: 3,
    code: 'WB-150',
    says: /not json\\n/,
  },
  {
    name: 'a predicate on standard input that is not JSON',
    args: attest('-', 'vuln'),
    input: '{',
    exit: 3,
    code: 'WB-150',
  },
  { name: 'a key named twice', args: attest('-', 'vuln'), input: '{"a":1,"a":2}', exit: 3, code: 'WB-151' },
  { name: 'a predicate of another type', args: attest(object, 'cyclonedx'), exit: 3, code: 'WB-904' },
  { name: 'an empty predicate', args: attest(empty, 'custom'), exit: 3, code: 'WB-904' },
  {
    name: 'a predicate that is not there',
    args: attest(join(folder, 'none'), 'vuln'),
    exit: 3,
    code: 'WB-209',
    says: /no such file/,
  },
  {
    name: 'a folder as predicate',
    args: attest(directory, 'vuln'),
    exit: 3,
    code: 'WB-209',
    says: /a folder/,
  },
  {
    name: 'an endless predicate',
    args: attest('/dev/zero', 'vuln'),
    exit: 3,
    code: 'WB-209',
    says: /at most \d+ bytes/,
  },
  { name: 'a key that is none', args: [...key, notJson], exit: 3, code: 'WB-105' },
  { name: 'an endless key', args: [...key, '/dev/zero'], exit: 3, code: 'WB-209' },
  {
    name: 'a trusted root that is none',
    args: ['trust', 'show', '--trusted-root', object],
    exit: 16,
    code: 'WB-604',
  },
  {
    name: 'an empty trusted root',
    args: ['trust', 'show', '--trusted-root', empty],
    exit: 16,
    code: 'WB-604',
  },
  {
    name: 'an endless trusted root',
    args: ['trust', 'show', '--trusted-root', '/dev/zero'],
    exit: 16,
    code: 'WB-604',
  },
  { name: 'no stack there', args: ['stack', 'status', '--stack', directory], exit: 3, code: 'WB-1202' },
  { name: 'a layout that is none', args: ['digest', `oci:${directory}`], exit: 3, code: 'WB-512' },
  { name: 'a folder as archive', args: ['digest', `docker-archive:${directory}`], exit: 3, code: 'WB-513' },
  { name: 'a text as archive', args: ['digest', 'oci-archive:LICENSE'], exit: 3, code: 'WB-513' },
  { name: 'an SBOM that is not JSON', args: ['scan', `sbom:${notJson}`], exit: 3, code: 'WB-150' },
  { name: 'an SBOM of no kind', args: ['scan', `sbom:${object}`], exit: 3, code: 'WB-192' },
  { name: 'a text as database', args: ['scan', `sbom:${object}`, '--db', notJson], exit: 3, code: 'WB-870' },
  {
    name: 'a database that is not there',
    args: ['db', 'status', '--db', join(folder, 'no', 'db')],
    exit: 3,
    code: 'WB-870',
  },
  {
    name: 'advisories that are none',
    args: ['db', 'build', notJson, '--out', join(folder, 'out.db')],
    exit: 3,
    code: 'WB-872',
  },
  {
    name: 'a database to write where a folder is',
    args: ['db', 'build', 'demo/advisories', '--out', directory],
    exit: 3,
    code: 'WB-209',
  },
  {
    name: 'a database to write below a file',
    args: ['db', 'build', 'demo/advisories', '--out', join(empty, 'x')],
    exit: 3,
    code: 'WB-209',
  },
  {
    name: 'a stack below a file',
    args: ['stack', 'up', '--data', join(empty, 'x'), '--port-base', '0'],
    exit: 3,
    code: 'WB-209',
  },
  {
    name: 'a stack in a file',
    args: ['stack', 'up', '--data', empty, '--port-base', '0'],
    exit: 3,
    code: 'WB-209',
  },
  {
    name: 'a policy with an unknown field',
    args: policyTest(misspelt),
    exit: 3,
    code: 'WB-721',
    says: /misspelt\.yaml:4:9: spec\.image\n.*did you mean images\?/,
  },
  { name: 'a policy that is not YAML', args: policyTest(badYaml), exit: 3, code: 'WB-720' },
  { name: 'a policy of another kind', args: policyTest(configMap), exit: 3, code: 'WB-724' },
  { name: 'no policy in the file', args: policyTest(empty), exit: 3, code: 'WB-732' },
  { name: 'an endless policy', args: policyTest('/dev/zero'), exit: 3, code: 'WB-209' },
  {
    name: 'objects without an image',
    args: [
      'policy',
      'test',
      '--policy',
      policy,
      '--trusted-root',
      join(folder, 'none'),
      '--resource',
      configMap,
    ],
    exit: 16,
    code: 'WB-604',
  },
  {
    name: 'a webhook without a trusted root',
    args: ['serve', 'admission', '--policy', policy, '--trusted-root', object, '--listen', '127.0.0.1:0'],
    exit: 16,
    code: 'WB-604',
  },
];

/** What is read from standard input needs a process of its own; so does one command line of each table. */
const started = new Set(['a misspelt verb', 'a trusted root that is none']);

function refuses(one: Case): void {
  const ask = one.input !== undefined || started.has(one.name) ? waybill : here;
  test(one.name, async () => assertRefused(await ask(one.args, one), one));
}

describe('a command line nobody can use', () => {
  for (const one of lines) refuses(one);
});

describe('a file nobody can use', () => {
  for (const one of files) refuses(one);
});

test('nothing half-written stays behind', () => {
  const made = ['empty', 'not.json', 'object.json', 'policy.yaml', 'misspelt.yaml', 'bad.yaml', 'map.yaml'];
  // `st` is the folder of a stack that was refused its ports; the next start continues there.
  assert.deepEqual(readdirSync(folder).sort(), [...made, 'directory', 'st'].sort());
  assert.deepEqual(readdirSync(directory), []);
});

test('--json tells a refusal on standard output, whatever was wrong', async () => {
  assertJsonRefusal(await waybill(['verify', '--json', '--nope']), { exit: 3, code: 'WB-1301' });
  assertJsonRefusal(await waybill(['digest', 'BAD', '--json=true']), { exit: 3, code: 'WB-185' });
  assertJsonRefusal(await waybill(['nope', '--json']), { exit: 3, code: 'WB-1302' });
  const afterDashes = await waybill(['digest', '--', '--json']);
  assert.deepEqual([afterDashes.code, afterDashes.stdout], [3, '']);
});

test('a closed output changes no exit code; a result that is lost is told', async () => {
  assert.equal((await shell('waybill digest BAD --json | true')).code, 3);
  assert.equal((await shell('waybill help | head -1')).code, 0);
  assert.equal((await shell('waybill digest BAD 2>/dev/full')).code, 3);
  assert.equal((await shell('waybill digest BAD >&- 2>&-')).code, 3);
  const lost: Refusal = { exit: 3, code: 'WB-1306' };
  assertRefused(await shell('waybill version >/dev/full'), lost);
  // Whatever exit code was set before or after.
  assertRefused(await shell('waybill verify --help >/dev/full'), lost);
  assert.equal((await shell(`waybill policy lint ${misspelt}`)).code, 2);
  assertRefused(await shell(`waybill policy lint ${misspelt} >/dev/full`), lost);
});

test('without HOME nothing is written to the current folder', async () => {
  const result = await waybill(['stack', 'status'], { env: { HOME: '' }, cwd: directory });
  assertRefused(result, { exit: 3, code: 'WB-1202' });
  assert.doesNotMatch(result.stderr, new RegExp(directory));
});

test('NO_COLOR holds, and words of others cannot steer a terminal', async () => {
  const result = await waybill(['digest', 'x/\u001b[31mred\u202eder']);
  assertRefused(result, { exit: 3, code: 'WB-185' });
  assert.doesNotMatch(result.stderr, /[\u001b\u202e]/);
  assert.equal(plainText('a\tb\nc\u001b[2J\u202e\u0085'), 'a\tb\nc\\u001b[2J\\u202e\\u0085');
  assert.equal(
    plainText('d\u200be\u061cv\ufeff\u2028\u{e0001}'),
    'd\\u200be\\u061cv\\ufeff\\u2028\\u{e0001}',
  );
  assert.equal(plainLine('a\nb'), 'a\\nb');
});

test('what only the older layout has is refused where a bundle is written', async () => {
  const digest = `localhost:1/a@sha256:${'0'.repeat(64)}`;
  const signs = ['sign', digest, '--key', object];
  const attests = ['attest', digest, '--key', object, '--predicate', object];
  for (const [words, option] of [
    [[...signs, '--payload', object], '--payload'],
    [[...signs, '--sign-container-identity', 'name'], '--sign-container-identity'],
    [[...signs, '--attachment-tag-prefix', 'x'], '--attachment-tag-prefix'],
    [[...attests, '--replace'], '--replace'],
    [[...attests, '--format', 'bundle', '--attachment-tag-prefix', 'x'], '--attachment-tag-prefix'],
  ] as const) {
    const told = await here(words);
    assert.equal(told.code, 3);
    assert.match(told.stderr, /WB-1312/);
    assert.match(told.stderr, new RegExp(`actual: +${option}`));
  }
});

test('cosign mode says of a bundle that is no JSON what is wrong with it', async () => {
  const who = ['--certificate-identity', 'a@example.com', '--certificate-oidc-issuer', 'https://example.com'];
  for (const [bundle, code] of [
    [notJson, /WB-150/],
    [empty, /WB-150/],
    [object, /WB-\d+/],
  ] as const) {
    const told = await here(['cosign', 'verify-blob', '--bundle', bundle, ...who, object]);
    assert.equal(told.code, 1);
    assert.match(told.stderr, code);
    assert.doesNotMatch(told.stderr, /internal error/);
  }
});
