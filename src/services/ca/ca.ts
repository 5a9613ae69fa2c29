/**
 * The certificate authority: a verified token and a proven key in, a short-lived certificate out. Order matters:
 * precertificate, promise of the log, final certificate, own check of both, and only then does anything leave.
 * A crash in between leaves at worst a logged precertificate without its certificate, never the reverse.
 */
import type { Der } from '#base/brand';
import { equalBytes, toHex } from '#base/bytes';
import { type PublicKey, sha256 } from '#base/crypto';
import { drawnAhead } from '#base/random';
import { fail, type Reason, WaybillError } from '#base/reason';
import type { Secret } from '#base/secret';
import { signDraftBy } from '#formats/draft';
import { embeddedScts, precertTbs, type Sct, sctBytes, verifySctOverTbs } from '#formats/sct';
import {
  type Certificate,
  oids,
  parseCertificate,
  sanText,
  verifyCertificateSignatureAsync,
} from '#formats/x509';
import {
  type CertificateTemplate,
  type ExtensionTemplate,
  emptyName,
  extensionOf,
  extKeyUsage,
  fulcioExtensionTemplates,
  keyIdentifier,
  keyIdentifierSha1,
  promisedDrafts,
  serialNumber,
} from '#formats/x509-build';
import { keyHolders } from '#platform/key-store';
import { type Authority, openAuthority } from './authority.ts';
import { type CaConfig, type IssuerTable, MINUTE_MS } from './config.ts';
import { type KeyDirectory, keyDirectory } from './discovery.ts';
import { type KeyProof, provenKey } from './proof.ts';
import { issuerReach } from './reach.ts';
import { R } from './reasons.ts';
import { type Principal, principalOf } from './subject.ts';
import { verifyToken } from './token.ts';

const LEAF_LIFETIME_MS = 10 * MINUTE_MS;
/** How far the log's clock may be from ours: with another time than its log an authority would sign wrong windows. */
const SCT_SKEW_MS = MINUTE_MS;

export interface Issued {
  readonly certificate: Certificate;
  /** Leaf, intermediate, root. */
  readonly chain: readonly [Der, Der, Der];
  readonly sct: Sct;
}

export interface Ca {
  readonly root: Certificate;
  readonly intermediate: Certificate;
  readonly issuers: IssuerTable;
  /** Chains a client may meet, each from the intermediate to its root. */
  trustBundle(): readonly (readonly Certificate[])[];
  /** Throws WB-1002 to WB-1018; nothing was issued then. */
  issue(token: Secret, proof: () => KeyProof): Promise<Issued>;
  close(): Promise<void>;
}

/** Opens the authority; makes its keys at the first start. Throws WB-1015, WB-219. */
export async function createCa(config: CaConfig): Promise<Ca> {
  const authority = await openAuthority({
    keys: config.keys,
    holders: config.holders ?? keyHolders(config.keys),
    random: config.random,
    organization: config.organization ?? 'waybill',
    now: config.clock.now(),
  });
  const directory = keyDirectory(issuerReach(config.transport), config.clock);
  const parts: Parts = {
    config,
    authority,
    directory,
    limiter: rateLimiter(config),
    serial: drawnAhead(config.random, SERIAL_BYTES),
    profile: profileOf(authority),
  };
  return {
    root: authority.root,
    intermediate: authority.intermediate,
    issuers: config.issuers,
    trustBundle: () => [[authority.intermediate, authority.root]],
    issue: (token, proof) => issue(parts, token, proof),
    close: async () => {},
  };
}

interface Parts {
  readonly config: CaConfig;
  readonly authority: Authority;
  readonly directory: KeyDirectory;
  readonly limiter: (identity: string) => void;
  /** Random bytes of a serial number. */
  readonly serial: () => Uint8Array;
  readonly profile: Profile;
}

const SERIAL_BYTES = 20;

/** What is the same in every certificate of an authority. */
interface Profile {
  /** SHA-256 of the issuer's key, as SCTs name it. */
  readonly issuerKeyHash: Uint8Array;
  readonly usages: readonly ExtensionTemplate[];
  readonly authorityKeyId: ExtensionTemplate;
}

function profileOf({ intermediate }: Authority): Profile {
  const keyId = intermediate.subjectKeyId ?? keyIdentifier(intermediate.publicKey);
  return {
    issuerKeyHash: sha256(intermediate.publicKey.spki),
    usages: [extensionOf.keyUsage('digitalSignature'), extensionOf.extKeyUsage([extKeyUsage.codeSigning])],
    authorityKeyId: extensionOf.authorityKeyId(keyId),
  };
}

async function issue(parts: Parts, token: Secret, proof: () => KeyProof): Promise<Issued> {
  const { config, authority } = parts;
  const verified = await verifyToken(token, config.issuers, parts.directory, config.clock);
  const principal = principalOf(verified.issuer, config.issuers, verified.claims);
  const key = await provenKey(proof(), principal.challenge);
  parts.limiter(`${principal.claims.issuer} ${principal.san.value}`);
  const template = leafTemplate(parts, principal, key);
  const drafts = promisedDrafts(template, authority.signer.publicKey);
  const precertificate = await signDraftBy(drafts.precertificate, authority.signer);
  const sct = await promised(parts, precertificate, drafts.promisedTbs);
  const der = await signDraftBy(drafts.certificate([sct]), authority.signer);
  const certificate = await checked(der, template, authority, { sct, tbs: drafts.promisedTbs });
  config.log.info(
    {
      serial: certificate.serialHex,
      issuer: principal.claims.issuer,
      san: sanText(certificate),
      notAfter: certificate.notAfter,
      sctTimestamp: sct.timestamp,
    },
    'certificate issued',
  );
  return { certificate, chain: [der, authority.intermediate.der, authority.root.der], sct };
}

/** The certificate profile of Sigstore: empty subject, one critical name, code signing, Go's extension order. */
function leafTemplate(
  { config, authority, serial, profile }: Parts,
  principal: Principal,
  publicKey: PublicKey,
): CertificateTemplate {
  const notBefore = Math.floor(config.clock.now() / 1000) * 1000;
  const notAfter = notBefore + (config.leafLifetimeMs ?? LEAF_LIFETIME_MS);
  const { intermediate } = authority;
  // A leaf that outlives its issuer would verify at one time and not at another.
  if (notAfter > intermediate.notAfter || notBefore < intermediate.notBefore) {
    const expected = `an intermediate valid until ${new Date(notAfter).toISOString()}`;
    throw fail(R.authorityExpired, { expected, actual: new Date(intermediate.notAfter).toISOString() });
  }
  return {
    subject: emptyName,
    issuer: intermediate.subject,
    serial: serialNumber(serial()),
    notBefore,
    notAfter,
    publicKey,
    extensions: [
      ...profile.usages,
      extensionOf.subjectKeyId(publicKey, keyIdentifierSha1),
      profile.authorityKeyId,
      extensionOf.subjectAltName([principal.san], true),
      ...fulcioExtensionTemplates(principal.claims),
    ],
  };
}

/** The log's promise for the precertificate; it holds over `tbs`. */
async function promised(
  { config, authority, profile }: Parts,
  precertificate: Der,
  tbs: Uint8Array,
): Promise<Sct> {
  const { intermediate, root } = authority;
  let sct: Sct;
  try {
    sct = await config.ct.addPreChain([precertificate, intermediate.der, root.der]);
  } catch (error) {
    const why: Reason | undefined = error instanceof WaybillError ? error.reason : undefined;
    if (why === undefined) config.log.error({ err: error }, 'certificate log failed');
    const actual = why === undefined ? 'a failure' : `${why.code}: ${why.actual}`;
    throw fail(R.transparency, { expected: 'a promise of the certificate log', actual }, error);
  }
  const skew = Math.abs(sct.timestamp - config.clock.now());
  if (skew > SCT_SKEW_MS) {
    const expected = `a log whose clock is within ${SCT_SKEW_MS} ms`;
    throw fail(R.transparency, { expected, actual: `${skew} ms` });
  }
  if (!(await verifySctOverTbs(sct, tbs, profile.issuerKeyHash, config.ctKey))) {
    throw fail(R.transparency, {
      expected: 'an SCT over the precertificate by the configured log key',
      actual: 'one that does not verify',
    });
  }
  return sct;
}

/** An SCT that was verified, and the TBSCertificate it was verified over. */
interface Promised {
  readonly sct: Sct;
  readonly tbs: Uint8Array;
}

/** Reads our own certificate as a stranger would. Rejects with WB-1014. */
async function checked(
  der: Der,
  template: CertificateTemplate,
  authority: Authority,
  { sct, tbs }: Promised,
): Promise<Certificate> {
  const refuse = (actual: string): WaybillError =>
    fail(R.selfCheck, { expected: 'a certificate as asked for, signed and promised', actual });
  const parsed = parseCertificate(der);
  if (!parsed.ok) throw refuse(`${parsed.error.code}: ${parsed.error.actual}`);
  const certificate = parsed.value;
  const san = template.extensions.find(({ oid }) => oid === oids.subjectAltName);
  const asAsked =
    certificate.notBefore === template.notBefore &&
    certificate.notAfter === template.notAfter &&
    equalBytes(certificate.publicKey.spki, template.publicKey.spki) &&
    equalBytes(certificate.extensions.get(oids.subjectAltName)?.value ?? der, san?.value ?? emptyName) &&
    certificate.extensions.size === template.extensions.length + 1 &&
    certificate.unknownCritical.length === 0;
  if (!asAsked) throw refuse(`another content, serial ${toHex(certificate.serial)}`);
  const scts = embeddedScts(certificate);
  // The same promise over the same bytes holds as it did: a verifier cuts them out of the certificate as here.
  const isPromised =
    scts.ok &&
    scts.value.length === 1 &&
    equalBytes(sctBytes(scts.value[0] as Sct), sctBytes(sct)) &&
    equalBytes(precertTbs(certificate), tbs);
  if (!isPromised) throw refuse('an SCT that does not verify');
  if (!(await verifyCertificateSignatureAsync(certificate, authority.intermediate))) {
    throw refuse('a wrong signature');
  }
  return certificate;
}

const IDENTITIES_MAX = 100_000;

/** Counts per identity in whole minutes. When the table is full it starts anew: memory stays bounded. */
function rateLimiter(config: CaConfig): (identity: string) => void {
  const max = config.issuancesPerMinute;
  if (max === undefined) return () => {};
  let minute = -1;
  const counts = new Map<string, number>();
  return (identity) => {
    const now = Math.floor(config.clock.now() / MINUTE_MS);
    if (now !== minute || counts.size >= IDENTITIES_MAX) counts.clear();
    minute = now;
    const count = (counts.get(identity) ?? 0) + 1;
    if (count > max) {
      throw fail(R.rate, { expected: `at most ${max} certificates a minute`, actual: `${count}` });
    }
    counts.set(identity, count);
  };
}
