/** Table: where the guide is wrong: its words, ours, why, and the lint rule that finds it in the original. */

export interface Correction {
  /** Exactly as in the guide, in every place where it stands. */
  readonly guide: string;
  readonly ours: string;
  readonly why: string;
  /** Rule of `waybill policy lint` that names it; absent where no rule can know. */
  readonly rule?: string;
}

const release = "'^https://github\\.com/acme/api/\\.github/workflows/release\\.yml@refs/tags/.*$'";
const generator =
  'https://github\\.com/slsa-framework/slsa-github-generator/\\.github/workflows/generator_container_slsa3\\.yml';

export const corrections: readonly Correction[] = [
  {
    guide: '"https://github.com/acme/api/.github/workflows/release.yml@.*"',
    ours: release,
    why: 'cosign finds the pattern anywhere in the name and a bare dot is any character; and any branch would do',
    rule: 'LNT030',
  },
  {
    guide: '"https://github.com/acme/api/.*"',
    ours: release,
    why: 'any workflow of the repository, on any branch, and look-alike names',
    rule: 'LNT031',
  },
  {
    guide: '"https://github.com/slsa-framework/.*"',
    ours: `'^${generator}@refs/tags/v2\\.0\\.0$'`,
    why: 'any repository, workflow and ref of that organisation',
    rule: 'LNT031',
  },
  {
    guide:
      'rekor-cli search --artifact <(cosign download signature "$IMAGE" 2>/dev/null) || \\\n  echo "use: rekor-cli search --sha ${DIGEST#sha256:}"',
    ours: 'rekor-cli search --sha "${DIGEST#sha256:}"',
    why: 'it hashes a JSON dump that no log has ever indexed, so it can only print its own advice',
    rule: 'LNT033',
  },
  {
    guide: "rekor-cli get --uuid <entry-uuid> --format json | jq '.Body'",
    ours: [
      'for uuid in $(rekor-cli search --sha "${DIGEST#sha256:}" 2>/dev/null); do',
      '  rekor-cli get --uuid "$uuid" --format json |',
      "    jq -r '.Body | (.DSSEObj.signatures[0].verifier // .HashedRekordObj.signature.publicKey.content)' |",
      '    base64 -d | openssl x509 -noout -ext subjectAltName',
      'done',
    ].join('\n'),
    why: 'Body holds a base64 PEM, not an identity: it has to be decoded as a certificate',
    rule: 'LNT035',
  },
  {
    guide: '  validationFailureAction: Enforce\n  webhookTimeoutSeconds: 30',
    ours: '  webhookConfiguration:\n    timeoutSeconds: 10',
    why: 'both are deprecated at this level, and a webhook that holds Pods for 30 s stalls a cluster',
    rule: 'LNT017',
  },
  {
    guide: '            - "ghcr.io/acme/*"\n          attestors:',
    ours: '            - "ghcr.io/acme/*"\n          failureAction: Enforce\n          type: SigstoreBundle\n          attestors:',
    why: 'the default type does not see the bundles that cosign 3 writes; Enforce belongs to the rule',
    rule: 'LNT018',
  },
  {
    guide: '            - type: https://slsa.dev/provenance/v1',
    ours: '            - type: https://slsa.dev/provenance/v0.2',
    why: 'the container generator writes v0.2',
    rule: 'LNT013',
  },
  {
    guide: '                        subject: "https://github.com/slsa-framework/slsa-github-generator/*"',
    ours: [
      '                        subject: "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml@refs/tags/v2.0.0"',
      '                        rekor:',
      '                          url: https://rekor.sigstore.dev',
    ].join('\n'),
    why: 'any workflow and ref of the repository; and a keyless attestor needs rekor with a url, or roots',
    rule: 'LNT019',
  },
  {
    guide: 'element.predicate.buildDefinition.externalParameters.source.ref',
    ours: 'invocation.environment.github_ref',
    why: 'the fields of the predicate are at the root, and in v0.2 the ref is there',
    rule: 'LNT014',
  },
  {
    guide:
      '  - imageReferences: ["ghcr.io/acme/*"]\n    attestors: [{ entries: [{ keyless: { subject: "https://github.com/acme/api/.github/workflows/release.yml@refs/tags/*", issuer: "https://token.actions.githubusercontent.com" }}}]}',
    ours: '  - imageReferences: ["ghcr.io/acme/*"]\n    failureAction: Enforce\n    type: SigstoreBundle\n    attestors: [{ entries: [{ keyless: { subject: "https://github.com/acme/api/.github/workflows/release.yml@refs/tags/*", issuer: "https://token.actions.githubusercontent.com", rekor: { url: "https://rekor.sigstore.dev" } }}]}]',
    why: 'the brackets do not close, and without rekor or roots Kyverno refuses the rule',
    rule: 'LNT000',
  },
  {
    guide:
      '    attestors: [{ entries: [{ keyless: { subject: "https://accounts.google.com", issuer: "https://accounts.google.com" }}}]}',
    ours: '    failureAction: Enforce\n    type: SigstoreBundle\n    attestors: [{ entries: [{ keyless: { subject: "krel-trust@k8s-releng-prod.iam.gserviceaccount.com", issuer: "https://accounts.google.com", rekor: { url: "https://rekor.sigstore.dev" } }}]}]',
    why: 'the signer is a service account; the issuer is no subject',
    rule: 'LNT000',
  },
];

export interface Corrected {
  readonly text: string;
  readonly applied: readonly Correction[];
}

export function correct(text: string): Corrected {
  const applied = corrections.filter(({ guide }) => text.includes(guide));
  return { text: applied.reduce((now, { guide, ours }) => now.replaceAll(guide, () => ours), text), applied };
}
