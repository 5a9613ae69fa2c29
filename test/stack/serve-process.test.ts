/** The same as processes of their own, started by the command line, with TLS, configured by files. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { Command } from 'commander';
import { utf8 } from '#base/bytes';
import { generateKey } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { Secret } from '#base/secret';
import { pemEncode } from '#formats/pem';
import { parseSigningConfig } from '#formats/signing-config';
import { selfSignedAuthority, serialNumber, serverCertificate } from '#formats/x509-build';
import { httpTransport } from '#platform/http-client';
import { run } from '#platform/process';
import { systemClock, systemRandom } from '#platform/system';
import { createSigner, servicesFrom } from '#sign';
import { loadTrust } from '#trust';
import type { CliContext } from '../../src/cli/context.ts';
import { temporaryFolder } from './serve-fixture.ts';

const dir = await temporaryFolder();
const children: ChildProcess[] = [];
after(async () => {
  for (const child of children) if (child.exitCode === null) child.kill('SIGKILL');
  await rm(dir, { recursive: true, force: true });
});

const bin = resolve('bin/waybill');
const file = (...parts: string[]): string => join(dir, ...parts);

const issue = {
  serial: serialNumber(systemRandom.bytes(20)),
  notBefore: systemClock.now() - 60_000,
  notAfter: systemClock.now() + 3_600_000,
};
const authority = selfSignedAuthority('test authority', generateKey('p256'), issue);
async function certificate(): Promise<void> {
  const key = generateKey('p256');
  const leaf = serverCertificate(authority, ['127.0.0.1'], key.publicKey, {
    ...issue,
    serial: serialNumber(systemRandom.bytes(20)),
  });
  await writeFile(file('tls.key'), key.exportPem(), { mode: 0o600 });
  await writeFile(file('tls.pem'), pemEncode('CERTIFICATE', leaf));
}

interface Up {
  readonly origin: string;
  readonly child: ChildProcess;
  readonly stderr: () => string;
  ended(): Promise<number | null>;
}

const env = { ...process.env, SSL_CERT_FILE: file('ca.pem'), WAYBILL_STATE_DIR: file('state') };

/** Starts `serve` and resolves with what it prints when it is ready. */
function up(station: string, ...args: string[]): Promise<Up> {
  const child = spawn(bin, ['serve', station, '--json', ...args], { cwd: dir, env });
  children.push(child);
  let out = '';
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const ended = new Promise<number | null>((done) => child.on('close', done));
  return new Promise((done, fail) => {
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
      if (!out.includes('\n')) return;
      const { origin } = JSON.parse(out) as { origin: string };
      done({ origin, child, stderr: () => errors, ended: () => ended });
    });
    void ended.then((code) => fail(new Error(`${station} ended with ${code}: ${errors}${out}`)));
  });
}

await certificate();
await writeFile(file('ca.pem'), pemEncode('CERTIFICATE', authority.certificate.der));
const shared = 'listen: 127.0.0.1:0\nlog-level: trace\n';
const tls = 'tls-cert: tls.pem\ntls-key: tls.key\n';
const config = (name: string, more: string): Promise<void> =>
  writeFile(file(`${name}.yaml`), `data: ${name}\n${shared}${more}`);

test('seven processes sign for a client that knows one root, over TLS; a signal ends each cleanly', async () => {
  await config('oidc', '');
  await config('ct', `${tls}name: ct.example/2026\nroot: [ca/public/root.pem]\n`);
  await config('ca', `${tls}issuers: issuers.yaml\nct-key: ct/public/ctfe.pub\norganization: acme\n`);
  await config('log', `${tls}hostname: 127.0.0.1\n`);
  await config('tsa', tls);
  await config('registry', tls);
  await config('tuf', `${tls}stations: stations.yaml\n`);
  const inits = ['ct', 'ca'].map((name) =>
    run(bin, ['serve', name, '--init', '--config', `${name}.yaml`], { cwd: dir, env }),
  );
  for (const { code, stderr } of await Promise.all(inits)) assert.equal(code, 0, stderr);
  const start = (name: string, ...args: string[]): Promise<Up> =>
    up(name, '--config', `${name}.yaml`, ...args);
  const [oidc, ct, log, tsa, registry] = (await Promise.all(
    ['oidc', 'ct', 'log', 'tsa', 'registry'].map((name) => start(name)),
  )) as [Up, Up, Up, Up, Up];
  const issuer = `issuer-url: ${oidc.origin}\n    client-id: sigstore\n    type: email\n`;
  await writeFile(file('issuers.yaml'), `oidc-issuers:\n  ${oidc.origin}:\n    ${issuer}`);
  const ca = await start('ca', '--ct-url', ct.origin);
  const members = { ca, ct, log, tsa };
  const lines = Object.entries(members).map(
    ([name, { origin }]) => `  - url: ${origin}\n    file: ${name}/public/station.json\n`,
  );
  await writeFile(file('stations.yaml'), `issuers: ["${oidc.origin}"]\nstations:\n${lines.join('')}`);
  const tuf = await start('tuf');
  for (const { origin } of [ca, ct, log, tsa, registry, tuf]) assert.match(origin, /^https:/);

  const transport = httpTransport({ caFile: file('ca.pem') });
  const wire = { transport, clock: systemClock, random: systemRandom };
  const root = file('tuf', 'public', 'root.json');
  const trust = await loadTrust({ kind: 'tuf', mirror: tuf.origin, root, cacheDir: file('cache') }, wire);
  const body = utf8(JSON.stringify({ email: 'ada@example.com' }));
  const minted = await transport.request({ url: `${oidc.origin}/token`, method: 'POST', body });
  const { id_token: token } = JSON.parse(Buffer.from(minted.body).toString()) as { id_token: string };
  const services = servicesFrom(unwrap(parseSigningConfig(trust.signingConfigBytes as Uint8Array)), {
    now: systemClock.now(),
    random: systemRandom,
  });
  const identity = { kind: 'token', token: new Secret(token) } as const;
  const signer = createSigner({ ...wire, identity, services, trustedRoot: trust.trustedRoot });
  const signed = await signer.sign({ kind: 'message', bytes: utf8('made by seven processes') });
  assert.equal(signed.verdict.outcome, 'accepted');
  assert.equal((await transport.request({ url: `${registry.origin}/v2/` })).status, 200);

  // A new certificate is taken at a hang-up, and the one before at no new connection.
  const served = await readFile(file('tls.pem'), 'utf8');
  await certificate();
  tsa.child.kill('SIGHUP');
  const { connect } = await import('node:tls');
  const shown = (): Promise<string> =>
    new Promise((done) => {
      const ca = pemEncode('CERTIFICATE', authority.certificate.der);
      const socket = connect({ port: Number(new URL(tsa.origin).port), host: '127.0.0.1', ca }, () => {
        done(socket.getPeerX509Certificate()?.toString() ?? '');
        socket.destroy();
      });
    });
  while ((await shown()).trim() === served.trim()) await new Promise((again) => setTimeout(again, 50));
  assert.equal((await shown()).trim(), (await readFile(file('tls.pem'), 'utf8')).trim());

  const all = { oidc, ct, ca, log, tsa, registry, tuf };
  for (const { child } of Object.values(all)) child.kill('SIGTERM');
  for (const [name, station] of Object.entries(all)) {
    assert.equal(await station.ended(), 0, `${name}: ${station.stderr()}`);
    assert.doesNotMatch(station.stderr(), new RegExp(token), `${name} logs the token`);
  }
});

test('settings of a file: the command line wins, a list stays a list, what is misspelt or misfit is refused', async () => {
  const { registerStations } = await import('../../src/cli/serve-station.ts');
  const { withConfigFile } = await import('../../src/cli/serve-config.ts');
  const read = async (station: string, yaml: string, ...args: string[]): Promise<Record<string, unknown>> => {
    const serve = new Command().exitOverride();
    registerStations(serve, {} as CliContext);
    const command = serve.commands.find((one) => one.name() === station) as Command;
    let found: Record<string, unknown> = {};
    await writeFile(file('settings.yaml'), yaml);
    command.action(async (flags: { config?: string }) => {
      found = await withConfigFile(flags, command, dir);
    });
    await serve.parseAsync([station, '--config', 'settings.yaml', ...args], { from: 'user' });
    return found;
  };
  const ct = await read('ct', 'data: kept\nname: from-file\nroot: [a, b]\n', '--name', 'from-line');
  assert.deepEqual([ct['data'], ct['name'], ct['root']], ['kept', 'from-line', ['a', 'b']]);
  const log = await read('log', 'api: v2\nwitness-optional: true\nlisten: 127.0.0.1:1\n');
  assert.deepEqual([log['api'], log['witnessOptional'], log['listen']], ['v2', true, '127.0.0.1:1']);
  for (const [yaml, isOn] of [
    ['delete: false', false],
    ['no-delete: true', false],
    ['no-delete: false', true],
  ] as const) {
    assert.equal((await read('registry', yaml))['delete'], isOn, yaml);
  }
  const wrong = [
    'lissen: x',
    'api: v3',
    'witness-optional: maybe',
    'config: other',
    '[]',
    'a: b: c',
    'data: [x]',
  ];
  for (const yaml of wrong) {
    await assert.rejects(
      read('log', yaml),
      (error) => error instanceof WaybillError && error.reason.code === 'WB-1305',
      yaml,
    );
  }
});
