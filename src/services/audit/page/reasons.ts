import { defineReasons } from '#base/reason';

export const R = defineReasons({
  pageQuery: {
    code: 'WB-1180',
    check: 'page.query',
    side: 'input',
    summary: 'The search box of the page was sent nothing that can be searched for.',
    hint: 'type a digest or the name of an image',
  },
  pageImage: {
    code: 'WB-1181',
    check: 'page.image',
    side: 'input',
    summary: 'The page was asked for an image that neither the registry nor a log of the stack knows.',
    hint: 'check the digest; images of other registries appear here only when a log of this stack names them',
    status: 404,
  },
  pageStarting: {
    code: 'WB-1182',
    check: 'page.ready',
    side: 'environment',
    summary: 'The page was asked before the stack had finished starting.',
    hint: 'try again in a second',
  },
});
