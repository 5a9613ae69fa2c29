/** Is everything that was accepted in the log, proven, and does the audit service know it? */
import type { Digest } from '#base/brand';
import { toHex } from '#base/bytes';
import { fail, WaybillError } from '#base/reason';
import type { ReadAttachments } from '#facts';
import { parseBundle } from '#formats/bundle';
import type { ImageSource } from '#oci';
import { type Accepted, type LoggedEntry, type TrustMaterial, verifyLogEntry } from '#verify';
import { CheckFailure, type Found, notAsked } from './check-item.ts';
import { R } from './check-reasons.ts';
import { type LineageDeps, lineageOf } from './lineage.ts';

/** What one other question accepted: one of them has to be proven. */
export interface AcceptedGroup {
  readonly name: string;
  readonly accepted: readonly Accepted[];
  /** Why it could not be asked. */
  readonly trouble?: WaybillError;
}

export interface LogQuestion {
  readonly digest: Digest;
  readonly places: readonly ImageSource[];
  readonly attachments: ReadAttachments;
  readonly groups: readonly AcceptedGroup[];
  readonly trust: TrustMaterial;
  /** The audit service; without it only what the image carries is asked. */
  readonly audit?: LineageDeps;
}

/** Throws WB-941, WB-942, and what the audit service answers with. */
export async function checkLog(question: LogQuestion): Promise<Found> {
  const groups = question.groups.filter(({ accepted }) => accepted.length > 0);
  const trouble = question.groups.find((group) => group.trouble !== undefined)?.trouble;
  if (groups.length === 0)
    throw (
      trouble ??
      notAsked('something that is accepted', 'see the other answers: the log is asked for what they accept')
    );
  const proven = await provenEntries(question);
  const found: LoggedEntry[] = [];
  const evidence: string[] = [];
  for (const { name, accepted } of groups) {
    const names = accepted.flatMap(entriesOf);
    const entry = proven.find((one) => names.some((wanted) => isSame(one, wanted)));
    if (entry === undefined) {
      const actual = names.map(({ host, logIndex }) => `a promise of ${host} for ${logIndex}`).join(', ');
      const expected = `a proof that the ${name} is in a log`;
      throw new CheckFailure(fail(R.promiseOnly, { expected, actual: actual || 'no log' }), evidence);
    }
    found.push(entry);
    const size = entry.entry.inclusionProof?.treeSize ?? 0;
    evidence.push(`${name}: entry ${entry.entry.logIndex} of ${entry.log.host}, proven in a tree of ${size}`);
  }
  // What was proven stands; whether the rest is logged is not known.
  if (trouble !== undefined) throw new CheckFailure(trouble, evidence);
  const searched =
    question.audit === undefined ? [] : await searchAudit(question.digest, found, question.audit, evidence);
  return { evidence: [evidence[0] ?? '', ...evidence.slice(1), ...searched], value: undefined };
}

interface EntryName {
  readonly host: string;
  readonly logIndex: number;
}

const entriesOf = ({ evidence }: Accepted): EntryName[] =>
  evidence
    .filter(({ requirement }) => requirement === 'tlog')
    .map(({ details }) => ({ host: String(details['host']), logIndex: Number(details['logIndex']) }));

const isSame = ({ log, entry }: LoggedEntry, { host, logIndex }: EntryName): boolean =>
  log.host === host && entry.logIndex === logIndex;

/** Every entry of an attached bundle whose inclusion proof holds. */
async function provenEntries(question: LogQuestion): Promise<LoggedEntry[]> {
  const { places, digest, trust, attachments } = question;
  const attached = await attachments(places, digest);
  return attached.bundles.flatMap(({ bytes }) => {
    const bundle = parseBundle(bytes);
    const entries = bundle.ok ? bundle.value.tlogEntries : [];
    return entries.flatMap((entry) => {
      const logged = verifyLogEntry(entry, trust);
      return logged?.ok === true ? [logged.value] : [];
    });
  });
}

/** The service answers about the digest; the entries the image carries must be among those it proves. */
async function searchAudit(
  digest: Digest,
  carried: readonly LoggedEntry[],
  deps: LineageDeps,
  seen: readonly string[],
): Promise<readonly string[]> {
  try {
    const { steps, coverage } = await lineageOf(digest, deps);
    const known = new Set(steps.map(({ entry }) => toHex(entry.canonicalizedBody)));
    const missing = carried.find(({ entry }) => !known.has(toHex(entry.canonicalizedBody)));
    if (missing !== undefined) {
      const expected = `entry ${missing.entry.logIndex} of ${missing.log.host}`;
      throw fail(R.notIndexed, { expected, actual: `${steps.length} other entries` });
    }
    const covered = coverage.map(({ origin, treeSize }) => `${treeSize} of ${origin}`).join(', ');
    return [`the audit service proves ${steps.length} entries about it, and covers ${covered}`];
  } catch (error) {
    if (error instanceof WaybillError) throw new CheckFailure(error, seen);
    throw error;
  }
}
