/** Statement → `Provenance`: one reader, one adapter for each producer (where it keeps source, ref, inputs). */
import { reason } from '#base/reason';
import { err, ok, type Result } from '#base/result';
import type { Statement } from '#formats/intoto';
import { isJsonObject, type JsonObject, type JsonValue, own } from '#formats/json';
import {
  type Material,
  type ProvenanceV1,
  type ProvenanceV02,
  parseProvenance,
  type ResourceDescriptor,
} from '#formats/slsa';
import { type Producer, type Provenance, type SourceRevision, WAYBILL_BUILD_TYPE } from './model.ts';
import { R } from './reasons.ts';
import { parseSourceUri, refKind } from './source-uri.ts';

const generator = 'https://github.com/slsa-framework/slsa-github-generator';

const producers: Readonly<Record<string, Producer>> = {
  [WAYBILL_BUILD_TYPE]: 'waybill',
  [`${generator}/container@v1`]: 'slsa-generator',
  [`${generator}/generic@v1`]: 'slsa-generator',
  [`${generator}/go@v1`]: 'slsa-generator',
  [`${generator}@v1`]: 'slsa-generator',
  'https://github.com/slsa-framework/slsa-github-generator-go@v1': 'slsa-generator',
  [`${generator}/delegator-generic@v0`]: 'slsa-byob',
  'https://slsa.dev/container-based-build/v0.1?draft': 'slsa-container',
  'https://actions.github.io/buildtypes/workflow/v1': 'github',
  'https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1': 'npm',
  'https://github.com/npm/cli/gha/v2': 'npm',
  'https://github.com/npm/cli/gha@v1': 'npm',
};

/** The external parameters each producer documents; anything else is reported. */
const knownParameters: Readonly<Record<Producer, readonly string[]>> = {
  waybill: ['source', 'config', 'buildArgs', 'inputs', 'network'],
  'slsa-generator': ['source', 'parameters', 'entryPoint'],
  'slsa-byob': ['inputs', 'vars'],
  'slsa-container': ['source', 'builderImage', 'configPath', 'buildConfig'],
  github: ['workflow', 'inputs', 'source', 'parameters', 'entryPoint'],
  npm: ['workflow', 'inputs', 'source', 'parameters', 'entryPoint'],
  other: [],
};

/**
 * Reads provenance v1 or v0.2. Fails with WB-701 for another predicate type, WB-199 for a malformed one and
 * WB-707 for a source that is no repository URI.
 */
export function readProvenance(statement: Statement): Result<Provenance> {
  const parsed = parseProvenance(statement.predicateType, statement.predicate);
  if (!parsed.ok) {
    return err(
      reason(R.predicate, {
        expected: 'SLSA provenance',
        actual: `${parsed.error.check}: ${parsed.error.actual}`,
        class: parsed.error.class,
      }),
    );
  }
  const facts = parsed.value.version === 'v1' ? fromV1(parsed.value.value) : fromV02(parsed.value.value);
  const producer = producers[facts.buildType] ?? 'other';
  const located = locate(producer, facts);
  if (!located.ok) return located;
  const known = knownParameters[producer];
  return ok({
    predicateVersion: parsed.value.version,
    producer,
    subjects: statement.subject,
    builderId: facts.builderId,
    buildType: facts.buildType,
    externalParameters: facts.externalParameters,
    unknownParameters: Object.keys(facts.externalParameters).filter((name) => !known.includes(name)),
    dependencies: facts.dependencies,
    environment: facts.environment,
    ...optional('statedLevel', statedLevel(producer, facts)),
    ...facts.run,
    ...located.value,
  });
}

/** What both predicate versions say, before a producer's adapter looks at it. */
interface Facts {
  readonly builderId: string;
  readonly buildType: string;
  readonly externalParameters: JsonObject;
  readonly environment: JsonObject;
  readonly dependencies: readonly ResourceDescriptor[];
  readonly configSource: string | undefined;
  readonly run: Pick<Provenance, 'invocationId' | 'startedOn' | 'finishedOn'>;
}

const optional = <K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } =>
  (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: V };

function fromV1(predicate: ProvenanceV1): Facts {
  const { buildDefinition: definition, runDetails: run } = predicate;
  const internal = definition.internalParameters ?? {};
  const github = own(internal, 'github');
  return {
    builderId: run.builder.id,
    buildType: definition.buildType,
    externalParameters: definition.externalParameters,
    environment: isJsonObject(github) ? { ...internal, ...github } : internal,
    dependencies: definition.resolvedDependencies ?? [],
    configSource: undefined,
    run: {
      ...optional('invocationId', run.metadata?.invocationId),
      ...optional('startedOn', run.metadata?.startedOn),
      ...optional('finishedOn', run.metadata?.finishedOn),
    },
  };
}

const dependency = (material: Material): ResourceDescriptor => ({ ...material });

/** The mapping of the specification: parameters and entry point are external, materials are dependencies. */
function fromV02(predicate: ProvenanceV02): Facts {
  const call = predicate.invocation;
  const parameters = call?.parameters;
  const external: Record<string, JsonValue> = isJsonObject(parameters)
    ? { ...parameters }
    : optional('parameters', parameters);
  // A tool's own parameters stay one field, so that they cannot pose as the fields added here.
  const grouped: JsonObject =
    predicate.buildType === WAYBILL_BUILD_TYPE
      ? external
      : {
          ...(Object.keys(external).length === 0 ? {} : { parameters: external }),
          ...optional('source', call?.configSource?.uri),
          ...optional('entryPoint', call?.configSource?.entryPoint),
        };
  return {
    builderId: predicate.builder.id,
    buildType: predicate.buildType,
    externalParameters: grouped,
    environment: call?.environment ?? {},
    dependencies: (predicate.materials ?? []).map(dependency),
    configSource: call?.configSource?.uri,
    run: {
      ...optional('invocationId', predicate.metadata?.buildInvocationId),
      ...optional('startedOn', predicate.metadata?.buildStartedOn),
      ...optional('finishedOn', predicate.metadata?.buildFinishedOn),
    },
  };
}

function statedLevel(producer: Producer, facts: Facts): number | undefined {
  if (producer !== 'waybill') return undefined;
  const sandbox = own(facts.environment, 'sandbox');
  const level = isJsonObject(sandbox) ? own(sandbox, 'level') : undefined;
  // A build of ours that says nothing is not believed to be isolated.
  return typeof level === 'number' ? level : 1;
}

const textOf = (value: JsonValue | undefined): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

/** A GitHub value, spelt `github_ref` by the generators and `GITHUB_REF` by delegators. */
const github = (facts: Facts, name: string): JsonValue | undefined =>
  own(facts.environment, `github_${name}`) ?? own(facts.environment, `GITHUB_${name.toUpperCase()}`);

type Located = Pick<Provenance, 'trigger' | 'source' | 'branch' | 'tag' | 'event' | 'workflowInputs'>;

function locate(producer: Producer, facts: Facts): Result<Located> {
  const source = sourceOf(facts);
  if (!source.ok) return source;
  const trigger = triggerOf(producer, facts);
  if (!trigger.ok) return trigger;
  const event = textOf(github(facts, 'event_name')) ?? textOf(own(facts.environment, 'event_name'));
  return ok({
    ...optional('source', source.value),
    ...optional('trigger', trigger.value),
    ...refsOf(producer, facts, trigger.value ?? source.value),
    ...optional('event', event ?? textOf(own(facts.environment, 'trigger'))),
    ...optional('workflowInputs', inputsOf(facts)),
  });
}

const commitOf = (digest: Readonly<Record<string, string>> | undefined): string | undefined =>
  digest?.['gitCommit'] ?? digest?.['sha1'];

function revision(uri: string | undefined, commit: string | undefined): Result<SourceRevision | undefined> {
  if (uri === undefined) return ok(undefined);
  const parsed = parseSourceUri(uri);
  if (!parsed.ok) return parsed;
  const { repository, ref } = parsed.value;
  return ok({ uri: repository, ...optional('ref', ref), ...optional('commit', commit) });
}

/** The first dependency is the source, for every producer that names one (slsa-verifier reads the same). */
function sourceOf(facts: Facts): Result<SourceRevision | undefined> {
  const first = facts.dependencies[0];
  if (first?.uri === undefined || !/^(?:git\+|https:|ssh:|git:)/.test(first.uri)) return ok(undefined);
  return revision(first.uri, commitOf(first.digest));
}

function triggerOf(producer: Producer, facts: Facts): Result<SourceRevision | undefined> {
  const commit = textOf(github(facts, 'sha')) ?? textOf(github(facts, 'sha1'));
  if (facts.configSource !== undefined) return revision(facts.configSource, commit);
  const external = facts.externalParameters;
  if (producer === 'github' || producer === 'npm') {
    const workflow = own(external, 'workflow');
    if (!isJsonObject(workflow)) return ok(undefined);
    const repository = textOf(own(workflow, 'repository'));
    const ref = textOf(own(workflow, 'ref'));
    return revision(repository && `${repository}${ref === undefined ? '' : `@${ref}`}`, commit);
  }
  if (producer === 'slsa-byob' || producer === 'slsa-container') {
    const repository = textOf(github(facts, 'repository'));
    const ref = textOf(github(facts, 'workflow_ref'))?.split('@')[1];
    return revision(repository && `https://github.com/${repository}${ref ? `@${ref}` : ''}`, commit);
  }
  const source = own(external, 'source');
  if (!isJsonObject(source)) return ok(undefined);
  const uri = textOf(own(source, 'uri'));
  const ref = textOf(own(source, 'ref'));
  return revision(uri && `${uri}${ref === undefined ? '' : `@${ref}`}`, commit);
}

/** Branch and tag as the producer states them; never guessed from a name. */
function refsOf(producer: Producer, facts: Facts, at: SourceRevision | undefined): Partial<Located> {
  const ref = textOf(github(facts, 'ref'));
  const kind = textOf(github(facts, 'ref_type'));
  if (kind === undefined || producer === 'waybill') {
    const stated = refKind(at?.ref);
    return stated === 'other' ? {} : { [stated]: at?.ref as string };
  }
  if (kind === 'branch') return optional('branch', ref);
  if (kind !== 'tag') return {};
  return { ...optional('tag', ref), ...optional('branch', branchOfTag(facts)) };
}

function branchOfTag(facts: Facts): string | undefined {
  const base = textOf(github(facts, 'base_ref'));
  if (base !== undefined) return base;
  const payload = github(facts, 'event_payload');
  if (!isJsonObject(payload)) return undefined;
  const event = textOf(github(facts, 'event_name'));
  if (event === 'push') return textOf(own(payload, 'base_ref'));
  const release = own(payload, 'release');
  if (event !== 'release' || !isJsonObject(release)) return undefined;
  const target = textOf(own(release, 'target_commitish'));
  return target === undefined || target.startsWith('refs/') ? target : `refs/heads/${target}`;
}

function inputsOf(facts: Facts): Readonly<Record<string, string>> | undefined {
  const payload = github(facts, 'event_payload');
  const inputs = isJsonObject(payload) ? own(payload, 'inputs') : own(facts.externalParameters, 'buildArgs');
  if (!isJsonObject(inputs)) return undefined;
  const entries = Object.entries(inputs).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  return Object.fromEntries(entries);
}
