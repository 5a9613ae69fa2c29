/** What a caller expects of provenance, who signed it, and what a check gives back. */
import type { Digest } from '#base/brand';
import type { FulcioClaims } from '#formats/x509';
import type { TrustedBuilder } from './trusted.ts';

export interface Expectations {
  /** `github.com/owner/name`, `git+https://host/path`, …; the canonical repository. */
  readonly sourceUri: string;
  /** Exact tag, for example `v1.4.2`. */
  readonly sourceTag?: string;
  /** `v1`, `v1.4`, `v1.4.2`: the parts given must match. */
  readonly sourceVersionedTag?: string;
  readonly sourceBranch?: string;
  /** Builder id; a version after `@` may be left out. Needed for every builder that is not in `trusted`. */
  readonly builderId?: string;
  readonly buildType?: string;
  /** Each must be there with exactly this value. */
  readonly workflowInputs?: Readonly<Record<string, string>>;
  /** OIDC issuer of the signer. Builders on GitHub imply GitHub's; for others the verifier's identity holds. */
  readonly issuer?: string;
  /** Digest that must be among the subjects. */
  readonly artifact?: Digest;
  /** What is checked, for the builders trusted without a name. Default `image`. */
  readonly artifactKind?: 'image' | 'file';
  readonly trusted?: readonly TrustedBuilder[];
  /** Builder refs other than a release tag: full refs, or commits (a commit says more than a tag). */
  readonly builderRefs?: readonly string[];
  /** Refuse external parameters no reader knows. Default false: they are listed in the findings. */
  readonly refuseUnknownParameters?: boolean;
  /** Events that may start a build. Default: all but those a stranger can cause (pull requests, comments). */
  readonly events?: readonly string[];
  /** `runner_environment` of the certificate, for example `github-hosted`. */
  readonly runnerEnvironment?: string;
  /** The build must have finished before this moment (ms). */
  readonly finishedBeforeMs?: number;
}

/** Who signed, as the verifier found it: never taken from the statement. */
export type ProvenanceSigner =
  | {
      readonly kind: 'certificate';
      readonly issuer: string;
      /** The URI of the subject alternative name. */
      readonly san: string;
      readonly claims: FulcioClaims;
    }
  | { readonly kind: 'key' };

export interface ProvenanceFinding {
  readonly check: string;
  readonly actual: string;
}

/** Checked provenance. Its fields were compared with the certificate or proven by it. */
export interface ProvenanceFindings {
  readonly builderId: string;
  readonly buildType: string;
  readonly sourceUri: string;
  readonly sourceRef?: string;
  readonly commit?: string;
  readonly invocationId?: string;
  readonly statedLevel?: number;
  /** In the order they were made; what was expected is in the expectations. */
  readonly checks: readonly ProvenanceFinding[];
  /** External parameters no reader knows. */
  readonly unknownParameters: readonly string[];
}
