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
  resign: {
    code: 'WB-952',
    check: 'migrate.signature',
    side: 'usage',
    summary: 'A signature cannot be carried into the other layout, because that one signs another document.',
    hint: 'sign the image again in the layout that lacks: waybill sign --format bundle, legacy or both',
  },
  spelling: {
    code: 'WB-954',
    check: 'migrate.envelope',
    side: 'usage',
    summary:
      'The envelope was logged in a spelling that cannot be found again, and old readers compare its hash.',
    hint: 'attest again with --format legacy or both',
  },
  otherEntry: {
    code: 'WB-953',
    check: 'migrate.entry',
    side: 'evidence',
    class: 'log-entry',
    summary: 'The log hands out another entry than the one it promised.',
    hint: 'do not use what this log says; report it to its operator',
    exit: 15,
  },
  migrateKey: {
    code: 'WB-955',
    check: 'migrate.key',
    side: 'usage',
    summary: 'A signature by a bare key is only carried over when it can be verified.',
    hint: 'give the public key with --key',
  },
});
