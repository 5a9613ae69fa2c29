/**
 * A log of a stack that is lost for good: its data or its key is gone, and no backup has them. Its key stays in the
 * trusted root for what it signed until then, so that bundles go on verifying, which carry their proofs; the log itself
 * is never made again under that key, and answers nothing but that. A new one follows at the next start.
 */
import { join } from 'node:path';
import { fromBase64, toBase64 } from '#base/bytes';
import { type PublicKey, publicKeyFromSpki } from '#base/crypto';
import { fail, reason, reasonText } from '#base/reason';
import { attempt, isNonEmpty, type NonEmpty, unwrap } from '#base/result';
import { parseCheckpoint, parseNote } from '#formats/note';
import { type LogAuthority, parseTrustedRoot } from '#formats/trusted-root';
import { lockFileNamed, readLock } from '#platform/checkpoint-lock';
import { readFileIfThere } from '#platform/files';
import { lockFolder } from '#platform/folder-lock';
import type { HttpApp } from '#platform/http-server';
import { stackTrustFiles } from '#trust';
import {
  amend,
  type Generation,
  type Generations,
  type LostMark,
  type Rotatable,
  readGenerations,
  writeGenerations,
} from './generations.ts';
import { lossesOf } from './in-order.ts';
import { R } from './reasons.ts';
import { fingerprint } from './serve/record.ts';
import { requireState, type StackState } from './state.ts';

export type LogName = 'ct' | 'log' | 'log2';
export const logNames: readonly LogName[] = ['ct', 'log', 'log2'];
export const isLogName = (name: Rotatable): name is LogName => name !== 'ca' && name !== 'tsa';

export interface LostLog {
  readonly station: LogName;
  readonly generation: number;
  /** Milliseconds since the epoch: until then what it signed is believed. */
  readonly end: number;
  /** As its checkpoint lock has it; absent where that is gone as well. */
  readonly entries?: number;
}

/**
 * Gives up what a stack that does not run has lost of a log, every generation of it; those given up before are told as
 * well. Throws WB-210 while it runs, WB-1202 without the root it published, WB-1208 for a log that is there.
 */
export async function giveUpLog(dataDir: string, station: LogName, now: number): Promise<NonEmpty<LostLog>> {
  const lock = lockFolder(dataDir);
  try {
    const state = await requireState(dataDir);
    const before = await readGenerations(dataDir, state.createdAt);
    let all = before;
    for (const one of all.stations[station]) {
      if (one.lost !== undefined || (await lossesOf(dataDir, state, station, one)).length === 0) continue;
      all = amend(all, station, one.number, await givenUp(one, { dataDir, station, state, now }));
    }
    const lost = all.stations[station].flatMap((one) => lostIn(station, one));
    if (!isNonEmpty(lost)) {
      const hint = 'start it; for a log that is damaged and does not start, move its tree away first';
      const actual = `${all.stations[station].length} with key, tree and lock`;
      throw fail(R.rotation, { expected: `a log ${station} that is lost`, actual, hint });
    }
    const pending = all.pending.filter((one) => one.station !== station);
    if (all !== before) await writeGenerations(dataDir, { ...all, pending });
    return lost;
  } finally {
    lock.release();
  }
}

interface Stopped {
  readonly dataDir: string;
  readonly station: LogName;
  readonly state: StackState;
  readonly now: number;
}

async function givenUp(
  one: Generation,
  { dataDir, station, state, now }: Stopped,
): Promise<Partial<Generation>> {
  const { publicKey, logId } = await publishedLog(dataDir, station, one);
  const lock = state.lockDir === undefined ? undefined : lockFileNamed(state.lockDir, fingerprint(publicKey));
  return {
    // Never before its start: a root says nothing of such a time.
    end: Math.max(one.start, Math.min(one.end ?? now, now)),
    // Where it was is where it says that it is gone.
    origin: one.origin ?? state.origins[station],
    lost: { publicKey: toBase64(publicKey.spki), logId: toBase64(logId), ...sizeInLock(lock) },
  };
}

const lostIn = (station: LogName, { number, end = 0, lost }: Generation): LostLog[] =>
  lost === undefined
    ? []
    : [
        {
          ...{ station, generation: number, end },
          ...(lost.entries === undefined ? {} : { entries: lost.entries }),
        },
      ];

async function publishedLog(dataDir: string, station: LogName, current: Generation): Promise<LogAuthority> {
  const path = join(dataDir, stackTrustFiles.trustedRoot);
  const bytes = await readFileIfThere(path);
  const root = bytes === undefined ? undefined : parseTrustedRoot(bytes);
  const logs = root?.ok === true ? (station === 'ct' ? root.value.ctlogs : root.value.tlogs) : [];
  const wanted = current.keys?.['log'];
  const found = logs.find(({ publicKey }) => fingerprint(publicKey) === wanted);
  if (found !== undefined) return found;
  throw fail(R.state, {
    expected: `the key of ${station} in ${path}`,
    actual: bytes === undefined ? 'no such file' : 'other keys',
    hint: 'bring this file back from a backup, or from the TUF repository of the stack: it has the public key',
  });
}

function sizeInLock(file: string | undefined): { readonly entries?: number } {
  const read = attempt(() => (file === undefined ? undefined : readLock(file)));
  const text = read.ok ? read.value : undefined;
  if (text === undefined) return {};
  const head = attempt(() => unwrap(parseCheckpoint(unwrap(parseNote(text)).text)));
  return head.ok ? { entries: head.value.size } : {};
}

/** With a new generation after each log that is lost; its key and tree are made when it is opened. */
export function withSuccessors(all: Generations, now: number): Generations {
  let next = all;
  for (const station of logNames) {
    const list = next.stations[station];
    const last = list.at(-1) as Generation;
    if (last.lost === undefined) continue;
    const start = Math.floor(now / 1000) * 1000;
    const made: NonEmpty<Generation> = [...list, { number: last.number + 1, start }];
    next = { ...next, stations: { ...next.stations, [station]: made } };
  }
  return next;
}

/** What a trusted root says of a log that is lost. */
export function authorityOf({ publicKey, logId }: LostMark): {
  readonly publicKey: PublicKey;
  readonly logId: Uint8Array;
} {
  return { publicKey: unwrap(publicKeyFromSpki(fromBase64(publicKey))), logId: fromBase64(logId) };
}

const HEALTH = '/healthz';

/** Whoever asks the lost log hears that it is. */
export function registerLost(app: HttpApp): void {
  const why = reason(R.lostLog, { expected: 'a log', actual: 'one that is lost for good' });
  // Before the body: an entry hears it too, however large it is.
  app.addHook('onRequest', async (request, reply) => {
    if (request.routeOptions.url === HEALTH) return;
    await reply
      .code(why.status)
      .type('text/plain; charset=utf-8')
      .send(`${reasonText(why)}\n`);
  });
  app.get(HEALTH, async () => ({ status: 'lost' }));
}
