/** Which addresses the client talks to, over a transport that only writes down. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { Secret } from '#base/secret';
import { buildManifest, emptyDescriptor } from '#formats/oci';
import { reference } from '#formats/reference';
import {
  fixedCredential,
  imageManifest,
  parsePlatform,
  platformMatches,
  platformText,
  Registry,
  type RegistryOptions,
  readBlob,
  selectImage,
} from '#oci';
import type { HttpRequest, HttpResponse, Transport } from '#platform/http-client';
import { R as Platform } from '#platform/reasons';
import { createRegistry, type RunningRegistry } from '#services/registry';
import { drain, putImage, putMultiArch, reasonOf, repositoryAt } from './helpers.ts';

let folder: string;
let registry: RunningRegistry;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-wire-'));
  registry = await createRegistry({ dataDir: folder });
});
after(async () => {
  await registry.close();
  await rm(folder, { recursive: true });
});

const manifest = buildManifest({ config: emptyDescriptor, layers: [] });
const found = (url: string): HttpResponse => ({
  status: 200,
  headers: new Map([['content-type', manifest.mediaType]]),
  body: manifest.bytes,
  url,
});
const broken = (url: string, actual: string): Error =>
  fail(Platform.network, { expected: `an answer from ${url}`, actual });

async function resolveWith(
  text: string,
  answer: (request: HttpRequest) => HttpResponse | Error,
  options: Partial<RegistryOptions> = {},
): Promise<readonly HttpRequest[]> {
  const sent: HttpRequest[] = [];
  const transport: Transport = {
    request: async (request) => {
      sent.push(request);
      const response = answer(request);
      if (response instanceof Error) throw response;
      return response;
    },
    stream: () => assert.fail('nothing is streamed here'),
  };
  const client = new Registry({ transport, sleep: () => Promise.resolve(), ...options });
  await client.resolve(reference(text));
  return sent;
}

const urls = (sent: readonly HttpRequest[]): readonly string[] => sent.map((request) => request.url);

test('a registry is spoken to over https, Docker Hub at its endpoint', async () => {
  assert.deepEqual(urls(await resolveWith('ghcr.io/team/app:v1', (r) => found(r.url))), [
    'https://ghcr.io/v2/team/app/manifests/v1',
  ]);
  assert.deepEqual(urls(await resolveWith('nginx', (r) => found(r.url))), [
    'https://registry-1.docker.io/v2/library/nginx/manifests/latest',
  ]);
});

for (const host of ['localhost:5000', '127.0.0.1:5000', '[::1]:5000', 'registry.localhost:5000']) {
  test(`${host} is spoken to over http`, async () => {
    const sent = await resolveWith(`${host}/app:v1`, (r) => found(r.url));
    assert.deepEqual(urls(sent), [`http://${host}/v2/app/manifests/v1`]);
  });
}

for (const host of ['127.example.com', 'localhost.example.com']) {
  test(`${host}, which only begins like this machine, is asked over https`, async () => {
    const sent = await resolveWith(`${host}/app:v1`, (r) => found(r.url));
    assert.deepEqual(urls(sent), [`https://${host}/v2/app/manifests/v1`]);
  });
}

test('plain http is used for another host only when allowed and https does not answer', async () => {
  const onlyHttp = (r: HttpRequest): HttpResponse | Error =>
    r.url.startsWith('https:') ? broken(r.url, 'EPROTO') : found(r.url);
  const allowed = await resolveWith('reg.example/app:v1', onlyHttp, { allowHttp: true });
  assert.equal(urls(allowed).at(-1), 'http://reg.example/v2/app/manifests/v1');
  const better = await resolveWith('reg.example/app:v1', (r) => found(r.url), { allowHttp: true });
  assert.equal(urls(better).at(-1), 'https://reg.example/v2/app/manifests/v1');
  const why = await reasonOf(resolveWith('reg.example/app:v1', onlyHttp));
  assert.equal(why.code, 'WB-515');
  assert.match(why.hint, /--allow-http-registry/);
});

test('a real plain registry asked over TLS is explained', async () => {
  const repository = repositoryAt(registry.host, 'app', { tlsHosts: [registry.host] });
  assert.equal((await reasonOf(repository.resolve({ tag: 'v1' }))).code, 'WB-515');
});

test('a host that refuses connections is not tried again', async () => {
  let tries = 0;
  const refuse = (r: HttpRequest): Error => {
    tries++;
    return broken(r.url, 'ECONNREFUSED');
  };
  assert.equal((await reasonOf(resolveWith('reg.example/app:v1', refuse))).code, 'WB-201');
  assert.equal(tries, 1);
});

test("Docker Hub's token server gets the credentials of docker.io", async () => {
  const answer = (r: HttpRequest): HttpResponse => {
    if (r.url.startsWith('https://auth.docker.io/'))
      return { ...found(r.url), body: Buffer.from('{"token":"t"}') };
    if (r.headers?.['authorization'] === 'Bearer t') return found(r.url);
    const challenge = 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io"';
    return { ...found(r.url), status: 401, headers: new Map([['www-authenticate', challenge]]) };
  };
  const password = new Secret('p');
  const credentials = fixedCredential('index.docker.io', { kind: 'basic', username: 'u', password });
  const sent = await resolveWith('team/app:v1', answer, { credentials });
  assert.deepEqual(
    sent.map((request) => request.headers?.['authorization']),
    [undefined, 'Basic dTpw', 'Bearer t'],
  );
});

test('compressed answers are declined, so caps count real bytes', async () => {
  const [request] = await resolveWith('ghcr.io/team/app:v1', (r) => found(r.url));
  assert.equal(request?.headers?.['accept-encoding'], 'identity');
});

test('blobs above the caps are refused before they are asked for', async () => {
  const repository = repositoryAt(registry.host, 'caps');
  const of = (size: number) => ({ digest: manifest.digest, size });
  const layer = (size: number) => drain(repository.blob(of(size)));
  assert.equal((await reasonOf(layer(limits.layerBytes))).code, 'WB-502');
  assert.equal((await reasonOf(layer(limits.layerBytes + 1))).code, 'WB-189');
  assert.equal((await reasonOf(readBlob(repository, of(limits.attachmentBytes)))).code, 'WB-502');
  assert.equal((await reasonOf(readBlob(repository, of(limits.attachmentBytes + 1)))).code, 'WB-189');
});

test('a token at the size cap is used, one character more is refused', async () => {
  const answer =
    (length: number) =>
    (r: HttpRequest): HttpResponse => {
      const token = { ...found(r.url), body: Buffer.from(JSON.stringify({ token: 't'.repeat(length) })) };
      if (r.url.includes('/token')) return token;
      if (r.headers?.['authorization'] !== undefined) return found(r.url);
      const headers = new Map([['www-authenticate', 'Bearer realm="https://ghcr.io/token"']]);
      return { ...found(r.url), status: 401, headers };
    };
  assert.equal((await resolveWith('ghcr.io/a/b:v1', answer(limits.tokenBytes))).length, 3);
  const why = await reasonOf(resolveWith('ghcr.io/a/b:v1', answer(limits.tokenBytes + 1)));
  assert.equal(why.code, 'WB-506');
});

test('an image is picked from an index by platform, and the variant only when it is asked for', async () => {
  const repository = repositoryAt(registry.host, 'platforms');
  const { index, images } = await putMultiArch(repository, 'p', 'v1');
  const pick = async (text?: string) => {
    const platform = text === undefined ? undefined : unwrap(parsePlatform(text));
    return (await selectImage(repository, { tag: 'v1' }, platform)).manifest.digest;
  };
  assert.equal(await pick(), images[0]?.digest);
  assert.equal(await pick('linux/arm64'), images[1]?.digest);
  assert.equal(await pick('linux/arm64/v8'), images[1]?.digest);
  assert.equal((await reasonOf(pick('linux/arm/v7'))).actual, 'linux/amd64, linux/arm64/v8');
  assert.equal((await reasonOf(pick('Linux'))).code, 'WB-511');
  assert.equal((await reasonOf(imageManifest(repository, index.digest))).code, 'WB-517');
});

test('an image that is named directly must be of the platform asked for', async () => {
  const repository = repositoryAt(registry.host, 'single');
  await putImage(repository, 's', { tag: 'v1', platform: { os: 'linux', architecture: 'arm64' } });
  const amd64 = { os: 'linux', architecture: 'amd64' };
  assert.equal((await reasonOf(selectImage(repository, { tag: 'v1' }, amd64))).code, 'WB-511');
  assert.ok((await selectImage(repository, { tag: 'v1' })).index === undefined);
  assert.ok(
    platformMatches(
      { os: 'linux', architecture: 'arm' },
      { os: 'linux', architecture: 'arm', variant: 'v7' },
    ),
  );
  assert.equal(platformText({ os: 'linux', architecture: 'arm', variant: 'v6' }), 'linux/arm/v6');
});
