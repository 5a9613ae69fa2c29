/**
 * An S3-compatible bucket with the four calls a store needs. Conditional writes (`If-None-Match`, `If-Match`) are
 * what makes it a place for a lock; a store that ignores them is found out when it is opened.
 */
import type { S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import { toHex, utf8 } from '#base/bytes';
import { fail } from '#base/reason';
import type { Secret } from '#base/secret';
import { R } from './reasons.ts';
import { putParts } from './store-s3-parts.ts';
import { systemRandom } from './system.ts';

export interface BucketOptions {
  /** Absolute address; absent: Amazon's, by region. */
  readonly endpoint?: string;
  readonly region: string;
  readonly bucket: string;
  /** Before every key, without slashes at its ends; default none. */
  readonly prefix?: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: Secret;
}

/** What a write requires to be there: nothing, or the very object with this tag. */
export type PutCondition = { readonly absent: true } | { readonly etag: string };

export interface BucketObject {
  readonly bytes: Uint8Array;
  readonly etag: string;
}

/**
 * Contract: a `put` or `delete` that resolves is durable and seen by every later call of anyone. A conditional
 * `put` that resolves to false changed nothing; one that throws may have been done.
 */
export interface Bucket {
  get(key: string): Promise<BucketObject | undefined>;
  put(key: string, bytes: Uint8Array, condition?: PutCondition): Promise<boolean>;
  delete(key: string): Promise<void>;
  /** Bytes `start` to `end` inclusive as they come; undefined without the object. */
  read(key: string, start: number, end: number): Promise<AsyncIterable<Uint8Array> | undefined>;
  /** An object from a file of `size` bytes, in parts when it is large; the whole of it or nothing. */
  putFile(key: string, path: string, size: number): Promise<void>;
  /** Keys that begin with `prefix`, in order. */
  list(prefix: string): Promise<readonly string[]>;
  close(): void;
}

/** Attempts of a call that may be repeated without harm. */
const ATTEMPTS = 4;
const REQUEST_TIMEOUT_MS = 20_000;
const CONNECT_TIMEOUT_MS = 5_000;

/** Opens a bucket that exists. The SDK is loaded here and nowhere else. Throws WB-214. */
export async function openBucket(options: BucketOptions): Promise<Bucket> {
  const sdk = await import('@aws-sdk/client-s3');
  const { bucket: Bucket } = options;
  const prefix = options.prefix === undefined || options.prefix === '' ? '' : `${options.prefix}/`;
  const client = clientOf(sdk, options, ATTEMPTS);
  // A repeated conditional write would meet its own first attempt and report that someone else was faster.
  const once = clientOf(sdk, options, 1);
  return {
    get: async (key) => {
      try {
        const object = await client.send(new sdk.GetObjectCommand({ Bucket, Key: prefix + key }));
        const bytes = await object.Body?.transformToByteArray();
        if (bytes === undefined || object.ETag === undefined)
          throw new Error('an answer without body or ETag');
        return { bytes, etag: object.ETag };
      } catch (error) {
        if (statusOf(error) === 404) return undefined;
        throw objectError(error);
      }
    },
    put: async (key, bytes, condition) => {
      const target = { Bucket, Key: prefix + key, Body: bytes };
      const send = condition === undefined ? client : once;
      try {
        await send.send(new sdk.PutObjectCommand({ ...target, ...headersOf(condition) }));
        return true;
      } catch (error) {
        if (condition !== undefined && isRefusal(error, condition)) return false;
        throw objectError(error);
      }
    },
    delete: async (key) => {
      await client.send(new sdk.DeleteObjectCommand({ Bucket, Key: prefix + key })).catch(rethrow);
    },
    read: async (key, start, end) => {
      try {
        const range = { Range: `bytes=${start}-${end}` };
        const { Body } = await client.send(new sdk.GetObjectCommand({ Bucket, Key: prefix + key, ...range }));
        return Body as unknown as AsyncIterable<Uint8Array>;
      } catch (error) {
        if (statusOf(error) === 404) return undefined;
        throw objectError(error);
      }
    },
    putFile: async (key, path, size) => {
      await putParts(sdk, client, { Bucket, Key: prefix + key }, { path, size }).catch(rethrow);
    },
    list: async (start) => {
      const keys: string[] = [];
      const pages = sdk.paginateListObjectsV2({ client }, { Bucket, Prefix: prefix + start });
      try {
        for await (const page of pages) {
          for (const { Key } of page.Contents ?? [])
            if (Key !== undefined) keys.push(Key.slice(prefix.length));
        }
      } catch (error) {
        throw objectError(error);
      }
      return keys.sort();
    },
    close: () => {
      client.destroy();
      once.destroy();
    },
  };
}

type Sdk = typeof import('@aws-sdk/client-s3');

function clientOf(sdk: Sdk, options: BucketOptions, maxAttempts: number): S3Client {
  const { endpoint, region, accessKeyId, secretAccessKey } = options;
  return new sdk.S3Client({
    region,
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    credentials: { accessKeyId, secretAccessKey: secretAccessKey.reveal() },
    maxAttempts,
    requestHandler: { requestTimeout: REQUEST_TIMEOUT_MS, connectionTimeout: CONNECT_TIMEOUT_MS },
    // Many compatible stores know no trailing checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
}

function headersOf(condition: PutCondition | undefined): { IfNoneMatch?: string; IfMatch?: string } {
  if (condition === undefined) return {};
  return 'absent' in condition ? { IfNoneMatch: '*' } : { IfMatch: condition.etag };
}

/**
 * 412: the condition does not hold. 409: another write of the key was under way, and nothing was done. 404: the
 * object `If-Match` names is gone.
 */
function isRefusal(error: unknown, condition: PutCondition): boolean {
  const status = statusOf(error);
  return status === 412 || status === 409 || (status === 404 && 'etag' in condition && !isNoBucket(error));
}

const isNoBucket = (error: unknown): boolean => (error as Error).name === 'NoSuchBucket';

function statusOf(error: unknown): number | undefined {
  if (isNoBucket(error)) return undefined;
  return (error as Partial<S3ServiceException>).$metadata?.httpStatusCode;
}

function objectError(error: unknown): Error {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  const actual = [name, message].filter((part) => part !== '').join(': ');
  return fail(R.objects, { expected: 'an answer of the object store', actual }, error);
}

function rethrow(error: unknown): never {
  throw objectError(error);
}

const PROBE = 'waybill-probe';

/**
 * Shows that a bucket honours both conditions; without them two writers could both believe they moved the lock. Any
 * number of machines may ask at once: each has a key of its own. Throws WB-214.
 */
export async function requireConditionalWrites(bucket: Bucket): Promise<void> {
  const key = `${PROBE}-${toHex(systemRandom.bytes(8))}`;
  await bucket.put(key, utf8('1'));
  const before = await bucket.get(key);
  const createdTwice = await bucket.put(key, utf8('2'), { absent: true });
  await bucket.put(key, utf8('3'));
  const movedFromOld = await bucket.put(key, utf8('4'), { etag: before?.etag ?? '""' });
  await bucket.delete(key);
  if (!createdTwice && !movedFromOld) return;
  const ignored = createdTwice ? 'If-None-Match' : 'If-Match';
  throw fail(R.objects, {
    expected: 'a store that honours conditional writes',
    actual: `${ignored} ignored`,
  });
}
