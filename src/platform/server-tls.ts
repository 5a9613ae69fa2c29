/** TLS of servers: what is offered, and a certificate that is read again when its files change. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { utf8Text } from '#base/bytes';
import { fail } from '#base/reason';
import { readFileLimited } from './files.ts';
import { R } from './reasons.ts';

/** PEM: a chain, leaf first, and the key of the leaf. */
export interface TlsPair {
  readonly cert: string;
  readonly key: string;
  /** Authorities of clients: whoever shows no certificate of theirs gets no connection (mutual TLS). */
  readonly clientCa?: string;
}

/** TLS 1.2 with forward secrecy and authenticated encryption, or TLS 1.3. */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/** Options of a TLS server for a certificate. */
export function secure({ cert, key, clientCa }: TlsPair) {
  const clients = clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true };
  return { cert, key, minVersion: 'TLSv1.2', ciphers: CIPHERS, ...clients } as const;
}

const FILE_BYTES_MAX = 256 * 1024;

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  /** PEM authorities of the clients that may connect. */
  readonly clientCaFile?: string;
}

export interface LoadedTls extends TlsPair {
  /** Milliseconds since the epoch: when the leaf ends. */
  readonly notAfter: number;
}

/**
 * Reads a certificate and its key, and the authorities of clients. Throws WB-209, WB-216 when they do not belong
 * together or are no authorities, WB-219 for an open key.
 */
export async function readTlsFiles({ certFile, keyFile, clientCaFile }: TlsFiles): Promise<LoadedTls> {
  const mode = (await stat(keyFile).catch(() => undefined))?.mode ?? 0;
  // The group may read: that is how systemd, Kubernetes and ACME clients hand keys to services.
  if ((mode & 0o007) !== 0) {
    const actual = `mode 0${(mode & 0o777).toString(8)}`;
    throw fail(R.keyFile, { expected: `${keyFile} closed to others (0600 or 0640)`, actual });
  }
  const read = async (path: string): Promise<string> => utf8Text(await readFileLimited(path, FILE_BYTES_MAX));
  const [cert, key] = await Promise.all([read(certFile), read(keyFile)]);
  const pair = checkedTls({ cert, key }, certFile);
  if (clientCaFile === undefined) return pair;
  return { ...pair, clientCa: checkedAuthorities(await read(clientCaFile), clientCaFile) };
}

/** A certificate that may issue none would let nobody in, and say nothing. */
function checkedAuthorities(text: string, where: string): string {
  try {
    const found = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
    if (found.length === 0) throw new Error('no certificate in it');
    const other = found.map((pem) => new X509Certificate(pem)).find(({ ca }) => !ca);
    if (other !== undefined) throw new Error(`${other.subject.replaceAll('\n', ', ')} is no authority`);
    return found.join('\n');
  } catch (error) {
    const actual = `${where}: ${error instanceof Error ? error.message : String(error)}`;
    throw fail(R.tls, { expected: 'PEM certificates of authorities', actual }, error);
  }
}

/** A pair that does not fit would end every connection; better to refuse it here. Throws WB-216. */
export function checkedTls(pair: TlsPair, where: string): LoadedTls {
  try {
    const leaf = new X509Certificate(pair.cert);
    if (!leaf.checkPrivateKey(createPrivateKey(pair.key))) throw new Error('a key of another certificate');
    createSecureContext(secure(pair));
    return { ...pair, notAfter: Date.parse(leaf.validTo) };
  } catch (error) {
    const actual = `${where}: ${error instanceof Error ? error.message : String(error)}`;
    throw fail(R.tls, { expected: 'a PEM chain and the key of its first certificate', actual }, error);
  }
}
