/** SLSA v0.2 provenance as the guide's container generator writes it, for a release of acme/api. */
export function generatorPredicate(builder: string, commit: string): object {
  const uri = 'git+https://github.com/acme/api@refs/tags/v1.4.2';
  const digest = { sha1: commit };
  return {
    builder: { id: builder },
    buildType: 'https://github.com/slsa-framework/slsa-github-generator/container@v1',
    invocation: {
      configSource: { uri, digest, entryPoint: '.github/workflows/release.yml' },
      parameters: {},
      environment: {
        github_event_name: 'push',
        github_ref: 'refs/tags/v1.4.2',
        github_ref_type: 'tag',
        github_sha1: commit,
      },
    },
    metadata: { buildInvocationID: '1-1' },
    materials: [{ uri, digest }],
  };
}
