/**
 * Every client at one running stack, over TLS, with what `waybill stack connect` prints for it, said word for word; and
 * both directions: we verify what it signed, it verifies what we signed.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { install, ours, say, takeApart, withoutBundle } from './connect-lines.ts';

const SIGNED = '--bundle FILE.sigstore.json FILE';
const TYPE = '--type https://example.com/p/v1';

test('cosign: initialize, and images and files are signed and verified; we verify them, and it ours', async () => {
  await install('cosign', 'cosign');
  const said = await say('cosign');
  assert.equal(said.length, 5);
  assert.match(said.at(-1) ?? '', /Verified OK/);
  await ours('verify WHO IMAGE@DIGEST');
  await ours(`verify-blob WHO ${SIGNED}`);
  await ours(`sign-blob TOKEN ${SIGNED}`);
  await ours('sign TOKEN IMAGE@DIGEST');
  const [image = '', file = ''] = await say('cosign', / verify/);
  assert.match(image, /The cosign claims were validated/);
  assert.match(file, /Verified OK/);
});

test('cosign 2: initialize, and images are signed and verified; we verify them, and it ours', async () => {
  await install('cosign', 'cosign-2');
  const said = await say('cosign-2');
  assert.match(said.at(-1) ?? '', /The cosign claims were validated/);
  await ours('verify WHO IMAGE@DIGEST', 'cosign-2');
  await ours('sign --format legacy --log-version 1 TOKEN IMAGE@DIGEST', 'cosign-2');
  assert.match((await say('cosign-2', / verify/)).join(), /The cosign claims were validated/);
});

test('rekor-cli: the log verifies, and the entry of the file that we signed is found and verified', async () => {
  await install('rekor-cli', 'rekor-cli');
  await ours(`sign-blob --log-version 1 TOKEN ${SIGNED}`);
  await takeApart();
  const [info = '', found = '', verified = ''] = await say('rekor-cli');
  assert.match(info, /Verification Successful/);
  assert.match(verified, /Inclusion Proof/);
  const entries = [...found.matchAll(/[0-9a-f]{64}$/gm)].map(([entry]) => entry);
  assert.ok(
    entries.some((entry) => verified.includes(entry)),
    `${found}\n${verified}`,
  );
});

test('crane: an image is copied and listed', async () => {
  await install('crane', 'crane');
  assert.match((await say('crane')).join('\n'), /^copied$/m);
  await ours('digest IMAGE:TAG');
});

test('skopeo: an image of a registry of others is copied into the stack, and inspected there', async () => {
  await install('skopeo', 'skopeo');
  const [, seen = ''] = await say('skopeo');
  const { Digest } = JSON.parse(seen) as { Digest: string };
  assert.ok((await ours('digest IMAGE:TAG')).includes(Digest));
});

test('sigstore-go: the file that we signed is verified', async () => {
  await install('sigstore-go', 'sigstore-go-verification');
  await ours(`sign-blob TOKEN ${SIGNED}`);
  assert.match((await say('sigstore-go')).join(''), /Verification successful/);
});

test('sigstore-python: a file is signed and verified; we verify it, and it ours', async () => {
  await install('sigstore', 'sigstore-python');
  await withoutBundle();
  const [signed = '', verified = ''] = await say('sigstore-python');
  assert.match(signed, /artifact\.sigstore\.json/);
  assert.match(verified, /OK: artifact/);
  await ours(`verify-blob WHO ${SIGNED}`);
  await ours(`sign-blob TOKEN ${SIGNED}`);
  assert.match((await say('sigstore-python', / verify /)).join(), /OK: artifact/);
});

test('sigstore-js: a person signs a statement in the browser, and it is verified; we verify it, and it ours', async () => {
  await install('sigstore', 'sigstore-js');
  const [signed = '', verified = ''] = await say('sigstore-js');
  assert.match(signed, /Created entry at index/);
  assert.match(verified, /Verification succeeded/);
  await ours(`verify-blob-attestation WHO ${TYPE} --bundle STATEMENT.sigstore.json FILE`);
  await ours(`attest-blob TOKEN ${TYPE} --predicate said.json --bundle STATEMENT.sigstore.json FILE`);
  assert.match((await say('sigstore-js', / verify /)).join(), /Verification succeeded/);
});
