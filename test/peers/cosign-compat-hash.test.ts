/** `--signature-digest-algorithm` beside the real cosign: signatures by OpenSSL under keys of three curves. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { toBase64, utf8 } from '#base/bytes';
import { defaultHash, generateKey, publicKeyPem } from '#base/crypto';
import { temporaryFolder } from '../stack/helper.ts';
import { requirePeer } from './cache.ts';
import { type Ran, runProgram } from './stack-image.ts';

const binary = requirePeer('cosign');
const folder = await temporaryFolder();
const at = (name: string): string => join(folder, name);
await writeFile(at('file'), 'hashed\n');
const sides: readonly ((args: readonly string[]) => Promise<Ran>)[] = [
  (args) => runProgram(binary, args, { HOME: folder }),
  (args) => runProgram(resolve('bin/waybill'), ['cosign', ...args], { HOME: folder }),
];

for (const kind of ['p256', 'p384', 'p521'] as const) {
  test(`${kind}: the hash of the curve is taken by its name, an unknown name is told by cosign's words`, async () => {
    const key = generateKey(kind);
    const hash = defaultHash(kind);
    await writeFile(at(`${kind}.pub`), publicKeyPem(key.publicKey));
    await writeFile(at(`${kind}.sig`), toBase64(key.sign(utf8('hashed\n'), hash)));
    for (const side of sides) {
      const verify = (name: string, file = 'file'): Promise<Ran> =>
        side([
          ...[
            'verify-blob',
            '--key',
            at(`${kind}.pub`),
            '--signature',
            at(`${kind}.sig`),
            '--insecure-ignore-tlog',
          ],
          ...['--signature-digest-algorithm', name, at(file)],
        ]);
      const good = await verify(hash);
      assert.equal(good.code, 0, good.stderr);
      const wrong = await verify(hash, `${kind}.pub`);
      assert.notEqual(wrong.code, 0);
      const unknown = await verify('md5');
      assert.notEqual(unknown.code, 0);
      assert.match(unknown.stderr, /unknown digest algorithm: md5/);
      const weaker = await verify('sha224');
      assert.notEqual(weaker.code, 0);
    }
  });
}
