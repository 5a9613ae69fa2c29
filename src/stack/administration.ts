/** Commands to a running stack, over a Unix socket that only its user can open. */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utf8Text } from '#base/bytes';
import { limits } from '#base/limits';
import { fail, WaybillError } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import { type JsonReader, parseJson, reader } from '#formats/json';
import { bodyBytes, createHttpServer } from '#platform/http-server';
import { askSocket } from '#platform/local-socket';
import type { Logger } from '#platform/telemetry';
import type { Tuf } from '#services/tuf';
import { type Rotatable, rotatable } from './generations.ts';
import { R } from './reasons.ts';
import type { Rotation, RotationRequest, RotationStep } from './rotation.ts';
import { requireState } from './state.ts';

export interface Administration {
  readonly socket: string;
  close(): Promise<void>;
}

/** A socket's path is at most 107 bytes on Linux and 103 on macOS. */
const SOCKET_PATH_MAX = 100;
const TIMEOUT_MS = 60_000;

export async function openAdministration(
  dataDir: string,
  { rotation, tuf }: { readonly rotation: Rotation; readonly tuf: Tuf },
  log: Logger,
): Promise<Administration> {
  const near = join(dataDir, 'admin.sock');
  const isNear = Buffer.byteLength(near) <= SOCKET_PATH_MAX;
  const folder = isNear ? undefined : await mkdtemp(join(tmpdir(), 'waybill-admin-'));
  const socket = folder === undefined ? near : join(folder, 'admin.sock');
  // The folder is locked: a socket that is there belongs to a process that died.
  await rm(socket, { force: true });
  const app = createHttpServer({ log, bodyBytesMax: limits.tufMetadataBytes });
  app.post('/rotate', async (request) => rotation.rotate(rotationIn(bodyBytes(request))));
  app.post('/hasten', async (request) => rotation.hasten(stationIn(bodyReader(bodyBytes(request)))));
  app.post('/rotate-tuf', async (request) => ({
    version: await tuf.rotate(bodyReader(bodyBytes(request)).string('keys') === 'root' ? 'root' : 'online'),
  }));
  app.post('/tuf-root', async (request) => ({ version: await tuf.accept(bodyBytes(request)) }));
  app.get('/generations', async () => rotation.generations);
  await app.listen({ path: socket });
  await chmod(socket, 0o600);
  return {
    socket,
    close: async () => {
      await app.close();
      await rm(folder ?? socket, { recursive: true, force: true });
    },
  };
}

const bodyReader = (body: Uint8Array): JsonReader => reader(unwrap(parseJson(body)), '$', { as: R.rotation });

function stationIn(json: JsonReader): Rotatable {
  const name = json.string('station');
  const station = rotatable.find((one) => one === name);
  if (station !== undefined) return station;
  throw json.wrong('station', rotatable.join(', '), name);
}

function rotationIn(body: Uint8Array): RotationRequest {
  const json = bodyReader(body);
  const stolenSince = json.optionalInteger('stolenSince');
  return {
    station: stationIn(json),
    overlapMs: json.integer('overlapMs'),
    ...(stolenSince === undefined ? {} : { stolenSince }),
  };
}

/** Asks the stack of a data directory to rotate. Throws WB-1202, WB-1209, WB-1211. */
export async function requestRotation(dataDir: string, request: RotationRequest): Promise<RotationStep> {
  return stepIn(request.station, await ask(dataDir, '/rotate', request));
}

/** Asks it to take the next step of a rotation now. Throws WB-1202, WB-1209, WB-1211. */
export async function requestHaste(dataDir: string, station: Rotatable): Promise<RotationStep> {
  return stepIn(station, await ask(dataDir, '/hasten', { station }));
}

/** Asks it for new keys of the TUF repository; returns the version of the new root. Throws WB-1209, WB-1211. */
export async function requestTufRotation(dataDir: string, keys: 'online' | 'root'): Promise<number> {
  return versionIn(await ask(dataDir, '/rotate-tuf', { keys }));
}

/** Asks it to publish a root that was signed elsewhere; returns its version. Throws WB-1209, WB-1211. */
export async function requestRoot(dataDir: string, root: Uint8Array): Promise<number> {
  return versionIn(await ask(dataDir, '/tuf-root', unwrap(parseJson(root))));
}

const versionIn = (body: Uint8Array): number =>
  reader(unwrap(parseJson(body)), 'answer', { as: R.admin }).integer('version');

function stepIn(station: Rotatable, body: Uint8Array): RotationStep {
  const json = reader(unwrap(parseJson(body)), 'answer', { as: R.admin });
  const before = json.child('before');
  const end = before.optionalInteger('end');
  const unfinished = json.optionalString('unfinished');
  return {
    station,
    number: json.integer('number'),
    before: {
      ...{ number: before.integer('number'), start: before.integer('start') },
      ...(end === undefined ? {} : { end }),
    },
    switchAt: json.integer('switchAt'),
    endAt: json.integer('endAt'),
    hasSwitched: json.boolean('hasSwitched'),
    ...(unfinished === undefined ? {} : { unfinished }),
  };
}

async function ask(dataDir: string, path: string, json: unknown): Promise<Uint8Array> {
  const { admin } = await requireState(dataDir);
  if (admin === undefined) throw fail(R.admin, { expected: `a running stack in ${dataDir}`, actual: 'none' });
  const answer = await askSocket(admin, { method: 'POST', path, json }, TIMEOUT_MS).catch(
    (error: unknown) => {
      if (!(error instanceof WaybillError)) throw error;
      throw fail(R.admin, { expected: `a running stack in ${dataDir}`, actual: error.reason.actual }, error);
    },
  );
  if (answer.status === 200) return answer.body;
  const text = utf8Text(answer.body);
  const message = attempt(() => reader(unwrap(parseJson(answer.body))).string('message'));
  const actual = message.ok ? message.value : `${answer.status} ${text.slice(0, 200)}`;
  throw fail(R.refused, { expected: 'the running stack to agree', actual });
}
