/** What `waybill stack connect` prints for cosign, rekor-cli and crane, said word for word. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { install, say } from './connect-lines.ts';

test('cosign: initialize, and images and files are signed and verified', async () => {
  await install('cosign', 'cosign');
  const said = await say('cosign');
  assert.equal(said.length, 5);
  assert.match(said.at(-1) ?? '', /Verified OK/);
});

test('cosign 2: images are signed and verified with its own files', async () => {
  await install('cosign', 'cosign-2');
  const said = await say('cosign-2');
  assert.match(said.at(-1) ?? '', /The cosign claims were validated/);
});

test('rekor-cli: the log verifies, and the file that cosign signed is found', async () => {
  await install('rekor-cli', 'rekor-cli');
  const [info = '', found = ''] = await say('rekor-cli', 2);
  assert.match(info, /Verification Successful/);
  assert.match(found, /[0-9a-f]{64}/);
});

test('crane: an image is copied and listed', async () => {
  await install('crane', 'crane');
  assert.match((await say('crane')).join('\n'), /^copied$/m);
});
