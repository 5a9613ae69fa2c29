/** Many who connect at once, while the event loop is held: all are connected before any is served. */
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { CONNECTIONS_IN_A_ROW_MAX, connectionsFirst } from '#platform/connections-first';
import { createHttpServer, httpDefaults, listen } from '#platform/http-server';
import { createLogger } from '#platform/telemetry';

const REQUEST = 'GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n';
/** How long a thread may take to connect. Nothing waits as long unless it fails. */
const HELD_MS_MAX = 60_000;

/** On a thread of its own: connects, writes a request on each connection, says so, and reads to the end of each. */
const CLIENTS = `
  const { workerData: { port, count, flag, request }, parentPort } = require('node:worker_threads');
  const { connect } = require('node:net');
  let ready = 0, answered = 0, ended = 0;
  for (let i = 0; i < count; i++) {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(request, () => {
        if (++ready < count) return;
        Atomics.store(flag, 0, 1);
        Atomics.notify(flag, 0);
      });
    });
    socket.once('data', () => answered++);
    socket.on('error', () => {});
    socket.on('close', () => { if (++ended === count) parentPort.postMessage(answered); });
  }`;

/** Holds the event loop until all have connected and written; how many are answered afterwards. */
async function connectWhileHeld(port: number, count: number): Promise<number> {
  const flag = new Int32Array(new SharedArrayBuffer(4));
  const workerData = { port, count, flag, request: REQUEST };
  const worker = new Worker(CLIENTS, { eval: true, workerData });
  try {
    assert.notEqual(Atomics.wait(flag, 0, 0, HELD_MS_MAX), 'timed-out', 'all connect while the loop is held');
    const [answered] = await once(worker, 'message');
    return answered;
  } finally {
    await worker.terminate();
  }
}

async function withServer(serve: RequestListener, use: (server: Server, port: number) => Promise<void>) {
  const server = createServer(serve);
  connectionsFirst(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await use(server, (server.address() as AddressInfo).port);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

test('of those who connect at once, none is served before the last of them is connected', async () => {
  const count = 100;
  const seen: string[] = [];
  const serve: RequestListener = (_request, reply) => {
    seen.push('request');
    reply.end('served');
  };
  await withServer(serve, async (server, port) => {
    server.on('connection', () => seen.push('connection'));
    assert.equal(await connectWhileHeld(port, count), count);
  });
  const expected = [...new Array(count).fill('connection'), ...new Array(count).fill('request')];
  assert.deepEqual(seen, expected);
});

/** More than Node asks the kernel to keep unless told, and no more than the kernel keeps. */
function beyondDefault(): number {
  const file = '/proc/sys/net/core/somaxconn';
  const kept = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 128;
  return Math.min(600, kept, httpDefaults.connections);
}

test('as many may connect while the event loop is held as a server takes', async () => {
  const app = createHttpServer({ log: createLogger('test', 'silent'), bodyBytesMax: 100 });
  app.get('/', async () => 'served');
  try {
    const { port } = new URL(await listen(app, '127.0.0.1', 0));
    const count = beyondDefault();
    assert.equal(await connectWhileHeld(Number(port), count), count);
  } finally {
    await app.close();
  }
});

/** A server without sockets: what comes in which turn is the test's. */
function turns() {
  const server = new EventEmitter();
  const served: number[] = [];
  server.on('request', ({ id }: { readonly id: number }) => served.push(id));
  connectionsFirst(server as unknown as Server);
  const request = (id: number, destroyed = false) =>
    server.emit('request', { id, socket: { destroyed } }, {});
  return { served, request, connection: () => server.emit('connection') };
}

test('a request is served at once where nobody has connected', () => {
  const { served, request } = turns();
  request(1);
  assert.deepEqual(served, [1]);
});

test('requests wait for a turn without a connection, and are served in their order', async () => {
  const { served, request, connection } = turns();
  for (let id = 1; id <= 3; id++) {
    connection();
    request(id);
    await nextTurn();
  }
  assert.deepEqual(served, []);
  for (let turn = 0; turn < 2; turn++) await nextTurn();
  assert.deepEqual(served, [1, 2, 3]);
  request(4);
  assert.deepEqual(served, [1, 2, 3, 4]);
});

test('connections without end hold requests back for so many of them, again and again', async () => {
  const { served, request, connection } = turns();
  for (let id = 1; id <= 3 * CONNECTIONS_IN_A_ROW_MAX; id++) {
    connection();
    request(id);
    await nextTurn();
    assert.ok(id - served.length <= CONNECTIONS_IN_A_ROW_MAX + 1, `${id} have come, ${served.length} served`);
  }
  assert.ok(served.length >= 2 * CONNECTIONS_IN_A_ROW_MAX);
});

test('a request whose connection ended meanwhile is not served', async () => {
  const { served, request, connection } = turns();
  connection();
  request(1, true);
  request(2);
  for (let turn = 0; turn < 3; turn++) await nextTurn();
  assert.deepEqual(served, [2]);
});
