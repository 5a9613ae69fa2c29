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
import type { StackState } from './state.ts';

/** What is signed by whom, as the document shall demand it. */
export interface DocumentDemand {
  /** The e-mail address in the signer's certificate. */
  readonly identity: string;
}

interface Facts extends DocumentDemand {
  readonly origins: StackState['origins'];
  readonly registry: string;
  /** Text of a file of the data directory. */
  readonly text: (name: string) => Promise<string>;
}

const NAME = 'waybill-stack';
const CA_CHAIN = 'public/fulcio_chain.pem';
const LOG_KEY = 'public/rekor.pub';
const CT_KEY = 'public/ctfe.pub';

/** The document of `client`: YAML, JSON or JSON lines. Nothing in it is secret. */
export function documentOf(
  client: DocumentClient,
  dataDir: string,
  { origins }: Pick<StackState, 'origins'>,
  demand: DocumentDemand,
): Promise<string> {
  return documents[client]({
    ...demand,
    origins,
    registry: new URL(origins.registry).host,
    text: async (name) =>
      utf8Text(await readFileLimited(join(resolve(dataDir), name), limits.trustedRootBytes)),
  });
}

const yaml = (...parts: readonly unknown[]): string =>
  parts.map((part) => stringify(part, { lineWidth: 0, aliasDuplicateObjects: false })).join('---\n');

const documents: Readonly<Record<DocumentClient, (facts: Facts) => Promise<string>>> = {
  kyverno: async ({ origins, registry, identity, text }) =>
    yaml({
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
                attestors: [{ count: 1, entries: [await kyvernoAttestor({ origins, identity, text })] }],
              },
            ],
          },
        ],
      },
    }),
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
  podman: async ({ origins, registry, identity, text }) => {
    const signed = {
      type: 'sigstoreSigned',
      fulcio: {
        caData: toBase64(utf8(await text(CA_CHAIN))),
        oidcIssuer: origins.oidc,
        subjectEmail: identity,
      },
      rekorPublicKeyData: toBase64(utf8(await text(LOG_KEY))),
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

async function kyvernoAttestor({
  origins,
  identity,
  text,
}: Pick<Facts, 'origins' | 'identity' | 'text'>): Promise<unknown> {
  return {
    keyless: {
      issuer: origins.oidc,
      subject: identity,
      roots: await text(CA_CHAIN),
      rekor: { url: origins.log, pubkey: await text(LOG_KEY) },
      ctlog: { pubkey: await text(CT_KEY) },
    },
  };
}

/** Flux takes regular expressions. */
const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
