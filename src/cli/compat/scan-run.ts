/** What the modes of scanners share: one native scan, its documents, and its verdict in the words of the tool. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utf8 } from '#base/bytes';
import type { CliContext } from '../context.ts';
import { type FoundVulnerability, gateFound, tellFailure } from './images.ts';
import { type NativeRun, runNative } from './native.ts';

/** A finding as the native verb tells it. */
export interface FoundByScan extends FoundVulnerability {
  readonly state: string;
  readonly score?: number;
  readonly epss?: { readonly probability: number };
}

export interface ScanValueWithGate {
  readonly image: { readonly name: string };
  readonly findings: readonly FoundByScan[];
  readonly gate?: { readonly reasons: readonly { readonly code: string; readonly check: string }[] };
}

/** A document of the native verb, or a text made here; without a file it goes to standard output. */
export interface Wanted {
  readonly format: string | ((value: ScanValueWithGate) => string);
  readonly file?: string;
}

/** Runs the scan once and writes every document; undefined when it ended before there was a result. */
export async function runScan(
  words: readonly string[],
  target: string,
  wanted: readonly Wanted[],
  context: CliContext,
): Promise<{ readonly run: NativeRun; readonly value: ScanValueWithGate } | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-scan-'));
  try {
    const files = wanted.map(({ file }, i) => file ?? join(folder, `${i}`));
    const outputs = wanted.flatMap(({ format }, i) =>
      typeof format === 'string' ? [`--output=${format}=${files[i]}`] : [],
    );
    const argv = ['scan', ...words, ...outputs, '--', target];
    const run = await runNative(() => import('../commands/scan.ts'), argv, context);
    for (const text of run.messages) context.stderr(text);
    if (run.value === undefined) {
      tellFailure(run, 1, context);
      return undefined;
    }
    const value = run.value as ScanValueWithGate;
    const { readFileLimited, writeFileDurable } = await import('#platform/files');
    for (const [i, { format, file }] of wanted.entries()) {
      const own = typeof format === 'string' ? undefined : utf8(`${format(value)}\n`);
      if (own !== undefined && file !== undefined) await writeFileDurable(file, own);
      if (file === undefined) context.stdout(own ?? (await readFileLimited(files[i] as string, 1 << 30)));
    }
    return { run, value };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Whether the gate failed for other reasons than findings: then the answer is worth nothing, which is an error. */
export const isWorthless = (value: ScanValueWithGate): boolean =>
  (value.gate?.reasons.length ?? 0) > 0 && !gateFound(value);
