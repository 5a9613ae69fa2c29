/** Authorities of one's own, and the certificates of servers and clients they issue, as files for TLS. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateKey } from '#base/crypto';
import type { NonEmpty } from '#base/result';
import { pemEncode } from '#formats/pem';
import type { San } from '#formats/x509';
import {
  type AuthorityKey,
  buildCertificate,
  buildName,
  extensionOf,
  extKeyUsage,
  selfSignedAuthority,
  serialNumber,
  serverCertificate,
} from '#formats/x509-build';
import { systemClock, systemRandom } from '#platform/system';

const HOUR_MS = 3_600_000;

const issue = (endsIn = HOUR_MS) => ({
  serial: serialNumber(systemRandom.bytes(20)),
  notBefore: systemClock.now() - 2 * HOUR_MS,
  notAfter: systemClock.now() + endsIn,
});

export interface Client {
  /** Subject: `CN=<name>,O=acme`. */
  readonly name: string;
  readonly sans?: NonEmpty<San>;
  /** What its certificate is for; default: clients. */
  readonly purpose?: keyof typeof extKeyUsage;
  /** Milliseconds from now; negative: it is over. */
  readonly endsIn?: number;
}

export interface TlsPki {
  /** PEM of the authority. */
  readonly caFile: string;
  readonly ca: string;
  /** Writes `<file>.pem` and `<file>.key`. */
  server(file: string, hosts: NonEmpty<string>): Promise<{ certFile: string; keyFile: string }>;
  client(file: string, client: Client): Promise<{ certFile: string; keyFile: string }>;
}

export async function tlsPki(dir: string, name: string): Promise<TlsPki> {
  const authority: AuthorityKey = selfSignedAuthority(name, generateKey('p256'), issue());
  const ca = pemEncode('CERTIFICATE', authority.certificate.der);
  const caFile = join(dir, `${name}.pem`);
  await writeFile(caFile, ca);
  const write = async (file: string, der: Uint8Array, key: string) => {
    const [certFile, keyFile] = [join(dir, `${file}.pem`), join(dir, `${file}.key`)];
    await writeFile(certFile, pemEncode('CERTIFICATE', der));
    await writeFile(keyFile, key, { mode: 0o600 });
    return { certFile, keyFile };
  };
  return {
    caFile,
    ca,
    server: async (file, hosts) => {
      const key = generateKey('p256');
      return write(file, serverCertificate(authority, hosts, key.publicKey, issue()), key.exportPem());
    },
    client: async (file, { name: commonName, sans, purpose = 'clientAuth', endsIn }) => {
      const key = generateKey('p256');
      const der = buildCertificate(
        {
          ...issue(endsIn),
          subject: buildName([
            { type: 'O', value: 'acme' },
            { type: 'CN', value: commonName },
          ]),
          issuer: authority.certificate.subject,
          publicKey: key.publicKey,
          extensions: [
            extensionOf.keyUsage('digitalSignature'),
            extensionOf.extKeyUsage([extKeyUsage[purpose]]),
            ...(sans === undefined ? [] : [extensionOf.subjectAltName(sans)]),
          ],
        },
        authority.signer,
      );
      return write(file, der, key.exportPem());
    },
  };
}
