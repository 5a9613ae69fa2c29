import { defineReasons } from '#base/reason';

export const R = defineReasons({
  yaml: {
    code: 'WB-770',
    check: 'workflow.yaml',
    side: 'input',
    summary: 'A workflow file is not YAML, or is larger than a workflow may be.',
    hint: 'correct the text at the position named',
  },
  workflow: {
    code: 'WB-771',
    check: 'workflow.form',
    side: 'input',
    summary:
      'A file is neither a workflow nor an action of GitHub Actions, or a part of it has the wrong form.',
    hint: 'correct the part at the position named; a workflow has jobs, an action has runs',
  },
});
