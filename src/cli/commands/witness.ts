/** `waybill witness`: cosigns checkpoints of the logs it is told of. */
import type { Command } from 'commander';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import type { WitnessedLog } from '#services/witness';
import type { CliContext } from '../context.ts';
import { addressOf } from '../listen.ts';
import { R } from '../reasons.ts';
import { collect } from '../sign-options.ts';

interface Flags {
  readonly dir: string;
  readonly name: string;
  readonly log: readonly string[];
  readonly listen: string;
  readonly newKey?: boolean;
}

export function register(program: Command, context: CliContext): void {
  program
    .command('witness')
    .description(
      'Serves POST /add-checkpoint (c2sp.org/tlog-witness): cosigns a checkpoint that extends everything it ' +
        'cosigned for that log before. Run it away from the logs, under other people.',
    )
    .requiredOption('--dir <dir>', 'where its key and what it saw are kept; never restore it from a backup')
    .requiredOption('--name <name>', 'its name in cosignatures, such as witness.example/one')
    .option('--log <key>', 'verifier key of a log, name+hint+key (repeatable)', collect, [])
    .option('--new-key', 'begin anew under a new key; the key and the memory there are put aside')
    .option('--listen <host:port>', 'address; port 0 picks a free one', '127.0.0.1:8090')
    .action((flags: Flags) => serve(flags, context));
}

async function serve(flags: Flags, context: CliContext): Promise<void> {
  const [
    { Witness, openWitnessFiles, registerWitness },
    { createHttpServer, listen },
    { createLogger },
    process,
  ] = await Promise.all([
    import('#services/witness'),
    import('#platform/http-server'),
    import('#platform/telemetry'),
    import('#platform/process'),
  ]);
  const { resolve } = await import('node:path');
  const { lockFolder } = await import('#platform/folder-lock');
  const dir = resolve(context.cwd, flags.dir);
  const lock = lockFolder(dir);
  const log = createLogger('witness');
  const config = {
    ...{ name: flags.name, clock: context.clock, log },
    logs: await Promise.all(flags.log.map(readLog)),
    ...(await openWitnessFiles(dir, { isNewKey: flags.newKey === true, now: context.clock.now() })),
  };
  const witness = new Witness(config);
  const app = createHttpServer({ log, bodyBytesMax: 1024 });
  registerWitness(app, witness, config);
  const { host, port } = addressOf(flags.listen);
  const origin = await listen(app, host, port);
  const value = { station: 'witness', origin, verifierKey: witness.verifierKey };
  context.result('waybill.dev/serve/v1', value, () => `witness at ${origin}\n${witness.verifierKey}`);
  await process.untilSignal();
  await app.close();
  witness.close();
  lock.release();
}

async function readLog(text: string): Promise<WitnessedLog> {
  const { parseVerifierKey } = await import('#formats/cosignature');
  const key = unwrap(parseVerifierKey(text));
  if (key.kind === 'log') return { origin: key.name, key };
  throw fail(R.optionValue, { expected: 'the verifier key of a log', actual: 'the key of a witness' });
}
