/** Where the locks of logs are kept. */
import assert from 'node:assert/strict';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { generateKey } from '#base/crypto';
import { defaultLockDir, lockFileOf } from '#platform/checkpoint-lock';

test('locks lie in the state folder that is named, the user’s, or nowhere', () => {
  const dirOf = (env: Record<string, string>): string | undefined => defaultLockDir(env);
  const home = { HOME: '/people/ada' };
  assert.equal(dirOf(home), '/people/ada/.local/state/waybill/locks');
  assert.equal(dirOf({ ...home, XDG_STATE_HOME: '/var/state' }), '/var/state/waybill/locks');
  // As the XDG specification has it: a relative path is no path.
  assert.equal(dirOf({ ...home, XDG_STATE_HOME: 'state' }), '/people/ada/.local/state/waybill/locks');
  const named = { ...home, XDG_STATE_HOME: '/var/state', WAYBILL_STATE_DIR: 'here' };
  assert.equal(dirOf(named), join(resolve('here'), 'locks'));
  assert.equal(dirOf({ HOME: '' }), undefined);
  assert.equal(dirOf({}), undefined);
});

test('each key has a lock of its own', () => {
  const [one, two] = [generateKey('p256').publicKey, generateKey('p256').publicKey];
  assert.match(lockFileOf('/l', one), /^\/l\/[0-9a-f]{64}\.db$/);
  assert.notEqual(lockFileOf('/l', one), lockFileOf('/l', two));
});
