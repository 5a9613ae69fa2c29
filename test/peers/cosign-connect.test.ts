/** What `waybill stack connect CLIENT` prints, said to a shell word for word. */
import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join, resolve } from 'node:path';
import { test } from 'node:test';
import { toHex, utf8 } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { type ConnectableClient, connectionOf } from '#stack';
import { startStack, temporaryFolder } from '../stack/helper.ts';
import { requirePeer } from './cache.ts';
import { pushImage, runProgram } from './stack-image.ts';

const stack = await startStack({ tls: true });
const folder = await temporaryFolder();
const binaries = join(folder, 'bin');
await mkdir(binaries);
const peers = { cosign: 'cosign', 'rekor-cli': 'rekor-cli', crane: 'crane' };
for (const [name, peer] of Object.entries(peers)) await symlink(requirePeer(peer), join(binaries, name));
const older = join(folder, 'older');
await mkdir(older);
await symlink(requirePeer('cosign-2'), join(older, 'cosign'));
const path = [binaries, resolve('bin'), dirname(process.execPath), process.env['PATH']].join(delimiter);

const content = utf8('connected');
await writeFile(join(folder, 'artifact'), content);
const image = await pushImage(stack.registryHost, 'acme/app', 'connect');
// One that no bundle of cosign 3 is attached to: cosign 2 would take it for its own.
const other = await pushImage(stack.registryHost, 'acme/other', 'connect');
const [repository = ''] = image.split('@');

const filled = (command: string, signed: string): string =>
  command
    .replaceAll(`${stack.registryHost}/IMAGE@DIGEST`, signed)
    .replaceAll(`${stack.registryHost}/IMAGE:TAG`, `${repository}:copied`)
    .replaceAll(`${stack.registryHost}/IMAGE`, repository)
    .replaceAll('FILE', 'artifact')
    .replace(/\bSRC\b/, image)
    .replace(/\bSHA256\b/, toHex(sha256(content)));

/** Runs the lines that are printed for a client, their placeholders filled in; returns what each said. */
async function say(client: ConnectableClient, count = 5): Promise<readonly string[]> {
  const { variables, commands } = connectionOf(client, stack.dataDir, stack.state);
  const first = client === 'cosign-2' ? `${older}${delimiter}` : '';
  const env = { PATH: first + path, HOME: folder, WAYBILL_STACK: stack.dataDir, ...variables };
  const said: string[] = [];
  const signed = client === 'cosign-2' ? other : image;
  for (const text of commands.slice(0, count)) {
    const command = filled(text, signed);
    const ran = await runProgram('bash', ['-c', `cd ${folder} && ${command}`], env);
    assert.equal(ran.code, 0, `${command}\n${ran.stdout}${ran.stderr}`);
    said.push(`${ran.stdout}${ran.stderr}`);
  }
  return said;
}

test('cosign: initialize, and images and files are signed and verified', async () => {
  const said = await say('cosign');
  assert.equal(said.length, 5);
  assert.match(said.at(-1) ?? '', /Verified OK/);
});

test('cosign 2: images are signed and verified with its own files', async () => {
  const said = await say('cosign-2');
  assert.match(said.at(-1) ?? '', /The cosign claims were validated/);
});

test('rekor-cli: the log verifies, and the file that cosign signed is found', async () => {
  const [info = '', found = ''] = await say('rekor-cli', 2);
  assert.match(info, /Verification Successful/);
  assert.match(found, /[0-9a-f]{64}/);
});

test('crane: an image is copied and listed', async () => {
  assert.match((await say('crane')).join('\n'), /^copied$/m);
});
