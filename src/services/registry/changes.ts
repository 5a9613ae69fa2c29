/**
 * What a write does to the names of a registry, as data: rows that come and go. A store of one machine applies them in
 * one transaction; a store of many machines writes them down for the others first.
 */
import type { Digest } from '#base/brand';
import { fromBase64, toBase64, utf8 } from '#base/bytes';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { parseJson, reader } from '#formats/json';
import type { Database } from '#platform/sqlite';
import { R } from './reasons.ts';

export type Change =
  /** Makes a blob visible in a repository. `place`: where its bytes lie, when they are not there yet. */
  | {
      readonly kind: 'link';
      readonly repo: string;
      readonly digest: Digest;
      readonly size: number;
      readonly at: number;
      readonly place?: string;
    }
  | { readonly kind: 'unlink'; readonly repo: string; readonly digest: Digest }
  | ManifestChange
  /** With every tag that names it. */
  | { readonly kind: 'unmanifest'; readonly repo: string; readonly digest: Digest }
  | { readonly kind: 'tag'; readonly repo: string; readonly tag: string; readonly digest: Digest }
  | { readonly kind: 'untag'; readonly repo: string; readonly tag: string }
  /** The bytes of a blob nobody links any more are no longer to be used. */
  | { readonly kind: 'forget'; readonly digest: Digest };

interface ManifestChange {
  readonly kind: 'manifest';
  readonly repo: string;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
  readonly subject?: Digest;
  readonly artifactType?: string;
  readonly at: number;
  /** Blobs and manifests it names. */
  readonly parts: readonly Digest[];
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS blobs (
    repo TEXT NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL,
    linked_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (repo, digest)) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS blobs_by_digest ON blobs (digest);
  CREATE TABLE IF NOT EXISTS manifests (
    repo TEXT NOT NULL, digest TEXT NOT NULL, media_type TEXT NOT NULL, bytes BLOB NOT NULL,
    subject TEXT, artifact_type TEXT,
    pushed_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (repo, digest)) STRICT;
  CREATE INDEX IF NOT EXISTS manifests_by_subject ON manifests (repo, subject, digest)
    WHERE subject IS NOT NULL;
  CREATE TABLE IF NOT EXISTS parts (
    repo TEXT NOT NULL, manifest TEXT NOT NULL, part TEXT NOT NULL,
    PRIMARY KEY (repo, part, manifest)) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS tags (
    repo TEXT NOT NULL, tag TEXT NOT NULL, digest TEXT NOT NULL,
    PRIMARY KEY (repo, tag)) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS contents (
    digest TEXT NOT NULL PRIMARY KEY, place TEXT NOT NULL) STRICT, WITHOUT ROWID;
`;

/** Columns that registries of an earlier version have not; what is in those counts as pushed long ago. */
const ADDED = [
  ['blobs', 'linked_at'],
  ['manifests', 'pushed_at'],
] as const;

export function prepareTables(db: Database): void {
  db.exec(SCHEMA);
  for (const [table, column] of ADDED) {
    const columns = db.prepare(`PRAGMA table_info(${table})`).all();
    if (columns.some((one) => one['name'] === column)) continue;
    db.exec(`ALTER TABLE ${table} ADD COLUMN ${column} INTEGER NOT NULL DEFAULT 0`);
  }
}

/** Inside the caller's transaction. */
export function apply(db: Database, changes: readonly Change[]): void {
  for (const change of changes) applyOne(db, change);
}

type Run = (sql: string, ...values: (string | number | Uint8Array | null)[]) => void;

function applyOne(db: Database, change: Change): void {
  const run: Run = (sql, ...values) => void db.prepare(sql).run(...values);
  if (change.kind === 'forget') {
    run('DELETE FROM contents WHERE digest = ?', change.digest);
  } else if (change.kind === 'untag') {
    run('DELETE FROM tags WHERE repo = ? AND tag = ?', change.repo, change.tag);
  } else if (change.kind === 'tag') {
    run('INSERT OR REPLACE INTO tags VALUES (?, ?, ?)', change.repo, change.tag, change.digest);
  } else if (change.kind === 'manifest') {
    applyManifest(run, change);
  } else if (change.kind === 'unlink') {
    run('DELETE FROM blobs WHERE repo = ? AND digest = ?', change.repo, change.digest);
  } else if (change.kind === 'link') {
    const { repo, digest, size, at, place } = change;
    if (place !== undefined) run('INSERT OR IGNORE INTO contents VALUES (?, ?)', digest, place);
    run('INSERT OR REPLACE INTO blobs VALUES (?, ?, ?, ?)', repo, digest, size, at);
  } else {
    run('DELETE FROM tags WHERE repo = ? AND digest = ?', change.repo, change.digest);
    run('DELETE FROM parts WHERE repo = ? AND manifest = ?', change.repo, change.digest);
    run('DELETE FROM manifests WHERE repo = ? AND digest = ?', change.repo, change.digest);
  }
}

function applyManifest(run: Run, change: ManifestChange): void {
  const { repo, digest, mediaType, bytes, subject, artifactType, at, parts } = change;
  run(
    'INSERT OR REPLACE INTO manifests VALUES (?, ?, ?, ?, ?, ?, ?)',
    ...[repo, digest, mediaType, bytes, subject ?? null, artifactType ?? null, at],
  );
  for (const part of parts) run('INSERT OR IGNORE INTO parts VALUES (?, ?, ?)', repo, digest, part);
}

/** An entry of a journal. */
export interface Entry {
  /** Of the attempt to write it: tells one's own entry from another's. */
  readonly id: string;
  readonly changes: readonly Change[];
}

export function entryBytes({ id, changes }: Entry): Uint8Array {
  const plain = changes.map((one) =>
    one.kind === 'manifest' ? { ...one, bytes: toBase64(one.bytes) } : one,
  );
  return utf8(JSON.stringify({ id, changes: plain }));
}

const ENTRY_BYTES_MAX = 64 * 1024 * 1024;

/** Throws WB-1101 for what no registry wrote. */
export function parseEntry(bytes: Uint8Array): Entry {
  const json = reader(unwrap(parseJson(bytes, { maxBytes: ENTRY_BYTES_MAX })), 'entry', { as: R.journal });
  const changes = json.children('changes').map((one): Change => {
    const kind = one.text('kind');
    const digest = (name = 'digest'): Digest => one.text(name) as Digest;
    const optional = <K extends string>(name: K) =>
      one.has(name) ? ({ [name]: one.text(name) } as Record<K, string>) : {};
    if (kind === 'forget') return { kind, digest: digest() };
    const repo = one.text('repo');
    if (kind === 'link') {
      const [size, at] = [one.integer('size'), one.integer('at')];
      return { kind, repo, digest: digest(), size, at, ...optional('place') };
    }
    if (kind === 'unlink' || kind === 'unmanifest') return { kind, repo, digest: digest() };
    if (kind === 'tag') return { kind, repo, tag: one.text('tag'), digest: digest() };
    if (kind === 'untag') return { kind, repo, tag: one.text('tag') };
    if (kind !== 'manifest') {
      throw fail(R.journal, { expected: 'a change this version knows', actual: JSON.stringify(kind) });
    }
    return {
      ...{ kind, repo, digest: digest(), mediaType: one.text('mediaType') },
      ...{ bytes: fromBase64(one.text('bytes')), at: one.integer('at') },
      ...(one.has('subject') ? { subject: digest('subject') } : {}),
      ...optional('artifactType'),
      parts: one.strings('parts').map((part) => part as Digest),
    };
  });
  return { id: json.text('id'), changes };
}
