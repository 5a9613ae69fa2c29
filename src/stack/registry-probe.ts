/** A small image through the registry of a stack, and away again. */

import { toHex, utf8 } from '#base/bytes';
import type { Clock } from '#base/clock';
import { digestOf } from '#base/digest';
import type { Random } from '#base/random';
import { mediaType } from '#formats/oci';
import type { Transport } from '#platform/http-client';
import type { StackState } from './state.ts';

const EMPTY = utf8('{}');

/** Throws `Error` that says at which step. */
export async function registryProbe(
  { origins }: StackState,
  { transport, random }: { readonly transport: Transport; readonly clock: Clock; readonly random: Random },
): Promise<string> {
  const base = `${origins.registry}/v2/waybill-stack-test`;
  const call = async (
    step: string,
    wanted: number,
    request: {
      readonly url: string;
      readonly method: 'PUT' | 'POST' | 'GET' | 'DELETE';
      readonly type?: string;
      readonly body?: Uint8Array;
    },
  ) => {
    const { url, method, type = 'application/octet-stream', body } = request;
    const headers = method === 'PUT' ? { 'content-type': type } : {};
    const answer = await transport.request({ url, method, headers, ...(body === undefined ? {} : { body }) });
    if (answer.status !== wanted) throw new Error(`${step}: status ${answer.status} instead of ${wanted}`);
    return answer;
  };
  const blob = digestOf(EMPTY);
  const started = await call('upload', 202, {
    url: `${base}/blobs/uploads/`,
    method: 'POST',
    body: new Uint8Array(0),
  });
  const place = new URL(started.headers.get('location') ?? '', origins.registry);
  place.searchParams.set('digest', blob);
  await call('blob', 201, { url: place.href, method: 'PUT', body: EMPTY });
  const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest: blob, size: EMPTY.length };
  const manifest = (more: object): Uint8Array =>
    utf8(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaType.ociManifest,
        config,
        layers: [config],
        ...more,
      }),
    );
  const push = async (bytes: Uint8Array): Promise<string> => {
    const digest = digestOf(bytes);
    await call('manifest', 201, {
      url: `${base}/manifests/${digest}`,
      method: 'PUT',
      type: mediaType.ociManifest,
      body: bytes,
    });
    return digest;
  };
  const annotations = { run: toHex(random.bytes(8)) };
  const image = manifest({ annotations });
  const digest = await push(image);
  const subject = { mediaType: mediaType.ociManifest, digest, size: image.length };
  const referrer = await push(
    manifest({ subject, annotations, artifactType: 'application/vnd.waybill.test' }),
  );
  const list = await call('referrers', 200, { url: `${base}/referrers/${digest}`, method: 'GET' });
  if (!Buffer.from(list.body).includes(referrer)) throw new Error('referrers: not listed');
  for (const one of [referrer, digest])
    await call('delete', 202, { url: `${base}/manifests/${one}`, method: 'DELETE' });
  await call('gone', 404, { url: `${base}/manifests/${digest}`, method: 'GET' });
  return digest;
}
