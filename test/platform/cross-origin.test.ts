import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allowReading } from '#platform/cross-origin';
import { createHttpServer } from '#platform/http-server';
import { createLogger } from '#platform/telemetry';

const app = createHttpServer({ log: createLogger('test', 'silent'), bodyBytesMax: 100 });
app.register(async (scope) => {
  allowReading(scope, ['/find']);
  scope.get('/entry', async () => 'entry');
  scope.post('/find', async () => 'found');
  scope.post('/entry', async () => 'written');
});
const ORIGIN = 'access-control-allow-origin';

test('pages of any origin may read, and ask what is a question', async () => {
  assert.equal((await app.inject('/entry')).headers[ORIGIN], '*');
  assert.equal((await app.inject('/nowhere')).headers[ORIGIN], undefined);
  assert.equal((await app.inject({ method: 'POST', url: '/find?x=1', payload: '{}' })).headers[ORIGIN], '*');
});

test('what writes is told to no page', async () => {
  const written = await app.inject({ method: 'POST', url: '/entry', payload: '{}' });
  assert.deepEqual([written.statusCode, written.headers[ORIGIN]], [200, undefined]);
});

test('a preflight is answered for reading only', async () => {
  const ask = (url: string, method: string) =>
    app.inject({
      method: 'OPTIONS',
      url,
      headers: { origin: 'https://page.example', 'access-control-request-method': method },
    });
  const find = await ask('/find', 'POST');
  assert.deepEqual([find.statusCode, find.headers[ORIGIN]], [204, '*']);
  assert.deepEqual(
    [find.headers['access-control-allow-methods'], find.headers['access-control-allow-headers']],
    ['POST', 'content-type'],
  );
  assert.equal((await ask('/entry', 'POST')).headers[ORIGIN], undefined);
  assert.equal((await ask('/entry', 'DELETE')).headers[ORIGIN], undefined);
});
