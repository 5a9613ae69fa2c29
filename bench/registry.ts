/**
 * The registry against a bare server that keeps and gives the same bytes (bench/lib/registry-server.ts). Rounds take
 * turns; each ratio is the median of the rounds' own ratios. No gate is named for the registry anywhere: these say that
 * names, checks and durable tables cost at most so much of the floor. `npm run bench -- registry`.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { type Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOf } from '#base/digest';
import { buildManifest, describe, descriptorOf, emptyDescriptor, emptyJson, mediaType } from '#formats/oci';
import { at, connectedLoop, type Server, startServer } from './lib/log-load.ts';
import { median, report } from './lib/report.ts';

const ROUNDS = 5;
const MIB = 1024 * 1024;

/** One request to each of the two, for the same bytes. */
interface Pair {
  readonly ours: Ask;
  readonly floor: Ask;
}

interface Ask {
  readonly method: string;
  readonly path: string;
  readonly body?: Uint8Array;
  readonly type?: string;
  readonly status: number;
}

interface Work {
  readonly name: string;
  readonly clients: number;
  /** Ours may not be slower than this share of the floor. */
  readonly gate: number;
  /** Bytes moved by one request. */
  readonly bytes: number;
  /** New pairs for a round. */
  pairs(): readonly Pair[];
}

const folder = mkdtempSync(join(tmpdir(), 'waybill-bench-registry-'));
const program = 'bench/lib/registry-server.ts';
const [registry, floor] = await Promise.all([
  startServer(program, ['registry', join(folder, 'registry')]),
  startServer(program, ['floor', join(folder, 'floor')]),
]);

const REPO = '/v2/bench/app';
let made = 0;
const put = (body: Uint8Array): Ask => ({ method: 'PUT', path: `/kept/${made++}`, body, status: 201 });
const get = (path: string): Ask => ({ method: 'GET', path, status: 200 });
const pushBlob = (body: Uint8Array): Ask => ({
  ...{ method: 'POST', path: `${REPO}/blobs/uploads/?digest=${digestOf(body)}`, body, status: 201 },
});
const pushManifest = ({ bytes, digest }: { bytes: Uint8Array; digest: string }, name = digest): Ask => ({
  ...{
    method: 'PUT',
    path: `${REPO}/manifests/${name}`,
    body: bytes,
    type: mediaType.ociManifest,
    status: 201,
  },
});
const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

/** Sends one request and reads the whole answer; throws for another status. */
function send(server: Server, { method, path, body, type, status }: Ask, agent?: Agent): Promise<number> {
  const headers = {
    'content-length': body?.length ?? 0,
    ...(type === undefined ? {} : { 'content-type': type }),
  };
  return new Promise((resolve, reject) => {
    const sent = request(
      `${server.url}${path}`,
      { method, headers, ...(agent ? { agent } : {}) },
      (answer) => {
        let length = 0;
        answer.on('data', (chunk: Buffer) => {
          length += chunk.length;
        });
        answer.on('error', reject);
        answer.on('end', () => {
          if (answer.statusCode === status) resolve(length);
          else reject(new Error(`${method} ${path}: status ${answer.statusCode}`));
        });
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

const blobOf = (size: number): Uint8Array => new Uint8Array(randomBytes(size));

/** Content that is read again and again, at both. */
async function stored(body: Uint8Array, ask: Ask, path: string): Promise<Pair> {
  const kept = put(body);
  await send(registry, ask);
  await send(floor, kept);
  return { ours: get(path), floor: get(kept.path) };
}
const storedBlob = (body: Uint8Array): Promise<Pair> =>
  stored(body, pushBlob(body), `${REPO}/blobs/${digestOf(body)}`);

await send(registry, pushBlob(emptyJson));
const layer = describe(emptyJson, mediaType.ociLayer);
const manifestOf = (text: string, subject?: Parameters<typeof buildManifest>[0]['subject']) =>
  buildManifest({
    ...{ config: emptyDescriptor, layers: [layer], annotations: new Map([['bench', text.padEnd(400, 'x')]]) },
    ...(subject === undefined ? {} : { subject }),
  });

async function referrersPair(): Promise<Pair> {
  const image = manifestOf('subject');
  await send(registry, pushManifest(image));
  for (let i = 0; i < 50; i++) {
    await send(registry, pushManifest(manifestOf(`referrer ${i}`, descriptorOf(image))));
  }
  const path = `${REPO}/referrers/${image.digest}`;
  const kept = put(blobOf(await send(registry, get(path))));
  await send(floor, kept);
  return { ours: get(path), floor: get(kept.path) };
}

const [large, small] = [await storedBlob(blobOf(32 * MIB)), await storedBlob(blobOf(64 * 1024))];
const tagged = manifestOf('tagged');
const manifest = await stored(tagged.bytes, pushManifest(tagged, 'v1'), `${REPO}/manifests/v1`);
const referrers = await referrersPair();

const pushes = (count: number, size: number) => (): Pair[] =>
  times(count, () => blobOf(size)).map((body) => ({ ours: pushBlob(body), floor: put(body) }));
const works: readonly Work[] = [
  { name: 'push 32 MiB', clients: 2, gate: 0.7, bytes: 32 * MIB, pairs: pushes(4, 32 * MIB) },
  // Three syncs where the floor has one: file, folder, names.
  { name: 'push 64 KiB', clients: 16, gate: 0.2, bytes: 64 * 1024, pairs: pushes(200, 64 * 1024) },
  { name: 'pull 32 MiB', clients: 2, gate: 0.6, bytes: 32 * MIB, pairs: () => times(8, () => large) },
  { name: 'pull 64 KiB', clients: 16, gate: 0.6, bytes: 64 * 1024, pairs: () => times(1000, () => small) },
  {
    ...{ name: 'push manifests', clients: 16, gate: 0.3, bytes: tagged.bytes.length },
    pairs: () =>
      times(200, () => manifestOf(`pushed ${made++}`)).map((one) => ({
        ours: pushManifest(one),
        floor: put(one.bytes),
      })),
  },
  {
    ...{ name: 'pull manifests', clients: 16, gate: 0.8, bytes: tagged.bytes.length },
    pairs: () => times(1000, () => manifest),
  },
  { name: 'referrers', clients: 16, gate: 0.2, bytes: 0, pairs: () => times(200, () => referrers) },
];

/** Requests per second and latencies of one side in one round. */
const run = (server: Server, asks: readonly Ask[], clients: number) =>
  connectedLoop(asks, clients, async (ask, agent) => void (await send(server, ask, agent)));

const ratios: Record<string, number> = {};
let pass = true;
for (const { name, clients, gate, bytes, pairs } of works) {
  const [shares, rates, mid, late]: [number[], number[], number[], number[]] = [[], [], [], []];
  for (let round = -1; round < ROUNDS; round++) {
    const both = pairs();
    const ours = await run(
      registry,
      both.map((pair) => pair.ours),
      clients,
    );
    const bare = await run(
      floor,
      both.map((pair) => pair.floor),
      clients,
    );
    if (round < 0) continue;
    shares.push(ours.perSecond / bare.perSecond);
    rates.push(ours.perSecond);
    const load = { ...ours, sample: [] };
    mid.push(at(load, 0.5));
    late.push(at(load, 0.99));
  }
  const share = median(shares);
  ratios[`${name} of floor`] = Number(share.toFixed(3));
  pass &&= share >= gate;
  const rate = median(rates);
  const volume = bytes >= MIB ? `${((rate * bytes) / MIB).toFixed(0)} MiB/s` : `${rate.toFixed(0)}/s`;
  console.log(
    `${name}: ${volume}, p50 ${median(mid).toFixed(1)} ms, p99 ${median(late).toFixed(1)} ms, ` +
      `${(share * 100).toFixed(0)} % of the floor (gate ${gate * 100} %)`,
  );
}
const peak = registry.peakMiB();
const RSS_MIB_MAX = 256;
console.log(
  `peak memory ${peak.toFixed(0)} MiB (gate ${RSS_MIB_MAX}), of the floor ${floor.peakMiB().toFixed(0)}`,
);
ratios['memory of gate'] = Number((peak / RSS_MIB_MAX).toFixed(3));
await Promise.all([registry.stop(), floor.stop()]);
rmSync(folder, { recursive: true, force: true });
report('registry', ratios, pass && peak <= RSS_MIB_MAX);
