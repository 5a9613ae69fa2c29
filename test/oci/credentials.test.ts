import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { inspect } from 'node:util';
import { cloudKeychain, keychain } from '#oci';
import { type RunResult, run } from '#platform/process';
import { reasonOf } from './helpers.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'waybill-home-'));
});
afterEach(() => rm(home, { recursive: true }));

const auth = (text: string): string => Buffer.from(text).toString('base64');

async function find(
  config: unknown,
  registry: string,
  repository = 'team/app',
  runHelper?: (command: string, input: string) => Promise<RunResult>,
) {
  await writeFile(join(home, 'config.json'), JSON.stringify(config));
  const env = { DOCKER_CONFIG: home, HOME: home };
  const found = await keychain({ env, ...(runHelper === undefined ? {} : { runHelper }) }).find(
    registry,
    repository,
  );
  if (found === undefined) return undefined;
  const { credential } = found;
  const secret = credential.kind === 'basic' ? credential.password : credential.token;
  return [credential.kind, credential.kind === 'basic' ? credential.username : '', secret.reveal()];
}

const answer = (stdout: string, code = 0): Promise<RunResult> =>
  Promise.resolve({ code, stdout, stderr: '', timedOut: false });

test('auths give user and password, colons included', async () => {
  const config = { auths: { 'ghcr.io': { auth: auth('me:a:b') } } };
  assert.deepEqual(await find(config, 'ghcr.io'), ['basic', 'me', 'a:b']);
  assert.equal(await find(config, 'quay.io'), undefined);
});

for (const key of ['https://index.docker.io/v1/', 'index.docker.io', 'docker.io', 'registry-1.docker.io']) {
  test(`Docker Hub is found under ${key}`, async () => {
    const config = { auths: { [key]: { auth: auth('me:x') } } };
    assert.deepEqual(await find(config, 'docker.io', 'library/nginx'), ['basic', 'me', 'x']);
  });
}

test('a key that only begins like the host does not match', async () => {
  const config = {
    auths: { 'ghcr.io.evil.example': { auth: auth('a:b') }, 'ghcr.i': { auth: auth('a:b') } },
  };
  assert.equal(await find(config, 'ghcr.io'), undefined);
});

test("podman's keys with a path win over the host", async () => {
  const config = {
    auths: { 'quay.io': { auth: auth('all:1') }, 'quay.io/team': { auth: auth('team:2') } },
  };
  assert.deepEqual(await find(config, 'quay.io', 'team/app'), ['basic', 'team', '2']);
  assert.deepEqual(await find(config, 'quay.io', 'teams/app'), ['basic', 'all', '1']);
});

test('identity and registry tokens are told apart', async () => {
  const config = {
    auths: { 'a.example': { identitytoken: 'id' }, 'b.example': { registrytoken: 'reg' }, 'c.example': {} },
  };
  assert.deepEqual(await find(config, 'a.example'), ['identityToken', '', 'id']);
  assert.deepEqual(await find(config, 'b.example'), ['bearer', '', 'reg']);
  assert.equal(await find(config, 'c.example'), undefined);
});

test('only the helper of the wanted host is run, with the host on standard input', async () => {
  const calls: string[][] = [];
  const helper = (command: string, input: string): Promise<RunResult> => {
    calls.push([command, input]);
    return answer('{"ServerURL":"x","Username":"me","Secret":"s"}');
  };
  const config = { credHelpers: { 'a.example': 'one', 'b.example': 'two' }, credsStore: 'three' };
  assert.deepEqual(await find(config, 'b.example', 'x', helper), ['basic', 'me', 's']);
  assert.deepEqual(await find(config, 'c.example', 'x', helper), ['basic', 'me', 's']);
  assert.deepEqual(await find(config, 'docker.io', 'x', helper), ['basic', 'me', 's']);
  assert.deepEqual(calls, [
    ['docker-credential-two', 'b.example'],
    ['docker-credential-three', 'c.example'],
    ['docker-credential-three', 'https://index.docker.io/v1/'],
  ]);
});

test('a helper that gives a token for <token> gives an identity token', async () => {
  const helper = (): Promise<RunResult> => answer('{"Username":"<token>","Secret":"t"}');
  assert.deepEqual(await find({ credsStore: 'x' }, 'a.example', 'x', helper), ['identityToken', '', 't']);
});

test('a store without the host falls back to the file', async () => {
  const helper = (): Promise<RunResult> => answer('credentials not found in native keychain', 1);
  const config = { credsStore: 'x', auths: { 'a.example': { auth: auth('me:x') } } };
  assert.deepEqual(await find(config, 'a.example', 'x', helper), ['basic', 'me', 'x']);
});

test('a helper that fails is named', async () => {
  const why = await reasonOf(find({ credsStore: 'broken' }, 'a.example', 'x', () => answer('boom', 3)));
  assert.equal(why.code, 'WB-507');
  assert.match(why.expected, /docker-credential-broken/);
});

test('a helper that does not exist is a reason, not a crash', async () => {
  const why = await reasonOf(find({ credsStore: 'waybill-no-such' }, 'a.example'));
  assert.deepEqual([why.code, why.actual], ['WB-507', 'not installed']);
});

test('a helper name with a path is not run', async () => {
  const why = await reasonOf(find({ credsStore: '../evil' }, 'a.example', 'x', () => assert.fail('it ran')));
  assert.equal(why.code, 'WB-507');
});

test('a malformed file and malformed base64 are reasons that do not show the secret', async () => {
  assert.equal((await reasonOf(find([], 'a.example'))).code, 'WB-507');
  const why = await reasonOf(find({ auths: { 'a.example': { auth: 'canary!' } } }, 'a.example'));
  assert.equal(why.code, 'WB-507');
  assert.doesNotMatch(JSON.stringify(why), /canary/);
});

test('files of podman are read when docker has none', async () => {
  const file = join(home, 'auth.json');
  await writeFile(file, JSON.stringify({ auths: { 'a.example': { auth: auth('pod:man') } } }));
  const env = { HOME: home, DOCKER_CONFIG: join(home, 'none'), REGISTRY_AUTH_FILE: file };
  const found = await keychain({ env }).find('a.example', 'x');
  assert.equal(found?.origin, file);
  assert.doesNotMatch(inspect(found, { depth: 9 }), /man/);
});

test('the helper of a cloud is asked for its registries alone, where no file names them', async () => {
  const asked: string[] = [];
  const runHelper = async (command: string, input: string) => {
    asked.push(`${command} ${input}`);
    return { code: 0, stdout: '{"Username":"me","Secret":"pw"}', stderr: '', timedOut: false };
  };
  const env = { HOME: '/nonexistent', GITHUB_TOKEN: 'token' };
  const source = cloudKeychain({ env, runHelper });
  const ecr = '123456789012.dkr.ecr.eu-west-1.amazonaws.com';
  for (const host of [ecr, 'eu.gcr.io', 'europe-docker.pkg.dev', 'me.azurecr.io', 'registry.example']) {
    await source.find(host, 'app');
  }
  assert.deepEqual(asked, [
    `docker-credential-ecr-login ${ecr}`,
    'docker-credential-gcr eu.gcr.io',
    'docker-credential-gcr europe-docker.pkg.dev',
    'docker-credential-acr-env me.azurecr.io',
  ]);
  assert.equal((await source.find('ghcr.io', 'app'))?.origin, 'GITHUB_TOKEN');
  assert.equal(await source.find('registry.example', 'app'), undefined);
});

const account = '123456789012';
/** Hosts that only look like those of a cloud, or that its helper does not know. */
const strangers = [
  `${account}.dkr.ecr.us-east-1.amazonaws.com.evil.example`,
  `${account}.dkr.ecr.evil.example`,
  `${account}.dkr.ecr.amazonaws.com`,
  `${account}.dkr.ecr.us-east-1.evil.amazonaws.com.cn.example`,
  `${account}.dkr.ecr.us-east-1.notamazonaws.com`,
  `${account}.dkr.ecr.us-east-1.amazonawsxcom`,
  `x${account}.dkr.ecr.us-east-1.amazonaws.com`,
  'public.ecr.aws.evil.example',
  'evilgcr.io',
  'gcr.io.evil.example',
  'evil.example-docker.pkg.dev.evil.example',
  'docker.pkg.dev',
  'me.azurecr.io.evil.example',
  'meazurecr.io',
  'azurecr.io',
];

for (const host of strangers) {
  test(`no credentials of a cloud for ${host}`, async () => {
    const env = { HOME: '/nonexistent', GITHUB_TOKEN: 'token' };
    const source = cloudKeychain({ env, runHelper: () => assert.fail('a helper ran') });
    assert.equal(await source.find(host, 'app'), undefined);
  });
}

for (const host of [
  `${account}.dkr.ecr.cn-north-1.amazonaws.com.cn`,
  `${account}.dkr-ecr-fips.us-west-2.on.aws`,
  `${account}.dkr.ecr-fips.us-gov-west-1.amazonaws.com`,
  `${account}.dkr.ecr.us-isob-east-1.sc2s.sgov.gov`,
  `${account}.dkr.ecr.us-iso-east-1.c2s.ic.gov`,
  `${account}.dkr.ecr.eusc-de-east-1.amazonaws.eu`,
  'public.ecr.aws',
]) {
  test(`the helper of ECR is asked for ${host}`, async () => {
    const runHelper = (command: string) => answer(`{"Username":"AWS","Secret":"${command}"}`);
    const found = await cloudKeychain({ env: { HOME: '/nonexistent' }, runHelper }).find(host, 'app');
    assert.equal(found?.origin, 'docker-credential-ecr-login');
  });
}

test('a helper is asked once for a registry, whatever repositories are wanted of it', async () => {
  const asked: string[] = [];
  const runHelper = (_: string, input: string) => {
    asked.push(input);
    return answer('{"Username":"me","Secret":"pw"}');
  };
  const cloud = cloudKeychain({ env: { HOME: '/nonexistent' }, runHelper });
  await Promise.all(['a', 'b', 'c'].map((repository) => cloud.find('eu.gcr.io', repository)));
  await cloud.find('us.gcr.io', 'a');
  await writeFile(join(home, 'config.json'), JSON.stringify({ credsStore: 'desktop' }));
  const files = keychain({ env: { DOCKER_CONFIG: home, HOME: home }, runHelper });
  for (const repository of ['a', 'b']) await files.find('a.example', repository);
  assert.deepEqual(asked, ['eu.gcr.io', 'us.gcr.io', 'a.example']);
});

test('the helper of a cloud that is not installed leaves its registry anonymous, told once', async () => {
  const told: string[] = [];
  const source = cloudKeychain({
    env: { HOME: '/nonexistent' },
    runHelper: () => run('waybill-no-such-helper', ['get'], { input: '' }),
    onAnonymous: (registry, why) => told.push(`${registry} ${why}`),
  });
  for (const repository of ['a', 'b']) assert.equal(await source.find('eu.gcr.io', repository), undefined);
  assert.deepEqual(told, ['eu.gcr.io docker-credential-gcr: not installed']);
});

test('the same helper named in a file and not installed is told, also with the keychain of clouds', async () => {
  await writeFile(
    join(home, 'config.json'),
    JSON.stringify({ credHelpers: { 'eu.gcr.io': 'waybill-none' } }),
  );
  const source = cloudKeychain({ env: { DOCKER_CONFIG: home, HOME: home } });
  const why = await reasonOf(source.find('eu.gcr.io', 'a'));
  assert.deepEqual([why.code, why.actual], ['WB-507', 'not installed']);
});
