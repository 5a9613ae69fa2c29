/** The end of a log that lives in a database or a bucket: signed by whoever may sequence it, and by nobody else. */
import { hostname as machineName } from 'node:os';
import { toHex } from '#base/bytes';
import type { Clock } from '#base/clock';
import type { KeyHolder, PublicKey, Signer } from '#base/crypto';
import type { Random } from '#base/random';
import { fail } from '#base/reason';
import { type OpenedStore, openStore } from '#platform/store-open';
import { ctPersonality } from '#services/ct';
import { campaign, checkpointSigner, type LogWriter, openLog, type Term, type TreeView } from '#tlog';
import { LEASE_MS } from './placed-log.ts';
import { R } from './reasons.ts';
import { fingerprint } from './record.ts';
import { logPlace, type PlaceSettings } from './store-url.ts';

export interface FreezeSettings extends Pick<PlaceSettings, 'objects' | 'env'> {
  readonly store: string;
  /** Of a log of signatures in a database: the host name it was served under. Absent: a certificate log. */
  readonly hostname?: string;
  /** Data directory of its station: the names of a log in a bucket are there, else they are read again. */
  readonly dataDir?: string;
  /** How long to wait for a process that sequences to give way, in milliseconds. */
  readonly waitMs?: number;
  /** Its names in checkpoints, from the newest one. */
  names(published: string | undefined): { readonly origin: string; readonly keyName: string };
}

interface FreezeDeps {
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Signs the last checkpoint. Errors: WB-1224 while another process sequences, WB-1212 for an address, WB-215 where
 * there is no such log, WB-408 for another key, and those of the engine.
 */
export async function freezeStored(
  settings: FreezeSettings,
  key: Signer | KeyHolder,
  deps: FreezeDeps,
): Promise<TreeView> {
  const opened = await openStore(placeOf(settings, key), true);
  let term: Term | undefined;
  try {
    term = await takeTurn(opened, settings.waitMs ?? 3 * LEASE_MS, deps);
    return await freezeIn(opened, settings, key, deps.clock);
  } finally {
    await term?.resign();
    await opened.close();
  }
}

/** As the stations name it, see `logParts` and `ctParts`. */
function placeOf({ hostname, dataDir, ...place }: FreezeSettings, { publicKey }: Signer | KeyHolder) {
  const api = publicKey.kind === 'ed25519' ? 'v2' : 'v1';
  const log = hostname === undefined ? `ct-${fingerprint(publicKey)}` : `${hostname}-${api}`;
  const settings = logPlace(place, log, dataDir ?? '');
  if (settings.kind !== 's3' || dataDir !== undefined) return settings;
  const { indexFile: _, ...unnamed } = settings;
  return unnamed;
}

/** Those who share a database take turns; a bucket has one writer, and its lock stops it when it is overtaken. */
async function takeTurn(
  { lease, queue }: OpenedStore,
  waitMs: number,
  { clock, random }: FreezeDeps,
): Promise<Term | undefined> {
  if (lease === undefined || queue === undefined) return undefined;
  const holder = `${machineName()} ${process.pid} ${toHex(random.bytes(4))}`;
  const election = { cell: lease, holder, leaseMs: LEASE_MS, clock };
  const term = await campaign(election, AbortSignal.timeout(waitMs));
  if (term !== undefined) return term;
  throw fail(R.sequenced, {
    expected: 'nobody who sequences the log',
    actual: 'a process that goes on doing so',
  });
}

async function freezeIn(
  { store }: OpenedStore,
  { names }: FreezeSettings,
  key: Signer | KeyHolder,
  clock: Clock,
): Promise<TreeView> {
  let log: LogWriter | undefined;
  try {
    const { origin, keyName } = names(await store.published());
    const signer = checkpointSigner({ origin, keyName, signer: key });
    log = await openLog({ store, signer, clock, ...personalityOf(origin, key) });
    await log.freeze();
    return log.tree;
  } finally {
    // A log closes its store.
    await (log ?? store).close();
  }
}

/** What a log of P-256 is: Rekor v1 ends its origin with a tree id, a certificate log does not. */
export function personalityOf(origin: string, { publicKey }: { readonly publicKey: PublicKey }) {
  const isCt = publicKey.kind === 'p256' && !/ - [0-9]+$/.test(origin);
  return isCt ? { personality: ctPersonality } : {};
}
