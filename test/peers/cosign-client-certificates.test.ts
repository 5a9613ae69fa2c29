/**
 * Stations that take clients with a certificate alone: real cosign gets its timestamp over mutual TLS, openssl is let
 * in and turned away, and waybill signs keyless where authority, certificate log, log and timestamps all ask.
 */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import { httpTransport } from '#platform/http-client';
import { run } from '#platform/process';
import { startConstellation, temporaryFolder } from '../stack/serve-fixture.ts';
import { tlsPki } from '../stack/tls-pki.ts';
import { requirePeer } from './cache.ts';
import { type Ran, runProgram } from './stack-image.ts';

const cosign = requirePeer('cosign');
const home = await temporaryFolder();
const at = (name: string): string => join(home, name);
const servers = await tlsPki(home, 'servers');
const clients = await tlsPki(home, 'clients');
const others = await tlsPki(home, 'others');
const server = await servers.server('server', ['127.0.0.1']);
const named = await servers.server('named', ['tsa.internal']);
const own = await clients.client('stations', { name: 'stations' });
await clients.client('me', { name: 'me' });
await others.client('eve', { name: 'me' });

/** What the TUF repository serves is public; issuer and registry speak plain http to this machine. */
const asking = new Set(['ca', 'ct', 'log', 'log2', 'tsa']);
const world = await startConstellation((name) => ({
  transport: httpTransport({ caFile: servers.caFile, client: own }),
  ...(asking.has(name)
    ? { tls: { ...(name === 'tsa' ? named : server), clientCaFile: clients.caFile } }
    : {}),
}));
after(() => world.close());
const { tsa, log, oidc } = world.origins as Record<string, string>;
const { trustedRootBytes, signingConfigBytes } = await world.trust();
await writeFile(at('trusted_root.json'), trustedRootBytes);
await writeFile(at('signing_config.json'), signingConfigBytes as Uint8Array);
await writeFile(at('artifact'), 'content');

const env = { HOME: home, COSIGN_PASSWORD: 'pw', PATH: process.env['PATH'] ?? '' };
const generated = await run(cosign, ['generate-key-pair'], { env, cwd: home });
assert.equal(generated.code, 0, generated.stderr);

const stamped = (name: string, ...less: readonly string[]): string[] =>
  [
    ['--timestamp-server-url', `${tsa}/api/v1/timestamp`],
    ['--timestamp-server-name', 'tsa.internal'],
    ['--timestamp-client-cacert', at('servers.pem')],
    ['--timestamp-client-cert', at(`${name}.pem`)],
    ['--timestamp-client-key', at(`${name}.key`)],
  ]
    .filter(([flag]) => !less.includes(flag as string))
    .flat();
const signing = (bundle: string): string[] => [
  ...['sign-blob', '--yes', '--key', at('cosign.key'), '--tlog-upload=false', '--use-signing-config=false'],
  ...['--bundle', at(bundle), '--trusted-root', at('trusted_root.json'), at('artifact')],
];
const launcher = resolve('bin/waybill');
const ways: readonly (readonly [string, string, readonly string[]])[] = [
  ['cosign', cosign, []],
  ['waybill cosign', launcher, ['cosign']],
];

for (const [name, program, first] of ways) {
  const call = (words: readonly string[]): Promise<Ran> => runProgram(program, [...first, ...words], env);
  test(`${name}: --timestamp-client-cacert, -cert, -key and --timestamp-server-name get a time; without one of them none`, async () => {
    const signed = await call([...signing('bundle.json'), ...stamped('me')]);
    assert.equal(signed.code, 0, signed.stderr);
    const { timestamps } = unwrap(parseBundle(await readFile(at('bundle.json'))));
    assert.equal(timestamps.length, 1);
    const verified = await runProgram(
      cosign,
      [
        ...['verify-blob', '--key', at('cosign.pub'), '--bundle', at('bundle.json')],
        ...['--trusted-root', at('trusted_root.json'), '--use-signed-timestamps', '--insecure-ignore-tlog'],
        at('artifact'),
      ],
      env,
    );
    assert.equal(verified.code, 0, verified.stderr);
    const refused = [
      stamped('eve'),
      stamped('me', '--timestamp-client-cert', '--timestamp-client-key'),
      stamped('me', '--timestamp-server-name'),
      stamped('me', '--timestamp-client-cacert'),
    ];
    const runs = await Promise.all(
      refused.map((words, i) => call([...signing(`refused-${i}.json`), ...words])),
    );
    for (const [i, { code }] of runs.entries()) assert.equal(code, 1, refused[i]?.join(' '));
  });
}

test('waybill signs keyless where every station asks; real cosign verifies it', async () => {
  const words = [
    ...['sign-blob', at('artifact'), '--bundle', at('keyless.json'), '--identity-token', await world.token()],
    ...['--trusted-root', at('trusted_root.json'), '--signing-config', at('signing_config.json')],
    ...['--ca-file', at('servers.pem'), '--timestamp-server-name', 'tsa.internal'],
    ...['--timestamp-client-cert', at('me.pem'), '--timestamp-client-key', at('me.key')],
  ];
  const bare = await runProgram(launcher, words, env);
  assert.equal(bare.code, 20, bare.stderr);
  assert.match(bare.stderr, /asks for a certificate of the client/);
  const shown = ['--client-cert', at('me.pem'), '--client-key', at('me.key')];
  const signed = await runProgram(launcher, [...words, ...shown], env);
  assert.equal(signed.code, 0, signed.stderr);
  const who = ['--certificate-identity', 'ada@example.com', '--certificate-oidc-issuer', oidc as string];
  const checked = ['--bundle', at('keyless.json'), '--trusted-root', at('trusted_root.json'), at('artifact')];
  const verified = await runProgram(cosign, ['verify-blob', ...who, ...checked], env);
  assert.equal(verified.code, 0, verified.stderr);
});

test('openssl s_client: served with a certificate of the authority, turned away with another or none, under TLS 1.2 and 1.3', async () => {
  const { host } = new URL(log as string);
  const request = `GET /healthz HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
  const ask = async (version: string, client?: string): Promise<string> => {
    const words = ['s_client', '-connect', host, '-CAfile', at('servers.pem'), '-quiet', '-ign_eof', version];
    const shown = client === undefined ? [] : ['-cert', at(`${client}.pem`), '-key', at(`${client}.key`)];
    const { stdout, stderr } = await run('openssl', [...words, ...shown], { input: request, env });
    return `${Buffer.from(stdout).toString()}${stderr}`;
  };
  for (const version of ['-tls1_2', '-tls1_3']) {
    assert.match(await ask(version, 'me'), /HTTP\/1\.1 200 OK[\s\S]*"status":"ok"/, version);
    for (const client of ['eve', undefined]) {
      assert.doesNotMatch(await ask(version, client), /HTTP\/1\.1/, `${version} ${client}`);
    }
    assert.match(await ask(version), /alert (?:handshake failure|certificate required)/, version);
  }
});
