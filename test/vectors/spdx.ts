/** The examples of SPDX 2.3 and 3.0.1: valid by their schema and read; our output valid and read back. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSbom } from '#formats/sbom-read';
import { writtenSboms } from './sboms.ts';
import { spdxValidator } from './schemas.ts';
import { counted, type Tally } from './tally.ts';

function cases(shared: string, tally: Tally): void {
  const validators = new Map(
    (['2.3', '3.0.1'] as const).map((version) => [version as string, spdxValidator(shared, version)]),
  );
  for (const [version, validate] of validators) {
    const folder = join(shared, `vectors/spdx/examples-${version}`);
    const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
    for (const name of names.sort()) {
      const bytes = new Uint8Array(readFileSync(join(folder, name)));
      tally(validate(JSON.parse(Buffer.from(bytes).toString())), `${name} is valid`);
      const read = parseSbom(bytes);
      tally(read.ok, `${name} is read: ${read.ok ? '' : `${read.error.expected}, ${read.error.actual}`}`);
    }
  }
  for (const { format, version, bytes } of writtenSboms()) {
    if (format !== 'spdx') continue;
    const validate = validators.get(version);
    const isValid = validate?.(JSON.parse(Buffer.from(bytes).toString())) === true;
    tally(isValid, `our SPDX ${version} is valid: ${JSON.stringify(validate?.errors?.slice(0, 3))}`);
    tally(parseSbom(bytes).ok, `our SPDX ${version} is read back`);
  }
}

export const spdxVectors = counted('spdx', cases);
