/**
 * The signing side of `waybill cosign` beside the real cosign: the same words, the same files, the same exit codes,
 * the same kind of lines; and each tool verifies what the other one made with them.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { environmentOf } from '#stack';
import { ada, startStack, temporaryFolder } from '../stack/helper.ts';
import { requirePeer } from './cache.ts';
import { pushImage, type Ran, runProgram } from './stack-image.ts';

const cosign3 = requirePeer('cosign');
const stack = await startStack();
const home = await temporaryFolder();
const { origins, registryHost } = stack;
const publicFile = (name: string): string => join(stack.dataDir, 'public', name);
const who = ['--certificate-identity', ada, '--certificate-oidc-issuer', origins.oidc];
const trusted = ['--trusted-root', publicFile('trusted_root.json')];
const via = ['--signing-config', publicFile('signing_config.v0.2.json')];
const urls = ['--fulcio-url', origins.ca, '--rekor-url', origins.log];
const old = '--new-bundle-format=false';
const noLog = ['--use-signing-config=false', '--tlog-upload=false'];
const env = { HOME: home, COSIGN_PASSWORD: 'secret', ...environmentOf(stack.dataDir, origins) };
const blob = join(home, 'blob');
const predicate = join(home, 'predicate.json');
await writeFile(blob, 'content');
await writeFile(predicate, '{"checked":true}');
const token = async (): Promise<string[]> => [
  '--identity-token',
  (await stack.mint({ sub: ada, email: ada })).reveal(),
];

/** Each tool works in a folder of its own, with the same relative names. */
const tools = {
  theirs: (folder: string, args: readonly string[]) => inFolder(folder, cosign3, args),
  ours: (folder: string, args: readonly string[]) =>
    inFolder(folder, resolve('bin/waybill'), ['cosign', ...args]),
};
type Tool = keyof typeof tools;

function inFolder(folder: string, program: string, args: readonly string[]): Promise<Ran> {
  return runProgram('/bin/sh', ['-c', 'cd "$0" && exec "$@"', folder, program, ...args], env);
}

interface Pair {
  readonly theirs: Ran;
  readonly ours: Ran;
}

let runs = 0;
async function both(
  args: (tool: Tool) => Promise<readonly string[]> | readonly string[],
): Promise<Pair & { readonly folders: Record<Tool, string> }> {
  const folders = { theirs: join(home, `theirs${++runs}`), ours: join(home, `ours${runs}`) };
  const run = async (tool: Tool): Promise<Ran> => {
    await mkdir(folders[tool], { recursive: true });
    return tools[tool](folders[tool], await args(tool));
  };
  return { theirs: await run('theirs'), ours: await run('ours'), folders };
}

/** Lines of standard error that both print; what only one of them says is left out. */
const lines = ({ stderr }: Ran, kind: RegExp): string[] =>
  stderr.split('\n').filter((line) => kind.test(line));

function alike({ theirs, ours }: Pair, kind: RegExp): void {
  assert.deepEqual(
    [ours.code, lines(ours, kind)],
    [theirs.code, lines(theirs, kind)],
    `${ours.stderr}\n${theirs.stderr}`,
  );
}

await runProgram(cosign3, ['generate-key-pair', '--output-key-prefix', join(home, 'k')], env);
const key = ['--key', join(home, 'k.key')];
const publicKey = ['--key', join(home, 'k.pub')];
const cosign = async (...args: string[]): Promise<void> => {
  const ran = await runProgram(cosign3, args, env);
  assert.equal(ran.code, 0, ran.stderr);
};

test('sign-blob --bundle', async () => {
  const pair = await both(async () => [
    'sign-blob',
    '--yes',
    ...(await token()),
    ...trusted,
    ...via,
    '--bundle',
    'b',
    blob,
  ]);
  alike(pair, /^(?:Using payload|Wrote bundle)/);
  for (const folder of Object.values(pair.folders)) {
    await cosign('verify-blob', ...trusted, ...who, '--bundle', join(folder, 'b'), blob);
    assert.equal((await stat(join(folder, 'b'))).mode & 0o777, 0o600);
  }
});

test('sign-blob with the files of cosign 2', async () => {
  const out = ['--output-signature', 's', '--output-certificate', 'c', '--bundle', 'b'];
  const pair = await both(async () => [
    ...['sign-blob', '--yes', ...(await token()), ...urls, '--use-signing-config=false', old, ...out, blob],
  ]);
  alike(pair, /^(?:Using payload|Wrote )/);
  const shapes = await Promise.all(
    Object.values(pair.folders).map(async (folder) => {
      const bundle = JSON.parse(await readFile(join(folder, 'b'), 'utf8')) as Record<string, unknown>;
      const certificate = Buffer.from(await readFile(join(folder, 'c'), 'utf8'), 'base64').toString();
      assert.equal(await readFile(join(folder, 's'), 'utf8'), bundle['base64Signature']);
      return {
        keys: Object.keys(bundle),
        entry: Object.keys(bundle['rekorBundle'] as object),
        pem: certificate.slice(0, 27),
      };
    }),
  );
  assert.deepEqual(shapes[1], shapes[0]);
});

test('sign-blob prints the signature where nothing says a file', async () => {
  const pair = await both(() => ['sign-blob', '--yes', ...key, ...noLog, old, blob]);
  alike(pair, /^Using payload/);
  for (const { stdout } of [pair.theirs, pair.ours]) {
    await writeFile(join(home, 'printed'), stdout.trim());
    await cosign(
      'verify-blob',
      ...publicKey,
      '--insecure-ignore-tlog',
      '--signature',
      join(home, 'printed'),
      blob,
    );
  }
});

test('attest-blob', async () => {
  const said = ['--predicate', predicate, '--type', 'https://example.com/p/v1'];
  const pair = await both(() => [
    'attest-blob',
    '--yes',
    ...key,
    ...trusted,
    ...via,
    ...said,
    '--bundle',
    'b',
    blob,
  ]);
  alike(pair, /^(?:Using payload|Wrote )/);
  for (const folder of Object.values(pair.folders)) {
    const check = ['--type', 'https://example.com/p/v1', '--bundle', join(folder, 'b'), blob];
    await cosign('verify-blob-attestation', ...trusted, ...publicKey, ...check);
  }
  const printed = await both(() => ['attest-blob', '--yes', ...key, ...noLog, old, ...said, blob]);
  alike(printed, /^Using payload/);
  const envelope = ({ stdout }: Ran) => Object.keys(JSON.parse(stdout) as object).toSorted();
  assert.deepEqual(envelope(printed.ours), envelope(printed.theirs));
});

test('sign and attest an image, in both layouts', async () => {
  const said = ['--predicate', predicate, '--type', 'https://example.com/p/v1'];
  for (const layout of [[], [old, '--use-signing-config=false', ...urls]]) {
    const services = layout.length === 0 ? [...trusted, ...via] : layout;
    const images: Record<Tool, string> = { theirs: '', ours: '' };
    for (const tool of ['theirs', 'ours'] as const) {
      images[tool] = await pushImage(registryHost, `compat/${tool}`, `same ${layout.length}`);
    }
    const named = (pair: Pair): Pair => ({
      ...pair,
      ours: { ...pair.ours, stderr: pair.ours.stderr.replaceAll('compat/ours', 'compat/theirs') },
    });
    const signed = await both(async (tool) => [
      'sign',
      '--yes',
      ...(await token()),
      ...services,
      images[tool],
    ]);
    alike(named(signed), /^Pushing signature to/);
    const attested = await both(async (tool) => [
      'attest',
      '--yes',
      ...(await token()),
      ...services,
      ...said,
      images[tool],
    ]);
    alike(named(attested), /^Using payload/);
    for (const image of Object.values(images)) {
      const form = layout.length === 0 ? trusted : [old, ...trusted];
      await cosign('verify', ...form, ...who, image);
      await cosign('verify-attestation', ...form, ...who, '--type', 'https://example.com/p/v1', image);
    }
  }
});

test('sign writes the pieces of cosign 2 without uploading', async () => {
  const image = await pushImage(registryHost, 'compat/pieces', 'pieces');
  const out = ['--upload=false', '--output-signature', 's', '--output-payload', 'p'];
  const pair = await both(() => ['sign', '--yes', ...key, ...noLog, old, ...out, image]);
  assert.deepEqual([pair.ours.code, pair.theirs.code], [0, 0], pair.ours.stderr);
  const [theirs, ours] = await Promise.all(
    [pair.folders.theirs, pair.folders.ours].map((folder) => readFile(join(folder, 'p'), 'utf8')),
  );
  assert.equal(ours, theirs);
  await cosign(
    'verify-blob',
    ...publicKey,
    '--insecure-ignore-tlog',
    '--signature',
    join(pair.folders.ours, 's'),
    join(pair.folders.ours, 'p'),
  );
});

const failing: readonly (readonly [string, (image: string) => readonly string[]])[] = [
  ['no bundle asked for', () => ['sign-blob', '--yes', ...key, ...trusted, ...via, blob]],
  [
    'neither upload nor bundle',
    (image) => ['sign', '--yes', ...key, ...trusted, ...via, '--upload=false', image],
  ],
  ['no such key', (image) => ['sign', '--yes', '--key', 'absent.key', ...trusted, ...via, image]],
  [
    'no such image',
    (image) => ['sign', '--yes', ...key, ...trusted, ...via, image.replace(/@.*/, ':absent')],
  ],
  ['services named twice', (image) => ['sign', '--yes', ...key, ...via, '--rekor-url', origins.log, image]],
  [
    'a token that is none',
    (image) => ['sign', '--yes', '--identity-token', 'abc', ...trusted, ...via, image],
  ],
  ['no predicate', (image) => ['attest', '--yes', ...key, ...trusted, ...via, image]],
  ['a key that is none', () => ['import-key-pair', '--key', blob]],
  ['a key file in the way', () => ['generate-key-pair', '--output-key-prefix', join(home, 'k')]],
  ['clean without an answer', (image) => ['clean', image]],
  [
    'a service without a start',
    () => ['signing-config', 'create', '--rekor=url=https://r,api-version=2', '--rekor-config=ANY'],
  ],
  [
    'services without a selector',
    () => [
      'signing-config',
      'create',
      '--rekor=url=https://r,api-version=2,start-time=2024-01-01T00:00:00Z,operator=o',
    ],
  ],
];
const refused = await pushImage(registryHost, 'compat/refused', 'refused');
for (const [what, args] of failing) {
  test(`the same exit code for ${what}`, async () => {
    const pair = await both(() => args(refused));
    assert.deepEqual([pair.ours.code, pair.theirs.code], [1, 1], pair.ours.stderr);
    assert.match(pair.ours.stderr, /^(?:Error|waybill): /m);
    assert.equal(pair.ours.stdout, '');
  });
}

test('generate-key-pair, import-key-pair and public-key', async () => {
  const made = await both(() => ['generate-key-pair']);
  alike(made, /^(?:Private|Public) key written to/);
  for (const folder of Object.values(made.folders)) {
    assert.equal((await stat(join(folder, 'cosign.key'))).mode & 0o777, 0o600);
    for (const tool of ['theirs', 'ours'] as const) {
      const shown = await tools[tool](folder, ['public-key', '--key', 'cosign.key']);
      assert.equal(shown.stdout, await readFile(join(folder, 'cosign.pub'), 'utf8'));
    }
  }
  const written = await both(() => ['public-key', ...key, '--outfile', 'p.pub']);
  alike(written, /^Public key written to/);
});

test('copy, save, load and clean', async () => {
  const image = await pushImage(registryHost, 'compat/source', 'source');
  await cosign('sign', '--yes', ...key, ...trusted, ...via, image);
  await cosign('sign', '--yes', ...key, ...noLog, old, image);
  const ours = join(home, 'copies');
  await mkdir(ours);
  const run = async (...args: string[]): Promise<Ran> => {
    const ran = await tools.ours(ours, args);
    assert.equal(ran.code, 0, ran.stderr);
    return ran;
  };
  await run('copy', image, `${registryHost}/compat/copied:v1`);
  await run('save', '--dir', 'saved', image);
  assert.ok(existsSync(join(ours, 'saved', 'index.json')));
  await run('load', '--dir', 'saved', `${registryHost}/compat/loaded:v1`);
  for (const name of ['copied', 'loaded']) {
    await cosign('verify', ...trusted, ...publicKey, `${registryHost}/compat/${name}:v1`);
    await cosign('verify', old, ...publicKey, '--insecure-ignore-tlog', `${registryHost}/compat/${name}:v1`);
  }
  const cleaned = await run('clean', '--type', 'signature', '-f', `${registryHost}/compat/loaded:v1`);
  assert.match(cleaned.stderr, /^Removed .*\.sig from /m);
  await run('clean', '-f', `${registryHost}/compat/loaded:v1`);
  const gone = await runProgram(
    cosign3,
    ['verify', ...trusted, ...publicKey, `${registryHost}/compat/loaded:v1`],
    env,
  );
  assert.equal(gone.code, 10, gone.stderr);
});

test('signing-config create, and signing with what it wrote', async () => {
  const spec = (url: string, version: number): string =>
    `url=${url},api-version=${version},start-time=2024-01-01T00:00:00Z,operator=op`;
  const args = [
    ...['signing-config', 'create', `--fulcio=${spec(origins.ca, 1)}`, `--rekor=${spec(origins.log, 1)}`],
    ...['--rekor-config=ANY', `--tsa=${spec(`${origins.tsa}/api/v1/timestamp`, 1)}`, '--tsa-config=EXACT:1'],
    ...[`--oidc-provider=${spec(origins.oidc, 1)}`, '--out', 'sc.json'],
  ];
  const pair = await both(() => args);
  assert.deepEqual([pair.ours.code, pair.theirs.code], [0, 0], pair.ours.stderr);
  const read = async (tool: Tool) =>
    JSON.parse(
      (await readFile(join(pair.folders[tool], 'sc.json'), 'utf8')).replaceAll('.000Z', 'Z'),
    ) as Record<string, unknown>;
  const [theirs, ours] = [await read('theirs'), await read('ours')];
  assert.deepEqual(ours['caUrls'], theirs['caUrls']);
  assert.deepEqual(ours['rekorTlogUrls'], theirs['rekorTlogUrls']);
  assert.deepEqual(ours['tsaConfig'], theirs['tsaConfig']);
  const out = join(home, 'by-config');
  const config = join(pair.folders.ours, 'sc.json');
  await cosign(
    'sign-blob',
    '--yes',
    ...(await token()),
    ...trusted,
    '--signing-config',
    config,
    '--bundle',
    out,
    blob,
  );
});

test('bundle create turns what cosign 2 wrote into a bundle that both verify', async () => {
  const folder = join(home, 'local');
  await mkdir(folder);
  const bundle = join(folder, 'old');
  await cosign(
    'sign-blob',
    '--yes',
    ...(await token()),
    ...urls,
    '--use-signing-config=false',
    old,
    '--bundle',
    bundle,
    blob,
  );
  const words = [
    'bundle',
    'create',
    '--artifact',
    blob,
    '--bundle',
    bundle,
    '--rekor-url',
    origins.log,
    '--out',
    'new',
  ];
  const ran = await tools.ours(folder, words);
  assert.equal(ran.code, 0, ran.stderr);
  await cosign('verify-blob', ...trusted, ...who, '--bundle', join(folder, 'new'), blob);
});

test('flags come from the environment too', async () => {
  const folder = join(home, 'environment');
  await mkdir(folder);
  const named = {
    ...env,
    COSIGN_KEY: join(home, 'k.key'),
    COSIGN_BUNDLE: join(folder, 'b'),
    COSIGN_YES: 'true',
  };
  for (const [program, words] of [
    [cosign3, []],
    [resolve('bin/waybill'), ['cosign']],
  ] as const) {
    const ran = await runProgram(program, [...words, 'sign-blob', ...trusted, ...via, blob], named);
    assert.equal(ran.code, 0, ran.stderr);
    await cosign('verify-blob', ...trusted, ...publicKey, '--bundle', join(folder, 'b'), blob);
  }
});
