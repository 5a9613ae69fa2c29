/** `waybill stack up|status|rotate|backup|restore|token|workflow|connect|test|export|import`: a private stack for development on this machine. */
import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { fail } from '#base/reason';
import type { Origins, Stack, StackConfig } from '#stack';
import type { CliContext } from '../context.ts';
import { R } from '../reasons.ts';
import { collect } from '../sign-options.ts';
import { registerBackup } from '../stack-backup.ts';
import { registerConnect } from '../stack-connect.ts';
import { defaultDataDir, stackDir } from '../stack-dir.ts';
import { registerHandOver } from '../stack-hand-over.ts';
import { registerRotate } from '../stack-rotate.ts';
import { addStackSigner, type StackSignerFlags, stackSignerFrom } from '../stack-signer.ts';
import { statusText } from '../stack-status.ts';
import { registerWorkflow, workflowOf } from '../stack-workflow.ts';
import { addTimeOptions, type TimeFlags, timeSettings } from '../time-options.ts';

export function register(program: Command, context: CliContext): void {
  const stack = program.command('stack').description('run a private stack for development');
  addTimeOptions(addStackSigner(stack.command('up')))
    .description('start every station in this process; Ctrl-C stops it, the next start continues')
    .option('--data <dir>', 'data directory (default: WAYBILL_STACK, else below the user data folder)')
    .option(
      '--lock-dir <dir>',
      'where the checkpoint locks of its logs are kept, apart from the data (default: where they were, else ' +
        'WAYBILL_STATE_DIR or the user state folder)',
    )
    .option('--adopt-locks', 'make locks that are lost again: only when nothing was signed after this data')
    .option('--empty-registry', 'begin with an empty registry: only when what it held is lost for good')
    .option('--port-base <number>', 'first port; 0 takes free ones (default: the ports it had)')
    .option(
      '--passphrase-file <file>',
      'its keys are encrypted under the first line of this file; plain ones become so',
    )
    .option('--tls', 'HTTPS by an authority made for this stack; once begun it stays')
    .option('--metrics <port>', 'serve /metrics of all stations on this port; 0 takes a free one')
    .option('--sigstore-metrics', "show metrics under the names of Sigstore's servers as well")
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent', 'warn')
    .addOption(
      new Option(
        '--simulate <provider>',
        'play the issuer of this CI provider: a marked trust domain of its own that proves nothing outside',
      ).choices(['github']),
    )
    .option(
      '--mirror <from=to>',
      'with --simulate: a repository that lies elsewhere, as docker.io/acme/*=HOST/acme/* (repeatable)',
      collect,
      [],
    )
    .action((options: UpOptions) => up(options, context));
  stack
    .command('status')
    .description('show whether the stations answer and how long their trust lives')
    .option('--stack <dir>', 'data directory of the stack (default: WAYBILL_STACK)')
    .option('--env', 'print environment lines for other clients')
    .action((options: StatusOptions) => status(options, context));
  stack
    .command('token')
    .description('mint an identity token at the development issuer')
    .option('--stack <dir>', 'data directory of the stack (default: WAYBILL_STACK)')
    .option('--email <address>', 'a person')
    .option('--subject <uri>', 'a machine')
    .option('--github <workflow>', 'a workflow, as owner/name@refs/heads/main')
    .option('--audience <name>', 'whom the token is for', 'sigstore')
    .action((options: TokenOptions) => token(options, context));
  const folder = (option: string | undefined): string => stackDir(option, context);
  registerRotate(stack, context, folder);
  registerBackup(stack, context, folder);
  registerWorkflow(stack, context);
  registerConnect(stack, context);
  registerHandOver(stack, context, folder);
}

interface UpOptions extends StackSignerFlags, TimeFlags {
  readonly tls?: boolean;
  readonly passphraseFile?: string;
  readonly metrics?: string;
  readonly sigstoreMetrics?: boolean;
  readonly data?: string;
  readonly lockDir?: string;
  readonly adoptLocks?: boolean;
  readonly emptyRegistry?: boolean;
  readonly portBase?: string;
  readonly logLevel: string;
  readonly simulate?: 'github';
  readonly mirror: readonly string[];
}

async function up(options: UpOptions, context: CliContext): Promise<void> {
  const { composeStack, PORT_BASE_DEFAULT, readState, recipes } = await import('#stack');
  const { lockDirFrom } = await import('../lock-dir.ts');
  const { untilSignal } = await import('#platform/process');
  const { traceSettings } = await import('#platform/traces');
  const traces = traceSettings(context.env, 'waybill-stack');
  const { passphraseFrom } = await import('../serve-station-flags.ts');
  const passphrase = await passphraseFrom(options, context);
  const signer = stackSignerFrom(options, context);
  const time = timeSettings(options);
  const started = context.clock.now();
  const dataDir = resolve(context.cwd, options.data ?? defaultDataDir(context));
  // Listened for from the start: a signal right after the ready line still stops cleanly.
  const signalled = untilSignal();
  const before = await readState(dataDir);
  const running = await composeStack({
    dataDir,
    lockDir: lockDirFrom(options.lockDir, before?.lockDir, context),
    hasLostLocks: options.adoptLocks === true,
    hasLostImages: options.emptyRegistry === true,
    portBase: portBase(options, before === undefined ? PORT_BASE_DEFAULT : 0),
    clock: context.clock,
    random: context.random,
    logLevel: logLevel(options.logLevel),
    tls: options.tls === true,
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(signer === undefined ? {} : { signer }),
    ...metricsFlags(options),
    ...(time.ntpServers.length === 0 ? {} : { time }),
    ...(traces === undefined ? {} : { traces }),
    ...(await simulationFlags(options)),
  });
  const milliseconds = context.clock.now() - started;
  context.result('waybill.dev/stack-up/v1', upJson(running, milliseconds), () =>
    upText(running, recipes(dataDir, running.origins), milliseconds),
  );
  const signal = await signalled;
  context.progress(`waybill: ${signal}, stopping`);
  await running.close();
  context.progress('waybill: stopped; the next start on this directory continues');
}

function metricsFlags({ metrics, sigstoreMetrics }: UpOptions): Pick<StackConfig, 'metrics'> {
  if (metrics === undefined) return {};
  return { metrics: { port: wholeNumber('--metrics', metrics), withAliases: sigstoreMetrics === true } };
}

async function simulationFlags({ simulate, mirror }: UpOptions): Promise<Partial<StackConfig>> {
  const { mirrorMap, parseMirrorRule } = await import('#facts');
  const mirrors = mirror.map(parseMirrorRule);
  // Checked here, before a service is open.
  mirrorMap(mirrors);
  if (simulate !== undefined) return { simulate, mirrors };
  if (mirrors.length === 0) return {};
  throw fail(R.optionValue, { expected: '--mirror together with --simulate', actual: '--mirror alone' });
}

function upJson(running: Stack, milliseconds: number): object {
  return {
    ok: true,
    development: true,
    dataDir: running.dataDir,
    registry: running.registryHost,
    simulate: running.state.simulate ?? null,
    tlsCa: running.state.tlsCa === undefined ? null : join(running.dataDir, running.state.tlsCa),
    metrics: running.metricsOrigin ?? null,
    origins: running.origins,
    milliseconds,
    pid: running.state.pid,
  };
}

function upText(running: Stack, lines: readonly string[], milliseconds: number): string {
  return [
    `waybill: stack is up (${milliseconds} ms), data in ${running.dataDir}`,
    '',
    ...simulationLines(running),
    'DEVELOPMENT: one trust domain on this machine. The issuer mints any identity for whoever reaches it;',
    'signatures made here prove nothing to anybody else.',
    '',
    ...originLines(running.origins),
    ...tlsLines(running),
    ...(running.metricsOrigin === undefined ? [] : [`  metrics   ${running.metricsOrigin}/metrics`]),
    '',
    'For waybill and other clients:',
    `  source ${join(running.dataDir, 'public', 'env')}`,
    '',
    'For cosign:',
    ...lines.map((line) => `  ${line.replaceAll('\n', '\n  ')}`),
    '',
    `Checkpoint locks: ${running.state.lockDir}. They stay on this machine and in no backup: without them the logs`,
    'do not start again, and no copy of the data can fork a log.',
    '',
    'Ctrl-C stops it; the next start on this directory continues the same logs and keys.',
  ].join('\n');
}

function simulationLines({ state: { simulate } }: Stack): string[] {
  if (simulate === undefined) return [];
  const mirrors = simulate.mirrors.map(({ from, to }) => `  ${from} lies in ${to}`);
  return [
    `SIMULATED ${simulate.provider.toUpperCase()}: certificates made here name the real issuer of ${simulate.provider}`,
    'although every token comes from this machine. Nothing signed here is what it says; waybill serve and',
    'waybill trust pin refuse this trust domain.',
    ...mirrors,
    '',
  ];
}

function tlsLines({ dataDir, state: { tlsCa } }: Stack): string[] {
  if (tlsCa === undefined) return [];
  const path = join(dataDir, tlsCa);
  return [
    '',
    `HTTPS (images stay on http): clients believe ${path} by SSL_CERT_FILE, which the line below sets.`,
  ];
}

const originLines = (origins: Origins): string[] =>
  Object.entries(origins).map(([name, origin]) => `  ${name.padEnd(9)} ${origin}`);

interface StatusOptions {
  readonly stack?: string;
  readonly env?: boolean;
}

async function status(options: StatusOptions, context: CliContext): Promise<void> {
  const { environmentText, requireState, stackStatus } = await import('#stack');
  const { defaultCacheDir } = await import('#trust');
  const dataDir = stackDir(options.stack, context);
  if (options.env === true) {
    const { origins } = await requireState(dataDir);
    return context.stdout(environmentText(dataDir, origins));
  }
  const { transport, env, clock } = context;
  const found = await stackStatus(dataDir, { transport, clock, cacheDir: defaultCacheDir(env) });
  context.result('waybill.dev/stack-status/v1', { ok: found.isUp, dataDir, ...found }, () =>
    statusText(found, dataDir, clock.now()),
  );
  if (!found.isUp) context.exit(20);
  else {
    const isFrozen = found.stations.some((station) => station.isFrozen === true);
    const isLost = found.losses.some(({ level }) => level === 'error');
    if (isFrozen || isLost || found.trust === undefined || found.ending.length > 0) context.exit(2);
  }
}

interface TokenOptions {
  readonly stack?: string;
  readonly email?: string;
  readonly subject?: string;
  readonly github?: string;
  readonly audience: string;
}

async function token(options: TokenOptions, context: CliContext): Promise<void> {
  const { fetchDevelopmentToken, requireState, stackTransport } = await import('#stack');
  const dataDir = stackDir(options.stack, context);
  const state = await requireState(dataDir);
  const transport = stackTransport(dataDir, state, context.transport);
  const minted = await fetchDevelopmentToken(state.origins, tokenRequest(options), transport);
  context.result('waybill.dev/token/v1', { token: minted.reveal() }, () => minted.reveal());
}

function tokenRequest({ email, subject, github, audience: aud }: TokenOptions): object {
  const given = [email, subject, github].filter((value) => value !== undefined);
  if (given.length !== 1) {
    const expected = 'exactly one of --email, --subject, --github';
    throw fail(R.optionValue, { expected, actual: `${given.length}` });
  }
  if (email !== undefined) return { email, aud };
  if (subject !== undefined) return { realm: 'workload', sub: subject, aud };
  return { github: { ...workflowOf(github ?? ''), sha: '0'.repeat(40) }, aud };
}

/** Where a stack was before, clients look for it: its addresses move only when that is asked for. */
const portBase = ({ portBase: asked }: UpOptions, usual: number): number =>
  asked === undefined ? usual : wholeNumber('--port-base', asked);

function wholeNumber(option: string, text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw fail(R.optionValue, { expected: `${option} as a whole number`, actual: JSON.stringify(text) });
}

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;

function logLevel(text: string): (typeof levels)[number] {
  const level = levels.find((candidate) => candidate === text);
  if (level !== undefined) return level;
  throw fail(R.optionValue, { expected: `--log-level as ${levels.join(', ')}`, actual: text });
}
