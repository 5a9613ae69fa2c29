/** The policies of the walk: the guide's, corrected, with this stack's issuer in the guide's place. */

export interface Signer {
  readonly subject: string;
  readonly issuer: string;
}

const attestor = ({ subject, issuer }: Signer, indent: string): string =>
  [
    '- entries:',
    '    - keyless:',
    `        subject: ${JSON.stringify(subject)}`,
    `        issuer: ${JSON.stringify(issuer)}`,
    '        rekor: { url: https://rekor.acme.example }',
  ]
    .map((line) => `${indent}${line}`)
    .join('\n');

/** Kyverno's form: a signature by the release workflow and provenance by the builder, of a release tag. */
export const clusterPolicy = (
  images: string,
  release: Signer,
  builder?: Signer,
): string => `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata:
  name: require-signed-images
spec:
  webhookConfiguration: { timeoutSeconds: 10 }
  rules:
    - name: verify-acme-signature
      match: { any: [{ resources: { kinds: [Pod] } }] }
      verifyImages:
        - imageReferences: [${JSON.stringify(images)}]
          type: SigstoreBundle
          failureAction: Enforce
          attestors:
${attestor(release, ' '.repeat(12))}
${
  builder === undefined
    ? ''
    : `          attestations:
            - type: https://slsa.dev/provenance/v1
              attestors:
${attestor(builder, ' '.repeat(16))}
              conditions:
                - all:
                    - key: "{{ regex_match('^refs/tags/.*', buildDefinition.externalParameters.source.ref) }}"
                      operator: Equals
                      value: true
`
}`;

/** The same demand on the signature in policy-controller's form. */
export const clusterImagePolicy = (
  images: string,
  { subject, issuer }: Signer,
): string => `apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata:
  name: signed-by-release
spec:
  images: [{ glob: ${JSON.stringify(images)} }]
  authorities:
    - name: release
      keyless:
        url: https://fulcio.acme.example
        identities: [{ issuer: ${JSON.stringify(issuer)}, subject: ${JSON.stringify(subject)} }]
      ctlog: { url: https://rekor.acme.example }
`;

/** A Pod as somebody would write it: by tag. */
export const review = (image: string, namespace = 'shop'): object => ({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  request: {
    uid: '7f0b2891-916f-4ed6-b7cd-27bff1815a8c',
    kind: { group: '', version: 'v1', kind: 'Pod' },
    resource: { group: '', version: 'v1', resource: 'pods' },
    requestKind: { group: '', version: 'v1', kind: 'Pod' },
    requestResource: { group: '', version: 'v1', resource: 'pods' },
    name: 'api',
    namespace,
    operation: 'CREATE',
    userInfo: { username: 'somebody', groups: ['system:authenticated'] },
    dryRun: false,
    object: {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'api', namespace },
      spec: { containers: [{ name: 'api', image }] },
    },
  },
});
