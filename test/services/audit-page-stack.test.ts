/** The page of a real stack, over loopback: its own registry, logs, trusted root and expiries. */
import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { utf8Text } from '#base/bytes';
import { httpTransport } from '#platform/http-client';
import { putMultiArch, repositoryAt } from '../oci/helpers.ts';
import { builderId, PageWorld, workflow } from '../page/world.ts';
import { startStack, temporaryFolder } from '../stack/helper.ts';
import { assertSound, type ReadPage } from './audit-page-html.ts';

const dataDir = join(await temporaryFolder(), 'data');
const stack = await startStack({ dataDir });
const world = new PageWorld(stack);

async function page(path: string, origin = stack.origins.audit): Promise<ReadPage & { status: number }> {
  const answer = await httpTransport().request({ url: origin + path, redirects: 1 });
  return { status: answer.status, ...assertSound(utf8Text(answer.body)) };
}

const good = await world.complete();
const path = (image: { digest: string; repository: string }): string =>
  `/image/${image.digest}?in=${encodeURIComponent(image.repository)}`;
const squeezed = (text: string): string => text.replaceAll(' ', '');

test('the whole chain of an image is verified with the stack’s own trusted root', async () => {
  const { status, text } = await page(path(good));
  assert.equal(status, 200);
  assert.match(
    text,
    /Signed, and everything attached holds 6 of 6 attached items verified\. Signed by 3 identities/,
  );
  for (const name of [workflow, builderId]) assert.ok(squeezed(text).includes(name), name);
  assert.match(text, /109 packages/);
  assert.match(text, /3 findings: 1 high, 2 low/);
  assert.match(text, /passed at https:/);
  assert.match(text, /6 of 6 entries proven/);
  assert.match(text, /Covered: entries 0…\d+ of 127\.0\.0\.1 - \d+ , checkpoint [0-9a-f]{64}/);
});

test('the first page lists it, with services and what ends when', async () => {
  const { text, hrefs } = await page('/');
  assert.ok(hrefs.includes(path(good)));
  assert.match(text, /All 9 services answer/);
  for (const what of [
    'TUF timestamp',
    'Timestamp authority, signer',
    'Certificate authority, intermediate',
  ]) {
    assert.ok(text.includes(what), what);
  }
  assert.match(text, /1 entry 127\.0\.0\.1 /, 'the second log');
});

test('attachments are no images, and parts of an index are shown with it', async () => {
  const { index } = await putMultiArch(repositoryAt(stack.registryHost, 'acme/multi'), 'multi', 'v1');
  const listed = (await page('/')).hrefs.filter((href) => href.includes('?in='));
  assert.deepEqual(listed.toSorted(), [path(good), path({ ...index, repository: 'acme/multi' })].toSorted());
});

test('the search box finds names of this registry, with and without its host, and digests', async () => {
  for (const query of ['acme/api:v1.4.2', `${stack.registryHost}/acme/api:v1.4.2`, good.digest]) {
    const { status, text } = await page(`/search?q=${encodeURIComponent(query)}`);
    assert.equal(status, 200, query);
    assert.ok(text.includes(good.digest), query);
  }
  const elsewhere = await page('/search?q=registry.example%2Facme%2Fapi%3Av1');
  assert.equal(elsewhere.status, 404);
  assert.match(elsewhere.text, /WB-1207/);
});

test('provenance the builder did not sign, and a bare key, are not proven', async () => {
  const { text } = await page(path(await world.doubtful()));
  assert.match(text, /Signed, but 2 attached items do not hold/);
  assert.match(text, /the builder it names did not sign it/);
  assert.match(text, /WB-301 signer\.material/);
});

test('signatures of another image are refused one by one', async () => {
  const { text } = await page(path(await world.dressed(good)));
  assert.match(text, /Nothing attached holds 0 of 5 attached items verified, 5 refused/);
  assert.match(text, /A signed statement is about another artifact\./);
});

test('words that are out to harm stay words', async () => {
  const { text } = await page(path(await world.hostile()));
  assert.ok(squeezed(text).includes('<script>alert(1)</script>'));
  assert.ok(text.includes('⟨U+202E⟩'));
});

test('after the registry was emptied the logs still tell, and a restart keeps what was seen', async () => {
  await stack.close();
  await rm(join(dataDir, 'registry'), { recursive: true });
  const again = await startStack({ dataDir, hasLostImages: true });
  const { text } = await page(path(good), again.origins.audit);
  assert.match(text, /Known to the logs only Nothing is attached in the registry; the logs hold 6 entries/);
  assert.match(text, /not in the registry now/);
  assert.ok(squeezed(text).includes(workflow));
  assert.match(text, /known from the log, not attached here/);
  await readFile(join(dataDir, 'audit', 'images.sqlite'));
});
