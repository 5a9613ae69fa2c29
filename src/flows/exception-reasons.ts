import { defineReasons } from '#base/reason';

export const R = defineReasons({
  file: {
    code: 'WB-963',
    check: 'exception.file',
    side: 'input',
    summary: 'A file is not an exception or a revocation as waybill writes them.',
    hint: 'make it with waybill exception create, approve or revoke',
  },
  folder: {
    code: 'WB-964',
    check: 'exception.folder',
    side: 'usage',
    summary: 'The folder of exceptions cannot be used.',
    hint: 'name a folder that is there, and move exceptions that have ended out of it',
  },
  outbox: {
    code: 'WB-965',
    check: 'exception.outbox',
    side: 'environment',
    class: 'io',
    summary: 'The uses of exceptions cannot be recorded, or what was recorded cannot be read.',
    hint: 'give --outbox FILE on a disk that can be written: nothing is admitted by an unrecorded exception',
  },
  unproven: {
    code: 'WB-966',
    check: 'exception.logged',
    side: 'evidence',
    class: 'log-entry',
    summary: 'The log took the uses of exceptions without proving that they are in it.',
    hint: 'use a log that answers with an inclusion proof; the uses stay in the outbox',
    exit: 15,
  },
  signer: {
    code: 'WB-967',
    check: 'exception.signer',
    side: 'evidence',
    class: 'identity',
    summary: 'An exception needs signatures of two different people, by certificates.',
    hint: 'have somebody else approve it, with an identity token and not with a key',
    exit: 2,
  },
});
