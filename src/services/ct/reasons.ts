import { defineReasons } from '#base/reason';

export const R = defineReasons({
  chain: {
    code: 'WB-1020',
    check: 'ct.chain',
    side: 'input',
    class: 'chain',
    summary: 'A submitted chain is malformed or does not lead to a root of this log.',
    hint: 'send the certificate, then its issuers in order; see get-roots for the roots taken here',
  },
  kind: {
    code: 'WB-1021',
    check: 'ct.poison',
    side: 'input',
    summary: 'A precertificate came to add-chain, or a certificate to add-pre-chain.',
    hint: 'send poisoned precertificates to add-pre-chain and all else to add-chain',
  },
  query: {
    code: 'WB-1022',
    check: 'ct.query',
    side: 'input',
    summary: 'A request to the certificate log is malformed or outside the tree.',
    hint: 'see RFC 6962 section 4 and ask get-sth for the size of the tree',
  },
  notFound: {
    code: 'WB-1023',
    check: 'ct.find',
    side: 'input',
    summary: 'The certificate log has no entry with this leaf hash, or no such tile or issuer.',
    hint: 'compute the leaf hash with timestamp and extensions of the SCT; ask for tiles below the checkpoint',
    status: 404,
  },
  config: {
    code: 'WB-1024',
    check: 'ct.config',
    side: 'usage',
    summary: 'The configuration of a certificate log is not usable.',
    hint: 'give an ECDSA P-256 key',
  },
});
