import { defineReasons } from '#base/reason';

export const R = defineReasons({
  targetForm: {
    code: 'WB-991',
    check: 'copy.target',
    side: 'usage',
    summary: 'An image cannot be copied to a target of this kind.',
    hint: 'copy to a registry or to a layout directory (oci:DIR)',
  },
  targetDigest: {
    code: 'WB-992',
    check: 'copy.targetDigest',
    side: 'usage',
    summary: 'The target names another digest than the source has.',
    hint: 'leave the digest out of the target, or name the source by the digest you expect',
  },
});
