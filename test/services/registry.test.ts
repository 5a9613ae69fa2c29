import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { utf8 } from '#base/bytes';
import { FixedClock } from '#base/clock';
import { digestOf } from '#base/digest';
import { limits } from '#base/limits';
import { Secret } from '#base/secret';
import {
  buildIndex,
  buildManifest,
  describe,
  descriptorOf,
  emptyDescriptor,
  emptyJson,
  mediaType,
} from '#formats/oci';
import { createRegistry, type RegistryConfig, type RunningRegistry } from '#services/registry';

let folder: string;
let registry: RunningRegistry;
const told: string[] = [];
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-registry-'));
  const onManifest = (repo: string, digest: string): void => void told.push(`${repo}@${digest}`);
  registry = await createRegistry({ dataDir: join(folder, 'main'), blobBytesMax: 1_000_000 }, { onManifest });
});
after(async () => {
  await registry.close();
  await rm(folder, { recursive: true });
});

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** First error code of the specification. */
  readonly code: string | undefined;
}

async function call(
  method: string,
  path: string,
  body?: string | Uint8Array,
  headers: Record<string, string> = {},
  origin = registry.origin,
): Promise<Answer> {
  const sent = typeof body === 'string' || body === undefined ? body : (body as Uint8Array<ArrayBuffer>);
  const init = {
    method,
    headers,
    redirect: 'manual',
    ...(sent === undefined ? {} : { body: sent }),
  } as const;
  const response = await fetch(`${origin}${path}`, init);
  const text = await response.text();
  const json = text.startsWith('{"errors"') ? JSON.parse(text) : undefined;
  return { status: response.status, headers: response.headers, text, code: json?.errors[0].code };
}

async function push(repo: string, bytes: Uint8Array, origin = registry.origin): Promise<string> {
  const digest = digestOf(bytes);
  const answer = await call('POST', `/v2/${repo}/blobs/uploads/?digest=${digest}`, bytes, {}, origin);
  assert.equal(answer.status, 201);
  return digest;
}

const put = (repo: string, name: string, bytes: Uint8Array, headers: Record<string, string> = {}) =>
  call('PUT', `/v2/${repo}/manifests/${name}`, bytes, { 'content-type': mediaType.ociManifest, ...headers });

/** A manifest with one layer, its blobs pushed. */
async function image(repo: string, text: string) {
  const layer = utf8(text);
  await push(repo, layer);
  await push(repo, emptyJson);
  return buildManifest({ config: emptyDescriptor, layers: [describe(layer, mediaType.ociLayer)] });
}

test('/v2/ says that the API is there', async () => {
  const answer = await call('GET', '/v2/');
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('docker-distribution-api-version'), 'registry/2.0');
});

test('a blob is pushed in chunks, its state asked in between, and read back', async () => {
  const bytes = utf8('0123456789');
  const start = await call('POST', '/v2/chunks/blobs/uploads/');
  assert.equal(start.status, 202);
  const location = start.headers.get('location') ?? '';
  const first = await call('PATCH', location, bytes.subarray(0, 4), { 'content-range': '0-3' });
  assert.deepEqual([first.status, first.headers.get('range')], [202, '0-3']);
  const state = await call('GET', location);
  assert.deepEqual([state.status, state.headers.get('range')], [204, '0-3']);
  await call('PATCH', location, bytes.subarray(4, 8));
  const done = await call('PUT', `${location}?digest=${digestOf(bytes)}`, bytes.subarray(8));
  assert.equal(done.status, 201);
  const read = await call('GET', done.headers.get('location') ?? '');
  assert.deepEqual([read.status, read.text], [200, '0123456789']);
  assert.equal(read.headers.get('docker-content-digest'), digestOf(bytes));
});

test('a chunk out of order is 416 with where to continue', async () => {
  const { headers } = await call('POST', '/v2/order/blobs/uploads/');
  const location = headers.get('location') ?? '';
  await call('PATCH', location, 'abc', { 'content-range': '0-2' });
  const wrong = await call('PATCH', location, 'xyz', { 'content-range': '7-9' });
  assert.deepEqual([wrong.status, wrong.code], [416, 'BLOB_UPLOAD_INVALID']);
  assert.equal((await call('GET', location)).headers.get('range'), '0-2');
  // One whose range and length disagree leaves nothing behind, wherever it starts.
  const contrary = await call('PATCH', location, 'de', { 'content-range': '3-9' });
  assert.deepEqual([contrary.status, contrary.code], [416, 'BLOB_UPLOAD_INVALID']);
  assert.equal((await call('GET', location)).headers.get('range'), '0-2');
});

test('a wrong digest is refused, and nothing of it can be read', async () => {
  const { headers } = await call('POST', '/v2/wrong/blobs/uploads/');
  const digest = digestOf(utf8('right'));
  const location = headers.get('location') ?? '';
  const answer = await call('PUT', `${location}?digest=${digest}`, 'wrong');
  assert.deepEqual([answer.status, answer.code], [400, 'DIGEST_INVALID']);
  assert.equal((await call('HEAD', `/v2/wrong/blobs/${digest}`)).status, 404);
  assert.equal((await call('GET', location)).status, 404);
});

test('a blob at the size cap is taken, one byte more is 413', async () => {
  await push('caps', new Uint8Array(1_000_000));
  const bytes = new Uint8Array(1_000_001);
  const answer = await call('POST', `/v2/caps/blobs/uploads/?digest=${digestOf(bytes)}`, bytes);
  assert.deepEqual([answer.status, answer.code], [413, 'SIZE_INVALID']);
});

test('an upload that broke off continues after a restart of the registry', async () => {
  const dataDir = join(folder, 'restart');
  const before = await createRegistry({ dataDir });
  const start = await call('POST', '/v2/r/blobs/uploads/', undefined, {}, before.origin);
  const location = start.headers.get('location') ?? '';
  await call('PATCH', location, 'first ', {}, before.origin);
  await before.close();
  const again = await createRegistry({ dataDir });
  try {
    const state = await call('GET', location, undefined, {}, again.origin);
    assert.equal(state.headers.get('range'), '0-5');
    const digest = digestOf(utf8('first second'));
    const done = await call('PUT', `${location}?digest=${digest}`, 'second', {}, again.origin);
    assert.equal(done.status, 201);
    assert.equal(
      (await call('GET', `/v2/r/blobs/${digest}`, undefined, {}, again.origin)).text,
      'first second',
    );
  } finally {
    await again.close();
  }
});

test('a second writer to a session is refused while the first writes', async () => {
  const { headers } = await call('POST', '/v2/two/blobs/uploads/');
  const location = headers.get('location') ?? '';
  const port = Number(new URL(registry.origin).port);
  const socket = connect(port, '127.0.0.1');
  const partial = `PATCH ${location} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc`;
  await new Promise<void>((resolve) => socket.write(partial, () => resolve()));
  // The session shows the bytes of the first writer once it is being served.
  for (let range = ''; range !== '0-2'; ) range = (await call('GET', location)).headers.get('range') ?? '';
  assert.equal((await call('PATCH', location, 'x')).status, 409);
  socket.destroy();
});

test('ranges of a blob are served, impossible ones refused', async () => {
  const digest = await push('ranges', utf8('0123456789'));
  const path = `/v2/ranges/blobs/${digest}`;
  const read = async (range: string): Promise<readonly unknown[]> => {
    const answer = await call('GET', path, undefined, { range });
    return [answer.status, answer.text, answer.headers.get('content-range')];
  };
  assert.deepEqual(await read('bytes=2-4'), [206, '234', 'bytes 2-4/10']);
  assert.deepEqual(await read('bytes=7-'), [206, '789', 'bytes 7-9/10']);
  assert.deepEqual(await read('bytes=-2'), [206, '89', 'bytes 8-9/10']);
  assert.deepEqual(await read('bytes=0-99'), [206, '0123456789', 'bytes 0-9/10']);
  assert.equal((await read('bytes=10-'))[0], 416);
  assert.equal((await read('bytes=0-1,3-4'))[0], 200);
});

test('a blob is mounted from another repository, and a missing one starts an upload', async () => {
  const digest = await push('mount/from', utf8('mounted'));
  const path = (from: string): string => `/v2/mount/to/blobs/uploads/?mount=${digest}&from=${from}`;
  assert.equal((await call('HEAD', `/v2/mount/to/blobs/${digest}`)).status, 404);
  assert.equal((await call('POST', path('mount/none'))).status, 202);
  assert.equal((await call('POST', path('mount/from'))).status, 201);
  assert.equal((await call('HEAD', `/v2/mount/to/blobs/${digest}`)).status, 200);
});

test('a manifest is put by tag and digest, read with its type, and not sent again when unchanged', async () => {
  const manifest = await image('manifests', 'a');
  const answer = await put('manifests', 'v1', manifest.bytes);
  assert.equal(answer.status, 201);
  assert.equal(answer.headers.get('docker-content-digest'), manifest.digest);
  for (const name of ['v1', manifest.digest]) {
    const read = await call('GET', `/v2/manifests/manifests/${name}`);
    assert.equal(read.headers.get('content-type'), mediaType.ociManifest);
    assert.equal(read.text, new TextDecoder().decode(manifest.bytes));
  }
  const head = await call('HEAD', '/v2/manifests/manifests/v1');
  assert.equal(Number(head.headers.get('content-length')), manifest.bytes.length);
  const etag = head.headers.get('etag') ?? '';
  assert.equal(
    (await call('GET', '/v2/manifests/manifests/v1', undefined, { 'if-none-match': etag })).status,
    304,
  );
  assert.ok(told.includes(`manifests@${manifest.digest}`));
});

test('a manifest is refused when it is not what it says, or names what is not there', async () => {
  const manifest = await image('refuse', 'a');
  const text = new TextDecoder().decode(manifest.bytes);
  const missing = buildManifest({ config: emptyDescriptor, layers: [describe(utf8('none'), 'x')] });
  const wrongSize = buildManifest({ config: { ...emptyDescriptor, size: 3 }, layers: [] });
  const orphan = buildIndex({ manifests: [descriptorOf(missing)] });
  const cases: readonly (readonly [string, string | Uint8Array, number, string, string?])[] = [
    ['a missing layer', missing.bytes, 404, 'MANIFEST_BLOB_UNKNOWN'],
    ['a missing child', orphan.bytes, 404, 'MANIFEST_BLOB_UNKNOWN', mediaType.ociIndex],
    ['a wrong size', wrongSize.bytes, 400, 'MANIFEST_INVALID'],
    ['another type than served', manifest.bytes, 400, 'MANIFEST_INVALID', mediaType.dockerManifest],
    ['both kinds at once', text.replace('{', '{"manifests":[],'), 400, 'MANIFEST_INVALID'],
    ['duplicate keys', text.replace('{', '{"schemaVersion":2,'), 400, 'MANIFEST_INVALID'],
    ['no JSON', 'hello', 400, 'MANIFEST_INVALID'],
  ];
  for (const [what, body, status, code, type] of cases) {
    const bytes = typeof body === 'string' ? utf8(body) : body;
    const answer = await put('refuse', 'v1', bytes, type === undefined ? {} : { 'content-type': type });
    assert.deepEqual([answer.status, answer.code], [status, code], what);
  }
  const other = await put('refuse', digestOf(utf8('other')), manifest.bytes);
  assert.deepEqual([other.status, other.code], [400, 'DIGEST_INVALID']);
  assert.equal((await call('GET', '/v2/refuse/tags/list')).text, '{"name":"refuse","tags":[]}');
});

test('a manifest at the size cap is judged, one byte more is 413', async () => {
  const { bytes } = await image('huge', 'a');
  const padded = (length: number): Uint8Array => utf8(new TextDecoder().decode(bytes).padEnd(length, ' '));
  assert.equal((await put('huge', 'v1', padded(limits.manifestBytes))).status, 201);
  const answer = await put('huge', 'v2', padded(limits.manifestBytes + 1));
  assert.deepEqual([answer.status, answer.code], [413, 'SIZE_INVALID']);
});

test('a foreign layer need not be there', async () => {
  await push('foreign', emptyJson);
  const layer = {
    ...describe(utf8('elsewhere'), mediaType.dockerForeignLayer),
    urls: ['https://x.example/l'],
  };
  const manifest = buildManifest({ config: emptyDescriptor, layers: [layer] });
  assert.equal((await put('foreign', 'v1', manifest.bytes)).status, 201);
});

test('conditions on a tag are honoured', async () => {
  const [first, second] = [await image('cas', 'a'), await image('cas', 'b')];
  const etag = `"${first.digest}"`;
  assert.equal((await put('cas', 'v1', first.bytes, { 'if-match': etag })).status, 412);
  assert.equal((await put('cas', 'v1', first.bytes, { 'if-none-match': '*' })).status, 201);
  const again = await put('cas', 'v1', second.bytes, { 'if-none-match': '*' });
  assert.deepEqual([again.status, again.code], [412, 'TAG_CHANGED']);
  assert.equal((await put('cas', 'v1', second.bytes, { 'if-match': etag })).status, 201);
  assert.equal((await put('cas', 'v1', first.bytes, { 'if-match': etag })).status, 412);
});

test('of a hundred writers with the same condition exactly one wins', async () => {
  const base = await image('race', 'base');
  await put('race', 'v1', base.bytes);
  const next = buildManifest({
    config: emptyDescriptor,
    layers: base.layers,
    annotations: new Map([['n', '1']]),
  });
  const tries = Array.from({ length: 100 }, () =>
    put('race', 'v1', next.bytes, { 'if-match': `"${base.digest}"` }),
  );
  const statuses = (await Promise.all(tries)).map((answer) => answer.status);
  assert.deepEqual(
    [statuses.filter((s) => s === 201).length, statuses.filter((s) => s === 412).length],
    [1, 99],
  );
});

test('tags are listed in order and in pages, however large a page is asked for', async () => {
  const manifest = await image('tags', 'a');
  for (const tag of ['c', 'a', 'b']) await put('tags', tag, manifest.bytes);
  const tags = async (query: string) => {
    const answer = await call('GET', `/v2/tags/tags/list${query}`);
    return [JSON.parse(answer.text).tags.join(''), answer.headers.get('link')];
  };
  assert.deepEqual(await tags(''), ['abc', null]);
  assert.deepEqual(await tags('?n=2'), ['ab', '</v2/tags/tags/list?n=2&last=b>; rel="next"']);
  assert.deepEqual(await tags('?n=2&last=b'), ['c', null]);
  assert.deepEqual(await tags('?n=1000000000'), ['abc', null]);
  assert.deepEqual(await tags('?last=zzz'), ['', null]);
  assert.deepEqual(await tags('?n=0'), ['', null]);
  const bad = await call('GET', '/v2/tags/tags/list?n=x');
  assert.deepEqual([bad.status, bad.code], [400, 'PAGINATION_NUMBER_INVALID']);
  assert.equal((await call('GET', '/v2/tags-none/tags/list')).code, 'NAME_UNKNOWN');
});

test('referrers are listed with filter, also for a subject that is not there yet', async () => {
  await push('refs', emptyJson);
  const subject = describe(utf8('later'), mediaType.ociManifest);
  const list = (query = '') => call('GET', `/v2/refs/referrers/${subject.digest}${query}`);
  assert.deepEqual(JSON.parse((await list()).text).manifests, []);
  for (const artifactType of ['type/a', 'type/b', 'type/c+json']) {
    const annotations = new Map([['of', artifactType]]);
    const manifest = buildManifest({
      config: emptyDescriptor,
      layers: [],
      subject,
      artifactType,
      annotations,
    });
    const answer = await put('refs', manifest.digest, manifest.bytes);
    assert.equal(answer.headers.get('oci-subject'), subject.digest);
  }
  const all = await list();
  assert.equal(all.headers.get('content-type'), mediaType.ociIndex);
  assert.equal(all.headers.get('oci-filters-applied'), null);
  assert.equal(JSON.parse(all.text).manifests.length, 3);
  assert.equal(JSON.parse((await list('?artifactType=type/c+json')).text).manifests.length, 1);
  const some = await list('?artifactType=type%2Fa');
  assert.equal(some.headers.get('oci-filters-applied'), 'artifactType');
  const [entry] = JSON.parse(some.text).manifests;
  assert.deepEqual([entry.artifactType, entry.annotations], ['type/a', { of: 'type/a' }]);
});

test('referrers come in pages', async () => {
  await push('pages', emptyJson);
  const subject = describe(utf8('popular'), mediaType.ociManifest);
  for (let i = 0; i < 501; i++) {
    const annotations = new Map([['n', `${i}`]]);
    const manifest = buildManifest({ config: emptyDescriptor, layers: [], subject, annotations });
    await put('pages', manifest.digest, manifest.bytes);
  }
  const first = await call('GET', `/v2/pages/referrers/${subject.digest}`);
  assert.equal(JSON.parse(first.text).manifests.length, 500);
  const next = /<([^>]+)>/.exec(first.headers.get('link') ?? '')?.[1] ?? '';
  const second = await call('GET', next);
  assert.equal(JSON.parse(second.text).manifests.length, 1);
  assert.equal(second.headers.get('link'), null);
});

test('a tag, a manifest with its tags, and a blob nobody names are deleted', async () => {
  const manifest = await image('delete', 'a');
  await put('delete', 'v1', manifest.bytes);
  await put('delete', 'v2', manifest.bytes);
  const blob = `/v2/delete/blobs/${manifest.layers[0]?.digest}`;
  const used = await call('DELETE', blob);
  assert.deepEqual([used.status, used.code], [409, 'BLOB_IN_USE']);
  assert.equal((await call('DELETE', '/v2/delete/manifests/v1')).status, 202);
  assert.equal((await call('GET', '/v2/delete/manifests/v2')).status, 200);
  assert.equal((await call('DELETE', `/v2/delete/manifests/${manifest.digest}`)).status, 202);
  assert.equal((await call('GET', '/v2/delete/manifests/v2')).code, 'MANIFEST_UNKNOWN');
  assert.equal((await call('DELETE', `/v2/delete/manifests/${manifest.digest}`)).status, 404);
  assert.equal((await call('DELETE', blob)).status, 202);
  assert.equal((await call('DELETE', blob)).code, 'BLOB_UNKNOWN');
});

const badPaths: readonly (readonly [string, number, string])[] = [
  ['/v2/a/../b/tags/list', 400, 'NAME_INVALID'],
  ['/v2/a%2f..%2fb/tags/list', 400, 'NAME_INVALID'],
  ['/v2/A/tags/list', 400, 'NAME_INVALID'],
  ['/v2/.git/tags/list', 400, 'NAME_INVALID'],
  ['/v2/_/tags/list', 400, 'NAME_INVALID'],
  [`/v2/${'a'.repeat(256)}/tags/list`, 400, 'NAME_INVALID'],
  ['/v2/a/tags/other', 400, 'NAME_INVALID'],
  ['/v2/a/manifests/-x', 400, 'NAME_INVALID'],
  ['/v2/a/manifests/sha256:..%2f..%2fx', 400, 'NAME_INVALID'],
  ['/v2/a/blobs/sha256:ABC', 400, 'DIGEST_INVALID'],
  ['/v2/a/blobs/uploads/..%2f..%2fx', 400, 'NAME_INVALID'],
  ['/v2/a/blobs/uploads/zz', 404, 'BLOB_UPLOAD_UNKNOWN'],
  ['/v2/a/manifests/v1', 404, 'NAME_UNKNOWN'],
];
for (const [path, status, code] of badPaths) {
  test(`GET ${path.slice(0, 40)} is ${status} ${code}`, async () => {
    const answer = await rawGet(path);
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `));
    assert.match(answer, new RegExp(`"code":"${code}"`));
  });
}

/** GET without a client that would tidy the path first. */
function rawGet(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(registry.origin).port), '127.0.0.1');
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  });
}

test('a method a path does not have is 405', async () => {
  const answer = await call('PATCH', '/v2/a/manifests/v1', 'x');
  assert.deepEqual([answer.status, answer.code], [405, 'UNSUPPORTED']);
});

async function withRegistry(
  config: Partial<RegistryConfig>,
  body: (origin: string, dir: string) => Promise<void>,
) {
  const dataDir = await mkdtemp(join(folder, 'r-'));
  const own = await createRegistry({ dataDir, ...config });
  try {
    await body(own.origin, dataDir);
  } finally {
    await own.close();
  }
}

const grant = (
  name: string,
  actions: readonly ('pull' | 'push' | 'delete')[],
  repositories: readonly string[],
) => ({
  name,
  token: new Secret(name),
  actions,
  repositories,
});

test('tokens give their rights in their repositories and no others', async () => {
  const tokens = [
    grant('writer', ['pull', 'push'], ['team/*']),
    grant('reader', ['pull'], ['team/a']),
    grant('other', ['pull', 'push', 'delete'], ['other']),
  ];
  await withRegistry({ tokens }, async (origin) => {
    const as = (token: string | undefined, method: string, path: string, body?: Uint8Array) =>
      call(method, path, body, token === undefined ? {} : { authorization: `Bearer ${token}` }, origin);
    const anonymous = await as(undefined, 'GET', '/v2/');
    assert.deepEqual([anonymous.status, anonymous.code], [401, 'UNAUTHORIZED']);
    const service = new URL(origin).host;
    assert.equal(
      anonymous.headers.get('www-authenticate'),
      `Bearer realm="${origin}/v2/token",service="${service}"`,
    );
    assert.equal((await as('nobody', 'GET', '/v2/')).status, 401);
    assert.equal((await as('reader', 'GET', '/v2/')).status, 200);
    const basic = { authorization: `Basic ${Buffer.from('any:writer').toString('base64')}` };
    assert.equal((await call('GET', '/v2/', undefined, basic, origin)).status, 200);

    const bytes = utf8('secret');
    const upload = (repo: string) => `/v2/${repo}/blobs/uploads/?digest=${digestOf(bytes)}`;
    assert.equal((await as('writer', 'POST', upload('team/a'), bytes)).status, 201);
    assert.equal((await as('reader', 'POST', upload('team/a'), bytes)).status, 403);
    assert.equal((await as('writer', 'POST', upload('other'), bytes)).code, 'DENIED');
    const blob = `/v2/team/a/blobs/${digestOf(bytes)}`;
    assert.equal((await as('reader', 'GET', blob)).status, 200);
    assert.equal((await as('other', 'GET', blob)).status, 403);
    assert.equal((await as('writer', 'DELETE', blob)).status, 403);

    const mount = `/v2/other/blobs/uploads/?mount=${digestOf(bytes)}&from=team/a`;
    assert.equal((await as('other', 'POST', mount)).status, 202);
    assert.equal((await as('other', 'HEAD', `/v2/other/blobs/${digestOf(bytes)}`)).status, 404);
  });
});

test('the catalogue shows only what the caller may pull', async () => {
  const tokens = [grant('all', ['pull', 'push'], ['*']), grant('some', ['pull'], ['b'])];
  await withRegistry({ tokens }, async (origin) => {
    const headers = { authorization: 'Bearer all', 'content-type': mediaType.ociIndex };
    const { bytes } = buildIndex({ manifests: [] });
    for (const repo of ['b', 'a']) await call('PUT', `/v2/${repo}/manifests/v1`, bytes, headers, origin);
    const list = async (token: string): Promise<unknown> => {
      const answer = await call(
        'GET',
        '/v2/_catalog',
        undefined,
        { authorization: `Bearer ${token}` },
        origin,
      );
      return JSON.parse(answer.text).repositories;
    };
    assert.deepEqual(await list('all'), ['a', 'b']);
    assert.deepEqual(await list('some'), ['b']);
  });
});

test('deletion that is turned off is 405 on every path', async () => {
  await withRegistry({ deletion: false }, async (origin) => {
    const digest = await push('a', utf8('x'), origin);
    for (const path of [`manifests/v1`, `manifests/${digest}`, `blobs/${digest}`]) {
      const answer = await call('DELETE', `/v2/a/${path}`, undefined, {}, origin);
      assert.deepEqual([answer.status, answer.code], [405, 'UNSUPPORTED']);
    }
  });
});

test('immutable tags do not move, but signatures can still be added', async () => {
  await withRegistry({ immutableTags: true }, async (origin) => {
    const [first, second] = [
      buildIndex({ manifests: [] }),
      buildIndex({ manifests: [], annotations: new Map([['a', 'b']]) }),
    ];
    const send = (tag: string, bytes: Uint8Array) =>
      call('PUT', `/v2/a/manifests/${tag}`, bytes, { 'content-type': mediaType.ociIndex }, origin);
    assert.equal((await send('v1', first.bytes)).status, 201);
    assert.equal((await send('v1', first.bytes)).status, 201);
    const moved = await send('v1', second.bytes);
    assert.deepEqual([moved.status, moved.code], [409, 'TAG_IMMUTABLE']);
    const tag = `sha256-${'a'.repeat(64)}.sig`;
    assert.equal((await send(tag, first.bytes)).status, 201);
    assert.equal((await send(tag, second.bytes)).status, 201);
  });
});

test('a blob that rotted on disk is an error, never wrong bytes', async () => {
  await withRegistry({}, async (origin, dataDir) => {
    const digest = await push('a', utf8('sound content'), origin);
    const file = join(dataDir, 'blobs/sha256', digest.slice(7, 9), digest.slice(7));
    await writeFile(file, 'rotte content');
    await utimes(file, 1, 1);
    const answer = await call('GET', `/v2/a/blobs/${digest}`, undefined, {}, origin);
    assert.equal(answer.status, 500);
    assert.doesNotMatch(answer.text, /rotte content/);
    await rm(file);
    assert.equal((await call('GET', `/v2/a/blobs/${digest}`, undefined, {}, origin)).status, 500);
  });
});

test('what was acknowledged is there after the process is gone, without a clean close', async () => {
  const dataDir = join(folder, 'crash');
  const { run } = await import('#platform/process');
  const script = `
    import { createRegistry } from '#services/registry';
    const r = await createRegistry({ dataDir: ${JSON.stringify(dataDir)} });
    const body = '{"schemaVersion":2,"mediaType":"${mediaType.ociIndex}","manifests":[]}';
    const headers = { 'content-type': '${mediaType.ociIndex}' };
    await fetch(r.origin + '/v2/a/blobs/uploads/?digest=${digestOf(utf8('kept'))}', { method: 'POST', body: 'kept' });
    await fetch(r.origin + '/v2/a/manifests/v1', { method: 'PUT', body, headers });
    process.kill(process.pid, 'SIGKILL');`;
  const args = ['--disable-warning=ExperimentalWarning', '--input-type=module-typescript', '-e', script];
  await run(process.execPath, args, { cwd: process.cwd() });
  const again = await createRegistry({ dataDir });
  try {
    const read = await call('GET', `/v2/a/blobs/${digestOf(utf8('kept'))}`, undefined, {}, again.origin);
    assert.equal(read.text, 'kept');
    assert.equal((await call('GET', '/v2/a/manifests/v1', undefined, {}, again.origin)).status, 200);
  } finally {
    await again.close();
  }
});

test('the sweep removes unlinked blobs and dead uploads of yesterday, and nothing younger or linked', async () => {
  const dataDir = join(folder, 'sweep');
  const clock = new FixedClock(Date.UTC(2100, 0, 1));
  const own = await createRegistry({ dataDir }, { clock });
  try {
    const linked = await push('a', utf8('linked'), own.origin);
    const dropped = await push('a', utf8('dropped'), own.origin);
    await call('POST', '/v2/a/blobs/uploads/', undefined, {}, own.origin);
    await call('DELETE', `/v2/a/blobs/${dropped}`, undefined, {}, own.origin);
    const young = join(dataDir, 'uploads', 'young');
    await appendFile(young, 'x');
    const future = clock.now() / 1000;
    await utimes(young, future, future);
    assert.deepEqual(await own.sweep(), { removed: 2 });
    assert.deepEqual(await readdir(join(dataDir, 'uploads')), ['young']);
    assert.equal((await call('GET', `/v2/a/blobs/${linked}`, undefined, {}, own.origin)).text, 'linked');
  } finally {
    await own.close();
  }
});
