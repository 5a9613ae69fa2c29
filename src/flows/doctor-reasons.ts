import { defineReasons } from '#base/reason';

export const R = defineReasons({
  noWorkflows: {
    code: 'WB-935',
    check: 'doctor.workflows',
    side: 'usage',
    summary: 'A folder holds no workflows.',
    hint: 'name a workflow file, a folder of them, or a repository with .github/workflows',
  },
});
