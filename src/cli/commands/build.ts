/** `waybill build`: an image from a commit, built in isolation, with signed provenance. */
import { isAbsolute, resolve } from 'node:path';
import type { Command } from 'commander';
import { fail } from '#base/reason';
import type { BuilderPort, BuildRecord } from '#flows/build-image';
import type { JsonObject } from '#formats/json';
import type { CliContext } from '../context.ts';
import { type LocalBuilderFlags, localBuilder } from '../local-builder.ts';
import { R } from '../reasons.ts';
import { type RegistryFlags, registryFrom, withRegistryOptions } from '../registry-options.ts';
import { plainLines } from '../render/plain.ts';
import { addTrustOptions } from '../trust-options.ts';

interface Flags extends LocalBuilderFlags, RegistryFlags {
  readonly source: string;
  readonly ref: string;
  readonly output: readonly string[];
  readonly config?: string;
  readonly input: readonly string[];
  readonly arg: readonly string[];
  readonly mirror: readonly string[];
  readonly builder?: string;
  readonly builderTokenFile?: string;
}

export function register(program: Command, context: CliContext): void {
  const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];
  const command = program
    .command('build')
    .description('build an image from a commit, isolated, with provenance')
    .requiredOption('--source <repository>', 'https repository, or a local folder with a git repository')
    .requiredOption('--ref <ref>', 'refs/tags/…, refs/heads/…, a name or a full commit')
    .requiredOption('--output <image>', 'registry/repository[:tag] (repeatable)', collect, [])
    .option('--config <path>', 'build definition in the commit (default: waybill-build.yaml)')
    .option('--input <name=folder>', 'a declared input of the definition (repeatable)', collect, [])
    .option('--arg <name=value>', 'a declared argument of the definition (repeatable)', collect, [])
    .option(
      '--mirror <repository=place>',
      'for a builder in this process: fetch a repository from this URL or folder (repeatable)',
      collect,
      [],
    )
    .option('--builder <url>', 'a running builder; default: one in this process, on the stack')
    .option('--builder-token-file <file>', 'token the builder wants from its callers')
    .option(
      '--builder-uri <uri>',
      'for a builder in this process: what its ids begin with',
      'https://localhost',
    )
    .option('--backend <name>', 'for a builder in this process: userns, bwrap, uid, none', 'auto');
  withRegistryOptions(addTrustOptions(command)).action((flags: Flags) => build(flags, context));
}

async function build(flags: Flags, context: CliContext): Promise<void> {
  const { buildImage } = await import('#flows/build-image');
  const request = requestOf(flags, context);
  const builder = await openBuilder(flags, request, context);
  try {
    const record = await buildImage(request.body, {
      builder: builder.port,
      onLog: (text) => context.progress(text.trimEnd()),
      ...(builder.isLocal ? { pollMs: 100 } : {}),
    });
    context.result('waybill.dev/build/v1', { ok: true, ...record }, () => builtText(record));
  } finally {
    await builder.close();
  }
}

interface Request {
  readonly body: JsonObject;
  /** Local folders the request names: what a builder in this process may read. */
  readonly source: readonly string[];
  readonly inputs: readonly string[];
}

function requestOf(flags: Flags, context: CliContext): Request {
  const isLocal = isAbsolute(flags.source) || /^\.{1,2}(?:\/|$)/.test(flags.source);
  const uri = isLocal ? resolve(context.cwd, flags.source) : flags.source;
  const inputs = Object.fromEntries(
    Object.entries(pairs('--input', flags.input)).map(([name, path]) => [name, resolve(context.cwd, path)]),
  );
  const local = uri.replace(/^(?:git\+)?file:\/\//, '');
  return {
    body: {
      source: { uri, ref: flags.ref },
      ...(flags.config === undefined ? {} : { config: flags.config }),
      args: pairs('--arg', flags.arg),
      inputs,
      outputs: flags.output,
    },
    source: isAbsolute(local) ? [local] : [],
    inputs: Object.values(inputs),
  };
}

function pairs(option: string, words: readonly string[]): Record<string, string> {
  const found = Object.create(null) as Record<string, string>;
  for (const word of words) {
    const at = word.indexOf('=');
    const name = word.slice(0, at);
    if (at <= 0 || Object.hasOwn(found, name)) {
      throw fail(R.optionValue, { expected: `${option} name=value with each name once`, actual: word });
    }
    found[name] = word.slice(at + 1);
  }
  return found;
}

async function openBuilder(
  flags: Flags,
  request: Request,
  context: CliContext,
): Promise<{ port: BuilderPort; isLocal: boolean; close(): Promise<void> }> {
  if (flags.builder !== undefined) {
    if (flags.mirror.length > 0) {
      const expected = '--mirror with a builder in this process; a running one has its own mirrors';
      throw fail(R.optionValue, { expected, actual: '--mirror and --builder' });
    }
    const { httpBuilder } = await import('#flows/build-image');
    const token = await callerToken(flags.builderTokenFile);
    return {
      port: httpBuilder(flags.builder, context.transport, token),
      isLocal: false,
      close: async () => {},
    };
  }
  const registry = await registryFrom(flags, context, flags.output);
  const builder = await localBuilder(
    flags,
    { ...request, mirrors: mirrorsOf(flags, context) },
    registry,
    context,
  );
  const { backend, level, open } = builder.report;
  context.progress(
    `builder: back end ${backend}, self-test ${builder.report.selfTest}, SLSA Build L${level.level}`,
  );
  if (backend === 'none') context.progress('  NO ISOLATION: the build can do whatever you can');
  for (const missing of level.notMore) context.progress(`  not more: ${missing}`);
  if (open.length > 0) context.progress(`  open: ${open.join(', ')}`);
  return { ...builder, isLocal: true };
}

/** A place that is a folder becomes absolute; a URL stays as it is. */
function mirrorsOf(flags: Flags, context: CliContext): Record<string, string> {
  const entries = Object.entries(pairs('--mirror', flags.mirror));
  return Object.fromEntries(
    entries.map(([repository, place]) => [
      repository,
      /^[a-z+]+:\/\//.test(place) ? place : resolve(context.cwd, place),
    ]),
  );
}

async function callerToken(file: string | undefined) {
  if (file === undefined) return undefined;
  const [{ readFileLimited }, { utf8Text }, { Secret }, { limits }] = await Promise.all([
    import('#platform/files'),
    import('#base/bytes'),
    import('#base/secret'),
    import('#base/limits'),
  ]);
  return new Secret(utf8Text(await readFileLimited(file, limits.tokenBytes)).trim());
}

function builtText(record: BuildRecord): string {
  const result = record.result as unknown as import('#services/builder').BuildResult;
  const { source, level } = result;
  return plainLines([
    ...result.images.map((image) => `built ${image}`),
    ...result.tags.map((tag) => `  tag     ${tag}`),
    `  source  ${source.uri}${source.ref === undefined ? '' : ` ${source.ref}`} at ${source.commit}`,
    `  builder ${result.builderId}`,
    `  level   SLSA Build L${level.level}${level.notMore.length === 0 ? '' : ` (not more: ${level.notMore.join('; ')})`}`,
    ...result.attestations.map((type) => `  signed  ${type}`),
  ]);
}
