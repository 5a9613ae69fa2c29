/** sigstore-go's own command line against a running stack: trust from its TUF repository, files that we signed. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { toHex, utf8 } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { ada, personSigner, startStack, statement, temporaryFolder } from '../stack/helper.ts';
import { requirePeer } from './cache.ts';
import { passes, type Ran, runProgram } from './stack-image.ts';

const binary = requirePeer('sigstore-go-verification');
const stack = await startStack();
const home = await temporaryFolder();
const at = (name: string): string => join(home, name);
const env = { HOME: home, WAYBILL_STACK: stack.dataDir };
const waybill = (...args: string[]): Promise<Ran> => runProgram(resolve('bin/waybill'), args, env);
const published = (name: string): string => join(stack.dataDir, 'public', name);
const trust = ['--tufRootURL', stack.origins.tuf, '--tufTrustedRoot', published('root.json')];
const content = 'an artifact';
await writeFile(at('artifact'), content);
await writeFile(at('other'), 'another artifact');

function verify(name: string, artifact = 'artifact', san = ada): Promise<Ran> {
  const who = ['--expectedSAN', san, '--expectedIssuer', stack.origins.oidc];
  return runProgram(binary, [...trust, ...who, '--artifact', at(artifact), at(name)], env);
}

for (const [version, config] of [
  [1, 'signing_config.v0.2.json'],
  [2, 'signing_config_rekor_v2.v0.2.json'],
] as const) {
  test(`trusting by TUF alone it verifies what we signed with log API v${version}, and nothing else`, async () => {
    const token = (await stack.mint({ sub: ada, email: ada })).reveal();
    const name = `signed-${version}.sigstore.json`;
    const words = ['--identity-token', token, '--signing-config', published(config), '--bundle', at(name)];
    await passes(waybill('sign-blob', ...words, at('artifact')));
    await passes(verify(name));
    const changed = await verify(name, 'other');
    assert.ok(changed.code !== 0 && /signature/i.test(changed.stderr), changed.stderr);
    const stranger = await verify(name, 'artifact', 'eve@example.com');
    assert.ok(stranger.code !== 0 && /eve@example\.com/.test(stranger.stderr), stranger.stderr);
  });

  test(`and statements we signed with log API v${version}`, async () => {
    const { bundle } = await (await personSigner(stack, version)).sign(
      statement(toHex(sha256(utf8(content)))),
    );
    await writeFile(at(`stated-${version}.json`), bundle);
    await passes(verify(`stated-${version}.json`));
    const changed = await verify(`stated-${version}.json`, 'other');
    assert.ok(changed.code !== 0 && /subject|digest/i.test(changed.stderr), changed.stderr);
  });
}
