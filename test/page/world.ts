/** A stack with images to look at: one with the whole chain, and one for each way a chain can fail. */
import type { Digest } from '#base/brand';
import { generateKey } from '#base/crypto';
import { unwrap } from '#base/result';
import { attestImage } from '#flows/attest-image';
import { signImage } from '#flows/sign-image';
import type { JsonObject } from '#formats/json';
import { parseSigningConfig } from '#formats/signing-config';
import { parseTrustedRoot } from '#formats/trusted-root';
import { attachBundle, listAttachments } from '#oci';
import { httpTransport } from '#platform/http-client';
import { systemClock, systemRandom } from '#platform/system';
import { githubClaims } from '#services/oidc';
import { createSigner, type Signer, type SignerOptions, servicesFrom } from '#sign';
import type { Stack } from '#stack';
import { trustMaterial } from '#verify';
import { putImage, quickRegistry, repositoryAt } from '../oci/helpers.ts';

export const builderId = 'https://builder.acme.example/builders/userns/v1';
export const workflow = 'https://github.com/acme/api/.github/workflows/release.yml@refs/tags/v1.4.2';
const commit = '06499d66f7391ebac9a0265be1498344c2c313cc';
/** What somebody might write into a statement to confuse its reader. */
export const hostile = `<script>alert(1)</script>"'>\u202Egnp.exe\u0000${'\u0301'.repeat(40)}`;

const wire = { transport: httpTransport(), clock: systemClock, random: systemRandom };

function signerOf(stack: Stack, identity: SignerOptions['identity'], logVersion: 1 | 2 = 1): Signer {
  const { signingConfig, signingConfigV2, trustedRoot } = stack.published;
  const config = unwrap(parseSigningConfig(logVersion === 2 ? signingConfigV2 : signingConfig));
  const services = servicesFrom(config, { now: systemClock.now(), random: systemRandom });
  return createSigner({ ...wire, identity, services, trustedRoot: unwrap(parseTrustedRoot(trustedRoot)) });
}

const workflowSigner = (stack: Stack): Signer =>
  signerOf(stack, {
    kind: 'token',
    token: () =>
      stack.mint({
        realm: 'github',
        sub: 'repo:acme/api:ref:refs/tags/v1.4.2',
        claims: githubClaims({ repository: 'acme/api', ref: 'refs/tags/v1.4.2', sha: commit }),
      }),
  });

const builderSigner = (stack: Stack): Signer =>
  signerOf(stack, { kind: 'token', token: () => stack.mint({ realm: 'workload', sub: builderId }) });

const personSigner = (stack: Stack): Signer => {
  const email = 'ada@acme.example';
  return signerOf(stack, { kind: 'token', token: () => stack.mint({ sub: email, email }) }, 2);
};

const provenance = (builder: string, parameters: JsonObject = {}): JsonObject => ({
  buildDefinition: {
    buildType: 'https://waybill.dev/buildtypes/container/v1',
    externalParameters: {
      source: { uri: 'git+https://github.com/acme/api', ref: 'refs/tags/v1.4.2' },
      ...parameters,
    },
    internalParameters: { sandbox: { level: 3 } },
    resolvedDependencies: [
      { uri: 'git+https://github.com/acme/api@refs/tags/v1.4.2', digest: { gitCommit: commit } },
    ],
  },
  runDetails: {
    builder: { id: builder },
    metadata: { invocationId: 'build-1', finishedOn: '2026-11-21T13:28:05Z' },
  },
});

const sbom: JsonObject = {
  bomFormat: 'CycloneDX',
  specVersion: '1.6',
  components: Array.from({ length: 109 }, (_, i) => ({
    type: 'library',
    name: `package-${i}`,
    version: '1.0.0',
  })),
};

const scan: JsonObject = {
  scanner: {
    uri: 'pkg:github/waybill/waybill@0.1.0',
    version: '0.1.0',
    result: {
      SchemaVersion: 2,
      Results: [
        {
          Target: 'debian',
          Vulnerabilities: [{ Severity: 'HIGH' }, { Severity: 'LOW' }, { Severity: 'LOW' }],
        },
      ],
    },
  },
  metadata: { scanFinishedOn: '2026-11-21T13:29:00Z' },
};

const vsa: JsonObject = {
  verifier: { id: 'https://gate.acme.example/promote' },
  timeVerified: '2026-11-21T13:30:00Z',
  resourceUri: 'oci://acme/api',
  policy: { uri: 'https://policies.acme.example/release.yaml' },
  verificationResult: 'PASSED',
  verifiedLevels: ['SLSA_BUILD_LEVEL_3'],
};

export interface PushedImage {
  /** `host/name@digest` */
  readonly reference: string;
  readonly repository: string;
  readonly digest: Digest;
}

export class PageWorld {
  readonly #stack: Stack;
  readonly #registry = quickRegistry();

  constructor(stack: Stack) {
    this.#stack = stack;
  }

  async push(repository: string, tag: string, text = repository): Promise<PushedImage> {
    const { digest } = await putImage(repositoryAt(this.#stack.registryHost, repository), text, { tag });
    return { reference: `${this.#stack.registryHost}/${repository}@${digest}`, repository, digest };
  }

  #deps(signer: Signer) {
    const trustedRoot = trustMaterial(unwrap(parseTrustedRoot(this.#stack.published.trustedRoot)));
    return { registry: this.#registry, clock: systemClock, signer, trustedRoot };
  }

  async sign(image: PushedImage, signer: Signer, format: 'bundle' | 'both' = 'bundle'): Promise<void> {
    await signImage(image.reference, { format, annotations: {}, recursive: false }, this.#deps(signer));
  }

  async attest(image: PushedImage, type: string, value: JsonObject, signer: Signer): Promise<void> {
    await attestImage(image.reference, { type, value }, 'bundle', this.#deps(signer));
  }

  /** Source, build, SBOM, scan, summary, signatures in both layouts, all in order. */
  async complete(repository = 'acme/api', tag = 'v1.4.2'): Promise<PushedImage> {
    const image = await this.push(repository, tag);
    const [ci, builder] = [workflowSigner(this.#stack), builderSigner(this.#stack)];
    await this.attest(image, 'https://slsa.dev/provenance/v1', provenance(builderId), builder);
    await this.sign(image, ci, 'both');
    await this.attest(image, 'https://cyclonedx.org/bom', sbom, ci);
    await this.attest(image, 'https://cosign.sigstore.dev/attestation/vuln/v1', scan, ci);
    await this.attest(image, 'https://slsa.dev/verification_summary/v1', vsa, personSigner(this.#stack));
    return image;
  }

  /** Signed, but with provenance in the builder's name that the builder did not sign, and a key nobody named. */
  async doubtful(repository = 'acme/worker'): Promise<PushedImage> {
    const image = await this.push(repository, 'v0.9.0');
    const ci = workflowSigner(this.#stack);
    await this.sign(image, ci);
    await this.attest(image, 'https://slsa.dev/provenance/v1', provenance(builderId), ci);
    await this.sign(image, signerOf(this.#stack, { kind: 'key', key: generateKey('p256') }));
    return image;
  }

  /** Wears the signatures of another image. */
  async dressed(from: PushedImage, repository = 'acme/imitation'): Promise<PushedImage> {
    const image = await this.push(repository, 'v1.4.2');
    const source = repositoryAt(this.#stack.registryHost, from.repository);
    const target = repositoryAt(this.#stack.registryHost, repository);
    const { bundles } = await listAttachments(source, from.digest);
    const subject = await target.resolve({ digest: image.digest });
    for (const bundle of bundles) {
      await attachBundle(target, subject, bundle.bytes, { createdMs: systemClock.now() });
    }
    return image;
  }

  /** Verified statements whose words are out to harm. */
  async hostile(repository = 'acme/hostile'): Promise<PushedImage> {
    const image = await this.push(repository, 'v1');
    const person = personSigner(this.#stack);
    const type = `https://evil.example/${'x'.repeat(300)}?<b>&"'`;
    await this.attest(image, type, {}, person);
    await this.attest(
      image,
      'https://slsa.dev/provenance/v1',
      provenance(`https://evil.example/${hostile}`, { note: hostile }),
      person,
    );
    return image;
  }
}
