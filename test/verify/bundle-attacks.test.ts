/** BND: bundles that must not be interpreted (attack corpus §2.3). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '#base/bytes';
import { limits } from '#base/limits';
import { parseBundle } from '#formats/bundle';
import type { JsonObject, JsonValue } from '#formats/json';
import { extKeyUsage } from '#formats/x509-build';
import { verifyBundle } from '#verify';
import { VirtualAuthority } from '../double/virtual-ca.ts';
import {
  type Attack,
  at,
  codeOf,
  edit,
  outcomeOf,
  rewrite,
  type Setup,
  shown,
  stack,
  testAttacks,
} from './attack.ts';

const base = stack.sign();
const dsse = stack.sign({ statement: 'cosign' });
const setup = (bundle: JsonObject | Uint8Array, sample = base): Setup => ({
  bundle,
  artifact: sample.artifact,
});
const twin = (): Setup => setup(base.bytes);

const refuse = (
  id: string,
  name: string,
  code: Attack['code'],
  bundle: JsonObject | Uint8Array,
  sample = base,
): Attack => ({
  id,
  name,
  code,
  twin: () => setup(sample.bytes, sample),
  attack: () => setup(bundle, sample),
});

const entry = 'verificationMaterial.tlogEntries.0';
const change = (changes: Record<string, JsonValue | undefined>, sample = base): JsonObject =>
  edit(sample.json, changes);
const entries = at(base.json, 'verificationMaterial.tlogEntries') as JsonValue[];
const stamps = at(
  base.json,
  'verificationMaterial.timestampVerificationData.rfc3161Timestamps',
) as JsonValue[];
const many = (list: readonly JsonValue[], count: number): JsonValue[] =>
  Array.from({ length: count }, () => list[0] as JsonValue);
const signature = (at(base.json, 'messageSignature.signature') as string).replaceAll('=', '');

testAttacks([
  refuse(
    'BND-03',
    'messageSignature written twice',
    'WB-151',
    rewrite(base.json, '"messageSignature"', '"messageSignature":{},"messageSignature"'),
  ),
  refuse(
    'BND-03',
    'a payload written twice',
    'WB-151',
    rewrite(dsse.json, '"payload":', '"payload":"","payload":'),
    dsse,
  ),
  refuse(
    'BND-03',
    'a key written twice, once with an escape',
    'WB-151',
    rewrite(base.json, '"messageSignature"', '"\\u006dessageSignature":{},"messageSignature"'),
  ),
  refuse('BND-04', 'both protobuf names of a field', 'WB-161', change({ [`${entry}.log_index`]: '1' })),
  refuse('BND-05', 'nesting of 100,000', 'WB-152', utf8(`{"a":${'['.repeat(100_000)}`)),
  refuse('BND-06', 'a bundle over the byte cap', 'WB-152', utf8(`{"a":"${'x'.repeat(limits.bundleBytes)}"}`)),
  refuse(
    'BND-07',
    'a __proto__ key',
    'WB-151',
    rewrite(base.json, '{"mediaType"', '{"__proto__":{"x":1},"mediaType"'),
  ),
  refuse(
    'BND-08',
    'an unknown version',
    'WB-160',
    change({ mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.9' }),
  ),
  refuse(
    'BND-08',
    'a media type with a space',
    'WB-160',
    change({ mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.3 ' }),
  ),
  refuse(
    'BND-08',
    'a media type named like an object property',
    'WB-160',
    change({ mediaType: 'constructor' }),
  ),
  refuse('BND-08', 'a bundle without media type', 'WB-161', change({ mediaType: undefined })),
  refuse(
    'BND-09',
    'base64 without padding',
    'WB-161',
    change({ 'messageSignature.signature': `${signature}\n` }),
  ),
  refuse('BND-09', 'URL base64', 'WB-161', change({ 'messageSignature.signature': '-_-_' })),
  refuse(
    'BND-09',
    'base64 with set trailing bits',
    'WB-161',
    change({ 'messageSignature.signature': 'MEUCIR==' }),
  ),
  refuse('BND-10', 'a negative log index', 'WB-161', change({ [`${entry}.logIndex`]: '-1' })),
  refuse('BND-10', 'a log index above 2^53', 'WB-161', change({ [`${entry}.logIndex`]: '9007199254740993' })),
  refuse('BND-10', 'a log index with exponent', 'WB-161', change({ [`${entry}.logIndex`]: '1e3' })),
  refuse('BND-10', 'a log index with leading zero', 'WB-161', change({ [`${entry}.logIndex`]: '007' })),
  refuse('BND-10', 'a log index with sign', 'WB-161', change({ [`${entry}.logIndex`]: '+5' })),
  refuse(
    'BND-10',
    'a numeric log index above 2^53',
    'WB-161',
    rewrite(base.json, /"logIndex":"\d+"/, '"logIndex":9007199254740993'),
  ),
  refuse('BND-11', 'two contents', 'WB-161', change({ dsseEnvelope: at(dsse.json, 'dsseEnvelope') })),
  refuse('BND-11', 'no content', 'WB-161', change({ messageSignature: undefined })),
  refuse(
    'BND-12',
    'certificate and key',
    'WB-161',
    change({ 'verificationMaterial.publicKey': { hint: '' } }),
  ),
  refuse('BND-12', 'no material', 'WB-161', change({ 'verificationMaterial.certificate': undefined })),
  refuse(
    'BND-12',
    'a certificate chain in a bundle 0.3',
    'WB-161',
    change({
      'verificationMaterial.certificate': undefined,
      'verificationMaterial.x509CertificateChain': {
        certificates: [at(base.json, 'verificationMaterial.certificate')],
      },
    }),
  ),
  refuse(
    'BND-13',
    'another message digest',
    'WB-303',
    change({ 'messageSignature.messageDigest.digest': Buffer.alloc(32).toString('base64') }),
  ),
  refuse(
    'BND-13',
    'a message digest of 31 bytes',
    'WB-161',
    change({ 'messageSignature.messageDigest.digest': Buffer.alloc(31).toString('base64') }),
  ),
  refuse(
    'BND-13',
    'a message digest of an unknown algorithm',
    'WB-161',
    change({ 'messageSignature.messageDigest.algorithm': 'SHA1' }),
  ),
  refuse(
    'BND-14',
    '33 log entries',
    'WB-162',
    change({ 'verificationMaterial.tlogEntries': many(entries, 33) }),
  ),
  refuse(
    'BND-14',
    '33 timestamps',
    'WB-162',
    change({
      'verificationMaterial.timestampVerificationData.rfc3161Timestamps': many(stamps, 33),
    }),
  ),
  refuse(
    'LOG-12',
    'one log entry twice',
    'WB-161',
    change({ 'verificationMaterial.tlogEntries': many(entries, 2) }),
  ),
  refuse('BND-16', 'invalid UTF-8', 'WB-101', Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d)),
  refuse('BND-16', 'a byte order mark', 'WB-150', utf8(`\ufeff${JSON.stringify(base.json)}`)),
  refuse('BND-16', 'UTF-16', 'WB-150', Buffer.from(JSON.stringify(base.json), 'utf16le')),
  refuse(
    'BND-16',
    'a lone surrogate',
    'WB-150',
    rewrite(base.json, '{"mediaType"', '{"x":"\\ud800","mediaType"'),
  ),
  refuse(
    'BND-17',
    'an empty certificate chain',
    'WB-161',
    change({
      mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.2',
      'verificationMaterial.certificate': undefined,
      'verificationMaterial.x509CertificateChain': { certificates: [] },
    }),
  ),
  refuse(
    'BND-18',
    'a root certificate beside the leaf',
    'WB-163',
    change({
      mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.2',
      'verificationMaterial.certificate': undefined,
      'verificationMaterial.x509CertificateChain': {
        certificates: [
          at(base.json, 'verificationMaterial.certificate'),
          { rawBytes: Buffer.from(stack.ca.root.certificate.der).toString('base64') },
        ],
      },
    }),
  ),
  refuse(
    'BND-18',
    'a root certificate as the leaf',
    'WB-163',
    change({
      'verificationMaterial.certificate.rawBytes': Buffer.from(stack.ca.root.certificate.der).toString(
        'base64',
      ),
    }),
  ),
  refuse(
    'ATT-04',
    'two signatures in an envelope',
    'WB-155',
    change(
      {
        'dsseEnvelope.signatures': [
          at(dsse.json, 'dsseEnvelope.signatures.0'),
          at(dsse.json, 'dsseEnvelope.signatures.0'),
        ],
      },
      dsse,
    ),
    dsse,
  ),
  refuse(
    'ATT-04',
    'no signature in an envelope',
    'WB-155',
    change({ 'dsseEnvelope.signatures': [] }, dsse),
    dsse,
  ),
  refuse(
    'ATT-04',
    'an empty signature',
    'WB-155',
    change({ 'dsseEnvelope.signatures.0.sig': '' }, dsse),
    dsse,
  ),
  refuse(
    'LOG-04',
    'a log id of 31 bytes',
    'WB-161',
    change({ [`${entry}.logId.keyId`]: Buffer.alloc(31).toString('base64') }),
  ),
  refuse(
    'LOG-04',
    '64 proof hashes',
    'WB-161',
    change({
      [`${entry}.inclusionProof.hashes`]: many([Buffer.alloc(32).toString('base64')], 64),
    }),
  ),
]);

test('BND-14: a flood of entries is refused before one is parsed', () => {
  const flood = utf8(JSON.stringify(change({ 'verificationMaterial.tlogEntries': Array(100_000).fill(0) })));
  assert.equal(codeOf(outcomeOf(setup(flood))), 'WB-162');
});

test('BND-14: exactly 32 entries and 32 timestamps are within the cap', () => {
  const copies = (entries[0] as JsonObject)['logIndex'] as string;
  const unknown = Array.from({ length: 31 }, (_, i) =>
    edit(entries[0] as JsonObject, {
      logIndex: `${Number(copies) + 1 + i}`,
      'logId.keyId': Buffer.alloc(32, i).toString('base64'),
    }),
  );
  const verdict = outcomeOf(
    setup(
      change({
        'verificationMaterial.tlogEntries': [entries[0] as JsonValue, ...unknown],
        'verificationMaterial.timestampVerificationData.rfc3161Timestamps': many(stamps, 32),
      }),
    ),
  );
  assert.equal(verdict.outcome, 'accepted', shown(verdict));
});

test('BND-01: no truncation of a bundle is accepted or crashes', () => {
  for (let length = 0; length < base.bytes.length; length++) {
    const verdict = outcomeOf(setup(base.bytes.subarray(0, length)));
    assert.equal(verdict.outcome, 'rejected', `${length} bytes: ${shown(verdict)}`);
  }
});

test('BND-15: unknown fields are ignored', () => {
  const verdict = outcomeOf(setup(change({ future: { a: [1] }, [`${entry}.future`]: true })));
  assert.equal(verdict.outcome, 'accepted', shown(verdict));
});

test('protobuf names in snake case and null for absent are read', () => {
  const material = at(base.json, 'verificationMaterial') as JsonObject;
  const { verificationMaterial: _, messageSignature, ...rest } = base.json;
  const snake = {
    ...rest,
    verification_material: { ...material, publicKey: null },
    message_signature: messageSignature as JsonValue,
    dsseEnvelope: null,
  };
  const verdict = outcomeOf(setup(snake));
  assert.equal(verdict.outcome, 'accepted', shown(verdict));
});

test('BND-07: reading a hostile bundle leaves the object prototype alone', () => {
  outcomeOf(setup(rewrite(base.json, '{"mediaType"', '{"constructor":{"prototype":{"x":1}},"mediaType"')));
  assert.equal(Reflect.get({}, 'x'), undefined);
  assert.equal(outcomeOf(twin()).outcome, 'accepted');
});

test('a root beside the leaf of an old bundle is tolerated when asked, and never trusted', () => {
  const rawBytes = (der: Uint8Array): JsonObject => ({ rawBytes: Buffer.from(der).toString('base64') });
  const foreign = new VirtualAuthority({
    name: 'x',
    validFor: stack.validFor,
    purpose: extKeyUsage.codeSigning,
  });
  const old = (ca: VirtualAuthority): JsonObject => {
    const sample = stack.sign({ ca });
    const leaf = at(sample.json, 'verificationMaterial.certificate');
    return edit(sample.json, {
      mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.1',
      'verificationMaterial.certificate': undefined,
      'verificationMaterial.x509CertificateChain': {
        certificates: [leaf, rawBytes(ca.intermediate.certificate.der), rawBytes(ca.root.certificate.der)],
      },
    });
  };
  const judge = (bundle: JsonObject): string => {
    const parsed = parseBundle(utf8(JSON.stringify(bundle)), { toleratesRoot: true });
    assert.ok(parsed.ok);
    const rest = { trustedRoot: stack.trust(), requirements: stack.requirements(), now: 0 };
    return codeOf(verifyBundle({ artifact: base.artifact, bundle: parsed.value, ...rest }));
  };
  assert.equal(judge(old(stack.ca)), 'accepted');
  assert.equal(judge(old(foreign)), 'WB-330');
  assert.equal(codeOf(outcomeOf(setup(old(stack.ca)))), 'WB-163');
});
