/** A registry over https that is none of the stack's, with an image in it, for a home folder that believes it. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after } from 'node:test';
import { generateKey } from '#base/crypto';
import { pemEncode } from '#formats/pem';
import { selfSignedAuthority, serialNumber, serverCertificate } from '#formats/x509-build';
import { systemClock, systemRandom } from '#platform/system';
import { createRegistry } from '#services/registry';
import { pushImage } from './stack-image.ts';

/** Returns the image. `home` gets what containers/image reads there: a policy, and the registry's authority. */
export async function foreignRegistry(home: string): Promise<string> {
  const dataDir = join(home, 'foreign');
  const plain = await createRegistry({ dataDir });
  const pushed = await pushImage(plain.host, 'them/app', 'foreign');
  await plain.close();
  const issue = () => ({
    serial: serialNumber(systemRandom.bytes(20)),
    notBefore: systemClock.now() - 60_000,
    notAfter: systemClock.now() + 3_600_000,
  });
  const authority = selfSignedAuthority('others', generateKey('p256'), issue());
  const key = generateKey('p256');
  const leaf = serverCertificate(authority, ['127.0.0.1'], key.publicKey, issue());
  const tls = { cert: pemEncode('CERTIFICATE', leaf), key: key.exportPem() };
  const registry = await createRegistry({ dataDir, tls });
  after(() => registry.close());
  const containers = join(home, '.config', 'containers');
  const trusted = join(containers, 'certs.d', registry.host);
  await mkdir(trusted, { recursive: true });
  await writeFile(join(trusted, 'ca.crt'), pemEncode('CERTIFICATE', authority.certificate.der));
  const policy = { default: [{ type: 'insecureAcceptAnything' }] };
  await writeFile(join(containers, 'policy.json'), JSON.stringify(policy));
  return pushed.replace(plain.host, registry.host);
}
