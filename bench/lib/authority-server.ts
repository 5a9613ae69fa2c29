/**
 * Run as a process: a stack for the benchmarks of the authorities (`stack DIR`), or the servers they cannot beat:
 * the same request read, the same number of signatures made and checked, an answer of the same size (`ca-floor`,
 * `tsa-floor`); no rule is applied and nothing is kept.
 */
import { createPublicKey, generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import { bodyBytes, createHttpServer, listen } from '#platform/http-server';
import { createLogger } from '#platform/telemetry';

const [what, dataDir = ''] = process.argv.slice(2);
if (what === 'stack') {
  const { composeStack } = await import('#stack');
  const { origins } = await composeStack({ dataDir, lockDir: `${dataDir}-locks`, logLevel: 'silent' });
  process.stdout.write(`${JSON.stringify(origins)}\n`);
} else {
  const app = createHttpServer({ log: createLogger('floor', 'silent'), bodyBytesMax: 64 * 1024 });
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const rsa = generateKeyPairSync('rsa', { modulusLength: 3072 });
  const data = randomBytes(700);
  const [byEc, byRsa] = [sign('sha256', data, ec.privateKey), sign('sha256', data, rsa.privateKey)];
  const answer = randomBytes(what === 'ca-floor' ? 3000 : 600).toString('base64');
  app.post('/', async (request, reply) => {
    const body = Buffer.from(bodyBytes(request));
    if (what === 'ca-floor') {
      const { publicKeyRequest } = JSON.parse(body.toString()) as {
        readonly publicKeyRequest: { readonly publicKey: { readonly content: string } };
      };
      const key = createPublicKey(publicKeyRequest.publicKey.content);
      // The token, the proof of possession, and the log's promise as the authority and its log see it.
      verify('sha256', data, rsa.publicKey, byRsa);
      verify('sha256', data, key, byEc);
      for (let i = 0; i < 2; i++) verify('sha256', data, ec.publicKey, byEc);
      // Precertificate, promise, certificate.
      for (let i = 0; i < 3; i++) sign('sha256', data, ec.privateKey);
    } else {
      sign('sha256', data, ec.privateKey);
    }
    return reply.type('application/octet-stream').send(answer);
  });
  app.addContentTypeParser('application/timestamp-query', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  );
  process.stdout.write(`${await listen(app, '127.0.0.1', 0)}\n`);
}
