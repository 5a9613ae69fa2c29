/**
 * TLS of a development stack: an authority of its own, made once and kept, and a certificate for this machine's
 * names made at each start and renewed while it runs. A stack that began with TLS stays with it.
 */
import { join } from 'node:path';
import { utf8Text } from '#base/bytes';
import type { Clock } from '#base/clock';
import { generateKey } from '#base/crypto';
import type { Random } from '#base/random';
import { unwrap } from '#base/result';
import type { Secret } from '#base/secret';
import { pemDecode, pemEncode } from '#formats/pem';
import { readCertificate } from '#formats/x509';
import { type AuthorityKey, selfSignedAuthority, serialNumber, serverCertificate } from '#formats/x509-build';
import { readFileIfThere, writeFileDurable } from '#platform/files';
import { type HttpApp, useCertificate } from '#platform/http-server';
import { fileKeyStore } from '#platform/key-store';
import type { TlsPair } from '#platform/server-tls';

/** Public: what clients are given as SSL_CERT_FILE. */
export const TLS_CA_FILE = 'public/tls-ca.pem';
const CA_FILE = 'tls/ca.pem';
const KEY_DIR = 'tls';
const KEY = 'ca';
const DAY_MS = 86_400_000;
const CA_DAYS = 3650;
const LEAF_DAYS = 30;
/** Clients' clocks may be a little behind. */
const EARLY_MS = 5 * 60_000;

export class StackTls {
  readonly caPem: string;
  readonly #authority: AuthorityKey;
  readonly #deps: { readonly clock: Clock; readonly random: Random };
  readonly #apps: HttpApp[] = [];
  #pair: TlsPair;
  #renewAt: number;

  private constructor(authority: AuthorityKey, deps: { readonly clock: Clock; readonly random: Random }) {
    this.#authority = authority;
    this.#deps = deps;
    this.caPem = pemEncode('CERTIFICATE', authority.certificate.der);
    this.#pair = this.#make();
    this.#renewAt = this.#halfway();
  }

  /** The authority of a data directory, made when it is asked for; undefined for a stack without TLS. */
  static async open(
    dataDir: string,
    isWanted: boolean,
    deps: { readonly clock: Clock; readonly random: Random },
    passphrase?: Secret,
  ): Promise<StackTls | undefined> {
    const cert = await readFileIfThere(join(dataDir, CA_FILE));
    if (cert === undefined && !isWanted) return undefined;
    const keys = fileKeyStore(join(dataDir, KEY_DIR), passphrase);
    const kept = await keys.findKey(KEY);
    if (cert !== undefined && kept !== undefined) {
      const [block] = unwrap(pemDecode(utf8Text(cert), 'CERTIFICATE'));
      return new StackTls({ certificate: readCertificate(block.der), signer: kept }, deps);
    }
    // The key first: without it the certificate would be of no use to the next start.
    const signer = kept ?? (await keys.openKey(KEY, 'p256'));
    const now = deps.clock.now();
    const authority = selfSignedAuthority('waybill development stack', signer, {
      serial: serialNumber(deps.random.bytes(20)),
      notBefore: now - EARLY_MS,
      notAfter: now + CA_DAYS * DAY_MS,
    });
    const tls = new StackTls(authority, deps);
    await writeFileDurable(join(dataDir, CA_FILE), tls.caPem);
    return tls;
  }

  get pair(): TlsPair {
    return this.#pair;
  }

  /** Gives this server every later certificate too. */
  keep(app: HttpApp): void {
    this.#apps.push(app);
  }

  /** A new certificate when half of the life of the one in use is over. */
  renew(): void {
    if (this.#deps.clock.now() < this.#renewAt) return;
    this.#pair = this.#make();
    this.#renewAt = this.#halfway();
    for (const app of this.#apps) useCertificate(app, this.#pair);
  }

  #halfway(): number {
    return this.#deps.clock.now() + (LEAF_DAYS * DAY_MS) / 2;
  }

  #make(): TlsPair {
    const { clock, random } = this.#deps;
    const key = generateKey('p256');
    const now = clock.now();
    const leaf = serverCertificate(this.#authority, ['localhost', '127.0.0.1', '::1'], key.publicKey, {
      serial: serialNumber(random.bytes(20)),
      notBefore: now - EARLY_MS,
      notAfter: Math.min(now + LEAF_DAYS * DAY_MS, this.#authority.certificate.notAfter),
    });
    return { cert: pemEncode('CERTIFICATE', leaf), key: key.exportPem() };
  }
}
