/** "Can the sandbox see X?": measured on this host, with this back end, before its builder id is used. */
import { copyFile, lstat, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import { toHex, utf8 } from '#base/bytes';
import { digestOf } from '#base/digest';
import type { Random } from '#base/random';
import { isJsonObject, parseJson } from '#formats/json';
import { builderLevel, type Level } from '#provenance';
import type { BackendName } from './config.ts';
import { probeScript } from './probe-script.ts';
import { type Attack, attacks, type SandboxBackend } from './sandbox.ts';
import { pause } from './sandbox-process.ts';
import { removeTree, writableFolder } from './stage.ts';

export interface Measurement {
  readonly attack: Attack;
  /** True when the sandbox held. */
  readonly closed: boolean;
  readonly detail: string;
}

export interface CapabilityReport {
  readonly backend: BackendName;
  readonly builderId: string;
  readonly measurements: readonly Measurement[];
  /** Attacks this back end does not close on this host. */
  readonly open: readonly Attack[];
  readonly selfTest: 'passed' | 'failed';
  /** SHA-256 of the measurements: stands in `builder.version` of the provenance. */
  readonly selfTestDigest: string;
  readonly level: Level;
  readonly notes: readonly string[];
}

export interface SelfTestPlace {
  /** Empty folder, passable by the uid of builds. */
  readonly folder: string;
  readonly uid?: number;
  readonly random: Random;
  readonly baseUri: string;
  readonly hosted: boolean;
  /** Files that hold secrets of the control plane; the probe looks for them too. */
  readonly secretFiles: readonly string[];
}

/** Each of these leads to the token or key the provenance is signed with. */
const identityAttacks: ReadonlySet<Attack> = new Set([
  'parent-environ',
  'parent-memory',
  'parent-descriptors',
  'signer-socket',
  'token-file',
]);

/** Probes one back end. The level is what the measurements support, whatever the back end claims. */
export async function selfTest(backend: SandboxBackend, place: SelfTestPlace): Promise<CapabilityReport> {
  const measured = await measure(backend, place);
  const open = measured.filter(({ closed }) => !closed).map(({ attack }) => attack);
  // Passed means: everything this back end says it closes is closed here. What it never claimed stays open.
  const passed = open.every((attack) => !backend.closes.has(attack));
  const isIsolating = attacks.every((attack) => backend.closes.has(attack));
  const selfTestResult = passed ? 'passed' : 'failed';
  return {
    backend: backend.name,
    builderId: builderIdOf(place.baseUri, backend.name, isIsolating && open.length > 0),
    measurements: measured,
    open,
    selfTest: selfTestResult,
    selfTestDigest: digestOf(utf8(JSON.stringify(measured))),
    level: builderLevel({
      signed: true,
      hosted: place.hosted,
      selfTest: selfTestResult,
      open,
      identityOpen: open.filter((attack) => identityAttacks.has(attack)),
    }),
    notes: backend.notes,
  };
}

/** An isolating back end that does not isolate here gets another id: a policy for the first never matches. */
const builderIdOf = (baseUri: string, name: BackendName, isWeakened = false): string =>
  `${baseUri}/builders/${name}${isWeakened ? '-weakened' : ''}/v1`;

async function measure(backend: SandboxBackend, place: SelfTestPlace): Promise<Measurement[]> {
  const at = (name: string): string => join(place.folder, name);
  for (const name of ['source', 'input', 'scratch']) await mkdir(at(name), { mode: 0o755 });
  writableFolder(at('output'), place.uid);
  // The neighbour and the secrets belong to the control plane, as real ones do.
  await mkdir(at('other-build'), { mode: 0o700 });
  await writeFile(at('secret'), 'x', { mode: 0o600 });
  const bait = await layBait(place);
  try {
    await writeFile(join(at('source'), 'probe.mjs'), probeScript, { mode: 0o644 });
    await copyFile(process.execPath, join(at('input'), 'node'));
    const lines = await runProbe(backend, place, bait);
    return await conclude(lines, at('output'), bait.shared);
  } finally {
    for (const server of bait.servers) server.close();
    await removeTree(place.folder);
  }
}

interface Bait {
  readonly secret: string;
  readonly files: readonly string[];
  readonly socket: string;
  /** Places of the host a later build could look into. */
  readonly shared: readonly string[];
  readonly abstract: string;
  readonly port: number;
  readonly servers: readonly Server[];
}

async function layBait({ folder, random, secretFiles }: SelfTestPlace): Promise<Bait> {
  const secret = toHex(random.bytes(16));
  const file = join(folder, 'secret');
  await writeFile(file, secret, { mode: 0o600 });
  await mkdir(join(folder, 'signer'), { mode: 0o700 });
  const socket = join(folder, 'signer', 's');
  const abstract = `waybill-${secret}`;
  const servers: Server[] = [];
  const serve = async (where: { path: string } | { host: string; port: number }): Promise<Server> => {
    const server = createServer((connection) => connection.destroy());
    servers.push(server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(where, resolve);
    });
    return server;
  };
  await serve({ path: socket });
  if (process.platform === 'linux') await serve({ path: `\0${abstract}` });
  const tcp = (await serve({ host: '127.0.0.1', port: 0 })).address();
  const port = typeof tcp === 'object' && tcp !== null ? tcp.port : 0;
  const shared = ['/tmp', '/var/tmp', '/dev/shm'].map((place) => join(place, `waybill-${secret}`));
  return { secret, files: [file, ...secretFiles], socket, shared, abstract, port, servers };
}

async function runProbe(backend: SandboxBackend, place: SelfTestPlace, bait: Bait): Promise<string> {
  const at = (name: string): string => join(place.folder, name);
  const sandbox = await backend.prepare({
    id: 'self-test',
    sourceDir: at('source'),
    outputDir: at('output'),
    scratchDir: at('scratch'),
    inputs: [{ name: 'probe', hostPath: at('input') }],
    env: { PATH: '/usr/bin:/bin' },
    ...(place.uid === undefined ? {} : { uid: place.uid }),
  });
  const { view } = sandbox;
  const { servers: _servers, ...words } = bait;
  const heard: Buffer[] = [];
  const question = JSON.stringify({
    ...words,
    parentStart: await startTicks(),
    source: view.source,
    output: view.output,
    inputs: view.inputs,
    others: [at('other-build'), dirname(place.folder)],
  });
  try {
    await sandbox.run([join(view.inputs, 'probe', 'node'), join(view.source, 'probe.mjs'), question], {
      timeoutMs: 30_000,
      onOutput: (chunk) => heard.push(Buffer.from(chunk)),
    });
  } finally {
    await sandbox.destroy();
  }
  return Buffer.concat(heard).toString('utf8');
}

/** When this process started, in ticks since boot (proc(5), stat field 22); empty where there is no /proc. */
async function startTicks(): Promise<string> {
  const stat = await readFile('/proc/self/stat', 'latin1').catch(() => '');
  return stat.slice(stat.lastIndexOf(')')).split(' ')[20] ?? '';
}

/** An attempt the probe did not report is not closed: silence is no evidence. */
async function conclude(lines: string, output: string, shared: readonly string[]): Promise<Measurement[]> {
  const told = new Map<string, { reached: boolean; detail: string }>();
  for (const line of lines.split('\n')) {
    const parsed = line.startsWith('{') ? parseJson(line) : undefined;
    if (parsed?.ok !== true || !isJsonObject(parsed.value)) continue;
    const { attack, reached, detail } = parsed.value;
    if (typeof attack === 'string') told.set(attack, { reached: reached !== false, detail: String(detail) });
  }
  const before = await readFile(join(output, 'outlived'), 'utf8').catch(() => '');
  await pause(250);
  const after = await readFile(join(output, 'outlived'), 'utf8').catch(() => '');
  if (after !== before) told.set('outlive', { reached: true, detail: 'a process went on writing' });
  for (const path of shared) {
    const left = await lstat(path).catch(() => undefined);
    if (left === undefined) continue;
    await rm(path, { force: true });
    told.set('leave-behind', { reached: true, detail: path });
  }
  return attacks.map((attack) => {
    const answer = told.get(attack);
    if (answer !== undefined) return { attack, closed: !answer.reached, detail: answer.detail };
    const said = lines.trim().split('\n').at(-1)?.slice(0, 200) ?? '';
    return { attack, closed: false, detail: `the probe did not report; it said: ${said}` };
  });
}
