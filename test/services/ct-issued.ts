/** An authority with a certificate log of its own behind HTTP: what left the one must stand in the other. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FixedClock } from '#base/clock';
import { generateKey, type PrivateKey } from '#base/crypto';
import { unwrap } from '#base/result';
import { pemDecode, pemEncode } from '#formats/pem';
import { type Certificate, parseCertificate } from '#formats/x509';
import { createHttpServer, listen } from '#platform/http-server';
import { createLogger } from '#platform/telemetry';
import type { CaConfig } from '#services/ca';
import { type CtLog, createCt, registerCt } from '#services/ct';
import { type CaFixture, caFixture, email, NOW, type Reply, token } from './ca-fixture.ts';

export interface IssuingWorld extends CaFixture {
  readonly ct: CtLog;
  readonly ctKey: PrivateKey;
  /** Where the log is read and written. */
  readonly url: string;
  readonly dataDir: string;
  /** Issues for `user-N@example.com`; the certificate, or what was answered. */
  issue(n: number): Promise<Certificate | Reply>;
  close(): Promise<void>;
}

export const isCertificate = (issued: Certificate | Reply): issued is Certificate => 'der' in issued;
export const pemOf = (...list: readonly Certificate[]): string =>
  list.map(({ der }) => pemEncode('CERTIFICATE', der)).join('');

/** `over` may put something of its own between authority and log. */
export async function issuingWorld(
  over: (ct: CtLog) => Partial<CaConfig> = () => ({}),
  ctKey = generateKey('p256'),
): Promise<IssuingWorld> {
  const dataDir = mkdtempSync(join(tmpdir(), 'waybill-test-issued-'));
  const log = createLogger('ct', 'silent');
  const clock = new FixedClock(NOW);
  const ct = await createCt({
    ...{ origin: 'ct.example/2026', key: ctKey, roots: [], create: true, clock, log },
    ...{ dataDir: join(dataDir, 'tree'), lockFile: join(dataDir, 'lock.db') },
  });
  const fixture = await caFixture([email], { ct, ctKey: ctKey.publicKey, ...over(ct) });
  ct.addRoot(fixture.ca.root.der);
  const app = createHttpServer({ log, bodyBytesMax: 1024 * 1024 });
  registerCt(app, ct, log);
  const url = await listen(app, '127.0.0.1', 0);
  return {
    ...fixture,
    ...{ ct, ctKey, url, dataDir },
    issue: async (n) => {
      const name = `user-${n}@example.com`;
      const reply = await fixture.sign(await token({ email: name }), { name });
      const [pem] = reply.json.signedCertificateEmbeddedSct?.chain.certificates ?? [];
      if (reply.status !== 200 || pem === undefined) return reply;
      return unwrap(parseCertificate(unwrap(pemDecode(pem, 'CERTIFICATE'))[0].der));
    },
    close: async () => {
      await app.close();
      await ct.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
