/** The predicate beside the certificate: what is said twice must be said alike, and nothing else weighed in. */
import { reason } from '#base/reason';
import { err, ok, type Result } from '#base/result';
import type { FulcioClaims } from '#formats/x509';
import type { Expectations } from './expectations.ts';
import type { Provenance } from './model.ts';
import { R } from './reasons.ts';

/** Events that somebody without write access to the repository can cause. */
const strangersEvents = ['pull_request', 'pull_request_target', 'issue_comment', 'issues', 'workflow_run'];

interface Pair {
  readonly what: string;
  readonly predicate: string | undefined;
  readonly certificate: string | undefined;
}

function pairs(provenance: Provenance, claims: FulcioClaims): readonly Pair[] {
  const { trigger, source, event, invocationId, producer } = provenance;
  // A delegated build may check out another ref than it was started from; the certificate names the start.
  const commit = trigger?.commit ?? (producer === 'slsa-byob' ? undefined : source?.commit);
  const onGitHub = claims.issuer === undefined || claims.issuer.includes('githubusercontent');
  return [
    {
      what: 'commit',
      predicate: commit,
      certificate: claims.sourceRepositoryDigest ?? claims.githubWorkflowSha,
    },
    {
      what: 'commit of the source',
      predicate: producer === 'slsa-byob' ? undefined : source?.commit,
      certificate: claims.sourceRepositoryDigest ?? claims.githubWorkflowSha,
    },
    {
      what: 'ref',
      predicate: trigger?.ref,
      certificate: claims.sourceRepositoryRef ?? claims.githubWorkflowRef,
    },
    { what: 'event', predicate: event, certificate: claims.buildTrigger ?? claims.githubWorkflowTrigger },
    {
      what: 'invocation',
      // The generators write `<run>-<attempt>` where the certificate has a URI.
      predicate: onGitHub && invocationId?.startsWith('https://') !== true ? undefined : invocationId,
      certificate: claims.runInvocationUri,
    },
  ];
}

/** WB-714 when the predicate contradicts the certificate; a claim only one of them has is no contradiction. */
export function certificateAgrees(provenance: Provenance, claims: FulcioClaims): Result<string> {
  const agreed: string[] = [];
  for (const { what, predicate, certificate } of pairs(provenance, claims)) {
    if (predicate === undefined || certificate === undefined) continue;
    if (predicate !== certificate) {
      return err(
        reason(R.certificate, {
          check: `provenance.certificate.${what.split(' ')[0]}`,
          expected: `${what} ${certificate} as in the certificate`,
          actual: predicate,
        }),
      );
    }
    agreed.push(what);
  }
  return ok(agreed.join(', '));
}

/** What weighed in on the build besides source and builder: trigger, runner, unknown parameters, time. */
export function surroundings(
  provenance: Provenance,
  expected: Expectations,
  claims: FulcioClaims,
): Result<string> {
  const refuse = (check: string, wanted: string, actual: string): Result<string> =>
    err(reason(R.unverifiable, { check: `provenance.${check}`, expected: wanted, actual }));
  const event = provenance.event ?? claims.buildTrigger ?? claims.githubWorkflowTrigger;
  if (expected.events !== undefined && (event === undefined || !expected.events.includes(event))) {
    return refuse('event', expected.events.join(', '), event ?? 'none');
  }
  if (expected.events === undefined && event !== undefined && strangersEvents.includes(event)) {
    return refuse('event', 'an event only people with write access can cause', event);
  }
  const runner = claims.runnerEnvironment;
  if (expected.runnerEnvironment !== undefined && runner !== expected.runnerEnvironment) {
    return refuse('runner', expected.runnerEnvironment, runner ?? 'no runner environment in the certificate');
  }
  if (expected.refuseUnknownParameters === true && provenance.unknownParameters.length > 0) {
    return refuse('externalParameters', 'known parameters only', provenance.unknownParameters.join(', '));
  }
  const finished = provenance.finishedOn;
  if (expected.finishedBeforeMs !== undefined && finished !== undefined) {
    if (Date.parse(finished) > expected.finishedBeforeMs) {
      const limit = new Date(expected.finishedBeforeMs).toISOString();
      return refuse('time', `a build finished before ${limit}`, finished);
    }
  }
  return ok([event, runner].filter((text) => text !== undefined).join(', '));
}
