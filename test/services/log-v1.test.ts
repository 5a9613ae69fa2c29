import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { test } from 'node:test';
import { fromHex, toBase64, toHex, utf8 } from '#base/bytes';
import { generateKey, type HashName, hash, type KeyKind, sha256 } from '#base/crypto';
import { limits } from '#base/limits';
import { envelopeJson, INTOTO_PAYLOAD_TYPE, pae } from '#formats/dsse';
import { statementBytes } from '#formats/intoto';
import { leafHash, verifyConsistency, verifyInclusion } from '#formats/merkle';
import { parseCheckpoint, parseNote } from '#formats/note';
import { issuerKey } from '#services/log';
import {
  type Answer,
  call,
  certified,
  HOSTNAME,
  IDENTITY,
  ISSUER,
  pemOfKey,
  type RunningLog,
  START_MS,
  withLog,
} from './log-fixture.ts';

const b64 = (text: string): string => toBase64(utf8(text));

interface Hashed {
  readonly artifact: string;
  readonly algorithm?: HashName;
  readonly signature?: Uint8Array;
  readonly pem?: string;
  readonly digest?: Uint8Array;
}

const defaultKey = generateKey('p256');

function hashedRekord({ artifact, algorithm = 'sha256', ...more }: Hashed) {
  const signature = more.signature ?? defaultKey.sign(utf8(artifact), algorithm);
  const value = toHex(more.digest ?? hash(algorithm, utf8(artifact)));
  return {
    apiVersion: '0.0.1',
    kind: 'hashedrekord',
    spec: {
      data: { hash: { algorithm, value } },
      signature: {
        content: toBase64(signature),
        publicKey: { content: b64(more.pem ?? pemOfKey(defaultKey)) },
      },
    },
  };
}

const subjectDigest = toHex(sha256(utf8('an image')));

function attestation(predicate: object = {}) {
  return {
    payloadType: INTOTO_PAYLOAD_TYPE,
    payload: statementBytes({
      subject: [{ name: 'image', digest: { sha256: subjectDigest } }],
      predicateType: 'https://example.com/predicate',
      predicate: predicate as never,
    }),
  };
}

function dsse(signer = certified(), predicate: object = {}) {
  const content = attestation(predicate);
  const sig = signer.key.sign(pae(content.payloadType, content.payload));
  const envelope = envelopeJson({ ...content, signatures: [{ sig }] });
  return {
    apiVersion: '0.0.1',
    kind: 'dsse',
    spec: { proposedContent: { envelope, verifiers: [b64(signer.certificatePem)] } },
  };
}

const entriesOf = (log: RunningLog): string => `${log.url}/api/v1/log/entries`;

function only(answer: Answer): { id: string; entry: Answer['json'] } {
  const [[id, entry]] = Object.entries(answer.json) as [[string, Answer['json']]];
  return { id, entry };
}

/** Checks an entry as a stranger would: key from the API, hashes and signatures by node:crypto. */
async function checkEntry(log: RunningLog, id: string, entry: Answer['json']): Promise<void> {
  const key = createPublicKey((await call(`${log.url}/api/v1/log/publicKey`)).text);
  const spki = key.export({ format: 'der', type: 'spki' });
  assert.equal(entry.logID, createHash('sha256').update(spki).digest('hex'));
  const leaf = leafHash(Buffer.from(entry.body, 'base64'));
  assert.equal(id, BigInt(log.service.treeId).toString(16).padStart(16, '0') + toHex(leaf));
  const promised = `{"body":"${entry.body}","integratedTime":${entry.integratedTime},"logID":"${entry.logID}","logIndex":${entry.logIndex}}`;
  const set = Buffer.from(entry.verification.signedEntryTimestamp, 'base64');
  assert.ok(verify('sha256', Buffer.from(promised), key, set), 'the promise does not verify');
  const proof = entry.verification.inclusionProof;
  const { text, signatures } = (parseNote(proof.checkpoint) as { value: never } & { ok: true }).value as {
    text: string;
    signatures: { name: string; hint: Uint8Array; signature: Uint8Array }[];
  };
  assert.equal(signatures[0]?.name, HOSTNAME);
  assert.equal(toHex(signatures[0]?.hint as Uint8Array), entry.logID.slice(0, 8));
  assert.ok(verify('sha256', Buffer.from(text), key, signatures[0]?.signature as Uint8Array));
  const head = parseCheckpoint(text);
  assert.ok(head.ok);
  assert.equal(head.value.origin, `${HOSTNAME} - ${log.service.treeId}`);
  assert.equal(toHex(head.value.rootHash), proof.rootHash);
  const claim = {
    index: proof.logIndex,
    size: head.value.size,
    leaf,
    hashes: proof.hashes.map(fromHex),
    root: head.value.rootHash,
  };
  assert.equal(verifyInclusion(claim).ok, true);
}

test('a hashedrekord is logged with a promise and a proof that strangers can check', async () => {
  await withLog('v1', async (log) => {
    const answer = await call(entriesOf(log), hashedRekord({ artifact: 'one' }));
    assert.equal(answer.status, 201);
    const { id, entry } = only(answer);
    assert.equal(answer.headers.get('location'), `/api/v1/log/entries/${id}`);
    assert.equal(answer.headers.get('etag'), id);
    assert.equal(entry.logIndex, 0);
    assert.equal(entry.integratedTime, START_MS / 1000);
    await checkEntry(log, id, entry);
    const body = JSON.parse(Buffer.from(entry.body, 'base64').toString());
    assert.deepEqual(
      body,
      hashedRekord({ artifact: 'one', signature: Buffer.from(body.spec.signature.content, 'base64') }),
    );
  });
});

test('an entry is found by index, by id, by UUID and by proposal, and always with a sound proof', async () => {
  await withLog('v1', async (log) => {
    const request = hashedRekord({ artifact: 'one' });
    const { id } = only(await call(entriesOf(log), request));
    for (let i = 0; i < 5; i++) await call(entriesOf(log), hashedRekord({ artifact: `more ${i}` }));
    const ways = [
      await call(`${entriesOf(log)}?logIndex=0`),
      await call(`${entriesOf(log)}/${id}`),
      await call(`${entriesOf(log)}/${id.slice(16)}`),
    ];
    for (const answer of ways) {
      assert.equal(answer.status, 200);
      assert.equal(only(answer).id, id);
      await checkEntry(log, id, only(answer).entry);
    }
    const retrieve = `${entriesOf(log)}/retrieve`;
    const wrong = '0'.repeat(64);
    const answers = await call(retrieve, {
      entryUUIDs: [id, wrong],
      logIndexes: [3, 99],
      entries: [request],
    });
    assert.deepEqual(
      answers.json.map((one: object) => Object.values(one)[0].logIndex),
      [3, 0, 0],
    );
  });
});

test('a dsse entry is logged, and found by subject, payload, material, identity and key', async () => {
  await withLog('v1', async (log) => {
    const signer = certified();
    const material = toHex(sha256(utf8('a material')));
    const request = dsse(signer, { materials: [{ uri: 'x', digest: { sha256: material } }] });
    const answer = await call(entriesOf(log), request);
    assert.equal(answer.status, 201);
    const { id, entry } = only(answer);
    await checkEntry(log, id, entry);
    const body = JSON.parse(Buffer.from(entry.body, 'base64').toString());
    const { payload } = attestation({ materials: [{ uri: 'x', digest: { sha256: material } }] });
    assert.equal(body.spec.payloadHash.value, toHex(sha256(payload)));
    const envelopeHash = toHex(sha256(utf8(request.spec.proposedContent.envelope)));
    assert.equal(body.spec.envelopeHash.value, envelopeHash);
    await call(entriesOf(log), hashedRekord({ artifact: 'other' }));
    const search = async (query: object) => (await call(`${log.url}/api/v1/index/retrieve`, query)).json;
    const hits = [
      { hash: `sha256:${subjectDigest}` },
      { hash: subjectDigest.toUpperCase() },
      { hash: `sha256:${material}` },
      { hash: `sha256:${toHex(sha256(payload))}` },
      { hash: `sha256:${envelopeHash}` },
      { email: IDENTITY },
      { subject: IDENTITY.toLowerCase() },
      { publicKey: { format: 'x509', content: b64(signer.certificatePem) } },
      { hash: `sha256:${subjectDigest}`, email: IDENTITY, operator: 'and' },
    ];
    for (const query of hits) assert.deepEqual(await search(query), [id], JSON.stringify(query));
    const misses = [
      { hash: `sha256:${'0'.repeat(64)}` },
      { hash: `sha1:${'0'.repeat(40)}` },
      { email: 'nobody@example.com' },
      { hash: `sha256:${subjectDigest}`, email: 'nobody@example.com', operator: 'and' },
    ];
    for (const query of misses) assert.deepEqual(await search(query), []);
    assert.equal(
      (await search({ hash: `sha256:${toHex(sha256(utf8('other')))}`, email: IDENTITY })).length,
      2,
    );
    assert.deepEqual(await log.service.find([issuerKey(ISSUER)]), [0]);
  });
});

test('every key kind and hash that clients use over a digest is accepted', async () => {
  await withLog('v1', async (log) => {
    const cases: readonly (readonly [KeyKind, HashName])[] = [
      ['p256', 'sha256'],
      ['p384', 'sha384'],
      ['p384', 'sha256'],
      ['p521', 'sha512'],
      ['rsa', 'sha256'],
    ];
    for (const [kind, algorithm] of cases) {
      const key = generateKey(kind);
      const signature = key.sign(utf8(kind), algorithm);
      const answer = await call(
        entriesOf(log),
        hashedRekord({ artifact: kind, algorithm, signature, pem: pemOfKey(key) }),
      );
      assert.equal(answer.status, 201, answer.text);
    }
  });
});

test('an intoto 0.0.2 entry, encoded twice over as its clients do, is accepted', async () => {
  await withLog('v1', async (log) => {
    const signer = certified();
    const { payload, payloadType } = attestation();
    const sig = signer.key.sign(pae(payloadType, payload));
    const entry = (signature: Uint8Array) => ({
      apiVersion: '0.0.2',
      kind: 'intoto',
      spec: {
        content: {
          envelope: {
            payloadType,
            payload: b64(toBase64(payload)),
            signatures: [{ sig: b64(toBase64(signature)), publicKey: b64(signer.certificatePem) }],
          },
          hash: { algorithm: 'sha256', value: '0'.repeat(64) },
          payloadHash: { algorithm: 'sha256', value: '0'.repeat(64) },
        },
      },
    });
    const answer = await call(entriesOf(log), entry(sig));
    assert.equal(answer.status, 201, answer.text);
    const body = JSON.parse(Buffer.from(only(answer).entry.body, 'base64').toString());
    assert.equal(body.spec.content.payloadHash.value, toHex(sha256(payload)), 'computed, not believed');
    assert.equal(body.spec.content.envelope.payload, undefined);
    const bad = await call(entriesOf(log), entry(signer.key.sign(payload)));
    assert.deepEqual([bad.status, bad.json.code], [400, 400]);
    assert.match(bad.json.message, /WB-1030/);
  });
});

/** The request of rekor-cli for `--type rekord`: the artifact goes along. */
function rekord(artifact: string, more: { readonly hash?: string; readonly format?: string } = {}) {
  const { format = 'x509', hash: value } = more;
  const content = toBase64(defaultKey.sign(utf8(artifact)));
  const claimed = value === undefined ? {} : { hash: { algorithm: 'sha256', value } };
  const signature = { format, content, publicKey: { content: b64(pemOfKey(defaultKey)) } };
  return {
    apiVersion: '0.0.1',
    kind: 'rekord',
    spec: { data: { content: b64(artifact), ...claimed }, signature },
  };
}

test('a rekord is logged as the hash of what it carries, and found by it', async () => {
  await withLog('v1', async ({ url }) => {
    const digest = toHex(sha256(utf8('an artifact')));
    const answer = await call(`${url}/api/v1/log/entries`, rekord('an artifact', { hash: digest }));
    assert.equal(answer.status, 201);
    const [[id, entry]] = Object.entries(answer.json) as [[string, { body: string }]];
    const body = JSON.parse(Buffer.from(entry.body, 'base64').toString()) as Record<string, unknown>;
    assert.deepEqual([body['kind'], body['apiVersion']], ['rekord', '0.0.1']);
    const spec = body['spec'] as { data: object; signature: { format: string } };
    assert.deepEqual(spec.data, { hash: { algorithm: 'sha256', value: digest } });
    assert.equal(spec.signature.format, 'x509');
    const found = await call(`${url}/api/v1/index/retrieve`, { hash: `sha256:${digest}` });
    assert.deepEqual(found.json, [id]);
    assert.equal((await call(`${url}/api/v1/log/entries`, rekord('another'))).status, 201);
  });
});

test('a rekord whose signature, hash or key format does not fit is refused', async () => {
  await withLog('v1', async ({ url, service }) => {
    const status = async (request: object) => {
      const answer = await call(`${url}/api/v1/log/entries`, request);
      return `${answer.status} ${/WB-\d+/.exec(answer.text)?.[0]}`;
    };
    const other = rekord('a');
    other.spec.data.content = b64('b');
    assert.equal(await status(other), '400 WB-1030');
    assert.equal(await status(rekord('a', { hash: '00'.repeat(32) })), '400 WB-1032');
    assert.equal(await status(rekord('a', { format: 'pgp' })), '400 WB-1034');
    assert.equal(service.log.tree.size, 0);
  });
});

test('the same entry again is 409 with the place of the first', async () => {
  await withLog('v1', async (log) => {
    const request = hashedRekord({ artifact: 'one' });
    const { id } = only(await call(entriesOf(log), request));
    const again = await call(entriesOf(log), request);
    assert.equal(again.status, 409);
    assert.equal(again.headers.get('location'), `/api/v1/log/entries/${id}`);
    assert.equal(again.json.code, 409);
    assert.match(again.json.message, new RegExp(`already exists .* UUID ${id}$`));
    const together = await Promise.all(
      Array.from({ length: 50 }, () =>
        call(entriesOf(log), hashedRekord({ artifact: 'two', signature: twoSignature })),
      ),
    );
    assert.equal(together.filter((answer) => answer.status === 201).length, 1);
    assert.equal(together.filter((answer) => answer.status === 409).length, 49);
    assert.equal(log.service.log.tree.size, 2);
  });
});

const twoSignature = defaultKey.sign(utf8('two'));

test('what the log cannot verify it refuses by reason, and nothing of it is logged', async () => {
  await withLog('v1', async (log) => {
    const other = generateKey('p256');
    const signer = certified();
    const twoKeys = dsse(signer);
    twoKeys.spec.proposedContent.verifiers.push(b64(pemOfKey(other)));
    const rawUrl = hashedRekord({ artifact: 'x' }) as { spec: { data: object } };
    rawUrl.spec.data = { url: 'http://127.0.0.1:1/artifact', ...rawUrl.spec.data };
    const cases: readonly (readonly [string, unknown, RegExp])[] = [
      ['signature by another key', hashedRekord({ artifact: 'x', pem: pemOfKey(other) }), /WB-1030/],
      [
        'signature over another digest',
        hashedRekord({ artifact: 'x', digest: sha256(utf8('y')) }),
        /WB-1030/,
      ],
      ['garbage signature', hashedRekord({ artifact: 'x', signature: utf8('junk') }), /WB-1030/],
      ['digest of another length', hashedRekord({ artifact: 'x', digest: new Uint8Array(31) }), /WB-17/],
      ['pure Ed25519', ed25519Request(), /WB-1030/],
      ['a verifier that is no PEM', hashedRekord({ artifact: 'x', pem: 'hello' }), /WB-120/],
      ['a private key', hashedRekord({ artifact: 'x', pem: defaultKey.exportPem() }), /WB-1031/],
      ['a key without a signature', twoKeys, /WB-1030/],
      ['another kind', { apiVersion: '0.0.1', kind: 'rpm', spec: {} }, /WB-172/],
      ['an address to fetch', rawUrl, /WB-1034/],
      ['duplicate keys', '{"kind":"dsse","kind":"dsse"}', /WB-151/],
      ['no JSON', '{', /WB-150/],
      ['nothing', '', /WB-150/],
      ['a list', '[]', /WB-/],
      ['deep nesting', '['.repeat(limits.jsonDepth + 1), /WB-152/],
    ];
    for (const [what, request, message] of cases) {
      const answer = await call(entriesOf(log), request);
      assert.equal(answer.status, 400, `${what}: ${answer.text}`);
      assert.equal(answer.json.code, 400, what);
      assert.match(answer.json.message, message, what);
    }
    assert.equal(log.service.log.tree.size, 0);
  });
});

function ed25519Request() {
  const key = generateKey('ed25519');
  const digest = hash('sha512', utf8('x'));
  return hashedRekord({
    artifact: 'x',
    algorithm: 'sha512',
    signature: key.sign(digest),
    pem: pemOfKey(key),
  });
}

test('requests beyond the size limit are refused as such', async () => {
  await withLog('v1', async (log) => {
    const envelope = (length: number) => JSON.stringify({ kind: 'x'.repeat(length - 11) });
    assert.equal(envelope(limits.logEnvelopeBytes).length, limits.logEnvelopeBytes);
    const most = await call(entriesOf(log), envelope(limits.logEnvelopeBytes));
    assert.equal(most.status, 400);
    const more = await call(entriesOf(log), envelope(limits.logEnvelopeBytes + 1));
    assert.deepEqual([more.status, more.json.code], [413, 413]);
  });
});

test('an entry that no entry bundle can hold is refused with 413, a long chain with 400', async () => {
  await withLog('v1', async (log) => {
    const answers: [number, string][] = [];
    for (const [ballast, copies] of [
      [1000, limits.chainCertificates],
      [1000, limits.chainCertificates + 1],
      [40_000, 1],
    ] as const) {
      const signer = certified('p256', ballast);
      const pem = signer.certificatePem.repeat(copies);
      const request = hashedRekord({ artifact: 'x', signature: signer.key.sign(utf8('x')), pem });
      const { status, text } = await call(entriesOf(log), request);
      answers.push([status, /WB-[0-9]+/.exec(text)?.[0] ?? 'logged']);
    }
    assert.deepEqual(answers, [
      [201, 'logged'],
      [400, 'WB-1031'],
      [413, 'WB-401'],
    ]);
  });
});

test('log info, key and consistency proofs agree with each other', async () => {
  await withLog('v1', async (log) => {
    const heads: Answer['json'][] = [(await call(`${log.url}/api/v1/log`)).json];
    for (let i = 0; i < 6; i++) {
      await call(entriesOf(log), hashedRekord({ artifact: `${i}` }));
      heads.push((await call(`${log.url}/api/v1/log`)).json);
    }
    assert.deepEqual(
      heads.map((head) => head.treeSize),
      [0, 1, 2, 3, 4, 5, 6],
    );
    assert.equal(heads[0].treeID, log.service.treeId);
    assert.deepEqual(heads[0].inactiveShards, []);
    for (const [first, second] of [
      [1, 6],
      [3, 5],
      [4, 4],
    ] as const) {
      const url = `${log.url}/api/v1/log/proof?firstSize=${first}&lastSize=${second}&treeID=${heads[0].treeID}`;
      const { json } = await call(url);
      const claim = {
        first,
        second,
        firstRoot: fromHex(heads[first].rootHash),
        secondRoot: fromHex(json.rootHash),
        hashes: json.hashes.map(fromHex),
      };
      assert.equal(verifyConsistency(claim).ok, true);
      assert.equal(json.rootHash, heads[second].rootHash);
    }
  });
});

test('questions the log cannot answer have the statuses of the original', async () => {
  await withLog('v1', async (log) => {
    const { id } = only(await call(entriesOf(log), hashedRekord({ artifact: 'one' })));
    const otherTree = `${'0'.repeat(15)}1${id.slice(16)}`;
    const retrieve = `${entriesOf(log)}/retrieve`;
    const search = `${log.url}/api/v1/index/retrieve`;
    const proof = `${log.url}/api/v1/log/proof`;
    const eleven = (item: unknown): unknown[] => Array.from({ length: 11 }, () => item);
    const cases: readonly (readonly [number, string, unknown, string])[] = [
      [404, `${entriesOf(log)}?logIndex=1`, undefined, ''],
      [
        609,
        `${entriesOf(log)}?logIndex=-1`,
        undefined,
        'logIndex in query should be greater than or equal to 0',
      ],
      [601, `${entriesOf(log)}?logIndex=01`, undefined, 'logIndex in query must be of type int64: "01"'],
      [602, entriesOf(log), undefined, 'logIndex in query is required'],
      [404, `${entriesOf(log)}/${'0'.repeat(64)}`, undefined, ''],
      [404, `${entriesOf(log)}/${otherTree}`, undefined, ''],
      [
        605,
        `${entriesOf(log)}/${id.slice(1)}`,
        undefined,
        "entryUUID in path should match '^([0-9a-fA-F]{64}|",
      ],
      [605, `${entriesOf(log)}/..%2f..%2fetc`, undefined, 'entryUUID in path should match'],
      [400, `${log.url}/api/v1/log/publicKey?treeID=1`, undefined, 'no log range found for tree ID 1'],
      [605, `${log.url}/api/v1/log/publicKey?treeID=x`, undefined, "treeID in query should match '^[0-9]+$'"],
      [400, `${proof}?firstSize=2&lastSize=1`, undefined, 'firstSize(2) must be less than lastSize(1)'],
      [
        609,
        `${proof}?firstSize=0&lastSize=1`,
        undefined,
        'firstSize in query should be greater than or equal to 1',
      ],
      [
        400,
        `${proof}?lastSize=2`,
        undefined,
        'the tree size requested(2) was greater than what is currently',
      ],
      [400, `${proof}?lastSize=1&treeID=1`, undefined, 'no log range found for tree ID 1'],
      [602, proof, undefined, 'lastSize in query is required'],
      [612, retrieve, { logIndexes: [] }, 'logIndexes in body should have at least 1 items'],
      [611, retrieve, { logIndexes: eleven(0) }, 'logIndexes in body should have at most 10 items'],
      [
        422,
        retrieve,
        { logIndexes: [0, 0, 0, 0, 0, 0], entryUUIDs: [id, id, id, id, id] },
        'more than max allowed 10',
      ],
      [200, retrieve, { logIndexes: Array.from({ length: 10 }, () => 0) }, ''],
      [605, retrieve, { entryUUIDs: [id, 'zz'] }, 'entryUUIDs.1 in body should match'],
      [609, retrieve, { logIndexes: [-1] }, 'logIndexes.0 in body should be greater than or equal to 0'],
      [200, retrieve, { entries: null, entryUUIDs: null, logIndexes: [0] }, ''],
      [200, retrieve, { entries: null, entryUUIDs: null, logIndexes: null }, ''],
      [200, search, {}, ''],
      [605, search, { hash: 'md5:00' }, "hash in body should match '^(sha512:)?[0-9a-fA-F]{128}$|"],
      [200, search, { hash: 'A'.repeat(128) }, ''],
      [200, search, { hash: 'a'.repeat(40) }, ''],
      [603, search, { subject: 's'.repeat(513) }, 'subject in body should be at most 512 chars long'],
      [200, search, { subject: 's'.repeat(512) }, ''],
      [606, search, { email: 'x', operator: 'not' }, 'operator in body should be one of [and or]'],
      [200, search, { publicKey: { format: 'pgp', content: 'eA==' } }, ''],
      [
        606,
        search,
        { publicKey: { format: 'gpg', content: 'eA==' } },
        'publicKey.format in body should be one of [',
      ],
      [
        400,
        search,
        { publicKey: { format: 'x509', content: 'eA==' } },
        'public key provided could not be parsed',
      ],
      [200, `${log.url}/ping`, undefined, ''],
      [200, `${log.url}/healthz`, undefined, ''],
    ];
    for (const [status, url, body, words] of cases) {
      const answer = await call(url, body);
      // Parameters that do not fit are 422 with a number of their own in the body.
      const http = status > 600 ? 422 : status;
      assert.equal(answer.status, http, `${url} ${JSON.stringify(body)}: ${answer.text}`);
      if (status < 400) continue;
      assert.equal(answer.json.code, status);
      assert.ok(answer.json.message.startsWith(words) && /WB-\d+/.test(answer.json.message), answer.text);
    }
  });
});

test('an entry that is not taken is refused in the words of the original, ours behind them', async () => {
  await withLog('v1', async (log) => {
    const { status, json } = await call(entriesOf(log), {
      apiVersion: '0.0.1',
      kind: 'hashedrekord',
      spec: {},
    });
    assert.deepEqual([status, json.code], [400, 400]);
    assert.match(json.message, /^error processing entry: WB-\d+ /);
  });
  await withLog('v2', async (log) => {
    const { status, json } = await call(`${log.url}/api/v2/log/entries`, { hashedRekordRequestV002: {} });
    assert.deepEqual([status, json.code], [400, 3]);
    assert.match(json.message, /^invalid hashedrekord request: WB-\d+ /);
  });
});
