/** `waybill exception create|approve|list|revoke|drain`: one image in, for a time, by two people, logged. */
import { dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import type { Exception } from '#policy';
import type { CliContext } from '../context.ts';
import { readInput } from '../input.ts';
import { R } from '../reasons.ts';
import { registryFrom, withRegistryOptions } from '../registry-options.ts';
import {
  drainedJson,
  loadedJson,
  renderDrained,
  renderLoaded,
  renderTerms,
  termsJson,
} from '../render/exception.ts';
import { plainLines } from '../render/plain.ts';
import { addSignOptions, type SignFlags, signingTools } from '../sign-options.ts';
import { addTrustOptions, loadTrustFor, type TrustFlags } from '../trust-options.ts';

export function register(program: Command, context: CliContext): void {
  const exception = program
    .command('exception')
    .description('Lets one image in although a policy refuses it: for a time, signed by two people, logged.');
  registerCreate(exception, context);
  registerApprove(exception, context);
  registerList(exception, context);
  registerRevoke(exception, context);
  registerDrain(exception, context);
}

interface CreateFlags extends SignFlags {
  readonly name: string;
  readonly image: string;
  readonly namespace: string;
  readonly policy?: string;
  readonly rule?: string;
  readonly reason: string;
  readonly ticket: string;
  readonly until?: string;
  readonly for?: string;
  readonly out?: string;
}

function registerCreate(exception: Command, context: CliContext): void {
  const create = exception
    .command('create')
    .description('Writes an exception and signs it: the first of two signatures.')
    .requiredOption('--name <name>', 'what warnings and logs call it: lower-case letters, digits, hyphens')
    .requiredOption('--image <ref>', 'registry/repository@sha256:…; a tag is resolved first and shown')
    .requiredOption('--namespace <name>', 'the one namespace it holds in')
    .option('--policy <name>', 'excuse only refusals of this policy')
    .option('--rule <name>', 'and only of this rule of it')
    .requiredOption('--reason <text>', 'why, in one line; shown whenever it is used')
    .requiredOption('--ticket <text>', 'where it is discussed')
    .option('--until <time>', 'its end, as 2026-11-21T18:00:00Z')
    .option('--for <duration>', 'or how long it holds: 30m, 4h, 1d')
    .option('--out <file>', 'file to write (default: NAME.exception.json)');
  withRegistryOptions(addTrustOptions(addSignOptions(create)));
  create.action(async (flags: CreateFlags) => {
    const { createException } = await import('#flows/exception-sign');
    const times = timesFrom(flags, context.clock.now());
    const out = resolve(context.cwd, flags.out ?? `${flags.name}.exception.json`);
    await requireAbsent(out);
    const image = await imageFrom(flags, context);
    const terms: Exception = {
      ...times,
      name: flags.name,
      namespace: flags.namespace,
      digest: image.digest,
      reason: flags.reason,
      ticket: flags.ticket,
      ...(flags.policy === undefined ? {} : { policy: flags.policy }),
      ...(flags.rule === undefined ? {} : { rule: flags.rule }),
    };
    const tools = await signingTools(flags, context, flags.image);
    const made = await createException(terms, image.repository, tools);
    await write(out, made.text);
    const value = { ok: true, file: out, ...termsJson(terms, made) };
    context.result('waybill.dev/exception-create/v1', value, () =>
      plainLines([
        `created ${out}`,
        ...renderTerms(terms, made),
        '  next    somebody else: waybill exception approve',
      ]),
    );
  });
}

interface ApproveFlags extends SignFlags {
  readonly approvers?: string;
  readonly out?: string;
}

function registerApprove(exception: Command, context: CliContext): void {
  const approve = exception
    .command('approve')
    .description('Adds the signature of a second person to an exception.')
    .argument('<file>', 'file of `waybill exception create`')
    .option('--approvers <file>', 'check the result against the file the webhook uses')
    .option('--out <file>', 'file to write (default: the file itself)');
  withRegistryOptions(addTrustOptions(addSignOptions(approve)));
  approve.action(async (file: string, flags: ApproveFlags) => {
    const [{ approveFile }, { loadApprovers }] = await Promise.all([
      import('#flows/exception-sign'),
      import('#flows/exception-folder'),
    ]);
    const bytes = await readInput(file, limits.exceptionBytes);
    const approvers = flags.approvers === undefined ? undefined : await loadApprovers(flags.approvers);
    const tools = await signingTools(flags, context, '');
    const made = await approveFile(bytes, approvers, tools);
    const out = resolve(context.cwd, flags.out ?? file);
    await write(out, made.text);
    const value = { ok: true, file: out, ...termsJson(made.exception, made) };
    context.result('waybill.dev/exception-approve/v1', value, () =>
      plainLines([`approved ${out}`, ...renderTerms(made.exception, made)]),
    );
  });
}

interface ListFlags extends TrustFlags {
  readonly exceptions: string;
  readonly approvers: string;
}

function registerList(exception: Command, context: CliContext): void {
  const list = exception
    .command('list')
    .description('Shows the exceptions of a folder as the webhook sees them: active, ended, refused and why.')
    .requiredOption('--exceptions <dir>', 'folder of exceptions and revocations')
    .requiredOption('--approvers <file>', 'who may approve');
  addTrustOptions(list);
  list.action(async (flags: ListFlags) => {
    const [{ loadApprovers, loadExceptions }, { trustMaterial }] = await Promise.all([
      import('#flows/exception-folder'),
      import('#verify'),
    ]);
    const approvers = await loadApprovers(flags.approvers);
    const trust = await loadTrustFor(flags, context);
    const nowMs = context.clock.now();
    const trustedRoot = trustMaterial(trust.trustedRoot);
    const loaded = await loadExceptions(flags.exceptions, { trustedRoot, approvers, nowMs });
    const value = { ok: true, exceptions: loaded.map((one) => loadedJson(one, nowMs)) };
    context.result('waybill.dev/exception-list/v1', value, () => renderLoaded(loaded, nowMs));
  });
}

interface RevokeFlags extends SignFlags {
  readonly reason: string;
  readonly out?: string;
}

function registerRevoke(exception: Command, context: CliContext): void {
  const revoke = exception
    .command('revoke')
    .description('Writes a signed revocation; it counts where it lies beside the exception.')
    .argument('<file>', 'file of the exception')
    .requiredOption('--reason <text>', 'why')
    .option('--out <file>', 'file to write (default: NAME.revocation.json beside the exception)');
  withRegistryOptions(addTrustOptions(addSignOptions(revoke)));
  revoke.action(async (file: string, flags: RevokeFlags) => {
    const { revokeFile } = await import('#flows/exception-sign');
    const bytes = await readInput(file, limits.exceptionBytes);
    const tools = await signingTools(flags, context, '');
    const made = await revokeFile(bytes, flags.reason, tools);
    const { name } = made.exception;
    const beside = join(dirname(file), `${name}.revocation.json`);
    const out = resolve(context.cwd, flags.out ?? beside);
    await write(out, made.text);
    const value = { ok: true, file: out, exception: name, signer: made.signer };
    context.result('waybill.dev/exception-revoke/v1', value, () =>
      plainLines([`revoked ${name}`, `  by      ${made.signer}`, `  written ${out}`]),
    );
  });
}

interface DrainFlags extends SignFlags {
  readonly outbox: string;
}

function registerDrain(exception: Command, context: CliContext): void {
  const drain = exception
    .command('drain')
    .description('Puts the recorded uses of exceptions into the transparency log and keeps the proofs.')
    .requiredOption('--outbox <file>', 'file of `waybill serve admission --outbox`');
  withRegistryOptions(addTrustOptions(addSignOptions(drain)));
  drain.action(async (flags: DrainFlags) => {
    const [{ drainOutbox }, { openOutbox }] = await Promise.all([
      import('#flows/exception-drain'),
      import('#flows/exception-outbox'),
    ]);
    const outbox = openOutbox(flags.outbox);
    try {
      // Nothing to log needs no identity: a timer may run this every minute.
      const isEmpty = outbox.pending(1).length === 0;
      const drained = isEmpty ? [] : await drainOutbox(outbox, await signingTools(flags, context, ''));
      const value = { ok: true, ...drainedJson(drained, outbox.counts()) };
      context.result('waybill.dev/exception-drain/v1', value, () => renderDrained(drained, outbox.counts()));
    } finally {
      outbox.close();
    }
  });
}

async function imageFrom(
  flags: CreateFlags,
  context: CliContext,
): Promise<{ digest: Exception['digest']; repository?: string }> {
  const [{ parseDigest }, { parseReference, repositoryText }] = await Promise.all([
    import('#base/digest'),
    import('#formats/reference'),
  ]);
  const bare = parseDigest(flags.image);
  if (bare.ok) return { digest: bare.value };
  const reference = unwrap(parseReference(flags.image));
  const repository = repositoryText(reference);
  // A digest needs no question: the exception may be for an image nobody can reach from here.
  if (reference.digest !== undefined) return { digest: reference.digest, repository };
  const registry = await registryFrom(flags, context, [flags.image]);
  const { descriptor, pinned } = await registry.resolve(reference);
  context.progress(`${flags.image} is ${pinned}`);
  return { digest: descriptor.digest, repository };
}

const UNIT_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Whole seconds, as they stand in the statement. */
function timesFrom(
  { until, for: duration }: Pick<CreateFlags, 'until' | 'for'>,
  nowMs: number,
): Pick<Exception, 'createdAt' | 'notAfter'> {
  const createdAt = Math.floor(nowMs / 1000) * 1000;
  const given = [until, duration].filter((value) => value !== undefined);
  if (given.length !== 1) {
    throw fail(R.usage, { expected: '--until TIME or --for DURATION', actual: `${given.length} of them` });
  }
  const [, count, unit = ''] = /^([1-9][0-9]{0,3})([mhd])$/.exec(duration ?? '') ?? [];
  const notAfter =
    until === undefined ? createdAt + Number(count) * (UNIT_MS[unit] ?? Number.NaN) : timeOf(until);
  if (notAfter > createdAt) return { createdAt, notAfter };
  const expected =
    until === undefined ? '--for as 30m, 4h or 1d' : '--until as a time to come, 2026-11-21T18:00:00Z';
  throw fail(R.optionValue, { expected, actual: given.join() });
}

const timeOf = (text: string): number =>
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text) ? Date.parse(text) : Number.NaN;

async function requireAbsent(path: string): Promise<void> {
  const { readFileIfThere } = await import('#platform/files');
  if ((await readFileIfThere(path)) === undefined) return;
  throw fail(R.optionValue, { expected: 'a file that is not there yet: --out FILE', actual: path });
}

async function write(path: string, text: string): Promise<void> {
  const { writeFileDurable } = await import('#platform/files');
  await writeFileDurable(path, text);
}
