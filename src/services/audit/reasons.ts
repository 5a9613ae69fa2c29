import { defineReasons } from '#base/reason';

export const R = defineReasons({
  query: {
    code: 'WB-1170',
    check: 'audit.query',
    side: 'input',
    summary: 'An audit query names nothing that can be searched for.',
    hint: 'give digest=sha256:<64 hex digits>, identity=NAME or issuer=URL',
    status: 400,
  },
});
