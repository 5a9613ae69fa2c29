/** One repository of a registry: reading and writing over the distribution API (distribution-spec v1.1). */
import type { Digest } from '#base/brand';
import { limits } from '#base/limits';
import { fail, type WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { parseJson } from '#formats/json';
import { acceptManifests, type Descriptor, descriptorOf, type Manifest, parseManifest } from '#formats/oci';
import { R as Formats } from '#formats/oci-reasons';
import type { HttpResponse, HttpStream } from '#platform/http-client';
import { R as Platform } from '#platform/reasons';
import type { Scope } from './auth.ts';
import { followPages } from './pages.ts';
import { R } from './reasons.ts';
import { ensureReferrer, listReferrers } from './referrers.ts';
import type { Content, ImageStore, PutBlobOptions, Selector } from './source.ts';
import { uploadBlob } from './upload.ts';
import { verified } from './verified-stream.ts';
import { discard, messageOf, type Wire } from './wire.ts';

/** Slowest blob transfer that is not taken for an attack: bytes in a millisecond. */
const BLOB_RATE_MIN = 32;
const MANIFESTS_KEPT = 256;

export interface TaggedManifest {
  readonly manifest: Manifest;
  /** For conditional updates. */
  readonly etag?: string;
}

export class Repository implements ImageStore {
  readonly registry: string;
  /** Path below the registry. */
  readonly repository: string;
  readonly wire: Wire;
  readonly #manifests = new Map<Digest, Manifest>();
  /** Whether the registry has the referrers API; unknown until it was asked. */
  referrersApi: boolean | undefined;

  constructor(wire: Wire, repository: string) {
    this.wire = wire;
    this.registry = wire.registry;
    this.repository = repository;
  }

  get name(): string {
    return `${this.registry}/${this.repository}`;
  }

  scope(actions: Scope['actions'], mountFrom?: string): Scope {
    return { repository: this.repository, actions, ...(mountFrom === undefined ? {} : { mountFrom }) };
  }

  path(rest: string): string {
    return `/v2/${this.repository}/${rest}`;
  }

  async resolve(selector: Selector): Promise<Descriptor> {
    if (selector.digest !== undefined) return descriptorOf(await this.manifest(selector.digest));
    return descriptorOf((await this.#fetchManifest(selector.tag ?? 'latest')).manifest);
  }

  async manifest(digest: Digest): Promise<Manifest> {
    return this.#manifests.get(digest) ?? (await this.#fetchManifest(digest, digest)).manifest;
  }

  /** What a tag holds now, with what is needed to replace exactly that; undefined when there is no such tag. */
  async tagged(tag: string): Promise<TaggedManifest | undefined> {
    const response = await this.#getManifest(tag);
    return response.status === 404 ? undefined : this.#parse(response, tag);
  }

  async #fetchManifest(reference: string, digest?: Digest): Promise<TaggedManifest> {
    const response = await this.#getManifest(reference);
    if (response.status === 404) {
      const at = digest === undefined ? `${this.name}:${reference}` : `${this.name}@${digest}`;
      throw fail(R.notFound, { expected: at, actual: `not there${await messageOf(response)}` });
    }
    return await this.#parse(response, reference, digest);
  }

  #getManifest(reference: string): Promise<HttpResponse> {
    return this.wire.send({
      path: this.path(`manifests/${reference}`),
      headers: { accept: acceptManifests },
      scope: this.scope('pull'),
      maxBytes: limits.manifestBytes,
    });
  }

  async #parse(response: HttpResponse, reference: string, digest?: Digest): Promise<TaggedManifest> {
    if (response.status !== 200) throw await this.unexpected(`the manifest ${reference}`, response);
    // Docker-Content-Digest is the registry's claim and is not looked at: the digest is computed.
    const type = response.headers.get('content-type');
    const manifest = unwrap(
      parseManifest(response.body, {
        ...(type === undefined ? {} : { mediaType: type }),
        ...(digest === undefined ? {} : { digest }),
      }),
    );
    this.#keep(manifest);
    const etag = response.headers.get('etag');
    return { manifest, ...(etag === undefined ? {} : { etag }) };
  }

  #keep(manifest: Manifest): void {
    if (this.#manifests.size >= MANIFESTS_KEPT) {
      const [oldest] = this.#manifests.keys();
      if (oldest !== undefined) this.#manifests.delete(oldest);
    }
    this.#manifests.set(manifest.digest, manifest);
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

  async putManifest(manifest: Manifest, options: { readonly tag?: string } = {}): Promise<void> {
    const response = await this.sendManifest(manifest, options.tag ?? manifest.digest);
    if (response.status !== 201) {
      throw fail(R.upload, {
        expected: `${this.name} to take the manifest ${options.tag ?? manifest.digest}`,
        actual: `status ${response.status}${await messageOf(response)}`,
      });
    }
    if (manifest.subject !== undefined) await ensureReferrer(this, manifest, response);
  }

  /** PUT of a manifest; the status is the caller's to judge (412 says that a condition did not hold). */
  sendManifest(
    manifest: Manifest,
    reference: string,
    conditions: Readonly<Record<string, string>> = {},
  ): Promise<HttpResponse> {
    this.#keep(manifest);
    return this.wire.send({
      path: this.path(`manifests/${reference}`),
      method: 'PUT',
      headers: { 'content-type': manifest.mediaType, ...conditions },
      body: () => manifest.bytes,
      scope: this.scope('pull,push'),
    });
  }

  /** Every tag, in the registry's order. */
  async tags(): Promise<readonly string[]> {
    const tags: string[] = [];
    const first = this.path('tags/list?n=1000');
    for await (const page of followPages(this, first, limits.listPages)) {
      if (page.status === 404) {
        throw fail(R.notFound, { expected: `repository ${this.name}`, actual: 'not there' });
      }
      if (page.status !== 200) throw await this.unexpected('the list of tags', page);
      tags.push(...readTags(page.body));
    }
    return tags;
  }

  /** Removes a manifest with all its tags; false when it was not there. Registries may refuse (WB-514). */
  deleteManifest(digest: Digest): Promise<boolean> {
    this.#manifests.delete(digest);
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

  /** A status the protocol does not give here. */
  async unexpected(what: string, response: HttpResponse | HttpStream): Promise<WaybillError> {
    const message = await messageOf(response);
    await discard(response);
    return fail(R.status, {
      expected: `${what} from ${this.name}`,
      actual: `status ${response.status}${message}`,
    });
  }
}

function readTags(body: Uint8Array): readonly string[] {
  const json = unwrap(parseJson(body)) as { tags?: unknown } | null;
  const tags = json?.tags ?? [];
  if (Array.isArray(tags) && tags.every((tag) => typeof tag === 'string')) return tags;
  throw fail(Formats.document, { expected: '"tags" to be a list of strings', actual: 'something else' });
}
