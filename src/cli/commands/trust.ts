/** `waybill trust …`: which authorities are believed, from where, until when; under names, and over an air gap. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { fail } from '#base/reason';
import type { Trust, TrustOptions, TrustProfile } from '#trust';
import type { CliContext } from '../context.ts';
import { R } from '../reasons.ts';
import { renderTrust, type ShownTrust, trustJson } from '../render/trust.ts';
import { addTrustMirror } from '../trust-mirror.ts';
import { addTrustOptions, loadTrustFor, type TrustFlags } from '../trust-options.ts';
import { addTrustRoot } from '../trust-root.ts';

interface ShowFlags extends TrustFlags {
  readonly warnDays: string;
}

const WARN_DAYS_DEFAULT = '30';

export function register(program: Command, context: CliContext): void {
  const trust = program.command('trust').description('show, name, pin and carry trusted roots');
  trust
    .command('list')
    .description('list the trust profiles')
    .action(() => listProfiles(context));
  const show = trust
    .command('show')
    .description('show the authorities of a trusted root, and every expiry')
    .argument('[name]', 'a profile; without it the root that a verification would use now')
    .option('--warn-days <n>', 'name what ends within so many days', WARN_DAYS_DEFAULT);
  addTrustOptions(show).action((name: string | undefined, flags: ShowFlags) =>
    showTrust(name, flags, context),
  );
  addNaming(trust, context);
  trust
    .command('pin')
    .description('check a TUF repository from a root and remember that root')
    .requiredOption('--tuf-mirror <url>', 'a TUF repository')
    .requiredOption('--tuf-root <file>', 'the root to start from')
    .option('--root-checksum <checksum>', 'SHA-256 or SHA-512 that --tuf-root must have')
    .option('--cache-dir <dir>', 'where verified trust metadata is kept')
    .action((options: TrustOptions) => pin(options, context));
  addTrustMirror(trust, context);
  addTrustRoot(trust, context);
  addCarrying(trust, context);
}

function addNaming(trust: Command, context: CliContext): void {
  const add = trust
    .command('add')
    .description(
      'keep a source of trust under a name, after it was loaded once; one of that name is replaced',
    )
    .argument('<name>', 'lower-case name');
  addTrustOptions(add)
    .option('--signing-config <file>', 'signing config that belongs to --trusted-root')
    .action((name: string, flags: TrustFlags) => addNamed(name, flags, context));
  trust
    .command('use')
    .description('use a profile where nothing else names a trusted root')
    .argument('[name]', 'a profile; without it none is used')
    .action((name: string | undefined) => use(name, context));
  trust
    .command('remove')
    .description('forget a profile')
    .argument('<name>', 'a profile')
    .action((name: string) => remove(name, context));
}

function addCarrying(trust: Command, context: CliContext): void {
  const exporting = trust
    .command('export')
    .description('write what a machine without network needs to verify: a folder, or one file named *.json')
    .argument('<path>', 'folder or file to write');
  addTrustOptions(exporting).action((path: string, flags: TrustFlags) => exportTo(path, flags, context));
  trust
    .command('import')
    .description(
      'take an export into the cache, verified from the pinned root; older than the cache is refused',
    )
    .argument('<path>', 'folder or file of waybill trust export')
    .option('--tuf-root <file>', 'the root to start from; without it the one pinned for the mirror')
    .option('--root-checksum <checksum>', 'SHA-256 or SHA-512 that this root must have')
    .option('--cache-dir <dir>', 'where verified trust metadata is kept')
    .option('--name <name>', 'also keep the mirror and the root as a profile of this name')
    .action((path: string, flags: TrustFlags & { name?: string }) => importFrom(path, flags, context));
}

async function listProfiles(context: CliContext): Promise<void> {
  const { configDir, readProfiles } = await import('#trust');
  const { inUse, profiles } = await readProfiles(configDir(context.env));
  const listed = [...profiles].map(([name, profile]) => ({ name, inUse: name === inUse, ...profile }));
  context.result('waybill.dev/trust-profiles/v1', { ok: true, profiles: listed }, () =>
    listed.length === 0
      ? 'no trust profiles; see waybill trust add --help'
      : listed.map(({ name, inUse: isUsed }) => line(name, isUsed, profiles.get(name) ?? {})).join('\n'),
  );
}

function line(name: string, isUsed: boolean, profile: TrustProfile): string {
  const { tufMirror, trustedRoot, trustConfig, stack } = profile;
  const from = [
    ...(tufMirror === undefined ? [] : [`TUF mirror ${tufMirror}`]),
    ...(trustedRoot === undefined ? [] : [`trusted root ${trustedRoot}`]),
    ...(trustConfig === undefined ? [] : [`trust config ${trustConfig}`]),
    ...(stack === undefined ? [] : [`stack ${stack}`]),
  ];
  return `${isUsed ? '*' : ' '} ${name.padEnd(20)} ${from.join(', ')}`;
}

async function showTrust(name: string | undefined, flags: ShowFlags, context: CliContext): Promise<void> {
  if (name !== undefined && flags.trust !== undefined) {
    throw fail(R.optionValue, { expected: 'one profile', actual: `${name} and --trust ${flags.trust}` });
  }
  const trust = await loadTrustFor(name === undefined ? flags : { ...flags, trust: name }, context);
  printTrust(await shown(trust, daysOf(flags.warnDays), context), context);
}

function daysOf(text: string): number {
  if (/^\d{1,4}$/.test(text)) return Number(text);
  throw fail(R.optionValue, { expected: '--warn-days with a number of days', actual: JSON.stringify(text) });
}

async function shown(trust: Trust, days: number, { clock }: CliContext): Promise<ShownTrust> {
  const { endingSoon } = await import('#trust');
  return { trust, ending: endingSoon(trust, clock.now(), days) };
}

function printTrust(what: ShownTrust, context: CliContext, before = ''): void {
  context.result('waybill.dev/trust/v1', trustJson(what), () => `${before}${renderTrust(what)}`);
}

async function pin(options: TrustOptions, context: CliContext): Promise<void> {
  const { chooseTrust, pinRoot } = await import('#trust');
  const tufRoot = resolve(context.cwd, options.tufRoot ?? '');
  const source = chooseTrust({ ...options, tufRoot }, context.env);
  if (source.kind !== 'tuf') throw new Error('a mirror gives a TUF source');
  const trust = await pinRoot(source, context);
  printTrust(await shown(trust, Number(WARN_DAYS_DEFAULT), context), context, `pinned ${trust.origin}\n`);
}

async function addNamed(name: string, flags: TrustFlags, context: CliContext): Promise<void> {
  const { addProfile, chooseTrust, configDir, loadTrust, readProfiles } = await import('#trust');
  const { trustedRoot, signingConfig, trustConfig, tufMirror, tufRoot, stack } = flags;
  const given = { trustedRoot, signingConfig, trustConfig, tufMirror, tufRoot, stack };
  if (flags.trust !== undefined) {
    const hint =
      'give the source itself: --tuf-mirror URL --tuf-root FILE, --trusted-root FILE or --stack DIR';
    throw fail(R.optionValue, { expected: 'a source to keep', actual: `--trust ${flags.trust}`, hint });
  }
  const profile = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  // Loaded before it is kept: a name must not stand for something that never worked.
  const source = chooseTrust(flags, {});
  const cached = source.kind === 'tuf' ? { ...source, cacheDir: await cacheFor(flags, context) } : source;
  const trust = await loadTrust(cached, { transport: context.transport });
  const folder = configDir(context.env);
  const isThere = (await readProfiles(folder)).profiles.has(name);
  await addProfile(folder, name, profile, context.cwd);
  const done = isThere ? `replaced ${name}: what it stood for before is forgotten` : `added ${name}`;
  printTrust(await shown(trust, Number(WARN_DAYS_DEFAULT), context), context, `${done}\n`);
}

async function cacheFor({ cacheDir }: TrustFlags, context: CliContext): Promise<string> {
  const { defaultCacheDir } = await import('#trust');
  return cacheDir ?? defaultCacheDir(context.env);
}

async function use(name: string | undefined, context: CliContext): Promise<void> {
  const { configDir, useProfile } = await import('#trust');
  await useProfile(configDir(context.env), name);
  context.result('waybill.dev/trust-use/v1', { ok: true, inUse: name ?? null }, () =>
    name === undefined ? 'no profile is in use' : `using ${name}`,
  );
}

async function remove(name: string, context: CliContext): Promise<void> {
  const { configDir, removeProfile } = await import('#trust');
  await removeProfile(configDir(context.env), name);
  context.result('waybill.dev/trust-remove/v1', { ok: true, removed: name }, () => `removed ${name}`);
}

async function exportTo(path: string, flags: TrustFlags, context: CliContext): Promise<void> {
  const { exportTrust, requireTrustSource, writeExport } = await import('#trust');
  const source = await requireTrustSource(flags, context.env);
  if (source.kind !== 'tuf') {
    const actual = source.kind === 'file' ? source.trustedRoot : source.path;
    const hint = `a file needs no export: carry ${actual} itself and give it with --trusted-root or --trust-config`;
    throw fail(R.optionValue, { expected: 'a TUF mirror: --tuf-mirror, or a profile of one', actual, hint });
  }
  const { exported, trust } = await exportTrust(source, context);
  await writeExport(exported, resolve(context.cwd, path));
  const text = `exported ${exported.files.size} files of ${exported.mirror} to ${path}\n`;
  printTrust(await shown(trust, Number(WARN_DAYS_DEFAULT), context), context, text);
}

async function importFrom(
  given: string,
  flags: TrustFlags & { readonly name?: string },
  context: CliContext,
): Promise<void> {
  const { addProfile, configDir, importTrust } = await import('#trust');
  const { tufRoot, rootChecksum, name } = flags;
  const path = resolve(context.cwd, given);
  const trust = await importTrust(path, {
    cacheDir: await cacheFor(flags, context),
    ...(tufRoot === undefined ? {} : { root: resolve(context.cwd, tufRoot) }),
    ...(rootChecksum === undefined ? {} : { rootChecksum }),
  });
  if (name !== undefined) {
    const profile = { tufMirror: trust.origin, ...(tufRoot === undefined ? {} : { tufRoot }) };
    await addProfile(configDir(context.env), name, profile, context.cwd);
  }
  const text = `imported ${trust.origin}; verify with --tuf-mirror ${trust.origin} --offline\n`;
  printTrust(await shown(trust, Number(WARN_DAYS_DEFAULT), context), context, text);
}
