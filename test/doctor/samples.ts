/** A release workflow without fault, and the places the cases change. */

export const SHA = '8f4b7f84864484a7bf31766abe9204da3cbe65b3';
export const DIGEST = `sha256:${'ab'.repeat(32)}`;

/** Builds by commit-pinned actions, and has provenance made by the generator. */
export const good = `name: release
on:
  push:
    tags: ['v*']

permissions:
  contents: read

jobs:
  build:
    runs-on: ubuntu-24.04
    permissions:
      contents: read
      packages: write
    outputs:
      digest: \${{ steps.push.outputs.digest }}
    steps:
      - uses: actions/checkout@${SHA} # v4.2.2
      - run: make image
      - id: push
        uses: docker/build-push-action@${SHA} # v6.9.0
        with:
          push: true
          tags: ghcr.io/acme/api

  provenance:
    needs: [build]
    permissions:
      actions: read
      id-token: write
      packages: write
    uses: slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml@v2.1.0
    with:
      image: ghcr.io/acme/api
      digest: \${{ needs.build.outputs.digest }}
    secrets:
      registry-username: \${{ github.actor }}
      registry-password: \${{ secrets.GITHUB_TOKEN }}
`;

/** `good` with one text replaced; the text must be there, so that no case tests nothing. */
export function changed(from: string | RegExp, to: string, text = good): string {
  const out = text.replace(from, to);
  if (out === text) throw new Error(`not in the sample: ${from}`);
  return out;
}

/** The good workflow with another job. */
export const withJob = (job: string): string => good + job;

/** Another step in the job that builds. */
export const withStep = (step: string): string =>
  changed('      - run: make image\n', `      - run: make image\n${step}`);
