/** Where provenance is made: outside the job that builds, by a workflow whose identity the build cannot have. */
import { isContainerGenerator } from './action-ref.ts';
import type { Hit, WorkflowRule } from './finding.ts';
import { codeSteps, makesProvenance } from './known.ts';
import type { Job } from './model.ts';
import { generatorNeeds, missingGrants } from './permission-rules.ts';

const inBuild: WorkflowRule = {
  code: 'WFD010',
  effect: 'level',
  title: 'Provenance is not made in the job that builds.',
  fix: 'call a trusted builder for it, for example generator_container_slsa3.yml@v2.1.0 in a job of its own',
  look: (workflow, around) =>
    workflow.jobs.flatMap((job) => {
      const steps = around.stepsOf(workflow, job);
      const maker = steps.find(makesProvenance);
      if (maker === undefined || codeSteps(steps).length === 0) return [];
      const message = `the job ${job.id} makes provenance about what it builds itself: whoever controls the build writes it`;
      return [{ at: maker.at, message }];
    }),
};

const asWorkflow: WorkflowRule = {
  code: 'WFD011',
  effect: 'level',
  title: 'Provenance is signed by a builder that its caller cannot change.',
  fix: 'call a trusted builder for it; name one of your own with --builder owner/name/.github/workflows/file.yml',
  look: (workflow, around) =>
    workflow.jobs.flatMap((job) => {
      const steps = around.stepsOf(workflow, job);
      const maker = steps.find(makesProvenance);
      if (maker === undefined || codeSteps(steps).length > 0) return [];
      const message = `the provenance of the job ${job.id} is signed as this workflow: a verifier cannot tell it from one that the build signed, and whoever can change the workflow can write it`;
      return [{ at: maker.at, message }];
    }),
};

const call: WorkflowRule = {
  code: 'WFD012',
  effect: 'level',
  title: 'The generator gets the digest of the job that built, and the permissions it needs.',
  fix: 'see the call in docs/doctor.md',
  look: (workflow) =>
    workflow.jobs.flatMap((job) => {
      if (job.uses === undefined || !isContainerGenerator(job.uses.ref)) return [];
      const { names, edits } = missingGrants(workflow, job, generatorNeeds);
      const grants: Hit[] =
        names.length === 0
          ? []
          : [
              {
                at: job.permissions?.field.key ?? job.field.key,
                message: `the job ${job.id} lacks ${names.map((name) => `${name}: ${generatorNeeds[name]}`).join(', ')}: the generator cannot run`,
                fix: 'add the permissions',
                edits,
              },
            ];
      return [...grants, ...inputHits(job)];
    }),
};

function inputHits(job: Job): Hit[] {
  const at = job.uses?.at;
  if (at === undefined) return [];
  const inputs = job.field.value.get('with');
  const hits: Hit[] = [];
  const digest = inputs?.get('digest');
  const source = /needs\.([\w-]+)\.outputs\./.exec(digest?.text ?? '')?.[1];
  if (source === undefined || !job.needs.includes(source)) {
    hits.push({
      at: digest ?? at,
      message: `the digest of the job ${job.id} is not an output of a job it needs: it is not what was built`,
      fix: 'write digest: ${{ needs.build.outputs.digest }} and needs: [build]',
    });
  }
  const image = inputs?.get('image');
  const name = image?.text ?? '';
  if (/@|:[^/]*$/.test(name.replace(/\$\{\{.*?\}\}/g, ''))) {
    hits.push({
      at: image ?? at,
      message: `${name} has a tag or a digest`,
      fix: 'write the repository alone: the digest is an input of its own',
    });
  }
  return hits;
}

export const provenanceRules: readonly WorkflowRule[] = [inBuild, asWorkflow, call];
