/** A server against clients that are slow, endless, or count wrongly. Bytes are written by hand on loopback. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { generateKey } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { pemEncode } from '#formats/pem';
import { selfSignedAuthority, serialNumber, serverCertificate } from '#formats/x509-build';
import { bodyBytes, createHttpServer, listen, useCertificate } from '#platform/http-server';
import { checkedTls, readTlsFiles } from '#platform/server-tls';
import { createLogger } from '#platform/telemetry';

const LIMIT = 1000;
const times = { headers: 150, request: 300, silence: 5000, look: 50 };
let handled = 0;
const app = createHttpServer({ log: createLogger('test', 'silent'), bodyBytesMax: LIMIT, times });
app.post('/', async (request) => {
  handled += 1;
  return { length: bodyBytes(request).length };
});
const hasty = Number(new URL(await listen(app, '127.0.0.1', 0)).port);
/** For what is not late, however slow the machine. */
const patient = createHttpServer({ log: createLogger('test', 'silent'), bodyBytesMax: LIMIT });
patient.post('/', async (request) => {
  handled += 1;
  return { length: bodyBytes(request).length };
});
const port = Number(new URL(await listen(patient, '127.0.0.1', 0)).port);
after(() => Promise.all([app.close(), patient.close()]));

interface Talk {
  readonly gapMs?: number;
  readonly until?: RegExp;
  readonly at?: number;
}

/** Writes `parts`, each `gapMs` after the one before; what it said until it closed the connection or `until` was seen. */
function talk(parts: Iterable<string>, { gapMs = 0, until, at = port }: Talk = {}): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(at, '127.0.0.1');
    let answer = '';
    let timer: NodeJS.Timeout | undefined;
    const iterator = parts[Symbol.iterator]();
    const end = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const next = (): void => {
      const { value, done } = iterator.next();
      if (done === true || socket.destroyed) return;
      socket.write(value);
      timer = setTimeout(next, gapMs);
    };
    socket.on('connect', next);
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
      if (until?.test(answer)) end();
    });
    socket.on('error', () => {});
    socket.on('close', end);
  });
}

const head = (...lines: string[]): string => `POST / HTTP/1.1\r\nhost: x\r\n${lines.join('')}\r\n`;
const whole = /\r\n\r\n[\s\S]*\}/;

function* forever(first: string, part: string): Generator<string> {
  yield first;
  for (;;) yield part;
}

test('a body of the limit is taken, one byte more is 413', async () => {
  for (const [length, status] of [
    [LIMIT, 200],
    [LIMIT + 1, 413],
  ] as const) {
    const answer = await talk([head(`content-length: ${length}\r\n`) + 'x'.repeat(length)], { until: whole });
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `));
    assert.match(answer, /x-content-type-options: nosniff/i);
  }
});

test('headers that come a byte at a time are cut off: 408', async () => {
  const answer = await talk(forever('POST / HTTP/1.1\r\nhost: x\r\n', 'x'), { gapMs: 20, at: hasty });
  assert.match(answer, /^HTTP\/1.1 408 /);
});

test('a body that comes a byte at a time is cut off, and no route sees it', async () => {
  const before = handled;
  await talk(forever(head('content-length: 900\r\n'), 'x'), { gapMs: 20, at: hasty });
  assert.equal(handled, before);
});

test('an endless body is refused at the limit, and the connection ends', async () => {
  const before = handled;
  const chunk = `100\r\n${'x'.repeat(256)}\r\n`;
  const answer = await talk(forever(head('transfer-encoding: chunked\r\n'), chunk), { gapMs: 1 });
  assert.match(answer, /^HTTP\/1.1 413 /);
  assert.equal(handled, before);
});

test('a body that ends before its length never reaches a route', async () => {
  const before = handled;
  await new Promise<void>((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.end(`${head('content-length: 100\r\n')}short`);
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve());
    socket.resume();
  });
  assert.equal(handled, before);
});

const twice: Readonly<Record<string, string>> = {
  'two lengths': head('content-length: 1\r\n', 'content-length: 2\r\n'),
  'a length and chunks': head('content-length: 1\r\n', 'transfer-encoding: chunked\r\n'),
  'a length that is no number': head('content-length: +1\r\n'),
  'another coding after chunks': head('transfer-encoding: chunked, identity\r\n'),
  'no host': 'POST / HTTP/1.1\r\ncontent-length: 1\r\n\r\n',
  'a bare newline in a header': 'POST / HTTP/1.1\r\nhost: x\r\na: b\nc: d\r\n\r\n',
};
for (const [name, text] of Object.entries(twice)) {
  test(`${name}: 400, the connection ends, no route sees it`, async () => {
    const before = handled;
    const answer = await talk([`${text}x`]);
    assert.match(answer, /^HTTP\/1.1 400 /);
    assert.equal(handled, before);
  });
}

test('headers of more than 16 kB are 431', async () => {
  const answer = await talk([head(`a: ${'x'.repeat(17 * 1024)}\r\n`)]);
  assert.match(answer, /^HTTP\/1.1 431 /);
});

test('slow clients do not keep others waiting', async () => {
  let left = 0;
  const slow = Array.from({ length: 50 }, () => {
    const socket = connect(port, '127.0.0.1', () => socket.write('POST / HTTP/1.1\r\nhost: x\r\n'));
    return socket.on('error', () => {}).on('close', () => left++);
  });
  await Promise.all(slow.map((socket) => once(socket, 'connect')));
  const answer = await talk([`${head('content-length: 2\r\n')}ok`], { until: whole });
  assert.match(answer, /^HTTP\/1.1 200 /);
  assert.equal(left, 0);
  for (const socket of slow) socket.destroy();
});

const pairOf = (host: string) => {
  const issue = { serial: serialNumber(new Uint8Array(20).fill(7)), notBefore: 0, notAfter: 4e12 };
  const ca = selfSignedAuthority('test', generateKey('p256'), issue);
  const key = generateKey('p256');
  const cert = pemEncode('CERTIFICATE', serverCertificate(ca, [host], key.publicKey, issue));
  return { cert, key: key.exportPem(), ca: pemEncode('CERTIFICATE', ca.certificate.der) };
};

test('TLS: 1.2 and 1.3 with forward secrecy; a new certificate without a restart', async () => {
  const first = pairOf('localhost');
  const log = createLogger('test', 'silent');
  const secured = createHttpServer({ log, bodyBytesMax: LIMIT, tls: first });
  const origin = await listen(secured, '127.0.0.1', 0);
  const securePort = Number(new URL(origin).port);
  const shake = (ca: string, options: object): Promise<string> =>
    new Promise((resolve) => {
      const socket = connectTls({
        port: securePort,
        host: '127.0.0.1',
        servername: 'localhost',
        ca,
        ...options,
      });
      socket.on('secureConnect', () => {
        resolve(`${socket.getProtocol()}`);
        socket.destroy();
      });
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    });
  try {
    assert.match(origin, /^https:/);
    assert.equal(await shake(first.ca, {}), 'TLSv1.3');
    assert.equal(await shake(first.ca, { maxVersion: 'TLSv1.2' }), 'TLSv1.2');
    const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL@SECLEVEL=0' };
    assert.match(await shake(first.ca, old), /PROTOCOL|VERSION|UNSUPPORTED/i);
    const weak = { maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA:AES256-SHA' };
    assert.match(await shake(first.ca, weak), /HANDSHAKE_FAILURE|CIPHER/i);
    const second = pairOf('localhost');
    assert.match(await shake(second.ca, {}), /SIGNATURE|VERIFY|SIGNED/i);
    useCertificate(secured, second);
    assert.equal(await shake(second.ca, {}), 'TLSv1.3');
  } finally {
    await secured.close();
  }
});

test('a certificate without its key is WB-216, a key open to others WB-219', async () => {
  const [one, two] = [pairOf('localhost'), pairOf('localhost')];
  const code = (wanted: string) => (error: unknown) =>
    error instanceof WaybillError && error.reason.code === wanted;
  assert.throws(() => checkedTls({ cert: one.cert, key: two.key }, 'x'), code('WB-216'));
  assert.throws(() => checkedTls({ cert: 'no', key: two.key }, 'x'), code('WB-216'));
  const folder = await mkdtemp(join(tmpdir(), 'waybill-test-tls-'));
  try {
    const files = { certFile: join(folder, 'cert'), keyFile: join(folder, 'key') };
    await writeFile(files.certFile, one.cert);
    await writeFile(files.keyFile, one.key);
    await chmod(files.keyFile, 0o644);
    await assert.rejects(readTlsFiles(files), code('WB-219'));
    await chmod(files.keyFile, 0o640);
    assert.equal((await readTlsFiles(files)).cert, one.cert);
  } finally {
    await rm(folder, { recursive: true });
  }
});
