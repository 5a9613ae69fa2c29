import { defineReasons } from '#base/reason';

export const R = defineReasons({
  host: {
    code: 'WB-1201',
    check: 'stack.host',
    side: 'usage',
    summary: 'A development stack was asked to listen beyond this machine.',
    hint: 'leave --host out; for a shared stack run the stations with waybill serve and a real issuer',
  },
  state: {
    code: 'WB-1202',
    check: 'stack.state',
    side: 'input',
    summary: 'The state file of a stack cannot be used.',
    hint: 'give the data directory of waybill stack up with --stack or WAYBILL_STACK',
  },
  development: {
    code: 'WB-1203',
    check: 'stack.development',
    side: 'usage',
    summary: 'A data directory belongs to a development trust domain, where anybody can be anybody.',
    hint: 'use a data directory of its own for a server that others rely on',
  },
  token: {
    code: 'WB-1204',
    check: 'stack.token',
    side: 'environment',
    summary: 'The development issuer of a stack did not give a token.',
    hint: 'see the message of the issuer; start the stack with waybill stack up --data DIR',
    exit: 31,
  },
  simulate: {
    code: 'WB-1206',
    check: 'stack.simulate',
    side: 'usage',
    summary:
      'A data directory of a stack that simulates an issuer was taken for another kind, or the reverse.',
    hint: 'give --simulate as at the first start, or another data directory',
  },
  portBase: {
    code: 'WB-1205',
    check: 'stack.ports',
    side: 'usage',
    summary: 'The base port cannot be used.',
    hint: 'give a number between 1024 and 65500, or 0 for free ports',
  },
  rotation: {
    code: 'WB-1208',
    check: 'stack.rotation',
    side: 'usage',
    summary: 'A key of a stack cannot be rotated now.',
    hint: 'see waybill stack status; a rotation ends when its overlap is over',
  },
  admin: {
    code: 'WB-1209',
    check: 'stack.running',
    side: 'environment',
    summary: 'A command for a running stack found none, or one that does not answer.',
    hint: 'start it with waybill stack up --data DIR and try again',
    exit: 20,
  },
  backup: {
    code: 'WB-1210',
    check: 'stack.backup',
    side: 'input',
    summary: 'A folder is not the backup of a stack it was taken for, or no place for one.',
    hint: 'give the folder that waybill stack backup wrote, and an empty folder to restore into',
  },
  elsewhere: {
    code: 'WB-1207',
    check: 'stack.registry',
    side: 'input',
    summary: 'The page of a stack was asked for an image of another registry.',
    hint: 'give a name in the registry of the stack, or the digest: the logs are searched for any digest',
    status: 404,
  },
});
