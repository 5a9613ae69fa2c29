/**
 * With the alias switch our metrics have every name that the pages of the real servers have, of the same type, with the
 * same labels, in the same units, so that dashboards and alerts made for those go on.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startStack, temporaryFolder } from '../stack/helper.ts';
import { type Asked, ask } from './fulcio-world.ts';
import { startRealServices } from './real-services.ts';

const stack = await startStack({ metrics: { port: 0, withAliases: true } });
const real = await startRealServices(await temporaryFolder(), stack.origins.oidc);
after(() => real.close());

interface Metric {
  readonly type: string;
  readonly labels: readonly string[];
}

/** By name; labels of the first series there is, without the bounds of histograms. */
function metricsOf(page: string): Map<string, Metric> {
  const found = new Map<string, Metric>();
  for (const [, name = '', type = ''] of page.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    const series = new RegExp(`^${name}(?:_bucket|_sum|_count)?(?:\\{(.*)\\})? `, 'm').exec(page)?.[1] ?? '';
    const labels = [...series.matchAll(/(\w+)="/g)].map(([, label = '']) => label);
    found.set(name, { type, labels: labels.filter((label) => label !== 'le').sort() });
  }
  return found;
}

/** Of Go, of its process, of the page itself; of gRPC, which we do not speak; of Tessera; of how they were built. */
const foreign = /^(?:go|process|promhttp|grpc|tessera)_|_grpc_|_build_info$|^target_info$/;
/** Counts proofs of its storage that did not hold. Ours stops instead: waybill_log2_stopped. */
const ownWay = new Set(['rekor_v2_inclusion_proof_failure_total']);

const json: Asked = { body: {} };
const places = {
  ca: { theirs: real.ca, ours: stack.origins.ca, asked: json },
  log: { theirs: real.log, ours: stack.origins.log2, asked: { ...json, path: '/api/v2/log/entries' } },
  tsa: {
    theirs: real.tsa.replace('/api/v1/timestamp', ''),
    ours: stack.origins.tsa,
    asked: { ...json, path: '/api/v1/timestamp' },
  },
} as const;

const pageAt = async (url: string): Promise<string> => (await fetch(url)).text();
for (const { theirs, ours, asked } of Object.values(places)) {
  await ask(theirs, asked);
  await ask(ours, asked);
}
const ownPage = await pageAt(`${stack.metricsOrigin}/metrics`);
const own = metricsOf(ownPage);

for (const name of ['ca', 'log', 'tsa'] as const) {
  test(`every name on the page of the real ${name} is on ours, with type and labels`, async () => {
    const theirs = [...metricsOf(await pageAt(real.metrics[name]))];
    const wanted = theirs.filter(([metric]) => !foreign.test(metric) && !ownWay.has(metric));
    assert.ok(wanted.length >= 3, theirs.map(([metric]) => metric).join());
    const ours = wanted.map(([metric]) => [metric, own.get(metric)]);
    assert.deepEqual(ours, wanted);
  });
}

/** Seconds are far below one for an answer like these, nanoseconds far above a thousand. */
const isNanoseconds = (page: string, sum: RegExp): boolean => {
  const value = Number(new RegExp(`^${sum.source}\\S* (\\S+)$`, 'm').exec(page)?.[1] ?? Number.NaN);
  assert.ok(value > 0, `${sum.source} in\n${page.slice(0, 2000)}`);
  return value > 1000;
};

test('times are in the units of the real ones', async () => {
  const sums = {
    ca: [/fulcio_api_latency_sum/],
    log: [/rekor_v2_http_api_latency_sum/],
    tsa: [/timestamp_authority_api_latency_sum/, /timestamp_authority_latency_by_api_sum/],
  } as const;
  for (const name of ['ca', 'log', 'tsa'] as const) {
    const page = await pageAt(real.metrics[name]);
    for (const sum of sums[name]) {
      assert.equal(isNanoseconds(ownPage, sum), isNanoseconds(page, sum), sum.source);
    }
  }
});
