/**
 * The certificate the API server sees. From files, read again when they change; or made here: a CA that stays,
 * and a leaf renewed when two thirds of its life are over. Neither needs a restart.
 */
import { join } from 'node:path';
import { utf8, utf8Text } from '#base/bytes';
import type { Clock } from '#base/clock';
import { generateKey, type PrivateKey, privateKeyFromPem } from '#base/crypto';
import { limits } from '#base/limits';
import type { Random } from '#base/random';
import { fail } from '#base/reason';
import { attempt, isNonEmpty, unwrap } from '#base/result';
import { pemDecode, pemEncode } from '#formats/pem';
import { type Certificate, readCertificate } from '#formats/x509';
import { type AuthorityKey, selfSignedAuthority, serialNumber, serverCertificate } from '#formats/x509-build';
import { readFileIfThere, readFileLimited, writeFileDurable } from '#platform/files';
import type { TlsConfig } from './config.ts';
import { R } from './reasons.ts';

export interface TlsMaterial {
  readonly certPem: string;
  readonly keyPem: string;
  /** What goes into caBundle: the CA when it is ours, else the last certificate of the chain. */
  readonly caPem: string;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface CertificateSource {
  current(): TlsMaterial;
  /** Looks again; true when there is something new. Throws WB-1143 and keeps the old one when it is unusable. */
  refresh(): Promise<boolean>;
}

const DAY_MS = 86_400_000;
const CA_DAYS = 365 * 5;
const LEAF_DAYS = 90;

export async function certificateSource(
  config: TlsConfig,
  clock: Clock,
  random: Random,
): Promise<CertificateSource> {
  if (config.kind === 'files') return fileSource(config);
  return selfMadeSource(config, clock, random);
}

async function fileSource(config: Extract<TlsConfig, { kind: 'files' }>): Promise<CertificateSource> {
  const read = async (): Promise<TlsMaterial> => {
    const [cert, key] = await Promise.all(
      [config.certFile, config.keyFile].map((path) => readFileLimited(path, limits.certificateBytes * 4)),
    );
    return checked(utf8Text(cert as Uint8Array), utf8Text(key as Uint8Array), config.certFile);
  };
  let material = await read();
  return {
    current: () => material,
    async refresh() {
      const next = await read();
      if (next.certPem === material.certPem && next.keyPem === material.keyPem) return false;
      material = next;
      return true;
    },
  };
}

/** A pair that does not fit would end every connection; better to refuse it here. */
function checked(certPem: string, keyPem: string, where: string): TlsMaterial {
  const blocks = pemDecode(certPem, 'CERTIFICATE');
  const key = privateKeyFromPem(keyPem);
  const bad = (actual: string): Error =>
    fail(R.certificate, {
      expected: 'a PEM chain and the key of its first certificate',
      actual: `${where}: ${actual}`,
    });
  if (!blocks.ok) throw bad(blocks.error.actual);
  if (!key.ok) throw bad('a private key that does not parse');
  const chain = attempt(() => blocks.value.map(({ der }) => readCertificate(der)));
  if (!chain.ok) throw bad(chain.error.actual);
  const leaf = chain.value[0] as Certificate;
  if (Buffer.compare(leaf.publicKey.spki, key.value.publicKey.spki) !== 0) {
    throw bad('a key of another certificate');
  }
  const last = chain.value.at(-1) as Certificate;
  const { notBefore, notAfter } = leaf;
  return { certPem, keyPem, caPem: pemEncode('CERTIFICATE', last.der), notBefore, notAfter };
}

async function selfMadeSource(
  config: Extract<TlsConfig, { kind: 'selfMade' }>,
  clock: Clock,
  random: Random,
): Promise<CertificateSource> {
  const { hosts } = config;
  if (!isNonEmpty(hosts)) {
    throw fail(R.certificate, { expected: 'at least one host name for the certificate', actual: 'none' });
  }
  const authority = await keptAuthority(config.dir, clock, random);
  const make = (): TlsMaterial => {
    const key = generateKey('p256');
    const now = clock.now();
    const issue = {
      serial: serialNumber(random.bytes(20)),
      // An API server whose clock is a little behind must accept it too.
      notBefore: now - 5 * 60_000,
      notAfter: Math.min(now + LEAF_DAYS * DAY_MS, authority.certificate.notAfter),
    };
    const leaf = serverCertificate(authority, hosts, key.publicKey, issue);
    return {
      certPem: pemEncode('CERTIFICATE', leaf),
      keyPem: key.exportPem(),
      caPem: pemEncode('CERTIFICATE', authority.certificate.der),
      notBefore: issue.notBefore,
      notAfter: issue.notAfter,
    };
  };
  let material = make();
  return {
    current: () => material,
    refresh() {
      const age = clock.now() - material.notBefore;
      if (age < ((material.notAfter - material.notBefore) * 2) / 3) return Promise.resolve(false);
      material = make();
      return Promise.resolve(true);
    },
  };
}

/** The CA survives restarts, so that the caBundle in the webhook configuration stays right. */
async function keptAuthority(dir: string | undefined, clock: Clock, random: Random): Promise<AuthorityKey> {
  const paths =
    dir === undefined ? undefined : { cert: join(dir, 'webhook-ca.pem'), key: join(dir, 'webhook-ca.key') };
  if (paths !== undefined) {
    const [cert, key] = await Promise.all([readFileIfThere(paths.cert), readFileIfThere(paths.key)]);
    if (cert !== undefined && key !== undefined) {
      const [block] = unwrap(pemDecode(utf8Text(cert), 'CERTIFICATE'));
      const certificate = readCertificate(block.der);
      const signer: PrivateKey = unwrap(privateKeyFromPem(utf8Text(key)));
      if (certificate.notAfter > clock.now() + LEAF_DAYS * DAY_MS) return { certificate, signer };
    }
  }
  const signer = generateKey('p256');
  const now = clock.now();
  const authority = selfSignedAuthority('waybill admission webhook CA', signer, {
    serial: serialNumber(random.bytes(20)),
    notBefore: now - 5 * 60_000,
    notAfter: now + CA_DAYS * DAY_MS,
  });
  if (paths !== undefined) {
    await writeFileDurable(paths.key, utf8(signer.exportPem()), { mode: 0o600 });
    await writeFileDurable(paths.cert, utf8(pemEncode('CERTIFICATE', authority.certificate.der)));
  }
  return authority;
}
