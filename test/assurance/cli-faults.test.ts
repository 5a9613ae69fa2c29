/**
 * The command line while files and registry fail at every call: no run says verified that says something else
 * when nothing fails, and every other run ends with a reason and its exit code.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { toBase64, utf8 } from '#base/bytes';
import { generateKey, publicKeyPem } from '#base/crypto';
import { COSIGN_SIGN_V1 } from '#formats/intoto';
import { descriptorOf } from '#formats/oci';
import { attachBundle } from '#oci';
import { httpTransport, type Transport } from '#platform/http-client';
import { noNetwork, type Told, tellIn } from '../cli/in-process.ts';
import { faultyRegistry } from '../double/registry-faults.ts';
import { EPOCH, ISSUER, SUBJECT, VirtualStack } from '../double/virtual-stack.ts';
import { putImage, repositoryAt } from '../oci/helpers.ts';
import { atEveryCall, type FaultKind, type Faults, faultyTransport, recordedTransport } from './faulty.ts';
import { diskFaultKinds, withFaultyDisk } from './faulty-disk.ts';

const folder = mkdtempSync(join(tmpdir(), 'waybill-cli-faults-'));
after(() => rmSync(folder, { recursive: true }));
const stack = new VirtualStack();
stack.dump(folder);
const registry = await faultyRegistry();
after(() => registry.close());

const file = (name: string, content: Uint8Array | string): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const text = utf8('a release archive');
const artifact = file('release.tar', text);
const other = file('other.tar', 'another archive');
const key = generateKey('p256');
const stranger = generateKey('p256');
const keyFile = file('key.pub', publicKeyPem(key.publicKey));
const strangerFile = file('stranger.pub', publicKeyPem(stranger.publicKey));
const bundle = file('keyless.json', stack.sign({ artifact: text }).bytes);
const bare = file('bare.sig', toBase64(key.sign(text)));
const trust = ['--trusted-root', join(folder, 'trusted_root.json')];
const who = ['--certificate-identity', SUBJECT, '--certificate-oidc-issuer', ISSUER];
const eve = ['--certificate-identity', 'eve@evil.example', '--certificate-oidc-issuer', ISSUER];

interface Case {
  readonly name: string;
  readonly words: readonly string[];
  /** What a run without faults ends with. */
  readonly exit: number;
}

const blobs: readonly Case[] = [
  { name: 'a keyless bundle', words: [artifact, '--bundle', bundle, ...trust, ...who], exit: 0 },
  { name: 'another file', words: [other, '--bundle', bundle, ...trust, ...who], exit: 12 },
  { name: 'another identity', words: [artifact, '--bundle', bundle, ...trust, ...eve], exit: 14 },
  {
    name: 'a bare signature by a key',
    words: [artifact, '--signature', bare, '--key', keyFile, '--insecure-ignore-tlog'],
    exit: 0,
  },
  {
    name: 'a bare signature by another key',
    words: [artifact, '--signature', bare, '--key', strangerFile, '--insecure-ignore-tlog'],
    exit: 12,
  },
];

async function publish(name: string, signer: string | undefined): Promise<string> {
  const sink = repositoryAt(registry.host, `cli/${name}`);
  const image = await putImage(sink, name, { tag: 'v1' });
  if (signer !== undefined) {
    const leaf = { sans: [{ type: 'email', value: signer }] } as const;
    const { bytes } = stack.sign({ artifact: image.bytes, statement: 'cosign', leaf });
    const how = { predicateType: COSIGN_SIGN_V1, createdMs: EPOCH };
    await attachBundle(sink, descriptorOf(image), bytes, how);
  }
  return `${registry.host}/cli/${name}@${image.digest}`;
}

const images: readonly Case[] = [
  { name: 'a signed image', words: [await publish('signed', SUBJECT)], exit: 0 },
  { name: 'an image signed by another', words: [await publish('by-another', 'eve@evil.example')], exit: 14 },
  { name: 'an image without signature', words: [await publish('unsigned', undefined)], exit: 10 },
];
function assertHonest(told: Told, { name, exit }: Case, { plan, calls, fired }: Faults): void {
  const where = `${name}, ${plan?.kind} at ${plan?.at} of ${calls}${plan?.lasts === true ? ' and on' : ''}`;
  const said = `${where}: exit ${told.exit}\n${told.stdout}\n${told.stderr}`;
  if (fired === 0 || told.exit === 0) assert.equal(told.exit, exit, said);
  if (told.exit === 0) return;
  assert.notEqual(told.exit, 1, said);
  assert.match(told.reason?.code ?? told.stderr, /WB-\d+/, said);
  assert.notEqual(told.reason?.side, 'defect', said);
  assert.doesNotMatch(told.stdout, /verified/, said);
}

for (const one of blobs) {
  test(`verify-blob, ${one.name}: files that fail at any call verify nothing more`, async () => {
    const runs = await atEveryCall(async (faults) => {
      const words = ['verify-blob', ...one.words];
      const world = { cwd: folder, clock: stack.clock, transport: noNetwork };
      const told = await withFaultyDisk(folder, faults, () => tellIn(world, words));
      assertHonest(told, one, faults);
    }, diskFaultKinds);
    assert.ok(runs >= 2 * diskFaultKinds.length, `${runs} faults`);
  });
}

const recorded: Transport = recordedTransport(httpTransport());
/** What is not asked again after a pause, from a call on; a connection that breaks, once. */
const kinds: readonly FaultKind[] = ['truncated', 'empty', 'flipped', 'garbage', 'missing'];

for (const one of images) {
  test(`verify, ${one.name}: a registry that fails at any call verifies nothing more`, async () => {
    const ask = async (faults: Faults): Promise<void> => {
      const transport = faultyTransport(recorded, faults);
      const words = ['verify', ...one.words, ...trust, ...who];
      assertHonest(await tellIn({ cwd: folder, clock: stack.clock, transport }, words), one, faults);
    };
    const runs = (await atEveryCall(ask, kinds, [true])) + (await atEveryCall(ask, ['throw'], [false]));
    assert.ok(runs >= kinds.length, `${runs} faults`);
  });
}
