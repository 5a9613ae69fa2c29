import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { httpTransport } from '#platform/http-client';
import { bodyBytes, createHttpServer, listen } from '#platform/http-server';
import { systemClock, systemRandom } from '#platform/system';
import { createLogger } from '#platform/telemetry';
import { Tracer, traceSettings } from '#platform/traces';

const log = createLogger('test', 'silent');
const got: { readonly headers: Record<string, unknown>; readonly body: Export }[] = [];
let status = 200;
interface Export {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly object[] };
    readonly scopeSpans: readonly { readonly spans: readonly Record<string, unknown>[] }[];
  }[];
}
const collector = createHttpServer({ log, bodyBytesMax: 1 << 20 });
collector.post('/v1/traces', async (request, reply) => {
  got.push({
    headers: request.headers,
    body: JSON.parse(Buffer.from(bodyBytes(request)).toString()) as Export,
  });
  return reply.code(status).send('{}');
});
const endpoint = await listen(collector, '127.0.0.1', 0);

const env = {
  OTEL_EXPORTER_OTLP_ENDPOINT: `${endpoint}/`,
  OTEL_EXPORTER_OTLP_HEADERS: 'x-key=a%20b, other = c',
};
const settings = traceSettings(env, 'waybill-ca');
assert.ok(settings !== undefined);
const deps = { transport: httpTransport(), clock: systemClock, random: systemRandom, log };
const tracer = new Tracer(settings, deps);
const app = createHttpServer({ log, bodyBytesMax: 10 });
tracer.watch(app);
app.get('/images/:name', async () => 'ok');
app.get('/broken', async () => {
  throw new Error('a defect');
});
const origin = await listen(app, '127.0.0.1', 0);
after(async () => {
  await app.close();
  await tracer.close();
  await collector.close();
});

const spans = () => got.flatMap(({ body }) => body.resourceSpans[0]?.scopeSpans[0]?.spans ?? []);
/** The hook runs after the answer was sent. */
const until = async (isThere: () => boolean): Promise<void> => {
  while (!isThere()) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    await tracer.flush();
  }
};

test('a request is one span under the trace it came with, named by its route and not by its path', async () => {
  const parent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  await fetch(`${origin}/images/secret-project`, { headers: { traceparent: parent } });
  await until(() => spans().length === 1);
  await fetch(`${origin}/broken`);
  await until(() => spans().length === 2);
  const [one, two] = spans();
  assert.equal(one?.['traceId'], '4bf92f3577b34da6a3ce929d0e0e4736');
  assert.equal(one?.['parentSpanId'], '00f067aa0ba902b7');
  assert.equal(one?.['name'], 'GET /images/:name');
  assert.match(String(one?.['startTimeUnixNano']), /^\d{19}$/);
  assert.deepEqual(one?.['status'], {});
  assert.deepEqual(two?.['status'], { code: 2 });
  assert.match(String(two?.['traceId']), /^[0-9a-f]{32}$/);
  assert.equal(two?.['parentSpanId'], undefined);
  assert.doesNotMatch(JSON.stringify(got), /secret-project/);
  const [{ headers, body }] = got as [(typeof got)[0]];
  assert.deepEqual([headers['x-key'], headers['other']], ['a b', 'c']);
  assert.deepEqual(body.resourceSpans[0]?.resource.attributes, [
    { key: 'service.name', value: { stringValue: 'waybill-ca' } },
  ]);
});

test('who asks not to be traced is not, and a header that is none begins a trace', async () => {
  got.length = 0;
  const off = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00';
  await fetch(`${origin}/images/a`, { headers: { traceparent: off } });
  await fetch(`${origin}/images/b`, { headers: { traceparent: '00-zz-1-01' } });
  await until(() => spans().length > 0);
  assert.equal(spans().length, 1);
  assert.equal(spans()[0]?.['parentSpanId'], undefined);
});

test('a collector that refuses costs its spans and no request', async () => {
  status = 503;
  assert.equal((await fetch(`${origin}/images/a`)).status, 200);
  await until(() => tracer.dropped > 0);
  assert.equal(tracer.dropped, 1);
  status = 200;
});

test('nothing is traced unless an endpoint is named', () => {
  assert.equal(traceSettings({}, 'x'), undefined);
  assert.equal(traceSettings({ ...env, OTEL_SDK_DISABLED: 'true' }, 'x'), undefined);
  assert.equal(traceSettings({ ...env, OTEL_TRACES_EXPORTER: 'none' }, 'x'), undefined);
  const own = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://c/v2', OTEL_SERVICE_NAME: 'mine' };
  assert.deepEqual(traceSettings(own, 'x'), { url: 'http://c/v2', headers: {}, ratio: 1, service: 'mine' });
  const ratio = traceSettings({ ...env, OTEL_TRACES_SAMPLER_ARG: '0.25' }, 'x')?.ratio;
  assert.equal(ratio, 0.25);
});
