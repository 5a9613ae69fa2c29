/** `public/station.json`: what a TUF station, and people, must know of another station. Nothing secret. */

import { fail } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import { parseJson, reader } from '#formats/json';
import { readFileLimited } from '#platform/files';
import { R } from './reasons.ts';

const SCHEMA = 'waybill.dev/station-public/v1';
const BYTES_MAX = 256 * 1024;

export interface PublicFile {
  readonly station: string;
  /** Milliseconds since the epoch: since when what it signs may be believed. */
  readonly createdAt: number;
  /** Authorities: PEM certificates, issuer of leaves first, root last. */
  readonly chain?: string;
  /** Logs: PEM public key. */
  readonly key?: string;
  /** Logs: as entries and SCTs name it, base64. */
  readonly logId?: string;
  /** Transparency logs. */
  readonly api?: 'v1' | 'v2';
}

export function publicFileText(about: PublicFile): string {
  return `${JSON.stringify({ schema: SCHEMA, ...about }, undefined, 2)}\n`;
}

/** Throws WB-209, WB-1212. */
export async function readPublicFile(path: string): Promise<PublicFile> {
  const bytes = await readFileLimited(path, BYTES_MAX);
  const read = attempt((): PublicFile => {
    const json = reader(unwrap(parseJson(bytes)), path, { as: R.settings });
    if (json.string('schema') !== SCHEMA) throw json.wrong('schema', SCHEMA, json.string('schema'));
    const texts = (['chain', 'key', 'logId'] as const).flatMap((name) => {
      const value = json.optionalString(name);
      return value === undefined ? [] : [[name, value] as const];
    });
    const api = json.optionalString('api');
    if (api !== undefined && api !== 'v1' && api !== 'v2') throw json.wrong('api', 'v1 or v2', api);
    return {
      station: json.string('station'),
      createdAt: json.integer('createdAt'),
      ...Object.fromEntries(texts),
      ...(api === undefined ? {} : { api }),
    };
  });
  if (read.ok) return read.value;
  throw fail(R.settings, { expected: `${path} as waybill serve writes it`, actual: read.error.check });
}
