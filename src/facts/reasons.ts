import { defineReasons } from '#base/reason';

export const R = defineReasons({
  attachmentForm: {
    code: 'WB-801',
    check: 'facts.attachment',
    side: 'evidence',
    class: 'malformed',
    summary: 'Something attached to an image as a signature or attestation cannot be read.',
    hint: 'remove the broken attachment, or sign again',
  },
  mirror: {
    code: 'WB-802',
    check: 'facts.mirror',
    side: 'usage',
    summary: 'An entry of the mirror map cannot be used.',
    hint: 'write FROM=TO with a trailing /* on both sides or on neither, for example ghcr.io/acme/*=localhost:5000/acme/*',
  },
  defect: {
    code: 'WB-803',
    check: 'facts.defect',
    side: 'defect',
    summary: 'The evidence of an image could not be read because of a defect.',
    hint: 'report it with the log line that names the same image',
  },
});
