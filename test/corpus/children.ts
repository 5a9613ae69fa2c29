/** A sample of the cases through the launcher, as people run it: exit code and JSON of a process of its own. */
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { ReasonClass } from '#base/reason';
import { run } from '#platform/process';
import { compiledCode } from '../compiled.ts';
import { bases, type Case } from './case.ts';
import { prepareImage } from './cli-door.ts';
import { exhibit } from './draft.ts';
import { draftOf } from './recipes/index.ts';

export interface ChildFinding {
  readonly id: string;
  readonly fault: string | undefined;
}

const EVERY = 12;

/** Cases that a process with the clock of this machine can be asked. */
const isAsked = (item: Case): boolean =>
  item.room === undefined && !JSON.stringify([item.setting, item.mutation]).includes('clock');

export async function runChildren(cases: readonly Case[], folderOf: () => string): Promise<ChildFinding[]> {
  const findings: ChildFinding[] = [];
  const sample = cases.filter(isAsked).filter((_, i) => i % EVERY === 0);
  for (const item of sample) {
    const fault = await faultOf(item, folderOf());
    if (fault !== 'not asked') findings.push({ id: item.id, fault });
  }
  return findings;
}

interface Printed {
  readonly ok: boolean;
  readonly reason?: { readonly class: ReasonClass };
  readonly images?: readonly { readonly ok: boolean; readonly reason?: { readonly class: ReasonClass } }[];
}

async function faultOf(item: Case, folder: string): Promise<string | undefined> {
  try {
    const words = await prepareImage(
      exhibit(draftOf(bases[item.base] ?? [], item.setting, item.mutation)),
      folder,
    );
    if ('missing' in words) return 'not asked';
    const env = { PATH: process.env['PATH'] ?? '', HOME: folder, ...compiledCode };
    const result = await run(resolve('bin/waybill'), [...words.words, '--json'], { env, timeoutMs: 300_000 });
    const printed = JSON.parse(result.stdout) as Printed;
    const expected = item.image ?? item;
    const [image] = printed.images ?? [];
    const kind = printed.reason?.class ?? image?.reason?.class;
    const isFine =
      kind === expected.class &&
      printed.ok === (expected.verdict === 'accept') &&
      (result.code === 0) === (expected.verdict === 'accept');
    return isFine ? undefined : `exit ${result.code}, ok ${printed.ok}, class ${kind}, not ${expected.class}`;
  } catch (error) {
    return `thrown: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
