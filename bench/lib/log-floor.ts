/**
 * Run as a process: the server the log cannot beat. The same request read, its key parsed and its signature
 * checked, an answer of the same size; nothing is kept.
 */
import { createPublicKey, randomBytes, verify } from 'node:crypto';
import { bodyBytes, createHttpServer, listen } from '#platform/http-server';
import { createLogger } from '#platform/telemetry';

interface Request {
  readonly hashedRekordRequestV002: {
    readonly digest: string;
    readonly signature: {
      readonly content: string;
      readonly verifier: { readonly publicKey: { readonly rawBytes: string } };
    };
  };
}

const bytes = (text: string): Buffer => Buffer.from(text, 'base64');
const log = createLogger('floor', 'silent');
const app = createHttpServer({ log, bodyBytesMax: 64 * 1024 });
const answer = JSON.stringify({ like: randomBytes(900).toString('base64') });
app.post('/api/v2/log/entries', async (request, reply) => {
  const { digest, signature } = (JSON.parse(Buffer.from(bodyBytes(request)).toString()) as Request)
    .hashedRekordRequestV002;
  const key = createPublicKey({
    key: bytes(signature.verifier.publicKey.rawBytes),
    format: 'der',
    type: 'spki',
  });
  // Over the digest as a message: the same work as over what it is the digest of.
  verify('sha256', bytes(digest), { key, dsaEncoding: 'der' }, bytes(signature.content));
  return reply.code(201).type('application/json').send(answer);
});
process.stdout.write(`${await listen(app, '127.0.0.1', 0)}\n`);
