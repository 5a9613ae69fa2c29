/** `waybill registry login|logout|whoami` in this process: what is refused, kept, warned of and shown. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Secret } from '#base/secret';
import { httpTransport } from '#platform/http-client';
import { createRegistry } from '#services/registry';
import { tellIn } from './in-process.ts';

const home = await mkdtemp(join(tmpdir(), 'waybill-cli-login-'));
const registry = await createRegistry({
  dataDir: join(home, 'registry'),
  tokens: [{ name: 'ci', token: new Secret('s3cret-token'), actions: ['pull'], repositories: ['*'] }],
});
after(async () => {
  await registry.close();
  await rm(home, { recursive: true });
});
const { host } = registry;
const tell = (env: Record<string, string>, ...words: string[]) =>
  tellIn({ env: { HOME: home, DOCKER_CONFIG: home, ...env }, transport: httpTransport(), json: true }, [
    'registry',
    ...words,
  ]);
const config = join(home, 'config.json');

test('a login from the environment is tried, kept, shown and forgotten; the secret is never shown', async () => {
  const password = { WAYBILL_REGISTRY_PASSWORD: 's3cret-token' };
  const kept = await tell(password, 'login', host, '-u', 'anybody');
  assert.deepEqual(kept.value, { registry: host, username: 'anybody', kept: 'file', at: config });
  const shown = await tell({}, 'whoami', `${host}/team/app`);
  assert.deepEqual(shown.value, { registry: host, kind: 'basic', username: 'anybody', origin: config });
  assert.doesNotMatch(JSON.stringify([kept, shown]), /s3cret/);
  assert.deepEqual((await tell({}, 'logout', host)).value, { registry: host, removed: true });
  assert.deepEqual((await tell({}, 'logout', host)).value, { registry: host, removed: false });
  const nobody = await tell({}, 'whoami', host);
  assert.deepEqual(nobody.value, { registry: host, kind: 'anonymous', username: null, origin: null });
});

test('a wrong password ends with exit code 21, and nothing is kept', async () => {
  const before = await readFile(config, 'utf8').catch(() => '');
  const refused = await tell({}, 'login', host, '-u', 'anybody', '-p', 'wrong-token');
  assert.deepEqual([refused.exit, refused.reason?.code], [21, 'WB-501']);
  assert.match(refused.stderr, /warning: a password on the command line/);
  assert.doesNotMatch(JSON.stringify(refused), /wrong-token/);
  assert.equal(await readFile(config, 'utf8').catch(() => ''), before);
});

test('without a user, a password or a terminal it says what is missing', async () => {
  assert.equal((await tell({}, 'login', host)).reason?.code, 'WB-1301');
  assert.match((await tell({}, 'login', host, '-u', 'anybody')).reason?.expected ?? '', /--password-stdin/);
});
