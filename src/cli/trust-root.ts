/** `waybill trust root next|sign|show|accept`: ceremonies for the root of a TUF repository. */
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { utf8Text } from '#base/bytes';
import { unwrap } from '#base/result';
import type { RootDescription, TufRoleName } from '#services/tuf';
import type { CliContext } from './context.ts';
import { passwordToOpen } from './password.ts';
import { collect } from './sign-options.ts';

const FILE_BYTES_MAX = 1024 * 1024;
const DAY_MS = 86_400_000;
const roles = ['root', 'targets', 'snapshot', 'timestamp'] as const;

function wholeNumber(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('expected a whole number above 0');
}

interface NextFlags {
  readonly out: string;
  readonly role: readonly TufRoleName[];
  readonly addKey: readonly string[];
  readonly removeKey: readonly string[];
  readonly threshold?: number;
  readonly days: number;
}

export function addTrustRoot(trust: Command, context: CliContext): void {
  const root = trust
    .command('root')
    .description('ceremonies: draft the next root of a TUF repository, sign it key by key, and publish it');
  root
    .command('next')
    .description('draft the root that follows one; nobody has signed it yet')
    .argument('<root>', 'the newest root, for example 3.root.json')
    .requiredOption('--out <file>', 'where the draft is written')
    .addOption(
      new Option('--role <role>', 'role whose keys or threshold change (repeatable; default root)')
        .choices(roles)
        .argParser(collect),
    )
    .option('--add-key <file>', 'public key as PEM, P-256 or Ed25519 (repeatable)', collect, [])
    .option('--remove-key <id>', 'key id, or its beginning (repeatable)', collect, [])
    .option('--threshold <number>', 'signatures the role needs from now on', wholeNumber)
    .option('--days <number>', 'days until the root expires', wholeNumber, 365)
    .action((from: string, flags: NextFlags) => next(from, flags, context));
  root
    .command('sign')
    .description('add a signature to a draft; compare the SHA-256 it shows with the other holders first')
    .argument('<draft>', 'the draft, which is changed')
    .requiredOption('--key <file>', 'private key as PEM (password in COSIGN_PASSWORD)')
    .option('--from <root>', 'the root before: needed for a key that only that one lists')
    .action((draft: string, flags: { readonly key: string; readonly from?: string }) =>
      sign(draft, flags, context),
    );
  root
    .command('show')
    .description('show who may sign what, who has signed, and what changed')
    .argument('<root>', 'a root or a draft')
    .option('--from <root>', 'the root before')
    .action((file: string, flags: { readonly from?: string }) => show(file, flags, context));
  root
    .command('accept')
    .description('publish a signed root in a running stack')
    .argument('<root>', 'the draft with all its signatures')
    .option('--stack <dir>', 'data directory of the stack (default: WAYBILL_STACK)')
    .action((file: string, flags: { readonly stack?: string }) => accept(file, flags, context));
}

async function readHere(file: string, { cwd }: CliContext): Promise<Uint8Array> {
  const { readFileLimited } = await import('#platform/files');
  return readFileLimited(resolve(cwd, file), FILE_BYTES_MAX);
}

async function next(from: string, flags: NextFlags, context: CliContext): Promise<void> {
  const [{ describeRoot, draftRoot }, { publicKeyFromPem }, { writeFileDurable }] = await Promise.all([
    import('#services/tuf'),
    import('#base/crypto'),
    import('#platform/files'),
  ]);
  const before = await readHere(from, context);
  const pems = await Promise.all(flags.addKey.map((file) => readHere(file, context)));
  const draft = draftRoot(before, {
    roles: flags.role ?? ['root'],
    add: pems.map((pem) => unwrap(publicKeyFromPem(utf8Text(pem)))),
    remove: flags.removeKey,
    expires: context.clock.now() + flags.days * DAY_MS,
    ...(flags.threshold === undefined ? {} : { threshold: flags.threshold }),
  });
  await writeFileDurable(resolve(context.cwd, flags.out), draft);
  print(describeRoot(draft, before), context);
}

async function sign(
  file: string,
  flags: { readonly key: string; readonly from?: string },
  context: CliContext,
): Promise<void> {
  const [{ describeRoot, signRoot }, { readPrivateKey }, { writeFileDurable }] = await Promise.all([
    import('#services/tuf'),
    import('#sign'),
    import('#platform/files'),
  ]);
  const before = flags.from === undefined ? undefined : await readHere(flags.from, context);
  const pem = utf8Text(await readHere(flags.key, context));
  const key = await readPrivateKey(pem, await passwordToOpen(flags.key, context));
  const signed = signRoot(await readHere(file, context), key, before);
  await writeFileDurable(resolve(context.cwd, file), signed);
  print(describeRoot(signed, before), context);
}

async function show(file: string, flags: { readonly from?: string }, context: CliContext): Promise<void> {
  const { describeRoot } = await import('#services/tuf');
  const before = flags.from === undefined ? undefined : await readHere(flags.from, context);
  print(describeRoot(await readHere(file, context), before), context);
}

async function accept(file: string, flags: { readonly stack?: string }, context: CliContext): Promise<void> {
  const [{ requestRoot }, { stackDir }] = await Promise.all([import('#stack'), import('./stack-dir.ts')]);
  const version = await requestRoot(stackDir(flags.stack, context), await readHere(file, context));
  context.result(
    'waybill.dev/trust-root-accept/v1',
    { ok: true, version },
    () => `published root version ${version}`,
  );
}

function print(described: RootDescription, context: CliContext): void {
  context.result('waybill.dev/trust-root/v1', { ok: true, ...described }, () => text(described));
}

function text(described: RootDescription): string {
  const { version, expires, sha256, missing, missingBefore } = described;
  const signed = new Set([...described.signedBy, ...described.signedByBefore]);
  const lines = described.roles.flatMap(({ role, threshold, keys, removed }) => [
    `${role}: ${threshold} of ${keys.length}`,
    ...keys.map(({ id, owner, isNew }) => {
      const marks = [isNew ? 'new' : '', role === 'root' && signed.has(id) ? 'signed' : ''].filter(Boolean);
      return `  ${id}${owner === undefined ? '' : ` ${owner}`}${marks.length === 0 ? '' : ` (${marks.join(', ')})`}`;
    }),
    ...removed.map((id) => `  ${id} (removed${role === 'root' && signed.has(id) ? ', signed' : ''})`),
  ]);
  const open = missing + missingBefore;
  const state =
    open === 0
      ? 'complete: every signature that is needed is there'
      : `missing: ${missing} of its own keys, ${missingBefore} of the keys before`;
  return [
    `root version ${version}, expires ${expires}`,
    `SHA-256 of what is signed: ${sha256}`,
    ...lines,
    state,
  ].join('\n');
}
