/** Archives of Java that would take memory from a reader that opens them: large ones in each other, many names. */
import { createCipheriv } from 'node:crypto';
import { limits } from '#base/limits';
import { zip } from '../../test/sbom/binaries.ts';

const MiB = 1024 * 1024;

/** Bytes that no packing makes smaller, the same every time. */
function noise(size: number): Buffer {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(size));
}

/** An archive that says its name, behind `before`, as a launcher stands before one. */
function jar(
  name: string,
  before: Uint8Array,
  content: Readonly<Record<string, Uint8Array>> = {},
): Uint8Array {
  const properties = `groupId=bench\nartifactId=${name}\nversion=1.0\n`;
  return Buffer.concat([
    before,
    zip({ ...content, [`META-INF/maven/bench/${name}/pom.properties`]: properties }),
  ]);
}

/** Each packed into the one before, `depth` in all. */
function nested(depth: number, before: (at: number) => Uint8Array): Uint8Array {
  let made: Uint8Array | undefined;
  for (let at = depth; at > 0; at--) {
    made = jar(`depth-${at}`, before(at), made === undefined ? {} : { [`depth-${at + 1}.jar`]: made });
  }
  return made as Uint8Array;
}

export const ARCHIVES_DEEP = 4;
const SPARE = MiB;

/** As much as may be held of archives in each other, all of one size: none packs to less. */
export function jarsOfNoise(): Uint8Array {
  const own = noise(Math.floor((limits.archiveHeldBytes - SPARE) / ARCHIVES_DEEP));
  return nested(ARCHIVES_DEEP, (at) => (at === ARCHIVES_DEEP ? own : own.subarray(0, 0)));
}

/** The same that pack to nearly nothing: a small file of which large ones come. */
export function jarsOfZeros(): Uint8Array {
  const each = Math.floor((limits.archiveHeldBytes - SPARE) / (ARCHIVES_DEEP - 1));
  const zeros = Buffer.alloc(each);
  return nested(ARCHIVES_DEEP, (at) => (at === 1 ? zeros.subarray(0, 0) : zeros));
}

const NAMES = 49_000;

/** As many entries as are read of one file, in archives that are looked at together. */
export function jarsOfNames(): Uint8Array {
  const names = Object.fromEntries(
    Array.from({ length: NAMES }, (_, i) => [`com/example/classes/of/some/library/Type${i}.class`, '']),
  );
  let made: Uint8Array | undefined;
  for (let at = ARCHIVES_DEEP; at > 0; at--) {
    const inner = made === undefined ? {} : { [`depth-${at + 1}.jar`]: made };
    made = jar(`depth-${at}`, Buffer.alloc(0), { ...names, ...inner } as Record<string, Uint8Array>);
  }
  return made as Uint8Array;
}
