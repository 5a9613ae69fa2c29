/** A webhook over evidence in memory: a signing stack, a registry that counts, and no network but loopback. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Digest } from '#base/brand';
import { toHex, utf8 } from '#base/bytes';
import { generateKey, sha256 } from '#base/crypto';
import { digestOf } from '#base/digest';
import { fail, type ReasonSpec } from '#base/reason';
import type { AttachedItem, ImageEvidenceSource, ImageLocation } from '#facts';
import { statementBytes } from '#formats/intoto';
import type { JsonValue } from '#formats/json';
import { pemEncode } from '#formats/pem';
import { trustedRootJson } from '#formats/trusted-root';
import { selfSignedAuthority, serialNumber, serverCertificate } from '#formats/x509-build';
import { systemRandom } from '#platform/system';
import { createLogger } from '#platform/telemetry';
import { type Admission, type AdmissionConfig, createAdmission, type TagSource } from '#services/admission';
import { VirtualStack } from '../double/virtual-stack.ts';
import { GITHUB, RELEASE } from '../policy/samples.ts';

export const unreachable: ReasonSpec = {
  code: 'WB-202',
  check: 'http.network',
  side: 'environment',
  summary: 'No connection.',
  hint: 'try again',
};
const notThere: ReasonSpec = {
  code: 'WB-502',
  check: 'registry.notFound',
  side: 'input',
  summary: 'Not there.',
  hint: 'check the name',
};

export interface Identity {
  readonly subject: string;
  readonly issuer: string;
}

export const release: Identity = { subject: `${RELEASE}v1.4.2`, issuer: GITHUB };

/** Images, tags and what is attached, with a count of every question asked. */
export class MemoryRegistry implements ImageEvidenceSource, TagSource {
  readonly tags = new Map<string, Digest>();
  readonly items = new Map<string, AttachedItem[]>();
  readonly reads: string[] = [];
  readonly resolutions: string[] = [];
  /** Set: every question fails with it. */
  trouble: ReasonSpec | undefined;
  /** Milliseconds each answer takes. */
  delayMs = 0;
  /** Set: every answer waits for it. */
  gate: Promise<void> | undefined;

  async attached(image: ImageLocation): Promise<readonly AttachedItem[]> {
    this.reads.push(`${image.repository}@${image.digest}`);
    await this.#pass(image.repository);
    return this.items.get(`${image.repository}@${image.digest}`) ?? [];
  }

  async resolve({ repository, tag }: { repository: string; tag: string }): Promise<Digest> {
    this.resolutions.push(`${repository}:${tag}`);
    await this.#pass(repository);
    const digest = this.tags.get(`${repository}:${tag}`);
    if (digest !== undefined) return digest;
    throw fail(notThere, { expected: `${repository}:${tag}`, actual: 'not there' });
  }

  async #pass(repository: string): Promise<void> {
    await this.gate;
    if (this.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.delayMs));
    if (this.trouble !== undefined) {
      throw fail(this.trouble, { expected: `an answer from ${repository}`, actual: 'ECONNREFUSED' });
    }
  }
}

export interface Image {
  readonly repository: string;
  readonly digest: Digest;
  readonly manifest: Uint8Array;
}

export class Fixture {
  readonly stack = new VirtualStack();
  readonly registry = new MemoryRegistry();
  readonly #dirs: string[] = [];
  readonly #running: Admission[] = [];

  /** An image that exists only as a manifest; its bytes follow its name. */
  image(repository: string, tag: string, content = `${repository}:${tag}`): Image {
    const manifest = utf8(JSON.stringify({ schemaVersion: 2, content }));
    const digest = digestOf(manifest);
    this.registry.tags.set(`${repository}:${tag}`, digest);
    return { repository, digest, manifest };
  }

  attach(image: Image, bytes: Uint8Array): void {
    const key = `${image.repository}@${image.digest}`;
    const items = this.registry.items.get(key) ?? [];
    items.push({ kind: 'bundle', name: `${image.repository}@attached-${items.length}`, bytes });
    this.registry.items.set(key, items);
  }

  /** Signs as cosign 3 does: a statement of type cosign/sign/v1 in a bundle. */
  sign(image: Image, who: Identity = release): Uint8Array {
    const { bytes } = this.stack.sign({ artifact: image.manifest, statement: 'cosign', leaf: leafOf(who) });
    this.attach(image, bytes);
    return bytes;
  }

  attest(image: Image, predicateType: string, predicate: JsonValue, who: Identity = release): void {
    const digest = { sha256: toHex(sha256(image.manifest)) };
    const statement = statementBytes({
      subject: [{ name: image.repository, digest }],
      predicateType,
      predicate,
    });
    this.attach(image, this.stack.sign({ artifact: image.manifest, statement, leaf: leafOf(who) }).bytes);
  }

  async dir(): Promise<string> {
    const dir = await mkdtemp(join(tmpdir(), 'waybill-admission-'));
    this.#dirs.push(dir);
    return dir;
  }

  /** A certificate for `host` and its key, by a CA of its own. */
  keyPair(host: string): { certPem: string; keyPem: string } {
    const [signer, key] = [generateKey('p256'), generateKey('p256')];
    const now = Date.now();
    const issue = () => ({
      serial: serialNumber(systemRandom.bytes(20)),
      notBefore: now - 60_000,
      notAfter: now + 3_600_000,
    });
    const authority = selfSignedAuthority('test', signer, issue());
    const leaf = serverCertificate(authority, [host], key.publicKey, issue());
    return { certPem: pemEncode('CERTIFICATE', leaf), keyPem: key.exportPem() };
  }

  async start(policies: readonly string[], more: Partial<AdmissionConfig> = {}): Promise<Webhook> {
    const dir = await this.dir();
    const policyFiles = policies.map((_, i) => join(dir, `policy-${i}.yaml`));
    const trustedRootFile = join(dir, 'trusted_root.json');
    await Promise.all(policies.map((text, i) => writeFile(policyFiles[i] as string, text)));
    await writeFile(trustedRootFile, trustedRootJson(this.stack.root));
    const admission = await createAdmission(
      {
        host: '127.0.0.1',
        port: 0,
        tls: { kind: 'selfMade', hosts: ['127.0.0.1'] },
        policyFiles,
        trustedRootFile,
        ...more,
      },
      {
        clock: { now: () => Date.now() },
        random: systemRandom,
        log: createLogger('admission', 'silent'),
        evidence: this.registry,
      },
    );
    this.#running.push(admission);
    return new Webhook(admission, policyFiles);
  }

  async close(): Promise<void> {
    await Promise.all(this.#running.map((admission) => admission.close()));
    await Promise.all(this.#dirs.map((dir) => rm(dir, { recursive: true, force: true })));
  }
}

const leafOf = (who: Identity) =>
  ({
    claims: { issuer: who.issuer },
    sans: [{ type: who.subject.includes('://') ? 'uri' : 'email', value: who.subject }],
  }) as const;

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly response: {
    readonly uid: string;
    readonly allowed: boolean;
    readonly status?: { readonly code: number; readonly reason: string; readonly message: string };
    readonly patchType?: string;
    readonly patch?: string;
    readonly warnings?: readonly string[];
    readonly auditAnnotations?: Readonly<Record<string, string>>;
  };
}

export class Webhook {
  readonly admission: Admission;
  readonly policyFiles: readonly string[];

  constructor(admission: Admission, policyFiles: readonly string[]) {
    this.admission = admission;
    this.policyFiles = policyFiles;
  }

  /** Asks as an API server does: HTTPS, and only the CA of the webhook is trusted. */
  async ask(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const { status, answer } = await send(new URL(path, this.admission.origin), {
      ca: this.admission.caPem(),
      method: text === undefined ? 'GET' : 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      text,
    });
    const parsed = answer.startsWith('{"apiVersion"') ? (JSON.parse(answer) as Answer) : undefined;
    return { status, body: answer, response: parsed?.response as Answer['response'] };
  }

  validate(review: object): Promise<Answer> {
    return this.ask('/validate?timeout=30s', review);
  }

  mutate(review: object): Promise<Answer> {
    return this.ask('/mutate?timeout=30s', review);
  }
}

interface SendOptions {
  readonly ca: string;
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly text: string | undefined;
}

function send(url: URL, options: SendOptions): Promise<{ status: number; answer: string }> {
  return new Promise((resolve, reject) => {
    const { ca, method, headers } = options;
    const request = httpsRequest(url, { ca, method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, answer: Buffer.concat(chunks).toString('utf8') }),
      );
    });
    request.on('error', reject);
    request.end(options.text);
  });
}

let uids = 0;

export interface PodOptions {
  readonly image?: string;
  readonly spec?: object;
  readonly namespace?: string;
  readonly operation?: 'CREATE' | 'UPDATE' | 'DELETE';
  readonly oldObject?: object;
  readonly dryRun?: boolean;
  readonly subResource?: string;
}

export function podObject(spec: object): object {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'api', namespace: 'shop', labels: {} }, spec };
}

/** A review as kube-apiserver 1.36 sends it for a Pod: every field it fills. */
export function podReview(options: PodOptions): object {
  const operation = options.operation ?? 'CREATE';
  const spec = options.spec ?? {
    containers: [{ name: 'api', image: options.image, imagePullPolicy: 'IfNotPresent' }],
  };
  const object = operation === 'DELETE' ? null : podObject(spec);
  return reviewOf({ group: '', version: 'v1', kind: 'Pod' }, 'pods', object, options);
}

export function reviewOf(
  kind: { readonly group: string; readonly version: string; readonly kind: string },
  resource: string,
  object: object | null,
  options: PodOptions = {},
): object {
  const { kind: _, ...group } = kind;
  return {
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: {
      uid: `705ab4f5-6393-11e8-b7cc-${String(++uids).padStart(12, '0')}`,
      kind,
      resource: { ...group, resource },
      ...(options.subResource === undefined ? {} : { subResource: options.subResource }),
      requestKind: kind,
      requestResource: { ...group, resource },
      name: 'api',
      namespace: options.namespace ?? 'shop',
      operation: options.operation ?? 'CREATE',
      userInfo: {
        username: 'system:serviceaccount:kube-system:replicaset-controller',
        uid: 'a7e0ab33-5f29-11e8-8a3c-36e6bb280816',
        groups: ['system:serviceaccounts', 'system:serviceaccounts:kube-system', 'system:authenticated'],
      },
      object,
      oldObject: options.oldObject ?? null,
      dryRun: options.dryRun ?? false,
      options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1', fieldManager: 'kubectl-create' },
    },
  };
}

/** The patch of an answer, applied to what was sent. */
export function patched(object: object, answer: Answer): object {
  const copy = structuredClone(object);
  const { patch } = answer.response;
  if (patch === undefined) return copy;
  for (const step of JSON.parse(Buffer.from(patch, 'base64').toString('utf8')) as Step[]) {
    const path = step.path.slice(1).split('/');
    const last = path.pop() as string;
    const owner = path.reduce<Record<string, unknown>>(
      (at, name) => at[name] as Record<string, unknown>,
      copy as Record<string, unknown>,
    );
    if (step.op === 'test' && owner[last] !== step.value) throw new Error(`test failed at ${step.path}`);
    owner[last] = step.value;
  }
  return copy;
}

interface Step {
  readonly op: 'test' | 'replace';
  readonly path: string;
  readonly value: string;
}
