/**
 * Settings of clients that read a document instead of variables: policies of Kyverno, policy-controller and podman,
 * the source of Flux, the trusted root of gh. Keys and chains are written into them, so that they can be carried to
 * the cluster or the machine that uses them. Field names: Kyverno's ClusterPolicy v1, policy-controller's TrustRoot
 * v1alpha1, containers-policy.json(5), Flux's OCIRepository v1, `gh attestation verify --custom-trusted-root`.
 */
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { toBase64, utf8, utf8Text } from '#base/bytes';
import { limits } from '#base/limits';
import { unwrap } from '#base/result';
import type { DocumentClient } from '#formats/client-names';
import { parseJson } from '#formats/json';
import { readFileLimited } from '#platform/files';
import { stackTrustFiles } from '#trust';
import { type DocumentTrust, documentTrust, logPairs } from './document-trust.ts';
import type { StackState } from './state.ts';

/** What is signed by whom, as the document shall demand it. */
export interface DocumentDemand {
  /** The e-mail address in the signer's certificate. */
  readonly identity: string;
}

export interface ClientDocument {
  readonly text: string;
  /** What it leaves out, and why, in words: for formats without comments. */
  readonly notes: readonly string[];
}

interface Facts extends DocumentDemand {
  readonly origins: StackState['origins'];
  readonly registry: string;
  readonly trust: () => Promise<DocumentTrust>;
  /** Text of a file of the data directory. */
  readonly text: (name: string) => Promise<string>;
}

const NAME = 'waybill-stack';

/** The document of `client`: YAML, JSON or JSON lines. Nothing in it is secret. */
export async function documentOf(
  client: DocumentClient,
  dataDir: string,
  { origins, createdAt }: Pick<StackState, 'origins' | 'createdAt'>,
  demand: DocumentDemand,
): Promise<ClientDocument> {
  let notes: readonly string[] = [];
  const text = await documents[client]({
    ...demand,
    origins,
    registry: new URL(origins.registry).host,
    trust: async () => {
      const trust = await documentTrust(resolve(dataDir), { createdAt });
      notes = trust.notes;
      return trust;
    },
    text: async (name) =>
      utf8Text(await readFileLimited(join(resolve(dataDir), name), limits.trustedRootBytes)),
  });
  return { text, notes };
}

const yaml = (...parts: readonly unknown[]): string =>
  parts.map((part) => stringify(part, { lineWidth: 0, aliasDuplicateObjects: false })).join('---\n');

const documents: Readonly<Record<DocumentClient, (facts: Facts) => Promise<string>>> = {
  kyverno: async ({ origins, registry, identity, trust: read }) => {
    const trust = await read();
    const comments = trust.notes.map((note) => `# ${note}\n`).join('');
    const policy = yaml({
      apiVersion: 'kyverno.io/v1',
      kind: 'ClusterPolicy',
      metadata: { name: NAME },
      spec: {
        webhookConfiguration: { failurePolicy: 'Fail', timeoutSeconds: 15 },
        background: false,
        rules: [
          {
            name: 'signed',
            match: { any: [{ resources: { kinds: ['Pod'] } }] },
            verifyImages: [
              {
                type: 'Cosign',
                failureAction: 'Enforce',
                imageReferences: [`${registry}/*`],
                attestors: [{ count: 1, entries: kyvernoAttestors({ origins, identity }, trust) }],
              },
            ],
          },
        ],
      },
    });
    return `${comments}${policy}`;
  },
  'policy-controller': async ({ origins, registry, identity, text }) =>
    yaml(
      {
        apiVersion: 'policy.sigstore.dev/v1alpha1',
        kind: 'TrustRoot',
        metadata: { name: NAME },
        spec: {
          remote: { mirror: origins.tuf, root: toBase64(utf8(await text(stackTrustFiles.tufRoot))) },
        },
      },
      {
        apiVersion: 'policy.sigstore.dev/v1beta1',
        kind: 'ClusterImagePolicy',
        metadata: { name: NAME },
        spec: {
          images: [{ glob: `${registry}/**` }],
          authorities: [
            {
              name: NAME,
              keyless: {
                url: origins.ca,
                trustRootRef: NAME,
                identities: [{ issuer: origins.oidc, subject: identity }],
              },
              ctlog: { url: origins.log, trustRootRef: NAME },
            },
          ],
        },
      },
    ),
  podman: async ({ origins, registry, identity, trust: read }) => {
    const { chains, logs } = await read();
    const [key, ...others] = logs.map((log) => toBase64(utf8(log.key)));
    const signed = {
      type: 'sigstoreSigned',
      fulcio: {
        caData: toBase64(utf8(chains)),
        oidcIssuer: origins.oidc,
        subjectEmail: identity,
      },
      // Earlier versions of containers/image have no list: one key stays in the old field.
      ...(others.length === 0 ? { rekorPublicKeyData: key } : { rekorPublicKeyDatas: [key, ...others] }),
      signedIdentity: { type: 'matchRepository' },
    };
    const policy = { default: [{ type: 'reject' }], transports: { docker: { [registry]: [signed] } } };
    return `${JSON.stringify(policy, null, 2)}\n`;
  },
  gh: async ({ text }) => {
    const root = unwrap(parseJson(await text(stackTrustFiles.trustedRoot)));
    // One object a line, each line ended: gh reads no other form.
    return `${JSON.stringify(root)}\n`;
  },
  flux: async ({ origins, registry, identity, text }) =>
    yaml(
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: NAME, namespace: 'flux-system' },
        stringData: { 'trusted_root.json': await text(stackTrustFiles.trustedRoot) },
      },
      {
        apiVersion: 'source.toolkit.fluxcd.io/v1',
        kind: 'OCIRepository',
        metadata: { name: 'app', namespace: 'flux-system' },
        spec: {
          interval: '10m',
          url: `oci://${registry}/IMAGE`,
          ref: { tag: 'TAG' },
          verify: {
            provider: 'cosign',
            trustedRootSecretRef: { name: NAME },
            matchOIDCIdentity: [{ issuer: `^${literal(origins.oidc)}$`, subject: `^${literal(identity)}$` }],
          },
        },
      },
    ),
};

/** An attestor takes one key of each log, and any number of roots; of several, one has to be satisfied. */
const kyvernoAttestors = (
  { origins, identity }: Pick<Facts, 'origins' | 'identity'>,
  trust: DocumentTrust,
): unknown[] =>
  logPairs(trust).map(({ log, ctLog }) => ({
    keyless: {
      issuer: origins.oidc,
      subject: identity,
      roots: trust.chains,
      rekor: { url: log.url, pubkey: log.key },
      ctlog: { pubkey: ctLog.key },
    },
  }));

/** Flux takes regular expressions. */
const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
