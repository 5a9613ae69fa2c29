/**
 * SLSA predicates: provenance v1 and v0.2, and the verification summary (slsa.dev, Build track v1.2).
 *
 * Reading follows the parsing rules of the specification: unknown fields are ignored (outside the free-form
 * objects, which are kept whole), null equals absent, an empty required string is refused. Writing goes
 * through the same reader, so nothing can be written that could not be read.
 */
import { reason } from '#base/reason';
import { attempt, err, ok, type Result } from '#base/result';
import type { JsonObject, JsonValue } from './json.ts';
import { SlsaReader } from './slsa-reader.ts';
import { R } from './slsa-reasons.ts';

export const PROVENANCE_V1 = 'https://slsa.dev/provenance/v1';
export const PROVENANCE_V02 = 'https://slsa.dev/provenance/v0.2';
export const VSA_V1 = 'https://slsa.dev/verification_summary/v1';

/** in-toto ResourceDescriptor: at least one of uri, digest, content. Digest values are lower-case hex. */
export interface ResourceDescriptor {
  readonly name?: string;
  readonly uri?: string;
  readonly digest?: Readonly<Record<string, string>>;
  /** base64 */
  readonly content?: string;
  readonly downloadLocation?: string;
  readonly mediaType?: string;
  readonly annotations?: JsonObject;
}

export interface ProvenanceV1 {
  readonly buildDefinition: {
    readonly buildType: string;
    readonly externalParameters: JsonObject;
    readonly internalParameters?: JsonObject;
    readonly resolvedDependencies?: readonly ResourceDescriptor[];
  };
  readonly runDetails: {
    readonly builder: {
      readonly id: string;
      readonly builderDependencies?: readonly ResourceDescriptor[];
      readonly version?: Readonly<Record<string, string>>;
    };
    readonly metadata?: {
      readonly invocationId?: string;
      /** RFC 3339 */
      readonly startedOn?: string;
      readonly finishedOn?: string;
    };
    readonly byproducts?: readonly ResourceDescriptor[];
  };
}

export interface Material {
  readonly uri?: string;
  readonly digest?: Readonly<Record<string, string>>;
}

export interface ProvenanceV02 {
  readonly builder: { readonly id: string };
  readonly buildType: string;
  readonly invocation?: {
    readonly configSource?: {
      readonly uri?: string;
      readonly digest?: Readonly<Record<string, string>>;
      readonly entryPoint?: string;
    };
    readonly parameters?: JsonValue;
    readonly environment?: JsonObject;
  };
  readonly buildConfig?: JsonValue;
  readonly metadata?: {
    readonly buildInvocationId?: string;
    readonly buildStartedOn?: string;
    readonly buildFinishedOn?: string;
    readonly completeness?: {
      readonly parameters?: boolean;
      readonly environment?: boolean;
      readonly materials?: boolean;
    };
    readonly reproducible?: boolean;
  };
  readonly materials?: readonly Material[];
}

export interface Vsa {
  readonly verifier: { readonly id: string; readonly version?: Readonly<Record<string, string>> };
  readonly timeVerified?: string;
  readonly resourceUri: string;
  readonly policy: ResourceDescriptor;
  readonly inputAttestations?: readonly ResourceDescriptor[];
  readonly verificationResult: 'PASSED' | 'FAILED';
  readonly verifiedLevels: readonly string[];
  readonly dependencyLevels?: Readonly<Record<string, number>>;
  readonly slsaVersion?: string;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Copies the fields that are there: absent stays absent, never `undefined`. */
function present<T extends object>(fields: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

function descriptor(at: SlsaReader): ResourceDescriptor {
  const found = present<Writable<ResourceDescriptor>>({
    name: at.optionalText('name'),
    uri: at.optionalText('uri'),
    digest: at.optionalDigests('digest'),
    content: at.optionalText('content'),
    downloadLocation: at.optionalText('downloadLocation'),
    mediaType: at.optionalText('mediaType'),
    annotations: at.optionalObject('annotations'),
  } as ResourceDescriptor);
  if (found.uri === undefined && found.digest === undefined && found.content === undefined) {
    throw at.refuse('', 'a uri, a digest or content', 'none of them');
  }
  return found;
}

/** Reads a `https://slsa.dev/provenance/v1` predicate; WB-199 names the field that is wrong. */
export function parseProvenanceV1(predicate: JsonValue): Result<ProvenanceV1> {
  return attempt(() => {
    const root = SlsaReader.over(predicate, 'predicate');
    const definition = root.child('buildDefinition');
    const run = root.child('runDetails');
    const builder = run.child('builder');
    const metadata = run.optionalChild('metadata');
    return {
      buildDefinition: present<ProvenanceV1['buildDefinition']>({
        buildType: definition.text('buildType'),
        externalParameters: definition.object('externalParameters'),
        internalParameters: definition.optionalObject('internalParameters'),
        resolvedDependencies: definition.optionalList('resolvedDependencies', descriptor),
      }),
      runDetails: present<ProvenanceV1['runDetails']>({
        builder: present<ProvenanceV1['runDetails']['builder']>({
          id: builder.text('id'),
          builderDependencies: builder.optionalList('builderDependencies', descriptor),
          version: builder.optionalTexts('version'),
        }),
        metadata:
          metadata &&
          present<NonNullable<ProvenanceV1['runDetails']['metadata']>>({
            // BuildKit writes invocationID; both spell the same field.
            invocationId: metadata.optionalText('invocationId') ?? metadata.optionalText('invocationID'),
            startedOn: metadata.optionalTime('startedOn'),
            finishedOn: metadata.optionalTime('finishedOn'),
          }),
        byproducts: run.optionalList('byproducts', descriptor),
      }),
    };
  });
}

function material(at: SlsaReader): Material {
  return present<Material>({ uri: at.optionalText('uri'), digest: at.optionalDigests('digest') });
}

function invocation(at: SlsaReader): NonNullable<ProvenanceV02['invocation']> {
  const source = at.optionalChild('configSource');
  return present<NonNullable<ProvenanceV02['invocation']>>({
    configSource:
      source &&
      present({
        uri: source.optionalText('uri'),
        digest: source.optionalDigests('digest'),
        entryPoint: source.optionalText('entryPoint'),
      }),
    parameters: at.optionalValue('parameters'),
    environment: at.optionalObject('environment'),
  });
}

function metadataV02(at: SlsaReader): NonNullable<ProvenanceV02['metadata']> {
  const completeness = at.optionalChild('completeness');
  return present<NonNullable<ProvenanceV02['metadata']>>({
    // The Go library of in-toto writes buildInvocationID.
    buildInvocationId: at.optionalText('buildInvocationId') ?? at.optionalText('buildInvocationID'),
    buildStartedOn: at.optionalTime('buildStartedOn'),
    buildFinishedOn: at.optionalTime('buildFinishedOn'),
    completeness:
      completeness &&
      present({
        parameters: completeness.optionalFlag('parameters'),
        environment: completeness.optionalFlag('environment'),
        materials: completeness.optionalFlag('materials'),
      }),
    reproducible: at.optionalFlag('reproducible'),
  });
}

/** Reads a `https://slsa.dev/provenance/v0.2` predicate. */
export function parseProvenanceV02(predicate: JsonValue): Result<ProvenanceV02> {
  return attempt(() => {
    const root = SlsaReader.over(predicate, 'predicate');
    const call = root.optionalChild('invocation');
    const metadata = root.optionalChild('metadata');
    return present<ProvenanceV02>({
      builder: { id: root.child('builder').text('id') },
      buildType: root.text('buildType'),
      invocation: call && invocation(call),
      buildConfig: root.optionalValue('buildConfig'),
      metadata: metadata && metadataV02(metadata),
      materials: root.optionalList('materials', material),
    });
  });
}

/** `SLSA_<TRACK>_LEVEL_<n>` or `…_UNEVALUATED`; other names must not begin with `SLSA_`, except `FAILED`. */
function level(at: SlsaReader, text: string): string {
  if (text === '' || (text.startsWith('SLSA_') && !/^SLSA_[A-Z]+_LEVEL_(?:\d|UNEVALUATED)$/.test(text))) {
    throw at.refuse('verifiedLevels', 'SLSA_<TRACK>_LEVEL_<n> or a name of your own', JSON.stringify(text));
  }
  return text;
}

/** Reads a `https://slsa.dev/verification_summary/v1` predicate. */
export function parseVsa(predicate: JsonValue): Result<Vsa> {
  return attempt(() => {
    const root = SlsaReader.over(predicate, 'predicate');
    const verifier = root.child('verifier');
    const outcome = root.text('verificationResult');
    if (outcome !== 'PASSED' && outcome !== 'FAILED') {
      throw root.refuse('verificationResult', 'PASSED or FAILED', JSON.stringify(outcome));
    }
    return present<Vsa>({
      verifier: present<Vsa['verifier']>({
        id: verifier.text('id'),
        version: verifier.optionalTexts('version'),
      }),
      timeVerified: root.optionalTime('timeVerified'),
      resourceUri: root.text('resourceUri'),
      policy: descriptor(root.child('policy')),
      inputAttestations: root.optionalList('inputAttestations', descriptor),
      verificationResult: outcome,
      verifiedLevels: root.texts('verifiedLevels').map((text) => level(root, text)),
      dependencyLevels: root.optionalCounts('dependencyLevels'),
      slsaVersion: root.optionalText('slsaVersion'),
    });
  });
}

const parsers = {
  [PROVENANCE_V1]: parseProvenanceV1,
  [PROVENANCE_V02]: parseProvenanceV02,
  [VSA_V1]: parseVsa,
};

/** What is to be written: a predicate under the type it has. */
export type SlsaContent =
  | { readonly type: typeof PROVENANCE_V1; readonly value: ProvenanceV1 }
  | { readonly type: typeof PROVENANCE_V02; readonly value: ProvenanceV02 }
  | { readonly type: typeof VSA_V1; readonly value: Vsa };

/** A predicate ready to be put into a Statement: checked by the reader of its own type. */
export function slsaPredicate(content: SlsaContent): Result<JsonObject> {
  const predicate = content.value as unknown as JsonObject;
  const read = parsers[content.type](predicate);
  return read.ok ? ok(predicate) : err(read.error);
}

export type SlsaPredicate =
  | { readonly version: 'v1'; readonly value: ProvenanceV1 }
  | { readonly version: 'v0.2'; readonly value: ProvenanceV02 };

/**
 * Reads the provenance predicate a Statement declares. Spellings seen in the wild
 * (`https://slsa.dev/provenance/v1.0`, `…?draft`) are refused by name: the type is what policies match on.
 */
export function parseProvenance(predicateType: string, predicate: JsonValue): Result<SlsaPredicate> {
  if (predicateType === PROVENANCE_V1) {
    const read = parseProvenanceV1(predicate);
    return read.ok ? ok({ version: 'v1', value: read.value }) : read;
  }
  if (predicateType === PROVENANCE_V02) {
    const read = parseProvenanceV02(predicate);
    return read.ok ? ok({ version: 'v0.2', value: read.value }) : read;
  }
  return err(
    reason(R.slsaForm, {
      check: 'slsa.predicateType',
      expected: `${PROVENANCE_V1} or ${PROVENANCE_V02}`,
      actual: JSON.stringify(predicateType),
      class: 'predicate-type',
    }),
  );
}
