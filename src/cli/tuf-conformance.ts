/**
 * `waybill-tuf-conformance`: the client protocol of the TUF conformance suite, so that it can be run against
 * waybill's TUF client. Exit code 0 when the client accepted, 1 when it did not, 3 for a wrong command line.
 *
 *     --metadata-dir D init ROOT
 *     --metadata-dir D --metadata-url U refresh
 *     --metadata-dir D --metadata-url U --target-name P … --target-base-url B --target-dir T download
 */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fail, WaybillError } from '#base/reason';
import { readFileIfThere, writeFileDurable } from '#platform/files';
import { httpTransport, type Transport } from '#platform/http-client';
import { initTufFolder, mirrorSource, type TufMemory, type TufSource, withTufFolder } from '#trust';
import { R } from './reasons.ts';

/** The file of the target in hand is the memory: what lies there and still has the right hash is not read again. */
function downloads(folder: string): TufMemory & { use(name: string): void } {
  let current: string | undefined;
  return {
    use: (name) => {
      current = join(folder, encodeURIComponent(name));
    },
    recall: async () => (current === undefined ? undefined : readFileIfThere(current)),
    keep: async (_, bytes) => {
      if (current !== undefined) await writeFileDurable(current, bytes);
    },
  };
}

/** Metadata and targets lie below two addresses in this protocol. */
function twoMirrors(metadata: string, targets: string | undefined, transport: Transport): TufSource {
  const [first, second] = [metadata, targets].map((url) =>
    url === undefined ? undefined : mirrorSource(url, transport),
  );
  return {
    read: async (path, maxBytes) => {
      if (!path.startsWith('targets/')) return first?.read(path, maxBytes);
      return second?.read(path.slice('targets/'.length), maxBytes);
    },
  };
}

/** Runs one command of the protocol; throws what went wrong. */
export async function runTufClient(argv: readonly string[], transport: Transport): Promise<void> {
  const one = { type: 'string' } as const;
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      'metadata-dir': one,
      'metadata-url': one,
      'target-name': { type: 'string', multiple: true },
      'target-base-url': one,
      'target-dir': one,
    },
  });
  const need = (name: 'metadata-dir' | 'metadata-url' | 'target-dir'): string => {
    const value = values[name];
    if (value !== undefined) return value;
    throw fail(R.usage, { expected: `--${name}`, actual: 'not given' });
  };
  const folder = need('metadata-dir');
  const [command, root] = positionals;
  if (command === 'init' && root !== undefined) {
    await mkdir(folder, { recursive: true });
    await initTufFolder(folder, await readFile(root));
    return;
  }
  if (command !== 'refresh' && command !== 'download') {
    throw fail(R.usage, { expected: 'init ROOT, refresh or download', actual: positionals.join(' ') });
  }
  const source = twoMirrors(need('metadata-url'), values['target-base-url'], transport);
  if (command === 'refresh') return withTufFolder({ folder, source }, async () => {});
  const memory = downloads(need('target-dir'));
  await withTufFolder({ folder, source, memory }, async (tuf) => {
    for (const name of values['target-name'] ?? []) {
      memory.use(name);
      await tuf.target(name);
    }
  });
}

if (import.meta.main) {
  try {
    await runTufClient(process.argv.slice(2), httpTransport());
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = error instanceof WaybillError && error.reason.check === 'cli.usage' ? 3 : 1;
  }
}
