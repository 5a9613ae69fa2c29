import assert from 'node:assert/strict';
import { createHash, verify } from 'node:crypto';
import { test } from 'node:test';
import { ed25519ph } from '@noble/curves/ed25519.js';
import { fromBase64, toBase64, toHex, utf8 } from '#base/bytes';
import { generateKey, type HashName, hash, type KeyKind, sha256 } from '#base/crypto';
import { limits } from '#base/limits';
import { envelopeValue, INTOTO_PAYLOAD_TYPE, pae } from '#formats/dsse';
import { statementBytes } from '#formats/intoto';
import { leafHash, verifyInclusion } from '#formats/merkle';
import { parseCheckpoint, parseNote } from '#formats/note';
import { decodeEntryBundle, tilePath } from '#formats/tiles';
import { issuerKey, subjectKey } from '#services/log';
import {
  type Answer,
  call,
  certified,
  HOSTNAME,
  IDENTITY,
  ISSUER,
  type RunningLog,
  withLog,
} from './log-fixture.ts';

const entriesOf = (log: RunningLog): string => `${log.url}/api/v2/log/entries`;

interface Made {
  readonly artifact?: string;
  readonly kind?: KeyKind;
  readonly keyDetails?: string;
  readonly algorithm?: HashName;
  readonly digest?: Uint8Array;
  readonly signature?: Uint8Array;
}

const sharedKeys = new Map<KeyKind, ReturnType<typeof generateKey>>();

function keyOf(kind: KeyKind) {
  const key = sharedKeys.get(kind) ?? generateKey(kind);
  sharedKeys.set(kind, key);
  return key;
}

function hashedRekord(made: Made = {}) {
  const {
    artifact = 'one',
    kind = 'p256',
    keyDetails = 'PKIX_ECDSA_P256_SHA_256',
    algorithm = 'sha256',
  } = made;
  const key = keyOf(kind);
  const digest = made.digest ?? hash(algorithm, utf8(artifact));
  const signature = made.signature ?? key.sign(utf8(artifact), algorithm);
  return {
    hashedRekordRequestV002: {
      digest: toBase64(digest),
      signature: {
        content: toBase64(signature),
        verifier: { publicKey: { rawBytes: toBase64(key.publicKey.spki) }, keyDetails },
      },
    },
  };
}

/** Checks an answer as a stranger would, with the key known beforehand. */
function checkEntry(log: RunningLog, entry: Answer['json']): void {
  const { publicKey } = log.service;
  const id = createHash('sha256')
    .update(`${HOSTNAME}\n`)
    .update(Uint8Array.of(1))
    .update(publicKey.spki.subarray(-32))
    .digest();
  assert.equal(entry.logId.keyId, id.toString('base64'));
  assert.equal(entry.integratedTime, '0');
  assert.equal(entry.inclusionPromise, null);
  assert.deepEqual(entry.kindVersion, { kind: 'hashedrekord', version: '0.0.2' });
  const note = parseNote(entry.inclusionProof.checkpoint.envelope);
  assert.ok(note.ok);
  const [signature] = note.value.signatures;
  assert.equal(signature.name, HOSTNAME);
  assert.equal(toHex(signature.hint), id.subarray(0, 4).toString('hex'));
  assert.ok(verify(null, Buffer.from(note.value.text), publicKey.handle, signature.signature));
  const head = parseCheckpoint(note.value.text);
  assert.ok(head.ok);
  assert.equal(head.value.origin, HOSTNAME);
  const claim = {
    index: Number(entry.logIndex),
    size: head.value.size,
    leaf: leafHash(fromBase64(entry.canonicalizedBody)),
    hashes: entry.inclusionProof.hashes.map(fromBase64),
    root: head.value.rootHash,
  };
  assert.equal(verifyInclusion(claim).ok, true);
}

test('a hashedrekord is logged with a proof that strangers can check', async () => {
  await withLog('v2', async (log) => {
    const answer = await call(entriesOf(log), hashedRekord());
    assert.equal(answer.status, 201, answer.text);
    checkEntry(log, answer.json);
    const request = hashedRekord({ signature: keyOf('p256').sign(utf8('one')) }).hashedRekordRequestV002;
    const body = JSON.parse(Buffer.from(answer.json.canonicalizedBody, 'base64').toString());
    const { data, signature } = body.spec.hashedRekordV002;
    assert.deepEqual([body.apiVersion, body.kind], ['0.0.2', 'hashedrekord']);
    assert.deepEqual(data, { algorithm: 'SHA2_256', digest: request.digest });
    assert.deepEqual(signature.verifier, request.signature.verifier);
  });
});

test('snake_case requests are read as protobuf JSON allows', async () => {
  await withLog('v2', async (log) => {
    const { hashedRekordRequestV002: camel } = hashedRekord();
    const { publicKey, keyDetails } = camel.signature.verifier;
    const snake = {
      hashed_rekord_request_v002: {
        digest: camel.digest,
        signature: {
          content: camel.signature.content,
          verifier: { public_key: { raw_bytes: publicKey.rawBytes }, key_details: keyDetails },
        },
      },
    };
    assert.equal((await call(entriesOf(log), snake)).status, 201);
  });
});

test('every key and hash of the list of the original is accepted, with keys and with certificates', async () => {
  await withLog('v2', async (log) => {
    const cases: readonly Made[] = [
      { kind: 'p256', keyDetails: 'PKIX_ECDSA_P256_SHA_256' },
      { kind: 'p384', keyDetails: 'PKIX_ECDSA_P384_SHA_384', algorithm: 'sha384' },
      { kind: 'p521', keyDetails: 'PKIX_ECDSA_P521_SHA_512', algorithm: 'sha512' },
      { kind: 'rsa', keyDetails: 'PKIX_RSA_PKCS1V15_3072_SHA256' },
    ];
    for (const made of cases) {
      const answer = await call(entriesOf(log), hashedRekord(made));
      assert.equal(answer.status, 201, answer.text);
      checkEntry(log, answer.json);
    }
    const prehashed = await call(entriesOf(log), ed25519phRequest());
    assert.equal(prehashed.status, 201, prehashed.text);
    const signer = certified();
    const request = hashedRekord({ signature: signer.key.sign(utf8('one')) });
    const { signature } = request.hashedRekordRequestV002;
    const x509Certificate = { rawBytes: toBase64(signer.certificateDer) };
    const certificate = { x509Certificate, keyDetails: 'PKIX_ECDSA_P256_SHA_256' };
    const withCertificate = {
      hashedRekordRequestV002: {
        ...request.hashedRekordRequestV002,
        signature: { ...signature, verifier: certificate },
      },
    };
    const answer = await call(entriesOf(log), withCertificate);
    assert.equal(answer.status, 201, answer.text);
    assert.deepEqual(await log.service.find([subjectKey(IDENTITY)]), [5]);
    assert.deepEqual(await log.service.find([issuerKey(ISSUER)]), [5]);
    assert.equal((await log.service.find([`sha256:${toHex(sha256(utf8('one')))}`])).length, 3);
  });
});

/** A request signed with Ed25519ph by an independent implementation. */
function ed25519phRequest() {
  const { secretKey, publicKey } = ed25519ph.keygen();
  const prefix = Buffer.from('302a300506032b6570032100', 'hex');
  const message = utf8('prehashed');
  return {
    hashedRekordRequestV002: {
      digest: toBase64(hash('sha512', message)),
      signature: {
        content: toBase64(ed25519ph.sign(message, secretKey)),
        verifier: {
          publicKey: { rawBytes: toBase64(Buffer.concat([prefix, publicKey])) },
          keyDetails: 'PKIX_ED25519_PH',
        },
      },
    },
  };
}

function dsseRequest(signer = certified(), tamper = false) {
  const payload = statementBytes({
    subject: [{ digest: { sha256: toHex(sha256(utf8('an image'))) } }],
    predicateType: 'https://example.com/p',
    predicate: {},
  });
  const sig = signer.key.sign(pae(INTOTO_PAYLOAD_TYPE, tamper ? utf8('other') : payload));
  const envelope = { payloadType: INTOTO_PAYLOAD_TYPE, payload, signatures: [{ sig }] };
  const verifier = {
    x509Certificate: { rawBytes: toBase64(signer.certificateDer) },
    keyDetails: 'PKIX_ECDSA_P256_SHA_256',
  };
  return {
    payload,
    request: { dsseRequestV002: { envelope: envelopeValue(envelope), verifiers: [verifier] } },
  };
}

test('a DSSE request is checked and logged as the hash of what was signed', async () => {
  await withLog('v2', async (log) => {
    const { request, payload } = dsseRequest();
    const answer = await call(entriesOf(log), request);
    assert.equal(answer.status, 201, answer.text);
    checkEntry(log, answer.json);
    const body = JSON.parse(Buffer.from(answer.json.canonicalizedBody, 'base64').toString());
    const digest = toBase64(sha256(pae(INTOTO_PAYLOAD_TYPE, payload)));
    assert.equal(body.spec.hashedRekordV002.data.digest, digest);
    for (const digested of [payload, utf8('an image')]) {
      assert.deepEqual(await log.service.find([`sha256:${toHex(sha256(digested))}`]), [0]);
    }
    const bad = await call(entriesOf(log), dsseRequest(certified(), true).request);
    assert.deepEqual([bad.status, bad.json.code], [400, 3]);
    assert.match(bad.json.message, /WB-1030/);
  });
});

test('the same entry again is 409 with its index in a header', async () => {
  await withLog('v2', async (log) => {
    const request = hashedRekord();
    await call(entriesOf(log), hashedRekord({ artifact: 'first' }));
    assert.equal((await call(entriesOf(log), request)).status, 201);
    const again = await call(entriesOf(log), request);
    assert.equal(again.status, 409);
    assert.equal(again.headers.get('x-log-index'), '1');
    assert.equal(again.json.code, 6);
    assert.match(again.json.message, /already exists in the transparency log with index 1$/);
  });
});

test('what the log cannot verify it refuses by reason, and nothing of it is logged', async () => {
  await withLog('v2', async (log) => {
    const two = dsseRequest().request;
    two.dsseRequestV002.verifiers.push(two.dsseRequestV002.verifiers[0] as never);
    const both = { ...hashedRekord(), ...dsseRequest().request };
    const verifierless = hashedRekord();
    Object.assign(verifierless.hashedRekordRequestV002.signature.verifier, { publicKey: undefined });
    const foreign = generateKey('p256').sign(utf8('one'));
    const cases: readonly (readonly [string, unknown, RegExp])[] = [
      ['signature by another key', hashedRekord({ signature: foreign }), /WB-1030/],
      ['garbage signature', hashedRekord({ signature: utf8('junk') }), /WB-1030/],
      ['digest of 31 bytes', hashedRekord({ digest: new Uint8Array(31) }), /WB-1032/],
      ['digest of another hash', hashedRekord({ digest: new Uint8Array(48) }), /WB-1032/],
      ['pure Ed25519', hashedRekord({ kind: 'ed25519', keyDetails: 'PKIX_ED25519' }), /WB-1031/],
      ['a key that does not fit', hashedRekord({ kind: 'p384' }), /WB-1031/],
      ['unknown details', hashedRekord({ keyDetails: 'constructor' }), /WB-1031/],
      ['two verifiers', two, /WB-1031/],
      ['two requests', both, /WB-174/],
      ['no request', {}, /^invalid type, must be hashedrekord: WB-172/],
      ['no document', '', /^invalid type, must be hashedrekord: WB-172/],
      ['a field nobody knows', { ...hashedRekord(), more: 1 }, /WB-174/],
      ['no verifier', verifierless, /WB-174/],
      ['duplicate keys', '{"a":1,"a":2}', /WB-151/],
      ['no JSON', 'hello', /WB-150/],
    ];
    for (const [what, request, message] of cases) {
      const answer = await call(entriesOf(log), request);
      assert.equal(answer.status, 400, `${what}: ${answer.text}`);
      assert.deepEqual([answer.json.code, answer.json.details], [3, []], what);
      assert.match(answer.json.message, message, what);
    }
    const large = await call(entriesOf(log), 'x'.repeat(limits.logRequestBytes + 1));
    assert.deepEqual([large.status, large.json.code], [400, 3]);
    assert.match(large.json.message, /^http: request body too large: WB-1034/);
    assert.equal(log.service.log.tree.size, 0);
  });
});

test('checkpoint, hash tiles and entry tiles let a stranger rebuild the log', async () => {
  await withLog('v2', async (log) => {
    const empty = await call(`${log.url}/api/v2/checkpoint`);
    assert.match(empty.text, new RegExp(`^${HOSTNAME}\n0\n`));
    const bodies: string[] = [];
    for (let i = 0; i < 5; i++) {
      bodies.push((await call(entriesOf(log), hashedRekord({ artifact: `${i}` }))).json.canonicalizedBody);
    }
    const fetchTile = async (path: string) => {
      const response = await fetch(`${log.url}/api/v2/${path}`);
      assert.equal(response.headers.get('cache-control'), 'public, max-age=31536000, immutable');
      return new Uint8Array(await response.arrayBuffer());
    };
    const entries = decodeEntryBundle(await fetchTile('tile/entries/000.p/5'), 5);
    assert.deepEqual(entries.ok && entries.value.map(toBase64), bodies);
    const tile = await fetchTile(tilePath({ kind: 'hashes', level: 0, index: 0, width: 5 }));
    const leaves = bodies.map((body) => toHex(leafHash(fromBase64(body))));
    assert.equal(toHex(tile), leaves.join(''));
    const checkpoint = await fetch(`${log.url}/api/v2/checkpoint`);
    assert.equal(checkpoint.headers.get('content-type'), 'text/plain; charset=utf-8');
    assert.equal(await checkpoint.text(), log.service.log.tree.checkpoint);
  });
});

test('paths that name no tile of the published tree are 404, however they are spelt', async () => {
  await withLog('v2', async (log) => {
    await call(entriesOf(log), hashedRekord());
    const paths = [
      ...['tile/0/000', 'tile/0/000.p/2', 'tile/1/000.p/1', 'tile/0/001.p/1', 'tile/entries/000'],
      ...['tile/0/000.p/1/', 'tile/0/0', 'tile/64/000.p/1', 'tile/0/%30%30%30.p/1', 'tile/0//000.p/1'],
      ...['tile/0/..%2f..%2flock.db', 'tile/records/000', 'tile/', 'tile', 'tile/0/000.p/1%00'],
    ];
    for (const path of paths) {
      const answer = await call(`${log.url}/api/v2/${path}`);
      assert.equal(answer.status, 404, path);
    }
    assert.equal((await fetch(`${log.url}/api/v2/tile/0/000.p/1`)).status, 200);
    assert.equal((await call(`${log.url}/healthz`)).json.status, 'SERVING');
  });
});
