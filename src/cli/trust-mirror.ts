/** `waybill trust mirror URL DIR`: a verified copy of a TUF repository, once or again and again, and its server. */
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { fail } from '#base/reason';
import type { MirrorResult } from '#trust';
import type { CliContext } from './context.ts';
import { addressOf } from './listen.ts';
import { R } from './reasons.ts';

interface Flags {
  readonly tufRoot?: string;
  readonly rootChecksum?: string;
  readonly listen?: string;
  /** Hours; default 6. */
  readonly every?: number;
}

const HOUR_MS = 3_600_000;
const EVERY_DEFAULT = 6;

function hours(text: string): number {
  const value = Number(text);
  if (value > 0 && value <= 24 * 365) return value;
  throw new InvalidArgumentError('expected a number of hours');
}

export function addTrustMirror(trust: Command, context: CliContext): void {
  trust
    .command('mirror')
    .description(
      'Copies a TUF repository into a folder, every role and target verified from the root; with --listen it ' +
        'serves the copy and keeps it current. For clusters without a way to the original.',
    )
    .argument('<url>', 'the repository, for example https://tuf-repo-cdn.sigstore.dev')
    .argument('<dir>', 'folder of the copy')
    .option('--tuf-root <file>', 'root to start from; later runs start from the newest root of the copy')
    .option('--root-checksum <hex>', 'SHA-256 or SHA-512 that --tuf-root must have')
    .option('--listen <host:port>', 'serve the copy until a signal ends it')
    .option('--every <hours>', 'with --listen: how often to bring the copy up to date (default: 6)', hours)
    .action((url: string, dir: string, flags: Flags) =>
      mirror(url, resolve(context.cwd, dir), flags, context),
    );
}

async function mirror(url: string, folder: string, flags: Flags, context: CliContext): Promise<void> {
  refuseStrays(flags);
  const { mirrorRepository, mirrorSource, newestRoot } = await import('#trust');
  const update = async (): Promise<MirrorResult> => {
    return mirrorRepository({
      root: (await newestRoot(folder)) ?? (await firstRoot(flags, context)),
      source: mirrorSource(url, context.transport),
      folder,
      now: context.clock.now(),
      progress: (line) => context.progress(line),
    });
  };
  const made = await update();
  const shown = { ok: true, folder, ...made };
  const text = `${folder}: root version ${made.rootVersion}, ${made.roles.length} roles, ${made.targets} targets, ${made.written.length} files new`;
  if (flags.listen === undefined) return context.result('waybill.dev/trust-mirror/v1', shown, () => text);
  await serve(folder, flags, context, update, { shown, text });
}

/** An option that would change nothing is refused, never dropped. */
function refuseStrays({ rootChecksum, tufRoot, every, listen }: Flags): void {
  if (rootChecksum !== undefined && tufRoot === undefined) {
    throw fail(R.optionValue, { expected: '--tuf-root FILE beside --root-checksum', actual: 'not given' });
  }
  if (every !== undefined && listen === undefined) {
    throw fail(R.optionValue, { expected: '--listen HOST:PORT beside --every', actual: 'not given' });
  }
}

async function firstRoot(flags: Flags, context: CliContext): Promise<Uint8Array> {
  const { readTufRoot } = await import('#trust');
  if (flags.tufRoot !== undefined) {
    return readTufRoot(resolve(context.cwd, flags.tufRoot), flags.rootChecksum);
  }
  throw fail(R.usage, { expected: '--tuf-root FILE for the first copy', actual: 'not given' });
}

async function serve(
  folder: string,
  flags: Flags,
  context: CliContext,
  update: () => Promise<MirrorResult>,
  first: { readonly shown: object; readonly text: string },
): Promise<void> {
  const [{ createHttpServer }, { createLogger }, { untilSignal }, { registerTufFolder }] = await Promise.all([
    import('#platform/http-server'),
    import('#platform/telemetry'),
    import('#platform/process'),
    import('#services/tuf'),
  ]);
  const log = createLogger('tuf-mirror', 'info');
  const app = createHttpServer({ log, bodyBytesMax: 1024 });
  registerTufFolder(app, folder);
  const origin = await app.listen(addressOf(flags.listen as string));
  context.result(
    'waybill.dev/trust-mirror/v1',
    { ...first.shown, origin },
    () => `${first.text}\nserved at ${origin}`,
  );
  const timer = setInterval(
    () => {
      // The copy that is served stays as it is when the original cannot be read or does not verify.
      update().then(
        ({ written }) => log.info({ written: written.length }, 'copy is current'),
        (error: unknown) => log.error({ err: error }, 'copy was not brought up to date'),
      );
    },
    (flags.every ?? EVERY_DEFAULT) * HOUR_MS,
  );
  await untilSignal();
  clearInterval(timer);
  await app.close();
}
