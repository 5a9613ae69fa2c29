/** Statements of intoto entries, which a log of API v1 keeps beside the tree and gives back with the entry. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fromBase64, toBase64, toHex, utf8, utf8Text } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { INTOTO_PAYLOAD_TYPE, pae } from '#formats/dsse';
import { call, certified, IDENTITY, type RunningLog, startLog } from './log-fixture.ts';

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

test('intoto 0.0.1: envelope and one key; hashes are made here, and it is found by key, identity, payload and subject', async () => {
  const log = await startLog('v1');
  const { key, certificatePem } = certified();
  const subject = [{ name: 'app', digest: { sha256: 'ab'.repeat(32) } }];
  const payload = utf8(
    JSON.stringify({
      _type: 'https://in-toto.io/Statement/v0.1',
      subject,
      predicateType: 'https://p',
      predicate: {},
    }),
  );
  const sig = key.sign(pae(INTOTO_PAYLOAD_TYPE, payload));
  const request = (signatures: readonly Uint8Array[], pem = certificatePem, said = payload): object => {
    const envelope = JSON.stringify({
      ...{ payloadType: INTOTO_PAYLOAD_TYPE, payload: toBase64(said) },
      signatures: signatures.map((one) => ({ keyid: '', sig: toBase64(one) })),
    });
    const hash = { algorithm: 'sha256', value: '0'.repeat(64) };
    const spec = { content: { envelope, hash }, publicKey: toBase64(utf8(pem)) };
    return { apiVersion: '0.0.1', kind: 'intoto', spec };
  };
  // Another's signature beside it cannot be checked, and does not hurt.
  const proposed = request([certified().key.sign(utf8('other')), sig]);
  const { status, json, text } = await call(entries(log), proposed);
  assert.equal(status, 201, text);
  const [[id, entry] = assert.fail()] = Object.entries(json as Record<string, { body: string }>);
  const envelopeText = (proposed as { spec: { content: { envelope: string } } }).spec.content.envelope;
  const hashed = (bytes: Uint8Array) => ({ algorithm: 'sha256', value: toHex(sha256(bytes)) });
  assert.equal(
    utf8Text(fromBase64(entry.body)),
    JSON.stringify({
      ...{ apiVersion: '0.0.1', kind: 'intoto' },
      spec: {
        content: { hash: hashed(utf8(envelopeText)), payloadHash: hashed(payload) },
        publicKey: toBase64(utf8(certificatePem)),
      },
    }),
  );
  assert.deepEqual(await shownBy(log, id), Array(3).fill(utf8Text(payload)));
  assert.equal((await call(entries(log), proposed)).status, 409);
  const search = async (query: object): Promise<unknown> =>
    (await call(`${log.url}/api/v1/index/retrieve`, query)).json;
  for (const query of [
    { hash: `sha256:${toHex(sha256(utf8(envelopeText)))}` },
    { hash: `sha256:${toHex(sha256(payload))}` },
    { hash: `sha256:${'ab'.repeat(32)}` },
    { publicKey: { format: 'x509', content: toBase64(utf8(certificatePem)) } },
    { email: IDENTITY },
  ]) {
    assert.deepEqual(await search(query), [id], JSON.stringify(query).slice(0, 60));
  }
  const [found] = (await call(`${entries(log)}/retrieve`, { entries: [proposed] })).json;
  assert.deepEqual(Object.keys(found), [id]);
  const wrong = [
    request([]),
    request([certified().key.sign(pae(INTOTO_PAYLOAD_TYPE, payload))]),
    request([sig], certified().certificatePem),
    request([sig], certificatePem, utf8('{}')),
    { apiVersion: '0.0.1', kind: 'intoto', spec: { content: { hash: hashed(payload) }, publicKey: 'eA==' } },
    { apiVersion: '0.0.3', kind: 'intoto', spec: {} },
  ];
  for (const one of wrong) assert.equal((await call(entries(log), one)).status, 400, JSON.stringify(one));
  assert.equal(log.service.size, 1);
  await log.close();
});

test('intoto 0.0.2: key ids are kept as Rekor keeps them, and a claimed hash counts where the envelope has it', async () => {
  const log = await startLog('v1');
  const { key, certificatePem } = certified();
  const hashOf = (value: object): string => toHex(sha256(utf8(JSON.stringify(value))));
  const spec = async (keyid: string | undefined, claim: (envelope: object) => string) => {
    const payload = statement(300 + (keyid ?? '').length + claim({}).length);
    const sig = key.sign(pae(INTOTO_PAYLOAD_TYPE, payload));
    const named = keyid === undefined ? {} : { keyid };
    const [payloadType, text] = [INTOTO_PAYLOAD_TYPE, toBase64(payload)];
    const go = { payloadType, payload: text, signatures: [{ keyid: keyid ?? '', sig: toBase64(sig) }] };
    const bare = { payload: text, payloadType, signatures: [{ sig: toBase64(sig), ...named }] };
    const hash = { algorithm: 'sha256', value: claim(bare) };
    const signatures = [{ ...named, sig: twice(sig), publicKey: toBase64(utf8(certificatePem)) }];
    const content = { envelope: { payloadType, payload: twice(payload), signatures }, hash };
    const proposed = { apiVersion: '0.0.2', kind: 'intoto', spec: { content } };
    const { status, json, text: told } = await call(entries(log), proposed);
    assert.equal(status, 201, told);
    const [entry = assert.fail()] = Object.values(json as Record<string, { body: string }>);
    const body = JSON.parse(utf8Text(fromBase64(entry.body)));
    return { content: body.spec.content, go, bare };
  };
  const kept = await spec('release', hashOf);
  assert.equal(kept.content.envelope.signatures[0].keyid, 'release');
  assert.equal(kept.content.hash.value, hashOf(kept.bare));
  const unnamed = await spec(undefined, hashOf);
  assert.ok(!('keyid' in unnamed.content.envelope.signatures[0]));
  assert.equal(unnamed.content.hash.value, hashOf(unnamed.bare));
  const claimed = await spec(undefined, () => 'a'.repeat(64));
  assert.equal(claimed.content.hash.value, hashOf(claimed.go));
  await log.close();
});

test('all statements together have room: what comes beyond is logged and not kept, and counted, also after a restart', async () => {
  const dataDir = join(folder, 'room');
  const room = { attestationStoreBytesMax: 1000 };
  const first = await startLog('v1', dataDir, room);
  const [one, two] = [statement(400), statement(500)];
  const ids = [await upload(first, one), await upload(first, two), await upload(first, statement(101))];
  assert.deepEqual(await Promise.all(ids.map(async ({ id }) => (await shownBy(first, id))[0]?.length)), [
    400,
    500,
    undefined,
  ]);
  // The same statement by another signer takes no room.
  const again = await upload(first, one);
  assert.equal((await shownBy(first, again.id))[0], utf8Text(one));
  assert.deepEqual(first.service.attestations, { bytes: 900, dropped: 1 });
  await first.close();
  const second = await startLog('v1', dataDir, room);
  await upload(second, statement(102));
  assert.deepEqual(second.service.attestations, { bytes: 900, dropped: 1 });
  assert.equal((await shownBy(second, (await upload(second, statement(100))).id))[0]?.length, 100);
  await second.close();
});
