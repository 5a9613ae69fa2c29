/** Statements of intoto entries, which a log of API v1 keeps beside the tree and gives back with the entry. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fromBase64, toBase64, utf8, utf8Text } from '#base/bytes';
import { INTOTO_PAYLOAD_TYPE, pae } from '#formats/dsse';
import { call, certified, type RunningLog, startLog } from './log-fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'waybill-attestation-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const LIMIT = 100 * 1024;
const statement = (bytes: number): Uint8Array => {
  const text = (filler: string): string => JSON.stringify({ _type: 'x', predicate: { filler } });
  return utf8(text('a'.repeat(bytes - text('').length)));
};

const twice = (bytes: Uint8Array): string => toBase64(utf8(toBase64(bytes)));
function intoto(payload: Uint8Array): object {
  const { key, certificatePem } = certified();
  const sig = key.sign(pae(INTOTO_PAYLOAD_TYPE, payload));
  const signatures = [{ sig: twice(sig), publicKey: toBase64(utf8(certificatePem)) }];
  const hash = { algorithm: 'sha256', value: '0'.repeat(64) };
  const envelope = { payloadType: INTOTO_PAYLOAD_TYPE, payload: twice(payload), signatures };
  return { apiVersion: '0.0.2', kind: 'intoto', spec: { content: { envelope, hash, payloadHash: hash } } };
}

interface Entry {
  readonly attestation?: { readonly data: string };
}
const entries = (log: RunningLog): string => `${log.url}/api/v1/log/entries`;

async function upload(log: RunningLog, payload: Uint8Array): Promise<{ id: string; entry: Entry }> {
  const { status, json, text } = await call(entries(log), intoto(payload));
  assert.equal(status, 201, text);
  const [[id, entry] = assert.fail()] = Object.entries(json as Record<string, Entry>);
  return { id, entry };
}

const said = (entry: Entry | undefined): string | undefined =>
  entry?.attestation === undefined ? undefined : utf8Text(fromBase64(entry.attestation.data));

async function shownBy(log: RunningLog, id: string): Promise<(string | undefined)[]> {
  const byId = (await call(`${entries(log)}/${id}`)).json[id];
  const [retrieved] = (await call(`${entries(log)}/retrieve`, { entryUUIDs: [id] })).json;
  const byIndex = (await call(`${entries(log)}?logIndex=${byId.logIndex}`)).json[id];
  return [byId, retrieved[id], byIndex].map(said);
}

test('a statement of up to 100 KiB comes back with its entry, also after a restart; the upload is answered without', async () => {
  const dataDir = join(folder, 'log');
  const first = await startLog('v1', dataDir);
  const [small, most] = [statement(100), statement(LIMIT)].map((bytes) => utf8Text(bytes)) as [
    string,
    string,
  ];
  const uploaded = await upload(first, utf8(small));
  assert.equal(uploaded.entry.attestation, undefined);
  const large = await upload(first, utf8(most));
  assert.deepEqual(await shownBy(first, uploaded.id), [small, small, small]);
  await first.close();
  const second = await startLog('v1', dataDir);
  assert.deepEqual(await shownBy(second, uploaded.id), [small, small, small]);
  assert.deepEqual(await shownBy(second, large.id), [most, most, most]);
  await second.close();
});

test('a larger statement is logged like any other, and not kept', async () => {
  const log = await startLog('v1');
  const { id } = await upload(log, statement(LIMIT + 1));
  assert.deepEqual(await shownBy(log, id), [undefined, undefined, undefined]);
  await log.close();
});

test('what is refused leaves no statement behind', async () => {
  const log = await startLog('v1');
  const payload = statement(200);
  const wrong = intoto(payload) as { spec: { content: { envelope: { payload: string } } } };
  const other = statement(201);
  wrong.spec.content.envelope.payload = twice(other);
  assert.equal((await call(entries(log), wrong)).status, 400);
  // The entry of another signer over the same payload would show it.
  const { id } = await upload(log, payload);
  assert.deepEqual((await shownBy(log, id))[0], utf8Text(payload));
  assert.equal(log.service.size, 1);
  await log.close();
});
