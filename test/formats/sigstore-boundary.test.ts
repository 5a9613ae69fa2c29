/** Bundles, envelopes, statements, log entries and trusted roots with one member changed: which rule refuses what. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toBase64, utf8 } from '#base/bytes';
import { generateKey } from '#base/crypto';
import { limits } from '#base/limits';
import { attempt, type Result, unwrap } from '#base/result';
import {
  type BundleInput,
  bundleBytes,
  bundleJson,
  hashFromProto,
  parseBundle,
  tlogEntryFromJson,
  tlogEntryJson,
} from '#formats/bundle';
import { envelopeJson, envelopeValue, parseEnvelope } from '#formats/dsse';
import { parseStatement, resolvePredicateType, statementBytes } from '#formats/intoto';
import type { JsonObject, JsonValue } from '#formats/json';
import { keyDetails, keyDetailsByName, keyDetailsFor, keyFits } from '#formats/key-details';
import { isValidAt, parseTrustedRoot, trustedRootValue, validityValue } from '#formats/trusted-root';
import { at, edit } from '../double/json-edits.ts';
import { VirtualStack } from '../double/virtual-stack.ts';

const stack = new VirtualStack();
const message = stack.sign();
const statement = stack.sign({ statement: 'cosign' });
const bare = stack.sign({ key: generateKey('p256') });

type Changes = Readonly<Record<string, JsonValue | undefined>>;
const codeOf = (result: Result<unknown>): string => (result.ok ? 'ok' : result.error.code);
const said = (result: Result<unknown>): string =>
  result.ok ? 'ok' : `${result.error.code} ${result.error.expected}`;
const bytes = (value: JsonValue): Uint8Array => utf8(JSON.stringify(value));
const bundle = (base: JsonObject, changes: Changes): string => said(parseBundle(bytes(edit(base, changes))));

const V03 = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const old = (version: string): string => `application/vnd.dev.sigstore.bundle+json;version=${version}`;
const raw = at(message.json, 'verificationMaterial.certificate');
const chain = (...certificates: JsonValue[]): Changes => ({
  'verificationMaterial.certificate': undefined,
  'verificationMaterial.x509CertificateChain': { certificates },
});
const entry = 'verificationMaterial.tlogEntries.0';
const rootOf = { rawBytes: toBase64(stack.ca.root.certificate.der) };
const intermediate = { rawBytes: toBase64(stack.ca.intermediate.certificate.der) };

test('a bundle has a media type that is known, to the letter (WB-160)', () => {
  for (const mediaType of [V03, old('0.3')]) assert.equal(bundle(message.json, { mediaType }), 'ok');
  for (const mediaType of [`${V03} `, old('0.4'), 'toString', '']) {
    assert.match(bundle(message.json, { mediaType }), /^WB-160/, mediaType);
  }
});

test('a bundle carries the certificate as its version does, a key in any', () => {
  assert.equal(bundle(message.json, { mediaType: old('0.2'), ...chain(raw) }), 'ok');
  assert.equal(bundle(message.json, { mediaType: old('0.2'), ...chain(raw, intermediate) }), 'ok');
  assert.match(bundle(message.json, { mediaType: old('0.2') }), /^WB-161/);
  assert.match(bundle(message.json, chain(raw)), /^WB-161/);
  assert.match(bundle(message.json, { mediaType: old('0.2'), ...chain() }), /^WB-161 at least the leaf/);
  assert.equal(bundle(bare.json, { mediaType: old('0.2') }), 'ok');
  assert.equal(bundle(bare.json, {}), 'ok');
  const two = { 'verificationMaterial.publicKey': { hint: '' } };
  assert.match(bundle(message.json, two), /^WB-161 exactly one of/);
  assert.match(
    bundle(message.json, { 'verificationMaterial.certificate': undefined }),
    /^WB-161 exactly one of/,
  );
  const many = Array.from({ length: limits.chainCertificates + 1 }, () => raw);
  assert.match(bundle(message.json, { mediaType: old('0.2'), ...chain(...many) }), /^WB-161 at most/);
  assert.equal(bundle(message.json, { mediaType: old('0.2'), ...chain(...many.slice(1)) }), 'ok');
});

test('a root certificate is no part of a bundle; an intermediate and a self-named leaf are (WB-163)', () => {
  assert.match(bundle(message.json, { mediaType: old('0.2'), ...chain(raw, rootOf) }), /^WB-163/);
  assert.match(bundle(message.json, { 'verificationMaterial.certificate': rootOf }), /^WB-163/);
  assert.match(bundle(message.json, { mediaType: old('0.2'), ...chain(rootOf) }), /^WB-163/);
  const tolerated = (...list: JsonValue[]): string =>
    said(
      parseBundle(bytes(edit(message.json, { mediaType: old('0.2'), ...chain(...list) })), {
        toleratesRoot: true,
      }),
    );
  assert.equal(tolerated(raw, rootOf), 'ok');
  assert.match(tolerated(rootOf), /^WB-163/);
  // An authority below another is no root, and a leaf that names itself its issuer is no authority.
  assert.equal(bundle(message.json, { 'verificationMaterial.certificate': intermediate }), 'ok');
  const { subject } = stack.ca.intermediate.certificate;
  const own = stack.issue(message.key, 0, {
    leaf: { alter: (one) => ({ ...one, subject, issuer: subject }) },
  });
  assert.equal(
    bundle(message.json, { 'verificationMaterial.certificate': { rawBytes: toBase64(own.der) } }),
    'ok',
  );
});

test('bundles 0.1 need a promise, later ones a proof with checkpoint (WB-161, WB-164)', () => {
  const promise = `${entry}.inclusionPromise`;
  const proof = `${entry}.inclusionProof`;
  const first = { mediaType: old('0.1'), ...chain(raw) };
  assert.equal(bundle(message.json, first), 'ok');
  assert.equal(bundle(message.json, { ...first, [proof]: undefined }), 'ok');
  assert.equal(bundle(message.json, { ...first, [`${proof}.checkpoint`]: undefined }), 'ok');
  assert.match(
    bundle(message.json, { ...first, [promise]: undefined }),
    /an inclusion promise in a bundle 0\.1/,
  );
  for (const later of [{}, { mediaType: old('0.2'), ...chain(raw) }]) {
    assert.equal(bundle(message.json, { ...later, [promise]: undefined }), 'ok');
    const words = /an inclusion proof with checkpoint in a bundle/;
    assert.match(bundle(message.json, { ...later, [proof]: undefined }), words);
    assert.match(bundle(message.json, { ...later, [`${proof}.checkpoint`]: undefined }), words);
    assert.match(bundle(message.json, { ...later, [`${proof}.checkpoint.envelope`]: '' }), words);
  }
});

test('entries and timestamps are counted, and no entry comes twice (WB-161, WB-162)', () => {
  const one = at(message.json, entry) as JsonObject;
  const numbered = (count: number): JsonValue =>
    Array.from({ length: count }, (_, i) => edit(one, { logIndex: String(i) }));
  const entries = (count: number): Changes => ({ 'verificationMaterial.tlogEntries': numbered(count) });
  assert.equal(bundle(message.json, entries(limits.bundleTlogEntries)), 'ok');
  const words = `WB-162 at most ${limits.bundleTlogEntries} log entries`;
  assert.equal(bundle(message.json, entries(limits.bundleTlogEntries + 1)), words);
  assert.match(
    bundle(message.json, { 'verificationMaterial.tlogEntries': [one, one] }),
    /each log entry once/,
  );
  const elsewhere = edit(one, { 'logId.keyId': toBase64(new Uint8Array(32)) });
  assert.equal(bundle(message.json, { 'verificationMaterial.tlogEntries': [one, elsewhere] }), 'ok');
  assert.equal(bundle(message.json, { 'verificationMaterial.tlogEntries': undefined }), 'ok');
  const stamp = { signedTimestamp: 'AQ==' };
  const stamps = (count: number): Changes => ({
    'verificationMaterial.timestampVerificationData.rfc3161Timestamps': new Array<JsonObject>(count).fill(
      stamp,
    ),
  });
  assert.equal(bundle(message.json, stamps(limits.bundleTimestamps)), 'ok');
  const many = `WB-162 at most ${limits.bundleTimestamps} timestamps`;
  assert.equal(bundle(message.json, stamps(limits.bundleTimestamps + 1)), many);
  const none = edit(message.json, { 'verificationMaterial.timestampVerificationData': undefined });
  assert.deepEqual(unwrap(parseBundle(bytes(none))).timestamps, []);
});

test('a bundle signs a message or an envelope, with one signature that is there', () => {
  const envelope = at(statement.json, 'dsseEnvelope');
  assert.match(bundle(message.json, { dsseEnvelope: envelope }), /^WB-161 exactly one of/);
  assert.match(bundle(message.json, { messageSignature: undefined }), /^WB-161 exactly one of/);
  assert.match(bundle(message.json, { 'messageSignature.signature': '' }), /^WB-161 a signature/);
  const signatures = at(statement.json, 'dsseEnvelope.signatures') as readonly JsonValue[];
  assert.match(
    bundle(statement.json, { 'dsseEnvelope.signatures': [...signatures, ...signatures] }),
    /^WB-155 exactly one signature/,
  );
  assert.match(bundle(statement.json, { 'dsseEnvelope.signatures': [] }), /^WB-155/);
});

test('the digest beside a signature is of a known algorithm with its length, or is not there', () => {
  const digest = 'messageSignature.messageDigest';
  assert.equal(bundle(message.json, { [digest]: undefined }), 'ok');
  for (const [algorithm, length] of [
    ['SHA2_256', 32],
    ['SHA2_384', 48],
    ['SHA2_512', 64],
  ] as const) {
    const value = (size: number): JsonObject => ({ algorithm, digest: toBase64(new Uint8Array(size)) });
    assert.equal(bundle(message.json, { [digest]: value(length) }), 'ok');
    assert.match(
      bundle(message.json, { [digest]: value(length - 1) }),
      new RegExp(`^WB-161 ${length} bytes`),
    );
  }
  for (const algorithm of ['SHA2_224', 'sha256', 'toString', 'HASH_ALGORITHM_UNSPECIFIED']) {
    assert.match(bundle(message.json, { [`${digest}.algorithm`]: algorithm }), /^WB-161 SHA2_256/, algorithm);
    assert.equal(hashFromProto(algorithm), undefined);
  }
});

test('what is written is what was given, with and without what is optional', () => {
  const { material, entries, timestamps, content } = message.parts;
  const input: BundleInput = { material, tlogEntries: entries, timestamps, content };
  assert.deepEqual(bundleJson(input), message.json);
  assert.deepEqual(JSON.parse(Buffer.from(bundleBytes(input)).toString()), message.json);
  const der = message.certificate?.der as Uint8Array;
  assert.deepEqual(
    bundleJson({ ...input, material: { kind: 'certificate', certificate: der } }),
    message.json,
  );
  const signature = message.signature;
  const written = bundleJson({ ...input, content: { kind: 'message', signature } });
  assert.deepEqual(written['messageSignature'], { signature: toBase64(signature) });
});

const envelope: JsonObject = { payload: 'AQ==', payloadType: 't', signatures: [{ sig: 'AQ==' }] };

test('an envelope has payload, type and 1 to 16 signatures that are there (WB-155)', () => {
  const read = (changes: Changes): string => codeOf(parseEnvelope(edit(envelope, changes)));
  assert.equal(read({}), 'ok');
  assert.equal(read({ payloadType: '' }), 'WB-155');
  assert.equal(read({ payload: 'A' }), 'WB-155');
  assert.equal(read({ 'signatures.0.sig': '' }), 'WB-155');
  assert.equal(read({ signatures: [] }), 'WB-155');
  const list = (count: number): Changes => ({
    signatures: new Array<JsonObject>(count).fill({ sig: 'AQ==' }),
  });
  assert.equal(read(list(16)), 'ok');
  assert.equal(read(list(17)), 'WB-155');
});

test('a key id is kept where there is one, and an empty one is none', () => {
  const signature = (keyid?: string) =>
    unwrap(parseEnvelope(edit(envelope, { 'signatures.0.keyid': keyid }))).signatures[0];
  assert.equal(signature('k')?.keyid, 'k');
  assert.equal(Object.hasOwn(signature('') ?? {}, 'keyid'), false);
  assert.equal(Object.hasOwn(signature() ?? {}, 'keyid'), false);
  const named = edit(envelope, { 'signatures.0.keyid': 'k' });
  assert.deepEqual(envelopeValue(unwrap(parseEnvelope(named))), named);
  assert.deepEqual(envelopeValue(unwrap(parseEnvelope(envelope))), envelope);
});

test('an envelope is read from value, text and bytes, within the size that is given', () => {
  const text = envelopeJson(unwrap(parseEnvelope(envelope)));
  for (const input of [text, utf8(text), envelope]) assert.equal(codeOf(parseEnvelope(input)), 'ok');
  assert.equal(codeOf(parseEnvelope(text, text.length)), 'ok');
  assert.equal(codeOf(parseEnvelope(text, text.length - 1)), 'WB-152');
  const large = JSON.stringify(edit(envelope, { payloadType: 'x'.repeat(limits.bundleBytes) }));
  assert.equal(codeOf(parseEnvelope(large)), 'WB-152');
  assert.equal(codeOf(parseEnvelope(large, large.length)), 'ok');
});

const sha256 = 'ab'.repeat(32);
const claim: JsonObject = {
  _type: 'https://in-toto.io/Statement/v1',
  subject: [{ name: 'n', digest: { sha256 } }],
  predicateType: 'https://example.com/t',
  predicate: {},
};

test('a statement has type, subjects and predicate type, each told by its own rule', () => {
  const read = (changes: Changes) => parseStatement(bytes(edit(claim, changes)));
  const told = (changes: Changes): string => {
    const result = read(changes);
    return result.ok ? 'ok' : `${result.error.code} ${result.error.class}`;
  };
  assert.equal(told({}), 'ok');
  assert.equal(told({ _type: undefined }), 'WB-156 payload-type');
  assert.equal(told({ _type: 'https://in-toto.io/Statement/v0.1' }), 'ok');
  assert.match(told({ _type: 'https://in-toto.io/Statement/v2' }), /^WB-157/);
  assert.equal(told({ predicateType: '' }), 'WB-156 malformed');
  for (const subject of [undefined, {}, 'x', []]) assert.equal(told({ subject }), 'WB-158 subject');
  const one = { digest: { sha256 } };
  const subjects = (count: number): Changes => ({ subject: new Array<JsonObject>(count).fill(one) });
  assert.equal(told(subjects(limits.statementSubjects)), 'ok');
  assert.equal(told(subjects(limits.statementSubjects + 1)), 'WB-158 limit');
  const digests = (count: number): Changes => ({
    'subject.0.digest': Object.fromEntries(Array.from({ length: count }, (_, i) => [`a${i}`, 'x'])),
  });
  assert.equal(told(digests(limits.subjectDigests)), 'ok');
  assert.equal(told(digests(limits.subjectDigests + 1)), 'WB-158 limit');
  assert.equal(told(digests(0)), 'WB-158 subject');
  assert.equal(unwrap(read({ predicate: undefined })).predicate, null);
});

test('a subject has name and annotations where they are there, of their kinds', () => {
  const read = (changes: Changes) => parseStatement(bytes(edit(claim, changes)));
  const subject = (changes: Changes) => unwrap(read(changes)).subject[0];
  assert.deepEqual(subject({}), { name: 'n', digest: { sha256 } });
  assert.deepEqual(subject({ 'subject.0.name': undefined }), { digest: { sha256 } });
  assert.equal(codeOf(read({ 'subject.0.name': 5 })), 'WB-158');
  assert.deepEqual(subject({ 'subject.0.annotations': { a: 'b' } }).annotations, { a: 'b' });
  assert.equal(subject({ 'subject.0.annotations': null }).annotations, undefined);
  for (const annotations of ['x', 5, [], true]) {
    assert.equal(codeOf(read({ 'subject.0.annotations': annotations })), 'WB-158');
  }
  assert.equal(
    unwrap(parseStatement(statementBytes({ ...unwrap(read({})) }))).type,
    'https://in-toto.io/Statement/v1',
  );
});

test('a digest is text that is there; those that are compared are lower-case hex of their length', () => {
  const read = (name: string, value: JsonValue): string =>
    codeOf(parseStatement(bytes(edit(claim, { 'subject.0.digest': { [name]: value } }))));
  for (const [name, length] of [
    ['sha256', 64],
    ['sha384', 96],
    ['sha512', 128],
  ] as const) {
    const good = 'a'.repeat(length);
    assert.equal(read(name, good), 'ok');
    for (const bad of [
      good.slice(1),
      `${good}a`,
      good.toUpperCase(),
      `g${good.slice(1)}`,
      `${good.slice(1)}g`,
      '',
      5,
    ]) {
      assert.equal(read(name, bad), 'WB-158', String(bad));
    }
  }
  assert.equal(read('gitCommit', 'x'), 'ok');
  assert.equal(read('gitCommit', ''), 'WB-158');
  assert.equal(read('gitCommit', 5), 'WB-158');
  assert.equal(read('toString', 'x'), 'ok');
});

test('a predicate type is an alias or an absolute URI', () => {
  assert.equal(unwrap(resolvePredicateType('spdx')), 'https://spdx.dev/Document');
  assert.equal(unwrap(resolvePredicateType('https://a/b')), 'https://a/b');
  assert.equal(unwrap(resolvePredicateType('urn:x')), 'urn:x');
  for (const bad of [
    'nope',
    'toString',
    '/a',
    'https://a b',
    ' https://a',
    'https://a\n',
    '1a:b',
    '',
    'https://[',
    'a:',
  ]) {
    assert.equal(codeOf(resolvePredicateType(bad)), 'WB-159', bad);
  }
});

test('a log entry has its members of their sizes (WB-164)', () => {
  const one = at(message.json, entry) as JsonObject;
  const read = (changes: Changes) => tlogEntryFromJson(edit(one, changes));
  const code = (changes: Changes): string => codeOf(read(changes));
  assert.deepEqual(tlogEntryJson(unwrap(read({}))), one);
  assert.equal(code({ canonicalizedBody: '' }), 'WB-164');
  assert.equal(code({ 'logId.keyId': toBase64(new Uint8Array(31)) }), 'WB-164');
  assert.equal(code({ 'logId.keyId': toBase64(new Uint8Array(33)) }), 'WB-164');
  assert.equal(code({ 'inclusionPromise.signedEntryTimestamp': '' }), 'WB-164');
  assert.equal(code({ 'kindVersion.kind': '' }), 'WB-164');
  assert.equal(code({ 'kindVersion.version': '' }), 'WB-164');
  const hash = toBase64(new Uint8Array(32));
  const hashes = (count: number): Changes => ({
    'inclusionProof.hashes': new Array<string>(count).fill(hash),
  });
  assert.equal(code(hashes(limits.proofHashes)), 'ok');
  assert.equal(code(hashes(limits.proofHashes + 1)), 'WB-164');
  assert.equal(code({ 'inclusionProof.hashes': [toBase64(new Uint8Array(31))] }), 'WB-164');
  assert.equal(code({ 'inclusionProof.treeSize': '0' }), 'WB-164');
  const bare_ = unwrap(read({ 'inclusionProof.treeSize': undefined, 'inclusionProof.rootHash': undefined }));
  assert.deepEqual([bare_.inclusionProof?.treeSize, bare_.inclusionProof?.rootHash.length], [0, 0]);
  const promised = unwrap(read({ inclusionProof: undefined }));
  assert.equal(promised.inclusionProof, undefined);
  assert.deepEqual(tlogEntryJson(promised), edit(one, { inclusionProof: undefined }));
  const proven = unwrap(read({ inclusionPromise: undefined }));
  assert.equal(proven.inclusionPromise, undefined);
  assert.deepEqual(tlogEntryJson(proven), edit(one, { inclusionPromise: undefined }));
});

const root = trustedRootValue(stack.root);

test('a trusted root has a known type, logs with keys of their kind, and chains', () => {
  const read = (changes: Changes) => parseTrustedRoot(bytes(edit(root, changes)));
  const code = (changes: Changes): string => codeOf(read(changes));
  assert.equal(code({}), 'ok');
  assert.equal(code({ mediaType: 'application/vnd.dev.sigstore.trustedroot.v0.2+json' }), 'ok');
  assert.equal(code({ mediaType: 'x' }), 'WB-165');
  assert.equal(code({ 'tlogs.0.logId.keyId': '' }), 'WB-166');
  assert.equal(code({ 'tlogs.0.publicKey.keyDetails': 'PKIX_ECDSA_P384_SHA_384' }), 'WB-166');
  assert.equal(code({ 'certificateAuthorities.0.certChain.certificates': [] }), 'WB-166');
  const first = at(root, 'tlogs.0');
  const logs = (count: number): Changes => ({ tlogs: new Array<JsonValue>(count).fill(first) });
  assert.equal(code(logs(256)), 'ok');
  assert.equal(code(logs(257)), 'WB-166');
  const aside = unwrap(read({ 'tlogs.0.publicKey.keyDetails': 'PKIX_ML_DSA_65' }));
  assert.deepEqual([aside.tlogs.length, aside.unsupported.length], [1, 1]);
  const other = unwrap(read({ 'tlogs.0.hashAlgorithm': 'SHA2_512' }));
  assert.deepEqual([other.tlogs.length, other.unsupported.length], [1, 1]);
  assert.equal(unwrap(read({ 'tlogs.0.hashAlgorithm': undefined })).tlogs.length, 2);
});

test('what a trusted root may leave out is read as left out, and written back so', () => {
  const read = (changes: Changes) => unwrap(parseTrustedRoot(bytes(edit(root, changes))));
  assert.deepEqual(trustedRootValue(read({})), root);
  assert.equal(read({ 'tlogs.0.operator': undefined }).tlogs[0]?.operator, undefined);
  assert.equal(read({ 'tlogs.0.operator': '' }).tlogs[0]?.operator, undefined);
  assert.equal(read({ 'tlogs.0.operator': 'o' }).tlogs[0]?.operator, 'o');
  assert.equal(read({ 'tlogs.0.checkpointKeyId': undefined }).tlogs[0]?.checkpointKeyId, undefined);
  const id = { keyId: 'AQ==' };
  const named = read({ 'tlogs.0.checkpointKeyId': id });
  assert.deepEqual([...(named.tlogs[0]?.checkpointKeyId ?? [])], [1]);
  assert.deepEqual(at(trustedRootValue(named), 'tlogs.0.checkpointKeyId'), id);
  const anonymous = read({ 'certificateAuthorities.0.operator': undefined });
  assert.equal(
    Object.hasOwn(at(trustedRootValue(anonymous), 'certificateAuthorities.0') as object, 'operator'),
    false,
  );
  const unnamed = read({ 'tlogs.0.operator': undefined });
  assert.equal(Object.hasOwn(at(trustedRootValue(unnamed), 'tlogs.0') as object, 'operator'), false);
});

test('an interval ends where it says, both ends included, and never before its start (WB-166)', () => {
  const read = (validFor: JsonObject) =>
    parseTrustedRoot(bytes(edit(root, { 'tlogs.0.publicKey.validFor': validFor })));
  const [start, end] = ['2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'];
  assert.equal(codeOf(read({ start, end })), 'ok');
  assert.equal(codeOf(read({ start, end: start })), 'ok');
  assert.equal(codeOf(read({ start: end, end: start })), 'WB-166');
  assert.equal(codeOf(read({ start: '2026-01-01T00:00:00.001Z', end: start })), 'WB-166');
  const open = unwrap(read({ start })).tlogs[0]?.validFor;
  assert.deepEqual(open, { start: Date.parse(start) });
  assert.deepEqual(validityValue({ start: 0 }), { start: '1970-01-01T00:00:00.000Z' });
  assert.deepEqual(Object.keys(validityValue({ start: 0, end: 1 })), ['start', 'end']);
  for (const [ms, valid] of [
    [4, false],
    [5, true],
    [9, true],
    [10, false],
  ] as const) {
    assert.equal(isValidAt({ start: 5, end: 9 }, ms), valid, `${ms}`);
  }
  assert.equal(isValidAt({ start: 5 }, 1e15), true);
});

test('RSA keys of logs come as PKCS#1 or SubjectPublicKeyInfo, by their name', () => {
  const key = generateKey('rsa', 2048).publicKey;
  const pkcs1 = key.handle.export({ format: 'der', type: 'pkcs1' });
  const read = (name: string, rawBytes: Uint8Array): string =>
    codeOf(
      parseTrustedRoot(
        bytes(
          edit(root, {
            'tlogs.0.publicKey.keyDetails': name,
            'tlogs.0.publicKey.rawBytes': toBase64(rawBytes),
          }),
        ),
      ),
    );
  assert.equal(read('PKCS1_RSA_PKCS1V5', pkcs1), 'ok');
  assert.equal(read('PKIX_RSA_PKCS1V15_2048_SHA256', key.spki), 'ok');
  assert.notEqual(read('PKIX_RSA_PKCS1V15_2048_SHA256', pkcs1), 'ok');
  assert.equal(read('PKIX_RSA_PKCS1V15_3072_SHA256', key.spki), 'WB-166');
});

test('names of keys fit keys of their kind and length', () => {
  assert.equal(keyDetailsByName('toString'), undefined);
  assert.equal(keyDetailsByName('PKIX_ED25519')?.kind, 'ed25519');
  const key = generateKey('rsa', 2048).publicKey;
  assert.equal(keyFits(keyDetails.PKIX_RSA_PKCS1V5, key), true);
  assert.equal(keyFits(keyDetails.PKIX_RSA_PKCS1V15_2048_SHA256, key), true);
  assert.equal(keyFits(keyDetails.PKIX_RSA_PKCS1V15_3072_SHA256, key), false);
  assert.equal(keyFits(keyDetails.PKIX_ED25519, key), false);
  assert.equal(keyFits(keyDetails.PKIX_ED25519, { kind: 'ed25519', bits: 0 } as typeof key), true);
  assert.equal(keyDetailsFor(key), 'PKIX_RSA_PKCS1V15_2048_SHA256');
  assert.equal(keyDetailsFor({ ...key, bits: 2056 } as typeof key), undefined);
  const ed = { kind: 'ed25519', bits: 0 } as typeof key;
  assert.deepEqual([keyDetailsFor(ed), keyDetailsFor(ed, true)], ['PKIX_ED25519', 'PKIX_ED25519_PH']);
});

test('a log whose key has no name cannot be written into a trusted root (WB-166)', () => {
  const publicKey = generateKey('rsa', 2056).publicKey;
  const [log, ...logs] = stack.root.tlogs;
  assert.ok(log !== undefined);
  const write = (more: object) =>
    attempt(() => trustedRootValue({ ...stack.root, tlogs: [{ ...log, ...more }, ...logs] }));
  assert.equal(codeOf(write({ publicKey })), 'WB-166');
  assert.equal(codeOf(write({ publicKey, keyDetails: 'PKIX_RSA_PKCS1V5' })), 'ok');
});
