/** What `waybill stack connect sigstore-python` prints, said word for word, over TLS. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { install, say } from './connect-lines.ts';

test('sigstore-python: a file is signed and verified', async () => {
  await install('sigstore', 'sigstore-python');
  const [signed = '', verified = ''] = await say('sigstore-python');
  assert.match(signed, /artifact\.sigstore\.json/);
  assert.match(verified, /OK: artifact/);
});
