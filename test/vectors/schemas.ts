/** The official schemas of SBOM formats, as validators. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

const load = (path: string): object => JSON.parse(readFileSync(path, 'utf8')) as object;

export function cycloneDxValidator(shared: string, version: string): ValidateFunction {
  const folder = join(shared, 'vectors/cyclonedx/schema');
  const ajv = new Ajv({ strict: false, validateFormats: true });
  addFormats.default(ajv);
  ajv.addFormat('iri-reference', true);
  ajv.addFormat('idn-email', true);
  for (const name of ['spdx.schema.json', 'jsf-0.82.schema.json', 'cryptography-defs.schema.json']) {
    ajv.addSchema(load(join(folder, name)));
  }
  return ajv.compile(load(join(folder, `bom-${version}.schema.json`)));
}

export function spdxValidator(shared: string, version: '2.3' | '3.0.1'): ValidateFunction {
  const options = { strict: false };
  const ajv = version === '2.3' ? new Ajv2019(options) : new Ajv2020(options);
  addFormats.default(ajv as unknown as Ajv);
  return ajv.compile(load(join(shared, `vectors/spdx/schema/spdx-${version}.schema.json`)));
}
