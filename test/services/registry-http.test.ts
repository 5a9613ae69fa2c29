/** The registry against clients that send too much, too slowly, or in two ways at once (its own caps and times). */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { utf8 } from '#base/bytes';
import { digestOf } from '#base/digest';
import { limits } from '#base/limits';
import { Secret } from '#base/secret';
import { mediaType } from '#formats/oci';
import { createRegistry } from '#services/registry';

const folder = await mkdtemp(join(tmpdir(), 'waybill-registry-http-'));
const config = {
  anonymous: ['pull', 'push'] as const,
  tokens: [{ name: 'admin', token: new Secret('t'), actions: ['delete'] as const, repositories: ['*'] }],
  lingerMs: 150,
};
const registry = await createRegistry({ ...config, dataDir: join(folder, 'quick'), bodyTimeoutMs: 150 });
const patient = await createRegistry({ ...config, dataDir: join(folder, 'patient') });
after(async () => {
  await registry.close();
  await patient.close();
  await rm(folder, { recursive: true });
});
const { port } = new URL(registry.origin);

/** Writes `first`, then `part` every few milliseconds, until the server closes; what it answered. */
function talk(first: string, part = '', at = port): Promise<{ answer: string; closed: boolean }> {
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    const socket = connect(Number(at), '127.0.0.1', () => {
      socket.write(first, 'latin1');
      timer = setInterval(() => {
        if (part !== '' && socket.writable) socket.write(part, 'latin1');
      }, 5);
    });
    let answer = '';
    let closed = true;
    const limit = setTimeout(() => {
      closed = false;
      socket.destroy();
    }, 60_000);
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearInterval(timer);
      clearTimeout(limit);
      resolve({ answer, closed });
    });
  });
}

const head = (line: string, ...headers: string[]): string =>
  [line, 'host: 127.0.0.1', `content-type: ${mediaType.ociIndex}`, ...headers, '', ''].join('\r\n');
const PUT = 'PUT /v2/a/manifests/v1 HTTP/1.1';
const chunk = `1000\r\n${'a'.repeat(4096)}\r\n`;
const isNotThere = async (): Promise<void> =>
  assert.equal((await fetch(`${registry.origin}/v2/a/manifests/v1`)).status, 404);

test('a manifest that is announced larger than 4 MiB is refused before any of it is read', async () => {
  const { answer } = await talk(head(PUT, `content-length: ${limits.manifestBytes + 1}`));
  assert.match(answer, /^HTTP\/1\.1 413 /);
  assert.match(answer, /SIZE_INVALID/);
  assert.equal(limits.manifestBytes, 4 * 1024 * 1024);
});

test('a manifest without an end is refused at the cap, and its connection ends', async () => {
  // The cap and not the time ends it, however slowly this machine takes four mebibytes.
  const at = new URL(patient.origin).port;
  const body = chunk.repeat(64);
  const { answer, closed } = await talk(head(PUT, 'transfer-encoding: chunked'), body, at);
  assert.match(answer, /^HTTP\/1\.1 413 /);
  assert.ok(closed);
  await isNotThere();
});

test('a manifest a byte at a time is 408, and its connection ends', async () => {
  const { answer, closed } = await talk(head(PUT, 'content-length: 100000'), ' ');
  assert.match(answer, /^HTTP\/1\.1 408 /);
  assert.match(answer, /WB-1103/);
  assert.ok(closed);
  await isNotThere();
});

test('a refused request whose body goes on is answered, and its connection ends soon', async () => {
  for (const [line, status] of [
    ['POST /v2/a/manifests/v1 HTTP/1.1', 405],
    ['DELETE /v2/a/manifests/v1 HTTP/1.1', 401],
    ['PUT /v2/A/manifests/v1 HTTP/1.1', 400],
  ] as const) {
    const { answer, closed } = await talk(head(line, 'transfer-encoding: chunked'), chunk);
    assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `), line);
    assert.ok(closed, line);
  }
});

for (const [what, lines, status] of [
  ['two lengths', ['content-length: 1', 'content-length: 2'], 400],
  ['a length and chunks', ['content-length: 4', 'transfer-encoding: chunked'], 400],
  ['headers of more than 16 kB', [`x-long: ${'a'.repeat(17_000)}`], 431],
] as const) {
  test(`${what}: ${status}, the connection ends, nothing is kept`, async () => {
    const { answer, closed } = await talk(`${head(PUT, ...lines)}{}`);
    assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `));
    assert.ok(closed);
    await isNotThere();
  });
}

test('a body that is cut off keeps nothing of a manifest, and of an upload what arrived', async () => {
  const at = new URL(patient.origin).port;
  const cut = (text: string) =>
    new Promise<void>((resolve) => {
      const socket = connect(Number(at), '127.0.0.1', () => socket.write(text, () => socket.destroy()));
      socket.on('close', () => resolve());
    });
  await cut(`${head(PUT, 'content-length: 1000')}{"schemaVersion":2`);
  assert.equal((await fetch(`${patient.origin}/v2/a/manifests/v1`)).status, 404);
  const bytes = utf8('first and last');
  const started = await fetch(`${patient.origin}/v2/a/blobs/uploads/`, { method: 'POST' });
  const location = started.headers.get('location') ?? '';
  await fetch(`${patient.origin}${location}`, { method: 'PATCH', body: bytes.slice(0, 6) });
  await cut(`${head(`PUT ${location}?digest=${digestOf(bytes)} HTTP/1.1`, 'content-length: 8')}and`);
  const blob = `${patient.origin}/v2/a/blobs/${digestOf(bytes)}`;
  assert.equal((await fetch(blob, { method: 'HEAD' })).status, 404);
});

test('answers say nosniff, and nothing of other origins, of the server or of its code', async () => {
  for (const [path, status] of [
    ['/v2/', 200],
    ['/v2/a/manifests/none', 404],
    ['/v2/%', 400],
    ['/v2/../keys', 404],
    ['/elsewhere', 404],
  ] as const) {
    const answer = await fetch(`${registry.origin}${path}`, { headers: { origin: 'https://evil.example' } });
    assert.equal(answer.status, status, path);
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
    for (const name of ['access-control-allow-origin', 'server', 'x-powered-by']) {
      assert.equal(answer.headers.get(name), null, `${path} ${name}`);
    }
    assert.doesNotMatch(await answer.text(), /\.ts:|node:|at async/);
  }
});
