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
  refused: {
    code: 'WB-1054',
    check: 'tsa.refused',
    side: 'input',
    summary: 'A JSON request asks for a hash, policy or extension this authority does not serve.',
    hint: 'ask for SHA-256, SHA-384 or SHA-512 under policy 1.3.6.1.4.1.57264.2',
  },
});
