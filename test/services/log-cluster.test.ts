/** Two log servers over HTTP in front of one sequencer, in PostgreSQL with tiles in an object store. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { toBase64, toHex, utf8 } from '#base/bytes';
import { generateKey, sha256 } from '#base/crypto';
import { Secret } from '#base/secret';
import { createHttpServer, listen } from '#platform/http-server';
import { openStore } from '#platform/store-open';
import { systemClock, systemRandom } from '#platform/system';
import { createLog, registerLog } from '#services/log';
import { checkpointSigner, openFront, openLog, runSequencer } from '#tlog';
import { hasPostgres, startPostgres } from '../double/postgres.ts';
import { ProcessClock } from '../double/process-clock.ts';
import { startS3 } from '../double/s3.ts';
import { call, HOSTNAME, quiet } from './log-fixture.ts';

const leaseClock = new ProcessClock();
after(() => leaseClock.stop());
const key = generateKey('ed25519');
const signingKey = generateKey('p256');

function request(artifact: string): object {
  const bytes = utf8(artifact);
  return {
    hashedRekordRequestV002: {
      digest: toBase64(sha256(bytes)),
      signature: {
        content: toBase64(signingKey.sign(bytes)),
        verifier: {
          publicKey: { rawBytes: toBase64(signingKey.publicKey.spki) },
          keyDetails: 'PKIX_ECDSA_P256_SHA_256',
        },
      },
    },
  };
}

async function cluster(url: string, endpoint: string) {
  const tiles = {
    endpoint,
    region: 'us-east-1',
    bucket: 'tiles',
    accessKeyId: 'k',
    secretAccessKey: new Secret('s'),
  };
  const place = () => openStore({ kind: 'postgres', url, log: 'rekor', tiles });
  const end = new AbortController();
  const opened = await place();
  const { store, queue, lease } = opened;
  assert.ok(queue !== undefined && lease !== undefined);
  const signer = checkpointSigner({ origin: HOSTNAME, signer: key });
  const open = () => openLog({ store, signer, clock: systemClock, create: true });
  await (await open()).close();
  const election = { cell: lease, holder: 'one', leaseMs: 1000, clock: leaseClock };
  const sequencer = runSequencer({ election, queue, open }, end.signal);
  const front = async () => {
    const own = await place();
    const app = createHttpServer({ log: quiet, bodyBytesMax: 1024 });
    const service = await createLog({
      ...{ api: 'v2', hostname: HOSTNAME, key, store: own.store, clock: systemClock, log: quiet },
      engine: (options) => openFront({ ...options, queue: own.queue!, random: systemRandom }),
    });
    registerLog(app, service, quiet);
    const origin = await listen(app, '127.0.0.1', 0);
    const close = async () => {
      await app.close();
      await service.close();
      await own.close();
    };
    return { origin, close };
  };
  const fronts = [await front(), await front()];
  return {
    fronts,
    close: async () => {
      for (const one of fronts) await one.close();
      end.abort();
      await sequencer;
      await opened.close();
    },
  };
}

if (hasPostgres()) {
  const server = await startPostgres();
  const s3 = await startS3('tiles');
  after(async () => {
    await s3.close();
    await server.stop();
  });
  test('two servers answer for one log: entries, duplicates, tiles and refusals', async () => {
    const { fronts, close } = await cluster(server.url, s3.endpoint);
    const [one, two] = fronts.map((front) => `${front.origin}/api/v2`) as [string, string];
    const requests = Array.from({ length: 300 }, (_, i) => request(`${i}`));
    try {
      const answers = await Promise.all(
        requests.map((body, i) => call(`${i % 2 === 0 ? one : two}/log/entries`, body)),
      );
      assert.deepEqual([...new Set(answers.map((answer) => answer.status))], [201]);
      const indexes = answers.map((answer) => Number((answer.json as { logIndex: string }).logIndex));
      assert.deepEqual(
        indexes.toSorted((a, b) => a - b),
        Array.from({ length: 300 }, (_, i) => i),
      );
      const again = await call(`${two}/log/entries`, requests[0]);
      assert.deepEqual([again.status, again.headers.get('x-log-index')], [409, String(indexes[0])]);
      const tiles = await Promise.all(
        [one, two].map(async (url) => (await fetch(`${url}/tile/0/000`)).arrayBuffer()),
      );
      assert.equal(tiles[0]?.byteLength, 8192);
      assert.equal(toHex(new Uint8Array(tiles[0]!)), toHex(new Uint8Array(tiles[1]!)));
      assert.equal(toHex(new Uint8Array(tiles[0]!)), s3.objects.get('tiles/tile/0/000')?.toString('hex'));
      const refused = await call(`${one}/log/entries`, { hashedRekordRequestV002: {} });
      assert.equal(refused.status, 400);
    } finally {
      await close();
    }
  });
} else {
  console.log('note: no PostgreSQL on this machine; a cluster of log servers did not run');
}
