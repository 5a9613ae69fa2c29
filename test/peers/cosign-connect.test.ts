/** What `waybill stack connect` prints for clients whose lines use what cosign left behind, said word for word. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { install, say, takeApart } from './connect-lines.ts';

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

test('rekor-cli: the log verifies, and the entry of the file that cosign signed is found and verified', async () => {
  await install('rekor-cli', 'rekor-cli');
  await takeApart();
  const [info = '', found = '', verified = ''] = await say('rekor-cli');
  assert.match(info, /Verification Successful/);
  const [entry = 'none'] = /[0-9a-f]{64}$/m.exec(found) ?? [];
  assert.ok(verified.includes(entry) && /Inclusion Proof/.test(verified), verified);
});

test('crane: an image is copied and listed', async () => {
  await install('crane', 'crane');
  assert.match((await say('crane')).join('\n'), /^copied$/m);
});

test('skopeo: an image of a registry of others is copied into the stack, and inspected there', async () => {
  await install('skopeo', 'skopeo');
  const [, seen = ''] = await say('skopeo');
  assert.match((JSON.parse(seen) as { Digest: string }).Digest, /^sha256:[0-9a-f]{64}$/);
});

test('sigstore-go: the file that cosign signed is verified', async () => {
  await install('sigstore-go', 'sigstore-go-verification');
  assert.match((await say('sigstore-go')).join(''), /Verification successful/);
});

test('sigstore-js: a person signs a statement in the browser, and it is verified', async () => {
  await install('sigstore', 'sigstore-js');
  const [signed = '', verified = ''] = await say('sigstore-js');
  assert.match(signed, /Created entry at index/);
  assert.match(verified, /Verification succeeded/);
});
