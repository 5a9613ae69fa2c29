/** Real cosign, crane and rekor-cli against stations that run one by one, over TLS, knowing one root. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { generateKey } from '#base/crypto';
import { pemEncode } from '#formats/pem';
import { selfSignedAuthority, serialNumber, serverCertificate } from '#formats/x509-build';
import { httpTransport } from '#platform/http-client';
import { systemClock, systemRandom } from '#platform/system';
import { startConstellation, temporaryFolder } from '../stack/serve-fixture.ts';
import { requirePeer } from './cache.ts';
import { type Ran, runProgram } from './stack-image.ts';

const [cosign, crane, rekor] = ['cosign', 'crane', 'rekor-cli'].map((name) => requirePeer(name)) as [
  string,
  string,
  string,
];
const home = await temporaryFolder();
const file = (name: string): string => join(home, name);

const issue = () => ({
  serial: serialNumber(systemRandom.bytes(20)),
  notBefore: systemClock.now() - 60_000,
  notAfter: systemClock.now() + 3_600_000,
});
const authority = selfSignedAuthority('stations', generateKey('p256'), issue());
const key = generateKey('p256');
const leaf = serverCertificate(authority, ['127.0.0.1'], key.publicKey, issue());
await writeFile(file('ca.pem'), pemEncode('CERTIFICATE', authority.certificate.der));
await writeFile(file('tls.pem'), pemEncode('CERTIFICATE', leaf));
await writeFile(file('tls.key'), key.exportPem(), { mode: 0o600 });

// Clients of registries and the development issuer speak plain http to this machine.
const plain = new Set(['oidc', 'registry']);
const world = await startConstellation((name) => ({
  transport: httpTransport({ caFile: file('ca.pem') }),
  ...(plain.has(name) ? {} : { tls: { certFile: file('tls.pem'), keyFile: file('tls.key') } }),
}));
after(() => world.close());
const { ca, log, tuf, registry, oidc } = world.origins as Record<string, string>;
const image = `${new URL(registry as string).host}/acme/app:1`;

const env = { HOME: home, SSL_CERT_FILE: file('ca.pem') };
async function passes(binary: string, ...args: string[]): Promise<Ran> {
  const ran = await runProgram(binary, args, env);
  assert.equal(ran.code, 0, `${args.join(' ')}\n${ran.stderr}`);
  return ran;
}
const who = (name: string): string[] => [
  ...['--certificate-identity', name],
  ...['--certificate-oidc-issuer', oidc as string],
];

test('one cosign initialize, and images and files are signed and verified by stations of their own', async () => {
  assert.match(ca as string, /^https:/);
  const root = join(world.dir, 'tuf', 'public', 'root.json');
  await passes(cosign, 'initialize', '--mirror', tuf as string, '--root', root);
  await writeFile(file('artifact'), 'content');
  const signing = ['--yes', '--identity-token', await world.token()];
  await passes(cosign, 'sign-blob', ...signing, '--bundle', file('bundle'), file('artifact'));
  await passes(
    cosign,
    'verify-blob',
    ...who('ada@example.com'),
    '--bundle',
    file('bundle'),
    file('artifact'),
  );
  const eve = ['verify-blob', ...who('eve@example.com'), '--bundle', file('bundle'), file('artifact')];
  assert.notEqual((await runProgram(cosign, eve, env)).code, 0);
  // An empty archive is two blocks of zeros.
  await writeFile(file('layer.tar'), Buffer.alloc(1024));
  await passes(crane, 'append', '--new_layer', file('layer.tar'), '--new_tag', image);
  const digest = (await passes(crane, 'digest', image)).stdout.trim();
  const pinned = image.replace(/:1$/, `@${digest}`);
  await passes(cosign, 'sign', ...signing, pinned);
  await passes(cosign, 'verify', ...who('ada@example.com'), pinned);
});

test('without the authority nobody is believed; rekor-cli verifies the log', async () => {
  const nothing = await temporaryFolder();
  const bare = { HOME: home, SSL_CERT_FILE: '/dev/null', SSL_CERT_DIR: nothing };
  const refused = await runProgram(rekor, ['--rekor_server', log as string, 'loginfo'], bare);
  assert.notEqual(refused.code, 0);
  assert.match(
    (await passes(rekor, '--rekor_server', log as string, 'loginfo')).stdout,
    /Verification Successful/,
  );
});
