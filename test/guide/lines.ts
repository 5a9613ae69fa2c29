/** Table: the guide's shell and YAML blocks, without their comments, in its order; used where the guide is absent. */

export type BlockKind = 'shell' | 'yaml';

export interface Block {
  readonly kind: BlockKind;
  readonly text: string;
}

const shell = (...lines: readonly string[]): Block => ({ kind: 'shell', text: lines.join('\n') });
const yaml = (...lines: readonly string[]): Block => ({ kind: 'yaml', text: lines.join('\n') });

const issuer = '  --certificate-oidc-issuer "https://token.actions.githubusercontent.com" \\';
const anyWorkflow = '  --certificate-identity-regexp "https://github.com/acme/api/.*" \\';
const release = 'https://github.com/acme/api/.github/workflows/release.yml@refs/tags/*';
const actions = 'https://token.actions.githubusercontent.com';
const google = 'https://accounts.google.com';

export const ownBlocks: readonly Block[] = [
  shell('docker build -t ghcr.io/acme/api:"$GIT_SHA" .', 'docker push ghcr.io/acme/api:"$GIT_SHA"'),
  shell(
    'DIGEST=$(docker buildx imagetools inspect ghcr.io/acme/api:"$GIT_SHA" \\',
    `  --format '{{json .Manifest.Digest}}' | tr -d '"')`,
    'IMAGE="ghcr.io/acme/api@${DIGEST}"',
  ),
  shell('syft "$IMAGE" -o cyclonedx-json=sbom.cdx.json'),
  shell('grype sbom:sbom.cdx.json --fail-on high'),
  shell('trivy image --severity HIGH,CRITICAL --exit-code 1 "$IMAGE"'),
  yaml('permissions:', '  contents: read', '  packages: write', '  id-token: write'),
  shell('cosign sign --yes "$IMAGE"'),
  shell(
    'cosign verify \\',
    '  --certificate-identity-regexp "https://github.com/acme/api/.github/workflows/release.yml@.*" \\',
    issuer,
    '  "$IMAGE"',
  ),
  shell('cosign attest --yes \\', '  --predicate sbom.cdx.json \\', '  --type cyclonedx \\', '  "$IMAGE"'),
  shell(
    'trivy image --format cosign-vuln -o vuln.json "$IMAGE"',
    'cosign attest --yes \\',
    '  --predicate vuln.json \\',
    '  --type vuln \\',
    '  "$IMAGE"',
  ),
  yaml(
    'jobs:',
    '  provenance:',
    '    needs: [build]',
    '    permissions:',
    '      actions: read',
    '      id-token: write',
    '      packages: write',
    '    uses: slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml@v2.0.0',
    '    with:',
    '      image: ghcr.io/acme/api',
    '      digest: ${{ needs.build.outputs.digest }}',
    '    secrets:',
    '      registry-username: ${{ github.actor }}',
    '      registry-password: ${{ secrets.GITHUB_TOKEN }}',
  ),
  yaml(
    'apiVersion: kyverno.io/v1',
    'kind: ClusterPolicy',
    'metadata:',
    '  name: require-signed-images',
    'spec:',
    '  validationFailureAction: Enforce',
    '  webhookTimeoutSeconds: 30',
    '  rules:',
    '    - name: verify-acme-signature',
    '      match:',
    '        any:',
    '          - resources:',
    '              kinds: ["Pod"]',
    '      verifyImages:',
    '        - imageReferences:',
    '            - "ghcr.io/acme/*"',
    '          attestors:',
    '            - entries:',
    '                - keyless:',
    `                    subject: "${release}"`,
    `                    issuer: "${actions}"`,
    '                    rekor:',
    '                      url: https://rekor.sigstore.dev',
  ),
  yaml(
    '          attestations:',
    '            - type: https://slsa.dev/provenance/v1',
    '              attestors:',
    '                - entries:',
    '                    - keyless:',
    `                        issuer: "${actions}"`,
    '                        subject: "https://github.com/slsa-framework/slsa-github-generator/*"',
    '              conditions:',
    '                - all:',
    `                    - key: "{{ regex_match('^refs/tags/.*', element.predicate.buildDefinition.externalParameters.source.ref) }}"`,
    '                      operator: Equals',
    '                      value: true',
  ),
  yaml(
    '      exclude:',
    '        any:',
    '          - resources:',
    '              namespaces: ["kube-system", "kyverno"]',
  ),
  yaml(
    'verifyImages:',
    '  - imageReferences: ["ghcr.io/acme/*"]',
    `    attestors: [{ entries: [{ keyless: { subject: "${release}", issuer: "${actions}" }}}]}`,
    '  - imageReferences: ["registry.k8s.io/*"]',
    `    attestors: [{ entries: [{ keyless: { subject: "${google}", issuer: "${google}" }}}]}`,
  ),
  shell('cosign verify \\', anyWorkflow, issuer, '  "$IMAGE"'),
  shell('cosign verify-attestation \\', '  --type cyclonedx \\', anyWorkflow, issuer, '  "$IMAGE"'),
  shell(
    'cosign verify-attestation \\',
    '  --type slsaprovenance \\',
    '  --certificate-identity-regexp "https://github.com/slsa-framework/.*" \\',
    issuer,
    '  "$IMAGE"',
  ),
  shell(
    'rekor-cli search --artifact <(cosign download signature "$IMAGE" 2>/dev/null) || \\',
    '  echo "use: rekor-cli search --sha ${DIGEST#sha256:}"',
  ),
  shell('kubectl run rogue --image=ghcr.io/acme/unsigned:latest'),
  shell(
    'slsa-verifier verify-image "$IMAGE" \\',
    '  --source-uri github.com/acme/api \\',
    '  --source-tag v1.4.2',
  ),
  shell('rekor-cli search --sha "${DIGEST#sha256:}"'),
  shell(`rekor-cli get --uuid <entry-uuid> --format json | jq '.Body'`),
];
