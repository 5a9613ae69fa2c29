/** The statement index: which signed bytes speak about which digest. Kept apart from every registry. */
import { join } from 'node:path';
import { type Database, openDatabase, transaction } from '#platform/sqlite';
import type { SignedClaim } from './statements.ts';

export interface StoredClaim {
  readonly payload: Uint8Array;
  readonly payloadType: string;
  readonly predicateType: string;
  readonly loggedAs: readonly string[];
  /** Where it was seen first, `registry/repository`; only a hint. */
  readonly seenIn: string;
}

export interface ClaimStore {
  add(claim: SignedClaim, seenIn: string, nowMs: number): void;
  about(digest: string): readonly StoredClaim[];
  count(): number;
  close(): void;
}

const schema = `
CREATE TABLE IF NOT EXISTS claim (
  id INTEGER PRIMARY KEY,
  payload_hash TEXT NOT NULL UNIQUE,
  payload BLOB NOT NULL,
  payload_type TEXT NOT NULL,
  predicate_type TEXT NOT NULL,
  logged_as TEXT NOT NULL,
  seen_in TEXT NOT NULL,
  seen_at INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS subject (
  digest TEXT NOT NULL,
  claim_id INTEGER NOT NULL REFERENCES claim(id),
  PRIMARY KEY (digest, claim_id)
) STRICT, WITHOUT ROWID;
`;

interface ClaimRow {
  readonly payload: Uint8Array;
  readonly payload_type: string;
  readonly predicate_type: string;
  readonly logged_as: string;
  readonly seen_in: string;
}

export function openClaimStore(dataDir: string | undefined): ClaimStore {
  const database: Database = openDatabase(dataDir === undefined ? ':memory:' : join(dataDir, 'audit.sqlite'));
  database.exec(schema);
  const insert = database.prepare(
    `INSERT INTO claim (payload_hash, payload, payload_type, predicate_type, logged_as, seen_in, seen_at)
     VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (payload_hash) DO NOTHING`,
  );
  const link = database.prepare(
    `INSERT INTO subject (digest, claim_id) SELECT ?, id FROM claim WHERE payload_hash = ?
     ON CONFLICT DO NOTHING`,
  );
  const select = database.prepare(
    `SELECT payload, payload_type, predicate_type, logged_as, seen_in FROM claim
     JOIN subject ON subject.claim_id = claim.id WHERE subject.digest = ? ORDER BY claim.id`,
  );
  const total = database.prepare('SELECT count(*) AS n FROM claim');
  return {
    add: (claim, seenIn, nowMs) =>
      transaction(database, () => {
        const hash = claim.loggedAs[0] as string;
        insert.run(
          hash,
          claim.payload,
          claim.payloadType,
          claim.predicateType,
          JSON.stringify(claim.loggedAs),
          seenIn,
          nowMs,
        );
        for (const digest of claim.subjects) link.run(digest, hash);
      }),
    about: (digest) =>
      (select.all(digest) as unknown as ClaimRow[]).map((row) => ({
        payload: row.payload,
        payloadType: row.payload_type,
        predicateType: row.predicate_type,
        loggedAs: JSON.parse(row.logged_as) as string[],
        seenIn: row.seen_in,
      })),
    count: () => (total.get() as { n: number }).n,
    close: () => database.close(),
  };
}
