/** `waybill cosign initialize`: checks a TUF mirror from a root, and leaves behind what cosign leaves behind. */
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { fail } from '#base/reason';
import type { CliContext } from '../context.ts';
import { R } from '../reasons.ts';
import { asCosign } from './cosign-common.ts';
import { addFlags, type FlagSpec, readFlags } from './cosign-flags.ts';
import { mirrorFolderName, tufRootFolder } from './cosign-trust.ts';
import { refuseBy } from './native.ts';

const noPublicRoot = 'waybill has no built-in root: give --mirror URL and --root FILE';
const flags: readonly FlagSpec[] = [
  { flags: '--mirror <url>', help: 'TUF repository, https://… or file:///…' },
  { flags: '--root <file>', help: 'root to start from, a file or a URL with --root-checksum' },
  { flags: '--root-checksum <hex>', help: 'SHA-256 of the root, or sha512:…' },
  { flags: '--staging', help: `not supported: ${noPublicRoot}`, instead: noPublicRoot },
];

interface Flags {
  readonly mirror?: string;
  readonly root?: string;
  readonly rootChecksum?: string;
}

export function addInitialize(cosign: Command, context: CliContext): void {
  const command = addFlags(cosign.command('initialize').description('pin a TUF mirror'), flags);
  refuseBy(command, 'cosign initialize').action(() =>
    asCosign(context, {}, () => initialize(readFlags<Flags>(command, flags, context), context)),
  );
}

async function initialize({ mirror, root, rootChecksum }: Flags, context: CliContext): Promise<void> {
  if (mirror === undefined || root === undefined) {
    const actual = mirror === undefined ? 'no --mirror' : 'no --root';
    throw fail(R.optionValue, { expected: '--mirror URL and --root FILE', actual, hint: noPublicRoot });
  }
  const [{ defaultCacheDir, pinRoot, requireTufRoot }, { writeFileDurable }] = await Promise.all([
    import('#trust'),
    import('#platform/files'),
  ]);
  const folder = tufRootFolder(context);
  const path = join(folder, mirrorFolderName(mirror), 'root.json');
  const bytes = await rootBytes(root, rootChecksum, context);
  // Said of the file that was given, not of the copy below.
  await requireTufRoot(bytes, root);
  // Nothing is written before the mirror has proven that it follows from this root.
  const { mkdtemp, rm } = await import('node:fs/promises');
  const { tmpdir } = await import('node:os');
  const scratch = await mkdtemp(join(tmpdir(), 'waybill-root-'));
  try {
    const given = join(scratch, 'root.json');
    await writeFileDurable(given, bytes);
    const checksum = rootChecksum === undefined ? {} : { rootChecksum: checksumForm(rootChecksum) };
    const cacheDir = defaultCacheDir(context.env);
    await pinRoot({ kind: 'tuf', mirror, root: given, cacheDir, ...checksum }, context);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  await writeFileDurable(path, bytes, { mode: 0o600 });
  await writeFileDurable(join(folder, 'remote.json'), JSON.stringify({ mirror }), { mode: 0o600 });
}

/** cosign means SHA-256 where no algorithm is named. */
const checksumForm = (text: string): string => (text.includes(':') ? text : `sha256:${text}`);

async function rootBytes(
  root: string,
  checksum: string | undefined,
  context: CliContext,
): Promise<Uint8Array> {
  const { limits } = await import('#base/limits');
  if (!/^https?:\/\//.test(root)) {
    const { readFileLimited } = await import('#platform/files');
    return readFileLimited(resolve(context.cwd, root), limits.tufMetadataBytes);
  }
  if (checksum === undefined) {
    throw fail(R.optionValue, { expected: '--root-checksum with a --root that is fetched', actual: 'none' });
  }
  const request = { url: root, maxBytes: limits.tufMetadataBytes, redirects: 2 };
  const { status, body } = await context.transport.request(request);
  if (status === 200) return body;
  throw fail(R.optionValue, { expected: `a root at ${root}`, actual: `status ${status}` });
}
