/** Builders known by name, and which level each may be granted: data, not judgement. */

/** One row of a trust policy: who signs for which builder, and how far it is believed. */
export interface TrustedBuilder {
  /** Builder id without version; the certificate has to prove it. */
  readonly builderId: string;
  /** OIDC issuer of the certificate. */
  readonly issuer: string;
  readonly levelMax: 1 | 2 | 3;
  readonly buildTypes: readonly string[];
  /** What slsa-verifier accepts it for without `--builder-id`. */
  readonly artifacts: readonly ('image' | 'file')[];
}

export const GITHUB_ISSUER = 'https://token.actions.githubusercontent.com';
const generator = 'https://github.com/slsa-framework/slsa-github-generator';

const workflow = (name: string): string => `${generator}/.github/workflows/${name}`;

const row = (
  name: string,
  buildTypes: readonly string[],
  artifacts: TrustedBuilder['artifacts'],
): TrustedBuilder => ({
  builderId: workflow(name),
  issuer: GITHUB_ISSUER,
  levelMax: 3,
  buildTypes,
  artifacts,
});

const legacy = [`${generator}@v1`, 'https://github.com/slsa-framework/slsa-github-generator-go@v1'];

/** The defaults of slsa-verifier 2.7. */
export const trustedBuilders: readonly TrustedBuilder[] = [
  row('generator_generic_slsa3.yml', [`${generator}/generic@v1`, ...legacy], ['file']),
  row('builder_go_slsa3.yml', [`${generator}/go@v1`, ...legacy], ['file']),
  row('builder_container-based_slsa3.yml', ['https://slsa.dev/container-based-build/v0.1?draft'], ['file']),
  row('generator_container_slsa3.yml', [`${generator}/container@v1`], ['image']),
];

/**
 * Workflows that sign for a builder chosen by the caller ("bring your own builder"): the certificate proves
 * the delegator, the predicate names the builder.
 */
export const delegators: readonly string[] = [
  workflow('delegator_generic_slsa3.yml'),
  workflow('delegator_lowperms-generic_slsa3.yml'),
];

/** Delegated builders that are trusted without being named. */
export const delegatedPrefix = `${generator}/.github/workflows/`;
