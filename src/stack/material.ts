/** What clients are told about a stack: trusted root, signing configs, and the single files of old clients. */
import { utf8 } from '#base/bytes';
import { publicKeyPem } from '#base/crypto';
import type { NonEmpty } from '#base/result';
import { pemEncode } from '#formats/pem';
import { type Service, type SigningConfig, signingConfigJson } from '#formats/signing-config';
import {
  type CaAuthority,
  type LogInput,
  type TrustedRootInput,
  trustedRootJson,
} from '#formats/trusted-root';
import type { Certificate } from '#formats/x509';
import type { TufTarget } from '#services/tuf';
import type { Origins } from './layout.ts';

export interface LogFacts {
  readonly publicKey: LogInput['publicKey'];
  readonly logId: Uint8Array;
}

export interface StackFacts {
  readonly origins: Origins;
  /** Milliseconds since the epoch: start of every validity. */
  readonly createdAt: number;
  readonly organization: string;
  readonly ct: LogFacts;
  readonly log: LogFacts;
  readonly log2: LogFacts;
  /** Intermediate first, root last. */
  readonly ca: NonEmpty<Certificate>;
  /** Leaf first, root last. */
  readonly tsa: NonEmpty<Certificate>;
}

export interface Published {
  readonly trustedRoot: Uint8Array;
  /** Log API v1 with a timestamp authority, as the public instance has it. */
  readonly signingConfig: Uint8Array;
  /** The same with log API v2. */
  readonly signingConfigV2: Uint8Array;
  readonly targets: readonly TufTarget[];
}

export function publishedMaterial(facts: StackFacts): Published {
  const trustedRoot = utf8(trustedRootJson(trustedRootOf(facts)));
  const signingConfig = utf8(signingConfigJson(signingConfigOf(facts, 1)));
  const signingConfigV2 = utf8(signingConfigJson(signingConfigOf(facts, 2)));
  const { origins } = facts;
  const sigstore = (usage: string, uri: string) => ({ sigstore: { status: 'Active', usage, uri } });
  const single = (name: string, text: string, usage: string, uri: string): TufTarget => ({
    name,
    bytes: utf8(text),
    custom: sigstore(usage, uri),
  });
  return {
    trustedRoot,
    signingConfig,
    signingConfigV2,
    targets: [
      {
        name: 'trusted_root.json',
        bytes: trustedRoot,
        custom: sigstore('Unknown', 'https://github.com/sigstore/protobuf-specs'),
      },
      { name: 'signing_config.v0.2.json', bytes: signingConfig },
      { name: 'signing_config_rekor_v2.v0.2.json', bytes: signingConfigV2 },
      single('fulcio_v1.crt.pem', chainPem(facts.ca.slice(-1)), 'Fulcio', origins.ca),
      ...facts.ca
        .slice(0, -1)
        .map((issuer) => single('fulcio_intermediate_v1.crt.pem', chainPem([issuer]), 'Fulcio', origins.ca)),
      single('rekor.pub', publicKeyPem(facts.log.publicKey), 'Rekor', origins.log),
      single('ctfe.pub', publicKeyPem(facts.ct.publicKey), 'CTFE', origins.ct),
      single('tsa.certchain.pem', chainPem(facts.tsa), 'TSA', origins.tsa),
    ],
  };
}

export const chainPem = (chain: readonly Certificate[]): string =>
  chain.map(({ der }) => pemEncode('CERTIFICATE', der)).join('');

function trustedRootOf(facts: StackFacts): TrustedRootInput {
  const { origins, createdAt, organization } = facts;
  const validFor = { start: createdAt };
  const log = (baseUrl: string, { publicKey, logId }: LogFacts): LogInput => ({
    baseUrl,
    publicKey,
    logId,
    validFor,
  });
  const authority = (uri: string, chain: NonEmpty<Certificate>, role: string): CaAuthority => ({
    subject: { organization, commonName: `${organization} ${role}` },
    uri,
    chain,
    validFor,
  });
  return {
    tlogs: [log(origins.log, facts.log), log(origins.log2, facts.log2)],
    ctlogs: [log(origins.ct, facts.ct)],
    certificateAuthorities: [authority(origins.ca, facts.ca, 'root')],
    timestampAuthorities: [authority(origins.tsa, facts.tsa, 'tsa')],
  };
}

function signingConfigOf(facts: StackFacts, logVersion: 1 | 2): SigningConfig {
  const { origins, createdAt, organization } = facts;
  const service = (url: string, majorApiVersion: number): Service => ({
    url,
    majorApiVersion,
    validFor: { start: createdAt },
    operator: organization,
  });
  return {
    caUrls: [service(origins.ca, 1)],
    oidcUrls: [service(origins.oidc, 1)],
    rekorTlogUrls: [service(logVersion === 1 ? origins.log : origins.log2, logVersion)],
    tsaUrls: [service(`${origins.tsa}/api/v1/timestamp`, 1)],
    rekorTlogConfig: { selector: 'ANY' },
    tsaConfig: { selector: 'ANY' },
  };
}
