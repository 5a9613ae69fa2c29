/** The kept seeds (make-seeds.ts writes them). */
import { readFileSync } from 'node:fs';
import { fromBase64 } from '#base/bytes';

interface SeedFile {
  readonly kinds: Readonly<Record<string, readonly string[]>>;
  readonly verified: { readonly trustedRoot: string; readonly artifact: string; readonly now: number };
}

const file = JSON.parse(readFileSync(new URL('./seeds.json', import.meta.url), 'utf8')) as SeedFile;

export function seeds(...kinds: readonly string[]): Uint8Array[] {
  const found = kinds.flatMap((kind) => file.kinds[kind] ?? []);
  if (found.length === 0) throw new Error(`no seeds of kind ${kinds.join(', ')}`);
  return found.map(fromBase64);
}

export const { verified } = file;
