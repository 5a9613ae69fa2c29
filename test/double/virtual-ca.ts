/** A certificate authority with root and intermediate, its CT logs, and a timestamp authority, in memory. */
import { generateKey, hash, type PrivateKey, type PublicKey, sha256 } from '#base/crypto';
import { isNonEmpty, type NonEmpty, unwrap } from '#base/result';
import { precertTbs, type Sct, sctSignedData } from '#formats/sct';
import type { CaAuthority, LogInput, Validity } from '#formats/trusted-root';
import { buildTimeStampResponse } from '#formats/tsp';
import { buildName, type Certificate, type FulcioClaims, parseCertificate, type San } from '#formats/x509';
import {
  buildCertificate,
  buildCertificateWithScts,
  buildPrecertificate,
  type CertificateTemplate,
  emptyName,
  extensionOf,
  extKeyUsage,
  fulcioExtensionTemplates,
  keyIdentifier,
} from '#formats/x509-build';

export const MINUTE = 60_000;
export const YEAR = 365 * 24 * 60 * MINUTE;

let serials = 0;
/** Serial numbers count up: unique and the same in every run. */
function nextSerial(): Uint8Array {
  serials++;
  return Uint8Array.of(0x40, (serials >> 16) & 255, (serials >> 8) & 255, serials & 255);
}

export interface AuthorityOptions {
  readonly name: string;
  readonly validFor: Validity;
  readonly operator?: string;
  readonly purpose: string;
  /** Curve of root and intermediate; the public good instance uses P-384. */
  readonly curve?: 'p256' | 'p384';
  /** Last word on the certificates of the authority. */
  readonly alterIntermediate?: (template: CertificateTemplate) => CertificateTemplate;
}

/** A two-step authority: P-384 root, P-384 intermediate. */
export class VirtualAuthority {
  readonly root: { readonly certificate: Certificate; readonly key: PrivateKey };
  readonly intermediate: { readonly certificate: Certificate; readonly key: PrivateKey };
  readonly options: AuthorityOptions;

  constructor(options: AuthorityOptions) {
    this.options = options;
    const curve = options.curve ?? 'p384';
    const rootKey = generateKey(curve);
    const key = generateKey(curve);
    const subject = (part: string): Uint8Array =>
      buildName([
        { type: 'O', value: 'virtual' },
        { type: 'CN', value: `${options.name} ${part}` },
      ]);
    const start = options.validFor.start - YEAR;
    const template = { serial: nextSerial(), notBefore: start, notAfter: start + 10 * YEAR };
    const root: CertificateTemplate = {
      ...template,
      subject: subject('root'),
      issuer: subject('root'),
      publicKey: rootKey.publicKey,
      extensions: [
        extensionOf.keyUsage('keyCertSign', 'cRLSign'),
        extensionOf.authority(),
        extensionOf.subjectKeyId(rootKey.publicKey),
      ],
    };
    const below: CertificateTemplate = {
      ...template,
      serial: nextSerial(),
      subject: subject('intermediate'),
      issuer: subject('root'),
      publicKey: key.publicKey,
      extensions: [
        extensionOf.keyUsage('keyCertSign', 'cRLSign'),
        extensionOf.extKeyUsage([options.purpose]),
        extensionOf.authority(0),
        extensionOf.subjectKeyId(key.publicKey),
        extensionOf.authorityKeyId(keyIdentifier(rootKey.publicKey)),
      ],
    };
    const altered = options.alterIntermediate?.(below) ?? below;
    this.root = { key: rootKey, certificate: parsed(buildCertificate(root, rootKey)) };
    this.intermediate = { key, certificate: parsed(buildCertificate(altered, rootKey)) };
  }

  authority(...below: readonly Certificate[]): CaAuthority {
    const { name, validFor, operator } = this.options;
    const chain = [...below, this.intermediate.certificate, this.root.certificate];
    if (!isNonEmpty(chain)) throw new Error('a chain has certificates');
    return {
      subject: { organization: 'virtual', commonName: name },
      uri: `https://${name}.example`,
      chain,
      validFor,
      ...(operator === undefined ? {} : { operator }),
    };
  }
}

const parsed = (der: Uint8Array): Certificate => unwrap(parseCertificate(der));

/** A CT log that stamps precertificates. */
export class VirtualCtLog {
  readonly key = generateKey('p256');
  readonly logId = sha256(this.key.publicKey.spki);
  readonly #validFor: Validity;
  readonly #operator: string | undefined;

  constructor(validFor: Validity, operator?: string) {
    this.#validFor = validFor;
    this.#operator = operator;
  }

  get authority(): LogInput {
    return {
      baseUrl: 'https://ct.example',
      publicKey: this.key.publicKey,
      validFor: this.#validFor,
      logId: this.logId,
      ...(this.#operator === undefined ? {} : { operator: this.#operator }),
    };
  }

  stamp(
    precertificate: Certificate,
    issuerKey: PublicKey,
    timestamp: number,
    extensions: Uint8Array = new Uint8Array(),
  ): Sct {
    const data = sctSignedData({ timestamp, extensions }, sha256(issuerKey.spki), precertTbs(precertificate));
    const signature = this.key.sign(data, 'sha256');
    return { logId: this.logId, timestamp, extensions, algorithm: 'ecdsa', signature };
  }
}

export interface LeafOptions {
  readonly sans?: NonEmpty<San>;
  readonly claims?: FulcioClaims;
  /** Milliseconds. */
  readonly notBefore: number;
  readonly notAfter?: number;
  readonly publicKey: PublicKey;
  readonly purposes?: readonly string[];
  readonly ctLogs: readonly VirtualCtLog[];
  /** Default: notBefore. */
  readonly sctTime?: number;
  readonly sctExtensions?: Uint8Array;
  /** Last word on the template, before the CT logs see it. */
  readonly alter?: (template: CertificateTemplate) => CertificateTemplate;
  /** Last word on the stamps. */
  readonly alterScts?: (scts: Sct[]) => Sct[];
}

/** A code-signing leaf as Fulcio issues it: empty subject, one critical SAN, claims, embedded stamps. */
export function issueLeaf(authority: VirtualAuthority, options: LeafOptions): Certificate {
  const { certificate: issuer, key } = authority.intermediate;
  const base: CertificateTemplate = {
    subject: emptyName,
    issuer: issuer.subject,
    serial: nextSerial(),
    notBefore: options.notBefore,
    notAfter: options.notAfter ?? options.notBefore + 10 * MINUTE,
    publicKey: options.publicKey,
    extensions: [
      extensionOf.keyUsage('digitalSignature'),
      extensionOf.extKeyUsage(options.purposes ?? [extKeyUsage.codeSigning]),
      extensionOf.subjectKeyId(options.publicKey),
      extensionOf.authorityKeyId(keyIdentifier(key.publicKey)),
      extensionOf.subjectAltName(options.sans ?? [{ type: 'email', value: 'dev@acme.example' }], true),
      ...fulcioExtensionTemplates(options.claims ?? {}),
    ],
  };
  const template = options.alter?.(base) ?? base;
  const precertificate = parsed(buildPrecertificate(template, key));
  const stamps = options.ctLogs.map((log) =>
    log.stamp(precertificate, key.publicKey, options.sctTime ?? options.notBefore, options.sctExtensions),
  );
  const scts = options.alterScts?.(stamps) ?? stamps;
  return parsed(
    isNonEmpty(scts) ? buildCertificateWithScts(template, scts, key) : buildCertificate(template, key),
  );
}

/** A timestamp authority under its own two-step chain. */
export class VirtualTsa {
  readonly key: PrivateKey;
  readonly certificate: Certificate;
  readonly issuer: VirtualAuthority;

  constructor(options: {
    readonly name: string;
    readonly validFor: Validity;
    readonly operator?: string;
    readonly alter?: (template: CertificateTemplate) => CertificateTemplate;
    readonly alterIntermediate?: (template: CertificateTemplate) => CertificateTemplate;
  }) {
    this.key = generateKey('p256');
    this.issuer = new VirtualAuthority({ ...options, purpose: extKeyUsage.timeStamping });
    const base: CertificateTemplate = {
      subject: buildName([{ type: 'CN', value: `${options.name} leaf` }]),
      issuer: this.issuer.intermediate.certificate.subject,
      serial: nextSerial(),
      notBefore: options.validFor.start - YEAR,
      notAfter: options.validFor.start + 5 * YEAR,
      publicKey: this.key.publicKey,
      extensions: [
        extensionOf.keyUsage('digitalSignature'),
        extensionOf.extKeyUsage([extKeyUsage.timeStamping], true),
        extensionOf.subjectKeyId(this.key.publicKey),
        extensionOf.authorityKeyId(keyIdentifier(this.issuer.intermediate.key.publicKey)),
      ],
    };
    const template = options.alter?.(base) ?? base;
    this.certificate = parsed(buildCertificate(template, this.issuer.intermediate.key));
  }

  get authority(): CaAuthority {
    return this.issuer.authority(this.certificate);
  }

  /** A TimeStampResp over `bytes`. */
  stamp(
    bytes: Uint8Array,
    at: number,
    certificates: readonly Certificate[] = [],
    signer = this.key,
  ): Uint8Array {
    return buildTimeStampResponse(
      {
        hashName: 'sha256',
        hash: hash('sha256', bytes),
        policy: '1.3.6.1.4.1.57264.2',
        serial: nextSerial(),
        genTime: at,
        accuracySeconds: 1,
        signerCertificate: this.certificate,
        certificates,
      },
      signer,
    );
  }
}
