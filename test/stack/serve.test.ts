import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { utf8 } from '#base/bytes';
import { unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import { systemClock } from '#platform/system';
import { identity, requireKeyless, trustMaterial, verifyBundle } from '#verify';
import { startConstellation } from './serve-fixture.ts';

const world = await startConstellation((name) => ({
  admin: { host: '127.0.0.1', port: 0 },
  sigstoreMetrics: name !== 'ct',
}));
after(() => world.close());

const artifact = utf8('an artifact');

for (const version of [1, 2] as const) {
  test(`what stations of their own sign together over log API v${version} verifies from their TUF root`, async () => {
    const signed = await (await world.signer(version)).sign({ kind: 'message', bytes: artifact });
    const { trustedRoot } = await world.trust();
    const who = unwrap(identity({ issuer: world.origins['oidc'] as string, san: 'ada@example.com' }));
    const verdict = verifyBundle({
      artifact,
      bundle: unwrap(parseBundle(signed.bundle)),
      trustedRoot: trustMaterial(trustedRoot),
      requirements: unwrap(requireKeyless({ identities: [who] })),
      now: systemClock.now(),
    });
    assert.equal(verdict.outcome, 'accepted', JSON.stringify(verdict).slice(0, 500));
  });
}

const pageOf = async (name: string): Promise<string> => {
  const { adminOrigin } = world.stations.get(name) as { adminOrigin?: string };
  return (await fetch(`${adminOrigin}/metrics`)).text();
};
const numberIn = (text: string, name: string): number => {
  const line = text.split('\n').find((one) => one.startsWith(`${name} `));
  assert.ok(line !== undefined, `${name} in\n${text.slice(0, 3000)}`);
  return Number(line.slice(name.length));
};

test('every station is healthy and ready, on its own address and on that of its operator', async () => {
  for (const [name, { origin, adminOrigin }] of world.stations) {
    for (const url of [origin, adminOrigin]) {
      for (const path of ['/healthz', '/readyz']) {
        assert.equal((await fetch(`${url}${path}`)).status, 200, `${name} ${path}`);
      }
    }
    // Nobody outside sees how much is done.
    const status = (await fetch(`${origin}/metrics`)).status;
    assert.notEqual(status, 200, name);
  }
});

test('metrics say what was made, under our names and under those of the servers people know', async () => {
  await (await world.signer()).sign({ kind: 'message', bytes: utf8('counted') });
  const ca = await pageOf('ca');
  assert.ok(numberIn(ca, 'waybill_ca_certificates_total') >= 1);
  assert.equal(numberIn(ca, 'waybill_ca_certificates_total'), numberIn(ca, 'fulcio_new_certs'));
  assert.match(ca, /^http_requests_total\{code="20[01]",method="post"\}/m);
  assert.match(ca, /fulcio_api_latency_bucket\{le="0.1",code="20[01]",method="post"\}/);
  const log = await pageOf('log');
  assert.equal(numberIn(log, 'waybill_log_entries_total'), numberIn(log, 'rekor_new_entries'));
  assert.ok(numberIn(log, 'waybill_log_tree_size') >= 1);
  assert.equal(numberIn(log, 'waybill_log_queue_entries'), 0);
  assert.match(log, /rekor_qps_by_api\{path="\/api\/v1\/log\/entries",method="POST",code="201"\}/);
  assert.match(log, /rekor_api_latency_count\{path="\/api\/v1\/log\/entries",code="201"\}/);
  assert.match(log, /rekor_api_latency_summary_count\{path="\/api\/v1\/log\/entries",code="201"\}/);
  assert.doesNotMatch(log, /rekor_\w+\{[^}]*healthz/);
  const took = numberIn(log, 'rekor_latency_by_api_sum{path="/api/v1/log/entries",method="POST"}');
  assert.ok(took > 1e5, `${took} ns`);
  assert.match(await pageOf('log2'), /rekor_v2_new_hashedrekord_entries /);
  assert.ok(numberIn(await pageOf('tsa'), 'timestamp_authority_certificate_valid_days_remaining') > 300);
  assert.doesNotMatch(await pageOf('ct'), /rekor|fulcio/);
});

test('what ends is in metrics: root, targets, snapshot, timestamp, and both authorities', async () => {
  const now = Date.now() / 1000;
  const ends = [
    ...(await pageOf('tuf')).matchAll(/waybill_tuf_metadata_expiry_seconds\{what="(\w+)"\} (\d+)/g),
  ];
  assert.deepEqual(
    ends.map(([, role]) => role).toSorted((a, b) => `${a}`.localeCompare(`${b}`)),
    ['root', 'snapshot', 'targets', 'timestamp'],
  );
  for (const name of ['ca', 'tsa']) {
    const found = [
      ...(await pageOf(name)).matchAll(
        new RegExp(`waybill_${name}_certificate_expiry_seconds\\{what="\\w+"\\} (\\d+)`, 'g'),
      ),
    ];
    assert.equal(found.length, 2);
    ends.push(...found.map((match) => ['', '', match[1]] as unknown as RegExpExecArray));
  }
  for (const [, , at] of ends) assert.ok(Number(at) > now);
});

test('a stranger cannot make labels: many paths and methods are one series', async () => {
  const { origin } = world.stations.get('ca') as { origin: string };
  const before = (await pageOf('ca')).split('\n').length;
  for (let i = 0; i < 50; i++) await fetch(`${origin}/no/such/${i}`);
  await fetch(origin, { method: 'PURGE' }).catch(() => {});
  const after = (await pageOf('ca')).split('\n').length;
  assert.ok(after - before < 60, `${before} to ${after} lines`);
});
