/** What is called, and by which name: the generator by its release tag, everything else by commit or digest. */
import { type ActionRef, isCommit, isGenerator, isPinnedImage, isReleaseTag } from './action-ref.ts';
import type { Hit, WorkflowRule } from './finding.ts';
import { describeRef } from './known.ts';
import type { Uses, Workflow } from './model.ts';
import type { Spot } from './spot.ts';

/** Every `uses` of a file. Steps named twice by an alias are one place. */
function usesOf({ jobs, steps }: Workflow): { readonly uses: Uses; readonly isBuilder: boolean }[] {
  const ofSteps = [...steps, ...jobs.flatMap((job) => job.steps)].flatMap(({ uses }) => uses ?? []);
  return [
    ...jobs.flatMap(({ uses }) => (uses === undefined ? [] : [{ uses, isBuilder: isGenerator(uses.ref) }])),
    ...ofSteps.map((uses) => ({ uses, isBuilder: isGenerator(uses.ref) })),
  ];
}

const GENERATOR_NEWEST = 'v2.1.0';

function whyNotTag(ref: string): string {
  if (ref === '') return 'no version';
  if (isCommit(ref))
    return 'a commit: slsa-verifier refuses its signatures, and the generator fails to fetch itself';
  if (/^v\d+(?:\.\d+)?$/.test(ref)) return `${ref}, a tag that moves`;
  return `${ref}, which is no release tag`;
}

const generatorTag: WorkflowRule = {
  code: 'WFD001',
  effect: 'level',
  title: 'The SLSA generator is called by a full release tag.',
  fix: `write @${GENERATOR_NEWEST} (or the release you tested): verifiers match the tag in the certificate`,
  look: (workflow) =>
    usesOf(workflow).flatMap(({ uses, isBuilder }) => {
      if (!isBuilder || uses.ref.kind !== 'repository' || isReleaseTag(uses.ref.ref)) return [];
      return [{ at: uses.at, message: `${uses.text} is called by ${whyNotTag(uses.ref.ref)}` }];
    }),
};

const actionCommit: WorkflowRule = {
  code: 'WFD002',
  effect: 'level',
  title: 'Every other action and reusable workflow is called by a full commit id.',
  fix: 'write the commit the tag names now, and the tag as a comment behind it',
  look: (workflow, around) => {
    const own = new Set(
      workflow.jobs.flatMap((job) => (job.uses !== undefined && around.isBuilder(job) ? [job.uses.at] : [])),
    );
    return usesOf(workflow).flatMap(({ uses, isBuilder }) => {
      const isTagged = uses.ref.kind === 'repository' && isReleaseTag(uses.ref.ref);
      // A builder of the caller's own choice signs under its ref: the tag is the name verifiers expect.
      if (isBuilder || (own.has(uses.at) && isTagged)) return [];
      return pinHit(uses);
    });
  },
};

function pinHit({ at, text, ref }: Uses): Hit[] {
  if (ref.kind === 'unknown') {
    return [
      {
        at,
        message: `${text} names no action: GitHub takes no expressions here`,
        fix: 'write owner/name@commit',
      },
    ];
  }
  if (ref.kind !== 'repository' || isCommit(ref.ref)) return [];
  const message =
    ref.ref === '' ? `${text} names no version` : `${text} is called by ${describeRef(ref)}: it can be moved`;
  return [{ at, message, fix: pinFix(ref) }];
}

/** Which commit it is cannot be known offline; the line that asks can. */
function pinFix({ repository, ref }: ActionRef & { kind: 'repository' }): string {
  const wanted = ref === '' ? 'v1' : ref.replace(/^refs\/(?:tags|heads)\//, '');
  const ask = `git ls-remote https://github.com/${repository} '${wanted}' '${wanted}^{}'`;
  return `write @<commit> # ${wanted}; the commit (of the line with ^{}, where there is one): ${ask}`;
}

const imageDigest: WorkflowRule = {
  code: 'WFD003',
  effect: 'level',
  title: 'Container images that run in a job are named by digest.',
  fix: 'write name:tag@sha256:…; waybill digest name:tag prints the digest',
  look: (workflow) => [
    ...usesOf(workflow).flatMap(({ uses: { at, text, ref } }) =>
      ref.kind === 'image' && !isPinnedImage(ref.image)
        ? [{ at, message: `${text} is not named by digest` }]
        : [],
    ),
    ...workflow.jobs.flatMap(({ field: { value } }) => [
      ...imageHit(value.get('container')),
      ...(value.get('services')?.fields ?? []).flatMap((service) =>
        // A service is asked over the network; it does not run in the place of the build.
        imageHit(service.value).map((hit) => ({ ...hit, effect: 'advice' as const })),
      ),
    ]),
    ...actionImage(workflow),
  ],
};

/** `container: name` or `container: {image: name}`. An image chosen by an expression cannot be judged here. */
function imageHit(container: Spot | undefined): Hit[] {
  const at = container?.isMap === true ? container.get('image') : container;
  const text = at?.text?.trim();
  if (at === undefined || text === undefined || text === '' || isPinnedImage(text)) return [];
  const chosen = text.includes('${{');
  return [
    {
      at,
      message: chosen ? `${text}: which image runs is not in the file` : `${text} is not named by digest`,
      ...(chosen ? { effect: 'advice' as const } : {}),
    },
  ];
}

/** `runs.image` of a container action. */
function actionImage({ root }: Workflow): Hit[] {
  const at = root.get('runs')?.get('image');
  const text = at?.text ?? '';
  if (at === undefined || !text.startsWith('docker://') || isPinnedImage(text)) return [];
  return [{ at, message: `${text} is not named by digest` }];
}

export const pinRules: readonly WorkflowRule[] = [generatorTag, actionCommit, imageDigest];
