/**
 * Signed objects that pass through the stack, handed to the audit service before anybody asks about them: what
 * is attached to images in the registry, and what is submitted to the logs with its payload.
 *
 * Order: the registry makes a manifest durable and then tells; the claims of a manifest and the note that it was
 * read are one commit. A crash between the two leaves a manifest without its note, which the next start reads.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Digest } from '#base/brand';
import { limits } from '#base/limits';
import type { Descriptor, Manifest } from '#formats/oci';
import type { Logger } from '#platform/telemetry';
import { type ClaimBatch, type Claims, claimOf, fromEnvelope, isClaimType } from '#services/audit';
import type { LogConfig } from '#services/log';
import type { OnManifest, RegistryService } from '#services/registry';

type AttachmentSource = Pick<RegistryService, 'blob' | 'manifests' | 'manifest'>;

/** Notes of manifests without attachments share commits of this size. */
const NOTES_MAX = 500;

const isSigned = (layer: Descriptor): boolean =>
  layer.size <= limits.attachmentBytes && isClaimType(layer.mediaType);

const signedLayers = (manifest: Manifest): readonly Descriptor[] =>
  manifest.kind === 'manifest' ? manifest.layers.filter(isSigned) : [];

/** Feeds `claims` from one registry. */
export class AttachmentFeed {
  readonly #claims: Claims;
  readonly #log: Logger;
  #isStopped = false;

  constructor(claims: Claims, log: Logger) {
    this.#claims = claims;
    this.#log = log;
  }

  /** `source` is asked for only when a manifest has come, so it may be opened after the feed. */
  listener(source: () => AttachmentSource): OnManifest {
    return (repository, digest, manifest) => {
      if (signedLayers(manifest).length === 0) return;
      this.#claims.announce(this.#read(source(), repository, digest, manifest));
    };
  }

  /** Reads what an earlier run was told of and did not record. In the background; searches know of it. */
  catchUp(source: AttachmentSource): void {
    this.#claims.announceReading(this.#readAll(source));
  }

  /** When nothing more will be read. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#claims.settled();
  }

  async #readAll(source: AttachmentSource): Promise<void> {
    let plain: string[] = [];
    for (const { repository, digest } of source.manifests()) {
      // A turn for others after each: this runs beside the first requests.
      await nextTurn();
      if (this.#isStopped) return;
      if (this.#claims.hasManifest(digest)) continue;
      if (await this.#readStored(source, repository, digest)) plain.push(digest);
      if (plain.length < NOTES_MAX) continue;
      await this.#claims.record({ manifests: plain });
      plain = [];
    }
    await this.#claims.record({ manifests: plain });
  }

  /** True when there was nothing to record but that it was read. */
  async #readStored(source: AttachmentSource, repository: string, digest: Digest): Promise<boolean> {
    try {
      const manifest = source.manifest(repository, digest);
      if (signedLayers(manifest).length === 0) return true;
      await this.#read(source, repository, digest, manifest);
    } catch (error) {
      this.#failed(error, repository, digest);
    }
    return false;
  }

  async #read(
    source: AttachmentSource,
    repository: string,
    digest: Digest,
    manifest: Manifest,
  ): Promise<void> {
    try {
      const claims: ClaimBatch['claims'][number][] = [];
      for (const layer of signedLayers(manifest)) {
        const claim = claimOf(layer.mediaType, await source.blob(layer));
        if (claim !== undefined) claims.push({ claim, seenIn: repository });
      }
      await this.#claims.record({ claims, manifests: [digest] });
    } catch (error) {
      this.#failed(error, repository, digest);
    }
  }

  /** Without its note the manifest is read again at the next start. */
  #failed(error: unknown, repository: string, digest: Digest): void {
    this.#log.error({ err: error, repository, digest }, 'not indexed for audit');
  }
}

/** What connects a log with the claims: search by image digest, and the payloads the log does not keep. */
export function auditHooks(claims: Claims, origin: string): Pick<LogConfig, 'joins' | 'onEnvelope'> {
  return {
    joins: (digest) => claims.joins(digest),
    onEnvelope: async (envelope) => {
      const claim = fromEnvelope(envelope);
      if (claim !== undefined) await claims.recordClaim(claim, origin);
    },
  };
}
