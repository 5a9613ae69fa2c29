/** Collection in a registry's data directory while nothing serves from it. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '#base/clock';
import type { Random } from '#base/random';
import { fail } from '#base/reason';
import { lockFolder } from '#platform/folder-lock';
import { type Collected, collectGarbage } from '#services/registry';
import { R } from './reasons.ts';
import { bucketOf } from './store-url.ts';

export interface CollectSettings {
  /** Of `serve registry`, of a stack, or with `store` a folder of its own. */
  readonly dataDir: string;
  /** `s3://…`, as `serve registry` has it. */
  readonly store?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds after its push that what nothing leads to is kept. Absent: for ever. */
  readonly keptMs?: number;
  readonly isTrial: boolean;
}

/** Throws WB-210 while a process serves from the folder, WB-1212 where there is no registry. */
export async function collectRegistry(
  { dataDir, store, env, keptMs, isTrial }: CollectSettings,
  deps: { readonly clock: Clock; readonly random: Random },
): Promise<Collected & { readonly removed: number }> {
  const bucket = store === undefined ? {} : { bucket: bucketOf(store, env) };
  const images = join(dataDir, 'images');
  const found = [images, join(dataDir, 'registry')].find((dir) => existsSync(join(dir, 'registry.sqlite')));
  if (found === undefined && store === undefined) {
    const expected = 'the data directory of `waybill serve registry` or of a stack';
    throw fail(R.settings, { expected, actual: `${dataDir} without a registry` });
  }
  const lock = lockFolder(dataDir);
  try {
    const config = { dataDir: store === undefined ? (found ?? images) : images, ...bucket };
    return await collectGarbage(config, { isTrial, ...(keptMs === undefined ? {} : { keptMs }) }, deps);
  } finally {
    lock.release();
  }
}
