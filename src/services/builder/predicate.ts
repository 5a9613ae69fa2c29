/** Provenance of one build, v1 and its v0.2 twin, from what the control plane did itself. */
import type { Digest } from '#base/brand';
import { rfc3339 } from '#base/clock';
import { digestHex } from '#base/digest';
import { type NonEmpty, unwrap } from '#base/result';
import { type Subject, statementBytes } from '#formats/intoto';
import type { JsonObject } from '#formats/json';
import {
  PROVENANCE_V1,
  PROVENANCE_V02,
  type ProvenanceV1,
  type ProvenanceV02,
  type ResourceDescriptor,
  slsaPredicate,
} from '#formats/slsa';
import { WAYBILL_BUILD_TYPE } from '#provenance';
import type { BuildClaims } from './config.ts';
import { DEFINITION_PATH } from './definition.ts';
import type { CapabilityReport } from './self-test.ts';
import type { ResolvedSource } from './source.ts';

const TRIGGER = 'api';

export interface BuildRecord {
  readonly id: string;
  readonly invocationUri: string;
  readonly source: ResolvedSource;
  /** Path of the definition in the commit, and the digest of its bytes. */
  readonly definition: { readonly path: string; readonly digest: Digest };
  /** What the request chose: arguments and inputs, by name. */
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly inputs: readonly { readonly name: string; readonly digest: Digest }[];
  readonly base?: { readonly reference: string; readonly digest: Digest };
  readonly report: CapabilityReport;
  readonly builderDigest: string;
  readonly version: string;
  readonly startedMs: number;
  readonly finishedMs: number;
  readonly logDigest: Digest;
}

/** `git+https://host/path@refs/…`, the form every reader of provenance expects. */
const sourceUri = ({ repository }: ResolvedSource): string => `git+${repository}`;

const atRef = (source: ResolvedSource): string =>
  source.ref === undefined ? sourceUri(source) : `${sourceUri(source)}@${source.ref}`;

/** Everything the caller could choose, and nothing else: complete, as level 3 asks. */
export function externalParameters(record: BuildRecord): JsonObject {
  const { source, definition, buildArgs, inputs } = record;
  return {
    source: { uri: sourceUri(source), ...(source.ref === undefined ? {} : { ref: source.ref }) },
    config: { path: definition.path },
    buildArgs: { ...buildArgs },
    inputs: Object.fromEntries(inputs.map(({ name, digest }) => [name, digest])),
    network: record.report.open.includes('loopback-network') ? 'host' : 'none',
  };
}

/** The first is the source: that is where slsa-verifier and others look. */
function dependencies(record: BuildRecord): ResourceDescriptor[] {
  const { source, base, inputs } = record;
  const commit: ResourceDescriptor = {
    uri: atRef(source),
    digest: {
      gitCommit: source.commit,
      gitTree: source.tree,
      ...(source.tagObject === undefined ? {} : { gitTag: source.tagObject }),
    },
    name: 'source',
  };
  const bases =
    base === undefined ? [] : [{ name: 'base', uri: `pkg:oci/${base.reference}`, ...sha(base.digest) }];
  return [
    commit,
    ...bases,
    ...inputs.map(({ name, digest }) => ({ name: `input:${name}`, ...sha(digest, 'waybillTree') })),
  ];
}

/** A tree digest is not the hash of a file, so it goes under a name of its own. */
const sha = (digest: Digest, algorithm = 'sha256'): Pick<ResourceDescriptor, 'digest'> => ({
  digest: { [algorithm]: digestHex(digest) },
});

function internalParameters(record: BuildRecord): JsonObject {
  const { report, source, id } = record;
  return {
    requestId: id,
    trigger: TRIGGER,
    sandbox: {
      backend: report.backend,
      selfTest: report.selfTest,
      open: [...report.open],
      level: report.level.level,
    },
    ...(source.fetchedFrom === undefined ? {} : { mirror: true }),
  };
}

const versions = (record: BuildRecord): Record<string, string> => ({
  waybill: record.version,
  node: process.version,
  builder: record.builderDigest,
  selfTest: record.report.selfTestDigest,
});

function provenanceV1(record: BuildRecord): ProvenanceV1 {
  return {
    buildDefinition: {
      buildType: WAYBILL_BUILD_TYPE,
      externalParameters: externalParameters(record),
      internalParameters: internalParameters(record),
      resolvedDependencies: dependencies(record),
    },
    runDetails: {
      builder: { id: record.report.builderId, version: versions(record) },
      metadata: {
        invocationId: record.invocationUri,
        startedOn: rfc3339(record.startedMs),
        finishedOn: rfc3339(record.finishedMs),
      },
      byproducts: [{ name: 'log', ...sha(record.logDigest) }],
    },
  };
}

/** The same build for readers of v0.2: nothing is invented for fields of other systems. */
function provenanceV02(record: BuildRecord): ProvenanceV02 {
  const { source, definition } = record;
  return {
    builder: { id: record.report.builderId },
    buildType: WAYBILL_BUILD_TYPE,
    invocation: {
      configSource: {
        uri: atRef(source),
        digest: { sha1: source.commit },
        entryPoint: definition.path,
      },
      parameters: externalParameters(record),
      environment: internalParameters(record),
    },
    metadata: {
      buildInvocationId: record.invocationUri,
      buildStartedOn: rfc3339(record.startedMs),
      buildFinishedOn: rfc3339(record.finishedMs),
      completeness: { parameters: true, environment: false, materials: false },
      reproducible: false,
    },
    materials: dependencies(record).map(({ uri, digest, name }) => ({
      uri: uri ?? `waybill:${name ?? 'input'}`,
      ...(digest === undefined ? {} : { digest: legacyDigest(digest) }),
    })),
  };
}

/** v0.2 readers know a commit as `sha1`. */
function legacyDigest(digest: Readonly<Record<string, string>>): Record<string, string> {
  const { gitCommit, ...rest } = digest;
  return gitCommit === undefined ? rest : { sha1: gitCommit, ...rest };
}

/** Both statements about the image `name@digest`; `name` is the repository without tag. */
export function provenanceStatements(
  record: BuildRecord,
  image: { readonly names: readonly string[]; readonly digest: Digest },
): readonly { readonly predicateType: string; readonly bytes: Uint8Array }[] {
  const subject = image.names.map((name) => ({
    name,
    digest: { sha256: digestHex(image.digest) },
  })) as unknown as NonEmpty<Subject>;
  const v1 = unwrap(slsaPredicate({ type: PROVENANCE_V1, value: provenanceV1(record) }));
  const v02 = unwrap(slsaPredicate({ type: PROVENANCE_V02, value: provenanceV02(record) }));
  return [
    {
      predicateType: PROVENANCE_V1,
      bytes: statementBytes({ subject, predicateType: PROVENANCE_V1, predicate: v1 }),
    },
    {
      predicateType: PROVENANCE_V02,
      bytes: statementBytes({
        type: 'https://in-toto.io/Statement/v0.1',
        subject,
        predicateType: PROVENANCE_V02,
        predicate: v02,
      }),
    },
  ];
}

/** What the builder's token for this build says; the certificate repeats it and verifiers compare. */
export function buildClaims(record: Omit<BuildRecord, 'finishedMs' | 'logDigest'>): BuildClaims {
  const { source, definition, report } = record;
  return {
    subject: report.builderId,
    buildSignerUri: report.builderId,
    buildSignerDigest: record.builderDigest,
    runnerEnvironment: 'self-hosted',
    sourceRepositoryUri: source.repository,
    sourceRepositoryDigest: source.commit,
    ...(source.ref === undefined ? {} : { sourceRepositoryRef: source.ref }),
    buildConfigUri: `${source.repository}/${definition.path ?? DEFINITION_PATH}${source.ref === undefined ? '' : `@${source.ref}`}`,
    buildConfigDigest: source.commit,
    buildTrigger: TRIGGER,
    runInvocationUri: record.invocationUri,
  };
}
