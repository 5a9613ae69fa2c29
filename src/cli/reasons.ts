import { defineReasons } from '#base/reason';

export const R = defineReasons({
  usage: {
    code: 'WB-1301',
    check: 'cli.usage',
    side: 'usage',
    summary: 'The command line cannot be understood.',
    hint: 'see waybill help',
  },
  unknownVerb: {
    code: 'WB-1302',
    check: 'cli.command',
    side: 'usage',
    summary: 'There is no command of this name.',
    hint: 'see waybill help',
  },
  identityMissing: {
    code: 'WB-1303',
    check: 'cli.identity',
    side: 'usage',
    summary: 'A keyless verification was asked for without saying whose signature is expected.',
    hint: 'give --certificate-identity and --certificate-oidc-issuer, or --key',
  },
  predicateFile: {
    code: 'WB-1304',
    check: 'cli.predicate',
    side: 'input',
    summary: 'The predicate file cannot be used.',
    hint: 'give a file with one JSON value, or - for standard input',
  },
  optionValue: {
    code: 'WB-1305',
    check: 'cli.option',
    side: 'usage',
    summary: 'An option has a value that cannot be used.',
    hint: 'see --help of the command',
  },
});
