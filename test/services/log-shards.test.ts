/** A log that follows frozen ones: one run of indexes, each shard with its own tree, key and promises. */
import assert from 'node:assert/strict';
import { verify } from 'node:crypto';
import { test } from 'node:test';
import { fromBase64, fromHex, toBase64, toHex, utf8 } from '#base/bytes';
import { FixedClock } from '#base/clock';
import { generateKey, type PrivateKey, publicKeyPem, sha256 } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { leafHash, rootFromInclusion } from '#formats/merkle';
import { setPayload } from '#formats/rekor';
import { createHttpServer, listen } from '#platform/http-server';
import type { LogStore } from '#platform/store';
import { memoryLogStore } from '#platform/store-memory';
import { createLog, type LogConfig, registerLog } from '#services/log';
import { checkpointSigner, openLog } from '#tlog';
import { call, HOSTNAME, pemOfKey, quiet, START_MS } from './log-fixture.ts';

const signer = generateKey('p256');
const pem = toBase64(utf8(pemOfKey(signer)));

function request(artifact: string) {
  const hash = { algorithm: 'sha256', value: toHex(sha256(utf8(artifact))) };
  const signature = { content: toBase64(signer.sign(utf8(artifact))), publicKey: { content: pem } };
  return { apiVersion: '0.0.1', kind: 'hashedrekord', spec: { data: { hash }, signature } };
}

interface Shard {
  readonly key: PrivateKey;
  readonly treeId: string;
  readonly store: LogStore;
}

const newShard = (treeId: string): Shard => ({ key: generateKey('p256'), treeId, store: memoryLogStore() });
const configOf = (shard: Shard): LogConfig => ({
  ...{ api: 'v1', hostname: HOSTNAME, clock: new FixedClock(START_MS), log: quiet },
  create: true,
  ...shard,
});

async function serve(config: LogConfig, body: (base: string) => Promise<void>): Promise<void> {
  const service = await createLog(config);
  const app = createHttpServer({ log: quiet, bodyBytesMax: 1024 });
  registerLog(app, service, quiet);
  const url = await listen(app, '127.0.0.1', 0);
  try {
    await body(`${url}/api/v1`);
  } finally {
    await app.close();
    await service.close();
  }
}

async function freeze({ key, treeId, store }: Shard): Promise<void> {
  const name = { origin: `${HOSTNAME} - ${treeId}`, keyName: HOSTNAME };
  const log = await openLog({
    store,
    signer: checkpointSigner({ ...name, signer: key }),
    clock: new FixedClock(START_MS),
  });
  await log.freeze();
  await log.close();
}

test('indexes count on over shards, and every entry is proven and promised by its own', async () => {
  const shards = [newShard('11'), newShard('22'), newShard('33')] as const;
  const ids: string[] = [];
  for (const [n, shard] of shards.entries()) {
    const inactive = shards.slice(0, n);
    await serve({ ...configOf(shard), inactive }, async (base) => {
      for (let i = 0; i < 3; i++) {
        const answer = await call(`${base}/log/entries`, request(`${n}-${i}`));
        assert.equal(answer.status, 201);
        ids.push(Object.keys(answer.json as object)[0] as string);
      }
    });
    if (n < 2) await freeze(shard);
  }
  await serve({ ...configOf(shards[2]), inactive: shards.slice(0, 2) }, async (base) => {
    for (let index = 0; index < 9; index++) {
      const [[id, entry]] = Object.entries((await call(`${base}/log/entries?logIndex=${index}`)).json) as [
        [
          string,
          Record<string, never> & { body: string; logID: string; logIndex: number; integratedTime: number },
        ],
      ];
      const shard = shards[Math.floor(index / 3)]!;
      assert.equal(id, ids[index]);
      assert.ok(id.startsWith(BigInt(shard.treeId).toString(16).padStart(16, '0')));
      assert.deepEqual([entry.logIndex, entry.logID], [index, toHex(sha256(shard.key.publicKey.spki))]);
      const { inclusionProof: proof, signedEntryTimestamp } = entry['verification'] as unknown as {
        inclusionProof: {
          logIndex: number;
          treeSize: number;
          hashes: string[];
          rootHash: string;
          checkpoint: string;
        };
        signedEntryTimestamp: string;
      };
      const canonicalizedBody = fromBase64(entry.body);
      assert.deepEqual([proof.logIndex, proof.treeSize], [index % 3, 3], 'the place in its own tree');
      const root = rootFromInclusion(
        proof.logIndex,
        3,
        leafHash(canonicalizedBody),
        proof.hashes.map(fromHex),
      );
      assert.equal(root.ok && toHex(root.value), proof.rootHash);
      assert.ok(proof.checkpoint.startsWith(`${HOSTNAME} - ${shard.treeId}\n3\n`));
      const promised = setPayload({ ...entry, canonicalizedBody, logId: fromHex(entry.logID) });
      const publicKey = publicKeyPem(shard.key.publicKey);
      assert.ok(verify('sha256', promised, publicKey, fromBase64(signedEntryTimestamp)));
      const byId = await call(`${base}/log/entries/${id}`);
      assert.deepEqual(Object.keys(byId.json as object), [id]);
      const byUuid = await call(`${base}/log/entries/${id.slice(16)}`);
      assert.deepEqual(Object.keys(byUuid.json as object), [id]);
    }
    assert.equal((await call(`${base}/log/entries?logIndex=9`)).status, 404);
    const found = await call(`${base}/index/retrieve`, { publicKey: { format: 'x509', content: pem } });
    assert.deepEqual(found.json, ids);
    const some = await call(`${base}/log/entries/retrieve`, { logIndexes: [8, 1], entryUUIDs: [ids[4]] });
    assert.deepEqual((some.json as object[]).flatMap(Object.keys), [ids[8], ids[1], ids[4]]);
    const info = (await call(`${base}/log`)).json as {
      inactiveShards: { treeID: string; treeSize: number; signedTreeHead: string }[];
    };
    assert.deepEqual(
      info.inactiveShards.map((shard) => [
        shard.treeID,
        shard.treeSize,
        shard.signedTreeHead.includes('\nfrozen\n'),
      ]),
      [
        ['11', 3, true],
        ['22', 3, true],
      ],
    );
    for (const shard of shards) {
      const key = await call(`${base}/log/publicKey?treeID=${shard.treeId}`);
      assert.equal(key.text, publicKeyPem(shard.key.publicKey));
      const proof = await call(`${base}/log/proof?firstSize=2&lastSize=3&treeID=${shard.treeId}`);
      assert.equal(proof.status, 200);
    }
    assert.equal((await call(`${base}/log/publicKey?treeID=44`)).status, 400);
  });
});

test('a log does not follow one that still takes entries, and a frozen one refuses writes with 405', async () => {
  const [old, next] = [newShard('1'), newShard('2')];
  await serve(configOf(old), async (base) => {
    assert.equal((await call(`${base}/log/entries`, request('a'))).status, 201);
  });
  await assert.rejects(
    createLog({ ...configOf(next), inactive: [old] }),
    (error) => error instanceof WaybillError && error.reason.code === 'WB-1036',
  );
  await freeze(old);
  await serve(configOf(old), async (base) => {
    const refused = await call(`${base}/log/entries`, request('b'));
    assert.deepEqual([refused.status, (refused.json as { code: number }).code], [405, 405]);
    assert.equal((await call(`${base}/log/entries?logIndex=0`)).status, 200);
  });
});
