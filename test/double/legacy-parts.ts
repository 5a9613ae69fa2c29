/** What a sample is made of, in the forms tools before bundles kept it. */
import assert from 'node:assert/strict';
import { toBase64, toHex } from '#base/bytes';
import { pemEncode } from '#formats/pem';
import type { Sample } from './virtual-stack.ts';

/** `{SignedEntryTimestamp, Payload}` of the first log entry. */
export function rekorBundleOf({ parts }: Sample): object {
  const [entry] = parts.entries;
  if (entry?.inclusionPromise === undefined) assert.fail('the log of the sample promises nothing');
  return {
    SignedEntryTimestamp: toBase64(entry.inclusionPromise),
    Payload: {
      body: toBase64(entry.canonicalizedBody),
      integratedTime: entry.integratedTime,
      logIndex: entry.logIndex,
      logID: toHex(entry.logId),
    },
  };
}

/** PEM of the certificate; undefined for a sample by a bare key. */
export const certificatePemOf = ({ certificate }: Sample): string | undefined =>
  certificate === undefined ? undefined : pemEncode('CERTIFICATE', certificate.der);
