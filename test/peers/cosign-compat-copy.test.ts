/** `cosign copy` beside ours: the same attachments of the older layout arrive, and the same tags stay as they were. */
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { before, test } from 'node:test';
import { startStack, temporaryFolder } from '../stack/helper.ts';
import { requirePeer } from './cache.ts';
import { pushImage, type Ran, runProgram } from './stack-image.ts';

const binary = requirePeer('cosign');
const stack = await startStack();
const { registryHost } = stack;
const home = await temporaryFolder();
const env = { HOME: home, COSIGN_PASSWORD: 'secret' };
const cosign = (...args: string[]): Promise<Ran> => runProgram(binary, args, env);
const ours = (...args: string[]): Promise<Ran> =>
  runProgram(resolve('bin/waybill'), ['cosign', ...args], env);
const passes = async (run: Promise<Ran>): Promise<void> => {
  const ran = await run;
  assert.equal(ran.code, 0, ran.stderr);
};

const image = await pushImage(registryHost, 'from/app', 'copied');
const digest = image.slice(image.indexOf('@') + 1);
const prefix = `${home}/cosign`;
const unlogged = [
  ...['--yes', '--key', `${prefix}.key`, '--tlog-upload=false'],
  ...['--use-signing-config=false', '--new-bundle-format=false'],
];
before(async () => {
  await passes(cosign('generate-key-pair', '--output-key-prefix', prefix));
  await passes(cosign('sign', ...unlogged, image));
  await passes(cosign('attest', ...unlogged, '--predicate', `${prefix}.pub`, '--type', 'custom', image));
});

/** Tags of a repository, without the one that cosign puts on what it copies by digest. */
async function tagsOf(repository: string): Promise<readonly string[]> {
  const answer = await fetch(`http://${registryHost}/v2/${repository}/tags/list`);
  const { tags = [] } = (await answer.json()) as { tags?: string[] };
  return tags.filter((tag) => tag !== digest.replace(':', '-')).sort();
}

let number = 0;
for (const flags of [
  [],
  ['--only=sig'],
  ['--only=att'],
  ['--only=sig,att'],
  ['--only=sbom'],
  ['--sig-only'],
]) {
  test(['copy', ...flags].join(' '), async () => {
    const [theirs, mine] = [`theirs/app-${++number}`, `ours/app-${number}`];
    await passes(cosign('copy', ...flags, image, `${registryHost}/${theirs}:v1`));
    await passes(ours('copy', ...flags, image, `${registryHost}/${mine}:v1`));
    assert.deepEqual(await tagsOf(mine), await tagsOf(theirs));
    const copied = await fetch(`http://${registryHost}/v2/${mine}/manifests/${digest}`);
    assert.equal(copied.status, 200);
    if (!flags.every((flag) => flag.includes('sig'))) return;
    const verify = [
      'verify',
      '--key',
      `${prefix}.pub`,
      '--insecure-ignore-tlog',
      '--new-bundle-format=false',
    ];
    await passes(cosign(...verify, `${registryHost}/${mine}@${digest}`));
  });
}

test('a kind that is none is told in the words of cosign', async () => {
  for (const run of [cosign, ours]) {
    const { code, stderr } = await run('copy', '--only=zzz', image, `${registryHost}/none/app:v1`);
    assert.notEqual(code, 0);
    assert.match(
      stderr,
      /invalid value for --only: zzz, only the following values are supported: \[sig sbom att\]/,
    );
  }
});
