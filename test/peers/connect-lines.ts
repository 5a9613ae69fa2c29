/** A stack with TLS, and what `waybill stack connect CLIENT` prints for it, said to a shell word for word. */
import assert from 'node:assert/strict';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join, resolve } from 'node:path';
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
/** Lets the shell find a peer under a name; a later one takes the place of an earlier one. */
export async function install(name: string, peer: string): Promise<void> {
  await rm(join(binaries, name), { force: true });
  await symlink(requirePeer(peer), join(binaries, name));
}

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
export async function say(client: ConnectableClient, count = 5): Promise<readonly string[]> {
  const { variables, commands } = connectionOf(client, stack.dataDir, stack.state);
  const env = { PATH: path, HOME: folder, WAYBILL_STACK: stack.dataDir, ...variables };
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
