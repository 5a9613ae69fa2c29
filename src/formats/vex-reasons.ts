import { defineReasons } from '#base/reason';

export const R = defineReasons({
  vex: {
    code: 'WB-197',
    check: 'vex.form',
    side: 'input',
    summary: 'A VEX document cannot be read.',
    hint: 'give OpenVEX, CSAF 2.0 with product status, or CycloneDX with vulnerabilities',
  },
});
