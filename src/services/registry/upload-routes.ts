/** Blob uploads on the wire: one POST, POST and PUT, or chunks with PATCH; and mounts. */
import type { Digest } from '#base/brand';
import { fail } from '#base/reason';
import { type Call, pathDigest, type Route } from './call.ts';
import { R } from './reasons.ts';
import { checkRepository, type RegistryCore } from './registry.ts';
import type { Chunk } from './uploads.ts';

export const uploadRoutes = (core: RegistryCore): readonly Route[] => [
  { resource: 'blobs/uploads', methods: ['POST'], handle: (call) => start(core, call) },
  { resource: 'blobs/uploads', methods: ['PATCH'], handle: (call) => append(core, call) },
  { resource: 'blobs/uploads', methods: ['PUT'], handle: (call) => finish(core, call) },
  { resource: 'blobs/uploads', methods: ['GET', 'HEAD'], handle: (call) => status(core, call) },
  { resource: 'blobs/uploads', methods: ['DELETE'], handle: (call) => cancel(core, call) },
];

async function start(core: RegistryCore, call: Call): Promise<unknown> {
  await call.require('push');
  if (call.rest !== '') throw fail(R.unsupported, { expected: 'PATCH or PUT', actual: 'POST to a session' });
  const { mount, from, digest } = Object.fromEntries(call.query);
  if (mount !== undefined && from !== undefined && (await mounted(core, call, mount, from))) {
    return created(call, pathDigest(mount));
  }
  const id = await core.uploads.start(call.repo);
  if (digest !== undefined && mount === undefined) {
    await core.uploads.finish(call.repo, id, pathDigest(digest), chunkOf(call));
    return created(call, pathDigest(digest));
  }
  return accepted(call, id, 0);
}

/** Without the right to read the source the answer is the same as for a blob that is not there. */
async function mounted(core: RegistryCore, call: Call, mount: string, from: string): Promise<boolean> {
  const digest = pathDigest(mount);
  const source = checkRepository(from);
  return call.allows('pull', source) && (await core.store.mountBlob(source, call.repo, digest));
}

async function append(core: RegistryCore, call: Call): Promise<unknown> {
  await call.require('push');
  return accepted(call, call.rest, await core.uploads.append(call.repo, call.rest, chunkOf(call)));
}

async function finish(core: RegistryCore, call: Call): Promise<unknown> {
  await call.require('push');
  const digest = pathDigest(call.query.get('digest') ?? '');
  await core.uploads.finish(call.repo, call.rest, digest, chunkOf(call));
  return created(call, digest);
}

async function status(core: RegistryCore, call: Call): Promise<unknown> {
  await call.require('push');
  const offset = await core.uploads.offset(call.repo, call.rest);
  return sessionHeaders(call, call.rest, offset).code(204).send();
}

async function cancel(core: RegistryCore, call: Call): Promise<unknown> {
  await call.require('push');
  await core.uploads.cancel(call.repo, call.rest);
  return call.reply.code(204).send();
}

function chunkOf(call: Call): Chunk {
  const { 'content-range': range, 'content-length': length } = call.request.headers;
  const body = call.request.raw as AsyncIterable<Uint8Array>;
  const announced = length === undefined ? {} : { length: Number(length) };
  if (range === undefined) return { body, ...announced };
  const match = /^(?:bytes )?(\d{1,15})-(\d{1,15})(?:\/(?:\d+|\*))?$/.exec(range);
  if (match === null) throw fail(R.uploadRange, { expected: 'Content-Range: start-end', actual: range });
  const start = Number(match[1]);
  const size = Number(match[2]) - start + 1;
  // Before a byte is kept: of a chunk that contradicts itself nobody knows which part was meant.
  if (announced.length !== undefined && announced.length !== size) {
    throw fail(R.uploadRange, { expected: `${size} bytes, as in ${range}`, actual: `${length} bytes` });
  }
  return { body, start, length: size };
}

function sessionHeaders(call: Call, id: string, offset: number): Call['reply'] {
  return call.reply
    .header('location', `/v2/${call.repo}/blobs/uploads/${id}`)
    .header('docker-upload-uuid', id)
    .header('range', `0-${Math.max(offset - 1, 0)}`);
}

const accepted = (call: Call, id: string, offset: number): unknown =>
  sessionHeaders(call, id, offset).code(202).send();

const created = (call: Call, digest: Digest): unknown =>
  call.reply
    .code(201)
    .header('location', `/v2/${call.repo}/blobs/${digest}`)
    .header('docker-content-digest', digest)
    .send();
