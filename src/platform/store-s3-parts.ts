/** A file into a bucket: one request when it is small, else parts, each held in memory so that it can be sent again. */
import { type FileHandle, open } from 'node:fs/promises';
import type { CompletedPart, S3Client } from '@aws-sdk/client-s3';

type Sdk = typeof import('@aws-sdk/client-s3');

interface Target {
  readonly Bucket: string;
  readonly Key: string;
}

/** Bytes of a part: above the 5 MiB every store wants, and 10,000 of them are more than any layer. */
const PART_BYTES = 8 * 1024 * 1024;

/** Throws what the SDK throws; parts of an upload that failed are given up. */
export async function putParts(
  sdk: Sdk,
  client: S3Client,
  target: Target,
  { path, size }: { readonly path: string; readonly size: number },
): Promise<void> {
  const file = await open(path, 'r');
  try {
    if (size <= PART_BYTES) {
      const Body = await bytesAt(file, 0, size);
      await client.send(new sdk.PutObjectCommand({ ...target, Body }));
    } else {
      await multipart(sdk, client, target, { file, size });
    }
  } finally {
    await file.close();
  }
}

async function multipart(
  sdk: Sdk,
  client: S3Client,
  target: Target,
  { file, size }: { readonly file: FileHandle; readonly size: number },
): Promise<void> {
  const { UploadId } = await client.send(new sdk.CreateMultipartUploadCommand(target));
  const Parts: CompletedPart[] = [];
  try {
    for (let start = 0; start < size; start += PART_BYTES) {
      const Body = await bytesAt(file, start, Math.min(PART_BYTES, size - start));
      const PartNumber = Parts.length + 1;
      const { ETag } = await client.send(
        new sdk.UploadPartCommand({ ...target, UploadId, PartNumber, Body }),
      );
      Parts.push({ PartNumber, ETag });
    }
    const MultipartUpload = { Parts };
    await client.send(new sdk.CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload }));
  } catch (error) {
    await client.send(new sdk.AbortMultipartUploadCommand({ ...target, UploadId })).catch(() => {});
    throw error;
  }
}

async function bytesAt(file: FileHandle, start: number, length: number): Promise<Uint8Array> {
  const bytes = Buffer.alloc(length);
  let at = 0;
  while (at < length) {
    const { bytesRead } = await file.read(bytes, at, length - at, start + at);
    if (bytesRead === 0) throw new Error(`the file ended after ${start + at} bytes`);
    at += bytesRead;
  }
  return bytes;
}
