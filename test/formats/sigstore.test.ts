/** Envelopes, statements, notes, entries, trusted roots and signing configurations. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toBase64, toHex, utf8 } from '#base/bytes';
import { generateKey, publicKeyPem, sha256 } from '#base/crypto';
import { limits } from '#base/limits';
import { type NonEmpty, type Result, unwrap } from '#base/result';
import { bundleBytes, parseBundle, tlogEntryFromJson, tlogEntryJson } from '#formats/bundle';
import { envelopeJson, pae, parseEnvelope } from '#formats/dsse';
import { parseStatement, predicateTypes, resolvePredicateType, statementBytes } from '#formats/intoto';
import type { JsonObject, JsonValue } from '#formats/json';
import { keyDetails, keyDetailsFor } from '#formats/key-details';
import {
  ed25519KeyId,
  formatCheckpoint,
  noteKeyId,
  noteSigner,
  noteVerifier,
  parseCheckpoint,
  parseNote,
  signNote,
  verifyNote,
} from '#formats/note';
import {
  hashedRekordV2Body,
  hashedRekordV2RequestJson,
  isRekorV1Origin,
  logEntryV1Json,
  parseLogEntryV1,
  parseRekorV1Request,
  parseRekorV2Body,
  parseRekorV2Request,
  rekorV1RequestJson,
  setPayload,
} from '#formats/rekor';
import {
  parseSigningConfig,
  type Service,
  type SigningConfig,
  selectServices,
  signingConfigJson,
} from '#formats/signing-config';
import { parseTrustedRoot, trustedRootJson, trustedRootValue } from '#formats/trusted-root';
import { EPOCH, VirtualStack, YEAR } from '../double/virtual-stack.ts';
import { edit } from '../verify/attack.ts';

const stack = new VirtualStack();
const codeOf = (result: Result<unknown>): string => (result.ok ? 'ok' : result.error.code);
/** Values with bytes as hex, so that Buffer and Uint8Array compare. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plain(member)]));
}
const assertSame = (actual: unknown, expected: unknown): void =>
  assert.deepEqual(plain(actual), plain(expected));
const json = (value: JsonValue): Uint8Array => utf8(JSON.stringify(value));

test('PAE counts bytes, and no two inputs share an encoding (ATT-15)', () => {
  assert.equal(
    new TextDecoder().decode(pae('http://example.com/HelloWorld', utf8('hello world'))),
    'DSSEv1 29 http://example.com/HelloWorld 11 hello world',
  );
  assert.equal(new TextDecoder().decode(pae('é', utf8('ü'))), 'DSSEv1 2 é 2 ü');
  assert.notDeepEqual(pae('a b', utf8('c')), pae('a', utf8('b c')));
});

test('an envelope survives the round trip', () => {
  const envelope = {
    payloadType: 'text/plain',
    payload: utf8('x'),
    signatures: [{ sig: utf8('s'), keyid: 'k' }],
  };
  const again = unwrap(parseEnvelope(envelopeJson(envelope)));
  assert.equal(envelopeJson(again), envelopeJson(envelope));
});

test('envelopes without signature, type or canonical payload are refused (WB-155)', () => {
  const good = { payloadType: 't', payload: 'eA==', signatures: [{ sig: 'eA==' }] };
  assert.equal(codeOf(parseEnvelope(json(good))), 'ok');
  const bad: JsonObject[] = [
    { ...good, signatures: [] },
    { ...good, signatures: [{ sig: '' }] },
    { ...good, signatures: [{}] },
    { ...good, payloadType: '' },
    { ...good, payload: 'eA' },
    { ...good, payload: 1 },
    { ...good, signatures: Array(17).fill({ sig: 'eA==' }) },
  ];
  for (const value of bad) assert.equal(codeOf(parseEnvelope(value)), 'WB-155', JSON.stringify(value));
});

test('a statement survives the round trip', () => {
  const subject = { name: 'a', digest: { sha256: 'ab'.repeat(32), gitCommit: 'X' }, annotations: { k: 'v' } };
  const bytes = statementBytes({ subject: [subject], predicateType: 'https://x', predicate: { a: 1 } });
  const parsed = unwrap(parseStatement(bytes));
  assert.deepEqual(parsed, {
    type: 'https://in-toto.io/Statement/v1',
    subject: [subject],
    predicateType: 'https://x',
    predicate: { a: 1 },
  });
});

test('predicate types are aliases or absolute URIs (WB-159)', () => {
  assert.deepEqual(resolvePredicateType('slsaprovenance1'), {
    ok: true,
    value: predicateTypes.slsaprovenance1,
  });
  assert.deepEqual(resolvePredicateType('https://acme.example/p/v1'), {
    ok: true,
    value: 'https://acme.example/p/v1',
  });
  for (const text of ['', 'nope', 'constructor', '/p', 'https://a b', 'https://a\n', '://x']) {
    assert.equal(codeOf(resolvePredicateType(text)), 'WB-159', text);
  }
});

test('a bundle survives the round trip', () => {
  const sample = stack.sign({ statement: 'cosign' });
  const parsed = unwrap(parseBundle(sample.bytes));
  assertSame(bundleBytes(parsed), sample.bytes);
  const [entry] = parsed.tlogEntries;
  assert.ok(entry !== undefined);
  assertSame(unwrap(tlogEntryFromJson(tlogEntryJson(entry))), entry);
  assert.equal(codeOf(tlogEntryFromJson({ ...tlogEntryJson(entry), logIndex: '-1' })), 'WB-164');
});

test('a proof without a size is written without one: a tree of size 0 holds nothing (WB-161)', () => {
  const { json: value } = stack.sign();
  const changed = structuredClone(value) as typeof value & {
    verificationMaterial: { tlogEntries: [{ inclusionProof: { treeSize?: string } }] };
  };
  const { inclusionProof } = changed.verificationMaterial.tlogEntries[0];
  delete inclusionProof.treeSize;
  const read = unwrap(parseBundle(JSON.stringify(changed)));
  assert.deepEqual(unwrap(parseBundle(bundleBytes(read))), read);
  inclusionProof.treeSize = '0';
  const none = parseBundle(JSON.stringify(changed));
  assert.equal(none.ok ? 'read' : none.error.code, 'WB-161');
});

test('note key ids are those of the specification', () => {
  const key = generateKey('ed25519').publicKey;
  const input = Buffer.concat([Buffer.from('n\n\x01', 'latin1'), key.spki.subarray(-32)]);
  assertSame(noteKeyId('n', key), sha256(input));
  assertSame(
    ed25519KeyId('n', 4, key),
    sha256(Buffer.concat([Buffer.from('n\n\x04', 'latin1'), key.spki.subarray(-32)])),
  );
  const ec = generateKey('p256').publicKey;
  assertSame(noteKeyId('n', ec), sha256(ec.spki));
});

test('a note signed with each kind of key verifies, and a changed one does not', () => {
  for (const kind of ['ed25519', 'p256', 'p384', 'rsa'] as const) {
    const key = generateKey(kind);
    const text = formatCheckpoint('log.example', 5, sha256(utf8('x')));
    const note = unwrap(parseNote(signNote(text, noteSigner('log.example', key))));
    const verifier = noteVerifier('log.example', key.publicKey);
    assert.equal(unwrap(verifyNote(note, [verifier]))[0], verifier);
    assert.equal(codeOf(verifyNote({ ...note, text: `${text}x\n` }, [verifier])), 'WB-170');
    assert.equal(codeOf(verifyNote(note, [noteVerifier('other.example', key.publicKey)])), 'WB-170');
    assert.equal(codeOf(verifyNote(note, [])), 'WB-170');
  }
});

test('no truncation of a note verifies', () => {
  const key = generateKey('ed25519');
  const text = signNote(
    formatCheckpoint('log.example', 5, sha256(utf8('x'))),
    noteSigner('log.example', key),
  );
  for (let length = 0; length < text.length; length++) {
    const note = parseNote(text.slice(0, length));
    const verified = note.ok && verifyNote(note.value, [noteVerifier('log.example', key.publicKey)]).ok;
    assert.equal(verified, false, `${length}`);
  }
});

test('malformed notes are refused (WB-169)', () => {
  const good = 'a\n\n— n AAAAAAA=\n';
  assert.equal(codeOf(parseNote(good)), 'ok');
  const bad = [
    '',
    'a',
    'a\n',
    'a\n\n',
    '\n\n— n AAAAAAA=\n',
    good.slice(0, -1),
    good.replace('—', '-'),
    good.replace(' n ', ' n  '),
    good.replace('AAAAAAA=', 'AAAAAA=='.slice(0, 4)),
    good.replace('AAAAAAA=', 'AAAA_AA='),
    good.replace('\n', '\r\n'),
    `a\u0000${good}`,
    `a\ud800${good}`,
    'a\n\n— n+k AAAAAAA=\n',
    `a\n\n${'— n AAAAAAA=\n'.repeat(limits.noteSignatures + 1)}`,
    'x'.repeat(limits.noteBytes + 1),
  ];
  for (const text of bad) assert.equal(codeOf(parseNote(text)), 'WB-169', JSON.stringify(text.slice(0, 60)));
  assert.equal(codeOf(parseNote(`a\n\n${'— n AAAAAAA=\n'.repeat(limits.noteSignatures)}`)), 'ok');
  assert.throws(() => signNote('a', noteSigner('n', generateKey('ed25519'))), /WB-169/);
});

test('checkpoints are read strictly (WB-171)', () => {
  const root = toBase64(sha256(utf8('x')));
  const parsed = unwrap(parseCheckpoint(`o\n5\n${root}\nTimestamp: 1\n`));
  assert.deepEqual(
    { ...parsed, rootHash: toBase64(parsed.rootHash) },
    { origin: 'o', size: 5, rootHash: root, extensions: ['Timestamp: 1'] },
  );
  for (const text of [
    '',
    'o\n5\n',
    `\n5\n${root}\n`,
    `o\n05\n${root}\n`,
    `o\n-5\n${root}\n`,
    `o\n9007199254740992\n${root}\n`,
    `o\n5\n${root}`,
    `o\n5\n${root.slice(4)}\n`,
    `o\n5\n${root}\n\nx\n`,
  ]) {
    assert.equal(codeOf(parseCheckpoint(text)), 'WB-171', JSON.stringify(text));
  }
  assert.equal(isRekorV1Origin('rekor.sigstore.dev - 2605736670972794746'), true);
  assert.equal(isRekorV1Origin('log2025-1.rekor.sigstore.dev'), false);
});

test('a promise signs canonical JSON with keys in order', () => {
  const payload = setPayload({
    canonicalizedBody: utf8('{}'),
    integratedTime: 7,
    logId: Uint8Array.of(0xab),
    logIndex: 3,
  });
  assert.equal(
    new TextDecoder().decode(payload),
    '{"body":"e30=","integratedTime":7,"logID":"ab","logIndex":3}',
  );
});

test('v1 entries survive the round trip of the v1 API', () => {
  const [entry] = stack.sign().parts.entries;
  assert.ok(entry !== undefined);
  assertSame(unwrap(parseLogEntryV1(logEntryV1Json(entry))), entry);
  assert.equal(codeOf(parseLogEntryV1({ ...logEntryV1Json(entry), logID: 'XY' })), 'WB-173');
});

test('v1 requests survive the round trip, others are refused', () => {
  const key = generateKey('p256');
  const verifier = publicKeyPem(key.publicKey);
  const hash = { algorithm: 'sha256', value: sha256(utf8('x')) } as const;
  const hashed = {
    kind: 'hashedrekord',
    version: '0.0.1',
    hash,
    signature: key.sign(utf8('x')),
    verifier,
  } as const;
  assertSame(unwrap(parseRekorV1Request(json(rekorV1RequestJson(hashed)))), hashed);
  const dsse = { kind: 'dsse', version: '0.0.1', envelope: '{}', verifiers: [verifier] } as const;
  assertSame(unwrap(parseRekorV1Request(json(rekorV1RequestJson(dsse)))), dsse);
  const bad: [string, JsonObject][] = [
    ['WB-172', { ...rekorV1RequestJson(dsse), kind: 'rpm' }],
    ['WB-172', { ...rekorV1RequestJson(dsse), apiVersion: '9' }],
    ['WB-174', { kind: 'dsse', apiVersion: '0.0.1' }],
    ['WB-174', edit(rekorV1RequestJson(dsse), { 'spec.proposedContent.verifiers': [] })],
    ['WB-174', edit(rekorV1RequestJson(hashed), { 'spec.data.hash.value': 'ab' })],
    ['WB-174', edit(rekorV1RequestJson(hashed), { 'spec.data.hash.algorithm': 'md5' })],
  ];
  for (const [code, value] of bad)
    assert.equal(codeOf(parseRekorV1Request(json(value))), code, JSON.stringify(value));
});

test('v2 requests and bodies survive the round trip, others are refused', () => {
  const key = generateKey('p256');
  const verifier = {
    kind: 'publicKey',
    rawBytes: key.publicKey.spki,
    keyDetails: 'PKIX_ECDSA_P256_SHA_256',
  } as const;
  const request = { digest: sha256(utf8('x')), signature: key.sign(utf8('x')), verifier };
  assertSame(unwrap(parseRekorV2Request(json(hashedRekordV2RequestJson(request)))), {
    kind: 'hashedrekord',
    ...request,
  });
  const body = hashedRekordV2Body({
    hash: { algorithm: 'sha256', value: request.digest },
    signature: request.signature,
    verifier,
  });
  assertSame(hashedRekordV2Body(unwrap(parseRekorV2Body('hashedrekord', '0.0.2', body))), body);
  assert.equal(codeOf(parseRekorV2Body('dsse', '0.0.2', body)), 'WB-172');
  const snake = {
    hashed_rekord_request_v002: (
      hashedRekordV2RequestJson(request) as { hashedRekordRequestV002: JsonObject }
    ).hashedRekordRequestV002,
  };
  assert.equal(codeOf(parseRekorV2Request(json(snake))), 'ok');
  const envelope = { payloadType: 't', payload: 'eA==', signatures: [{ sig: 'eA==' }] };
  const dsse = {
    dsseRequestV002: { envelope, verifiers: [{ publicKey: { rawBytes: 'eA==' }, keyDetails: 'x' }] },
  };
  assert.equal(unwrap(parseRekorV2Request(json(dsse))).kind, 'dsse');
  assert.equal(codeOf(parseRekorV2Request(json({}))), 'WB-172');
  for (const value of [
    { ...dsse, other: {} },
    edit(hashedRekordV2RequestJson(request), { 'hashedRekordRequestV002.signature.other': 1 }),
    { ...dsse, ...hashedRekordV2RequestJson(request) },
    edit(dsse, { 'dsseRequestV002.verifiers': [] }),
    edit(dsse, { 'dsseRequestV002.verifiers.0.x509Certificate': { rawBytes: '' } }),
  ]) {
    assert.equal(codeOf(parseRekorV2Request(json(value))), 'WB-174', JSON.stringify(value));
  }
});

test('every kind of key has its name in PublicKeyDetails', () => {
  for (const kind of ['p256', 'p384', 'p521', 'rsa', 'ed25519'] as const) {
    const name = keyDetailsFor(generateKey(kind).publicKey);
    assert.ok(name !== undefined && keyDetails[name].kind === kind, kind);
  }
});

test('a trusted root survives the round trip', () => {
  const text = trustedRootJson(stack.root);
  const parsed = unwrap(parseTrustedRoot(text));
  assert.equal(trustedRootJson(parsed), text);
});

test('malformed trusted roots are refused (WB-165, WB-166)', () => {
  const root = trustedRootValue(stack.root);
  const bad: [string, JsonObject][] = [
    ['WB-165', { ...root, mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=9' }],
    ['WB-166', edit(root, { mediaType: undefined })],
    ['WB-166', edit(root, { 'tlogs.0.publicKey.validFor.start': undefined })],
    ['WB-166', edit(root, { 'tlogs.0.publicKey.validFor': null })],
    ['WB-166', edit(root, { 'tlogs.0.logId': undefined })],
    ['WB-166', edit(root, { 'tlogs.0.publicKey.validFor.end': new Date(EPOCH - 2 * YEAR).toISOString() })],
    ['WB-166', edit(root, { 'tlogs.0.publicKey.keyDetails': 'PKIX_ED25519' })],
    ['WB-166', edit(root, { 'certificateAuthorities.0.certChain.certificates': [] })],
    ['WB-166', edit(root, { 'certificateAuthorities.0.validFor': undefined })],
    ['WB-166', { ...root, tlogs: {} }],
    ['WB-105', edit(root, { 'tlogs.0.publicKey.rawBytes': 'AAAA' })],
  ];
  for (const [code, value] of bad) assert.equal(codeOf(parseTrustedRoot(json(value))), code);
});

test('a log with a key of an unknown kind is set aside, not believed and not fatal', () => {
  const root = edit(trustedRootValue(stack.root), { 'tlogs.1.publicKey.keyDetails': 'ML_DSA_65' });
  const parsed = unwrap(parseTrustedRoot(json(root)));
  assert.equal(parsed.tlogs.length, 1);
  assert.equal(parsed.unsupported.length, 1);
});

const service = (url: string, changes: Partial<Service> = {}): Service => ({
  url,
  majorApiVersion: 1,
  validFor: { start: EPOCH - YEAR },
  operator: url,
  ...changes,
});
const config: SigningConfig = {
  caUrls: [service('https://ca.example')],
  oidcUrls: [],
  rekorTlogUrls: [service('https://log.example', { majorApiVersion: 2 })],
  tsaUrls: [service('https://tsa.example/api/v1/timestamp', { validFor: { start: 0, end: EPOCH } })],
  rekorTlogConfig: { selector: 'ANY' },
  tsaConfig: { selector: 'EXACT', count: 2 },
};

test('a signing configuration survives the round trip', () => {
  assert.deepEqual(unwrap(parseSigningConfig(signingConfigJson(config))), config);
});

test('malformed signing configurations are refused (WB-167)', () => {
  const value = JSON.parse(signingConfigJson(config)) as JsonObject;
  const bad = [
    edit(value, { mediaType: 'x' }),
    edit(value, { 'caUrls.0.url': 'file:///etc/passwd' }),
    edit(value, { 'caUrls.0.validFor': undefined }),
    edit(value, { 'tsaConfig.selector': 'SOME' }),
    edit(value, { 'tsaConfig.count': 0 }),
  ];
  for (const item of bad)
    assert.equal(codeOf(parseSigningConfig(json(item))), 'WB-167', JSON.stringify(item));
});

test('services are chosen by version, age and operator (WB-168 when none is left)', () => {
  const services = [
    service('https://old', { operator: 'a', validFor: { start: 1 } }),
    service('https://new', { operator: 'a', validFor: { start: 2 } }),
    service('https://v2', { operator: 'b', majorApiVersion: 2 }),
    service('https://future', { operator: 'c', validFor: { start: EPOCH + YEAR } }),
    service('https://ended', { operator: 'd', validFor: { start: 0, end: EPOCH - 1 } }),
    service('https://v9', { operator: 'e', majorApiVersion: 9 }),
  ];
  const select = (
    selector: SigningConfig['tsaConfig'],
    supportedVersions = [1, 2],
    pick?: (count: number) => number,
  ) =>
    selectServices({
      services,
      selector,
      supportedVersions,
      now: EPOCH,
      ...(pick === undefined ? {} : { pick }),
    });
  const urls = (result: Result<NonEmpty<Service>>): string[] => unwrap(result).map((item) => item.url);
  assert.deepEqual(urls(select({ selector: 'ALL' })), ['https://v2', 'https://new']);
  assert.deepEqual(urls(select({ selector: 'ANY' })), ['https://v2']);
  assert.deepEqual(urls(select({ selector: 'ANY' }, [1, 2], () => 1)), ['https://new']);
  assert.deepEqual(urls(select({ selector: 'EXACT', count: 2 })), ['https://v2', 'https://new']);
  assert.equal(codeOf(select({ selector: 'EXACT', count: 3 })), 'WB-168');
  assert.equal(codeOf(select({ selector: 'ANY' }, [7])), 'WB-168');
});
