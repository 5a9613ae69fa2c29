/** Where the checkpoint locks of logs are kept: `--lock-dir`, where they were before, or the user's state folder. */
import { resolve } from 'node:path';
import { fail } from '#base/reason';
import { defaultLockDir } from '#platform/checkpoint-lock';
import type { CliContext } from './context.ts';
import { R } from './reasons.ts';

/** Throws WB-1305 for a user without a home, as in some containers, who names no place. */
export function lockDirFrom(
  option: string | undefined,
  before: string | undefined,
  { cwd, env }: CliContext,
): string {
  if (option !== undefined) return resolve(cwd, option);
  const place = before ?? defaultLockDir(env);
  if (place !== undefined) return place;
  const expected = '--lock-dir DIR or WAYBILL_STATE_DIR: a folder that stays, apart from the data';
  throw fail(R.optionValue, { expected, actual: 'no home of this user to keep checkpoint locks in' });
}
