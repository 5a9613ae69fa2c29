/** Tables of others, read where they are. A suite whose data is absent says so and registers nothing. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const shared = process.env['WAYBILL_SHARED'] ?? '../shared';

export function vectorRows<T>(path: string): readonly T[] | undefined {
  const file = join(shared, 'vectors', path);
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as readonly T[];
  console.log(`note: vectors/${path} is not there; its suite did not run`);
  return undefined;
}
