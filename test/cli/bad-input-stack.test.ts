/** Bad evidence, bad tokens, bad registries and a killed stack, against real servers. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, generateKeyPairSync, sign as signBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { RunResult } from '#platform/process';
import { freePortBase } from '../free-ports.ts';
import { putImage, repositoryAt } from '../oci/helpers.ts';
import { ada, startStack } from '../stack/helper.ts';
import { assertJsonRefusal, assertRefused, folder, plainEnv, type Refusal, waybill } from './child.ts';
import { waybillHere } from './here.ts';

const stack = await startStack();
const token = (await stack.mint({ sub: ada, email: ada })).reveal();
const signed = `${stack.registryHost}/app:signed`;
const bare = `${stack.registryHost}/app:bare`;
const identity = ['--certificate-identity', ada, '--certificate-oidc-issuer', stack.origins.oidc];
const trust = ['--stack', stack.dataDir];
const verify = (...words: string[]): readonly string[] => ['verify', ...trust, ...words];
const signWith = (given: string, ...words: string[]): readonly string[] => [
  'sign',
  ...trust,
  '--identity-token',
  given,
  ...words,
];

/** Most command lines run in this process; those about processes, signals and time in one of their own. */
const here = (args: readonly string[]): Promise<RunResult> => waybillHere(args, { env: plainEnv });

const servers: Server[] = [];
after(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  const address = server.address();
  return typeof address === 'object' && address !== null ? `127.0.0.1:${address.port}` : assert.fail();
}

before(async () => {
  const app = repositoryAt(stack.registryHost, 'app');
  await putImage(app, 'signed', { tag: 'signed' });
  await putImage(app, 'bare', { tag: 'bare' });
  const result = await waybill(signWith(token, signed));
  assert.equal(result.code, 0, result.stderr);
});

async function treeSize(origin = stack.origins.log): Promise<number> {
  const info = (await (await fetch(`${origin}/api/v1/log`)).json()) as { treeSize: number };
  return info.treeSize;
}

describe('evidence that is not enough', { concurrency: 2 }, () => {
  const cases: readonly (Refusal & { readonly name: string; readonly args: readonly string[] })[] = [
    {
      name: 'a misspelt identity',
      args: verify(signed, ...identity.with(1, 'adaa@example.com')),
      exit: 14,
      code: 'WB-351',
    },
    {
      name: 'another issuer',
      args: verify(signed, ...identity.with(3, 'https://x')),
      exit: 14,
      code: 'WB-350',
    },
    { name: 'no signature', args: verify(bare, ...identity), exit: 10, code: 'WB-901' },
    { name: 'no image', args: verify(`${bare}x`, ...identity), exit: 11, code: 'WB-502' },
    {
      name: 'no attestation',
      args: ['verify-attestation', ...trust, bare, ...identity],
      exit: 10,
      code: 'WB-902',
    },
    {
      name: 'no provenance',
      args: ['provenance', 'verify', ...trust, bare, '--source-uri', 'github.com/a/b'],
      exit: 10,
      code: 'WB-902',
    },
    { name: 'a layer that is no archive', args: ['sbom', bare], exit: 12, code: 'WB-844' },
    {
      name: 'nothing in the log',
      args: ['audit', 'search', ...trust, `sha256:${'0'.repeat(64)}`],
      exit: 10,
      code: 'WB-907',
    },
  ];
  for (const one of cases) test(one.name, async () => assertRefused(await here(one.args), one));
});

test('every image is judged, and one failure decides the exit code', async () => {
  const result = await waybill(verify('--json', signed, bare, 'BAD', ...identity));
  assert.equal(result.code, 10);
  const { ok, images } = JSON.parse(result.stdout) as { ok: boolean; images: { ok: boolean }[] };
  assert.deepEqual([ok, images.map((image) => image.ok)], [false, [true, false, false]]);
});

test('a tag that was moved is judged as what it names now', async () => {
  const app = repositoryAt(stack.registryHost, 'app');
  const before = await putImage(app, 'moving', { tag: 'moving' });
  const moving = `${stack.registryHost}/app:moving`;
  assert.equal((await here(signWith(token, moving))).code, 0);
  await putImage(app, 'tampered', { tag: 'moving' });
  assertRefused(await here(verify(moving, ...identity)), { exit: 10, code: 'WB-901' });
  assert.equal((await here(verify(`${moving}@${before.digest}`, ...identity))).code, 0);
});

test('the trusted root of another stack accepts nothing', async () => {
  const other = await startStack();
  const result = await here(['verify', '--stack', other.dataDir, signed, ...identity]);
  assert.ok([12, 15].includes(result.code), result.stderr);
  assert.match(result.stderr, /\(WB-3\d\d\)/);
  await other.close();
});

test('expired trust is refused, and says what expired; a signature outlives it', async () => {
  const later = join(folder, 'later.mjs');
  const shift = `const Real = Date, ms = 400 * 86400000; globalThis.Date = class extends Real {
    constructor(...given) { given.length === 0 ? super(Real.now() + ms) : super(...given); }
    static now() { return Real.now() + ms; } };`;
  writeFileSync(later, shift);
  const env = { NODE_OPTIONS: `--import=${pathToFileURL(later).href}` };
  const tuf = ['--tuf-mirror', stack.origins.tuf, '--tuf-root', join(stack.dataDir, 'public', 'root.json')];
  const refusal = { exit: 16, code: 'WB-602', says: /root\.json is expired/ };
  assertRefused(await waybill(['trust', 'show', ...tuf], { env }), refusal);
  assert.equal((await waybill(verify(signed, ...identity), { env })).code, 0);
});

test('a token for another audience, of another issuer or expired gets no certificate and no entry', async () => {
  const size = await treeSize();
  const elsewhere = (await stack.mint({ sub: ada, email: ada, aud: 'other' })).reveal();
  assertRefused(await here(signWith(elsewhere, '--quiet', bare)), { exit: 31, code: 'WB-623' });
  const refusal = { exit: 30, code: 'WB-810', says: /ca\.audience/ };
  assertRefused(await here(signWith(elsewhere, '--quiet', '--oidc-client-id', 'other', bare)), refusal);
  const forged = forge(token, (claims) => ({ ...claims, iss: 'https://issuer.example' }));
  const foreign = { exit: 30, code: 'WB-810', says: /ca\.issuer/ };
  assertRefused(await here(signWith(forged, '--quiet', bare)), foreign);
  const promoted = forge(token, (claims) => ({ ...claims, email: 'root@example.com' }));
  assertRefused(await here(signWith(promoted, '--quiet', bare)), { exit: 30, code: 'WB-810' });
  const expired = forge(token, (claims) => ({ ...claims, exp: 1 }));
  assert.equal((await here(signWith(expired, '--quiet', bare))).code, 31);
  assert.equal(await treeSize(), size);
  assertRefused(await here(verify(bare, ...identity)), { exit: 10, code: 'WB-901' });
});

/** The token with other claims and the old signature. */
function forge(jwt: string, change: (claims: object) => object): string {
  const [head, body = '', signature] = jwt.split('.');
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as object;
  return [head, Buffer.from(JSON.stringify(change(claims))).toString('base64url'), signature].join('.');
}

const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');
const ociManifest = 'application/vnd.oci.image.manifest.v1+json';

/** A registry that serves these bodies: path → media type and bytes. */
const fixed =
  (answers: Readonly<Record<string, readonly [string, Uint8Array | string]>>): RequestListener =>
  (request, response) => {
    const [type, body] = answers[request.url?.replace('/v2/app/', '') ?? ''] ?? ['', ''];
    response.writeHead(type === '' ? 404 : 200, { 'content-type': type || 'application/json' });
    response.end(request.method === 'HEAD' ? '' : body);
  };

function imageOf(layer: Uint8Array, sent: Uint8Array): RequestListener {
  const config = JSON.stringify({
    os: 'linux',
    architecture: 'amd64',
    rootfs: { type: 'layers', diff_ids: [`sha256:${sha256('')}`] },
  });
  const descriptor = (mediaType: string, bytes: Uint8Array | string): object => ({
    mediaType,
    digest: `sha256:${sha256(bytes)}`,
    size: bytes.length,
  });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: ociManifest,
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: [descriptor('application/vnd.oci.image.layer.v1.tar+gzip', layer)],
  });
  return fixed({
    'manifests/v1': [ociManifest, manifest],
    [`manifests/sha256:${sha256(manifest)}`]: [ociManifest, manifest],
    [`blobs/sha256:${sha256(config)}`]: ['application/octet-stream', config],
    [`blobs/sha256:${sha256(layer)}`]: ['application/octet-stream', sent],
  });
}

describe('a registry that does not do its part', { concurrency: 3 }, () => {
  const other = `sha256:${'0'.repeat(64)}`;
  const layer = gzipSync(Buffer.alloc(20_480, 7));
  const document = JSON.stringify({ schemaVersion: 2, mediaType: 'application/x-nothing', layers: [] });
  const cases: readonly (Refusal & {
    readonly name: string;
    readonly registry: RequestListener;
    readonly args?: (host: string) => readonly string[];
  })[] = [
    {
      name: 'sends a manifest of another digest',
      registry: fixed({ [`manifests/${other}`]: [ociManifest, document] }),
      args: (host) => ['digest', `${host}/app@${other}`],
      exit: 20,
      code: 'WB-188',
    },
    {
      name: 'sends an unknown media type',
      registry: fixed({ 'manifests/v1': ['application/x-nothing', document] }),
      exit: 20,
      code: 'WB-520',
    },
    {
      name: 'sends a page',
      registry: fixed({ 'manifests/v1': ['text/html', '<html>'] }),
      exit: 20,
      code: 'WB-520',
    },
    {
      name: 'sends half a layer',
      registry: imageOf(layer, layer.subarray(0, layer.length / 2)),
      args: (host) => ['sbom', '--quiet', `${host}/app:v1`],
      exit: 20,
      code: 'WB-188',
    },
    {
      name: 'sends another layer of that length',
      registry: imageOf(layer, Buffer.alloc(layer.length, 1)),
      args: (host) => ['sbom', '--quiet', `${host}/app:v1`],
      exit: 20,
      code: 'WB-188',
    },
    {
      name: 'redirects to nowhere',
      registry: (_, response) => response.writeHead(302, { location: 'http://[' }).end(),
      exit: 20,
      code: 'WB-505',
    },
    {
      name: 'wants a login at no address',
      registry: (_, response) => response.writeHead(401, { 'www-authenticate': 'Bearer realm="x y"' }).end(),
      exit: 21,
      code: 'WB-506',
    },
    { name: 'breaks off', registry: (request) => request.socket.destroy(), exit: 20, code: 'WB-201' },
    { name: 'is busy', registry: (_, response) => response.writeHead(503).end(), exit: 20, code: 'WB-504' },
  ];
  for (const one of cases) {
    test(one.name, async () => {
      const host = await serve(one.registry);
      assertRefused(await here(one.args?.(host) ?? ['digest', `${host}/app:v1`]), one);
    });
  }
});

/** Passes everything on to the stack's registry, but refuses to store manifests. */
async function refusingManifests(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method === 'PUT' && request.url?.includes('/manifests/')) {
    response.writeHead(403, { 'content-type': 'application/json' }).end('{"errors":[]}');
    return;
  }
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { host: _, connection: __, 'content-length': ___, ...headers } = request.headers;
  const passed = await fetch(`http://${stack.registryHost}${request.url}`, {
    method: request.method ?? 'GET',
    headers: headers as Record<string, string>,
    redirect: 'manual',
    ...(chunks.length === 0 ? {} : { body: Buffer.concat(chunks) }),
  });
  const out = new Map(passed.headers);
  const location = out.get('location');
  if (location !== undefined) out.set('location', location.replace(/^https?:\/\/[^/]+/, ''));
  response.writeHead(passed.status, Object.fromEntries(out));
  response.end(Buffer.from(await passed.arrayBuffer()));
}

test('an attachment that was half pushed is not reported as done', async () => {
  const host = await serve((request, response) => void refusingManifests(request, response));
  const result = await here(signWith(token, '--json', '--quiet', `${host}/app:bare`));
  assert.notEqual(result.code, 0);
  assertJsonRefusal(result, { exit: 21, code: 'WB-501' });
  const tree = await here(['tree', bare]);
  assert.match(tree.stdout, /nothing is attached/);
});

test('the log holds no entry that was answered with an error', async () => {
  const size = await treeSize();
  const good = entry('good');
  const wrong = structuredClone(good);
  wrong.spec.data.hash.value = sha256('other');
  const bodies: readonly (readonly [string, number])[] = [
    ['', 400],
    ['{', 400],
    ['[]', 400],
    ['{"kind":"hashedrekord","apiVersion":"0.0.1","spec":{}}', 400],
    [JSON.stringify({ ...good, kind: 'nothing' }), 400],
    [JSON.stringify({ ...good, more: 1, kind: 'hashedrekord', apiVersion: '9.9.9' }), 400],
    [JSON.stringify(wrong), 400],
    [`"${'x'.repeat(5 * 1024 * 1024)}"`, 413],
  ];
  for (const [body, status] of bodies) {
    const answer = await post(stack.origins.log, body);
    assert.equal(answer.status, status, `${body.slice(0, 80)}: ${await answer.text()}`);
  }
  assert.equal(await treeSize(), size);
  assert.equal((await post(stack.origins.log, JSON.stringify(good))).status, 201);
  assert.equal(await treeSize(), size + 1);
});

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const keyPem = publicKey.export({ type: 'spki', format: 'pem' }).toString();

function entry(text: string) {
  return {
    kind: 'hashedrekord',
    apiVersion: '0.0.1',
    spec: {
      signature: {
        content: signBytes('sha256', Buffer.from(text), privateKey).toString('base64'),
        publicKey: { content: Buffer.from(keyPem).toString('base64') },
      },
      data: { hash: { algorithm: 'sha256', value: sha256(text) } },
    },
  };
}

const post = (origin: string, body: string): Promise<Response> =>
  fetch(`${origin}/api/v1/log/entries`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body,
  });

/** Starts a stack of its own process; `origins` once it is ready. */
async function up(dataDir: string, portBase = 0) {
  const child = spawn(
    resolve('bin/waybill'),
    ['stack', 'up', '--data', dataDir, '--json', '--port-base', String(portBase)],
    {
      env: plainEnv,
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  for await (const line of createInterface({ input: child.stdout })) {
    return { child, origins: (JSON.parse(line) as { origins: { log: string; registry: string } }).origins };
  }
  return assert.fail(`it ended with ${child.exitCode}`);
}

test('a killed stack continues, with every entry it acknowledged; a stopped one is unavailable', async () => {
  const dataDir = join(folder, 'killed');
  const first = await up(dataDir, await freePortBase());
  const acknowledged: string[] = [];
  const writers = Array.from({ length: 8 }, async (_, writer) => {
    for (let i = 0; ; i++) {
      const answer = await post(first.origins.log, JSON.stringify(entry(`${writer} ${i}`)));
      const body = (await answer.json()) as object;
      if (answer.status === 201) acknowledged.push(...Object.keys(body));
      if (acknowledged.length >= 60 && !first.child.killed) first.child.kill('SIGKILL');
    }
  });
  // Each writer ends when its connection breaks.
  await Promise.allSettled(writers);
  assert.ok(acknowledged.length >= 60);
  const down = ['stack', 'status', '--stack', dataDir];
  assert.equal((await waybill(down)).code, 20);
  const signing = ['sign', '--stack', dataDir, '--identity-token', token, '--quiet', bare];
  assertRefused(await waybill(signing), { exit: 20, code: 'WB-201' });
  const second = await up(dataDir);
  assert.deepEqual(second.origins, first.origins);
  for (const uuid of acknowledged) {
    const found = await fetch(`${second.origins.log}/api/v1/log/entries/${uuid}`);
    assert.equal(found.status, 200, uuid);
    await found.arrayBuffer();
  }
  assert.ok((await treeSize(second.origins.log)) >= acknowledged.length);
  const busy = await waybill(['stack', 'up', '--data', dataDir, '--port-base', '0']);
  assertRefused(busy, { exit: 3, code: 'WB-210' });
  const ended = once(second.child, 'exit');
  second.child.kill('SIGINT');
  assert.equal((await ended)[0], 0);
});

test('Ctrl-C while a registry keeps us waiting ends at once, with no result', async () => {
  let asked = (): void => {};
  const waiting = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const host = await serve(() => asked());
  const child = spawn(resolve('bin/waybill'), [...signWith(token, `${host}/app:v1`)], {
    env: plainEnv,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let printed = '';
  child.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString();
  });
  await waiting;
  const ended = once(child, 'exit');
  child.kill('SIGINT');
  assert.deepEqual([await ended, printed], [[null, 'SIGINT'], '']);
});
