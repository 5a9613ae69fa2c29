/** The documents `waybill stack connect` writes for clients that read one. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Document, parseAllDocuments } from 'yaml';
import type { DocumentClient } from '#formats/client-names';
import { systemClock } from '#platform/system';
import { documentOf } from '#stack';
import { startStack } from './helper.ts';

const stack = await startStack();
const { dataDir, registryHost } = stack;
const { origins } = stack.state;
const identity = 'o.k+1@example.com';

const textOf = async (client: DocumentClient): Promise<string> =>
  (await documentOf(client, dataDir, stack.state, { identity })).text;
async function written(client: DocumentClient, part = 0): Promise<(...path: (string | number)[]) => unknown> {
  const parts = parseAllDocuments(await textOf(client)) as Document[];
  return (...path) => parts[part]?.getIn(path);
}
const published = (name: string): Promise<string> => readFile(join(dataDir, 'public', name), 'utf8');
const decoded = (text: unknown): string => Buffer.from(String(text), 'base64').toString();

test('Kyverno is given the chain and both log keys of this stack', async () => {
  const at = await written('kyverno');
  const image = ['spec', 'rules', 0, 'verifyImages', 0];
  const keyless = [...image, 'attestors', 0, 'entries', 0, 'keyless'];
  assert.equal(at(...image, 'imageReferences', 0), `${registryHost}/*`);
  assert.equal(at(...image, 'failureAction'), 'Enforce');
  assert.deepEqual([at(...keyless, 'issuer'), at(...keyless, 'subject')], [origins.oidc, identity]);
  assert.equal(at(...keyless, 'roots'), await published('fulcio_chain.pem'));
  assert.equal(at(...keyless, 'rekor', 'pubkey'), await published('rekor.pub'));
  assert.equal(at(...keyless, 'rekor', 'url'), origins.log);
  assert.equal(at(...keyless, 'ctlog', 'pubkey'), await published('ctfe.pub'));
});

test('policy-controller follows the TUF repository of this stack, and its policy names that root', async () => {
  const root = await written('policy-controller', 0);
  assert.equal(decoded(root('spec', 'remote', 'root')), await published('root.json'));
  assert.equal(root('spec', 'remote', 'mirror'), origins.tuf);
  const policy = await written('policy-controller', 1);
  const authority = ['spec', 'authorities', 0];
  for (const part of ['keyless', 'ctlog']) {
    assert.equal(policy(...authority, part, 'trustRootRef'), root('metadata', 'name'));
  }
  assert.equal(policy(...authority, 'keyless', 'identities', 0, 'subject'), identity);
});

test('podman takes images of this registry by one person only, and nothing else', async () => {
  const at = await written('podman');
  const rule = ['transports', 'docker', registryHost, 0];
  assert.equal(decoded(at(...rule, 'fulcio', 'caData')), await published('fulcio_chain.pem'));
  assert.equal(decoded(at(...rule, 'rekorPublicKeyData')), await published('rekor.pub'));
  assert.deepEqual([at(...rule, 'fulcio', 'subjectEmail'), at('default', 0, 'type')], [identity, 'reject']);
});

test('gh is given the trusted root as one line that ends', async () => {
  const lines = (await textOf('gh')).split('\n');
  assert.deepEqual([lines.length, lines[1]], [2, '']);
  assert.deepEqual(JSON.parse(lines[0] ?? ''), JSON.parse(await published('trusted_root.json')));
});

test('Flux is given the trusted root and expressions that match nobody else', async () => {
  const secret = await written('flux', 0);
  assert.equal(secret('stringData', 'trusted_root.json'), await published('trusted_root.json'));
  const source = await written('flux', 1);
  const demand = ['spec', 'verify', 'matchOIDCIdentity', 0];
  const subject = new RegExp(String(source(...demand, 'subject')));
  assert.ok(subject.test(identity) && !subject.test('oxkk1@example.com'));
  assert.ok(new RegExp(String(source(...demand, 'issuer'))).test(origins.oidc));
});

test('after rotations podman and Kyverno are given every authority and log, and none that was stolen', async () => {
  const first = { ca: await published('fulcio_chain.pem'), log: await published('rekor.pub') };
  const ct = await published('ctfe.pub');
  for (const station of ['ca', 'log', 'ct'] as const) await stack.rotation.rotate({ station, overlapMs: 0 });
  const second = await published('fulcio_chain.pem');
  const rule = ['transports', 'docker', registryHost, 0];
  const podman = await written('podman');
  assert.equal(decoded(podman(...rule, 'fulcio', 'caData')), second + first.ca);
  assert.equal(podman(...rule, 'rekorPublicKeyData'), undefined, 'one of the two fields alone');
  const keys = [0, 1].map((i) => decoded(podman(...rule, 'rekorPublicKeyDatas', i)));
  assert.deepEqual(keys, [await published('rekor.pub'), first.log]);
  const entries = (await textOf('kyverno')).matchAll(/keyless:/g);
  assert.ok([...entries].length >= 2);
  const kyverno = await written('kyverno');
  const attestors = ['spec', 'rules', 0, 'verifyImages', 0, 'attestors', 0];
  const newest = [...attestors, 'entries', 0, 'keyless'];
  assert.equal(kyverno(...newest, 'rekor', 'pubkey'), await published('rekor.pub'));
  assert.equal(kyverno(...newest, 'ctlog', 'pubkey'), await published('ctfe.pub'));
  assert.equal(kyverno(...attestors, 'count'), 1);
  const text = await textOf('kyverno');
  for (const part of [first.log, ct]) assert.ok(text.includes(part.split('\n')[1] as string));
  // The second authority is stolen: its successor and the first are named, and it is said that it is not.
  await stack.rotation.rotate({ station: 'ca', overlapMs: 0, stolenSince: systemClock.now() });
  const third = await published('fulcio_chain.pem');
  const after = await written('podman');
  assert.equal(decoded(after(...rule, 'fulcio', 'caData')), third + first.ca);
  assert.match(await textOf('kyverno'), /^# ca: generation 2 was stolen;/);
  const { notes } = await documentOf('podman', dataDir, stack.state, { identity });
  assert.deepEqual(notes, ['ca: generation 2 was stolen; what it signed before is refused too']);
});
