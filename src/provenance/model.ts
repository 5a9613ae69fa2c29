/** One model for provenance of every predicate version and producer. */
import type { Subject } from '#formats/intoto';
import type { JsonObject } from '#formats/json';
import type { ResourceDescriptor } from '#formats/slsa';

/** Which adapter read it; the adapters know where each producer keeps its source, ref and inputs. */
export type Producer =
  | 'waybill'
  | 'slsa-generator'
  | 'slsa-byob'
  | 'slsa-container'
  | 'github'
  | 'npm'
  | 'other';

/** `uri` is a repository without ref; `ref` is a full ref name. */
export interface SourceRevision {
  readonly uri: string;
  readonly ref?: string;
  /** Commit, lower-case hex. */
  readonly commit?: string;
}

export interface Provenance {
  readonly predicateVersion: 'v1' | 'v0.2';
  readonly producer: Producer;
  readonly subjects: readonly Subject[];
  readonly builderId: string;
  readonly buildType: string;
  /** Where the build was started from. */
  readonly trigger?: SourceRevision;
  /** What was built. */
  readonly source?: SourceRevision;
  /** `refs/heads/…`; for a build from a tag the branch the tag was made on, when the producer says it. */
  readonly branch?: string;
  /** `refs/tags/…` */
  readonly tag?: string;
  /** The event that started it, for example `push`. */
  readonly event?: string;
  readonly workflowInputs?: Readonly<Record<string, string>>;
  readonly externalParameters: JsonObject;
  /** External parameters whose meaning no reader here knows; SLSA asks verifiers to refuse them. */
  readonly unknownParameters: readonly string[];
  readonly dependencies: readonly ResourceDescriptor[];
  readonly environment: JsonObject;
  /** The Build level our own builder says it reached for this build; a verifier never grants more. */
  readonly statedLevel?: number;
  readonly invocationId?: string;
  readonly startedOn?: string;
  readonly finishedOn?: string;
}

/** The build type of our own builder; services/builder/README.md describes its parameters. */
export const WAYBILL_BUILD_TYPE = 'https://waybill.dev/buildtypes/container/v1';
