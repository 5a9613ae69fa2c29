import { defineReasons } from '#base/reason';

/** Reasons of references and OCI documents. */
export const R = defineReasons({
  reference: {
    code: 'WB-185',
    check: 'reference.form',
    side: 'usage',
    class: 'ref',
    summary: 'An image reference does not have the form [registry/]repository[:tag][@digest].',
    hint: 'write for example registry.example/team/app:1.2 or registry.example/app@sha256:<64 hex digits>',
  },
  document: {
    code: 'WB-186',
    check: 'oci.document',
    side: 'input',
    summary: 'A manifest, index or image configuration does not have the form the specification asks for.',
    hint: 'rebuild and push the image with a current tool',
  },
  mediaType: {
    code: 'WB-187',
    check: 'oci.mediaType',
    side: 'input',
    class: 'unsupported',
    summary: 'A document is of another media type than it says, is announced as, or is supported.',
    hint: 'push it again as an OCI or Docker schema 2 document; schema 1 is not supported',
  },
  content: {
    code: 'WB-188',
    check: 'oci.content',
    side: 'evidence',
    class: 'digest',
    summary: 'Bytes do not have the digest or the size their descriptor promises.',
    hint: 'the registry, a proxy or the disk altered the content: fetch it from another source and compare',
    exit: 20,
    status: 502,
  },
  limit: {
    code: 'WB-189',
    check: 'oci.limit',
    side: 'input',
    class: 'limit',
    summary: 'A document or a list in it is larger than allowed.',
    hint: 'split the artifact, or remove attachments that are no longer needed',
  },
});
