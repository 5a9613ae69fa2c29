/** skopeo copies images in and out of our registry and reads layouts we saved. Its policy: containers-image.test.ts. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { startStack, temporaryFolder } from '../stack/helper.ts';
import { requirePeer } from './cache.ts';
import { passes, pushImage, type Ran, runProgram } from './stack-image.ts';

const binary = requirePeer('skopeo');
const stack = await startStack();
const home = await temporaryFolder();
const at = (name: string): string => join(home, name);
const env = { HOME: home, WAYBILL_STACK: stack.dataDir, XDG_RUNTIME_DIR: home };
const waybill = (...args: string[]): Promise<Ran> => runProgram(resolve('bin/waybill'), args, env);
const { registryHost } = stack;

await writeFile(at('policy.json'), JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }] }));

/** Every connection is plain HTTP, and only to the registry of the stack. */
function skopeo(verb: string, ...args: string[]): Promise<Ran> {
  const plain =
    verb === 'copy' ? ['--src-tls-verify=false', '--dest-tls-verify=false'] : ['--tls-verify=false'];
  return runProgram(binary, ['--policy', at('policy.json'), verb, ...plain, ...args], env);
}

const digestOf = (reference: string): string => reference.slice(reference.indexOf('@') + 1);
const image = await pushImage(registryHost, 'acme/skopeo', 'one');

test('it copies an image out of our registry and back, and the digest stays', async () => {
  await passes(skopeo('copy', `docker://${image}`, `oci:${at('layout')}:copied`));
  const target = `${registryHost}/acme/back:1`;
  await passes(skopeo('copy', `oci:${at('layout')}:copied`, `docker://${target}`));
  const { stdout } = await passes(waybill('digest', target));
  assert.ok(stdout.includes(digestOf(image)), stdout);
  const seen = JSON.parse((await passes(skopeo('inspect', `docker://${target}`))).stdout) as {
    Digest: string;
  };
  assert.equal(seen.Digest, digestOf(image));
  const tags = await passes(skopeo('list-tags', `docker://${registryHost}/acme/back`));
  assert.deepEqual((JSON.parse(tags.stdout) as { Tags: string[] }).Tags, ['1']);
});

test('it reads a layout that we saved', async () => {
  await passes(waybill('save', image, '--dir', at('saved'), '--without-attachments'));
  const { stdout } = await passes(skopeo('copy', `oci:${at('saved')}`, `dir:${at('plain')}`));
  assert.match(stdout, /Writing manifest/);
});
