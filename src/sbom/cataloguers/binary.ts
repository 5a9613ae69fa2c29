/** Programs that no package manager installed, recognised by their file name and a text inside them. */
import { utf8 } from '#base/bytes';
import { baseOf } from '../paths.ts';
import { NeedleScan } from '../scan-bytes.ts';
import type { Cataloguer, FoundPackage, StreamScan } from '../types.ts';
import { type BinaryRule, binaryRules } from './binary-rules.ts';
import { packageIn } from './common.ts';
import { isProgram } from './elf.ts';

const AROUND_BYTES = 96;

interface Fit {
  readonly rule: BinaryRule;
  readonly match: RegExpExecArray;
}

/** Asked for every file that is no program. */
const textRules = binaryRules.filter((rule) => rule.isText === true);

function fitsOf(base: string): Fit[] {
  return binaryRules.flatMap((rule) => {
    const match = rule.fileName.exec(base);
    return match === null ? [] : [{ rule, match }];
  });
}

export const binary: Cataloguer = {
  name: 'binary',
  reads: 'programs no package manager installed, by a text inside them',
  types: ['generic'],
  evidence: 'installed',
  files: [],
  scanner: {
    accepts: (base, _size, head) =>
      (isProgram(head) ? binaryRules : textRules).some((rule) => rule.fileName.test(base)),
    start: versionScan,
  },
  catalogue(image) {
    const packages: FoundPackage[] = [];
    for (const file of image.files) {
      const found = file.findings?.get('binary');
      if (found === undefined) continue;
      const [name = '', version = ''] = new TextDecoder().decode(found).split('\0');
      const rule = fitsOf(baseOf(file.path)).find((one) => one.rule.name === name)?.rule;
      if (rule !== undefined) packages.push(binaryPackage(rule, version, file.path, file.layer));
    }
    return { packages, unknowns: [] };
  },
};

/** The first text of the first rule that fits; says which rule it was. */
function versionScan(base: string): StreamScan {
  const scans = fitsOf(base).flatMap(({ rule, match }) =>
    rule.texts.map((text) => {
      const marker = typeof text.marker === 'string' ? text.marker : text.marker(match);
      const versionIn = (bytes: Uint8Array): string | undefined =>
        text.version.exec(Buffer.from(bytes).toString('latin1'))?.[1];
      const needle = { bytes: utf8(marker), after: AROUND_BYTES, keep: AROUND_BYTES };
      return { rule, versionIn, scan: new NeedleScan(needle, (bytes) => versionIn(bytes) !== undefined) };
    }),
  );
  return {
    write: (chunk) => {
      for (const { scan } of scans) scan.write(chunk);
    },
    end: () => {
      for (const { rule, scan, versionIn } of scans) {
        const bytes = scan.end();
        const version = bytes === undefined ? undefined : versionIn(bytes);
        if (version !== undefined) return utf8(`${rule.name}\0${version}`);
      }
      return undefined;
    },
  };
}

function binaryPackage(rule: BinaryRule, version: string, path: string, layer: number): FoundPackage {
  const [vendor, product] = rule.cpe;
  const cpes = [`cpe:2.3:a:${vendor}:${product}:${version}:*:*:*:*:*:*:*`];
  return packageIn({ path, layer }, { type: 'generic', name: rule.name, version }, { cpes });
}
