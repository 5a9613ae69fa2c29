import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { WaybillError } from '#base/reason';
import { httpTransport } from '#platform/http-client';
import { systemClock } from '#platform/system';
import { environmentOf, stackStatus } from '#stack';
import { loadTrust } from '#trust';
import { ada, message, signerOf, startStack, temporaryFolder, wire } from './helper.ts';

const dataDir = join(await temporaryFolder(), 'data');
const offset = 0;
const clock = { now: () => systemClock.now() + offset };
const stack = await startStack({ dataDir, tls: true, clock, metrics: { port: 0, withAliases: true } });
const caFile = join(dataDir, 'public', 'tls-ca.pem');
const transport = httpTransport({ caFile });

const notBelieved = (error: unknown): boolean =>
  error instanceof WaybillError && error.reason.code === 'WB-201';

test('with its authority a client signs over HTTPS, without it nobody answers: WB-201', async () => {
  const { registry, ...others } = stack.origins;
  for (const origin of Object.values(others)) assert.match(origin, /^https:\/\/127\.0\.0\.1:\d+$/);
  assert.match(registry, /^http:/);
  const identity = { kind: 'token', token: () => stack.mint({ sub: ada, email: ada }) } as const;
  const signed = await signerOf(stack, identity, { transport }).sign(message('over TLS'));
  assert.equal(signed.verdict.outcome, 'accepted');
  await assert.rejects(wire.transport.request({ url: `${stack.origins.ca}/healthz` }), notBelieved);
});

test('the TUF repository is read over HTTPS, and the status of the stack finds its authority itself', async () => {
  const root = join(dataDir, 'public', 'root.json');
  const source = { kind: 'tuf', mirror: stack.origins.tuf, root, cacheDir: await temporaryFolder() } as const;
  const trust = await loadTrust(source, { transport });
  assert.equal(trust.trustedRoot.certificateAuthorities[0]?.uri, stack.origins.ca);
  const status = await stackStatus(dataDir, { ...wire, cacheDir: await temporaryFolder() });
  assert.equal(status.isUp, true, JSON.stringify(status.stations));
  assert.ok(status.expiries.some(({ what }) => what === 'TLS authority'));
  const later = { now: () => wire.clock.now() + 3645 * 86_400_000 };
  const { ending } = await stackStatus(dataDir, { ...wire, clock: later, cacheDir: await temporaryFolder() });
  assert.ok(ending.some(({ what, state }) => what === 'TLS authority' && state === 'soon'));
  assert.equal(environmentOf(dataDir, stack.origins)['SSL_CERT_FILE'], caFile);
  assert.equal((await stat(join(dataDir, 'tls', 'ca.key'))).mode & 0o077, 0);
});

test('one page has the metrics of all stations, beside the stack', async () => {
  const text = await (await fetch(`${stack.metricsOrigin}/metrics`)).text();
  for (const line of [
    /^waybill_ca_certificates_total 1$/m,
    /^fulcio_new_certs 1$/m,
    /^waybill_ct_tree_size 1$/m,
    /^waybill_log_tree_size 1$/m,
    /^waybill_log2_queue_entries 0$/m,
    /^waybill_tsa_certificate_valid_days 3\d{3}$/m,
    /^waybill_tuf_metadata_expiry_seconds\{what="timestamp"\} \d{10}$/m,
    /^waybill_tsa_certificate_expiry_seconds\{what="signer"\} \d{10}$/m,
    /^waybill_ca_certificate_expiry_seconds\{what="root"\} \d{10}$/m,
  ]) {
    assert.match(text, line);
  }
  const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
  assert.equal(new Set(names).size, names.length, 'each metric once');
});

test('a later start goes on with TLS and the same authority', async () => {
  const before = await readFile(caFile, 'utf8');
  await stack.close();
  const again = await startStack({ dataDir });
  assert.match(again.origins.ca, /^https:/);
  assert.equal(await readFile(caFile, 'utf8'), before);
  const answer = await transport.request({ url: `${again.origins.ca}/healthz` });
  assert.equal(answer.status, 200);
});
