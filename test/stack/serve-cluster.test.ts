/** One log by two processes' worth of stations over PostgreSQL and an object store. */
import assert from 'node:assert/strict';
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { toBase64, utf8 } from '#base/bytes';
import { generateKey, sha256 } from '#base/crypto';
import { logParts, openStation, type RunningStation, type StationDeps, type StationParts } from '#stack';
import { hasPostgres, startPostgres } from '../double/postgres.ts';
import { startS3 } from '../double/s3.ts';
import { stationSettings, temporaryFolder } from './serve-fixture.ts';

const signingKey = generateKey('p256');

function entry(artifact: string): string {
  const bytes = utf8(artifact);
  const publicKey = { rawBytes: toBase64(signingKey.publicKey.spki) };
  const signature = {
    content: toBase64(signingKey.sign(bytes)),
    verifier: { publicKey, keyDetails: 'PKIX_ECDSA_P256_SHA_256' },
  };
  return JSON.stringify({ hashedRekordRequestV002: { digest: toBase64(sha256(bytes)), signature } });
}

if (hasPostgres()) {
  const dir = await temporaryFolder();
  const [server, s3] = await Promise.all([startPostgres(), startS3('tiles')]);
  const open: RunningStation[] = [];
  after(async () => {
    for (const station of open) await station.close();
    await s3.close();
    await server.stop();
    await rm(dir, { recursive: true, force: true });
  });
  const log =
    (role: 'all' | 'front') =>
    (deps: StationDeps): Promise<StationParts> =>
      logParts(
        {
          ...{ api: 'v2', hostname: 'log.example', role, store: server.url },
          objects: `s3://tiles/2026?endpoint=${encodeURIComponent(s3.endpoint)}`,
          env: { AWS_ACCESS_KEY_ID: 'k', AWS_SECRET_ACCESS_KEY: 's' },
        },
        deps,
      );

  test('two stations take entries for one log; when the sequencer goes, its successor goes on', async () => {
    const admin = { host: '127.0.0.1', port: 0 };
    const first = await openStation('log2', stationSettings(dir, 'one', { admin }), log('all'));
    open.push(first);
    await mkdir(join(dir, 'two', 'keys'), { recursive: true, mode: 0o700 });
    const key = join('keys', 'log.key');
    await copyFile(join(dir, 'one', key), join(dir, 'two', key));
    const second = await openStation('log2', stationSettings(dir, 'two', { admin }), log('all'));
    open.push(second);
    const submit = async (origin: string, text: string): Promise<string> => {
      const answer = await fetch(`${origin}/api/v2/log/entries`, { method: 'POST', body: entry(text) });
      const json = (await answer.json()) as { logIndex: string };
      assert.equal(answer.status, 201, JSON.stringify(json));
      return json.logIndex;
    };
    const sequences = async (origin: string | undefined): Promise<boolean> =>
      /^waybill_log2_sequencer 1$/m.test(await (await fetch(`${origin}/metrics`)).text());
    const found = await Promise.all(
      ['a', 'b', 'c', 'd'].map((text, i) => submit((i % 2 === 0 ? first : second).origin, text)),
    );
    assert.deepEqual(
      found.toSorted((a, b) => Number(a) - Number(b)),
      ['0', '1', '2', '3'],
    );
    assert.deepEqual(
      [await sequences(first.adminOrigin), await sequences(second.adminOrigin)],
      [true, false],
    );
    await first.close();
    assert.equal(await submit(second.origin, 'e'), '4');
    assert.equal(await sequences(second.adminOrigin), true);
  });
} else {
  console.log('note: no PostgreSQL on this machine; stations over one database did not run');
}
