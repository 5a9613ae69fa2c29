/** What an attacker with push rights does: plain HTTP against the registry, no client of ours. */
import { createHash } from 'node:crypto';

export interface Manifest {
  readonly bytes: Buffer;
  readonly digest: string;
  readonly mediaType: string;
  readonly json: ManifestJson;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

interface ManifestJson {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly annotations?: Readonly<Record<string, string>>;
}

const sha256 = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

export class RawRegistry {
  readonly #base: string;

  constructor(origin: string) {
    this.#base = `${origin}/v2`;
  }

  async manifest(repository: string, name: string): Promise<Manifest> {
    const response = await fetch(`${this.#base}/${repository}/manifests/${name}`);
    const bytes = Buffer.from(await response.arrayBuffer());
    const mediaType = response.headers.get('content-type') ?? '';
    return { bytes, mediaType, digest: sha256(bytes), json: JSON.parse(bytes.toString()) as ManifestJson };
  }

  async blob(repository: string, digest: string): Promise<Buffer> {
    const response = await fetch(`${this.#base}/${repository}/blobs/${digest}`);
    return Buffer.from(await response.arrayBuffer());
  }

  async putBlob(repository: string, bytes: Buffer): Promise<Descriptor> {
    const digest = sha256(bytes);
    const url = `${this.#base}/${repository}/blobs/uploads/?digest=${digest}`;
    await expectStatus(await fetch(url, { method: 'POST', body: new Uint8Array(bytes) }), [201]);
    return { mediaType: 'application/octet-stream', digest, size: bytes.length };
  }

  async putManifest(repository: string, name: string, json: object, mediaType: string): Promise<Manifest> {
    const bytes = Buffer.from(JSON.stringify(json));
    const digest = sha256(bytes);
    const url = `${this.#base}/${repository}/manifests/${name === '' ? digest : name}`;
    const headers = { 'content-type': mediaType };
    await expectStatus(await fetch(url, { method: 'PUT', body: new Uint8Array(bytes), headers }), [201]);
    return { bytes, digest, mediaType, json: json as ManifestJson };
  }

  async referrers(repository: string, digest: string): Promise<readonly Descriptor[]> {
    const response = await fetch(`${this.#base}/${repository}/referrers/${digest}`);
    return ((await response.json()) as { manifests: readonly Descriptor[] }).manifests;
  }

  /** Replaces the image under a tag by one that differs in a single label. */
  async tamper(repository: string, tag: string): Promise<Manifest> {
    const image = await this.manifest(repository, tag);
    const config = JSON.parse((await this.blob(repository, image.json.config.digest)).toString()) as {
      config?: { Labels?: Record<string, string> };
    };
    config.config = { ...config.config, Labels: { ...config.config?.Labels, tampered: 'yes' } };
    const stored = await this.putBlob(repository, Buffer.from(JSON.stringify(config)));
    const changed = {
      ...image.json,
      config: { ...image.json.config, digest: stored.digest, size: stored.size },
    };
    return this.putManifest(repository, tag, changed, image.mediaType);
  }

  /** Hangs the attachments of one image onto another, byte for byte, only if `wanted` says so. */
  async transplant(
    from: { readonly repository: string; readonly digest: string },
    to: { readonly repository: string; readonly image: Manifest },
    wanted: (predicateType: string) => boolean,
  ): Promise<number> {
    let moved = 0;
    for (const referrer of await this.referrers(from.repository, from.digest)) {
      const manifest = await this.manifest(from.repository, referrer.digest);
      if (!wanted(manifest.json.annotations?.['dev.sigstore.bundle.predicateType'] ?? '')) continue;
      for (const part of [manifest.json.config, ...manifest.json.layers]) {
        await this.putBlob(to.repository, await this.blob(from.repository, part.digest));
      }
      const { digest, mediaType, bytes } = to.image;
      const subject = { mediaType, digest, size: bytes.length };
      await this.putManifest(to.repository, '', { ...manifest.json, subject }, manifest.mediaType);
      moved++;
    }
    return moved;
  }
}

async function expectStatus(response: Response, allowed: readonly number[]): Promise<void> {
  if (allowed.includes(response.status)) return;
  throw new Error(`registry answered ${response.status}: ${await response.text()}`);
}
