/** `waybill log fsck|monitor|freeze`: a transparency log from outside, and its end. */
import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { fail } from '#base/reason';
import type { CheckpointVerifier, IssuedCertificates, Look, MonitorState, TileSource } from '#tlog';
import type { CliContext } from '../context.ts';
import { existingStore } from '../log-folder.ts';
import { addFreeze } from '../log-freeze.ts';
import {
  type IssuedFlags,
  issuedOf,
  type KeyFlags,
  outsideOf,
  publicKeyOf,
  verifierOf,
} from '../log-outside.ts';
import { R } from '../reasons.ts';
import { collect } from '../sign-options.ts';

interface FsckFlags extends KeyFlags {
  readonly known: readonly string[];
  readonly lockFile?: string;
}

interface MonitorFlags extends KeyFlags, IssuedFlags {
  readonly checkpoints?: string;
}

/** The monitor's state holds up to 255 hashes for each of eight levels. */
const STATE_BYTES_MAX = 1024 * 1024;

export function register(program: Command, context: CliContext): void {
  const log = program.command('log').description('Proves, watches and freezes transparency logs.');
  const fsck = log
    .command('fsck')
    .description(
      'Rebuilds a whole log from the bytes of its entries and compares every tile, the names, the checkpoint and ' +
        'the lock. Reads a folder of `waybill`, or any tlog-tiles or static-ct log by URL. Exit 2 when something is ' +
        'wrong.',
    )
    .argument('<where>', 'folder of the log, or the URL below which checkpoint and tile/… lie')
    .option('--known <file>', 'a checkpoint of this log seen elsewhere (repeatable)', collect, [])
    .option(
      '--lock-file <file>',
      'the checkpoint lock (default: below WAYBILL_STATE_DIR or the user state folder, else in the folder)',
    );
  withKey(fsck).action((where: string, flags: FsckFlags) => runFsck(where, flags, context));
  const monitor = log
    .command('monitor')
    .description(
      'Follows a log by URL: rebuilds the tree from entry bytes, holds every checkpoint against the one before, ' +
        'and names entries by identities that are watched. Of a certificate log (static-ct) it says what an ' +
        'authority issued and never logged. Exit 2 when the log is not what it says, or lacks a certificate.',
    )
    .argument('<url>', 'where checkpoint and tile/… lie')
    .option('--state <file>', 'where to go on from, and what is kept for the next look')
    .option('--checkpoints <file>', 'append every new checkpoint here')
    .option('--identity <name>', 'name entries by this identity, any case (repeatable)', collect, [])
    .option('--issuer <url>', 'name entries by identities of this OIDC issuer (repeatable)', collect, [])
    .option(
      '--issued <file>',
      'PEM certificates, serial numbers, or log lines of an authority: each must be in the log (repeatable)',
      collect,
      [],
    )
    .addOption(new Option('--interval <seconds>', 'look again and again until a signal ends it'));
  withKey(monitor).action((url: string, flags: MonitorFlags) => runMonitor(url, flags, context));
  addFreeze(log, context);
}

function withKey(command: Command): Command {
  return command
    .requiredOption('--public-key <file>', 'public key of the log, PEM')
    .option('--origin <text>', 'first line of its checkpoints; default: as the checkpoint has it')
    .option('--key-name <name>', 'name in its signature line; default: the origin before ` - `');
}

async function runFsck(where: string, flags: FsckFlags, context: CliContext): Promise<void> {
  const report = /^https?:\/\//.test(where)
    ? await fsckUrl(where, flags, context)
    : await fsckFolder(resolve(context.cwd, where), flags, context);
  const ok = report.problems.length === 0;
  context.result('waybill.dev/log-fsck/v1', { ok, where, ...report }, () =>
    ok ? `${where}: ${report.size} entries, all as the checkpoint says` : report.problems.join('\n'),
  );
  if (!ok) context.exit(2);
}

interface Report {
  readonly size: number;
  readonly problems: readonly string[];
}

async function fsckUrl(url: string, flags: FsckFlags, context: CliContext): Promise<Report> {
  const [{ lookAt }, { knownCheckpoints }] = await Promise.all([
    import('#tlog'),
    import('../log-checkpoints.ts'),
  ]);
  const { source, verifier } = await outsideOf(url, flags, context);
  const altered = await alteredAt(url, { source, verifier }, flags);
  if (altered !== undefined) return { size: 0, problems: [altered] };
  const given = await knownCheckpoints(flags.known, verifier);
  const { head, problems } = await lookAt({ source, verifier, known: given.known, tiles: true });
  return { size: head.size, problems: [...given.problems, ...problems] };
}

/** What is wrong with the checkpoint a log serves; one that is not there is told by whoever reads it. */
async function alteredAt(
  url: string,
  { source, verifier }: { readonly source: TileSource; readonly verifier: CheckpointVerifier },
  flags: KeyFlags,
): Promise<string | undefined> {
  const [{ checkpointFinding }, { utf8Text }] = await Promise.all([
    import('../log-checkpoints.ts'),
    import('#base/bytes'),
  ]);
  const bytes = await source.read('checkpoint');
  const finding = bytes && checkpointFinding(utf8Text(bytes), verifier, await publicKeyOf(flags));
  return finding === undefined ? undefined : `${url}/checkpoint is altered: ${finding}`;
}

async function fsckFolder(folder: string, flags: FsckFlags, context: CliContext): Promise<Report> {
  const key = await publicKeyOf(flags);
  try {
    const store = await existingStore(folder, flags.lockFile, key, context);
    try {
      return await fsckStore(folder, store, flags);
    } finally {
      await store.close();
    }
  } catch (error) {
    const { isDamaged } = await import('#platform/sqlite');
    if (!isDamaged(error)) throw error;
    const { expected, actual, hint } = error.reason;
    return { size: 0, problems: [`expected ${expected}, got ${actual}; ${hint}`] };
  }
}

type Store = Awaited<ReturnType<typeof existingStore>>;

async function fsckStore(folder: string, store: Store, flags: FsckFlags): Promise<Report> {
  const [{ fsckStored }, { personalityOf }, { checkpointFinding, knownCheckpoints }] = await Promise.all([
    import('#tlog'),
    import('#stack'),
    import('../log-checkpoints.ts'),
  ]);
  const checkpoint = await store.published();
  const verifier = await verifierOf(checkpoint, flags);
  const altered =
    checkpoint === undefined ? undefined : checkpointFinding(checkpoint, verifier, await publicKeyOf(flags));
  if (altered !== undefined) {
    return { size: 0, problems: [`${join(folder, 'checkpoint')} is altered: ${altered}`] };
  }
  const given = await knownCheckpoints(flags.known, verifier);
  const personality = personalityOf(verifier.origin, { publicKey: await publicKeyOf(flags) });
  const { size, problems } = await fsckStored({ store, verifier, known: given.known, ...personality });
  return { size, problems: [...given.problems, ...problems] };
}

async function runMonitor(url: string, flags: MonitorFlags, context: CliContext): Promise<void> {
  const { source, verifier } = await outsideOf(url, flags, context);
  const issued = await issuedOf(source, flags);
  const seconds = flags.interval === undefined ? undefined : Number(flags.interval);
  if (seconds !== undefined && !(seconds >= 1 && seconds <= 86_400)) {
    throw fail(R.optionValue, {
      expected: '--interval of 1 to 86400 seconds',
      actual: String(flags.interval),
    });
  }
  let state = await loadState(flags, verifier.origin, context);
  const isEnded = await untilEnded(seconds);
  for (;;) {
    const altered = await alteredAt(url, { source, verifier }, flags);
    if (altered !== undefined) {
      const value = { ok: false, url, size: null, problems: [altered], seen: [] };
      context.result('waybill.dev/log-monitor/v1', value, () => altered);
      return context.exit(2);
    }
    const { look, seen } = await lookOnce({ source, verifier, state, flags, issued });
    const missing = issued?.missing() ?? [];
    report(look, { seen, missing, compared: issued?.count }, url, context);
    if (look.state === undefined || missing.length > 0) return context.exit(2);
    state = look.state;
    await keep(look, flags, verifier.origin, context);
    if (seconds === undefined || (await isEnded(seconds))) return;
  }
}

/** Waits; true when a signal came. */
async function untilEnded(seconds: number | undefined): Promise<(seconds: number) => Promise<boolean>> {
  if (seconds === undefined) return async () => true;
  const { untilSignal } = await import('#platform/process');
  const { setTimeout: sleep } = await import('node:timers/promises');
  const signal = untilSignal().then(() => true);
  return (pause) => Promise.race([signal, sleep(pause * 1000, false)]);
}

interface Seen {
  readonly index: number;
  readonly keys: readonly string[];
}

async function lookOnce(options: {
  readonly source: TileSource;
  readonly verifier: CheckpointVerifier;
  readonly state: MonitorState | undefined;
  readonly flags: MonitorFlags;
  readonly issued: IssuedCertificates | undefined;
}): Promise<{ readonly look: Look; readonly seen: readonly Seen[] }> {
  const [{ lookAt }, { bodyKeys, issuerKey, subjectKey }] = await Promise.all([
    import('#tlog'),
    import('#services/log'),
  ]);
  const { source, verifier, state, flags, issued } = options;
  const watched = new Set([...flags.identity.map(subjectKey), ...flags.issuer.map(issuerKey)]);
  const seen: Seen[] = [];
  const look = await lookAt({
    ...{ source, verifier },
    ...(state === undefined ? {} : { state }),
    onEntry: (index, entry) => {
      issued?.take(entry);
      const keys = watched.size === 0 ? [] : bodyKeys(entry).filter((key) => watched.has(key));
      if (keys.length > 0) seen.push({ index, keys });
    },
  });
  return { look, seen };
}

interface Found {
  readonly seen: readonly Seen[];
  /** Certificates that were issued and are not in the log, in words. */
  readonly missing: readonly string[];
  /** How many were looked for; absent when none. */
  readonly compared: number | undefined;
}

function report(look: Look, { seen, missing, compared }: Found, url: string, context: CliContext): void {
  const { size } = look.head;
  const ok = look.problems.length + missing.length === 0;
  const issued = compared === undefined ? {} : { issued: { compared, missing } };
  const value = { ok, url, size, problems: look.problems, seen, ...issued };
  context.result('waybill.dev/log-monitor/v1', value, () =>
    [
      ...look.problems,
      ...seen.map(({ index, keys }) => `entry ${index} is by ${keys.join(', ')}`),
      ...missing,
      `${url}: ${size} entries${compared === undefined ? '' : `, ${compared} issued certificates looked for`}`,
    ].join('\n'),
  );
}

async function loadState(
  flags: MonitorFlags,
  origin: string,
  context: CliContext,
): Promise<MonitorState | undefined> {
  if (flags.state === undefined) return undefined;
  const [{ readFileIfThere }, { utf8Text }, { readMonitorState }] = await Promise.all([
    import('#platform/files'),
    import('#base/bytes'),
    import('#tlog'),
  ]);
  const bytes = await readFileIfThere(resolve(context.cwd, flags.state));
  if (bytes === undefined) return undefined;
  if (bytes.length > STATE_BYTES_MAX) {
    throw fail(R.optionValue, { expected: 'the state of a monitor', actual: `${bytes.length} bytes` });
  }
  return readMonitorState(utf8Text(bytes), origin);
}

async function keep(look: Look, flags: MonitorFlags, origin: string, context: CliContext): Promise<void> {
  const [{ writeFileDurable }, { monitorStateJson }, { appendFile }] = await Promise.all([
    import('#platform/files'),
    import('#tlog'),
    import('node:fs/promises'),
  ]);
  if (flags.checkpoints !== undefined) {
    await appendFile(resolve(context.cwd, flags.checkpoints), `${JSON.stringify(look.checkpoint)}\n`);
  }
  if (flags.state === undefined || look.state === undefined) return;
  await writeFileDurable(resolve(context.cwd, flags.state), monitorStateJson(origin, look.state));
}
