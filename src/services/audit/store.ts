/**
 * The claim store: which signed bytes speak about which digest, and under which hashes a log may hold them. Kept
 * apart from every registry, so that it survives one. It also remembers which manifests were read, so that after
 * a crash only the others are read again.
 */
import { join } from 'node:path';
import { type Database, openDatabase, transaction } from '#platform/sqlite';
import type { SignedClaim } from './statements.ts';

export interface StoredClaim {
  readonly payload: Uint8Array;
  readonly payloadType: string;
  /** Where it was seen first, a repository or the origin of a log; only a hint. */
  readonly seenIn: string;
}

/** One hash under which a log may hold a claim. */
export interface ClaimHash {
  readonly claim: number;
  readonly hash: string;
}

/** What is recorded in one step: claims, and the manifests they were read from. */
export interface ClaimBatch {
  readonly claims: readonly { readonly claim: SignedClaim; readonly seenIn: string }[];
  readonly manifests: readonly string[];
}

export interface ClaimStore {
  /** Durable when it returns. */
  add(batch: ClaimBatch, nowMs: number): void;
  /** Hashes of claims about a digest in the order they came, after `after`, at most `max`. */
  about(digest: string, after: ClaimHash, max: number): readonly ClaimHash[];
  /** The claim about `digest` (any, when undefined) that a log holds as one of `hashes`; the oldest of several. */
  loggedAs(hashes: readonly string[], digest: string | undefined): StoredClaim | undefined;
  hasManifest(digest: string): boolean;
  count(): number;
  close(): void;
}

const schema = `
CREATE TABLE IF NOT EXISTS claim (
  id INTEGER PRIMARY KEY,
  payload_hash TEXT NOT NULL,
  payload_type TEXT NOT NULL,
  payload BLOB NOT NULL,
  predicate_type TEXT NOT NULL,
  seen_in TEXT NOT NULL,
  seen_at INTEGER NOT NULL,
  UNIQUE (payload_hash, payload_type)
) STRICT;
CREATE TABLE IF NOT EXISTS subject (
  digest TEXT NOT NULL,
  claim INTEGER NOT NULL REFERENCES claim(id),
  PRIMARY KEY (digest, claim)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS logged (
  claim INTEGER NOT NULL REFERENCES claim(id),
  hash TEXT NOT NULL,
  PRIMARY KEY (claim, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS logged_by_hash ON logged (hash, claim);
CREATE TABLE IF NOT EXISTS manifest (digest TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
`;

export function openClaimStore(dataDir: string | undefined): ClaimStore {
  const path = dataDir === undefined ? ':memory:' : join(dataDir, 'claims.sqlite');
  const database: Database = openDatabase(path);
  database.exec(schema);
  const select = database.prepare(
    `SELECT logged.claim, logged.hash FROM subject JOIN logged ON logged.claim = subject.claim
     WHERE subject.digest = ? AND (logged.claim, logged.hash) > (?, ?)
     ORDER BY logged.claim, logged.hash LIMIT ?`,
  );
  const byHash = database.prepare(
    `SELECT payload, payload_type, seen_in FROM claim JOIN logged ON logged.claim = claim.id
     WHERE logged.hash = ? AND (? IS NULL OR EXISTS
       (SELECT 1 FROM subject WHERE subject.digest = ? AND subject.claim = claim.id))
     ORDER BY claim.id LIMIT 1`,
  );
  const manifest = database.prepare('SELECT 1 FROM manifest WHERE digest = ?');
  const total = database.prepare('SELECT count(*) AS n FROM claim');
  return {
    add: inserter(database),
    about: (digest, after, max) =>
      select
        .all(digest, after.claim, after.hash, max)
        .map((row) => ({ claim: row['claim'] as number, hash: row['hash'] as string })),
    loggedAs: (hashes, digest) => {
      for (const hash of hashes) {
        const row = byHash.get(hash, digest ?? null, digest ?? null);
        if (row === undefined) continue;
        return {
          payload: row['payload'] as Uint8Array,
          payloadType: row['payload_type'] as string,
          seenIn: row['seen_in'] as string,
        };
      }
      return undefined;
    },
    hasManifest: (digest) => manifest.get(digest) !== undefined,
    count: () => (total.get() as { n: number }).n,
    close: () => database.close(),
  };
}

function inserter(database: Database): ClaimStore['add'] {
  const insert = database.prepare(
    `INSERT INTO claim (payload_hash, payload_type, payload, predicate_type, seen_in, seen_at)
     VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
  );
  const find = database.prepare('SELECT id FROM claim WHERE payload_hash = ? AND payload_type = ?');
  const subject = database.prepare('INSERT OR IGNORE INTO subject (digest, claim) VALUES (?, ?)');
  const logged = database.prepare('INSERT OR IGNORE INTO logged (claim, hash) VALUES (?, ?)');
  const manifest = database.prepare('INSERT OR IGNORE INTO manifest (digest) VALUES (?)');
  const addClaim = ({ claim, seenIn }: ClaimBatch['claims'][number], nowMs: number): void => {
    const { loggedAs, payloadType, payload, predicateType } = claim;
    const isNew = insert.run(loggedAs[0], payloadType, payload, predicateType, seenIn, nowMs).changes > 0;
    if (!isNew) return;
    const { id } = find.get(loggedAs[0], payloadType) as { id: number };
    for (const digest of claim.subjects) subject.run(digest, id);
    for (const hash of loggedAs) logged.run(id, hash);
  };
  return ({ claims, manifests }, nowMs) =>
    transaction(database, () => {
      for (const one of claims) addClaim(one, nowMs);
      for (const digest of manifests) manifest.run(digest);
    });
}
