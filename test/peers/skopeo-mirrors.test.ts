/** skopeo (containers/image) and our client read the same registries.conf: the same images from the same places. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { httpTransport } from '#platform/http-client';
import { run } from '#platform/process';
import { createRegistry } from '#services/registry';
import { tellIn } from '../cli/in-process.ts';
import { putImage, repositoryAt } from '../oci/helpers.ts';
import { temporaryFolder } from '../stack/helper.ts';
import { requirePeer } from './cache.ts';

const binary = requirePeer('skopeo');
const folder = await temporaryFolder();
const [origin, mirror] = [
  await createRegistry({ dataDir: join(folder, 'origin') }),
  await createRegistry({ dataDir: join(folder, 'mirror') }),
];
const liar = createServer((_, response) => response.writeHead(500).end());
await new Promise<void>((resolve) => liar.listen(0, '127.0.0.1', resolve));
after(async () => {
  await origin.close();
  await mirror.close();
  liar.close();
});
const failing = `127.0.0.1:${(liar.address() as AddressInfo).port}`;
const at = {
  both: (await putImage(repositoryAt(origin.host, 'images/app'), 'both', { tag: 'both' })).digest,
  only: (await putImage(repositoryAt(origin.host, 'images/app'), 'only', { tag: 'only' })).digest,
  /** The mirror has another image under this tag: whoever may ask it for tags says so. */
  stale: (await putImage(repositoryAt(origin.host, 'images/app'), 'new', { tag: 'stale' })).digest,
};
await putImage(repositoryAt(mirror.host, 'cache/app'), 'both', { tag: 'both' });
const stale = (await putImage(repositoryAt(mirror.host, 'cache/app'), 'old', { tag: 'stale' })).digest;

await putImage(repositoryAt(origin.host, 'blocked/app'), 'x', { tag: 'v1' });

/** Where this version of theirs looks: below HOME. */
async function conf(home: string, settings: string): Promise<string> {
  const file = join(folder, home, '.config/containers/registries.conf');
  await mkdir(join(file, '..'), { recursive: true });
  await writeFile(
    file,
    `[[registry]]
prefix = "reg.example/team"
location = "${origin.host}/images"
insecure = true
${settings}
[[registry.mirror]]
location = "${failing}/cache"
insecure = true
[[registry.mirror]]
location = "${mirror.host}/cache"
insecure = true
[[registry]]
location = "${origin.host}/blocked"
insecure = true
blocked = true
`,
  );
  return file;
}

/** What each says of a reference: its digest, or that it failed. */
async function both(file: string, reference: string): Promise<readonly string[]> {
  const env = { ...process.env, HOME: resolve(file, '../../..') };
  const words = ['--registries-conf', file];
  const args = ['inspect', '--no-tags', '--format', '{{.Digest}}', `docker://${reference}`];
  const theirs = await run(binary, args, { env, timeoutMs: 60_000 });
  const ours = await tellIn({ transport: httpTransport(), json: true }, ['digest', reference, ...words]);
  return [
    theirs.code === 0 ? theirs.stdout.trim() : 'failed',
    ours.exit === 0 ? String((ours.value as unknown as { digest: string }).digest) : 'failed',
  ];
}

test('tags and digests come from the first place that has them, and blocked names from none', async () => {
  const file = await conf('all', '');
  for (const [reference, digest] of [
    ['reg.example/team/app:both', at.both],
    ['reg.example/team/app:only', at.only],
    ['reg.example/team/app:stale', stale],
    [`reg.example/team/app@${at.only}`, at.only],
    ['reg.example/team/app:none', 'failed'],
    [`${origin.host}/blocked/app:v1`, 'failed'],
  ] as const) {
    assert.deepEqual(await both(file, reference), [digest, digest], reference);
  }
});

test('a mirror for digests alone is not asked for tags', async () => {
  const file = await conf('digests', 'mirror-by-digest-only = true');
  assert.deepEqual(await both(file, 'reg.example/team/app:stale'), [at.stale, at.stale]);
  assert.deepEqual(await both(file, `reg.example/team/app@${at.both}`), [at.both, at.both]);
});
