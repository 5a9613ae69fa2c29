/** A stack with TLS, and what `waybill stack connect CLIENT` prints for it, said to a shell word for word. */
import assert from 'node:assert/strict';
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join, resolve } from 'node:path';
import { toHex, utf8 } from '#base/bytes';
import { sha256 } from '#base/crypto';
import type { ConnectableClient } from '#formats/client-names';
import { pemEncode } from '#formats/pem';
import { connectionOf } from '#stack';
import { startStack, temporaryFolder } from '../stack/helper.ts';
import { requirePeer } from './cache.ts';
import { foreignRegistry } from './foreign-registry.ts';
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

// A registry of others, over https; skopeo is told of its authority where containers/image looks for it.
const foreign = await foreignRegistry(folder);
const statementText = { _type: 'https://in-toto.io/Statement/v1', predicateType: 'https://example.com/p/v1' };
const subject = [{ name: 'artifact', digest: { sha256: toHex(sha256(content)) } }];
await writeFile(join(folder, 'said.json'), JSON.stringify({ ...statementText, subject, predicate: {} }));
// A browser that knows what to type, and that returns at once as real openers do.
const form = `curl -fsSL --max-time 20 --cacert "$SSL_CERT_FILE" "$1" -d email=you@example.com`;
await writeFile(join(folder, 'browser'), `#!/bin/sh\n${form} >/dev/null 2>&1 &\n`, { mode: 0o755 });

const filled = (command: string, signed: string): string =>
  command
    .replaceAll('STATEMENT', 'said.json')
    .replace(/\bCACHE\b/, join(folder, 'sigstore-js'))
    .replace('docker://SRC', `docker://${foreign}`)
    .replaceAll(`${stack.registryHost}/IMAGE@DIGEST`, signed)
    .replaceAll(`${stack.registryHost}/IMAGE:TAG`, `${repository}:copied`)
    .replaceAll(`${stack.registryHost}/IMAGE`, repository)
    .replaceAll('FILE', 'artifact')
    .replace(/\bSRC\b/, image)
    .replace(/\bSHA256\b/, toHex(sha256(content)));

/** Takes the bundle of the file away, where a client writes none over another. */
export const withoutBundle = (): Promise<void> => rm(join(folder, 'artifact.sigstore.json'));

/** The signature and the certificate in a bundle of the file, as files of their own. */
export async function takeApart(): Promise<void> {
  const bundle = JSON.parse(await readFile(join(folder, 'artifact.sigstore.json'), 'utf8')) as {
    verificationMaterial: { certificate: { rawBytes: string } };
    messageSignature: { signature: string };
  };
  const { certificate } = bundle.verificationMaterial;
  const der = Buffer.from(certificate.rawBytes, 'base64');
  await writeFile(join(folder, 'artifact.pub'), pemEncode('CERTIFICATE', der));
  await writeFile(join(folder, 'artifact.sig'), Buffer.from(bundle.messageSignature.signature, 'base64'));
}

const imageOf = (client: ConnectableClient): string => (client === 'cosign-2' ? other : image);

async function shell(command: string, variables: Readonly<Record<string, string>>): Promise<string> {
  const own = { HOME: folder, WAYBILL_STACK: stack.dataDir, BROWSER: join(folder, 'browser') };
  const env = { PATH: path, ...own, ...variables };
  const ran = await runProgram('bash', ['-c', `cd ${folder} && ${command}`], env);
  assert.equal(ran.code, 0, `${command}\n${ran.stdout}${ran.stderr}`);
  return `${ran.stdout}${ran.stderr}`;
}

/**
 * Runs the lines that are printed for a client, their placeholders filled in, or those of them that `only` names;
 * returns what each said.
 */
export async function say(client: ConnectableClient, only = /./): Promise<readonly string[]> {
  const { variables, commands } = connectionOf(client, stack.dataDir, stack.state);
  const said: string[] = [];
  const lines = commands.filter((line) => !line.startsWith('#') && only.test(line));
  assert.ok(lines.length > 0, commands.join('\n'));
  for (const text of lines) said.push(await shell(filled(text, imageOf(client)), variables));
  return said;
}

const identity = `--certificate-identity you@example.com --certificate-oidc-issuer ${stack.origins.oidc}`;
const token = '--identity-token "$(waybill stack token --email you@example.com)"';
/** Words of ours about what the client used: the same placeholders as in its lines, and who signs. */
export function ours(words: string, client: ConnectableClient = 'cosign'): Promise<string> {
  const { variables } = connectionOf('cosign', stack.dataDir, stack.state);
  const command = `waybill ${words}`
    .replace('WHO', identity)
    .replace('TOKEN', token)
    .replace('IMAGE@', `${stack.registryHost}/IMAGE@`)
    .replace('IMAGE:TAG', `${stack.registryHost}/IMAGE:TAG`);
  return shell(filled(command, imageOf(client)), variables);
}
