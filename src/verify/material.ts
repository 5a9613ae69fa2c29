/**
 * A trusted root made ready: issuer links proven once, keys and logs looked up by id, authorities that cannot
 * vouch set aside with the reason. Read-only and free of state; share it between verifications.
 */
import { toHex } from '#base/bytes';
import { type PublicKey, sha256 } from '#base/crypto';
import { type Reason, reason } from '#base/reason';
import type { NonEmpty } from '#base/result';
import { noteKeyId } from '#formats/note';
import {
  type CaAuthority,
  isValidAt,
  type LogAuthority,
  type TrustedRoot,
  type Validity,
} from '#formats/trusted-root';
import { type Certificate, oids, verifyCertificateSignature } from '#formats/x509';
import { extKeyUsage } from '#formats/x509-build';
import { R } from './reasons.ts';

export interface TrustedLog {
  /** Hex of the log id. */
  readonly id: string;
  readonly key: PublicKey;
  readonly validFor: Validity;
  /** Authorities of one operator count once. */
  readonly operator: string;
  /** Host name of the base URL: the name a Rekor v2 log signs checkpoints with. */
  readonly host: string;
  /** Key id of checkpoint signatures under `host`. */
  readonly checkpointKeyId: Uint8Array;
  /** Key id of checkpoint signatures under any name; undefined for kinds whose key id depends on the name. */
  readonly namelessKeyId: Uint8Array | undefined;
}

export interface TrustedAuthority {
  readonly operator: string;
  /** CA: issuing certificate first. TSA: its own leaf first. Anchor last. */
  readonly chain: NonEmpty<Certificate>;
  readonly validFor: Validity;
  /** SHA-256 of the first certificate's key, as CT logs hash it. */
  readonly issuerKeyHash: Uint8Array;
}

export interface TrustMaterial {
  readonly tlogs: ReadonlyMap<string, readonly TrustedLog[]>;
  readonly ctlogs: ReadonlyMap<string, readonly TrustedLog[]>;
  readonly authorities: readonly TrustedAuthority[];
  readonly timestampAuthorities: readonly TrustedAuthority[];
  /** Authorities of the root that were set aside, and why. */
  readonly unusable: readonly Reason[];
}

/** Prepares a parsed trusted root. The links of authorities are proven when those are first asked for, then kept. */
export function trustMaterial(root: TrustedRoot): TrustMaterial {
  let issuers: Sorted | undefined;
  let stampers: Sorted | undefined;
  const sortedIssuers = (): Sorted => (issuers ??= sorted(root.certificateAuthorities, caFault));
  const sortedStampers = (): Sorted => (stampers ??= sorted(root.timestampAuthorities, tsaFault));
  return Object.freeze({
    tlogs: logsById(root.tlogs),
    ctlogs: logsById(root.ctlogs),
    get authorities(): readonly TrustedAuthority[] {
      return sortedIssuers().usable;
    },
    get timestampAuthorities(): readonly TrustedAuthority[] {
      return sortedStampers().usable;
    },
    get unusable(): readonly Reason[] {
      return [...sortedIssuers().unusable, ...sortedStampers().unusable];
    },
  });
}

/** Authorities of one kind: those that can vouch, and why others cannot. */
interface Sorted {
  readonly usable: readonly TrustedAuthority[];
  readonly unusable: readonly Reason[];
}

function sorted(
  list: readonly CaAuthority[],
  fault: (chain: NonEmpty<Certificate>) => string | undefined,
): Sorted {
  const unusable: Reason[] = [];
  const usable = list.flatMap((authority) => {
    const problem = fault(authority.chain);
    if (problem === undefined) return [trustedAuthority(authority)];
    const actual = `${authority.uri || authority.subject.commonName}: ${problem}`;
    unusable.push(reason(R.authority, { expected: 'a chain of authorities up to an anchor', actual }));
    return [];
  });
  return { usable, unusable };
}

/** Trust in nothing: for keys whose signatures need no log and no time. */
export const noTrustMaterial: TrustMaterial = Object.freeze({
  tlogs: new Map(),
  ctlogs: new Map(),
  authorities: [],
  timestampAuthorities: [],
  unusable: [],
});

function logsById(logs: readonly LogAuthority[]): Map<string, TrustedLog[]> {
  const byId = new Map<string, TrustedLog[]>();
  for (const log of logs) {
    const trusted = trustedLog(log);
    byId.set(trusted.id, [...(byId.get(trusted.id) ?? []), trusted]);
  }
  return byId;
}

function trustedLog(log: LogAuthority): TrustedLog {
  const host = hostOf(log.baseUrl);
  const id = toHex(log.logId);
  return {
    id,
    key: log.publicKey,
    validFor: log.validFor,
    operator: log.operator ?? (host || `log ${id}`),
    host,
    checkpointKeyId: log.checkpointKeyId ?? noteKeyId(host, log.publicKey),
    namelessKeyId: isNamed(log.publicKey) ? undefined : noteKeyId('', log.publicKey),
  };
}

const isNamed = ({ kind }: PublicKey): boolean => kind === 'ed25519' || kind === 'rsa';

/** Roots of version 0.1 name no operator: two keys, shards or chains of one host are then one witness. */
const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).hostname : url);

function trustedAuthority(authority: CaAuthority): TrustedAuthority {
  const [first] = authority.chain;
  const fallback = hostOf(authority.uri) || `certificate ${toHex(sha256(first.der))}`;
  return {
    operator: authority.operator ?? fallback,
    chain: authority.chain,
    validFor: authority.validFor,
    issuerKeyHash: sha256(first.publicKey.spki),
  };
}

function caFault(chain: NonEmpty<Certificate>): string | undefined {
  return issuersFault(chain, extKeyUsage.codeSigning) ?? linksFault(chain);
}

/** RFC 3161 §2.3: the signer has the one purpose timeStamping, marked critical. */
function tsaFault(chain: NonEmpty<Certificate>): string | undefined {
  const [leaf, ...issuers] = chain;
  if (issuers.length === 0) return 'a timestamp authority without an issuer';
  const usage = leaf.extensions.get(oids.extKeyUsage);
  const isOnlyTimeStamping =
    leaf.extKeyUsages.length === 1 && leaf.extKeyUsages[0] === extKeyUsage.timeStamping;
  if (leaf.isCa || !isOnlyTimeStamping || usage?.critical !== true) {
    return 'a leaf that is not a timestamping certificate';
  }
  if (leaf.keyUsage?.digitalSignature === false) return 'a leaf that may not sign';
  if (leaf.unknownCritical.length > 0)
    return `unknown critical extensions ${leaf.unknownCritical.join(', ')}`;
  return issuersFault(issuers, extKeyUsage.timeStamping, true) ?? linksFault(chain);
}

/**
 * What keeps a list of issuers, lowest first, from issuing leaves with `purpose` (RFC 5280 §6.1.4). With
 * `mustName` an intermediate has to name the purpose; otherwise one without purposes may serve any.
 */
function issuersFault(
  issuers: readonly Certificate[],
  purpose: string,
  mustName = false,
): string | undefined {
  for (const [below, issuer] of issuers.entries()) {
    const name = issuer.subjectText;
    if (!issuer.isCa) return `${name} is no certificate authority`;
    if (issuer.keyUsage?.keyCertSign === false) return `${name} may not sign certificates`;
    if (issuer.pathLen !== undefined && issuer.pathLen < below) return `${name} allows a shorter path`;
    const isAnchor = below === issuers.length - 1;
    const isOpen = issuer.extKeyUsages.length === 0 && (isAnchor || !mustName);
    if (!isOpen && !issuer.extKeyUsages.includes(purpose)) {
      return `${name} may not issue for purpose ${purpose}`;
    }
    if (issuer.unknownCritical.length > 0) {
      return `${name} has unknown critical extensions ${issuer.unknownCritical.join(', ')}`;
    }
  }
  return undefined;
}

/** Each certificate is issued by the next; a self-issued anchor signs itself. */
function linksFault(chain: NonEmpty<Certificate>): string | undefined {
  for (const [i, certificate] of chain.entries()) {
    const next = chain[i + 1];
    const issuer = next ?? certificate;
    const isSelfIssued = toHex(certificate.issuer) === toHex(certificate.subject);
    if (next === undefined && !isSelfIssued) continue;
    if (!isIssuedBy(certificate, issuer) || !verifyCertificateSignature(certificate, issuer)) {
      return `${certificate.subjectText} is not issued by ${issuer.subjectText}`;
    }
  }
  return undefined;
}

/** Names and key identifiers fit; the signature is another question. */
export function isIssuedBy(certificate: Certificate, issuer: Certificate): boolean {
  if (Buffer.compare(certificate.issuer, issuer.subject) !== 0) return false;
  const { authorityKeyId } = certificate;
  const { subjectKeyId } = issuer;
  if (authorityKeyId === undefined || subjectKeyId === undefined) return true;
  return Buffer.compare(authorityKeyId, subjectKeyId) === 0;
}

/** Among logs of one id the one whose interval contains `ms`, else the first. */
export function logAt(logs: readonly TrustedLog[], ms: number | undefined): TrustedLog | undefined {
  return (ms === undefined ? undefined : logs.find((log) => isValidAt(log.validFor, ms))) ?? logs[0];
}

/** Whether every certificate of the chain is valid at `ms` (both ends included). */
export function chainCovers(chain: readonly Certificate[], ms: number): boolean {
  return chain.every((certificate) => ms >= certificate.notBefore && ms <= certificate.notAfter);
}
