/** What clients are told about a stack: trusted root, signing configs, and the single files of old clients. */
import { utf8 } from '#base/bytes';
import { publicKeyPem } from '#base/crypto';
import { type NonEmpty, unwrap } from '#base/result';
import { pemEncode } from '#formats/pem';
import { type Service, type SigningConfig, signingConfigJson } from '#formats/signing-config';
import {
  type CaAuthority,
  type LogInput,
  parseTrustedRoot,
  type TrustedRootInput,
  trustedRootJson,
} from '#formats/trusted-root';
import type { Certificate } from '#formats/x509';
import type { TufTarget } from '#services/tuf';
import type { Origins } from './layout.ts';

/** When what a key signed is believed: milliseconds since the epoch, both ends included. */
export interface Window {
  readonly start: number;
  readonly end?: number;
}

export interface LogFacts {
  readonly baseUrl: string;
  readonly publicKey: LogInput['publicKey'];
  readonly logId: Uint8Array;
  readonly validFor: Window;
}

export interface ChainFacts {
  /** Signer (intermediate or timestamp leaf) first, root last. */
  readonly chain: NonEmpty<Certificate>;
  readonly validFor: Window;
  /** Where this one is or was; absent: where the current one is. */
  readonly baseUrl?: string;
}

/** Everything that was ever current, oldest first; the current one is told apart by `origins` or as the last switched. */
export interface StackFacts {
  /** Where the current ones are; what is absent is not there. */
  readonly origins: Partial<Origins>;
  /** Milliseconds since the epoch: since when the services can be used. */
  readonly createdAt: number;
  readonly organization: string;
  readonly ct: readonly LogFacts[];
  readonly log: readonly LogFacts[];
  readonly log2: readonly LogFacts[];
  readonly ca: readonly ChainFacts[];
  readonly tsa: readonly ChainFacts[];
}

export interface Published {
  readonly trustedRoot: Uint8Array;
  /** Log API v1 with a timestamp authority, as the public instance has it. */
  readonly signingConfig: Uint8Array;
  /** The same with log API v2. */
  readonly signingConfigV2: Uint8Array;
  readonly targets: readonly TufTarget[];
}

/** Throws what a client would refuse the trusted root for: WB-165, WB-166. */
export function publishedMaterial(facts: StackFacts): Published {
  const trustedRoot = utf8(trustedRootJson(trustedRootOf(facts)));
  unwrap(parseTrustedRoot(trustedRoot));
  const signingConfig = utf8(signingConfigJson(signingConfigOf(facts, 1)));
  const signingConfigV2 = utf8(signingConfigJson(signingConfigOf(facts, 2)));
  const usage = 'https://github.com/sigstore/protobuf-specs';
  return {
    trustedRoot,
    signingConfig,
    signingConfigV2,
    targets: [
      { name: 'trusted_root.json', bytes: trustedRoot, custom: sigstore('Unknown', usage, true) },
      { name: 'signing_config.v0.2.json', bytes: signingConfig },
      ...(facts.log2.length === 0
        ? []
        : [{ name: 'signing_config_rekor_v2.v0.2.json', bytes: signingConfigV2 }]),
      ...singleTargets(facts),
    ],
  };
}

const sigstore = (usage: string, uri: string, isActive: boolean) => ({
  sigstore: { status: isActive ? 'Active' : 'Expired', usage, uri },
});

/** The files clients without trusted_root.json read, one a generation; the newest has the plain name. */
function singleTargets({ origins, ca, log, ct, tsa }: StackFacts): TufTarget[] {
  // Each at the address of its own generation: who reads a key of an earlier log is led to that log.
  const of = <T extends { readonly validFor: Window; readonly baseUrl?: string }>(
    list: readonly T[],
    {
      base,
      extension,
      usage,
      uri,
    }: { base: string; extension: string; usage: string; uri: string | undefined },
    text: (one: T) => string,
  ): TufTarget[] =>
    list.map((one, index) => ({
      name: index === list.length - 1 ? `${base}${extension}` : `${base}-${index + 1}${extension}`,
      bytes: utf8(text(one)),
      custom: sigstore(usage, one.baseUrl ?? uri ?? '', one.validFor.end === undefined),
    }));
  const key = ({ publicKey }: LogFacts): string => publicKeyPem(publicKey);
  const fulcio = { extension: '.crt.pem', usage: 'Fulcio', uri: origins.ca };
  return [
    ...of(ca, { base: 'fulcio_v1', ...fulcio }, ({ chain }) => chainPem(chain.slice(-1))),
    ...of(ca, { base: 'fulcio_intermediate_v1', ...fulcio }, ({ chain }) => chainPem(chain.slice(0, -1))),
    ...of(log, { base: 'rekor', extension: '.pub', usage: 'Rekor', uri: origins.log }, key),
    ...of(ct, { base: 'ctfe', extension: '.pub', usage: 'CTFE', uri: origins.ct }, key),
    ...of(tsa, { base: 'tsa', extension: '.certchain.pem', usage: 'TSA', uri: origins.tsa }, ({ chain }) =>
      chainPem(chain),
    ),
  ];
}

export const chainPem = (chain: readonly Certificate[]): string =>
  chain.map(({ der }) => pemEncode('CERTIFICATE', der)).join('');

function trustedRootOf(facts: StackFacts): TrustedRootInput {
  const { origins, organization } = facts;
  const authority = (
    uri: string | undefined,
    { chain, validFor, baseUrl }: ChainFacts,
    role: string,
  ): CaAuthority => ({
    subject: { organization, commonName: `${organization} ${role}` },
    uri: baseUrl ?? uri ?? '',
    chain,
    validFor,
  });
  return {
    tlogs: [...facts.log, ...facts.log2],
    ctlogs: facts.ct,
    certificateAuthorities: facts.ca.map((one) => authority(origins.ca, one, 'root')),
    timestampAuthorities: facts.tsa.map((one) => authority(origins.tsa, one, 'tsa')),
  };
}

/** What is not there is not named. */
function signingConfigOf({ origins, createdAt, organization }: StackFacts, logVersion: 1 | 2): SigningConfig {
  const { ca, oidc, log, log2, tsa } = origins;
  const service = (url: string | undefined, majorApiVersion: number): Service[] =>
    url === undefined
      ? []
      : [{ url, majorApiVersion, validFor: { start: createdAt }, operator: organization }];
  const isV1 = logVersion === 1 && log !== undefined;
  return {
    caUrls: service(ca, 1),
    oidcUrls: service(oidc, 1),
    rekorTlogUrls: isV1 ? service(log, 1) : service(log2, 2),
    tsaUrls: service(tsa === undefined ? undefined : `${tsa}/api/v1/timestamp`, 1),
    rekorTlogConfig: { selector: 'ANY' },
    tsaConfig: { selector: 'ANY' },
  };
}
