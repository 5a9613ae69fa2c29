/** TUF mirrors on loopback that can lie, and what tests load from them. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { utf8 } from '#base/bytes';
import type { Clock } from '#base/clock';
import { WaybillError } from '#base/reason';
import { SIGNING_CONFIG_V02 } from '#formats/signing-config';
import { TRUSTED_ROOT_V01 } from '#formats/trusted-root';
import { httpTransport, type Transport } from '#platform/http-client';
import { createHttpServer, type HttpApp, listen } from '#platform/http-server';
import { systemClock } from '#platform/system';
import { createLogger } from '#platform/telemetry';
import { createTuf, registerTuf, type Tuf } from '#services/tuf';
import { loadTrust, type Trust, type TrustSource } from '#trust';

export const DAY = 86_400_000;
export const base = await mkdtemp(join(tmpdir(), 'waybill-test-trust-'));
const apps: HttpApp[] = [];
after(async () => {
  for (const app of apps) await app.close();
  await rm(base, { recursive: true, force: true });
});
export const transport = httpTransport();
export const noNetwork: Transport = {
  request: () => assert.fail('a connection was opened'),
  stream: () => assert.fail('a connection was opened'),
};

export const rootText = (note = 1): string =>
  JSON.stringify({ mediaType: TRUSTED_ROOT_V01, tlogs: [], ctlogs: [], note });
export const configText = JSON.stringify({ mediaType: SIGNING_CONFIG_V02 });
export const targets = (note = 1): { name: string; bytes: Uint8Array }[] => [
  { name: 'trusted_root.json', bytes: utf8(rootText(note)) },
  { name: 'signing_config.v0.2.json', bytes: utf8(configText) },
];

export interface Mirror {
  readonly tuf: Tuf;
  readonly dir: string;
  readonly url: string;
  readonly root: string;
  /** Paths asked for, in order. */
  readonly asked: string[];
  /** Answers that replace the repository's. */
  readonly lies: Map<string, Uint8Array | number>;
}

let counter = 0;
export async function mirror(clock: Clock = systemClock, list = targets()): Promise<Mirror> {
  const dir = join(base, `mirror-${counter++}`);
  const tuf = await createTuf({ dir, clock, selfCheck: async () => {} });
  await tuf.publish(list);
  const app = createHttpServer({ log: createLogger('test', 'silent'), bodyBytesMax: 1024 });
  const asked: string[] = [];
  const lies = new Map<string, Uint8Array | number>();
  app.addHook('onRequest', async (request, reply) => {
    asked.push(request.url);
    const lie = lies.get(request.url);
    if (typeof lie === 'number') await reply.code(lie).send('lie');
    else if (lie !== undefined) await reply.send(Buffer.from(lie));
  });
  registerTuf(app, tuf);
  apps.push(app);
  const url = await listen(app, '127.0.0.1', 0);
  const root = join(dir, 'first-root.json');
  await writeFile(root, await tuf.initialRoot());
  return { tuf, dir, url, root, asked, lies };
}

export const source = (
  from: Mirror,
  cache: string,
  more: object = {},
): Extract<TrustSource, { kind: 'tuf' }> => ({
  kind: 'tuf',
  mirror: from.url,
  root: from.root,
  cacheDir: join(base, cache),
  ...more,
});
export const load = (from: TrustSource, over: Transport = transport): Promise<Trust> =>
  loadTrust(from, { transport: over });
export const code =
  (wanted: string, exit = 16) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof WaybillError, String(error));
    assert.equal(error.reason.code, wanted, error.message);
    assert.equal(error.reason.exit, exit);
    return true;
  };
