/** What the real tools and our modes of the same names print and exit with, side by side. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asWorkflow, compatWorld, ISSUER, RELEASE, tell } from '../cli/compat-world.ts';
import { requirePeer } from './cache.ts';
import { pushImage, type Ran, runProgram } from './stack-image.ts';

const cosign = requirePeer('cosign');
const rekor = requirePeer('rekor-cli');
const world = await compatWorld();
const { registryHost, origins } = world.stack;
const signed = await pushImage(registryHost, 'acme/signed', 'signed');
const bare = await pushImage(registryHost, 'acme/bare', 'bare');
const job = await asWorkflow(world);

const real = (program: string, ...args: string[]): Promise<Ran> =>
  runProgram(program, args, { HOME: world.folder });
const trust = ['--trusted-root', `${world.env['WAYBILL_STACK']}/public/trusted_root.json`];
const by = (identity: string): string[] => [
  ...['--certificate-identity', identity, '--certificate-oidc-issuer', ISSUER],
];

test('cosign verify: the same payloads, and the exit codes it documents', async () => {
  assert.equal((await tell(job, ['cosign', 'sign', '--yes', signed])).exit, 0);
  const theirs = await real(cosign, 'verify', ...trust, ...by(RELEASE), signed);
  const ours = await tell(world, ['cosign', 'verify', ...by(RELEASE), signed]);
  assert.equal(theirs.code, 0, theirs.stderr);
  assert.deepEqual(JSON.parse(ours.stdout), JSON.parse(theirs.stdout));
  const refused = await real(cosign, 'verify', ...trust, ...by('https://github.com/acme/other'), signed);
  const ourRefusal = await tell(world, ['cosign', 'verify', ...by('https://github.com/acme/other'), signed]);
  // Where cosign 3 reads bundles it forgets the code 12 that it documents.
  assert.deepEqual([refused.code, ourRefusal.exit], [1, 1]);
  const none = await real(cosign, 'verify', ...trust, ...by(RELEASE), bare);
  const ourNone = await tell(world, ['cosign', 'verify', ...by(RELEASE), bare]);
  assert.deepEqual([none.code, ourNone.exit], [10, 10], none.stderr);
});

test('cosign download signature: the same bundles', async () => {
  const theirs = await real(cosign, 'download', 'signature', signed);
  const ours = await tell(world, ['cosign', 'download', 'signature', signed]);
  // cosign writes the bundle anew and leaves out zeros; ours is the one that is attached, byte for byte.
  assert.deepEqual(JSON.parse(ours.stdout).dsseEnvelope, JSON.parse(theirs.stdout).dsseEnvelope);
});

test('rekor-cli search and get: the same entries, the same JSON, the same text', async () => {
  const digest = signed.slice(signed.indexOf('sha256:') + 7);
  const log = ['--rekor_server', origins.log];
  const search = ['search', '--sha', digest];
  const theirs = await real(rekor, ...search, ...log);
  const ours = await tell(world, ['rekor-cli', ...search]);
  assert.equal(ours.stdout, theirs.stdout.trim());
  const get = ['get', '--uuid', ours.stdout];
  const text = await real(rekor, ...get, ...log);
  assert.equal((await tell(world, ['rekor-cli', ...get])).stdout.trim(), text.stdout.trim());
  const json = await real(rekor, ...get, ...log, '--format', 'json');
  const ourJson = await tell(world, ['rekor-cli', ...get, '--format', 'json']);
  assert.deepEqual(JSON.parse(ourJson.stdout), JSON.parse(json.stdout));
  const none = ['search', '--sha', '0'.repeat(64)];
  assert.equal((await tell(world, ['rekor-cli', ...none])).exit, (await real(rekor, ...none, ...log)).code);
});
