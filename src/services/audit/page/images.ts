/**
 * Which images were pushed, and when first. Kept apart from the registry: what was deleted there is remembered
 * here. A lost record costs a date, never a verdict; so it is written without waiting for the disk.
 */
import { join } from 'node:path';
import type { Digest } from '#base/brand';
import type { Clock } from '#base/clock';
import { type Manifest, mediaType } from '#formats/oci';
import { type Database, openDatabase } from '#platform/sqlite';
import type { SeenImage } from './view.ts';

/** `parent`: the index it is a part of. */
export type ImageRecord = Pick<SeenImage, 'repository' | 'digest' | 'kind' | 'firstSeen'> & {
  readonly parent?: Digest;
};

const schema = `
CREATE TABLE IF NOT EXISTS image (
  repository TEXT NOT NULL,
  digest TEXT NOT NULL,
  kind TEXT NOT NULL,
  first_seen INTEGER,
  parent TEXT,
  PRIMARY KEY (repository, digest)
) STRICT, WITHOUT ROWID;
`;

interface ImageRow {
  readonly repository: string;
  readonly digest: Digest;
  readonly kind: SeenImage['kind'];
  readonly first_seen: number | null;
  readonly parent: Digest | null;
}

export class ImageRecords {
  readonly #database: Database;
  readonly #clock: Clock;

  /** `dataDir` undefined: in memory. */
  constructor(dataDir: string | undefined, clock: Clock) {
    const path = dataDir === undefined ? ':memory:' : join(dataDir, 'images.sqlite');
    this.#database = openDatabase(path, { mode: 'fast' });
    this.#database.exec(schema);
    this.#clock = clock;
  }

  get isEmpty(): boolean {
    return this.#database.prepare('SELECT 1 FROM image LIMIT 1').get() === undefined;
  }

  /** Records an image at its first sight; anything else is left alone. `old`: it was there before. */
  note(repository: string, digest: Digest, manifest: Manifest, old = false): void {
    const kind = imageKind(manifest);
    if (kind === undefined) return;
    this.#database
      .prepare(
        `INSERT INTO image (repository, digest, kind, first_seen) VALUES (?, ?, ?, ?)
         ON CONFLICT DO NOTHING`,
      )
      .run(repository, digest, kind, old ? null : this.#clock.now());
    if (manifest.kind !== 'index') return;
    const part = this.#database.prepare('UPDATE image SET parent = ? WHERE repository = ? AND digest = ?');
    for (const entry of manifest.manifests) part.run(digest, repository, entry.digest);
  }

  /** Newest first; those without a date last. */
  list(): readonly ImageRecord[] {
    const rows = this.#database
      .prepare('SELECT * FROM image ORDER BY first_seen DESC NULLS LAST, repository, digest')
      .all() as unknown as ImageRow[];
    return rows.map(({ repository, digest, kind, first_seen, parent }) => ({
      repository,
      digest,
      kind,
      ...(first_seen === null ? {} : { firstSeen: first_seen }),
      ...(parent === null ? {} : { parent }),
    }));
  }

  close(): void {
    this.#database.close();
  }
}

const LAYER = /^application\/vnd\.(?:oci\.image\.layer|docker\.image\.rootfs)/;
const configTypes: readonly string[] = [mediaType.ociConfig, mediaType.dockerConfig];

/**
 * Undefined for everything that is attached to images: it has a subject or a type of its own, legacy signatures
 * have layers of another kind, and the fallback lists of referrers hold nothing but such manifests.
 */
export function imageKind(manifest: Manifest): SeenImage['kind'] | undefined {
  if (manifest.subject !== undefined || manifest.artifactType !== undefined) return undefined;
  if (manifest.kind === 'index') {
    return manifest.manifests.some((entry) => entry.artifactType === undefined) ? 'index' : undefined;
  }
  if (!configTypes.includes(manifest.config.mediaType)) return undefined;
  return manifest.layers.every((layer) => LAYER.test(layer.mediaType)) ? 'image' : undefined;
}
