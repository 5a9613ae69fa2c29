/** Keys of every kind a cosign key file can hold sign content, digests and statements, in both kinds of log. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex, utf8 } from '#base/bytes';
import { defaultHash, generateKey, hash, type KeyKind, privateKeyFromPem, sha256 } from '#base/crypto';
import { digestOf } from '#base/digest';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import { pemEncode } from '#formats/pem';
import { contentKey, type SignContent, signableBytes } from '#sign';
import { requireKey, trustMaterial, verifyBundle } from '#verify';
import { message, signerOf, startStack, statement, trustedRootOf } from '../stack/helper.ts';

const stack = await startStack();
const material = trustMaterial(trustedRootOf(stack));
const content = utf8('content');
const kinds: readonly (readonly [KeyKind, number?])[] = [
  ['p256'],
  ['p384'],
  ['p521'],
  ['ed25519'],
  ['rsa', 2048],
  ['rsa', 4096],
];

for (const [kind, bits] of kinds) {
  for (const logVersion of [1, 2] as const) {
    test(`${kind} ${bits ?? ''} signs bytes, a digest and a statement with log API v${logVersion}`, async () => {
      const key = generateKey(kind, bits);
      const algorithm = defaultHash(kind);
      const digest: SignContent = { kind: 'digest', algorithm, value: hash(algorithm, content) };
      const about = statement(toHex(sha256(content)));
      const signer = signerOf(stack, { kind: 'key', key }, { logVersion });
      // RSA and Ed25519 sign alike each time, and a v2 log does not take the same entry twice.
      const isRepeat = logVersion === 2 && (kind === 'rsa' || kind === 'ed25519');
      for (const one of isRepeat ? [digest, about] : [message('content'), digest, about]) {
        const { bundle } = await signer.sign(one);
        for (const artifact of one.kind === 'dsse'
          ? [digestOf(content)]
          : [content, digestOf(content, algorithm)]) {
          const verdict = verifyBundle({
            artifact,
            bundle: unwrap(parseBundle(bundle)),
            trustedRoot: material,
            requirements: unwrap(requireKey(key.publicKey)),
            now: 0,
          });
          assert.equal(verdict.outcome, 'accepted', JSON.stringify(verdict));
        }
      }
    });
  }
}

test('a digest under another hash than the key signs is refused: WB-820', async () => {
  const signer = signerOf(stack, { kind: 'key', key: generateKey('p384') });
  await assert.rejects(
    signer.sign({ kind: 'digest', algorithm: 'sha256', value: sha256(content) }),
    (error: unknown) => error instanceof WaybillError && error.reason.code === 'WB-820',
  );
});

test('without a log a key signs only when that was said, and the result does not count as logged', async () => {
  const key = generateKey('p256');
  const services = { logs: [], tsas: [] };
  assert.throws(() => signerOf(stack, { kind: 'key', key }, { services }), /WB-819/);
  const signed = await signerOf(stack, { kind: 'key', key }, { services, unloggedUnsafe: true }).sign(
    message('content'),
  );
  assert.deepEqual(signed.verdict.degraded, ['tlog']);
  assert.deepEqual(signed.entries, []);
});

test('Ed25519ph signs as RFC 8032 §7.3 says', async () => {
  const seed = Buffer.from('833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42', 'hex');
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const key = unwrap(privateKeyFromPem(pemEncode('PRIVATE KEY', pkcs8)));
  const signature = await contentKey(key).sign(signableBytes(utf8('abc')));
  assert.equal(
    toHex(signature),
    '98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae4131f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406',
  );
});
