/** Where a log lives, from addresses: `postgres://…`, `s3://BUCKET[/PREFIX]?endpoint=…&region=…`, or a folder. */
import { fail } from '#base/reason';
import { Secret } from '#base/secret';
import type { StoreSettings } from '#platform/store-open';
import type { LogRole } from './placed-log.ts';
import { R } from './reasons.ts';

type BucketOptions = Extract<StoreSettings, { kind: 's3' }>['bucket'];

export interface PlaceSettings {
  /** `postgres://…`: many machines; `s3://…`: one writer over a bucket. Absent: a folder. */
  readonly store?: string;
  /** `s3://BUCKET[/PREFIX]?endpoint=…&region=…`: tiles, with a database for the rest. */
  readonly objects?: string;
  /** File of the checkpoint lock of a log in a folder, out of what is backed up. */
  readonly lockFile?: string;
  /** Where the keys of a bucket are. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** What this process does; default: both. */
  readonly role?: LogRole;
}

/** `log` is its name in a database, which may hold others. Throws WB-1212. */
export function logPlace(
  { store, objects, env = {}, lockFile }: PlaceSettings,
  log: string,
  dataDir: string,
): StoreSettings {
  if (store === undefined) {
    if (objects !== undefined) {
      throw fail(R.settings, { expected: '--objects together with --store postgres://…', actual: 'alone' });
    }
    return { kind: 'embedded', directory: dataDir, ...(lockFile === undefined ? {} : { lockFile }) };
  }
  if (lockFile !== undefined) {
    throw fail(R.settings, { expected: '--lock-file with a folder', actual: `with ${store.split(':')[0]}` });
  }
  if (/^postgres(?:ql)?:\/\//.test(store)) {
    const tiles = objects === undefined ? {} : { tiles: bucketOf(objects, env) };
    return { kind: 'postgres', url: store, log, ...tiles };
  }
  if (store.startsWith('s3://') && objects === undefined) {
    return { kind: 's3', bucket: bucketOf(store, env), indexFile: `${dataDir}/names.db` };
  }
  throw fail(R.settings, { expected: '--store postgres://… or s3://…', actual: store.split(':')[0] ?? '' });
}

/** Keys are taken from the environment. Throws WB-1212. */
export function bucketOf(text: string, env: Readonly<Record<string, string | undefined>>): BucketOptions {
  const url = URL.parse(text);
  if (url === null || url.protocol !== 's3:' || url.hostname === '') {
    throw fail(R.settings, {
      expected: 's3://BUCKET[/PREFIX]?endpoint=URL&region=NAME',
      actual: 'another form',
    });
  }
  const [accessKeyId, secretAccessKey] = [env['AWS_ACCESS_KEY_ID'], env['AWS_SECRET_ACCESS_KEY']];
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    const expected = 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment';
    throw fail(R.settings, { expected, actual: 'one of them, or none' });
  }
  const endpoint = url.searchParams.get('endpoint') ?? env['AWS_ENDPOINT_URL'];
  const prefix = url.pathname.replace(/^\/|\/$/g, '');
  return {
    bucket: url.hostname,
    region: url.searchParams.get('region') ?? env['AWS_REGION'] ?? 'us-east-1',
    accessKeyId,
    secretAccessKey: new Secret(secretAccessKey),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(prefix === '' ? {} : { prefix }),
  };
}
