/** One repository of a registry: reading and writing over the distribution API (distribution-spec v1.1). */
import type { Digest } from '#base/brand';
import { limits } from '#base/limits';
import { fail, type WaybillError } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import { parseJson } from '#formats/json';
import { type Descriptor, descriptorOf, type Manifest } from '#formats/oci';
import { R as Formats } from '#formats/oci-reasons';
import type { HttpResponse } from '#platform/http-client';
import { R as Platform } from '#platform/reasons';
import { followPages } from './pages.ts';
import { R } from './reasons.ts';
import { ensureReferrer, listReferrers } from './referrers.ts';
import { RepositoryApi } from './repository-api.ts';
import type {
  Content,
  ImageStore,
  PutBlobOptions,
  PutManifestOptions,
  Selector,
  TagChange,
} from './source.ts';
import { updateTag } from './tag-update.ts';
import { uploadBlob } from './upload.ts';
import { verified } from './verified-stream.ts';
import { messageOf } from './wire.ts';

/** Slowest blob transfer that is not taken for an attack: bytes in a millisecond. */
const BLOB_RATE_MIN = 32;

export class Repository extends RepositoryApi implements ImageStore {
  async resolve(selector: Selector): Promise<Descriptor> {
    if (selector.digest !== undefined) return descriptorOf(await this.manifest(selector.digest));
    return descriptorOf((await this.fetchManifest(selector.tag ?? 'latest')).manifest);
  }

  async manifest(digest: Digest): Promise<Manifest> {
    return this.kept(digest) ?? (await this.fetchManifest(digest, digest)).manifest;
  }

  async *blob(content: Content): AsyncIterable<Uint8Array> {
    if (content.size > limits.layerBytes) {
      throw fail(Formats.limit, {
        expected: `a blob of at most ${limits.layerBytes} bytes`,
        actual: `${content.digest} of ${content.size} bytes`,
      });
    }
    // The whole transfer has a deadline, so one byte now and then does not hold us.
    const deadlineMs = this.wire.timeoutMs + content.size / BLOB_RATE_MIN;
    const control = new AbortController();
    const timer = setTimeout(() => control.abort(this.#tooSlow(content, deadlineMs)), deadlineMs);
    try {
      const response = await this.wire.open({
        path: this.path(`blobs/${content.digest}`),
        scope: this.scope('pull'),
        signal: control.signal,
      });
      if (response.status === 404) {
        throw fail(R.notFound, { expected: `blob ${this.name}@${content.digest}`, actual: 'not there' });
      }
      if (response.status !== 200) throw await this.unexpected(`blob ${content.digest}`, response);
      yield* verified(response.body, content, this.name);
    } finally {
      clearTimeout(timer);
    }
  }

  #tooSlow(content: Content, deadlineMs: number): WaybillError {
    return fail(Platform.timeout, {
      expected: `${content.size} bytes of ${content.digest} from ${this.name} in ${Math.ceil(deadlineMs)} ms`,
      actual: 'less',
    });
  }

  referrers(digest: Digest): Promise<readonly Descriptor[]> {
    return listReferrers(this, digest);
  }

  async hasBlob(digest: Digest): Promise<boolean> {
    const response = await this.wire.send({
      path: this.path(`blobs/${digest}`),
      method: 'HEAD',
      scope: this.scope('pull'),
    });
    return response.status === 200;
  }

  async putBlob(
    content: Content,
    open: () => AsyncIterable<Uint8Array>,
    options: PutBlobOptions = {},
  ): Promise<void> {
    if (await this.hasBlob(content.digest)) return;
    await uploadBlob(this, content, open, options.mountFrom);
  }

  async putManifest(manifest: Manifest, options: PutManifestOptions = {}): Promise<void> {
    const response = await this.sendManifest(manifest, options.tag ?? manifest.digest);
    if (response.status !== 201) {
      throw fail(R.upload, {
        expected: `${this.name} to take the manifest ${options.tag ?? manifest.digest}`,
        actual: `status ${response.status}${await messageOf(response)}`,
      });
    }
    if (manifest.subject !== undefined) await ensureReferrer(this, manifest, response);
  }

  updateTag(tag: string, change: TagChange): Promise<Manifest> {
    return updateTag(this, tag, change);
  }

  /** Every tag, in the registry's order. */
  async tags(): Promise<readonly string[]> {
    const tags: string[] = [];
    const first = this.path('tags/list?n=1000');
    for await (const { page, asked } of followPages(this, first, limits.listPages)) {
      if (page.status === 404) {
        throw fail(R.notFound, { expected: `repository ${this.name}`, actual: 'not there' });
      }
      if (page.status !== 200) throw await this.unexpected('the list of tags', page);
      const read = attempt(() => readTags(page.body));
      if (!read.ok) throw await this.nonsense('the list of tags', asked, page, read.error);
      tags.push(...read.value);
    }
    return tags;
  }

  /** Removes a manifest with all its tags; false when it was not there. Registries may refuse (WB-514). */
  deleteManifest(digest: Digest): Promise<boolean> {
    this.forget(digest);
    return this.#delete(digest);
  }

  /** Removes a tag. Registries that delete only by digest lose the manifest and its other tags too. */
  async deleteTag(tag: string): Promise<boolean> {
    const held = await this.tagged(tag);
    if (held === undefined) return false;
    const response = await this.#sendDelete(tag);
    if (response.status === 400 || response.status === 405) return this.#delete(held.manifest.digest);
    return this.#deleted(response, tag);
  }

  async #delete(reference: string): Promise<boolean> {
    return this.#deleted(await this.#sendDelete(reference), reference);
  }

  #sendDelete(reference: string): Promise<HttpResponse> {
    return this.wire.send({
      path: this.path(`manifests/${reference}`),
      method: 'DELETE',
      scope: this.scope('delete'),
    });
  }

  async #deleted(response: HttpResponse, reference: string): Promise<boolean> {
    if ([200, 202, 204].includes(response.status)) return true;
    if (response.status === 404) return false;
    if ([400, 405, 501].includes(response.status)) {
      throw fail(R.unsupported, {
        expected: `${this.registry} to delete ${reference}`,
        actual: `status ${response.status}${await messageOf(response)}`,
      });
    }
    throw await this.unexpected(`deletion of ${reference}`, response);
  }
}

function readTags(body: Uint8Array): readonly string[] {
  const json = unwrap(parseJson(body)) as { tags?: unknown } | null;
  const tags = json?.tags ?? [];
  if (Array.isArray(tags) && tags.every((tag) => typeof tag === 'string')) return tags;
  throw fail(Formats.document, { expected: '"tags" to be a list of strings', actual: 'something else' });
}
