/**
 * What nobody can come upon any more: manifests without a tag, not part of an index, not attached to anything that
 * is kept. Tags of attachments (`sha256-…`) hold nothing by themselves; they stay and go with what they are about.
 */
import type { Digest } from '#base/brand';
import type { Database } from '#platform/sqlite';
import type { Change } from './changes.ts';

export interface Collected {
  readonly manifests: readonly { readonly repository: string; readonly digest: Digest }[];
  /** Links of blobs no manifest of their repository names. */
  readonly blobs: number;
}

/** Longer digests are cut here in tags of referrers (distribution-spec "Referrers Tag Schema"). */
const HEX_IN_TAG = 64;

/**
 * Whether a tag is one of an attachment: an algorithm, at least 64 digits of a digest, and for signatures a suffix. Its
 * content is an index that grows or a signature; it names nothing by itself.
 */
export const isAttachmentTag = (tag: string): boolean =>
  /^[a-z0-9]+(?:[+._-][a-z0-9]+)*-[0-9a-f]{64,121}(?:\.[A-Za-z0-9_-]+)?$/.test(tag);

/** What a tag about the digest `d` begins with. */
const TAG_OF = (d: string): string => `replace(substr(${d}, 1, instr(${d}, ':') + ${HEX_IN_TAG}), ':', '-')`;

/** Everything reachable from a name, a recent push, an index that is kept, or something it is attached to. */
const KEPT = `
  WITH RECURSIVE kept (repo, digest) AS (
    SELECT repo, digest FROM tags WHERE NOT is_attachment_tag(tag)
    UNION SELECT repo, digest FROM manifests WHERE pushed_at >= ?
    UNION SELECT m.repo, m.digest FROM kept k
      JOIN parts p ON p.repo = k.repo AND p.manifest = k.digest
      JOIN manifests m ON m.repo = p.repo AND m.digest = p.part
    UNION SELECT m.repo, m.digest FROM kept k
      JOIN manifests m ON m.repo = k.repo AND m.subject = k.digest
    UNION SELECT s.repo, s.digest FROM kept k
      JOIN manifests m ON m.repo = k.repo AND m.digest = k.digest
      JOIN manifests s ON s.repo = m.repo AND s.digest = m.subject
    UNION SELECT t.repo, t.digest FROM kept k
      JOIN tags t ON t.repo = k.repo AND is_attachment_tag(t.tag)
        AND t.tag >= ${TAG_OF('k.digest')} AND t.tag < ${TAG_OF('k.digest')} || 'g'
  )`;

/** Finds what was pushed before `olderThan` (milliseconds) and is not kept, and what removing it changes. */
export function collect(
  db: Database,
  olderThan: number,
): { readonly found: Collected; readonly changes: readonly Change[] } {
  db.function('is_attachment_tag', { deterministic: true }, (tag) => Number(isAttachmentTag(String(tag))));
  const manifests = db
    .prepare(
      `${KEPT} SELECT repo, digest FROM manifests
       WHERE (repo, digest) NOT IN (SELECT repo, digest FROM kept) ORDER BY repo, digest`,
    )
    .all(olderThan)
    .map((row) => ({ repository: String(row['repo']), digest: row['digest'] as Digest }));
  const gone = new Set(manifests.map(({ repository, digest }) => `${repository}@${digest}`));
  const isUsed = (repo: string, digest: string): boolean =>
    db
      .prepare('SELECT manifest FROM parts WHERE repo = ? AND part = ?')
      .all(repo, digest)
      .some((row) => !gone.has(`${repo}@${String(row['manifest'])}`));
  const blobs = db
    .prepare('SELECT repo, digest FROM blobs WHERE linked_at < ?')
    .all(olderThan)
    .map((row) => ({ repo: String(row['repo']), digest: row['digest'] as Digest }))
    .filter(({ repo, digest }) => !isUsed(repo, digest));
  const changes: Change[] = [
    ...manifests.map(({ repository, digest }) => ({ kind: 'unmanifest' as const, repo: repository, digest })),
    ...blobs.map((blob) => ({ kind: 'unlink' as const, ...blob })),
  ];
  return { found: { manifests, blobs: blobs.length }, changes };
}
