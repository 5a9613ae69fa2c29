/** Two release workflows for the doctor: they differ in where the provenance is made. */

const SHA = '11bd71901bbe5b1630ceea73d27597364c9af683';

const head = `on:
  push:
    tags: ['v*']
permissions:
  contents: read
jobs:
`;

/** Provenance by the SLSA generator in a job of its own, everything else by commit. */
export const isolatedWorkflow = `${head}  build:
    runs-on: ubuntu-24.04
    permissions: { contents: read, packages: write }
    outputs:
      digest: \${{ steps.push.outputs.digest }}
    steps:
      - uses: actions/checkout@${SHA} # v4.2.2
        with: { persist-credentials: false }
      - id: push
        run: ./push.sh
  provenance:
    needs: [build]
    permissions: { actions: read, id-token: write, packages: write }
    uses: slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml@v2.1.0
    with:
      image: ghcr.io/acme/api
      digest: \${{ needs.build.outputs.digest }}
      registry-username: \${{ github.actor }}
    secrets:
      registry-password: \${{ secrets.GITHUB_TOKEN }}
`;

/** The same release, with the provenance made by the job it describes. */
export const selfMadeWorkflow = `${head}  build:
    runs-on: ubuntu-24.04
    permissions: { contents: read, packages: write, id-token: write }
    steps:
      - uses: actions/checkout@v4
      - run: ./push.sh
      - run: cosign attest --yes --type slsaprovenance --predicate provenance.json ghcr.io/acme/api@$DIGEST
`;
