/** The audit service alone: claims, their joins, pages, and the feed that must lose nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '#base/brand';
import { toBase64, utf8 } from '#base/bytes';
import { FixedClock } from '#base/clock';
import { generateKey } from '#base/crypto';
import { digestOf } from '#base/digest';
import { unwrap } from '#base/result';
import type { TransparencyLogEntry } from '#formats/bundle';
import { type Envelope, envelopeJson, envelopeValue, INTOTO_PAYLOAD_TYPE, pae } from '#formats/dsse';
import { statementBytes } from '#formats/intoto';
import { buildManifest, describe, emptyDescriptor, type Manifest, parseManifest } from '#formats/oci';
import { createHttpServer, listen } from '#platform/http-server';
import { type AuditedLog, AuditIndex, Claims, claimOf, fromEnvelope, registerAudit } from '#services/audit';
import { createLog, registerLog } from '#services/log';
import { SIMPLE_SIGNING_TYPE } from '#verify';
import { AttachmentFeed } from '../../src/stack/audit-feed.ts';
import { VirtualStack } from '../double/virtual-stack.ts';
import { call, certified, HOSTNAME, quiet, START_MS } from './log-fixture.ts';

const image = digestOf(utf8('an image'));
const dsse = 'application/vnd.dsse.envelope.v1+json';
const simple = 'application/vnd.dev.cosign.simplesigning.v1+json';
const clock = new FixedClock(START_MS);

function statementOf(note: string, digest = image): Uint8Array {
  return statementBytes({
    subject: [{ digest: { sha256: digest.slice(7) } }],
    predicateType: 'https://example.com/p',
    predicate: { note },
  });
}

const envelopeOf = (payload: Uint8Array): Envelope => ({
  payloadType: INTOTO_PAYLOAD_TYPE,
  payload,
  signatures: [{ sig: utf8('signature') }],
});

const claim = (note: string, digest?: Digest) =>
  fromEnvelope(envelopeOf(statementOf(note, digest))) ?? assert.fail();

const plainPayload = (digest: string): Uint8Array =>
  utf8(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': '' },
        image: { 'docker-manifest-digest': digest },
        type: SIMPLE_SIGNING_TYPE,
      },
      optional: null,
    }),
  );

test('a claim is known under every hash a log may hold it as', () => {
  const payload = statementOf('one');
  const encoded = pae(INTOTO_PAYLOAD_TYPE, payload);
  const found = claimOf(dsse, utf8(envelopeJson(envelopeOf(payload)))) ?? assert.fail();
  assert.deepEqual(found.subjects, [image]);
  assert.deepEqual(found.loggedAs, [
    digestOf(payload),
    digestOf(encoded),
    digestOf(encoded, 'sha384'),
    digestOf(encoded, 'sha512'),
  ]);
  const plain = claimOf(simple, plainPayload(image)) ?? assert.fail();
  assert.deepEqual(plain.subjects, [image]);
  assert.equal(plain.loggedAs[0], digestOf(plainPayload(image)));
});

test('blobs that say nothing about an image are no claims', () => {
  const note = { ...envelopeOf(utf8('hello')), payloadType: 'text/plain' };
  assert.equal(claimOf(dsse, utf8(envelopeJson(note))), undefined);
  assert.equal(claimOf(dsse, utf8('{}')), undefined);
  assert.equal(claimOf(simple, plainPayload('latest')), undefined);
  assert.equal(claimOf('application/vnd.dev.sigstore.bundle.v0.3+json', utf8('{}')), undefined);
  assert.equal(claimOf('application/octet-stream', plainPayload(image)), undefined);
});

test('records of one turn share a commit, and a claim is kept once', async () => {
  const claims = new Claims({}, clock);
  const records = [
    claims.recordClaim(claim('one'), 'a'),
    claims.recordClaim(claim('two'), 'b'),
    claims.recordClaim(claim('one'), 'c'),
  ];
  assert.equal(new Set(records).size, 1);
  await Promise.all(records);
  assert.equal(claims.count(), 2);
  assert.equal(claims.behind(claim('one').loggedAs, image)?.seenIn, 'a');
  assert.equal(claims.behind(claim('one').loggedAs, digestOf(utf8('other'))), undefined);
  await claims.close();
});

/** A log of entries with these hashes, that knows nothing but them. */
function fakeLog(origin: string, hashes: readonly string[]): AuditedLog {
  const [entry = assert.fail()] = new VirtualStack().sign().parts.entries;
  return {
    origin,
    find: async (keys) => hashes.flatMap((hash, i) => (keys.includes(hash) ? [i] : [])),
    entry: async (index): Promise<TransparencyLogEntry> => ({ ...entry, logIndex: index }),
    coverage: async () => ({ treeSize: hashes.length, checkpoint: origin }),
  };
}

test('an answer comes in pages that together hold every entry once, over all logs', async () => {
  const claims = new Claims({}, clock);
  const logs = [
    fakeLog('a', new Array<string>(450).fill(image)),
    fakeLog('b', ['sha256:0', image, 'sha256:1', image]),
  ];
  const index = new AuditIndex({ claims, logs });
  const seen: string[] = [];
  const sizes: number[] = [];
  let after: Parameters<AuditIndex['search']>[1];
  do {
    const page = await index.search({ digest: image }, after);
    seen.push(...page.entries.map((entry) => `${entry.origin}${entry.index}`));
    sizes.push(page.entries.length);
    after = page.next;
  } while (after !== undefined);
  assert.deepEqual(sizes, [200, 200, 52]);
  assert.equal(new Set(seen).size, 452);
  assert.deepEqual(seen.slice(-2), ['b1', 'b3']);
  await claims.close();
});

test('exactly as many entries as one page holds leave no next page', async () => {
  const claims = new Claims({}, clock);
  const full = new AuditIndex({ claims, logs: [fakeLog('a', new Array<string>(200).fill(image))] });
  assert.equal((await full.search({ digest: image })).next, undefined);
  const more = new AuditIndex({ claims, logs: [fakeLog('a', new Array<string>(201).fill(image))] });
  assert.deepEqual((await more.search({ digest: image })).next, { log: 0, index: 199 });
  await claims.close();
});

test('claims nobody logged do not hide the one that is logged', async () => {
  const claims = new Claims({}, clock);
  const flood = Array.from({ length: 300 }, (_, i) => ({ claim: claim(`flood ${i}`), seenIn: 'x' }));
  await claims.record({ claims: flood });
  await claims.recordClaim(claim('true'), 'app');
  const index = new AuditIndex({ claims, logs: [fakeLog('a', [claim('true').loggedAs[1] ?? ''])] });
  assert.equal((await index.search({ digest: image })).entries.length, 1);
  assert.equal((await claims.joins(image)).length, 301 * 4);
  await claims.close();
});

test('an answer ends after the entry that brings its signed bytes over 32 MiB', async () => {
  const claims = new Claims({}, clock);
  const [entry = assert.fail()] = new VirtualStack().sign({ artifact: utf8('a') }).parts.entries;
  const half = {
    ...claim('half'),
    payload: new Uint8Array(16 * 1024 * 1024),
    loggedAs: [digestOf(utf8('a'))] as const,
  };
  const log = (hashes: readonly Digest[]) => ({ ...fakeLog('log', hashes), entry: async () => entry });
  await claims.recordClaim(half, 'app');
  const index = new AuditIndex({ claims, logs: [log([image, image, image])] });
  assert.equal((await index.search({ digest: image })).entries.length, 3, '32 MiB and the one after');
  const over = { ...half, payload: new Uint8Array(16 * 1024 * 1024 + 1), payloadType: 'text/x-more' };
  const second = new Claims({}, clock);
  await second.recordClaim(over, 'app');
  const pages = new AuditIndex({ claims: second, logs: [log([image, image, image])] });
  const page = await pages.search({ digest: image });
  assert.deepEqual([page.entries.length, page.next], [2, { log: 0, index: 1 }]);
  await claims.close();
  await second.close();
});

test('joins give at most 20,000 hashes, the earliest', async () => {
  const claims = new Claims({}, clock);
  const many = Array.from({ length: 5001 }, (_, i) => ({ claim: claim(`${i}`), seenIn: 'x' }));
  await claims.record({ claims: many.slice(0, 5000) });
  const full = await claims.joins(image);
  assert.equal(full.length, 20_000);
  await claims.record({ claims: many.slice(5000) });
  assert.deepEqual(await claims.joins(image), full);
  await claims.close();
});

test('a search does not wait for ever for old attachments, and says that they are not all read', async () => {
  const claims = new Claims({ readingWaitMs: 1 }, clock);
  const { promise, resolve } = Promise.withResolvers<void>();
  claims.announceReading(promise);
  const index = new AuditIndex({ claims, logs: [fakeLog('a', [image])] });
  assert.equal((await index.search({ digest: image })).isSettled, false);
  resolve();
  await claims.settled();
  assert.equal((await index.search({ digest: image })).isSettled, true);
  await claims.close();
});

test('what was asked for must be sayable: WB-1170', async () => {
  const claims = new Claims({}, clock);
  const app = createHttpServer({ log: quiet, bodyBytesMax: 1024 });
  registerAudit(app, new AuditIndex({ claims, logs: [fakeLog('a', [image])] }));
  const url = `${await listen(app, '127.0.0.1', 0)}/api/v1/audit/search`;
  const bad = [
    '',
    '?digest=latest',
    `?digest=${image}&digest=${image}`,
    '?identity=',
    `?identity=${'a'.repeat(2049)}`,
    `?digest=${image}&after=x`,
    `?digest=${image}&after=0.-1`,
  ];
  for (const query of bad) {
    const { status, text } = await call(`${url}${query}`);
    assert.equal(status, 400, query);
    assert.match(text, /WB-1170/);
  }
  const { json } = await call(`${url}?digest=${image}&identity=${'a'.repeat(2048)}`);
  assert.deepEqual([json.entries, json.truncated, json.settled], [[], false, true]);
  assert.equal((await call(`${url}?digest=${image}&after=0.0`)).json.entries.length, 0);
  assert.equal((await call(`${url}?digest=${image}`)).json.entries.length, 1);
  await app.close();
  await claims.close();
});

/** A registry with these attachment manifests, whose blobs may fail to be read. */
class FakeRegistry {
  readonly blobs = new Map<string, Uint8Array>();
  readonly stored = new Map<Digest, Manifest>();
  readonly reads: string[] = [];
  failing = false;

  attach(note: string): Manifest {
    const payload = utf8(envelopeJson(envelopeOf(statementOf(note))));
    const layer = describe(payload, dsse);
    this.blobs.set(layer.digest, payload);
    return this.#put(buildManifest({ config: emptyDescriptor, layers: [layer] }));
  }

  image(): Manifest {
    const layer = describe(utf8('layer'), 'application/vnd.oci.image.layer.v1.tar');
    return this.#put(buildManifest({ config: emptyDescriptor, layers: [layer] }));
  }

  #put(built: { readonly bytes: Uint8Array }): Manifest {
    const manifest = unwrap(parseManifest(built.bytes));
    this.stored.set(manifest.digest, manifest);
    return manifest;
  }

  *manifests() {
    for (const digest of this.stored.keys()) yield { repository: 'app', digest };
  }

  manifest(_repository: string, digest: Digest): Manifest {
    this.reads.push(digest);
    return this.stored.get(digest) ?? assert.fail();
  }

  blob({ digest }: { digest: Digest }): Promise<Uint8Array> {
    if (this.failing) return Promise.reject(new Error('disk'));
    return Promise.resolve(this.blobs.get(digest) ?? assert.fail());
  }
}

test('what could not be recorded when it came is recorded at the next start, and read once', async () => {
  const claims = new Claims({}, clock);
  const registry = new FakeRegistry();
  const first = new AttachmentFeed(claims, quiet);
  const told = first.listener(() => registry);
  const good = registry.attach('good');
  told('app', good.digest, good);
  await claims.settled();
  registry.failing = true;
  const lost = registry.attach('lost');
  told('app', lost.digest, lost);
  await first.stop();
  assert.deepEqual([claims.hasManifest(good.digest), claims.hasManifest(lost.digest)], [true, false]);
  // A third one was durable in the registry when the process died.
  registry.attach('untold');
  const plain = registry.image();
  registry.failing = false;
  const second = new AttachmentFeed(claims, quiet);
  second.catchUp(registry);
  assert.equal(await claims.settledForSearch(), true);
  assert.equal(claims.count(), 3);
  assert.ok(!registry.reads.includes(good.digest));
  assert.ok(claims.hasManifest(plain.digest), 'images are noted too, so that they are read once');
  registry.reads.length = 0;
  second.catchUp(registry);
  await claims.settled();
  assert.deepEqual(registry.reads, []);
  await claims.close();
});

test('a rotten manifest does not keep the others from being read', async () => {
  const claims = new Claims({}, clock);
  const registry = new FakeRegistry();
  const rotten = registry.attach('rotten');
  registry.attach('good');
  const read = registry.manifest.bind(registry);
  registry.manifest = (repository, digest) => {
    if (digest === rotten.digest) throw new Error('rotten');
    return read(repository, digest);
  };
  new AttachmentFeed(claims, quiet).catchUp(registry);
  await claims.settled();
  assert.deepEqual([claims.count(), claims.hasManifest(rotten.digest)], [1, false]);
  await claims.close();
});

test('stopping ends the reading early, and the next start goes on', async () => {
  const claims = new Claims({}, clock);
  const registry = new FakeRegistry();
  for (let i = 0; i < 20; i++) registry.attach(`${i}`);
  const first = new AttachmentFeed(claims, quiet);
  first.catchUp(registry);
  await first.stop();
  assert.ok(claims.count() < 20);
  new AttachmentFeed(claims, quiet).catchUp(registry);
  await claims.settled();
  assert.equal(claims.count(), 20);
  await claims.close();
});

/** An envelope signed by a certificate, in the three forms logs take it with its payload. */
function proposals(over?: Uint8Array) {
  const signer = certified();
  const payload = statementOf('posted');
  const sig = signer.key.sign(over ?? pae(INTOTO_PAYLOAD_TYPE, payload));
  const envelope = { payloadType: INTOTO_PAYLOAD_TYPE, payload, signatures: [{ sig }] };
  const b64 = (text: string): string => toBase64(utf8(text));
  const x509Certificate = { rawBytes: toBase64(signer.certificateDer) };
  return {
    dsse: {
      apiVersion: '0.0.1',
      kind: 'dsse',
      spec: {
        proposedContent: { envelope: envelopeJson(envelope), verifiers: [b64(signer.certificatePem)] },
      },
    },
    intoto: {
      apiVersion: '0.0.2',
      kind: 'intoto',
      spec: {
        content: {
          envelope: {
            payloadType: INTOTO_PAYLOAD_TYPE,
            payload: b64(toBase64(payload)),
            signatures: [{ sig: b64(toBase64(sig)), publicKey: b64(signer.certificatePem) }],
          },
          hash: { algorithm: 'sha256', value: '0'.repeat(64) },
          payloadHash: { algorithm: 'sha256', value: '0'.repeat(64) },
        },
      },
    },
    dsseV2: {
      dsseRequestV002: {
        envelope: envelopeValue(envelope),
        verifiers: [{ x509Certificate, keyDetails: 'PKIX_ECDSA_P256_SHA_256' }],
      },
    },
  };
}

for (const [form, api] of [
  ['dsse', 'v1'],
  ['intoto', 'v1'],
  ['dsseV2', 'v2'],
] as const) {
  test(`the payload of a ${form} proposal is told before it is logged; a failure to keep it stops nothing`, async () => {
    const told: [Envelope, number][] = [];
    let isFailing = false;
    const log = await createLog({
      api,
      hostname: HOSTNAME,
      key: generateKey(api === 'v1' ? 'p256' : 'ed25519'),
      clock,
      log: quiet,
      onEnvelope: async (envelope) => {
        told.push([envelope, log.log.tree.size]);
        if (isFailing) throw new Error('disk full');
      },
    });
    const app = createHttpServer({ log: quiet, bodyBytesMax: 1024 });
    registerLog(app, log, quiet);
    const url = `${await listen(app, '127.0.0.1', 0)}/api/${api}/log/entries`;
    const first = proposals()[form];
    assert.equal((await call(url, first)).status, 201);
    assert.deepEqual(
      told.map(([envelope, size]) => [fromEnvelope(envelope)?.subjects, size]),
      [[[image], 0]],
    );
    assert.equal((await call(url, first)).status, 409);
    assert.equal(told.length, 2, 'a duplicate too: the first may have died between telling and logging');
    assert.equal((await call(url, proposals(utf8('something else'))[form])).status, 400);
    assert.equal(told.length, 2, 'nothing is told whose signature was not checked');
    isFailing = true;
    assert.equal((await call(url, proposals()[form])).status, 201);
    await app.close();
    await log.close();
  });
}
