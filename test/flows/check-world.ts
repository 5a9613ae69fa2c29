/** Images on a real stack, published the way the checklist wants them, each with at most one thing changed. */

import type { Digest } from '#base/brand';
import { utf8 } from '#base/bytes';
import { unwrap } from '#base/result';
import { mirrorMap } from '#facts';
import { attestImage } from '#flows/attest-image';
import type { CheckImageDeps } from '#flows/check-image';
import { predicateFrom } from '#flows/predicate';
import { sbomDocument } from '#flows/sbom-document';
import { sbomImage } from '#flows/sbom-image';
import { type SignatureFormat, signImage } from '#flows/sign-image';
import type { JsonObject, JsonValue } from '#formats/json';
import { buildIndex, buildManifest, descriptorOf, type ImageManifest } from '#formats/oci';
import { parseOsv } from '#formats/osv';
import { systemClock } from '#platform/system';
import { WAYBILL_BUILD_TYPE } from '#provenance';
import { type AdvisoryDatabase, cosignVulnPredicate, matchPackages, memoryDatabase } from '#scan';
import { githubClaims } from '#services/oidc';
import type { SignerOptions } from '#sign';
import type { Stack } from '#stack';
import { trustMaterial } from '#verify';
import { once, quickRegistry, repositoryAt } from '../oci/helpers.ts';
import { type Entry, type FixtureImage, imageOf, tar } from '../sbom/fixture.ts';
import { signerOf, trustedRootOf, wire } from '../stack/helper.ts';

export const SOURCE = 'https://github.com/acme/api';
export const TAG = 'v1.4.2';
export const COMMIT = 'c0'.repeat(20);
export const BUILDER = 'https://builder.test/builders/userns/v1';
export const RELEASE = `${SOURCE}/.github/workflows/release.yml@refs/tags/${TAG}`;
export const BASE_SIGNER = 'base@example.com';

const status = `Package: libssl3
Status: install ok installed
Source: openssl (3.0.11-1~deb12u1)
Architecture: amd64
Version: 3.0.11-1~deb12u1

`;
const baseEntries: readonly Entry[] = [
  { path: 'etc/os-release', text: 'ID=debian\nVERSION_ID="12"\n' },
  { path: 'var/lib/dpkg/status', text: status },
];
const appEntries: readonly Entry[] = [
  { path: 'app/package.json', text: '{"name":"app","version":"1.0.0"}' },
  { path: 'app/node_modules/debug/package.json', text: '{"name":"debug","version":"4.4.1"}' },
];

/** A database that knows one package of the image as bad as `severity`, and nothing bad of its distribution. */
export function databaseOf(severity: 'LOW' | 'HIGH'): AdvisoryDatabase {
  const record = unwrap(
    parseOsv({
      id: 'TEST-2026-1',
      modified: '2026-01-01T00:00:00Z',
      affected: [
        { package: { ecosystem: 'npm', name: 'debug' }, versions: ['4.4.1'] },
        { package: { ecosystem: 'Debian:12', name: 'other' }, versions: ['1'] },
      ],
      database_specific: { severity },
    }),
  );
  return memoryDatabase([record], systemClock.now());
}

export interface Changes {
  readonly signature?: SignatureFormat | 'none';
  /** Claims of the builder's certificate and the parameters of its provenance. */
  readonly provenanceTag?: string;
  readonly withoutProvenance?: boolean;
  /** Level the builder says it reached; default 3. */
  readonly statedLevel?: number;
  /** The base layer is another one than the base image has. */
  readonly otherLayer?: boolean;
  /** Wrapped into an index of one platform, which is what is signed and attested. */
  readonly asIndex?: boolean;
  /** False: neither provenance nor annotations name the base. */
  readonly baseClaims?: boolean;
  /** Changes the SBOM before it is attested. */
  readonly sbom?: (document: JsonObject) => JsonValue;
  readonly scannedDaysAgo?: number;
  readonly severity?: 'LOW' | 'HIGH';
  /** Changes the scan before it is attested. */
  readonly scan?: (predicate: JsonObject) => JsonValue;
}

export interface Published {
  /** `ghcr.io/acme/NAME@digest`, read through the mirror. */
  readonly pinned: string;
  readonly tagged: string;
  readonly digest: Digest;
}

const DAY_MS = 86_400_000;

export class CheckWorld {
  readonly stack: Stack;
  readonly registry = quickRegistry();
  #base: ImageManifest | undefined;

  constructor(stack: Stack) {
    this.stack = stack;
  }

  get deps(): CheckImageDeps {
    const trustedRoot = trustMaterial(trustedRootOf(this.stack));
    return {
      ...wire,
      registry: this.registry,
      trust: { material: trustedRoot, hash: 'test' },
      mirror: mirrorMap([{ from: 'ghcr.io/acme/*', to: `${this.stack.registryHost}/acme/*` }]),
      version: '0.0.0',
    };
  }

  get githubIssuer(): string {
    return `${this.stack.origins.oidc}/github`;
  }

  get workloadIssuer(): string {
    return `${this.stack.origins.oidc}/workload`;
  }

  get base(): string {
    if (this.#base === undefined) throw new Error('publish the base first');
    return `ghcr.io/acme/base@${this.#base.digest}`;
  }

  async publishBase(): Promise<void> {
    const fixture = imageOf([{ tar: await tar(baseEntries) }]);
    this.#base = await this.#push('base', fixture, new Map());
    const token = () => this.stack.mint({ sub: BASE_SIGNER, email: BASE_SIGNER });
    await this.#sign('base', fixture.manifest.digest, { kind: 'token', token }, 'bundle');
  }

  /** Pushes, signs, attests. Repositories differ, so that one image never sees what another carries. */
  async publish(name: string, changes: Changes = {}): Promise<Published> {
    const below = changes.otherLayer === true ? [...baseEntries, ...appEntries.slice(0, 1)] : baseEntries;
    const fixture = imageOf([{ tar: await tar(below) }, { tar: await tar(appEntries) }]);
    const annotations = new Map([
      ['org.opencontainers.image.base.name', 'ghcr.io/acme/base:12'],
      ['org.opencontainers.image.base.digest', this.base.slice(this.base.indexOf('@') + 1)],
    ]);
    const image = await this.#push(name, fixture, changes.baseClaims === false ? new Map() : annotations);
    const digest = changes.asIndex === true ? await this.#pushIndex(name, image) : image.digest;
    const release = { kind: 'token', token: () => this.#releaseToken() } as const;
    if (changes.signature !== 'none') await this.#sign(name, digest, release, changes.signature ?? 'bundle');
    await this.#attestContents(name, digest, release, changes);
    if (changes.withoutProvenance !== true) await this.#attestBuild(name, digest, changes);
    return { pinned: `ghcr.io/acme/${name}@${digest}`, tagged: `ghcr.io/acme/${name}:${TAG}`, digest };
  }

  async #push(
    name: string,
    { manifest, blobs }: FixtureImage,
    annotations: ReadonlyMap<string, string>,
  ): Promise<ImageManifest> {
    const repository = repositoryAt(this.stack.registryHost, `acme/${name}`);
    const whole = buildManifest({ config: manifest.config, layers: manifest.layers, annotations });
    for (const part of [manifest.config, ...manifest.layers]) {
      await repository.putBlob(part, () => once(blobs.get(part.digest) as Uint8Array));
    }
    await repository.putManifest(whole, { tag: TAG });
    return whole;
  }

  async #pushIndex(name: string, image: ImageManifest): Promise<Digest> {
    const platform = { os: 'linux', architecture: 'amd64' };
    const index = buildIndex({ manifests: [{ ...descriptorOf(image), platform }] });
    await repositoryAt(this.stack.registryHost, `acme/${name}`).putManifest(index, { tag: TAG });
    return index.digest;
  }

  #releaseToken() {
    const claims = githubClaims({ repository: 'acme/api', ref: `refs/tags/${TAG}`, sha: COMMIT });
    return this.stack.mint({ realm: 'github', sub: claims['sub'] ?? '', claims });
  }

  #place(name: string, digest: Digest): string {
    return `${this.stack.registryHost}/acme/${name}@${digest}`;
  }

  #signing(identity: SignerOptions['identity']) {
    const { registry, trust, clock } = this.deps;
    return { registry, clock, trustedRoot: trust.material, signer: signerOf(this.stack, identity) };
  }

  async #sign(
    name: string,
    digest: Digest,
    identity: SignerOptions['identity'],
    format: SignatureFormat,
  ): Promise<void> {
    const options = { format, annotations: {}, recursive: false };
    await signImage(this.#place(name, digest), options, this.#signing(identity));
  }

  async #attestContents(
    name: string,
    digest: Digest,
    identity: SignerOptions['identity'],
    changes: Changes,
  ): Promise<void> {
    const place = this.#place(name, digest);
    const nowMs = systemClock.now();
    const { sbom } = await sbomImage(this.registry, place, { version: '0.0.0' });
    const document = JSON.parse(
      new TextDecoder().decode(sbomDocument(sbom, { name: 'cyclonedx-json' }, nowMs)),
    ) as JsonObject;
    const finishedMs = nowMs - (changes.scannedDaysAgo ?? 0) * DAY_MS;
    const database = databaseOf(changes.severity ?? 'LOW');
    const times = { startedMs: finishedMs, finishedMs, version: '0.0.0' };
    const scan = cosignVulnPredicate(matchPackages(sbom, database), times);
    database.close();
    const deps = this.#signing(identity);
    for (const [alias, value] of [
      ['cyclonedx', changes.sbom?.(document) ?? document],
      ['vuln', changes.scan?.(scan) ?? scan],
    ] as const) {
      const predicate = unwrap(predicateFrom(alias, utf8(JSON.stringify(value)), nowMs));
      await attestImage(place, predicate, 'bundle', deps);
    }
  }

  /** Provenance in the form of our own builder, signed as a builder would. */
  async #attestBuild(name: string, digest: Digest, changes: Changes): Promise<void> {
    const ref = `refs/tags/${changes.provenanceTag ?? TAG}`;
    const invocation = `https://builder.test/api/v1/builds/${name}`;
    const claims = {
      sourceRepositoryUri: SOURCE,
      sourceRepositoryDigest: COMMIT,
      sourceRepositoryRef: ref,
      buildTrigger: 'api',
      runInvocationUri: invocation,
      runnerEnvironment: 'self-hosted',
    };
    const token = () => this.stack.mint({ realm: 'workload', sub: BUILDER, claims });
    const base = { name: 'base', uri: `pkg:oci/${this.base}`, digest: { sha256: this.base.slice(-64) } };
    const value = {
      buildDefinition: {
        buildType: WAYBILL_BUILD_TYPE,
        externalParameters: {
          source: { uri: `git+${SOURCE}`, ref },
          config: { path: 'waybill-build.yaml' },
          buildArgs: {},
          inputs: {},
          network: 'none',
        },
        internalParameters: { trigger: 'api', sandbox: { level: changes.statedLevel ?? 3 } },
        resolvedDependencies: [
          { name: 'source', uri: `git+${SOURCE}@${ref}`, digest: { gitCommit: COMMIT } },
          ...(changes.baseClaims === false ? [] : [base]),
        ],
      },
      runDetails: { builder: { id: BUILDER }, metadata: { invocationId: invocation } },
    };
    const predicate = { type: 'https://slsa.dev/provenance/v1', value };
    await attestImage(
      this.#place(name, digest),
      predicate,
      'bundle',
      this.#signing({ kind: 'token', token }),
    );
  }
}
