/**
 * Writes one golden data directory: `node test/soak/golden/write.ts FILE`, run at the version whose data is to be
 * kept. The log in it was ended in the middle of a commit: the lock names a batch whose tiles are not written.
 * Uses what the first version had already, so that it runs at any.
 */
import { createPrivateKey } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { FixedClock } from '#base/clock';
import { privateKeyFromPem } from '#base/crypto';
import { unwrap } from '#base/result';
import { embeddedLogStore } from '#platform/store-embedded';
import { checkpointSigner, openLog } from '#tlog';

export const GOLDEN_ORIGIN = 'golden.example';
export const GOLDEN_NOW = Date.UTC(2026, 0, 1);
/** In whole commits, and in the one that was not finished. */
export const GOLDEN_BEFORE = 500;
export const GOLDEN_LAST = 20;
export const goldenEntry = (index: number): Uint8Array => Buffer.from(`golden entry ${index}`);

/** A key that is no secret: its seed is 32 bytes of 7 (RFC 8410 framing). */
export function goldenSigner() {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, 7)]);
  const pem = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({
    format: 'pem',
    type: 'pkcs8',
  });
  const signer = unwrap(privateKeyFromPem(pem.toString()));
  return checkpointSigner({ origin: GOLDEN_ORIGIN, signer });
}

async function write(file: string): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-golden-'));
  const store = embeddedLogStore({ directory });
  let isEnded = false;
  const ending = {
    ...store,
    writeTile: (path: string, bytes: Uint8Array) =>
      isEnded ? Promise.reject(new Error('ended here')) : store.writeTile(path, bytes),
  };
  const clock = new FixedClock(GOLDEN_NOW);
  const log = await openLog({ store: ending, signer: goldenSigner(), clock, create: true });
  const append = (from: number, count: number) =>
    Promise.allSettled(Array.from({ length: count }, (_, i) => log.append(goldenEntry(from + i))));
  for (let at = 0; at < GOLDEN_BEFORE; at += 125) await append(at, 125);
  isEnded = true;
  await append(GOLDEN_BEFORE, GOLDEN_LAST);
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => !name.endsWith('-shm') && statSync(join(directory, name)).isFile())
    .sort()
    .map((name) => [name, readFileSync(join(directory, name)).toString('base64')]);
  writeFileSync(file, gzipSync(JSON.stringify(Object.fromEntries(files)), { level: 9 }));
  await log.close().catch(() => {});
  rmSync(directory, { recursive: true });
}

if (import.meta.main) await write(process.argv[2] ?? '');
