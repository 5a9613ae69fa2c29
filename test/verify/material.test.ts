/** A trusted root made ready: which authorities are set aside, and why; what counts as one operator. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateKey, type KeyKind, type PrivateKey, sha256 } from '#base/crypto';
import { type NonEmpty, unwrap } from '#base/result';
import { der } from '#formats/der';
import type { CaAuthority } from '#formats/trusted-root';
import { buildName, type Certificate, parseCertificate } from '#formats/x509';
import { buildCertificate, type CertificateTemplate, extensionOf, extKeyUsage } from '#formats/x509-build';
import { type TrustMaterial, trustMaterial } from '#verify';
import { VirtualTsa } from '../double/virtual-ca.ts';
import { VirtualLog } from '../double/virtual-log.ts';
import { EPOCH, MINUTE, YEAR } from '../double/virtual-stack.ts';
import { codeOf, outcomeOf, stack } from './attack.ts';

const { codeSigning, timeStamping, any } = extKeyUsage;
const keys = { root: generateKey('p256'), middle: generateKey('p256'), leaf: generateKey('p256') };
const nameOf = (value: string): Uint8Array => buildName([{ type: 'CN', value }]);
const usage = extensionOf.keyUsage;
const unknown = { oid: '1.2.3', critical: true, value: der.nul() };
type Extensions = CertificateTemplate['extensions'];

function certificate(
  name: string,
  issuer: string,
  key: PrivateKey,
  signer: PrivateKey,
  extensions: Extensions,
): Certificate {
  const template: CertificateTemplate = {
    subject: nameOf(name),
    issuer: nameOf(issuer),
    serial: Uint8Array.of(5),
    notBefore: EPOCH - YEAR,
    notAfter: EPOCH + YEAR,
    publicKey: key.publicKey,
    extensions,
  };
  return unwrap(parseCertificate(buildCertificate(template, signer)));
}

const ca = (...more: Extensions): Extensions => [usage('keyCertSign'), extensionOf.authority(), ...more];
const root = (extensions: Extensions = ca()): Certificate =>
  certificate('root', 'root', keys.root, keys.root, extensions);
const middle = (extensions: Extensions = ca(extensionOf.extKeyUsage([timeStamping]))): Certificate =>
  certificate('middle', 'root', keys.middle, keys.root, extensions);
const signs = [usage('digitalSignature'), extensionOf.extKeyUsage([timeStamping], true)];
const leaf = (extensions: Extensions = signs): Certificate =>
  certificate('leaf', 'middle', keys.leaf, keys.middle, extensions);

const authority = (chain: NonEmpty<Certificate>, more: Partial<CaAuthority> = {}): CaAuthority => ({
  subject: { organization: 'o', commonName: 'c' },
  uri: 'https://a.example',
  chain,
  validFor: { start: EPOCH - YEAR },
  ...more,
});

function ready(
  kind: 'certificateAuthorities' | 'timestampAuthorities',
  ...list: CaAuthority[]
): TrustMaterial {
  const none = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] };
  return trustMaterial({ mediaType: '', unsupported: [], ...none, [kind]: list });
}

/** `usable`, or why not. */
function judged(
  kind: 'certificateAuthorities' | 'timestampAuthorities',
  chain: NonEmpty<Certificate>,
): string {
  const made = ready(kind, authority(chain));
  if (made[kind === 'certificateAuthorities' ? 'authorities' : 'timestampAuthorities'].length === 1)
    return 'usable';
  const [why] = made.unusable;
  assert.equal(why?.code, 'WB-371');
  return why.actual.replace('https://a.example: ', '');
}
const stamps = (...chain: NonEmpty<Certificate>): string => judged('timestampAuthorities', chain);
const issues = (...chain: NonEmpty<Certificate>): string => judged('certificateAuthorities', chain);

test('a timestamp authority is a leaf for nothing else, below issuers that name its purpose', () => {
  assert.equal(stamps(leaf(), middle(), root()), 'usable');
  assert.equal(stamps(leaf()), 'a timestamp authority without an issuer');
  const words = 'a leaf that is not a timestamping certificate';
  const purpose = (...purposes: NonEmpty<string>) => [
    usage('digitalSignature'),
    extensionOf.extKeyUsage(purposes, true),
  ];
  assert.equal(stamps(leaf([...signs, extensionOf.authority()]), middle(), root()), words);
  assert.equal(stamps(leaf(purpose(timeStamping, codeSigning)), middle(), root()), words);
  assert.equal(stamps(leaf(purpose(codeSigning)), middle(), root()), words);
  assert.equal(stamps(leaf([usage('digitalSignature')]), middle(), root()), words);
  const lax = [usage('digitalSignature'), extensionOf.extKeyUsage([timeStamping])];
  assert.equal(stamps(leaf(lax), middle(), root()), words);
  const other = [usage('keyCertSign'), extensionOf.extKeyUsage([timeStamping], true)];
  assert.equal(stamps(leaf(other), middle(), root()), 'a leaf that may not sign');
  assert.equal(stamps(leaf(signs.slice(1)), middle(), root()), 'usable', 'without key usage all is allowed');
  assert.equal(stamps(leaf([...signs, unknown]), middle(), root()), 'unknown critical extensions 1.2.3');
});

test('an issuer of timestamp authorities below the anchor names the purpose, the anchor need not', () => {
  const words = (name: string): string => `CN=${name} may not issue for purpose ${timeStamping}`;
  assert.equal(stamps(leaf(), middle(ca()), root()), words('middle'));
  assert.equal(stamps(leaf(), middle(ca(extensionOf.extKeyUsage([codeSigning]))), root()), words('middle'));
  assert.equal(stamps(leaf(), middle(ca(extensionOf.extKeyUsage([any]))), root()), words('middle'));
  assert.equal(stamps(leaf(), middle(), root(ca(extensionOf.extKeyUsage([codeSigning])))), words('root'));
  assert.equal(stamps(leaf(), middle(), root(ca(extensionOf.extKeyUsage([timeStamping])))), 'usable');
  assert.equal(stamps(leaf(), middle(ca())), 'usable', 'the issuer itself is the anchor');
});

test('a certificate authority may issue, for signing code or for anything, as far down as it says', () => {
  assert.equal(issues(root()), 'usable');
  const below = (...more: Extensions) => middle(ca(...more));
  assert.equal(issues(below(), root()), 'usable');
  assert.equal(issues(below(extensionOf.extKeyUsage([codeSigning])), root()), 'usable');
  const purpose = `CN=middle may not issue for purpose ${codeSigning}`;
  assert.equal(issues(below(extensionOf.extKeyUsage([timeStamping])), root()), purpose);
  assert.equal(issues(middle([usage('keyCertSign')]), root()), 'CN=middle is no certificate authority');
  assert.equal(
    issues(middle([usage('digitalSignature'), extensionOf.authority()]), root()),
    'CN=middle may not sign certificates',
  );
  assert.equal(
    issues(middle([extensionOf.authority()]), root()),
    'usable',
    'without key usage all is allowed',
  );
  assert.equal(issues(below(unknown), root()), 'CN=middle has unknown critical extensions 1.2.3');
  const length = (pathLen: number) => root([usage('keyCertSign'), extensionOf.authority(pathLen)]);
  assert.equal(issues(below(), length(1)), 'usable');
  assert.equal(issues(below(), length(0)), 'CN=root allows a shorter path');
  assert.equal(issues(length(0)), 'usable');
});

test('each certificate is issued by the next, by name and by signature; an anchor that names itself signs itself', () => {
  const link = (name: string, by: string): string => `CN=${name} is not issued by CN=${by}`;
  const stranger = generateKey('p256');
  const forged = certificate('middle', 'root', keys.middle, stranger, ca());
  assert.equal(issues(forged, root()), link('middle', 'root'));
  const renamed = certificate('middle', 'other', keys.middle, keys.root, ca());
  assert.equal(issues(renamed, root()), link('middle', 'root'));
  const hollow = certificate('root', 'root', keys.root, stranger, ca());
  assert.equal(issues(hollow), link('root', 'root'));
  // An anchor that somebody else issued is believed as it stands.
  assert.equal(issues(middle(ca())), 'usable');
  const id = (key: PrivateKey) => extensionOf.authorityKeyId(sha256(key.publicKey.spki).subarray(0, 20));
  const named = middle(ca(id(stranger)));
  assert.equal(issues(named, root()), 'usable', 'an issuer without a key identifier is not compared');
  const identified = root(ca(extensionOf.subjectKeyId(keys.root.publicKey)));
  assert.equal(issues(named, identified), link('middle', 'root'));
});

test('an authority is its operator, else the host of its address, else its certificate', () => {
  const who = (more: Partial<CaAuthority>): string | undefined =>
    ready('certificateAuthorities', authority([root()], more)).authorities[0]?.operator;
  assert.equal(who({ operator: 'o' }), 'o');
  assert.match(who({}) ?? '', /a\.example$/);
  assert.match(who({ uri: '' }) ?? '', /^certificate [0-9a-f]{64}$/);
  const aside = ready('certificateAuthorities', authority([leaf()], { uri: '' })).unusable[0];
  assert.match(aside?.actual ?? '', /^c: CN=leaf/, 'without an address its name is told');
});

const { validFor } = stack;
for (const kind of ['ed25519', 'rsa', 'p256', 'p384'] as const satisfies readonly KeyKind[]) {
  // Made here: finding primes is no part of the test.
  const key = generateKey(kind, 2048);
  test(`a log of the first generation signs its checkpoints with a key of kind ${kind}`, () => {
    const log = new VirtualLog({
      generation: 'v1',
      host: 'log.example',
      key,
      validFor,
    });
    const trust = stack.trust({ ...stack.root, tlogs: [log.authority] });
    const { bytes, artifact } = stack.sign({ logs: [log] });
    assert.equal(codeOf(outcomeOf({ bundle: bytes, artifact, trust })), 'accepted');
  });
}

test('a log without a host in its address is named by the address', () => {
  const log = new VirtualLog({ generation: 'v2', host: 'plain-name', key: generateKey('ed25519'), validFor });
  const named = { ...log.authority, baseUrl: 'plain-name' };
  const { bytes, artifact } = stack.sign({ logs: [log] });
  const trust = stack.trust({ ...stack.root, tlogs: [named] });
  assert.equal(codeOf(outcomeOf({ bundle: bytes, artifact, trust })), 'accepted');
});

test('a log is its operator, else what its address says, else its id', () => {
  const log = new VirtualLog({
    generation: 'v2',
    host: 'log.example',
    key: generateKey('ed25519'),
    validFor,
  });
  const operatorOf = (more: object): string | undefined => {
    const made = stack.trust({ ...stack.root, tlogs: [{ ...log.authority, ...more }] });
    return [...made.tlogs.values()][0]?.[0]?.operator;
  };
  assert.equal(operatorOf({ operator: 'o' }), 'o');
  assert.match(operatorOf({ baseUrl: '' }) ?? '', /^log [0-9a-f]{64}$/);
  assert.match(operatorOf({}) ?? '', /^log/);
});

test('a timestamp counts while every certificate of its authority is valid, not only some of them', () => {
  const outcome = (notAfter: number): string => {
    const tsa = new VirtualTsa({ name: 'short', validFor, alter: (one) => ({ ...one, notAfter }) });
    const trust = stack.trust({ ...stack.root, timestampAuthorities: [tsa.authority] });
    const { bytes, artifact } = stack.sign({ logs: [stack.rekorV2], tsas: [tsa] });
    return codeOf(outcomeOf({ bundle: bytes, artifact, trust }));
  };
  assert.equal(outcome(EPOCH + MINUTE), 'accepted');
  assert.equal(outcome(EPOCH + MINUTE - 1000), 'WB-325');
});

test('a timestamp of another instance names its authority, and nobody is told to add it (WB-323)', () => {
  const tsa = new VirtualTsa({ name: 'elsewhere', validFor });
  const { bytes, artifact } = stack.sign({ logs: [stack.rekorV2], tsas: [tsa] });
  const verdict = outcomeOf({ bundle: bytes, artifact });
  assert.ok(verdict.outcome === 'rejected');
  const { code, expected, actual, hint } = verdict.reason;
  assert.equal(code, 'WB-323');
  assert.ok(actual.includes(tsa.authority.chain[0].issuerText), actual);
  assert.ok(expected.includes(stack.trust(stack.root).timestampAuthorities[0]?.operator ?? '?'), expected);
  assert.match(hint, /^it was signed with another Sigstore instance than this trusted root is of/);
  assert.doesNotMatch(hint, /\badd\b/);
});

test('only keys whose id depends on no name are known without one', () => {
  const p256 = generateKey('p256').publicKey;
  const namelessOf = (kind: KeyKind): boolean => {
    const log = { keyDetails: '', ...stack.rekorV1.authority, publicKey: { ...p256, kind } };
    const none = { ctlogs: [], certificateAuthorities: [], timestampAuthorities: [] };
    const [made] = [
      ...trustMaterial({ mediaType: '', unsupported: [], tlogs: [log], ...none }).tlogs.values(),
    ];
    return made?.[0]?.namelessKeyId !== undefined;
  };
  assert.deepEqual((['p256', 'ed25519', 'rsa'] as const).map(namelessOf), [true, false, false]);
});
