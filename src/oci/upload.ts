/** Pushing a blob: mount if possible, else one POST and one PUT (distribution-spec "Pushing blobs"). */
import { fail, WaybillError } from '#base/reason';
import { R } from './reasons.ts';
import type { RepositoryApi } from './repository-api.ts';
import type { Content } from './source.ts';
import { verified } from './verified-stream.ts';
import { messageOf, remoteUrl } from './wire.ts';

/** Bytes in a millisecond below which an upload is given up. */
const UPLOAD_RATE_MIN = 32;

export async function uploadBlob(
  repository: RepositoryApi,
  content: Content,
  open: () => AsyncIterable<Uint8Array>,
  mountFrom?: string,
): Promise<void> {
  const location = await startUpload(repository, content, mountFrom);
  if (location === undefined) return;
  const url = remoteUrl(location, await repository.wire.origin());
  url.searchParams.set('digest', content.digest);
  // What we send is checked like what we receive; the reason it failed must survive the HTTP client.
  let sourceError: unknown;
  async function* body(): AsyncIterable<Uint8Array> {
    try {
      yield* verified(open(), content, 'the source');
    } catch (error) {
      sourceError = error;
      throw error;
    }
  }
  try {
    const response = await repository.wire.send({
      path: url.href,
      method: 'PUT',
      headers: { 'content-type': 'application/octet-stream' },
      body,
      bodyLength: content.size,
      scope: repository.scope('pull,push', mountFrom),
      timeoutMs: repository.wire.timeoutMs + Math.ceil(content.size / UPLOAD_RATE_MIN),
    });
    if (response.status === 201) return;
    throw fail(R.upload, {
      expected: `${repository.name} to take the blob ${content.digest}`,
      actual: `status ${response.status}${await messageOf(response)}`,
    });
  } catch (error) {
    throw sourceError instanceof WaybillError ? sourceError : error;
  }
}

/** The session's address, or undefined when the registry mounted the blob. */
async function startUpload(
  repository: RepositoryApi,
  content: Content,
  mountFrom: string | undefined,
): Promise<string | undefined> {
  const query =
    mountFrom === undefined ? '' : `?mount=${content.digest}&from=${encodeURIComponent(mountFrom)}`;
  const response = await repository.wire.send({
    path: repository.path(`blobs/uploads/${query}`),
    method: 'POST',
    headers: { 'content-length': '0' },
    body: () => new Uint8Array(0),
    scope: repository.scope('pull,push', mountFrom),
  });
  if (response.status === 201 && mountFrom !== undefined) return undefined;
  const location = response.headers.get('location');
  if (response.status === 202 && location !== undefined) return location;
  throw fail(R.upload, {
    expected: `${repository.name} to start an upload`,
    actual: `status ${response.status}${await messageOf(response)}`,
  });
}
