/**
 * A whole Sigstore in memory: certificate authority, CT log, Rekor v1 and v2, timestamp authority, with its
 * trusted root. It signs anything; options and `alter` change one thing at a time. Hostile cases start here.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Digest } from '#base/brand';
import { utf8 } from '#base/bytes';
import { FixedClock } from '#base/clock';
import {
  defaultHash,
  generateKey,
  type HashName,
  hash,
  type PrivateKey,
  publicKeyPem,
  sha256,
} from '#base/crypto';
import { digestOf } from '#base/digest';
import { unwrap } from '#base/result';
import { type BundleInput, bundleJson, parseBundle } from '#formats/bundle';
import { type Envelope, envelopeJson, INTOTO_PAYLOAD_TYPE, pae } from '#formats/dsse';
import { COSIGN_SIGN_V1, statementBytes } from '#formats/intoto';
import type { JsonObject } from '#formats/json';
import { keyDetailsFor } from '#formats/key-details';
import { pemEncode } from '#formats/pem';
import {
  dsseV1Body,
  hashedRekordV1Body,
  hashedRekordV2Body,
  intotoV1Body,
  type VerifierV2,
} from '#formats/rekor';
import type { TransparencyLogEntry } from '#formats/tlog-entry';
import {
  parseTrustedRoot,
  type TrustedRoot,
  type TrustedRootInput,
  trustedRootJson,
  type Validity,
} from '#formats/trusted-root';
import type { Certificate } from '#formats/x509';
import { extKeyUsage } from '#formats/x509-build';
import {
  identity,
  type Requirements,
  requireKeyless,
  type TrustMaterial,
  trustMaterial,
  type Verdict,
  verifyBundle,
} from '#verify';
import {
  issueLeaf,
  type LeafOptions,
  MINUTE,
  VirtualAuthority,
  VirtualCtLog,
  VirtualTsa,
  YEAR,
} from './virtual-ca.ts';
import { VirtualLog } from './virtual-log.ts';

export { MINUTE, YEAR } from './virtual-ca.ts';

/** 2026-06-01T12:00:00Z: when the stack signs, unless told otherwise. */
export const EPOCH = Date.UTC(2026, 5, 1, 12);
export const ISSUER = 'https://issuer.example';
export const SUBJECT = 'dev@acme.example';

export interface SignOptions {
  /** What is signed. Default: the message `hello`. */
  readonly artifact?: Uint8Array;
  /** Sign a statement about the artifact instead of the artifact. */
  readonly statement?: Uint8Array | 'cosign';
  readonly payloadType?: string;
  /** Milliseconds; default EPOCH. */
  readonly at?: number;
  /** Sign with this bare key instead of a certificate. */
  readonly key?: PrivateKey;
  /** The key of the certificate; default a fresh P-256 key. */
  readonly leafKey?: PrivateKey;
  readonly leaf?: Partial<LeafOptions>;
  /** Show this certificate instead of issuing one for the key. */
  readonly certificate?: Certificate;
  /** Use these bytes as the signature, in bundle, log and timestamp alike. */
  readonly replaceSignature?: Uint8Array;
  readonly ca?: VirtualAuthority;
  /** Logs to enter it in; default Rekor v1. */
  readonly logs?: readonly VirtualLog[];
  /** Kind of the v1 entry of a statement; default dsse. */
  readonly entryKind?: 'dsse' | 'intoto' | 'hashedrekord';
  /** Timestamp authorities to ask; default the stack's own. */
  readonly tsas?: readonly VirtualTsa[];
  /** When the timestamp says it was made; default `at` plus one minute. */
  readonly stampedAt?: number;
  /** Changes the parts before they are put together; entries and timestamps are already made. */
  readonly alter?: (parts: Parts) => Partial<Parts> | undefined;
}

/** Everything a bundle is made of. */
export interface Parts {
  material: BundleInput['material'];
  entries: readonly TransparencyLogEntry[];
  timestamps: readonly Uint8Array[];
  content: BundleInput['content'];
}

export interface Sample {
  readonly artifact: Uint8Array;
  readonly digest: Digest;
  readonly parts: Parts;
  readonly signature: Uint8Array;
  readonly certificate: Certificate | undefined;
  readonly key: PrivateKey;
  readonly json: JsonObject;
  readonly bytes: Uint8Array;
}

export class VirtualStack {
  readonly clock = new FixedClock(EPOCH + 30 * MINUTE);
  readonly validFor: Validity = { start: EPOCH - YEAR };
  readonly ca: VirtualAuthority;
  readonly ctLog: VirtualCtLog;
  readonly rekorV1: VirtualLog;
  readonly rekorV2: VirtualLog;
  readonly tsa: VirtualTsa;

  constructor(name = 'virtual') {
    const { validFor } = this;
    const operator = `${name}.example`;
    this.ca = new VirtualAuthority({ name: 'fulcio', validFor, operator, purpose: extKeyUsage.codeSigning });
    this.ctLog = new VirtualCtLog(validFor, operator);
    this.tsa = new VirtualTsa({ name: 'tsa', validFor, operator });
    const v1 = { host: `rekor.${name}.example`, key: generateKey('p256'), shardOffset: 4000 };
    this.rekorV1 = new VirtualLog({ generation: 'v1', validFor, operator, ...v1 });
    const v2 = { host: `log2026.${name}.example`, key: generateKey('ed25519') };
    this.rekorV2 = new VirtualLog({ generation: 'v2', validFor, operator, ...v2 });
  }

  get root(): TrustedRootInput {
    return {
      tlogs: [this.rekorV1.authority, this.rekorV2.authority],
      ctlogs: [this.ctLog.authority],
      certificateAuthorities: [this.ca.authority()],
      timestampAuthorities: [this.tsa.authority],
    };
  }

  /** Trust as a verifier loads it: through the text of the trusted root. */
  trust(root: TrustedRootInput = this.root): TrustMaterial {
    return trustMaterial(this.trustedRoot(root));
  }

  trustedRoot(root: TrustedRootInput = this.root): TrustedRoot {
    return unwrap(parseTrustedRoot(trustedRootJson(root)));
  }

  sign(options: SignOptions = {}): Sample {
    const artifact = options.artifact ?? utf8('hello');
    const at = options.at ?? EPOCH;
    const key = options.key ?? options.leafKey ?? generateKey('p256');
    const certificate =
      options.key === undefined ? (options.certificate ?? this.issue(key, at, options)) : undefined;
    const envelope = envelopeOf(options, artifact);
    const signed = envelope === undefined ? artifact : pae(envelope.payloadType, envelope.payload);
    const signature = options.replaceSignature ?? key.sign(signed);
    const signedEnvelope =
      envelope === undefined ? undefined : { ...envelope, signatures: [{ sig: signature }] };
    const context = { signed, signature, key, certificate, envelope: signedEnvelope };
    const parts: Parts = {
      material:
        certificate === undefined ? { kind: 'publicKey', hint: '' } : { kind: 'certificate', certificate },
      entries: (options.logs ?? [this.rekorV1]).map((log) =>
        enter(log, context, at, options.entryKind ?? 'dsse'),
      ),
      timestamps: (options.tsas ?? [this.tsa]).map((tsa) =>
        tsa.stamp(signature, options.stampedAt ?? at + MINUTE),
      ),
      content:
        signedEnvelope === undefined
          ? { kind: 'message', signature, digest: hashValue(key, artifact) }
          : { kind: 'dsse', envelope: signedEnvelope },
    };
    const altered = { ...parts, ...options.alter?.(parts) };
    const json = bundleOf(altered);
    const bytes = utf8(JSON.stringify(json));
    return { artifact, digest: digestOf(artifact), parts: altered, signature, certificate, key, json, bytes };
  }

  issue(key: PrivateKey, at: number, options: Pick<SignOptions, 'leaf' | 'ca'> = {}): Certificate {
    return issueLeaf(options.ca ?? this.ca, {
      claims: { issuer: ISSUER },
      sans: [{ type: 'email', value: SUBJECT }],
      notBefore: at - MINUTE,
      publicKey: key.publicKey,
      ctLogs: [this.ctLog],
      ...options.leaf,
    });
  }

  /** What a careful caller asks of this stack's signatures. */
  requirements(): Requirements {
    return unwrap(requireKeyless({ identities: [unwrap(identity({ issuer: ISSUER, san: SUBJECT }))] }));
  }

  /** Parses and verifies, as every caller does; a bundle that does not parse is rejected. */
  verify(
    bundle: Uint8Array | JsonObject,
    artifact: Uint8Array | Digest,
    options: {
      readonly requirements?: Requirements;
      readonly trust?: TrustMaterial;
      readonly now?: number;
    } = {},
  ): Verdict {
    const bytes = bundle instanceof Uint8Array ? bundle : utf8(JSON.stringify(bundle));
    const parsed = parseBundle(bytes);
    if (!parsed.ok) return { outcome: 'rejected', reason: parsed.error };
    return verifyBundle({
      artifact,
      bundle: parsed.value,
      trustedRoot: options.trust ?? this.trust(),
      requirements: options.requirements ?? this.requirements(),
      now: options.now ?? this.clock.now(),
    });
  }

  /** Writes trusted root and a sample to a folder, for eyes and for other tools. */
  dump(folder: string, sample?: Sample): void {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'trusted_root.json'), trustedRootJson(this.root));
    if (sample === undefined) return;
    writeFileSync(join(folder, 'bundle.sigstore.json'), sample.bytes);
    writeFileSync(join(folder, 'artifact'), sample.artifact);
  }
}

/** A bundle from parts. */
export function bundleOf(parts: Parts): JsonObject {
  return bundleJson({
    material: parts.material,
    tlogEntries: parts.entries,
    timestamps: parts.timestamps,
    content: parts.content,
  });
}

function envelopeOf(options: SignOptions, artifact: Uint8Array): Omit<Envelope, 'signatures'> | undefined {
  if (options.statement === undefined) return undefined;
  const payload = options.statement === 'cosign' ? signStatement(artifact) : options.statement;
  return { payloadType: options.payloadType ?? INTOTO_PAYLOAD_TYPE, payload };
}

/** What `cosign sign` ≥ 3 signs. */
export function signStatement(artifact: Uint8Array, annotations?: JsonObject): Uint8Array {
  const digest = { sha256: Buffer.from(sha256(artifact)).toString('hex') };
  const subject = annotations === undefined ? { digest } : { digest, annotations };
  return statementBytes({ subject: [subject], predicateType: COSIGN_SIGN_V1, predicate: {} });
}

interface SigningContext {
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
  readonly key: PrivateKey;
  readonly certificate: Certificate | undefined;
  readonly envelope: Envelope | undefined;
}

/** PEM of the certificate, or of the bare key. */
export function verifierPem({ certificate, key }: Pick<SigningContext, 'certificate' | 'key'>): string {
  return certificate === undefined ? publicKeyPem(key.publicKey) : pemEncode('CERTIFICATE', certificate.der);
}

/** The digest a key of this kind signs. */
function hashValue(key: PrivateKey, bytes: Uint8Array): { algorithm: HashName; value: Uint8Array } {
  const algorithm = defaultHash(key.publicKey.kind);
  return { algorithm, value: hash(algorithm, bytes) };
}

function enter(
  log: VirtualLog,
  context: SigningContext,
  at: number,
  entryKind: 'dsse' | 'intoto' | 'hashedrekord',
): TransparencyLogEntry {
  const { signed, signature, key, certificate, envelope } = context;
  if (log.generation === 'v2') {
    const keyDetails = keyDetailsFor(key.publicKey) ?? '';
    const verifier: VerifierV2 =
      certificate === undefined
        ? { kind: 'publicKey', rawBytes: key.publicKey.spki, keyDetails }
        : { kind: 'x509Certificate', rawBytes: certificate.der, keyDetails };
    const body = hashedRekordV2Body({ hash: hashValue(key, signed), signature, verifier });
    return log.append('hashedrekord', '0.0.2', body, at);
  }
  const verifier = verifierPem(context);
  if (envelope === undefined || entryKind === 'hashedrekord') {
    const value = hashValue(key, signed);
    return log.append('hashedrekord', '0.0.1', hashedRekordV1Body({ hash: value, signature, verifier }), at);
  }
  const envelopeHash = { algorithm: 'sha256', value: sha256(utf8(envelopeJson(envelope))) } as const;
  const payloadHash = { algorithm: 'sha256', value: sha256(envelope.payload) } as const;
  const signatures = [{ signature, verifier }];
  if (entryKind === 'intoto') {
    const { payloadType } = envelope;
    const body = intotoV1Body({ envelopeHash, payloadHash, payloadType, signatures });
    return log.append('intoto', '0.0.2', body, at);
  }
  return log.append('dsse', '0.0.1', dsseV1Body({ envelopeHash, payloadHash, signatures }), at);
}
