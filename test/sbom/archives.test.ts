/** Large archives of Java, beside and inside each other: what is held of them at a time, and that nothing is lost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '#base/limits';
import { catalogueLayers, cataloguers } from '#sbom';
import { zip } from './binaries.ts';
import { image, options } from './fixture.ts';

const MiB = 1024 * 1024;

/** An archive of at least this size, as one with a launcher before it, which packs to nearly nothing. */
function jar(name: string, size: number, content: Readonly<Record<string, Uint8Array>> = {}): Uint8Array {
  const properties = `groupId=g\nartifactId=${name}\nversion=1.0\n`;
  return Buffer.concat([
    Buffer.alloc(size),
    zip({ [`META-INF/maven/g/${name}/pom.properties`]: properties, ...content }),
  ]);
}

async function found(jars: Readonly<Record<string, Uint8Array>>): Promise<[names: string[], why: string[]]> {
  const entries = Object.entries(jars).map(([path, text]) => ({ path, text }));
  const { input } = await image(entries);
  const chosen = cataloguers.filter(({ name }) => name === 'java');
  const { sbom } = await catalogueLayers(input, { ...options, cataloguers: chosen });
  const unknowns = sbom.unknowns.filter(({ wantedBy }) => wantedBy === 'java');
  return [sbom.packages.map(({ name }) => name).sort(), unknowns.map(({ reason }) => reason)];
}

test('archives in each other are held up to a limit; the first over it is named, the others are listed', async () => {
  const size = 45 * MiB;
  const chain = jar('one', size, { 'two.jar': jar('two', size, { 'three.jar': jar('three', size) }) });
  const [names, why] = await found({ 'app.jar': jar('app', 0, { 'one.jar': chain }) });
  assert.deepEqual(names, ['g:app', 'g:one', 'g:two']);
  assert.match(
    why.join('\n'),
    /^one\.jar:two\.jar:three\.jar: \d+ bytes of archives in each other; at most /,
  );
  assert.ok(3 * size > limits.archiveHeldBytes && 2 * size < limits.archiveHeldBytes);
});

test('archives beside each other may be more together than may be held', async () => {
  const one = jar('in', 68 * MiB);
  assert.ok(2 * one.length > limits.archiveHeldBytes);
  assert.deepEqual(await found({ 'app.jar': jar('app', 0, { 'a.jar': one, 'b.jar': one }) }), [
    ['g:app', 'g:in'],
    [],
  ]);
});

test('every archive of a layer is read from its own bytes, though they share memory in turn', async () => {
  const sizes = [9 * MiB, 3 * MiB, 100, 5 * MiB, 0];
  const jars = sizes.map((size, i) => [`lib/${i}.jar`, jar(`of-${i}`, size)] as const);
  const broken = jar('broken', 2 * MiB).subarray(0, 2 * MiB);
  const [names, why] = await found({ ...Object.fromEntries(jars), 'lib/z.jar': broken });
  assert.deepEqual(
    names,
    sizes.map((_, i) => `g:of-${i}`),
  );
  assert.deepEqual(why, ['no zip archive, or one that ends early']);
});
