/** Images in the stores of container engines: Docker and podman over their socket, containerd from its folder. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { WaybillError } from '#base/reason';
import { type SbomImage, sbomImage } from '#flows/sbom-image';
import { type EnginePlaces, enginePlaces, Registry } from '#oci';
import { type FixtureImage, image, imageOf, tar } from './fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'waybill-engine-'));
const servers: Server[] = [];
after(() => {
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true, force: true });
});

const none = (): Promise<never> => Promise.reject(new Error('a store on this machine needs no network'));
const registry = new Registry({ transport: { request: none, stream: none } });

function places(given: Partial<EnginePlaces>): EnginePlaces {
  return { docker: [], podman: [], containerd: [], ...given };
}

const read = (name: string, engines: EnginePlaces, threads = 0): Promise<SbomImage> =>
  sbomImage(registry, name, { version: 'test', engines, threads });

const packages = [{ path: 'srv/package.json', text: '{"name":"a","version":"1.0.0"}' }];

/** What `docker save` of an older engine writes: uncompressed layers, `manifest.json`. */
async function saved(): Promise<Uint8Array> {
  const layer = await tar(packages);
  const made = imageOf([{ tar: layer, stored: layer, mediaType: 'application/vnd.oci.image.layer.v1.tar' }]);
  const config = made.blobs.get(made.manifest.config.digest) as Uint8Array;
  const entry = {
    Config: 'config.json',
    RepoTags: ['registry.example/team/app:v1'],
    Layers: ['0/layer.tar'],
  };
  return tar([
    { path: '0/layer.tar', text: layer },
    { path: 'config.json', text: config },
    { path: 'manifest.json', text: JSON.stringify([entry]) },
  ]);
}

/** What newer engines write: an OCI layout. */
async function savedLayout(made: FixtureImage): Promise<Uint8Array> {
  const { mediaType, digest, size } = {
    ...made.manifest,
    size: (made.blobs.get(made.manifest.digest) as Uint8Array).length,
  };
  const index = { schemaVersion: 2, manifests: [{ mediaType, digest, size }] };
  return tar([
    ...[...made.blobs].map(([name, text]) => ({ path: `blobs/${name.replace(':', '/')}`, text })),
    { path: 'index.json', text: JSON.stringify(index) },
    { path: 'oci-layout', text: '{"imageLayoutVersion":"1.0.0"}' },
  ]);
}

/** An engine with one image; asks for others get what Docker says. */
async function engine(name: string, archive: Uint8Array, more: { cut?: boolean } = {}): Promise<string> {
  const socket = join(folder, `${servers.length}.sock`);
  const server = createServer((asked, answer) => {
    if (asked.url !== `/images/${name}/get`) {
      answer.writeHead(asked.url === '/images/broken/get' ? 500 : 404, {
        'content-type': 'application/json',
      });
      answer.end('{"message":"No such image"}');
      return;
    }
    answer.writeHead(200, { 'content-type': 'application/x-tar' });
    if (more.cut === true) answer.write(archive.subarray(0, 1000), () => answer.destroy());
    else answer.end(archive);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return socket;
}

async function refuses(code: string, work: Promise<unknown>, pattern: RegExp): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof WaybillError, String(error));
    assert.equal(error.reason.code, code, error.message);
    assert.match(error.message, pattern);
    return true;
  });
}

test('an image of docker and of podman is read from the stream of their socket, and nothing stays on disk', async () => {
  // Others use the folder of everybody at the same time.
  const everybodys = process.env['TMPDIR'];
  const own = mkdtempSync(join(tmpdir(), 'waybill-test-'));
  process.env['TMPDIR'] = own;
  for (const kind of ['docker', 'podman'] as const) {
    const socket = await engine('registry.example/team/app:v1', await saved());
    for (const threads of [0, 2]) {
      const { sbom } = await read(
        `${kind}:registry.example/team/app:v1`,
        places({ [kind]: [socket] }),
        threads,
      );
      assert.deepEqual(
        sbom.packages.map((one) => one.purl),
        ['pkg:npm/a@1.0.0'],
      );
      assert.equal(sbom.subject.name, 'registry.example/team/app');
    }
  }
  assert.deepEqual(readdirSync(own), []);
  if (everybodys === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = everybodys;
  rmSync(own, { recursive: true });
});

test('an engine that keeps layouts gives the digest of the registry', async () => {
  const made = await image(packages);
  const socket = await engine('app', await savedLayout(made));
  const { digest } = await read('docker:app', places({ docker: ['/nowhere/docker.sock', socket] }));
  assert.equal(digest, made.manifest.digest);
});

test('an engine that is not there is unavailable, with what to do', async () => {
  await refuses(
    'WB-518',
    read('docker:app', places({ docker: ['/nowhere/docker.sock'] })),
    /nowhere\/docker\.sock: ENOENT; start the engine, .*DOCKER_HOST.*docker-archive:FILE/,
  );
  await refuses('WB-518', read('podman:app', places({ podman: [] })), /podman/);
});

test('an image the engine does not have, an answer that fails and one that ends early are told apart', async () => {
  const socket = await engine('app', await saved(), { cut: true });
  const engines = places({ docker: [socket] });
  await refuses('WB-502', read('docker:other', engines), /No such image/);
  await refuses('WB-518', read('docker:broken', engines), /status 500/);
  await refuses('WB-518', read('docker:app', engines), /the whole of app from docker/);
  for (const name of ['../../etc/passwd', 'a b', 'x?all=1', 'x\r\nHost: y']) {
    await refuses('WB-519', read(`docker:${name}`, engines), /engine\.name/);
  }
});

test('an image of containerd is read from its content store, by digest', async () => {
  const made = await image(packages);
  const root = join(folder, 'containerd');
  const blobs = join(root, 'io.containerd.content.v1.content/blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  for (const [name, bytes] of made.blobs) writeFileSync(join(blobs, name.slice('sha256:'.length)), bytes);
  const engines = places({ containerd: ['/nowhere', root] });
  for (const name of [`@${made.manifest.digest}`, `docker.io/library/app:v1@${made.manifest.digest}`]) {
    const { sbom, digest } = await read(`containerd:${name}`, engines);
    assert.equal(digest, made.manifest.digest);
    assert.equal(sbom.packages.length, 1);
  }
  await refuses(
    'WB-518',
    read('containerd:docker.io/library/app:v1', engines),
    /names of containerd in .*meta\.db/,
  );
  await refuses('WB-502', read(`containerd:@sha256:${'0'.repeat(64)}`, engines), /no such manifest/);
  const [layer] = made.manifest.layers;
  writeFileSync(join(blobs, (layer?.digest ?? '').slice('sha256:'.length)), 'changed');
  await refuses('WB-188', read(`containerd:@${made.manifest.digest}`, engines), /got 7 bytes/);
});

type Bucket = { readonly [key: string]: string | Bucket };

/** A page of bbolt with these keys; buckets lie inside their values, as bbolt keeps small ones. */
function boltPage(id: number, bucket: Bucket): Buffer {
  const keys = Object.keys(bucket).sort();
  const header = Buffer.alloc(16 + 16 * keys.length);
  header.writeBigUInt64LE(BigInt(id), 0);
  header.writeUInt16LE(2, 8);
  header.writeUInt16LE(keys.length, 10);
  const parts: Buffer[] = [];
  let end = header.length;
  for (const [i, key] of keys.entries()) {
    const held = bucket[key] as string | Bucket;
    const value =
      typeof held === 'string' ? Buffer.from(held) : Buffer.concat([Buffer.alloc(16), boltPage(0, held)]);
    const at = 16 + 16 * i;
    header.writeUInt32LE(typeof held === 'string' ? 0 : 1, at);
    header.writeUInt32LE(end - at, at + 4);
    header.writeUInt32LE(Buffer.byteLength(key), at + 8);
    header.writeUInt32LE(value.length, at + 12);
    parts.push(Buffer.from(key), value);
    end += Buffer.byteLength(key) + value.length;
  }
  return Buffer.concat([header, ...parts]);
}

/** A database of bbolt: two meta pages, the newer of which leads to the page of the buckets. */
function bolt(bucket: Bucket): Buffer {
  const file = Buffer.alloc(4096 * 4);
  for (const [page, root] of [
    [0, 2],
    [1, 3],
  ] as const) {
    const at = page * 4096 + 16;
    file.writeUInt32LE(0xed0cdaed, at);
    file.writeUInt32LE(2, at + 4);
    file.writeUInt32LE(4096, at + 8);
    file.writeBigUInt64LE(BigInt(root), at + 16);
    file.writeBigUInt64LE(BigInt(page), at + 48);
    let hash = 0xcbf29ce484222325n;
    for (const byte of file.subarray(at, at + 56))
      hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
    file.writeBigUInt64LE(hash, at + 56);
  }
  boltPage(3, bucket).copy(file, 4096 * 3);
  return file;
}

test('containerd knows an image by name as well, in the namespaces of ctr, Kubernetes and Docker', async () => {
  const made = await image(packages);
  const root = join(folder, 'named');
  const blobs = join(root, 'io.containerd.content.v1.content/blobs/sha256');
  const metadata = join(root, 'io.containerd.metadata.v1.bolt');
  mkdirSync(blobs, { recursive: true });
  mkdirSync(metadata);
  for (const [name, bytes] of made.blobs) writeFileSync(join(blobs, name.slice('sha256:'.length)), bytes);
  const target = { target: { digest: made.manifest.digest, mediatype: 'x' } };
  const images = { 'docker.io/library/app:latest': target, 'registry.example/team/app:v1': target };
  const meta = bolt({ v1: { 'k8s.io': { images, leases: {} }, version: 'x' } });
  writeFileSync(join(metadata, 'meta.db'), meta);
  const engines = places({ containerd: [root] });
  for (const name of ['app', 'docker.io/library/app:latest', 'registry.example/team/app:v1']) {
    assert.equal((await read(`containerd:${name}`, engines)).digest, made.manifest.digest, name);
  }
  await refuses(
    'WB-502',
    read('containerd:other', engines),
    /docker\.io\/library\/other:latest in the namespaces/,
  );
  for (const [at, byte] of [
    [4096 + 16, 0],
    [4096 * 3 + 8, 9],
    [4096 * 3 + 16 + 4, 0xff],
  ] as const) {
    const broken = Buffer.from(meta);
    broken[at] = byte;
    writeFileSync(join(metadata, 'meta.db'), broken);
    await assert.rejects(read('containerd:app', engines), WaybillError);
  }
});

test('no content store is unavailable, with what to do', async () => {
  const name = `containerd:@sha256:${'0'.repeat(64)}`;
  await refuses('WB-518', read(name, places({ containerd: ['/nowhere'] })), /CONTAINERD_ROOT/);
});

test('the places are those the engines’ own clients use', () => {
  assert.deepEqual(enginePlaces({ DOCKER_HOST: 'unix:///run/user/1000/docker.sock' }).docker, [
    '/run/user/1000/docker.sock',
  ]);
  // A host over TCP is no socket: the usual places are asked, which say what is missing.
  assert.deepEqual(enginePlaces({ DOCKER_HOST: 'tcp://10.0.0.1:2375' }).docker, ['/var/run/docker.sock']);
  assert.deepEqual(enginePlaces({ XDG_RUNTIME_DIR: '/run/user/7' }).podman, [
    '/run/user/7/podman/podman.sock',
    '/run/podman/podman.sock',
  ]);
  assert.deepEqual(enginePlaces({ CONTAINERD_ROOT: '/data' }).containerd, ['/data']);
});
