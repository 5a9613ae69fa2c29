import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { toHex, utf8, utf8Text } from '#base/bytes';
import { generateKey, sha256 } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import { run } from '#platform/process';
import { systemClock } from '#platform/system';
import { fetchDevelopmentToken, readState, refuseDevelopment, stackStatus } from '#stack';
import { loadTrust } from '#trust';
import { identity, requireKeyless, trustMaterial, type Verdict, verifyBundle } from '#verify';
import {
  ada,
  message,
  personSigner,
  signerOf,
  startStack,
  statement,
  temporaryFolder,
  trustedRootOf,
  wire,
} from './helper.ts';

const artifact = utf8('an artifact');
const hex = toHex(sha256(artifact));

function judge(stack: Awaited<ReturnType<typeof startStack>>, bundle: Uint8Array, san = ada): Verdict {
  const who = unwrap(identity({ issuer: stack.origins.oidc, san }));
  return verifyBundle({
    artifact,
    bundle: unwrap(parseBundle(bundle)),
    trustedRoot: trustMaterial(trustedRootOf(stack)),
    requirements: unwrap(requireKeyless({ identities: [who] })),
    now: systemClock.now(),
  });
}

const accepted = (verdict: Verdict): void =>
  assert.equal(verdict.outcome, 'accepted', JSON.stringify(verdict, undefined, 1).slice(0, 600));
const code = (wanted: string) => (error: unknown) => {
  assert.ok(error instanceof WaybillError, String(error));
  assert.equal(error.reason.code, wanted, error.message);
  return true;
};

const stack = await startStack();

for (const version of [1, 2] as const) {
  test(`a statement signed over log API v${version} verifies for the signer and nobody else`, async () => {
    const signed = await (await personSigner(stack, version)).sign(statement(hex));
    accepted(judge(stack, signed.bundle));
    const other = judge(stack, signed.bundle, 'eve@example.com');
    assert.equal(other.outcome === 'rejected' && other.reason.exit, 14);
    const [entry] = signed.entries;
    assert.equal(entry?.integratedTime === 0, version === 2);
    assert.equal(entry?.inclusionPromise === undefined, version === 2);
    assert.equal(signed.verdict.degraded.includes('subject'), true);
  });

  test(`a message signed over log API v${version} verifies`, async () => {
    const signed = await (await personSigner(stack, version)).sign({ kind: 'message', bytes: artifact });
    accepted(judge(stack, signed.bundle));
  });
}

test('one certificate serves several signatures of one flow', async () => {
  const signer = await personSigner(stack);
  const first = await signer.sign(message('one'));
  const second = await signer.sign(message('two'));
  assert.equal(first.certificate?.serialHex, second.certificate?.serialHex);
});

test('a key signs without certificate and without time', async () => {
  const signer = signerOf(stack, { kind: 'key', key: generateKey('p384') }, { logVersion: 2 });
  const signed = await signer.sign(statement(hex));
  assert.equal(signed.certificate, undefined);
  assert.equal(signed.verdict.signer.kind, 'key');
});

test('a workflow is certified with the claims of its token', async () => {
  const token = await stack.mint({
    realm: 'github',
    sub: 'repo:acme/shop:ref:refs/heads/main',
    claims: (await import('#services/oidc')).githubClaims({
      repository: 'acme/shop',
      ref: 'refs/heads/main',
      sha: 'c'.repeat(40),
    }),
  });
  const signed = await signerOf(stack, { kind: 'token', token }).sign(statement(hex));
  const { signer } = signed.verdict;
  assert.ok(signer.kind === 'certificate');
  assert.equal(signer.issuer, `${stack.origins.oidc}/github`);
  assert.equal(
    signer.san.value,
    'https://github.com/acme/shop/.github/workflows/release.yml@refs/heads/main',
  );
  assert.equal(signer.claims.sourceRepositoryDigest, 'c'.repeat(40));
});

test('a machine is certified with the fields its claims name, absent ones left out', async () => {
  const sub = 'https://builder.example/builders/userns/v1';
  const claims = { sourceRepositoryUri: 'https://git.example/acme/app', buildTrigger: 'manual' };
  const token = await stack.mint({ realm: 'workload', sub, claims });
  const signed = await signerOf(stack, { kind: 'token', token }).sign(statement(hex));
  const { signer } = signed.verdict;
  assert.ok(signer.kind === 'certificate');
  assert.equal(signer.san.value, sub);
  assert.equal(signer.claims.sourceRepositoryUri, claims.sourceRepositoryUri);
  assert.equal(signer.claims.sourceRepositoryRef, undefined);
});

test('a token of a foreign issuer is refused by the authority: WB-810, exit 30', async () => {
  const token = await stack.mint({ sub: ada, email: ada, claims: { iss: 'https://idp.example' } });
  await assert.rejects(signerOf(stack, { kind: 'token', token }).sign(message('x')), (error) => {
    assert.equal(error instanceof WaybillError && error.reason.exit, 30);
    return code('WB-810')(error);
  });
});

test('an expired token is refused before anything is asked: WB-622, exit 31', async () => {
  const token = await stack.mint({ sub: ada, email: ada, expiresIn: -1 });
  await assert.rejects(signerOf(stack, { kind: 'token', token }).sign(message('x')), code('WB-622'));
});

test('a signature made with another instance is not given out: WB-815', async () => {
  const other = await startStack();
  const token = await stack.mint({ sub: ada, email: ada });
  const signer = signerOf(stack, { kind: 'token', token }, { trustedRoot: trustedRootOf(other) });
  await assert.rejects(signer.sign(message('x')), code('WB-815'));
});

test('the TUF repository gives what the data directory holds', async () => {
  const root = join(stack.dataDir, 'public', 'root.json');
  const source = { kind: 'tuf', mirror: stack.origins.tuf, root, cacheDir: await temporaryFolder() } as const;
  const trust = await loadTrust(source, wire);
  assert.deepEqual(trust.trustedRootBytes, stack.published.trustedRoot);
  assert.deepEqual(trust.signingConfigBytes, stack.published.signingConfig);
  const config = await loadTrust(
    { kind: 'config', path: join(stack.dataDir, 'public', 'client_trust_config.json') },
    wire,
  );
  assert.equal(config.trustedRoot.tlogs.length, 2);
  assert.equal(config.signingConfig?.rekorTlogUrls[0]?.majorApiVersion, 1);
});

test('a second start continues: same keys, same logs, old signatures verify, new ones follow', async () => {
  const dataDir = join(await temporaryFolder(), 'data');
  const first = await startStack({ dataDir });
  const signed = await (await personSigner(first)).sign(statement(hex));
  await first.close();
  const second = await startStack({ dataDir });
  assert.deepEqual(second.origins, first.origins);
  assert.deepEqual(second.published.trustedRoot, first.published.trustedRoot);
  accepted(judge(second, signed.bundle));
  const next = await (await personSigner(second)).sign(statement(hex));
  assert.equal(next.entries[0]?.logIndex, (signed.entries[0]?.logIndex ?? 0) + 1);
  assert.equal((await second.stations.tuf.status())?.targetsVersion, 1);
});

test('a clock that went back over a restart is refused, and nothing is changed: WB-1215', async () => {
  const dataDir = join(await temporaryFolder(), 'data');
  await (await startStack({ dataDir })).close();
  const behind = { now: () => systemClock.now() - 3_600_000 };
  await assert.rejects(startStack({ dataDir, clock: behind }), code('WB-1215'));
  await (await startStack({ dataDir })).close();
});

test('two processes cannot use one data directory: WB-210', async () => {
  await assert.rejects(startStack({ dataDir: stack.dataDir }), code('WB-210'));
});

test('a development stack stays on this machine: WB-1201', async () => {
  await assert.rejects(startStack({ host: '0.0.0.0' }), code('WB-1201'));
});

test('a server that others rely on refuses the data directory: WB-1203', async () => {
  await assert.rejects(refuseDevelopment(stack.dataDir), code('WB-1203'));
  await refuseDevelopment(await temporaryFolder());
});

test('a state file of something else is WB-1202', async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'stack.json'), '{"schema":"other"}');
  await assert.rejects(readState(folder), code('WB-1202'));
});

test('status asks every station and shows what expires', async () => {
  const cacheDir = await temporaryFolder();
  const status = await stackStatus(stack.dataDir, { ...wire, cacheDir });
  assert.equal(status.isUp, true, JSON.stringify(status.stations));
  assert.ok((status.stations.find(({ name }) => name === 'log')?.entries ?? 0) > 0);
  assert.ok((status.trust?.expires.timestamp ?? 0) > systemClock.now());
});

test('a token request the issuer refuses is WB-1204', async () => {
  await assert.rejects(fetchDevelopmentToken(stack.origins, {}, wire.transport), code('WB-1204'));
});

test('private files are readable by their owner only, public ones hold no key', async () => {
  for (const name of ['ca/keys/root.key', 'log/keys/log.key', 'tuf/keys/root-1.key', 'oidc/issuer.key']) {
    assert.equal((await stat(join(stack.dataDir, name))).mode & 0o077, 0, name);
  }
  const environment = await readFile(join(stack.dataDir, 'public', 'env'), 'utf8');
  assert.match(environment, new RegExp(`export TUF_MIRROR=${stack.origins.tuf}`));
});

const { code: opensslCode } = await run('openssl', ['version']);
if (opensslCode !== 0) console.log('note: openssl is not there; its view of the stack did not run');
else {
  test('openssl accepts the timestamps and the chain of the certificate', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'waybill-test-openssl-'));
    const signed = await (await personSigner(stack)).sign(message('timed'));
    const bundle = unwrap(parseBundle(signed.bundle));
    const file = async (name: string, data: Uint8Array | string): Promise<string> => {
      const path = join(folder, name);
      await writeFile(path, data);
      return path;
    };
    const pem = async (name: string): Promise<string[]> => {
      const text = await readFile(join(stack.dataDir, 'public', name), 'utf8');
      return text.split(/(?<=-----END CERTIFICATE-----\n)/).filter((part) => part !== '');
    };
    const [tsaLeaf = '', tsaRoot = ''] = await pem('tsa_chain.pem');
    const [intermediate = '', root = ''] = await pem('fulcio_chain.pem');
    const openssl = (...args: string[]): string =>
      execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    const stamped = openssl(
      ...['ts', '-verify', '-in', await file('token.tsr', bundle.timestamps[0] as Uint8Array)],
      ...['-data', await file('signature', signed.signature)],
      ...['-CAfile', await file('tsa-root.pem', tsaRoot), '-untrusted', await file('tsa-leaf.pem', tsaLeaf)],
    );
    assert.match(stamped, /Verification: OK/);
    const verified = openssl(
      ...['verify', '-ignore_critical', '-purpose', 'any', '-CAfile', await file('root.pem', root)],
      ...['-untrusted', await file('intermediate.pem', intermediate)],
      await file('leaf.pem', signed.legacy.certificate ?? ''),
    );
    assert.match(verified, /leaf\.pem: OK/);
    assert.equal(utf8Text(utf8(signed.legacy.chain ?? '')), intermediate + root);
  });
}
