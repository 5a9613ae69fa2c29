/** The audit service in a whole stack: what passes through it is found, whatever becomes of registry and process. */
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { toHex, utf8 } from '#base/bytes';
import { sha256 } from '#base/crypto';
import type { Stack } from '#stack';
import { ada, personSigner, startStack, statement, temporaryFolder } from '../stack/helper.ts';
import { asked, attested, essence, pushedImage, signed } from './audit-fixture.ts';
import { call } from './log-fixture.ts';

/** Rekor's index query: leaf indices of the answer in the v1 log. */
async function indexed(stack: Stack, query: object): Promise<number[]> {
  const found = await call(`${stack.origins.log}/api/v1/index/retrieve`, query);
  assert.equal(found.status, 200, found.text);
  const indices: number[] = [];
  for (const id of found.json as string[]) {
    const { json } = await call(`${stack.origins.log}/api/v1/log/entries/${id}`);
    indices.push(json[id].logIndex);
  }
  return indices;
}

test('plain signatures, statements and both logs answer to the image digest, and to nobody else’s', async () => {
  const stack = await startStack();
  const [image, other] = [await pushedImage(stack, 'app'), await pushedImage(stack, 'other')];
  await signed(stack, image, 'legacy');
  await signed(stack, other, 'legacy');
  await attested(stack, image);
  await signed(stack, image, 'bundle', { logVersion: 2 });
  await signed(stack, other, 'bundle', { logVersion: 2, email: 'eve@example.com' });

  const { steps, unproven } = await asked(stack, { digest: image.digest });
  assert.deepEqual(unproven, []);
  const places = steps.map(({ origin, logIndex, verdict }) => {
    const log = origin.includes(' - ') ? 'v1' : 'v2';
    return `${log} ${logIndex} ${verdict.simpleSigning === undefined ? 'statement' : 'plain'}`;
  });
  assert.deepEqual(places.toSorted(), ['v1 0 plain', 'v1 2 statement', 'v2 0 statement']);
  assert.deepEqual(await indexed(stack, { hash: image.digest }), [0, 2]);
  assert.deepEqual(await indexed(stack, { hash: other.digest }), [1]);
  const both = { hash: image.digest, email: ada, operator: 'and' };
  assert.deepEqual(await indexed(stack, both), [0, 2]);
  assert.deepEqual(await indexed(stack, { ...both, email: 'eve@example.com' }), []);

  const byName = await asked(stack, { identity: 'EVE@example.com' });
  assert.deepEqual(
    byName.steps.map((step) => step.digests),
    [[other.digest]],
  );
  const issuer = stack.origins.oidc;
  assert.equal((await asked(stack, { issuer })).steps.length, 5);
  assert.equal((await asked(stack, { digest: image.digest, identity: ada, issuer })).steps.length, 3);
  await assert.rejects(asked(stack, { digest: image.digest, identity: 'eve@example.com' }), /WB-907/);
});

test('the answer is the same after the registry was wiped', async () => {
  const dataDir = join(await temporaryFolder(), 'data');
  const first = await startStack({ dataDir });
  const image = await pushedImage(first, 'app');
  await signed(first, image, 'both');
  await attested(first, image, 2);
  const before = essence(await asked(first, { digest: image.digest }));
  const uuids = await indexed(first, { hash: image.digest });
  await first.close();
  await rm(join(dataDir, 'registry'), { recursive: true });
  const second = await startStack({ dataDir, hasLostImages: true });
  assert.equal((await fetch(`http://${second.registryHost}/v2/app/manifests/${image.digest}`)).status, 404);
  assert.deepEqual(essence(await asked(second, { digest: image.digest })), before);
  assert.deepEqual(await indexed(second, { hash: image.digest }), uuids);
  assert.equal(uuids.length, 2);
  await second.close();
});

test('attachments the service was told of and did not record are read at the next start', async () => {
  const dataDir = join(await temporaryFolder(), 'data');
  const first = await startStack({ dataDir });
  const image = await pushedImage(first, 'app');
  await signed(first, image, 'both');
  await attested(first, image, 2);
  const before = essence(await asked(first, { digest: image.digest }));
  await first.close();
  // As if the process had died before each record: the registry answered, the claims are not there.
  await rm(join(dataDir, 'audit'), { recursive: true });
  const second = await startStack({ dataDir });
  const after = await asked(second, { digest: image.digest });
  assert.equal(after.settled, true);
  assert.deepEqual(essence(after), before);
  await second.close();
});

test('a statement posted to the log is found though its image lies in another registry', async () => {
  const stack = await startStack();
  const hex = toHex(sha256(utf8('an image elsewhere')));
  await (await personSigner(stack)).sign(statement(hex));
  const { steps, unproven } = await asked(stack, { digest: `sha256:${hex}` as never });
  assert.deepEqual(unproven, []);
  assert.deepEqual(
    steps.map((step) => step.verdict.statement?.predicateType),
    ['https://example.com/predicate/v1'],
  );
  assert.deepEqual(await indexed(stack, { hash: `sha256:${hex}` }), [0]);
});
