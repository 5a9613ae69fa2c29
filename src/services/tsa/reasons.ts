import { defineReasons } from '#base/reason';

export const R = defineReasons({
  request: {
    code: 'WB-1050',
    check: 'tsa.request',
    side: 'input',
    summary: 'A request for a timestamp is not of a form the API has.',
    hint: 'send DER as application/timestamp-query, or JSON with artifactHash and hashAlgorithm',
  },
  authority: {
    code: 'WB-1051',
    check: 'tsa.authority',
    side: 'usage',
    summary: 'The keys and certificates of the timestamp authority do not belong together.',
    hint: 'restore the data directory of the authority from its backup; never delete one of its files alone',
  },
  contentType: {
    code: 'WB-1052',
    check: 'tsa.contentType',
    side: 'input',
    summary: 'A request for a timestamp has another content type than the API takes.',
    hint: 'send application/timestamp-query or application/json',
    status: 415,
  },
  lifetime: {
    code: 'WB-1053',
    check: 'tsa.lifetime',
    side: 'environment',
    summary: 'The certificate of the timestamp authority is not valid now, so it answers nothing.',
    hint: 'rotate the authority and publish its chain in the trusted root; check the clock of its machine',
    exit: 30,
  },
  hash: {
    code: 'WB-1054',
    check: 'tsa.hash',
    side: 'input',
    summary: 'A request names a hash algorithm that this authority does not know.',
    hint: 'ask for SHA-256, SHA-384 or SHA-512',
  },
  weakHash: {
    code: 'WB-1055',
    check: 'tsa.weakHash',
    side: 'input',
    summary: 'A request is about a SHA-1 hash, for which a second content can be made.',
    hint: 'ask for SHA-256, SHA-384 or SHA-512',
  },
  policy: {
    code: 'WB-1056',
    check: 'tsa.policy',
    side: 'input',
    summary: 'A request wants a timestamp under a policy this authority does not serve.',
    hint: 'ask under policy 1.3.6.1.4.1.57264.2, or name none',
  },
  extension: {
    code: 'WB-1057',
    check: 'tsa.extension',
    side: 'input',
    summary: 'A request has an extension this authority does not understand.',
    hint: 'send no extensions',
  },
  clock: {
    code: 'WB-1058',
    check: 'tsa.clock',
    side: 'environment',
    summary:
      'The clock of the timestamp authority is not where its sources of time are, so it stamps nothing.',
    hint: 'look at the time service of its machine and at the sources given with --ntp-server; it goes on by itself',
    exit: 30,
  },
});
