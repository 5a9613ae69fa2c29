import { defineReasons } from '#base/reason';

export const R = defineReasons({
  form: {
    code: 'WB-750',
    check: 'exception.form',
    side: 'input',
    summary: 'A statement is not an exception, or one of its fields cannot be used.',
    hint: 'make it with waybill exception create',
  },
  approvers: {
    code: 'WB-751',
    check: 'exception.approvers',
    side: 'usage',
    summary: 'The file of approvers does not name at least two people by identity and issuer.',
    hint: 'list identity and issuer of everybody who may approve; one person may have several identities',
  },
  statement: {
    code: 'WB-752',
    check: 'exception.statement',
    side: 'evidence',
    summary: 'The signatures of an exception are not over the same statement.',
    hint: 'approve the file that was created, not a copy with other contents',
  },
  approval: {
    code: 'WB-753',
    check: 'exception.approval',
    side: 'evidence',
    summary: 'An exception is not signed by two different people who may approve.',
    hint: 'have another approver run waybill exception approve',
  },
  duration: {
    code: 'WB-754',
    check: 'exception.duration',
    side: 'evidence',
    summary: 'An exception lasts longer than the file of approvers allows.',
    hint: 'create one with an earlier end, or raise maxHours',
  },
  time: {
    code: 'WB-755',
    check: 'exception.time',
    side: 'evidence',
    summary: 'An exception has ended, or has not begun.',
    hint: 'sign the image, or create a new exception',
  },
  scope: {
    code: 'WB-756',
    check: 'exception.scope',
    side: 'evidence',
    summary: 'An exception is for another image, namespace, policy or rule.',
    hint: 'create an exception for exactly this digest and namespace',
  },
  revoked: {
    code: 'WB-757',
    check: 'exception.revoked',
    side: 'evidence',
    summary: 'An exception was revoked.',
    hint: 'sign the image, or create a new exception',
  },
});
