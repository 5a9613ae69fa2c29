import { defineReasons } from '#base/reason';

export const R = defineReasons({
  blobDigest: {
    code: 'WB-950',
    check: 'blob.digest',
    side: 'usage',
    summary: 'A file given by its digest cannot be signed by a key that signs another hash.',
    hint: 'give the file itself, or its digest under the hash of the key: P-256 and RSA SHA-256, P-384 SHA-384, others SHA-512',
  },
  statementSubject: {
    code: 'WB-951',
    check: 'blob.statement',
    side: 'input',
    summary: 'A statement that is to be signed names no subject by a SHA-2 digest.',
    hint: 'name each subject by its sha256, sha384 or sha512 digest',
  },
});
