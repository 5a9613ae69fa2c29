/** The verbs and where each lives. Only the module of the verb that runs is loaded. */
import type { Command } from 'commander';
import type { CliContext } from './context.ts';

export interface VerbModule {
  register(program: Command, context: CliContext): void;
}

export interface Verb {
  readonly name: string;
  readonly group: string;
  readonly summary: string;
  readonly load: () => Promise<VerbModule>;
}

const verb = (group: string, name: string, summary: string, load: () => Promise<VerbModule>): Verb => ({
  group,
  name,
  summary,
  load,
});

export const verbs: readonly Verb[] = [
  verb('Images', 'digest', 'resolve a tag to the digest it names now', () => import('./commands/digest.ts')),
  verb('Images', 'tree', 'show everything attached to an image', () => import('./commands/tree.ts')),
  verb('Images', 'copy', 'copy an image with everything attached', () => import('./commands/copy.ts')),
  verb(
    'Images',
    'save',
    'write an image with everything attached to a layout directory',
    () => import('./commands/save.ts'),
  ),
  verb(
    'Images',
    'load',
    'push a layout directory with everything attached',
    () => import('./commands/load.ts'),
  ),
  verb('Images', 'clean', 'remove what is attached to an image', () => import('./commands/clean.ts')),
  verb(
    'Images',
    'migrate',
    'give attachments the other layout as well',
    () => import('./commands/migrate.ts'),
  ),
  verb('Contents', 'sbom', 'list what is inside an image', () => import('./commands/sbom.ts')),
  verb(
    'Contents',
    'scan',
    'match what is inside against known vulnerabilities',
    () => import('./commands/scan.ts'),
  ),
  verb('Contents', 'db', 'build and inspect the advisory database', () => import('./commands/db.ts')),
  verb(
    'Contents',
    'explain',
    'say what an advisory or an error code is, and why it is found',
    () => import('./commands/explain.ts'),
  ),
  verb('Signing', 'sign', 'sign an image by digest', () => import('./commands/sign.ts')),
  verb('Signing', 'attest', 'attach a signed statement to an image', () => import('./commands/attest.ts')),
  verb('Signing', 'sign-blob', 'sign files', () => import('./commands/sign-blob.ts')),
  verb('Signing', 'attest-blob', 'sign a statement about files', () => import('./commands/attest-blob.ts')),
  verb('Signing', 'generate-key-pair', 'make a key pair', () => import('./commands/generate-key-pair.ts')),
  verb('Signing', 'import-key-pair', 'take over a PEM key', () => import('./commands/import-key-pair.ts')),
  verb('Signing', 'public-key', 'print the public key of a key', () => import('./commands/public-key.ts')),
  verb(
    'Signing',
    'identity',
    'show what a certificate would say, before signing',
    () => import('./commands/identity.ts'),
  ),
  verb('Verifying', 'verify', 'verify the signatures of an image', () => import('./commands/verify.ts')),
  verb(
    'Verifying',
    'verify-attestation',
    'verify the attestations of an image',
    () => import('./commands/verify-attestation.ts'),
  ),
  verb(
    'Verifying',
    'verify-blob',
    'verify a signature over a file',
    () => import('./commands/verify-blob.ts'),
  ),
  verb(
    'Verifying',
    'verify-blob-attestation',
    'verify a statement about a file',
    () => import('./commands/verify-blob-attestation.ts'),
  ),
  verb('Verifying', 'check', 'ask the whole checklist about an image', () => import('./commands/check.ts')),
  verb('Verifying', 'trust', 'show and pin trusted roots', () => import('./commands/trust.ts')),
  verb(
    'Building',
    'build',
    'build an image from a commit, isolated, with provenance',
    () => import('./commands/build.ts'),
  ),
  verb(
    'Building',
    'provenance',
    'show and verify who built an image from what',
    () => import('./commands/provenance.ts'),
  ),
  verb(
    'Policy',
    'promote',
    'verify an image, copy it, and sign that it was verified',
    () => import('./commands/promote.ts'),
  ),
  verb(
    'Policy',
    'exception',
    'let one image in for a time, by two people',
    () => import('./commands/exception.ts'),
  ),
  verb('Policy', 'policy', 'test and lint admission policies', () => import('./commands/policy.ts')),
  verb(
    'Policy',
    'doctor',
    'examine CI workflows for SLSA Build level 3',
    () => import('./commands/doctor.ts'),
  ),
  verb(
    'Services',
    'stack',
    'run a private stack: CA, logs, timestamps, TUF, registry',
    () => import('./commands/stack.ts'),
  ),
  verb(
    'Services',
    'registry',
    'log in to registries, and tidy one of ours up',
    () => import('./commands/registry.ts'),
  ),
  verb('Services', 'serve', 'run one station as a server', () => import('./commands/serve.ts')),
  verb(
    'Services',
    'witness',
    'cosign checkpoints of logs that only append',
    () => import('./commands/witness.ts'),
  ),
  verb('Audit', 'log', 'prove a whole log, watch it, or freeze it', () => import('./commands/log.ts')),
  verb('Audit', 'audit', 'search the log and prove the answer', () => import('./commands/audit.ts')),
  verb(
    'In other words',
    'cosign',
    'cosign’s command line for sign, attest, verify',
    () => import('./commands/cosign.ts'),
  ),
  verb('In other words', 'syft', 'syft’s command line for sbom', () => import('./commands/syft.ts')),
  verb('In other words', 'grype', 'grype’s command line for scan', () => import('./commands/grype.ts')),
  verb('In other words', 'trivy', 'trivy’s command line for scan', () => import('./commands/trivy.ts')),
  verb(
    'In other words',
    'slsa-verifier',
    'slsa-verifier’s command line for provenance verify',
    () => import('./commands/slsa-verifier.ts'),
  ),
  verb(
    'In other words',
    'rekor-cli',
    'rekor-cli’s command line: search and get',
    () => import('./commands/rekor-cli.ts'),
  ),
];
