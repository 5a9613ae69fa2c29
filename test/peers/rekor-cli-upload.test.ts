/** Real rekor-cli writes to a log of ours, and to its successor after the first was frozen. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { toHex, utf8 } from '#base/bytes';
import { generateKey, sha256 } from '#base/crypto';
import { envelopeJson, INTOTO_PAYLOAD_TYPE, pae } from '#formats/dsse';
import { createHttpServer, listen } from '#platform/http-server';
import { memoryLogStore } from '#platform/store-memory';
import { systemClock } from '#platform/system';
import { createLog, type LogConfig, registerLog } from '#services/log';
import { checkpointSigner, openLog } from '#tlog';
import { pemOfKey, quiet } from '../services/log-fixture.ts';
import { requirePeer } from './cache.ts';
import { runProgram } from './stack-image.ts';

const binary = requirePeer('rekor-cli');
const home = mkdtempSync(join(tmpdir(), 'waybill-rekor-'));
after(() => rmSync(home, { recursive: true, force: true }));
const signer = generateKey('p256');
const file = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(home, name), content);
  return join(home, name);
};
const publicKey = file('key.pub', pemOfKey(signer));

async function serve(config: LogConfig, body: (url: string) => Promise<void>): Promise<void> {
  const service = await createLog({ ...config, create: true });
  const app = createHttpServer({ log: quiet, bodyBytesMax: 1024 });
  registerLog(app, service, quiet);
  const url = await listen(app, '127.0.0.1', 0);
  try {
    await body(url);
  } finally {
    await app.close();
    await service.close();
  }
}

async function rekor(url: string, ...args: string[]): Promise<string> {
  const words = [...args, '--rekor_server', url, '--format', 'json'];
  const ran = await runProgram(binary, words, { HOME: home });
  assert.equal(ran.code, 0, `${args.join(' ')}: ${ran.stderr}${ran.stdout}`);
  return ran.stdout;
}

function upload(url: string, type: string, name: string): Promise<string> {
  const artifact = file(name, `the content of ${name}`);
  const signature = file(`${name}.sig`, signer.sign(utf8(`the content of ${name}`)));
  const signed = ['--signature', signature, '--public-key', publicKey, '--pki-format', 'x509'];
  return rekor(url, 'upload', '--type', type, '--artifact', artifact, ...signed);
}

test('rekor-cli uploads hashedrekord and rekord, verifies both, and reads them behind a newer shard', async () => {
  const shard = (treeId: string) => ({ key: generateKey('p256'), treeId, store: memoryLogStore() });
  const [old, next] = [shard('1111'), shard('2222')];
  const common = { api: 'v1', hostname: 'log.example', clock: systemClock, log: quiet } as const;
  await serve({ ...common, ...old }, async (url) => {
    await upload(url, 'hashedrekord', 'one');
    await upload(url, 'rekord', 'two');
    const search = JSON.parse(await rekor(url, 'search', '--artifact', join(home, 'two'))) as {
      UUIDs: string[];
    };
    assert.equal(search.UUIDs.length, 1);
    await rekor(url, 'loginfo');
  });
  const signing = checkpointSigner({ origin: 'log.example - 1111', keyName: 'log.example', signer: old.key });
  const log = await openLog({ store: old.store, signer: signing, clock: systemClock });
  await log.freeze();
  await serve({ ...common, ...next, inactive: [old] }, async (url) => {
    await upload(url, 'hashedrekord', 'three');
    const names = ['one', 'two', 'three'];
    for (const [index, name] of names.entries()) {
      const got = JSON.parse(await rekor(url, 'get', '--log-index', String(index))) as {
        Body: object;
        LogIndex: number;
      };
      assert.equal(got.LogIndex, index);
      assert.ok(JSON.stringify(got.Body).includes(toHex(sha256(utf8(`the content of ${name}`)))), name);
      const signed = [
        '--signature',
        join(home, `${name}.sig`),
        '--public-key',
        publicKey,
        '--pki-format',
        'x509',
      ];
      const type = name === 'two' ? 'rekord' : 'hashedrekord';
      await rekor(url, 'verify', '--type', type, '--artifact', join(home, name), ...signed);
    }
    await rekor(url, 'loginfo');
  });
});

test('rekor-cli uploads a statement as intoto 0.0.2 and 0.0.1, verifies both, and is given it back with the entry', async () => {
  const config = { api: 'v1', hostname: 'log.example', clock: systemClock, log: quiet } as const;
  await serve({ ...config, key: generateKey('p256'), store: memoryLogStore() }, async (url) => {
    const subject = [{ name: 'app', digest: { sha256: toHex(sha256(utf8('app'))) } }];
    const said = {
      _type: 'https://in-toto.io/Statement/v0.1',
      subject,
      predicateType: 'https://example.com/p',
    };
    const payload = utf8(JSON.stringify({ ...said, predicate: { checked: true } }));
    // Of version 0.0.1 the client itself takes no envelope whose key id is not that of the key.
    const kinds = [
      ['0.0.2', { keyid: 'release' }],
      ['0.0.2', {}],
      ['0.0.1', {}],
    ] as const;
    for (const [index, [version, keyid]] of kinds.entries()) {
      const signatures = [{ sig: signer.sign(pae(INTOTO_PAYLOAD_TYPE, payload)), ...keyid }];
      const envelope = envelopeJson({ payloadType: INTOTO_PAYLOAD_TYPE, payload, signatures });
      const artifact = file(
        `statement-${index}.json`,
        typeof envelope === 'string' ? envelope : JSON.stringify(envelope),
      );
      const type = ['--type', `intoto:${version}`, '--artifact', artifact, '--public-key', publicKey];
      await rekor(url, 'upload', ...type);
      await rekor(url, 'verify', ...type);
      const got = await rekor(url, 'get', '--log-index', `${index}`);
      const entry = JSON.parse(got) as { Attestation: string; Body: object };
      assert.deepEqual(Object.keys(entry.Body), ['IntotoObj']);
      assert.deepEqual(JSON.parse(entry.Attestation), JSON.parse(Buffer.from(payload).toString()), version);
    }
    const found = await rekor(url, 'search', '--public-key', publicKey, '--pki-format', 'x509');
    assert.equal((JSON.parse(found) as { UUIDs: string[] }).UUIDs.length, 3);
  });
});
