/** `waybill stack test`, `export` and `import`: does it work, and how others come to trust it. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { ProbeResult } from '#stack';
import type { CliContext } from './context.ts';

const EXIT_FINDINGS = 2;

export function registerHandOver(
  stack: Command,
  context: CliContext,
  stackDir: (option: string | undefined) => string,
): void {
  stack
    .command('test')
    .description(
      'sign, log, stamp, verify, push and be refused against a running stack, as a stranger would; leaves entries in ' +
        'its logs. Exit 2 when something does not do what it is for',
    )
    .option('--stack <dir>', 'data directory of the stack (default: WAYBILL_STACK)')
    .action((flags: { readonly stack?: string }) => test(stackDir(flags.stack), context));
  stack
    .command('export')
    .description('write what machines without a way here need to trust this stack; nothing secret')
    .argument('<dir>', 'folder to write')
    .option('--stack <dir>', 'data directory of the stack (default: WAYBILL_STACK)')
    .action((dir: string, flags: { readonly stack?: string }) =>
      exportTo(stackDir(flags.stack), resolve(context.cwd, dir), context),
    );
  stack
    .command('import')
    .description('trust a stack by what it exported, after comparing its root; older than known is refused')
    .argument('<dir>', 'folder of waybill stack export')
    .requiredOption('--root-checksum <checksum>', 'as export printed it, brought here by another way')
    .option('--name <name>', 'also keep it as a trust profile')
    .option('--cache-dir <dir>', 'where verified trust metadata is kept')
    .action((dir: string, flags: ImportFlags) => importFrom(resolve(context.cwd, dir), flags, context));
}

async function test(dataDir: string, context: CliContext): Promise<void> {
  const [{ selfTest }, { defaultCacheDir }] = await Promise.all([import('#stack'), import('#trust')]);
  const { transport, clock, random, env } = context;
  const results = await selfTest(dataDir, { transport, clock, random, cacheDir: defaultCacheDir(env) });
  const failed = results.filter(({ passed }) => !passed).length;
  const value = { ok: failed === 0, passed: results.length - failed, failed, results };
  context.result('waybill.dev/stack-test/v1', value, () =>
    [...results.map(resultText), `${value.passed} passed, ${failed} failed`].join('\n'),
  );
  if (failed > 0) context.exit(EXIT_FINDINGS);
}

const resultText = ({ name, passed, milliseconds, detail }: ProbeResult): string =>
  `${passed ? 'ok    ' : 'FAILED'} ${name} (${milliseconds} ms): ${detail}`;

async function exportTo(dataDir: string, folder: string, context: CliContext): Promise<void> {
  const [{ exportStack }, { defaultCacheDir }] = await Promise.all([import('#stack'), import('#trust')]);
  const cacheDir = defaultCacheDir(context.env);
  const made = await exportStack(dataDir, folder, { transport: context.transport, cacheDir });
  context.result('waybill.dev/stack-export/v1', { ok: true, folder, ...made }, () =>
    [
      `${folder}: ${made.files} files of ${made.mirror}`,
      `root ${made.rootChecksum}`,
      `there: waybill stack import DIR --root-checksum ${made.rootChecksum} --name NAME`,
    ].join('\n'),
  );
}

interface ImportFlags {
  readonly rootChecksum: string;
  readonly name?: string;
  readonly cacheDir?: string;
}

async function importFrom(folder: string, flags: ImportFlags, context: CliContext): Promise<void> {
  const [{ importStack }, { configDir, defaultCacheDir }] = await Promise.all([
    import('#stack'),
    import('#trust'),
  ]);
  const { name, rootChecksum } = flags;
  const cacheDir =
    flags.cacheDir === undefined ? defaultCacheDir(context.env) : resolve(context.cwd, flags.cacheDir);
  const place = { cacheDir, configDir: configDir(context.env), ...(name === undefined ? {} : { name }) };
  const { trust, mirror } = await importStack(folder, rootChecksum, place);
  const value = { ok: true, mirror, name: name ?? null, tuf: trust.tuf ?? null };
  const use = name === undefined ? `--tuf-mirror ${mirror}` : `--trust ${name}`;
  context.result('waybill.dev/stack-import/v1', value, () =>
    [`trusts ${mirror}, root version ${trust.tuf?.rootVersion ?? '?'}`, `verify with ${use} --offline`].join(
      '\n',
    ),
  );
}
