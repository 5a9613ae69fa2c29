/** Requests about one repository that the parts of the client share. */
import type { Digest } from '#base/brand';
import { limits } from '#base/limits';
import { fail, type Reason, WaybillError } from '#base/reason';
import { acceptManifests, type Manifest, parseManifest } from '#formats/oci';
import { R as Formats } from '#formats/oci-reasons';
import { type HttpResponse, type HttpStream, safeUrl } from '#platform/http-client';
import type { Scope } from './auth.ts';
import { R } from './reasons.ts';
import { discard, messageOf, remoteUrl, type Wire } from './wire.ts';

const MANIFESTS_KEPT = 256;

export interface TaggedManifest {
  readonly manifest: Manifest;
  /** For conditional updates. */
  readonly etag?: string;
}

export class RepositoryApi {
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

  /** What a tag holds now, with what is needed to replace exactly that; undefined without such a tag. */
  async tagged(tag: string): Promise<TaggedManifest | undefined> {
    const response = await this.#getManifest(tag);
    return response.status === 404 ? undefined : this.#parse(response, tag);
  }

  async fetchManifest(reference: string, digest?: Digest): Promise<TaggedManifest> {
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
    const content = digest === undefined ? {} : { digest };
    const served = type === undefined ? content : { ...content, mediaType: type };
    const parsed = parseManifest(response.body, served);
    if (!parsed.ok) {
      // What has the digest asked for is the image's own fault; a tag and a header are the registry's word.
      const isContent = digest !== undefined && !parseManifest(response.body, content).ok;
      if (isContent) throw new WaybillError(parsed.error);
      throw await this.nonsense(
        `the manifest ${reference}`,
        this.path(`manifests/${reference}`),
        response,
        parsed.error,
      );
    }
    const manifest = parsed.value;
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

  /** After a deletion: what was kept no longer counts. */
  forget(digest: Digest): void {
    this.#manifests.delete(digest);
  }

  /** A manifest that was fetched or sent before; digests never change their meaning. */
  kept(digest: Digest): Manifest | undefined {
    return this.#manifests.get(digest);
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

  /** An answer that is not what `path` was asked for; `why` is what its reader found. */
  async nonsense(what: string, path: string, response: HttpResponse, why: Reason): Promise<WaybillError> {
    const asked = safeUrl(remoteUrl(path, await this.wire.origin()).href);
    const from = safeUrl(response.url);
    const redirected = from === asked ? '' : ` (redirected to ${from})`;
    const hint = why.code === Formats.mediaType.code ? { hint: `${R.answer.hint}; or ${why.hint}` } : {};
    return fail(R.answer, {
      expected: `${what} from ${asked}${redirected}`,
      actual: `${why.actual} where ${why.expected} was expected (${why.code} ${why.check})`,
      ...hint,
    });
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
