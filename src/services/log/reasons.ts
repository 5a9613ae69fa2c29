import { defineReasons } from '#base/reason';

export const R = defineReasons({
  signature: {
    code: 'WB-1030',
    check: 'log.entry.signature',
    side: 'input',
    class: 'signature',
    summary: 'The signature of a proposed log entry does not verify with the key it names.',
    hint: 'sign the digest or envelope you submit with the private key of the certificate or key beside it',
  },
  verifier: {
    code: 'WB-1031',
    check: 'log.entry.verifier',
    side: 'input',
    summary:
      'The key or certificate of a proposed log entry is malformed or of a kind the log does not take.',
    hint: 'give one PEM certificate or public key; version 2 takes ECDSA, RSA and Ed25519ph keys',
  },
  digest: {
    code: 'WB-1032',
    check: 'log.entry.digest',
    side: 'input',
    summary: 'The digest of a proposed log entry does not fit its hash algorithm.',
    hint: 'send the digest of the algorithm that belongs to the key',
  },
  notFound: {
    code: 'WB-1033',
    check: 'log.find',
    side: 'input',
    class: 'ref',
    summary: 'The log has no such entry, tree or tile.',
    hint: 'check the index or id; the log id of a sharded log is part of an entry id',
    status: 404,
  },
  query: {
    code: 'WB-1034',
    check: 'log.query',
    side: 'input',
    summary: 'A request to the log is malformed.',
    hint: 'see the README of the log service',
    status: 400,
  },
  queryLimit: {
    code: 'WB-1035',
    check: 'log.queryLimit',
    side: 'input',
    class: 'limit',
    summary: 'A request asks for none or for more entries than the log answers at once.',
    hint: 'ask for 1 to 10 entries at a time',
    status: 422,
  },
  config: {
    code: 'WB-1036',
    check: 'log.config',
    side: 'usage',
    summary: 'The configuration of a log is not usable.',
    hint: 'version 1 needs an ECDSA P-256 key and a tree id, version 2 an Ed25519 key',
  },
});
