/** Policies the suites share: the guide's, corrected, and the pair of its enterprise story. */

export const GITHUB = 'https://token.actions.githubusercontent.com';
export const RELEASE = 'https://github.com/acme/api/.github/workflows/release.yml@refs/tags/';
export const GENERATOR =
  'https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml@refs/tags/';
export const GOOGLE = 'https://accounts.google.com';
export const KREL = 'krel-trust@k8s-releng-prod.iam.gserviceaccount.com';
export const SLSA_V02 = 'https://slsa.dev/provenance/v0.2';

export const guidePolicy = `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata:
  name: require-signed-images
spec:
  webhookConfiguration:
    timeoutSeconds: 10
  rules:
    - name: verify-acme-signature
      match:
        any:
          - resources:
              kinds: ["Pod"]
      exclude:
        any:
          - resources:
              namespaces: ["kube-system", "kyverno"]
      verifyImages:
        - imageReferences:
            - "ghcr.io/acme/*"
          type: SigstoreBundle
          failureAction: Enforce
          attestors:
            - entries:
                - keyless:
                    subject: "${RELEASE}*"
                    issuer: "${GITHUB}"
                    rekor:
                      url: https://rekor.sigstore.dev
`;

/** With the attestation block of the guide: types, paths and rekor as they have to be. */
export const guideProvenance = `${guidePolicy}          attestations:
            - type: ${SLSA_V02}
              attestors:
                - entries:
                    - keyless:
                        issuer: "${GITHUB}"
                        subject: "${GENERATOR}*"
                        rekor:
                          url: https://rekor.sigstore.dev
              conditions:
                - all:
                    - key: "{{ regex_match('@refs/tags/.*', invocation.configSource.uri) }}"
                      operator: Equals
                      value: true
`;

export const enterprisePair = `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata:
  name: platform-and-own
spec:
  rules:
    - name: by-registry
      match: {any: [{resources: {kinds: [Pod]}}]}
      verifyImages:
        - imageReferences: ["ghcr.io/acme/*"]
          type: SigstoreBundle
          failureAction: Enforce
          attestors: [{entries: [{keyless: {subject: "${RELEASE}*", issuer: "${GITHUB}", rekor: {url: https://rekor.sigstore.dev}}}]}]
        - imageReferences: ["registry.k8s.io/*"]
          type: SigstoreBundle
          failureAction: Enforce
          attestors: [{entries: [{keyless: {subject: ${KREL}, issuer: ${GOOGLE}, rekor: {url: https://rekor.sigstore.dev}}}]}]
`;

export const imagePolicy = `apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata:
  name: acme-images
spec:
  images:
    - glob: "ghcr.io/acme/**"
  authorities:
    - name: release
      keyless:
        url: https://fulcio.sigstore.dev
        identities:
          - issuer: ${GITHUB}
            subjectRegExp: "^https://github\\\\.com/acme/api/\\\\.github/workflows/release\\\\.yml@refs/tags/.*$"
      ctlog:
        url: https://rekor.sigstore.dev
`;
