/** `waybill migrate`, and signing without attaching. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import { asWorkflow, compatWorld, type Told, tell } from './compat-world.ts';

const world = await compatWorld();
const job = await asWorkflow(world);
const at = (name: string): string => join(world.folder, name);
await writeFile(at('predicate.json'), '{"checked":true}');
const TYPE = 'https://example.com/predicate/v1';
const attest = ['attest', '--type', TYPE, '--predicate', at('predicate.json')];

interface Item {
  readonly outcome: string;
  readonly kind: string;
  readonly left: readonly string[];
  readonly reason?: { readonly code: string };
}
const itemsOf = (run: Told): readonly Item[] =>
  (run.value as { readonly images: readonly { readonly items: readonly Item[] }[] }).images.flatMap(
    ({ items }) => items,
  );
const migrate = (...words: string[]): Promise<Told> => tell(job, ['migrate', ...words], true);
const shown = (run: Told): string[] =>
  itemsOf(run).map(({ kind, outcome, reason }) => [kind, outcome, reason?.code ?? []].flat().join(' '));

test('nothing is signed or attached with --no-upload: the bundle is all there is', async () => {
  const run = await tell(job, ['sign', '--no-upload', world.unsigned]);
  assert.equal(run.exit, 0, run.reason?.actual);
  assert.equal(unwrap(parseBundle(new TextEncoder().encode(run.stdout))).content.kind, 'dsse');
  const file = await tell(job, [...attest, '--no-upload', '--bundle', at('att.json'), world.unsigned]);
  assert.equal(file.exit, 0, file.reason?.actual);
  assert.equal(unwrap(parseBundle(await readFile(at('att.json')))).content.kind, 'dsse');
  assert.deepEqual(shown(await migrate(world.unsigned)), []);
  const two = ['sign', '--no-upload', world.unsigned, world.image];
  assert.equal((await tell(job, two)).reason?.code, 'WB-1305');
});

test('a dry run writes nothing; a second run finds everything there', async () => {
  assert.equal((await tell(job, [...attest, '--format', 'legacy', world.image])).exit, 0);
  assert.deepEqual(shown(await migrate('--dry-run', world.image)), ['attestation possible']);
  assert.deepEqual(shown(await migrate('--dry-run', world.image)), ['attestation possible']);
  assert.deepEqual(shown(await migrate('--to', 'legacy', world.image)), []);
  assert.deepEqual(shown(await migrate(world.image)), ['attestation migrated']);
  assert.deepEqual(shown(await migrate(world.image)).toSorted(), ['attestation present', 'bundle present']);
});

test('what the other layout has no place for is told and stays: signatures, entries without a promise', async () => {
  const { stack } = world;
  const image = world.unsigned;
  const v2 = join(stack.dataDir, 'public', 'signing_config_rekor_v2.v0.2.json');
  assert.equal((await tell(job, ['sign', image])).exit, 0);
  assert.equal((await tell(job, [...attest, '--signing-config', v2, image])).exit, 0);
  const run = await migrate(image);
  assert.equal(run.exit, 2);
  assert.deepEqual(shown(run).toSorted(), ['bundle impossible WB-903', 'bundle impossible WB-952']);
});

test('a signature by a bare key is carried over only with the key', async () => {
  const keyed = { ...job, env: { ...job.env, COSIGN_PASSWORD: 'secret' } };
  assert.equal((await tell(keyed, ['generate-key-pair', '--output-key-prefix', at('k')])).exit, 0);
  const image = world.image;
  assert.equal((await tell(keyed, [...attest, '--key', at('k.key'), image])).exit, 0);
  // Referrers come in the order of their digests.
  assert.deepEqual(shown(await migrate(image)).toSorted(), [
    'attestation present',
    'bundle impossible WB-955',
    'bundle present',
  ]);
  const run = await migrate('--key', at('k.pub'), image);
  const migrated = itemsOf(run).filter(({ outcome }) => outcome === 'migrated');
  assert.deepEqual(
    migrated.map(({ kind, left }) => [kind, left]),
    [['bundle', ['the inclusion proof', 'a timestamp over the signature']]],
  );
});
