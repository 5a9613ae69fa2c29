import { defineReasons } from '#base/reason';

export const R = defineReasons({
  selfCheck: {
    code: 'WB-1060',
    check: 'tuf.selfCheck',
    side: 'defect',
    summary: 'New TUF metadata did not verify from its own root and was not published.',
    hint: 'the metadata served before is still in place; check the clock and the key files of the data directory',
  },
  keys: {
    code: 'WB-1061',
    check: 'tuf.keys',
    side: 'environment',
    summary: 'The keys of a TUF repository do not belong to its metadata.',
    hint: 'restore the keys folder that was backed up together with the metadata',
    exit: 3,
  },
  notFound: {
    code: 'WB-1062',
    check: 'tuf.path',
    side: 'input',
    class: 'ref',
    summary: 'The TUF repository has no file of this name.',
    hint: 'start at timestamp.json',
    status: 404,
  },
  targetName: {
    code: 'WB-1063',
    check: 'tuf.targetName',
    side: 'usage',
    summary: 'A target name is not a plain file name.',
    hint: 'use letters, digits, dot, underscore and hyphen',
  },
  ceremony: {
    code: 'WB-1064',
    check: 'tuf.rootKeys',
    side: 'usage',
    summary: 'The root of a TUF repository has its keys elsewhere, so a new version cannot be signed here.',
    hint: 'make it with waybill trust root next, have its holders sign it, and bring it with waybill trust root accept',
  },
  root: {
    code: 'WB-1065',
    check: 'tuf.root',
    side: 'input',
    summary: 'A root does not follow the one that is published.',
    hint: 'see waybill trust root show: which version it is, who has signed and who is missing',
  },
  heldElsewhere: {
    code: 'WB-1067',
    check: 'tuf.heldElsewhere',
    side: 'usage',
    summary: 'A new key of a TUF repository belongs where the one before it is, and none was named there.',
    hint: 'make it there and name it with --signer-key, then rotate again',
  },
  metadata: {
    code: 'WB-1066',
    check: 'tuf.metadata',
    side: 'environment',
    class: 'malformed',
    summary: 'A metadata file of a TUF repository is gone or damaged.',
    hint:
      'bring this file back from a backup; a damaged timestamp.json may be removed: the next start signs one that ' +
      'clients follow',
    exit: 3,
  },
});
