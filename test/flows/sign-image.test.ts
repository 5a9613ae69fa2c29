import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { FixedClock } from '#base/clock';
import { digestOf } from '#base/digest';
import { attestImage } from '#flows/attest-image';
import { type SignImageDeps, signImage } from '#flows/sign-image';
import { parseStatement } from '#formats/intoto';
import { createRegistry } from '#services/registry';
import type { Signer, SignResult } from '#sign';
import { noTrustMaterial } from '#verify';
import { putImage, quickRegistry, reasonOf, repositoryAt } from '../oci/helpers.ts';

async function openRegistry() {
  const dataDir = await mkdtemp(join(tmpdir(), 'waybill-test-sign-image-'));
  const running = await createRegistry({ dataDir });
  return {
    host: running.host,
    async [Symbol.asyncDispose]() {
      await running.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

const depsWith = (signer: Signer): SignImageDeps => ({
  registry: quickRegistry(),
  signer,
  trustedRoot: noTrustMaterial,
  clock: new FixedClock(0),
});

/** What a log of API version 2 leaves for the legacy layout: no promise. */
const withoutPromise = { legacy: { signature: 'c2ln' }, entries: [{}] } as unknown as SignResult;

test('both layouts or none: where a log gives no promise nothing is attached and no bundle is logged', async () => {
  await using registry = await openRegistry();
  const repository = repositoryAt(registry.host);
  const image = await putImage(repository, 'hello', { tag: 'v1' });
  const asked: string[] = [];
  const signer: Signer = {
    sign: async ({ kind }) => {
      asked.push(kind);
      return withoutPromise;
    },
  };
  const options = { format: 'both', annotations: {}, recursive: false } as const;
  const why = await reasonOf(signImage(`${registry.host}/team/app:v1`, options, depsWith(signer)));
  assert.equal(why.code, 'WB-903');
  assert.deepEqual(asked, ['message']);
  assert.deepEqual(await repository.referrers(image.digest), []);
  assert.deepEqual(await repository.tags(), ['v1']);
});

test('an image named by SHA-512 is named by it in statements too', async () => {
  await using registry = await openRegistry();
  const repository = repositoryAt(registry.host);
  const image = await putImage(repository, 'hello');
  const digest = digestOf(image.bytes, 'sha512');
  await repository.putManifest({ ...image, digest });
  const stop = new Error('enough was seen');
  const subjects: unknown[] = [];
  const signer: Signer = {
    sign: (content) => {
      const statement = content.kind === 'dsse' ? parseStatement(content.payload) : undefined;
      if (statement?.ok === true) subjects.push(statement.value.subject[0]?.digest);
      return Promise.reject(stop);
    },
  };
  const given = `${registry.host}/team/app@${digest}`;
  const options = { format: 'bundle', annotations: {}, recursive: false } as const;
  await assert.rejects(signImage(given, options, depsWith(signer)), stop);
  const predicate = { type: 'https://example.org/predicate', value: {} };
  await assert.rejects(attestImage(given, predicate, 'bundle', depsWith(signer)), stop);
  const named = { sha512: digest.slice('sha512:'.length) };
  assert.deepEqual(subjects, [named, named]);
});
