/**
 * What nobody can come upon any more: manifests without a tag, not part of an index, not attached to anything that
 * is kept. Tags of attachments (`sha256-…`) hold nothing by themselves; they stay and go with what they are about.
 */
import type { Digest } from '#base/brand';
import { type Database, transaction } from '#platform/sqlite';

export interface Collected {
  readonly manifests: readonly { readonly repository: string; readonly digest: Digest }[];
  /** Links of blobs no manifest of their repository names. */
  readonly blobs: number;
}

/** `sha256-` and 64 digits, with or without a suffix. */
const ATTACHMENT_TAG = `(tag GLOB 'sha256-[0-9a-f]*' AND length(tag) >= 71)`;

/** Everything reachable from a name, a recent push, an index that is kept, or something it is attached to. */
const KEPT = `
  WITH RECURSIVE kept (repo, digest) AS (
    SELECT repo, digest FROM tags WHERE NOT ${ATTACHMENT_TAG}
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
      JOIN tags t ON t.repo = k.repo
        AND t.tag >= replace(k.digest, ':', '-') AND t.tag < replace(k.digest, ':', '-') || '/'
  )`;

/** Removes a manifest with every tag that names it, inside the caller's transaction; false when it is not there. */
export function removeManifest(db: Database, repo: string, digest: Digest): boolean {
  db.prepare('DELETE FROM tags WHERE repo = ? AND digest = ?').run(repo, digest);
  db.prepare('DELETE FROM parts WHERE repo = ? AND manifest = ?').run(repo, digest);
  return db.prepare('DELETE FROM manifests WHERE repo = ? AND digest = ?').run(repo, digest).changes > 0;
}

/** Removes, or with `isTrial` only finds, what was pushed before `olderThan` (milliseconds) and is not kept. */
export function collect(db: Database, olderThan: number, isTrial: boolean): Collected {
  return transaction(db, () => {
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
      .filter((row) => !isUsed(String(row['repo']), String(row['digest'])));
    if (!isTrial) {
      for (const { repository, digest } of manifests) removeManifest(db, repository, digest);
      const unlink = db.prepare('DELETE FROM blobs WHERE repo = ? AND digest = ?');
      for (const row of blobs) unlink.run(String(row['repo']), String(row['digest']));
    }
    return { manifests, blobs: blobs.length };
  });
}
