/** What the rows RGS-… of the corpus ask beyond the tests of the registry in test/services. */
import assert from 'node:assert/strict';
import { mkdtemp, open, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { utf8 } from '#base/bytes';
import { FixedClock } from '#base/clock';
import { digestOf } from '#base/digest';
import { Secret } from '#base/secret';
import { buildIndex, buildManifest, mediaType } from '#formats/oci';
import { createLayout } from '#oci';
import { systemRandom } from '#platform/system';
import { createRegistry, hashPassword, type RegistryConfig } from '#services/registry';
import { putBytes, repositoryAt } from '../../oci/helpers.ts';

const folder = await mkdtemp(join(tmpdir(), 'waybill-test-rgs-'));
after(() => rm(folder, { recursive: true, force: true }));

const DAY = 86_400_000;

interface Answer {
  readonly status: number;
  readonly code: string | undefined;
  readonly text: string;
  readonly headers: Headers;
}

async function call(url: string, method = 'GET', body?: Uint8Array, headers: Record<string, string> = {}) {
  const sent = body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> };
  const response = await fetch(url, { method, headers, ...sent });
  const text = await response.text();
  const code = /"code":"([A-Z_]+)"/.exec(text)?.[1];
  return { status: response.status, code, text, headers: response.headers } satisfies Answer;
}

test('RGS-02: what was taken away counts no more: a token, and the login of somebody who is gone', async () => {
  const dataDir = join(folder, 'revoked');
  const passwordHash = await hashPassword(new Secret('pass'), systemRandom);
  const rights = { actions: ['pull', 'push'], repositories: ['team/*'] } as const;
  const users = [
    { name: 'alice', passwordHash, ...rights },
    { name: 'bob', passwordHash, ...rights },
  ];
  const tokens = [{ name: 'ci', token: new Secret('s3cret'), ...rights }];
  const run = async <T>(
    config: Pick<RegistryConfig, 'users' | 'tokens'>,
    body: (origin: string) => Promise<T>,
  ) => {
    const registry = await createRegistry({ dataDir, ...config });
    try {
      return await body(registry.origin);
    } finally {
      await registry.close();
    }
  };
  const login = async (origin: string): Promise<string> => {
    const authorization = `Basic ${Buffer.from('alice:pass').toString('base64')}`;
    const url = `${origin}/v2/token?scope=repository:team/app:pull,push`;
    return (JSON.parse((await call(url, 'GET', undefined, { authorization })).text) as { token: string })
      .token;
  };
  const upload = async (origin: string, token: string): Promise<number> =>
    (
      await call(`${origin}/v2/team/app/blobs/uploads/`, 'POST', undefined, {
        authorization: `Bearer ${token}`,
      })
    ).status;
  const short = await run({ users, tokens }, async (origin) => {
    const token = await login(origin);
    assert.deepEqual([await upload(origin, token), await upload(origin, 's3cret')], [202, 202]);
    return token;
  });
  await run({ users: users.slice(1) }, async (origin) => {
    assert.deepEqual([await upload(origin, short), await upload(origin, 's3cret')], [401, 401]);
  });
});

/** Writes of every file in this process go through `write` until the test ends. */
async function writing(
  t: { readonly mock: { method(object: object, name: string, act: unknown): unknown } },
  write: (
    real: (...args: unknown[]) => Promise<unknown>,
    bytes: Uint8Array,
    ...rest: number[]
  ) => Promise<unknown>,
): Promise<void> {
  const handle = await open(join(folder, 'probe'), 'w');
  const prototype = Object.getPrototypeOf(handle) as { write(...args: unknown[]): Promise<unknown> };
  await handle.close();
  const { write: real } = prototype;
  t.mock.method(prototype, 'write', function write_(this: unknown, bytes: Uint8Array, ...rest: number[]) {
    return write((...args) => real.apply(this, args), bytes, ...rest);
  });
}

async function session(name: string) {
  const dataDir = join(folder, name);
  const registry = await createRegistry({ dataDir });
  after(() => registry.close());
  const { headers } = await call(`${registry.origin}/v2/r/blobs/uploads/`, 'POST');
  const location = `${registry.origin}${headers.get('location')?.replace(/^https?:\/\/[^/]+/, '')}`;
  return { origin: registry.origin, location, dataDir };
}

test('RGS-03: a disk that is full within an upload is 507; what came before goes on when there is room', async (t) => {
  const { origin, location, dataDir } = await session('full');
  assert.equal((await call(location, 'PATCH', utf8('first '))).status, 202);
  let isFull = true;
  await writing(t, async (real, bytes, ...rest) => {
    if (!isFull) return real(bytes, ...rest);
    // As a disk does that has three bytes left: some of it is written, then nothing.
    await real(bytes.subarray(0, 3), 0, 3, rest[2]);
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  });
  const digest = digestOf(utf8('first second'));
  const refused = await call(`${location}?digest=${digest}`, 'PUT', utf8('second'));
  assert.equal(refused.status, 507, refused.text);
  assert.equal((await call(`${origin}/v2/r/blobs/${digest}`)).status, 404);
  assert.deepEqual(await readdir(join(dataDir, 'blobs/sha256')).catch(() => []), []);
  isFull = false;
  assert.equal((await call(location)).headers.get('range'), '0-5');
  assert.equal((await call(`${location}?digest=${digest}`, 'PUT', utf8('second'))).status, 201);
  assert.equal((await call(`${origin}/v2/r/blobs/${digest}`)).text, 'first second');
});

test('RGS-03: a disk that takes less than it is given gets the rest, and the blob is whole', async (t) => {
  const { origin, location } = await session('short');
  await writing(t, async (real, bytes, ...rest) => {
    const [offset = 0, length = bytes.length - offset, position] = rest;
    return real(bytes, offset, Math.min(length, 7), position);
  });
  const bytes = utf8('a layer that is longer than what one write takes');
  const digest = digestOf(bytes);
  assert.equal((await call(`${location}?digest=${digest}`, 'PUT', bytes)).status, 201);
  const answer = await call(`${origin}/v2/r/blobs/${digest}`);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.text, new TextDecoder().decode(bytes));
});

test('RGS-05: of a hundred that put one tag at once all are taken, and the tag is one of them, whole', async () => {
  const registry = await createRegistry({ dataDir: join(folder, 'race') });
  after(() => registry.close());
  const all = Array.from({ length: 100 }, (_, i) =>
    buildIndex({ manifests: [], annotations: new Map([['n', `${i}`]]) }),
  );
  const url = `${registry.origin}/v2/a/manifests/latest`;
  const statuses = await Promise.all(
    all.map(
      async ({ bytes }) => (await call(url, 'PUT', bytes, { 'content-type': mediaType.ociIndex })).status,
    ),
  );
  assert.deepEqual(new Set(statuses), new Set([201]));
  const { headers, text } = await call(url);
  const won = all.find(({ digest }) => digest === headers.get('docker-content-digest'));
  assert.equal(text, new TextDecoder().decode(won?.bytes));
  for (const { digest } of all) {
    assert.equal((await call(`${registry.origin}/v2/a/manifests/${digest}`)).status, 200);
  }
});

test('RGS-06: a manifest of old blobs that is put while they are collected is refused or whole, never dangling', async () => {
  const clock = new FixedClock(Date.UTC(2026, 0, 1));
  const registry = await createRegistry({ dataDir: join(folder, 'gc') }, { clock });
  after(() => registry.close());
  const to = repositoryAt(registry.host);
  const base = `${registry.origin}/v2/team/app`;
  for (let round = 0; round < 24; round++) {
    const config = await putBytes(to, utf8(`{"round":${round}}`), mediaType.ociConfig);
    const layer = await putBytes(to, utf8(`layer ${round}`), mediaType.ociLayer);
    const { bytes, digest } = buildManifest({ config, layers: [layer] });
    clock.advance(10 * DAY);
    const put = async (): Promise<Answer> => {
      for (let i = 0; i < round % 12; i++) await turn();
      return call(`${base}/manifests/v${round}`, 'PUT', bytes, { 'content-type': mediaType.ociManifest });
    };
    const collect = async (): Promise<unknown> => {
      for (let i = 0; i < (round >> 1) % 5; i++) await turn();
      return registry.collect(DAY);
    };
    const [answer] = await Promise.all(round % 2 === 0 ? [put(), collect()] : [put(), turn().then(collect)]);
    await registry.collect(DAY);
    const there = await Promise.all(
      [layer, config].map(async (one) => (await call(`${base}/blobs/${one.digest}`)).status),
    );
    const manifest = (await call(`${base}/manifests/${digest}`)).status;
    if (answer.status === 201) assert.deepEqual([manifest, ...there], [200, 200, 200], `round ${round}`);
    else {
      assert.deepEqual([answer.status, answer.code], [404, 'MANIFEST_BLOB_UNKNOWN'], `round ${round}`);
      assert.equal(manifest, 404);
    }
  }
});

test('RGS-07: lists are bounded, whatever is asked for and from wherever', async () => {
  const registry = await createRegistry({ dataDir: join(folder, 'lists') });
  after(() => registry.close());
  const { bytes } = buildIndex({ manifests: [] });
  for (const tag of ['a', 'b', 'c']) {
    await call(`${registry.origin}/v2/r/manifests/${tag}`, 'PUT', bytes, {
      'content-type': mediaType.ociIndex,
    });
  }
  const tags = async (query: string): Promise<unknown> => {
    const { status, text } = await call(`${registry.origin}/v2/r/tags/list${query}`);
    return status === 200 ? (JSON.parse(text) as { tags: unknown }).tags : status;
  };
  assert.deepEqual(await tags('?n=1000000000'), ['a', 'b', 'c']);
  assert.deepEqual(await tags('?last=aa'), ['b', 'c'], 'a tag that is not there has a place in the order');
  assert.deepEqual(await tags('?n=1&last=aa'), ['b']);
  assert.deepEqual(await tags('?n=1000000000&last=zzz'), []);
  for (const query of ['?n=-1', '?n=x', '?n=1e9', '?n=99999999999999999999']) {
    const answer = await tags(query);
    assert.ok(answer === 400 || Array.isArray(answer), query);
  }
  const catalog = await call(`${registry.origin}/v2/_catalog?n=1000000000&last=nothing`);
  assert.deepEqual(JSON.parse(catalog.text), { repositories: ['r'] });
});

test('RGS-03: an image that is copied to such a disk is whole as well', async (t) => {
  const layout = await createLayout(join(folder, 'layout'));
  await writing(t, async (real, bytes, ...rest) => {
    const [offset = 0, length = bytes.length - offset, position] = rest;
    return real(bytes, offset, Math.min(length, 7), position);
  });
  const bytes = utf8('a layer that is longer than what one write takes');
  const layer = await putBytes(layout, bytes, mediaType.ociLayer);
  t.mock.restoreAll();
  const path = join(folder, 'layout', 'blobs/sha256', layer.digest.slice('sha256:'.length));
  assert.deepEqual(new Uint8Array(await readFile(path)), bytes);
});
