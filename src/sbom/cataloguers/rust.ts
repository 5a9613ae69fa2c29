/** Rust programs built with `cargo auditable`: the packages compiled in, as compressed JSON in a section. */
import { inflateSync } from 'node:zlib';
import { utf8 } from '#base/bytes';
import { isJsonObject, own } from '#formats/json';
import type { Unknown } from '#formats/sbom';
import { NeedleScan } from '../scan-bytes.ts';
import type { Cataloguer, FoundPackage, ImageFile } from '../types.ts';
import { jsonObject, listIn, objectsIn, packageIn, stringIn } from './common.ts';
import { isProgram, readProgram } from './elf.ts';

const SECTION = '.dep-v0';
/** As it stands in the table of names. */
const sectionName = utf8(`\0${SECTION}\0`);
const MARK_BYTES = 1;
const JSON_BYTES_MAX = 8 * 1024 * 1024;

export const rust: Cataloguer = {
  name: 'rust',
  reads: 'audit data in Rust programs (`cargo auditable`)',
  types: ['cargo'],
  evidence: 'installed',
  files: [],
  scanner: {
    accepts: (_base, _size, head) => isProgram(head),
    start: () => new NeedleScan({ bytes: sectionName, after: sectionName.length, keep: 1 }, () => true),
    needsWhole: (found) => found.length === MARK_BYTES,
  },
  extractor: {
    extract: (bytes) => {
      const section = readProgram(bytes)?.sections.find((one) => one.name === SECTION);
      if (section === undefined) return undefined;
      return inflateSync(section.bytes, { maxOutputLength: JSON_BYTES_MAX });
    },
  },
  catalogue(image) {
    const packages: FoundPackage[] = [];
    const unknowns: Unknown[] = [];
    for (const file of image.files) {
      const bytes = file.findings?.get('rust');
      // Only the mark: the name stands in the program, the section does not.
      if (bytes === undefined || bytes.length === MARK_BYTES) continue;
      try {
        packages.push(...crates(file, bytes, packages.length));
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        unknowns.push({ path: file.path, wantedBy: 'rust', reason });
      }
    }
    return { packages, unknowns };
  },
};

/** Those compiled in; what only ran while building is not in the program. */
function crates(file: ImageFile, bytes: Uint8Array, offset: number): FoundPackage[] {
  const all = objectsIn(jsonObject(bytes), 'packages');
  const isBuild = (i: number): boolean => own(all[i] ?? {}, 'kind') === 'build';
  const index = new Map<number, number>();
  for (const [i] of all.entries()) if (!isBuild(i)) index.set(i, offset + index.size);
  return all.flatMap((one, i) => {
    if (!index.has(i) || !isJsonObject(one)) return [];
    const name = stringIn(one, 'name');
    const version = stringIn(one, 'version');
    if (name === undefined || version === undefined)
      throw new Error(`package ${i} without a name and a version`);
    const needs = listIn(one, 'dependencies').map((at) => index.get(Number(at)));
    return [
      packageIn(file, { type: 'cargo', name, version }, { needs: needs.filter((at) => at !== undefined) }),
    ];
  });
}
