import { defineReasons } from '#base/reason';

export const R = defineReasons({
  deadline: {
    code: 'WB-960',
    check: 'judge.deadline',
    side: 'environment',
    summary: 'The evidence of an image could not be read within the time that was allowed.',
    hint: 'try again: the work goes on, and the next attempt finds its result',
  },
  defect: {
    code: 'WB-961',
    check: 'judge.defect',
    side: 'defect',
    summary: 'The digest of an image could not be found because of a defect.',
    hint: 'report it with the log line that names the same image',
  },
  resource: {
    code: 'WB-962',
    check: 'policy.resource',
    side: 'input',
    summary: 'A file does not hold the Kubernetes objects to judge.',
    hint: 'give a YAML or JSON file with a Pod, or with an object that has a Pod template',
  },
});
