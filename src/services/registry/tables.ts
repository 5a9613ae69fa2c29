/** Where the tables of a registry in a folder are. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';

export const TABLES_FILE = 'registry.sqlite';

/** Whether a folder holds a registry: an empty file of tables is none. */
export function hasTables(dataDir: string): boolean {
  const file = join(dataDir, TABLES_FILE);
  return existsSync(file) && statSync(file).size > 0;
}
