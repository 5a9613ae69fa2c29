import { defineReasons } from '#base/reason';

export const R = defineReasons({
  slsaForm: {
    code: 'WB-199',
    check: 'slsa.form',
    side: 'input',
    summary: 'A SLSA predicate does not have the form its type prescribes.',
    hint: 'compare the predicate with the specification at slsa.dev',
  },
});
