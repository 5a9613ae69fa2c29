import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toBase64, toHex, utf8 } from '#base/bytes';
import { generateKey, publicKeyPem } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { Secret } from '#base/secret';
import { pemDecode, pemEncode } from '#formats/pem';
import { systemRandom } from '#platform/system';
import { KEY_LABEL, makeKeyPair, readPrivateKey, writePrivateKey } from '#sign';

const code = (wanted: string) => (error: unknown) => {
  assert.ok(error instanceof WaybillError, String(error));
  assert.equal(error.reason.code, wanted, error.message);
  return true;
};

const password = new Secret('correct horse');
const pair = await makeKeyPair(password, systemRandom);

/** The JSON inside a key file, changed. */
function changed(change: (body: Record<string, Record<string, unknown>>) => void): string {
  const body = JSON.parse(Buffer.from(unwrap(pemDecode(pair.privatePem))[0].der).toString());
  change(body);
  return pemEncode(KEY_LABEL, utf8(JSON.stringify(body)));
}

test('a key survives its own file', async () => {
  const key = await readPrivateKey(pair.privatePem, password);
  assert.equal(publicKeyPem(key.publicKey), pair.publicPem);
});

test('a wrong password, and a flipped bit, are WB-817', async () => {
  await assert.rejects(readPrivateKey(pair.privatePem, new Secret('wrong')), code('WB-817'));
  await assert.rejects(readPrivateKey(pair.privatePem), code('WB-817'));
  const flipped = changed((body) => {
    const bytes = Buffer.from(String(body['ciphertext']), 'base64');
    bytes[20] = (bytes[20] ?? 0) ^ 1;
    (body as Record<string, unknown>)['ciphertext'] = toBase64(bytes);
  });
  await assert.rejects(readPrivateKey(flipped, password), code('WB-817'));
});

test('a hostile cost is refused before it is paid', async () => {
  for (const params of [
    { N: 2 ** 26, r: 8, p: 1 },
    { N: 65_536, r: 8, p: 5 },
    { N: 65_537, r: 8, p: 1 },
    { N: 2, r: 2 ** 24, p: 1 },
  ]) {
    const file = changed((body) => {
      (body['kdf'] as Record<string, unknown>)['params'] = params;
    });
    await assert.rejects(readPrivateKey(file, password), code('WB-816'), JSON.stringify(params));
  }
});

test('another cipher, another derivation, no JSON are WB-816', async () => {
  const cipher = changed((body) => {
    (body['cipher'] as Record<string, unknown>)['name'] = 'rot13';
  });
  const kdf = changed((body) => {
    (body['kdf'] as Record<string, unknown>)['name'] = 'md5';
  });
  for (const file of [cipher, kdf, pemEncode(KEY_LABEL, utf8('x')), 'no pem at all']) {
    await assert.rejects(readPrivateKey(file, password), code('WB-816'));
  }
});

test('plain and encrypted PKCS#8 keys are read as OpenSSL writes them', async () => {
  const key = generateKey('p384');
  const plain = await readPrivateKey(key.exportPem());
  assert.equal(toHex(plain.publicKey.spki), toHex(key.publicKey.spki));
  const sealed = key.exportPem('secret');
  await assert.rejects(readPrivateKey(sealed, new Secret('wrong')), code('WB-817'));
  assert.equal((await readPrivateKey(sealed, new Secret('secret'))).publicKey.kind, 'p384');
});

test('an RSA key survives its own file as well', async () => {
  const key = generateKey('rsa');
  const pem = await writePrivateKey(key, password, systemRandom);
  assert.equal((await readPrivateKey(pem, password)).publicKey.kind, 'rsa');
});
