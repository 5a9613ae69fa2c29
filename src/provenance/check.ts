/**
 * Provenance against certificate and expectations, in the order of slsa-verifier (errors depend on it):
 * certificate, issuer, builder, source in the certificate, build type, builder in the predicate, source in the
 * predicate, subject, branch, tag, inputs; then what slsa-verifier leaves out: every value that the predicate
 * repeats from the certificate must be the same there. Pure; the signature was verified before.
 */
import { digestAlgorithm, digestHex } from '#base/digest';
import { reason } from '#base/reason';
import { err, ok, type Result } from '#base/result';
import {
  type BuilderName,
  type CertificateSigner,
  certifiedBuilder,
  isDelegator,
  predicateBuilder,
} from './builder-identity.ts';
import { certificateAgrees, surroundings } from './certificate-claims.ts';
import type {
  Expectations,
  ProvenanceFinding,
  ProvenanceFindings,
  ProvenanceSigner,
} from './expectations.ts';
import { type Provenance, WAYBILL_BUILD_TYPE } from './model.ts';
import { R } from './reasons.ts';
import { parseGoVersion, versionWithin } from './semver.ts';
import { parseSourceUri, refKind } from './source-uri.ts';
import { trustedBuilders } from './trusted.ts';

/** Everything one check sees. `certified` is set by the builder check, which comes before those that use it. */
interface Case {
  readonly provenance: Provenance;
  readonly expected: Expectations;
  readonly signer: CertificateSigner;
  /** Canonical form of the expected source. */
  readonly repository: string;
  readonly certified: BuilderName;
}

/** What was found, or undefined when the caller expected nothing here. */
type Step = (c: Case) => Result<string | undefined>;

const steps: readonly (readonly [string, Step])[] = [
  ['certificate source', certificateSource],
  ['build type', buildType],
  ['builder id', builderId],
  ['source', source],
  ['subject', subject],
  ['branch', branch],
  ['tag', tag],
  ['versioned tag', versionedTag],
  ['workflow inputs', workflowInputs],
  ['certificate claims', ({ provenance, signer }) => certificateAgrees(provenance, signer.claims)],
  ['surroundings', ({ provenance, expected, signer }) => surroundings(provenance, expected, signer.claims)],
];

/**
 * Checks provenance that was signed by `signer`. Fails with the first reason WB-702–719 in the order above.
 * Everything in the findings was compared with the certificate or with an expectation.
 */
export function checkProvenance(
  provenance: Provenance,
  expected: Expectations,
  signer: ProvenanceSigner,
): Result<ProvenanceFindings> {
  const canonical = parseSourceUri(expected.sourceUri);
  if (!canonical.ok) return canonical;
  if (signer.kind !== 'certificate') {
    return err(
      reason(R.certificateForm, { expected: 'a certificate of a workload identity', actual: 'a bare key' }),
    );
  }
  const certified = certifiedBuilder(signer, expected);
  if (!certified.ok) return certified;
  const checks: ProvenanceFinding[] = [
    { check: 'issuer', actual: signer.issuer },
    { check: 'builder', actual: signer.san },
  ];
  const { repository } = canonical.value;
  const subjectOfCheck: Case = { provenance, expected, signer, repository, certified: certified.value };
  for (const [check, step] of steps) {
    const found = step(subjectOfCheck);
    if (!found.ok) return found;
    if (found.value !== undefined) checks.push({ check, actual: found.value });
  }
  const commit = provenance.source?.commit;
  const ref = provenance.trigger?.ref ?? provenance.source?.ref;
  return ok({
    builderId: provenance.builderId,
    buildType: provenance.buildType,
    sourceUri: repository,
    ...(ref === undefined ? {} : { sourceRef: ref }),
    ...(commit === undefined ? {} : { commit }),
    ...(provenance.invocationId === undefined ? {} : { invocationId: provenance.invocationId }),
    ...(provenance.statedLevel === undefined ? {} : { statedLevel: provenance.statedLevel }),
    checks,
    unknownParameters: provenance.unknownParameters,
  });
}

function certificateSource({ signer, repository }: Case): Result<string> {
  const { sourceRepositoryUri, githubWorkflowRepository } = signer.claims;
  const stated =
    sourceRepositoryUri ?? (githubWorkflowRepository && `https://github.com/${githubWorkflowRepository}`);
  if (stated === undefined) {
    return err(reason(R.certificateForm, { expected: 'a source repository claim', actual: 'none' }));
  }
  return sameRepository(stated, repository, 'certificate');
}

function sameRepository(stated: string, repository: string, where: string): Result<string> {
  const parsed = parseSourceUri(stated);
  if (!parsed.ok) return parsed;
  if (parsed.value.repository === repository) return ok(repository);
  return err(reason(R.source, { expected: repository, actual: `${stated} in the ${where}` }));
}

function buildType({ provenance, expected, certified }: Case): Result<string> {
  const actual = provenance.buildType;
  const refuse = (wanted: string): Result<string> =>
    err(reason(R.buildType, { expected: wanted, actual: JSON.stringify(actual) }));
  if (expected.buildType !== undefined) {
    return expected.buildType === actual ? ok(actual) : refuse(expected.buildType);
  }
  const row = (expected.trusted ?? trustedBuilders).find(({ builderId }) => builderId === certified.name);
  if (row !== undefined)
    return row.buildTypes.includes(actual) ? ok(actual) : refuse(row.buildTypes.join(', '));
  if (isDelegator(certified.name)) {
    return provenance.producer === 'slsa-byob' ? ok(actual) : refuse('the delegator build type');
  }
  return provenance.producer === 'other'
    ? refuse(`a known build type such as ${WAYBILL_BUILD_TYPE}`)
    : ok(actual);
}

function builderId({ provenance, expected, certified }: Case): Result<string> {
  const named = predicateBuilder(provenance, certified, expected);
  return named.ok ? ok(provenance.builderId) : named;
}

/** Both the place a build was started from and what it built must be the expected repository, at one ref. */
function source({ provenance, repository }: Case): Result<string> {
  const { trigger, source: built } = provenance;
  if (trigger === undefined || built === undefined) {
    const missing = trigger === undefined ? 'trigger' : 'source';
    return err(reason(R.source, { expected: repository, actual: `no ${missing} in the predicate` }));
  }
  for (const [where, at] of [
    ['trigger', trigger],
    ['source', built],
  ] as const) {
    const same = sameRepository(at.uri, repository, `${where} of the predicate`);
    if (!same.ok) return same;
  }
  // Builders that build a bare commit name no ref for the source; the commit is compared further down.
  const mayOmitRef = provenance.producer === 'slsa-byob' || provenance.producer === 'waybill';
  const refOptional = mayOmitRef && built.ref === undefined;
  if (trigger.ref === undefined && !refOptional) {
    return err(reason(R.uri, { expected: 'a ref after the source URI', actual: trigger.uri }));
  }
  if (!refOptional && trigger.ref !== built.ref) {
    return err(
      reason(R.predicate, {
        check: 'provenance.sourceRef',
        expected: `trigger and source at one ref (${trigger.ref})`,
        actual: built.ref ?? 'no ref',
      }),
    );
  }
  return ok(built.ref === undefined ? built.uri : `${built.uri}@${built.ref}`);
}

function subject({ provenance, expected }: Case): Result<string | undefined> {
  if (expected.artifact === undefined) return ok(undefined);
  const algorithm = digestAlgorithm(expected.artifact);
  const hex = digestHex(expected.artifact);
  if (provenance.subjects.some(({ digest }) => digest[algorithm] === hex)) return ok(expected.artifact);
  const actual = provenance.subjects.map(({ digest }) => digest[algorithm] ?? 'no such digest').join(', ');
  return err(reason(R.subject, { expected: expected.artifact, actual }));
}

function branch({ provenance, expected }: Case): Result<string | undefined> {
  if (expected.sourceBranch === undefined) return ok(undefined);
  const actual = provenance.branch ?? '';
  if (refKind(actual) !== 'branch') {
    return err(reason(R.ref, { expected: 'a branch', actual: actual === '' ? 'none' : actual }));
  }
  if (actual === `refs/heads/${expected.sourceBranch}`) return ok(actual);
  return err(reason(R.branch, { expected: expected.sourceBranch, actual }));
}

function statedTag(provenance: Provenance): Result<string> {
  const actual = provenance.tag ?? '';
  if (refKind(actual) === 'tag') return ok(actual);
  const from = provenance.branch === undefined ? 'no tag' : `no tag, a build from ${provenance.branch}`;
  return err(reason(R.ref, { expected: 'a build from a tag', actual: actual === '' ? from : actual }));
}

function tag({ provenance, expected }: Case): Result<string | undefined> {
  if (expected.sourceTag === undefined) return ok(undefined);
  const stated = statedTag(provenance);
  if (!stated.ok || stated.value === `refs/tags/${expected.sourceTag}`) return stated;
  return err(reason(R.tag, { expected: expected.sourceTag, actual: stated.value }));
}

function versionedTag({ provenance, expected }: Case): Result<string | undefined> {
  if (expected.sourceVersionedTag === undefined) return ok(undefined);
  const wanted = parseGoVersion(expected.sourceVersionedTag);
  if (wanted === undefined) {
    return err(
      reason(R.semver, {
        expected: 'v1, v1.2 or v1.2.3',
        actual: JSON.stringify(expected.sourceVersionedTag),
      }),
    );
  }
  const stated = statedTag(provenance);
  if (!stated.ok) return stated;
  const actual = parseGoVersion(stated.value.slice('refs/tags/'.length));
  if (actual === undefined) {
    return err(reason(R.semver, { expected: 'a semantic version as source tag', actual: stated.value }));
  }
  if (versionWithin(actual, wanted)) return stated;
  return err(reason(R.versionedTag, { expected: expected.sourceVersionedTag, actual: stated.value }));
}

function workflowInputs({ provenance, expected }: Case): Result<string | undefined> {
  if (expected.workflowInputs === undefined) return ok(undefined);
  const refuse = (wanted: string, actual: string): Result<string> =>
    err(reason(R.workflowInputs, { expected: wanted, actual }));
  if (provenance.producer !== 'waybill' && provenance.event !== 'workflow_dispatch') {
    return refuse('a build started by workflow_dispatch', provenance.event ?? 'no event');
  }
  const inputs = provenance.workflowInputs ?? {};
  for (const [name, value] of Object.entries(expected.workflowInputs)) {
    const actual = Object.hasOwn(inputs, name) ? inputs[name] : undefined;
    if (actual !== value) return refuse(`${name}=${value}`, actual === undefined ? 'no such input' : actual);
  }
  return ok(Object.keys(expected.workflowInputs).join(', '));
}
