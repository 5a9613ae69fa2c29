/**
 * The wire: paths, headers, bodies and status codes of the OCI distribution specification v1.1. Paths are
 * taken from the raw URL and decoded once, here; the router's own decoding is not used.
 */
import { Readable } from 'node:stream';
import { utf8Text } from '#base/bytes';
import { parseDigest } from '#base/digest';
import { limits } from '#base/limits';
import { fail, type Reason, reasonText, WaybillError } from '#base/reason';
import { mediaType } from '#formats/oci';
import { isRepositoryName } from '#formats/reference';
import type { HttpApp, HttpReply, HttpRequestIn } from '#platform/http-server';
import type { Access } from './access.ts';
import { endLater, wholeBody } from './body.ts';
import { type Call, pathDigest, type Route } from './call.ts';
import { PAGE_ENTRIES_MAX } from './config.ts';
import { formAuthorization, login } from './login.ts';
import { R } from './reasons.ts';
import { checkRepository, checkTag, type ManifestName, type RegistryCore } from './registry.ts';
import { type LoginTokens, parseScopes } from './tokens.ts';
import { uploadRoutes } from './upload-routes.ts';

const RESOURCE = /^\/v2\/(.+?)\/(manifests|blobs\/uploads|blobs|tags|referrers)(?:\/([^/]*))?$/;

export interface RegistryDoor {
  readonly core: RegistryCore;
  readonly access: Access;
  readonly logins: LoginTokens;
  readonly publicUrl?: string;
  readonly bodyTimeoutMs: number;
  readonly lingerMs: number;
}

export function registryRoutes(app: HttpApp, door: RegistryDoor): void {
  const { core } = door;
  const routes = [...contentRoutes(door), ...listRoutes(core), ...uploadRoutes(core)];
  // Bodies are streams: nothing is parsed or kept before a handler asks for it.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _body, done) => done(null));
  app.setErrorHandler((error, request, reply) => answerError(error, request, reply, door));
  app.route({
    method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    url: '/v2/*',
    exposeHeadRoute: false,
    handler: (request, reply) => dispatch(routes, request, reply, door),
  });
}

async function dispatch(
  routes: readonly Route[],
  request: HttpRequestIn,
  reply: HttpReply,
  door: RegistryDoor,
): Promise<unknown> {
  const { core, access } = door;
  void reply
    .header('docker-distribution-api-version', 'registry/2.0')
    .header('x-content-type-options', 'nosniff');
  const { path, query } = parseUrl(request.raw.url ?? '');
  const method = request.method;
  if (path === TOKEN_PATH) return giveToken(request, reply, query, door);
  const caller = await access.authenticate(request.headers.authorization);
  if (path === '/v2/' && (method === 'GET' || method === 'HEAD')) {
    caller.requireLogin();
    return reply.type('application/json').send('{}');
  }
  if (path === '/v2/_catalog' && method === 'GET') {
    caller.requireLogin();
    await core.store.fresh();
    return catalog(core, reply, query, (repo) => caller.allows('pull', repo));
  }
  const match = RESOURCE.exec(path);
  if (match === null)
    throw fail(R.name, { expected: 'a path of the registry API', actual: path.slice(0, 300) });
  const [, name = '', resource, rest = ''] = match;
  const repo = checkRepository(name);
  const route = routes.find((one) => one.resource === resource && one.methods.includes(method));
  if (route === undefined) throw fail(R.unsupported, { expected: 'a method of this path', actual: method });
  const require: Call['require'] = async (action) => {
    caller.require(action, repo);
    if (!isHeld(core, { method, resource, repo, rest })) await core.store.fresh();
  };
  return route.handle({ request, reply, method, repo, rest, query, require, allows: caller.allows });
}

const TOKEN_PATH = '/v2/token';
const FORM_BYTES_MAX = 64 * 1024;

/** GET with Basic, or POST with a form: what docker, podman, crane and our own client send to log in. */
async function giveToken(
  request: HttpRequestIn,
  reply: HttpReply,
  query: URLSearchParams,
  { access, logins, bodyTimeoutMs: timeoutMs }: RegistryDoor,
): Promise<unknown> {
  const { method } = request;
  if (method !== 'GET' && method !== 'POST') {
    throw fail(R.unsupported, { expected: 'GET or POST', actual: method });
  }
  const body = (): Promise<Uint8Array> => wholeBody(request, { maxBytes: FORM_BYTES_MAX, timeoutMs });
  const form = method === 'GET' ? query : new URLSearchParams(utf8Text(await body()));
  const authorization = method === 'GET' ? request.headers.authorization : formAuthorization(form);
  const answer = await login({ authorization, scopes: parseScopes(form.getAll('scope')) }, access, logins);
  return reply.type('application/json').header('cache-control', 'no-store').send(JSON.stringify(answer));
}

/** Where to log in, and for what (RFC 6750 §3, with the parameters of the token specification). */
function challengeOf(request: HttpRequestIn, publicUrl: string | undefined): string {
  const host = HOST.test(request.headers.host ?? '') ? request.headers.host : undefined;
  const at = publicUrl ?? `${request.protocol}://${host ?? 'localhost'}`;
  const parameters = [`realm="${at}${TOKEN_PATH}"`, `service="${new URL(at).host}"`];
  const [, repo, resource] = RESOURCE.exec((request.raw.url ?? '').split('?')[0] ?? '') ?? [];
  if (repo !== undefined && resource !== undefined && isRepositoryName(repo)) {
    const { method } = request;
    const isRead = method === 'GET' || method === 'HEAD';
    const read = isRead ? 'pull' : 'pull,push';
    parameters.push(`scope="repository:${repo}:${method === 'DELETE' ? 'delete' : read}"`);
  }
  return `Bearer ${parameters.join(',')}`;
}

const HOST = /^[A-Za-z0-9.[\]:-]{1,255}$/;

/** What has a digest stays what it is: when it is known here, nobody needs to be asked. */
function isHeld(
  core: RegistryCore,
  asked: {
    readonly method: string;
    readonly resource: unknown;
    readonly repo: string;
    readonly rest: string;
  },
): boolean {
  // HEAD is how a client learns that it need not push: that must be true everywhere.
  if (asked.method !== 'GET') return false;
  const digest = parseDigest(asked.rest);
  if (!digest.ok) return false;
  if (asked.resource === 'blobs') return core.store.blobSize(asked.repo, digest.value) !== undefined;
  return asked.resource === 'manifests' && core.store.hasManifest(asked.repo, digest.value);
}

function parseUrl(raw: string): { path: string; query: URLSearchParams } {
  const mark = raw.indexOf('?');
  const text = mark < 0 ? raw : raw.slice(0, mark);
  try {
    // Media types end in +json and are sent unescaped by hand: a plus is never a space here.
    const query = new URLSearchParams(mark < 0 ? '' : raw.slice(mark).replaceAll('+', '%2B'));
    return { path: decodeURIComponent(text), query };
  } catch {
    throw fail(R.name, { expected: 'a path with valid escapes', actual: text.slice(0, 300) });
  }
}

const contentRoutes = ({ core, bodyTimeoutMs }: RegistryDoor): readonly Route[] => [
  { resource: 'manifests', methods: ['GET', 'HEAD'], handle: (call) => getManifest(core, call) },
  { resource: 'manifests', methods: ['PUT'], handle: (call) => putManifest(core, call, bodyTimeoutMs) },
  { resource: 'manifests', methods: ['DELETE'], handle: (call) => deleteManifest(core, call) },
  { resource: 'blobs', methods: ['GET', 'HEAD'], handle: (call) => getBlob(core, call) },
  { resource: 'blobs', methods: ['DELETE'], handle: (call) => deleteBlob(core, call) },
];

async function getManifest(core: RegistryCore, call: Call): Promise<unknown> {
  await call.require('pull');
  const found = core.manifest(call.repo, manifestName(call.rest));
  const etag = `"${found.digest}"`;
  void call.reply.header('docker-content-digest', found.digest).header('etag', etag);
  if (call.request.headers['if-none-match'] === etag) return call.reply.code(304).send();
  void call.reply.type(found.mediaType).header('content-length', found.bytes.length);
  return call.reply.send(call.method === 'HEAD' ? undefined : Buffer.from(found.bytes));
}

async function putManifest(core: RegistryCore, call: Call, timeoutMs: number): Promise<unknown> {
  await call.require('push');
  const name = manifestName(call.rest);
  const bytes = await wholeBody(call.request, { maxBytes: limits.manifestBytes, timeoutMs });
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch, 'content-type': type } = call.request.headers;
  const manifest = await core.putManifest(call.repo, name, bytes, type, {
    ...(ifMatch === undefined ? {} : { ifMatch }),
    ...(ifNoneMatch === undefined ? {} : { ifNoneMatch }),
  });
  if (manifest.subject !== undefined) void call.reply.header('oci-subject', manifest.subject.digest);
  return call.reply
    .code(201)
    .header('location', `/v2/${call.repo}/manifests/${manifest.digest}`)
    .header('docker-content-digest', manifest.digest)
    .header('etag', `"${manifest.digest}"`)
    .send();
}

async function deleteManifest(core: RegistryCore, call: Call): Promise<unknown> {
  await call.require('delete');
  await core.deleteManifest(call.repo, manifestName(call.rest));
  return call.reply.code(202).send();
}

async function getBlob(core: RegistryCore, call: Call): Promise<unknown> {
  await call.require('pull');
  const digest = pathDigest(call.rest);
  const size = core.blobSize(call.repo, digest);
  const { start, end, isPart } = parseRange(call.request.headers.range, size);
  void call.reply
    .header('docker-content-digest', digest)
    .header('etag', `"${digest}"`)
    .header('accept-ranges', 'bytes')
    .header('cache-control', 'public, max-age=31536000, immutable')
    .type('application/octet-stream')
    .header('content-length', end - start + 1);
  if (isPart) void call.reply.code(206).header('content-range', `bytes ${start}-${end}/${size}`);
  if (call.method === 'HEAD') return call.reply.send();
  if (size === 0) return call.reply.send('');
  const bytes = await core.store.readBlob(digest, { start, end, size });
  return call.reply.send(bytes instanceof Readable ? bytes : Readable.from(bytes, { objectMode: false }));
}

async function deleteBlob(core: RegistryCore, call: Call): Promise<unknown> {
  await call.require('delete');
  await core.deleteBlob(call.repo, pathDigest(call.rest));
  return call.reply.code(202).send();
}

const listRoutes = (core: RegistryCore): readonly Route[] => [
  { resource: 'tags', methods: ['GET'], handle: (call) => listTags(core, call) },
  { resource: 'referrers', methods: ['GET'], handle: (call) => listReferrers(core, call) },
];

async function listTags(core: RegistryCore, call: Call): Promise<unknown> {
  await call.require('pull');
  if (call.rest !== 'list') throw fail(R.name, { expected: 'tags/list', actual: `tags/${call.rest}` });
  const count = pageSize(call.query);
  const { items, next } = core.tags(call.repo, call.query.get('last') ?? '', count);
  linkNext(call.reply, `/v2/${call.repo}/tags/list`, { n: String(count), last: next });
  return call.reply.type('application/json').send(JSON.stringify({ name: call.repo, tags: items }));
}

async function listReferrers(core: RegistryCore, call: Call): Promise<unknown> {
  await call.require('pull');
  const subject = pathDigest(call.rest);
  const artifactType = call.query.get('artifactType') ?? undefined;
  const { index, next } = core.referrers(call.repo, subject, call.query.get('last') ?? '', artifactType);
  if (artifactType !== undefined) void call.reply.header('oci-filters-applied', 'artifactType');
  linkNext(call.reply, `/v2/${call.repo}/referrers/${subject}`, { artifactType, last: next });
  return call.reply.type(mediaType.ociIndex).send(Buffer.from(index.bytes));
}

function catalog(
  core: RegistryCore,
  reply: HttpReply,
  query: URLSearchParams,
  mayRead: (repo: string) => boolean,
): unknown {
  const count = pageSize(query);
  const { items, next } = core.repositories(query.get('last') ?? '', count, mayRead);
  linkNext(reply, '/v2/_catalog', { n: String(count), last: next });
  return reply.type('application/json').send(JSON.stringify({ repositories: items }));
}

/** Sets `Link` when there is a next page. */
function linkNext(
  reply: HttpReply,
  path: string,
  query: { readonly last: string | undefined; readonly [name: string]: string | undefined },
): void {
  if (query.last === undefined) return;
  const set = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined);
  void reply.header('link', `<${path}?${new URLSearchParams(set)}>; rel="next"`);
}

function pageSize(query: URLSearchParams): number {
  const text = query.get('n');
  if (text === null) return PAGE_ENTRIES_MAX;
  if (!/^\d{1,15}$/.test(text))
    throw fail(R.page, { expected: 'n=<whole number>', actual: text.slice(0, 40) });
  return Math.min(Number(text), PAGE_ENTRIES_MAX);
}

function manifestName(text: string): ManifestName {
  return text.includes(':') ? { digest: pathDigest(text) } : { tag: checkTag(text) };
}

/** One range of bytes (RFC 9110 §14.1.2), `end` inclusive; other units and several ranges are ignored. */
function parseRange(
  header: string | undefined,
  size: number,
): { readonly start: number; readonly end: number; readonly isPart: boolean } {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '');
  const [first, last] = [match?.[1] ?? '', match?.[2] ?? ''];
  if (match === null || (first === '' && last === '')) return { start: 0, end: size - 1, isPart: false };
  const start = first === '' ? Math.max(size - Number(last), 0) : Number(first);
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (start > end) {
    throw fail(R.range, { expected: `a range inside ${size} bytes`, actual: (header ?? '').slice(0, 60) });
  }
  return { start, end, isPart: true };
}

/** The specification's code for each of ours; what is not listed is UNKNOWN. */
const ociCode: Readonly<Record<string, string>> = {
  [R.name.code]: 'NAME_INVALID',
  [R.digest.code]: 'DIGEST_INVALID',
  [R.manifest.code]: 'MANIFEST_INVALID',
  [R.manifestBlob.code]: 'MANIFEST_BLOB_UNKNOWN',
  [R.noName.code]: 'NAME_UNKNOWN',
  [R.noManifest.code]: 'MANIFEST_UNKNOWN',
  [R.noBlob.code]: 'BLOB_UNKNOWN',
  [R.noUpload.code]: 'BLOB_UPLOAD_UNKNOWN',
  [R.uploadRange.code]: 'BLOB_UPLOAD_INVALID',
  [R.uploadBusy.code]: 'BLOB_UPLOAD_INVALID',
  [R.tooLarge.code]: 'SIZE_INVALID',
  [R.changed.code]: 'TAG_CHANGED',
  [R.immutable.code]: 'TAG_IMMUTABLE',
  [R.unauthorized.code]: 'UNAUTHORIZED',
  [R.denied.code]: 'DENIED',
  [R.unsupported.code]: 'UNSUPPORTED',
  [R.busy.code]: 'TOOMANYREQUESTS',
  [R.inUse.code]: 'BLOB_IN_USE',
  [R.page.code]: 'PAGINATION_NUMBER_INVALID',
  [R.range.code]: 'RANGE_INVALID',
};

function answerError(
  error: unknown,
  request: HttpRequestIn,
  reply: HttpReply,
  { publicUrl, lingerMs }: RegistryDoor,
): HttpReply {
  endLater(request, lingerMs);
  if (error instanceof WaybillError) {
    const why = error.reason;
    if (why.code === R.unauthorized.code) {
      void reply.header('www-authenticate', challengeOf(request, publicUrl));
    }
    return sendReason(reply, why);
  }
  // A client that went away in the middle of a body is no defect of ours; the rest is the server's to log.
  if (request.raw.destroyed && !request.raw.complete) return reply.code(400).send();
  throw error;
}

function sendReason(reply: HttpReply, why: Reason): HttpReply {
  const { code, expected, actual, hint } = why;
  const error = {
    code: ociCode[code] ?? 'UNKNOWN',
    message: reasonText(why),
    detail: { code, expected, actual, hint },
  };
  return reply
    .code(why.status)
    .removeHeader('content-length')
    .type('application/json')
    .send(JSON.stringify({ errors: [error] }));
}
