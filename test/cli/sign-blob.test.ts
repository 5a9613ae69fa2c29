/** `waybill sign-blob` and `attest-blob` against a stack: what is written where, and what is refused beforehand. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { digestOf } from '#base/digest';
import { unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import { asWorkflow, compatWorld, RELEASE, tell } from './compat-world.ts';

const world = await compatWorld();
const job = await asWorkflow(world);
const at = (name: string): string => join(world.folder, name);
await writeFile(at('one'), 'one');
await writeFile(at('two'), 'two');
const config = join(world.env['WAYBILL_STACK'] as string, 'public', 'signing_config.v0.2.json');
await writeFile(at('predicate.json'), '{"checked":true}');

interface Answer {
  readonly files: readonly { readonly file: string; readonly bundleFile: string; readonly digest: string }[];
}

test('several files are signed by one certificate, each with a bundle beside it', async () => {
  const run = await tell(job, ['sign-blob', at('one'), at('two')], true);
  assert.equal(run.exit, 0, run.reason?.actual);
  const { files } = run.value as Answer;
  assert.deepEqual(
    files.map(({ file, bundleFile }) => [file, bundleFile]),
    [
      ['one', at('one.sigstore.json')],
      ['two', at('two.sigstore.json')],
    ],
  );
  const leaves = await Promise.all(
    files.map(async ({ bundleFile }) => {
      const { material } = unwrap(parseBundle(await readFile(bundleFile)));
      assert.equal(material.kind, 'certificate');
      return material.kind === 'certificate' ? material.certificate : undefined;
    }),
  );
  assert.deepEqual(leaves[0]?.sans, [{ type: 'uri', value: RELEASE }]);
  assert.deepEqual(leaves[0]?.serial, leaves[1]?.serial);
});

test('a digest is signed without the bytes, and the bundle is printed', async () => {
  const digest = digestOf(new TextEncoder().encode('one'));
  const run = await tell(job, ['sign-blob', '--digest', digest]);
  assert.equal(run.exit, 0, run.reason?.actual);
  const { content } = unwrap(parseBundle(new TextEncoder().encode(run.stdout)));
  assert.equal(content.kind === 'message' ? content.digest?.algorithm : undefined, 'sha256');
  const refused = await tell(job, [
    'sign-blob',
    ...['--signing-algorithm', 'ecdsa-sha2-384-nistp384', '--digest', digest],
  ]);
  assert.equal(refused.reason?.code, 'WB-950');
});

test('one statement names every file', async () => {
  const words = ['attest-blob', '--predicate', at('predicate.json'), '--type', 'https://example.com/p/v1'];
  const run = await tell(job, [...words, '--bundle', at('both.json'), at('one'), at('two')], true);
  assert.equal(run.exit, 0, run.reason?.actual);
  const { content } = unwrap(parseBundle(await readFile(at('both.json'))));
  assert.ok(content.kind === 'dsse');
  const said = JSON.parse(new TextDecoder().decode(content.envelope.payload)) as {
    readonly subject: readonly { readonly name: string }[];
  };
  assert.deepEqual(
    said.subject.map(({ name }) => name),
    ['one', 'two'],
  );
  const statement = at('statement.json');
  await writeFile(statement, content.envelope.payload);
  const again = await tell(job, ['attest-blob', '--statement', statement, '--bundle', at('again.json')]);
  assert.equal(again.exit, 0, again.reason?.actual);
  const { content: second } = unwrap(parseBundle(await readFile(at('again.json'))));
  assert.deepEqual(second.kind === 'dsse' && second.envelope.payload, content.envelope.payload);
});

const refusals: readonly (readonly [string, readonly string[], string])[] = [
  ['nothing named', ['sign-blob'], 'WB-1305'],
  ['a file that is not there', ['sign-blob', at('absent')], 'WB-209'],
  ['one bundle for two files', ['sign-blob', '--bundle', 'b', at('one'), at('two')], 'WB-1305'],
  ['standard input twice', ['sign-blob', '-', '-'], 'WB-1305'],
  ['a digest that is none', ['sign-blob', '--digest', 'sha256:00'], 'WB-104'],
  ['a statement without predicate', ['attest-blob', at('one')], 'WB-1305'],
  [
    'a service URL beside a signing config',
    ['sign-blob', '--signing-config', config, '--rekor-url', 'http://x', at('one')],
    'WB-1305',
  ],
];
for (const [what, words, code] of refusals) {
  test(`${what} is refused: ${code}`, async () => {
    assert.equal((await tell(job, words)).reason?.code, code);
  });
}
