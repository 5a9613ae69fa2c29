/**
 * What clients that keep keys in their policy may believe of a stack: every authority and log of its trusted root, but
 * those that were stolen. A trusted root says until when each counts; such a policy cannot, and would believe a thief.
 */
import { join } from 'node:path';
import { type PublicKey, publicKeyPem } from '#base/crypto';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { parseTrustedRoot, type Validity } from '#formats/trusted-root';
import { readFileLimited } from '#platform/files';
import { stackTrustFiles } from '#trust';
import { type Generation, type Rotatable, readGenerations } from './generations.ts';
import { published } from './in-order.ts';
import { chainPem } from './material.ts';
import { R } from './reasons.ts';
import { fingerprint } from './serve/record.ts';
import type { StackState } from './state.ts';

export interface KnownLog {
  readonly url: string;
  /** PEM. */
  readonly key: string;
  readonly validFor: Validity;
}

/** Newest first; none is empty. */
export interface DocumentTrust {
  /** Chains of the authorities, PEM, one after the other. */
  readonly chains: string;
  /** Of API v1: no client with such a policy reads the other. */
  readonly logs: readonly KnownLog[];
  readonly ctLogs: readonly KnownLog[];
  /** What is not named, and why, in words. */
  readonly notes: readonly string[];
}

/**
 * A generation that ended before the next began: every other way to follow one lets both be believed for a while, and
 * of a log that was lost it is known that it was.
 */
function isStolen(list: readonly Generation[], index: number): boolean {
  const [one, next] = [list[index], list[index + 1]];
  if (one?.end === undefined || next === undefined || one.lost !== undefined) return false;
  return one.end < next.start;
}

/** Throws WB-1202 for a folder without what it published. */
export async function documentTrust(
  dataDir: string,
  { createdAt }: Pick<StackState, 'createdAt'>,
): Promise<DocumentTrust> {
  const path = join(dataDir, stackTrustFiles.trustedRoot);
  const root = unwrap(parseTrustedRoot(await readFileLimited(path, limits.trustedRootBytes)));
  const { stations } = await readGenerations(dataDir, createdAt);
  const notes: string[] = [];
  const believed = <T>(station: Rotatable, all: readonly T[], keyOf: (one: T) => PublicKey): T[] => {
    const list = stations[station];
    const found = list.flatMap((one, index): T[] => {
      if (isStolen(list, index)) {
        notes.push(`${station}: generation ${one.number} was stolen; what it signed before is refused too`);
        return [];
      }
      const wanted = one.keys?.[published[station]];
      return all.filter((each) => fingerprint(keyOf(each)) === wanted);
    });
    if (found.length > 0) return found.reverse();
    const hint = 'start the stack once: it writes down what it publishes';
    throw fail(R.state, { expected: `a key of ${station} in ${path}`, actual: 'none of this stack', hint });
  };
  const keyOf = ({ publicKey }: { readonly publicKey: PublicKey }): PublicKey => publicKey;
  const known = (station: 'ct' | 'log'): KnownLog[] =>
    believed(station, station === 'ct' ? root.ctlogs : root.tlogs, keyOf).map(
      ({ baseUrl, publicKey, validFor }) => ({ url: baseUrl, key: publicKeyPem(publicKey), validFor }),
    );
  const authorities = believed('ca', root.certificateAuthorities, ({ chain }) => chain[0].publicKey);
  return {
    chains: authorities.map(({ chain }) => chainPem(chain)).join(''),
    logs: known('log'),
    ctLogs: known('ct'),
    notes,
  };
}

/** How long after its certificate a signature may be logged: certificates live so long. */
const CERTIFICATE_MS = 600_000;

/** The logs with which one signature can have been made: for policies that take one key of each kind at a time. */
export function logPairs({ logs, ctLogs }: DocumentTrust): { log: KnownLog; ctLog: KnownLog }[] {
  const meet = (log: Validity, ctLog: Validity): boolean =>
    log.start <= (ctLog.end ?? Number.POSITIVE_INFINITY) + CERTIFICATE_MS &&
    ctLog.start <= (log.end ?? Number.POSITIVE_INFINITY);
  return logs.flatMap((log) =>
    ctLogs.filter((ctLog) => meet(log.validFor, ctLog.validFor)).map((ctLog) => ({ log, ctLog })),
  );
}
