/** Images read from mirrors of a registries.conf: in order, with the origin behind them, and never other bytes. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { utf8 } from '#base/bytes';
import { Secret } from '#base/secret';
import { mirrorMap, mirrorPlaces } from '#facts';
import { buildManifest, describe, descriptorOf, mediaType } from '#formats/oci';
import {
  attachBundle,
  type CredentialSource,
  type PlaceRule,
  placementOf,
  readBlob,
  readRegistriesConf,
} from '#oci';
import { createRegistry, type RunningRegistry } from '#services/registry';
import { once, putImage, quickRegistry, reasonOf, repositoryAt } from './helpers.ts';

const folder = await mkdtemp(join(tmpdir(), 'waybill-mirrors-'));
const closing: (() => Promise<void>)[] = [];
after(async () => {
  for (const close of closing) await close();
  await rm(folder, { recursive: true });
});
let made = 0;
async function registry(): Promise<RunningRegistry> {
  const one = await createRegistry({ dataDir: join(folder, `registry-${made++}`) });
  closing.push(() => one.close());
  return one;
}

/** A mirror that does what it likes; `seen` are the paths and what was sent along. */
async function fake(answer: (path: string, response: ServerResponse) => void) {
  const seen: { readonly path: string; readonly authorization: string | undefined }[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    seen.push({ path: request.url ?? '', authorization: request.headers.authorization });
    answer(request.url ?? '', response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(
    () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  );
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

const conf = async (text: string): Promise<readonly PlaceRule[]> => {
  const file = join(folder, `registries-${made++}.conf`);
  await writeFile(file, text);
  return readRegistriesConf(file);
};

/** `reg.example` lies at `origin`, with mirrors before it. */
const confOf = (origin: string, ...mirrors: readonly string[]): Promise<readonly PlaceRule[]> =>
  conf(
    [
      `[[registry]]\nprefix = "reg.example"\nlocation = "${origin}"`,
      ...mirrors.map((host) => `[[registry.mirror]]\nlocation = "${host}/cache"`),
    ].join('\n'),
  );

const clientOf = (places: readonly PlaceRule[], credentials?: CredentialSource) =>
  quickRegistry({ places, ...(credentials === undefined ? {} : { credentials }) }).repository({
    registry: 'reg.example',
    repository: 'team/app',
  });

const layer = describe(utf8('a layer of some length'), mediaType.ociLayer);
const NOBODY = '127.0.0.1:1';

test('what a mirror has comes from it, what it lacks from the origin; writing goes to the origin alone', async () => {
  const [origin, mirror] = [await registry(), await registry()];
  const both = await putImage(repositoryAt(origin.host), 'both', { tag: 'both' });
  await putImage(repositoryAt(mirror.host, 'cache/team/app'), 'both', { tag: 'both' });
  const only = await putImage(repositoryAt(origin.host), 'only', { tag: 'only' });
  const client = clientOf(await confOf(origin.host, mirror.host));
  assert.equal((await client.resolve({ tag: 'both' })).digest, both.digest);
  assert.equal((await client.resolve({ tag: 'only' })).digest, only.digest);
  const pushed = await putImage(client, 'pushed', { tag: 'pushed' });
  assert.ok(await repositoryAt(origin.host).manifest(pushed.digest));
  assert.equal(
    (await reasonOf(repositoryAt(mirror.host, 'cache/team/app').resolve({ tag: 'pushed' }))).code,
    'WB-502',
  );
  await attachBundle(client, descriptorOf(both), utf8('{}'), { createdMs: 0 });
  assert.equal((await client.referrers(both.digest)).length, 1, 'the mirror lists none, the origin does');
});

test('with the origin out of reach a mirror answers alone, also that something is not there', async () => {
  const mirror = await registry();
  const image = await putImage(repositoryAt(mirror.host, 'cache/team/app'), 'x', { tag: 'v1' });
  const client = clientOf(await confOf(NOBODY, NOBODY, mirror.host));
  assert.equal((await client.resolve({ tag: 'v1' })).digest, image.digest);
  assert.deepEqual(await client.referrers(image.digest), []);
  assert.equal((await reasonOf(client.resolve({ tag: 'none' }))).code, 'WB-502');
  const nothing = clientOf(await confOf(NOBODY, NOBODY));
  assert.equal((await reasonOf(nothing.resolve({ tag: 'v1' }))).code, 'WB-201');
});

test('a mirror that is down costs one request, and is then left alone for a while', async () => {
  const origin = await registry();
  const image = await putImage(repositoryAt(origin.host), 'x', { tag: 'v1' });
  const down = await fake((_, response) => response.writeHead(503).end());
  const client = clientOf(await confOf(origin.host, down.host));
  await client.resolve({ tag: 'v1' });
  await client.manifest(image.digest);
  assert.equal(down.seen.length, 1);
  for (let i = 0; i < 21; i++) await client.resolve({ tag: 'v1' });
  assert.equal(down.seen.length, 2);
});

test('a mirror that gives other bytes is found out, passed over, and not asked again', async () => {
  const origin = await registry();
  const image = await putImage(repositoryAt(origin.host), 'true', { tag: 'v1' });
  const other = buildManifest({ config: layer, layers: [layer] });
  const liar = await fake((path, response) => {
    if (path.includes('/manifests/sha256:')) {
      response.setHeader('content-type', mediaType.ociManifest);
      response.end(other.bytes);
    } else response.writeHead(404).end();
  });
  const client = clientOf(await confOf(origin.host, liar.host));
  assert.deepEqual((await client.manifest(image.digest)).bytes, image.bytes);
  const asked = liar.seen.length;
  assert.equal(asked, 1);
  const part = image.layers[0];
  assert.ok(part !== undefined);
  assert.deepEqual(await readBlob(client, part), utf8('true'));
  assert.equal(liar.seen.length, asked);
});

test('a blob that breaks off at a mirror goes on at the origin, byte for byte', async () => {
  const origin = await registry();
  const bytes = new Uint8Array(300_000).map((_, i) => (i * 7) % 256);
  const content = describe(bytes, mediaType.ociLayer);
  await repositoryAt(origin.host).putBlob(content, () => once(bytes));
  const breaking = (response: ServerResponse, part: Uint8Array): void => {
    response.setHeader('content-length', bytes.length);
    response.write(part, () => setTimeout(() => response.destroy(), 30));
  };
  const half = await fake((_, response) => breaking(response, bytes.subarray(0, 150_000)));
  const third = await fake((_, response) => breaking(response, bytes.subarray(0, 200_000)));
  const client = clientOf(await confOf(origin.host, half.host, third.host));
  assert.deepEqual(await readBlob(client, content), bytes);
  assert.ok(third.seen.length > 0);
});

test('a blob that began with other bytes at a mirror is refused, and then read from the origin', async () => {
  const origin = await registry();
  const bytes = new Uint8Array(300_000).fill(1);
  const content = describe(bytes, mediaType.ociLayer);
  await repositoryAt(origin.host).putBlob(content, () => once(bytes));
  for (const length of [150_000, 300_000]) {
    const liar = await fake((_, response) => {
      response.setHeader('content-length', bytes.length);
      response.write(new Uint8Array(length).fill(2), () =>
        length === bytes.length ? response.end() : setTimeout(() => response.destroy(), 30),
      );
    });
    const client = clientOf(await confOf(origin.host, liar.host));
    assert.equal((await reasonOf(readBlob(client, content))).code, 'WB-188');
    assert.deepEqual(await readBlob(client, content), bytes);
  }
});

test('the credentials of one place go to no other', async () => {
  const origin = await registry();
  await putImage(repositoryAt(origin.host), 'x', { tag: 'v1' });
  const wanting = await fake((_, response) => {
    response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
  });
  const asked: string[] = [];
  const credentials: CredentialSource = {
    find: (host) => {
      asked.push(host);
      const own = { kind: 'basic', username: host, password: new Secret('secret') } as const;
      return Promise.resolve({ credential: own, origin: 'test' });
    },
  };
  const client = clientOf(await confOf(origin.host, wanting.host), credentials);
  await client.resolve({ tag: 'v1' });
  assert.deepEqual([...new Set(asked)], [wanting.host]);
  const sent = wanting.seen.flatMap(({ authorization }) => authorization ?? []);
  for (const header of sent) {
    assert.equal(Buffer.from(header.slice(6), 'base64').toString(), `${wanting.host}:secret`);
  }
});

test('mirrors for digests alone are not asked for tags, and those for tags not for digests', async () => {
  const origin = await registry();
  const image = await putImage(repositoryAt(origin.host), 'x', { tag: 'v1' });
  const mirrors = [];
  for (const _ of [1, 2]) mirrors.push(await fake((_path, response) => response.writeHead(404).end()));
  const [digests, tags] = mirrors as [(typeof mirrors)[0], (typeof mirrors)[0]];
  const places = await conf(`
    [[registry]]
    prefix = "reg.example"
    location = "${origin.host}"
    [[registry.mirror]]
    location = "${digests.host}"
    pull-from-mirror = "digest-only"
    [[registry.mirror]]
    location = "${tags.host}"
    pull-from-mirror = "tag-only"`);
  await clientOf(places).resolve({ tag: 'v1' });
  assert.deepEqual([digests.seen.length, tags.seen.length], [0, 1]);
  await clientOf(places).manifest(image.digest);
  assert.deepEqual([digests.seen.length, tags.seen.length], [1, 1]);
});

test('the longest prefix counts; whole domains, blocked names and rewritten paths', async () => {
  const places = await conf(`
    unqualified-search-registries = ["docker.io"]
    [[registry]]
    location = "ghcr.io"
    mirror-by-digest-only = true
    [[registry.mirror]]
    location = "10.0.0.5:5000/ghcr"
    insecure = true
    [[registry]]
    prefix = "ghcr.io/acme"
    location = "registry.acme.example/images"
    [[registry]]
    prefix = "*.bad.example"
    blocked = true`);
  const at = (name: string) => placementOf(places, name);
  assert.deepEqual(at('ghcr.io/other/app'), {
    origin: { name: 'ghcr.io/other/app', insecure: false },
    blocked: false,
    mirrors: [{ name: '10.0.0.5:5000/ghcr/other/app', insecure: true, pull: 'digest-only' }],
  });
  assert.equal(at('ghcr.io/acme/app').origin.name, 'registry.acme.example/images/app');
  assert.equal(at('ghcr.io/acmecorp/app').origin.name, 'ghcr.io/acmecorp/app');
  assert.equal(at('quay.io/x').origin.name, 'quay.io/x');
  assert.deepEqual([at('a.bad.example/x').blocked, at('bad.example/x').blocked], [true, false]);
  const blocked = quickRegistry({ places });
  assert.equal(
    (await reasonOf(async () => blocked.repository({ registry: 'a.bad.example', repository: 'x' }))).code,
    'WB-522',
  );
});

test('FROM=TO is the same piece: exact names and what is below', () => {
  const rules = [
    { from: 'ghcr.io/acme/*', to: 'localhost:5000/acme/*' },
    { from: 'ghcr.io/acme/special', to: 'localhost:5000/other' },
  ];
  const map = mirrorMap(rules);
  assert.equal(map('ghcr.io/acme/app'), 'localhost:5000/acme/app');
  assert.equal(map('ghcr.io/acme/special'), 'localhost:5000/other');
  assert.equal(map('ghcr.io/acme'), 'ghcr.io/acme');
  assert.equal(placementOf(mirrorPlaces(rules), 'ghcr.io/acme/app').origin.name, 'localhost:5000/acme/app');
});

for (const [why, text] of [
  ['no TOML', '[[registry'],
  ['version 1', '[registries.search]\nregistries = ["docker.io"]'],
  ['neither prefix nor location', '[[registry]]\nblocked = true'],
  ['a misspelt setting', '[[registry]]\nlocation = "a.example"\ninsecur = true'],
  ['a scheme in a location', '[[registry]]\nlocation = "https://a.example"'],
  [
    'a tag in a mirror',
    '[[registry]]\nlocation = "a.example"\n[[registry.mirror]]\nlocation = "b.example/x:v1"',
  ],
  [
    'another pull-from-mirror',
    '[[registry]]\nlocation = "a.example"\n[[registry.mirror]]\nlocation = "b.example"\npull-from-mirror = "some"',
  ],
  [
    'both ways to say which',
    '[[registry]]\nlocation = "a.example"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "b.example"\npull-from-mirror = "all"',
  ],
] as const) {
  test(`a registries.conf with ${why} is refused`, async () => {
    assert.equal((await reasonOf(conf(text))).code, 'WB-521');
  });
}
