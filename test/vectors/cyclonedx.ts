/**
 * CycloneDX's own suite classified by its schema, every valid file of it read, and our output valid in each version
 * we write.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSbom } from '#formats/sbom-read';
import { writtenSboms } from './sboms.ts';
import { cycloneDxValidator } from './schemas.ts';
import { counted, type Tally } from './tally.ts';

function cases(shared: string, tally: Tally): void {
  const validators = new Map(
    ['1.5', '1.6', '1.7'].map((version) => [version, cycloneDxValidator(shared, version)]),
  );
  for (const version of ['1.6', '1.7']) {
    for (const kind of ['valid', 'invalid']) {
      const folder = join(shared, 'vectors/cyclonedx', version, kind);
      for (const name of readdirSync(folder).sort()) {
        const bytes = new Uint8Array(readFileSync(join(folder, name)));
        const isValid = validators.get(version)?.(JSON.parse(Buffer.from(bytes).toString())) === true;
        tally(isValid === (kind === 'valid'), `${version}/${kind}/${name} is classified`);
        if (kind !== 'valid') continue;
        const read = parseSbom(bytes);
        tally(
          read.ok,
          `${version}/${name} is read: ${read.ok ? '' : `${read.error.expected}, ${read.error.actual}`}`,
        );
      }
    }
  }
  for (const { format, version, bytes } of writtenSboms()) {
    if (format !== 'cyclonedx') continue;
    const validate = validators.get(version);
    const isValid = validate?.(JSON.parse(Buffer.from(bytes).toString())) === true;
    tally(isValid, `our CycloneDX ${version} is valid: ${JSON.stringify(validate?.errors?.slice(0, 2))}`);
    tally(parseSbom(bytes).ok, `our CycloneDX ${version} is read back`);
  }
}

export const cycloneDxVectors = counted('cyclonedx', cases);
