/**
 * The advisory database as a signed thing that travels. Its statement names two subjects: the file, so that any
 * verifier of blobs can check it, and the content, which our reader proves block by block while it reads: a scan
 * therefore checks a signature without reading the whole file.
 */
import type { Digest } from '#base/brand';
import { rfc3339 } from '#base/clock';
import { digestOf } from '#base/digest';
import { fail, WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import { STATEMENT_V1, statementBytes } from '#formats/intoto';
import { canonicalJson, isJsonObject, type JsonObject, own } from '#formats/json';
import { readFileIfThere, readFileLimited, writeFileDurable } from '#platform/files';
import { type AdvisoryDatabase, type DatabaseInfo, loadDatabase, scanReasons as R } from '#scan';
import { type Accepted, type Requirements, type TrustMaterial, verifyBundle } from '#verify';
import { digestSet, type SignImageDeps, signStatement } from './sign-image.ts';

export const DATABASE_PREDICATE = 'https://waybill.dev/advisory-database/v1';
export const DATABASE_BYTES_MAX: number = 2 * 1024 * 1024 * 1024;
const BUNDLE_BYTES_MAX = 1024 * 1024;

export const bundlePath = (file: string): string => `${file}.sigstore.json`;

function databaseStatement(name: string, file: Digest, info: DatabaseInfo): Uint8Array {
  return statementBytes({
    type: STATEMENT_V1,
    subject: [
      { name, digest: digestSet(file) },
      { name: 'content', digest: digestSet(info.digest) },
    ],
    predicateType: DATABASE_PREDICATE,
    predicate: predicateOf(info),
  });
}

/** Everything the head of the file says: the digest of the content does not cover it. */
const predicateOf = (info: DatabaseInfo): JsonObject => ({
  content: info.digest,
  schemaVersion: info.schemaVersion,
  built: rfc3339(info.builtMs),
  ...(info.newest === undefined ? {} : { newest: info.newest }),
  records: info.records,
  sampleRecords: info.sampleRecords,
  ecosystems: Object.fromEntries(info.ecosystems),
  sources: info.sources.map(({ name, records, newest }) => ({
    name,
    records,
    ...(newest === undefined ? {} : { newest }),
  })),
  ...(info.epss === undefined ? {} : { epss: info.epss }),
  ...(info.knownExploited === undefined ? {} : { knownExploited: info.knownExploited }),
});

/** Signs a database file; the bundle lies beside it. */
export async function signDatabase(
  file: string,
  deps: Pick<SignImageDeps, 'signer' | 'trustedRoot' | 'clock'>,
): Promise<string> {
  const database = loadDatabase(file);
  database.close();
  const bytes = await readFileLimited(file, DATABASE_BYTES_MAX);
  const digest = digestOf(bytes);
  const statement = databaseStatement('advisories.db', digest, database.info);
  const result = await signStatement(statement, [{ digest }, { digest: database.info.digest }], deps);
  await writeFileDurable(bundlePath(file), result.bundle);
  return bundlePath(file);
}

export interface DatabaseTrust {
  readonly requirements: Requirements;
  readonly material: TrustMaterial;
  /** Milliseconds. */
  readonly nowMs: number;
}

/** Throws WB-880 for no signature, or the verifier's own reason. */
export async function verifyDatabase(
  file: string,
  info: DatabaseInfo,
  trust: DatabaseTrust,
): Promise<Accepted> {
  const bytes = await readFileIfThere(bundlePath(file));
  if (bytes === undefined) {
    throw fail(R.databaseSignature, { expected: `a signature at ${bundlePath(file)}`, actual: 'none' });
  }
  return verifyDatabaseBundle(bytes, info, trust);
}

/**
 * A statement about the content, by whom the requirements ask for, that says of it what the head of the file says: its
 * date and what it covers decide about gates and roll-backs. Throws WB-880, or the verifier's own reason.
 */
export function verifyDatabaseBundle(bytes: Uint8Array, info: DatabaseInfo, trust: DatabaseTrust): Accepted {
  if (bytes.length > BUNDLE_BYTES_MAX) {
    throw fail(R.databaseSignature, {
      expected: `a bundle of at most ${BUNDLE_BYTES_MAX} bytes`,
      actual: 'more',
    });
  }
  const verdict = verifyBundle({
    artifact: info.digest,
    bundle: unwrap(parseBundle(bytes)),
    trustedRoot: trust.material,
    requirements: trust.requirements,
    now: trust.nowMs,
  });
  if (verdict.outcome === 'rejected') throw new WaybillError(verdict.reason);
  if (verdict.outcome === 'unavailable') throw new WaybillError(verdict.cause);
  const { statement } = verdict;
  if (statement?.predicateType !== DATABASE_PREDICATE) {
    const actual = statement?.predicateType ?? 'a bare signature';
    throw fail(R.databaseSignature, { expected: `a statement of type ${DATABASE_PREDICATE}`, actual });
  }
  const expected = predicateOf(info);
  const signed = isJsonObject(statement.predicate) ? statement.predicate : {};
  const other = Object.keys({ ...expected, ...signed }).find(
    (field) => canonicalJson(expected[field] ?? null) !== canonicalJson(own(signed, field) ?? null),
  );
  if (other === undefined) return verdict;
  const shown = JSON.stringify(own(signed, other) ?? null).slice(0, 200);
  throw fail(R.databaseSignature, {
    expected: `a database whose head says ${other} as its signature does: ${shown}`,
    actual: JSON.stringify(expected[other] ?? null).slice(0, 200),
  });
}

/** Opens a database and, where trust is given, verifies who signed it before a single record is read. */
export async function openTrustedDatabase(
  file: string,
  trust: DatabaseTrust | undefined,
): Promise<AdvisoryDatabase> {
  const database = loadDatabase(file);
  try {
    if (trust !== undefined) await verifyDatabase(file, database.info, trust);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
