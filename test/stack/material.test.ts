/** What clients are told of a stack whose keys have changed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8Text } from '#base/bytes';
import { generateKey, sha256 } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { parseTrustedRoot } from '#formats/trusted-root';
import { selfSignedAuthority } from '#formats/x509-build';
import { publishedMaterial } from '#stack';

const start = Date.UTC(2026, 0, 1);
const end = Date.UTC(2026, 5, 1);
const log = (baseUrl: string, isOver: boolean) => {
  const { publicKey } = generateKey('p256');
  const validFor = isOver ? { start, end } : { start: end };
  return { baseUrl, publicKey, logId: sha256(publicKey.spki), validFor };
};
const chain = (baseUrl: string | undefined, isOver: boolean) => {
  const life = { serial: new Uint8Array([1]), notBefore: start, notAfter: end * 2 };
  const { certificate } = selfSignedAuthority('acme', generateKey('p256'), life);
  const validFor = isOver ? { start, end } : { start: end };
  return { chain: [certificate] as const, validFor, ...(baseUrl === undefined ? {} : { baseUrl }) };
};

test('a key of an earlier generation is listed at the address of its own, and as expired', () => {
  const { targets, trustedRoot } = publishedMaterial({
    origins: { ca: 'http://ca.new', log: 'http://log.new', ct: 'http://ct.new', tsa: 'http://tsa.all' },
    createdAt: start,
    organization: 'acme',
    log: [log('http://log.old', true), log('http://log.new', false)],
    ct: [log('http://ct.old', true), log('http://ct.new', false)],
    log2: [],
    ca: [chain('http://ca.old', true), chain('http://ca.new', false)],
    // In one process both generations answer at one address.
    tsa: [chain(undefined, true), chain(undefined, false)],
  });
  const about = Object.fromEntries(
    targets.flatMap(({ name, custom }) => {
      const { sigstore } = (custom ?? {}) as { sigstore?: { status: string; uri: string } };
      return sigstore === undefined || name === 'trusted_root.json'
        ? []
        : [[name, `${sigstore.status} ${sigstore.uri}`]];
    }),
  );
  assert.deepEqual(about, {
    'fulcio_v1-1.crt.pem': 'Expired http://ca.old',
    'fulcio_v1.crt.pem': 'Active http://ca.new',
    'fulcio_intermediate_v1-1.crt.pem': 'Expired http://ca.old',
    'fulcio_intermediate_v1.crt.pem': 'Active http://ca.new',
    'rekor-1.pub': 'Expired http://log.old',
    'rekor.pub': 'Active http://log.new',
    'ctfe-1.pub': 'Expired http://ct.old',
    'ctfe.pub': 'Active http://ct.new',
    'tsa-1.certchain.pem': 'Expired http://tsa.all',
    'tsa.certchain.pem': 'Active http://tsa.all',
  });
  const root = unwrap(parseTrustedRoot(trustedRoot));
  assert.deepEqual(
    root.certificateAuthorities.map(({ uri }) => uri),
    ['http://ca.old', 'http://ca.new'],
  );
  assert.match(utf8Text(trustedRoot), /http:\/\/log\.old/);
});

test('what clients would refuse to read is refused before it is published: WB-166', () => {
  const facts = {
    origins: {},
    createdAt: start,
    organization: 'acme',
    ...{ log: [], ct: [], log2: [], ca: [] },
    tsa: [{ ...chain(undefined, true), validFor: { start: end, end: start } }],
  };
  assert.throws(
    () => publishedMaterial(facts),
    (error) => error instanceof WaybillError && error.reason.code === 'WB-166',
  );
});
