/** `@sigstore/oci`, the client of npm and of GitHub's attest action, against our registry and our reader. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { attachArtifactToImage, getImageDigest } from '@sigstore/oci';
import { utf8 } from '#base/bytes';
import { Secret } from '#base/secret';
import { mediaType } from '#formats/oci';
import { fixedCredential, listAttachments } from '#oci';
import { createRegistry, type RunningRegistry } from '#services/registry';
import { putImage, repositoryAt } from '../oci/helpers.ts';

let folder: string;
let registry: RunningRegistry;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-sigstore-oci-'));
  const all = { name: 'ci', token: new Secret('s3cret'), repositories: ['*'] };
  const tokens = [{ ...all, actions: ['pull', 'push', 'delete'] as const }];
  registry = await createRegistry({ dataDir: folder, tokens });
});
after(async () => {
  await registry.close();
  await rm(folder, { recursive: true });
});

const credentials = { username: 'ci', password: 's3cret' };

const ours = (name: string) => {
  const credential = { kind: 'basic', username: 'ci', password: new Secret('s3cret') } as const;
  return repositoryAt(registry.host, name, { credentials: fixedCredential(registry.host, credential) });
};

test('what @sigstore/oci attaches is found by ours, several at once too', async () => {
  const image = await putImage(ours('npm/app'), 'app', { tag: 'v1' });
  const imageName = `${registry.host}/npm/app`;
  assert.equal(await getImageDigest({ imageName, imageTag: 'v1', credentials }), image.digest);
  const attach = (i: number) =>
    attachArtifactToImage({
      artifact: Buffer.from(`{"n":${i}}`),
      mediaType: mediaType.bundle,
      imageName,
      imageDigest: image.digest,
      credentials,
      annotations: { 'dev.sigstore.bundle.predicateType': 'https://slsa.dev/provenance/v1' },
    });
  await Promise.all([0, 1, 2, 3].map(attach));
  const found = await listAttachments(ours('npm/app'), image.digest);
  assert.equal(found.bundles.length, 4);
  assert.equal(found.bundles[0]?.predicateType, 'https://slsa.dev/provenance/v1');
  assert.ok(found.bundles.some((bundle) => Buffer.from(bundle.bytes).equals(utf8('{"n":3}'))));
});
