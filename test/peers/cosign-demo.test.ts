import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { requirePeer } from './cache.ts';

const cosign = requirePeer('cosign');
const folder = mkdtempSync(join(tmpdir(), 'waybill-cosign-demo-'));

interface DemoRecord {
  readonly failed: number;
  readonly image: string;
  readonly kept: { readonly stackDir: string; readonly pid: number };
}

let record: DemoRecord;
let issuer = '';

before(async () => {
  const json = join(folder, 'demo.json');
  const code = await new Promise<number>((done) => {
    const child = spawn(process.execPath, ['demo/demo.ts', '--keep', '--json', json], { stdio: 'ignore' });
    child.on('close', (status) => done(status ?? -1));
  });
  record = JSON.parse(readFileSync(json, 'utf8')) as DemoRecord;
  assert.equal(code, 0, 'the demo itself failed');
  const state = readFileSync(join(record.kept.stackDir, 'stack.json'), 'utf8');
  issuer = (JSON.parse(state) as { origins: { oidc: string } }).origins.oidc;
});

after(() => {
  process.kill(record.kept.pid, 'SIGTERM');
  rmSync(folder, { recursive: true, force: true });
  rmSync(dirname(record.kept.stackDir), { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
});

const RELEASE = 'https://github.com/acme/api/.github/workflows/release.yml@refs/tags/v1.4.2';
const BUILDER = 'https://builder.acme.example/builders/userns/v1';

function run(...args: string[]): { readonly status: number | null; readonly text: string } {
  const trusted = join(record.kept.stackDir, 'public', 'trusted_root.json');
  const done = spawnSync(cosign, [...args, '--trusted-root', trusted, record.image], {
    encoding: 'utf8',
    env: { ...process.env, HOME: folder, TUF_ROOT: join(folder, 'tuf') },
  });
  return { status: done.status, text: `${done.stdout}${done.stderr}` };
}

const by = (identity: string, realm: string): string[] => [
  ...['--certificate-identity', identity],
  ...['--certificate-oidc-issuer', `${issuer}/${realm}`],
];

test('cosign verifies the signature the demo made', () => {
  const { status, text } = run('verify', ...by(RELEASE, 'github'));
  assert.equal(status, 0, text);
});

test('cosign verifies the legacy signature the demo made', () => {
  const { status, text } = run('verify', '--new-bundle-format=false', ...by(RELEASE, 'github'));
  assert.equal(status, 0, text);
});

test('cosign refuses it for another identity', () => {
  const { status, text } = run('verify', ...by(`${RELEASE}x`, 'github'));
  assert.notEqual(status, 0);
  assert.match(text, /no matching CertificateIdentity found/);
});

for (const type of ['cyclonedx', 'vuln']) {
  test(`cosign verifies the ${type} attestation the demo made`, () => {
    const { status, text } = run('verify-attestation', '--type', type, ...by(RELEASE, 'github'));
    assert.equal(status, 0, text);
  });
}

for (const type of ['slsaprovenance', 'slsaprovenance1']) {
  test(`cosign verifies the ${type} attestation of the builder`, () => {
    const { status, text } = run('verify-attestation', '--type', type, ...by(BUILDER, 'workload'));
    assert.equal(status, 0, text);
  });
}
