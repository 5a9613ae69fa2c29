/** sigstore-python and we: each signs files and provenance by the stack, with either log, and the other verifies. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import type { JsonObject } from '#formats/json';
import { ada, startStack, temporaryFolder } from '../stack/helper.ts';
import { requirePeer } from './cache.ts';
import { passes, type Ran, runProgram } from './stack-image.ts';

const binary = requirePeer('sigstore-python');
const stack = await startStack();
const home = await temporaryFolder();
const at = (name: string): string => join(home, name);
const published = (name: string): string => join(stack.dataDir, 'public', name);
const env = { HOME: home, WAYBILL_STACK: stack.dataDir };

/** The same stack by its TUF repository, by one file, and by one file that names the log with API v2. */
const newer = JSON.parse(readFileSync(published('client_trust_config.json'), 'utf8')) as JsonObject;
const signingConfig = JSON.parse(
  readFileSync(published('signing_config_rekor_v2.v0.2.json'), 'utf8'),
) as JsonObject;
await writeFile(at('config-v2.json'), JSON.stringify({ ...newer, signingConfig }));
const ways = {
  tuf: { trust: ['--instance', stack.origins.tuf], version: '1' },
  file: { trust: ['--trust-config', published('client_trust_config.json')], version: '1' },
  'file for v2': { trust: ['--trust-config', at('config-v2.json')], version: '2' },
} as const;
const python = (...args: string[]): Promise<Ran> => runProgram(binary, args, env);
const waybill = (...args: string[]): Promise<Ran> => runProgram(resolve('bin/waybill'), args, env);
const theirWho = ['--cert-identity', ada, '--cert-oidc-issuer', stack.origins.oidc];
const ourWho = ['--certificate-identity', ada, '--certificate-oidc-issuer', stack.origins.oidc];
const token = async (): Promise<string> => (await stack.mint({ sub: ada, email: ada })).reveal();

const file = at('artifact');
await writeFile(file, 'an artifact');
await writeFile(at('other'), 'another artifact');
await passes(python(...ways.tuf.trust, 'trust-instance', published('root.json')));

for (const [way, { trust, version }] of Object.entries(ways)) {
  test(`it signs, trusting by ${way}, and both verify`, async () => {
    const bundle = at(`theirs-${way}`);
    const sign = ['sign', '--rekor-version', version, '--identity-token', await token()];
    await passes(python(...trust, ...sign, '--bundle', bundle, file));
    await passes(waybill('verify-blob', ...ourWho, '--bundle', bundle, file));
    await passes(python(...trust, 'verify', 'identity', ...theirWho, '--bundle', bundle, file));
    const wrong = await waybill('verify-blob', ...ourWho, '--bundle', bundle, at('other'));
    assert.equal(wrong.code, 12, wrong.stderr);
  });

  test(`it verifies, trusting by ${way}, what we signed, and nothing else`, async () => {
    const bundle = at(`ours-${way}`);
    const config = version === '1' ? 'signing_config.v0.2.json' : 'signing_config_rekor_v2.v0.2.json';
    const words = [
      '--identity-token',
      await token(),
      '--signing-config',
      published(config),
      '--bundle',
      bundle,
    ];
    await passes(waybill('sign-blob', ...words, file));
    const verify = [...trust, 'verify', 'identity', '--bundle', bundle];
    await passes(python(...verify, ...theirWho, '--offline', file));
    const other = await python(...verify, ...theirWho, '--offline', at('other'));
    assert.ok(other.code !== 0 && /invalid|mismatch|does not match/i.test(other.stderr), other.stderr);
    const stranger = ['--cert-identity', 'eve@example.com', '--cert-oidc-issuer', stack.origins.oidc];
    const refused = await python(...verify, ...stranger, '--offline', file);
    assert.ok(refused.code !== 0 && /eve@example\.com|SAN|identity/i.test(refused.stderr), refused.stderr);
  });
}

test('statements: it attests and we verify, we attest and it verifies', async () => {
  const type = 'https://slsa.dev/provenance/v1';
  const predicate = at('provenance.json');
  const buildDefinition = { buildType: 'https://example.com/b/v1', externalParameters: {} };
  const runDetails = { builder: { id: 'https://example.com/builder' } };
  await writeFile(predicate, JSON.stringify({ buildDefinition, runDetails }));
  const about = ['--predicate', predicate, '--predicate-type', type];
  const theirs = at('attested-by-python');
  const attest = ['attest', '--identity-token', await token(), ...about, '--bundle', theirs, file];
  await passes(python(...ways.file.trust, ...attest));
  await passes(waybill('verify-blob-attestation', ...ourWho, '--type', type, '--bundle', theirs, file));
  const ours = at('attested-by-us');
  const said = ['--type', type, '--predicate', predicate, '--bundle', ours];
  await passes(waybill('attest-blob', '--identity-token', await token(), ...said, file));
  await passes(python(...ways.file.trust, 'verify', 'identity', ...theirWho, '--bundle', ours, file));
});
