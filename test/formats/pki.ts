/** A small certificate hierarchy for tests, and the program openssl where it is installed. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKey, type KeyKind, type PrivateKey } from '#base/crypto';
import { unwrap } from '#base/result';
import { type Certificate, parseCertificate } from '#formats/x509';
import {
  buildCertificate,
  buildName,
  type CertificateTemplate,
  emptyName,
  extensionOf,
  extKeyUsage,
  keyIdentifier,
} from '#formats/x509-build';
import { type RunResult, run } from '#platform/process';

export const NOW = Date.UTC(2026, 10, 21, 12, 0, 0);
export const DAY = 86_400_000;

export interface Authority {
  readonly certificate: Certificate;
  readonly key: PrivateKey;
}

export function rootAuthority(kind: KeyKind = 'p256'): Authority {
  const key = generateKey(kind);
  const name = buildName([
    { type: 'O', value: 'test' },
    { type: 'CN', value: 'test root' },
  ]);
  const certificate = unwrap(
    parseCertificate(
      buildCertificate(
        {
          subject: name,
          issuer: name,
          serial: Uint8Array.of(1),
          notBefore: NOW - DAY,
          notAfter: NOW + 100 * DAY,
          publicKey: key.publicKey,
          extensions: [
            extensionOf.keyUsage('keyCertSign', 'cRLSign'),
            extensionOf.authority(),
            extensionOf.subjectKeyId(key.publicKey),
          ],
        },
        key,
      ),
    ),
  );
  return { certificate, key };
}

/** A leaf like Sigstore's; fields of `over` replace its parts. */
export function leafTemplate(
  issuer: Authority,
  key: PrivateKey,
  over: Partial<CertificateTemplate> = {},
): CertificateTemplate {
  return {
    subject: emptyName,
    issuer: issuer.certificate.subject,
    serial: Uint8Array.of(0x7f, 2, 3),
    notBefore: NOW,
    notAfter: NOW + 600_000,
    publicKey: key.publicKey,
    extensions: [
      extensionOf.keyUsage('digitalSignature'),
      extensionOf.extKeyUsage([extKeyUsage.codeSigning]),
      extensionOf.subjectKeyId(key.publicKey),
      extensionOf.authorityKeyId(keyIdentifier(issuer.certificate.publicKey)),
      extensionOf.subjectAltName([{ type: 'email', value: 'dev@example.com' }], true),
    ],
    ...over,
  };
}

export interface OpensslResult extends RunResult {
  /** The file named `out` in the folder it ran in; empty when it wrote none. */
  readonly out: Uint8Array;
}

/** Runs openssl in a folder of its own that holds `files`. */
export async function openssl(
  args: readonly string[],
  files: Readonly<Record<string, Uint8Array | string>> = {},
): Promise<OpensslResult> {
  const cwd = await mkdtemp(join(tmpdir(), 'waybill-openssl-'));
  try {
    for (const [name, data] of Object.entries(files)) await writeFile(join(cwd, name), data);
    const result = await run('openssl', args, { cwd, timeoutMs: 300_000 });
    const out = await readFile(join(cwd, 'out')).catch(() => new Uint8Array(0));
    return { ...result, out };
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
}

/** Whether the program openssl is there; says once which tests did not run when it is not. */
export async function hasOpenssl(suite: string): Promise<boolean> {
  const { code } = await run('openssl', ['version']);
  if (code !== 0) process.stderr.write(`${suite}: openssl is not installed, its comparisons did not run\n`);
  return code === 0;
}
