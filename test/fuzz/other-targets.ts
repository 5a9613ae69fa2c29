/** Proofs, manifests, references. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { equalBytes, fromHex, utf8, utf8Text } from '#base/bytes';
import { attempt, type Result, unwrap } from '#base/result';
import { type JsonReader, parseJson, reader } from '#formats/json';
import { rootFromInclusion, verifyConsistency, verifyInclusion } from '#formats/merkle';
import { parseManifest } from '#formats/oci';
import { parseReference, referenceText } from '#formats/reference';
import type { Target } from './engine.ts';
import { bytes, json } from './mutate.ts';
import { answer } from './promise.ts';
import { seeds } from './seeds.ts';

const node = (left: Uint8Array, right: Uint8Array): Uint8Array =>
  createHash('sha256').update(Uint8Array.of(1)).update(left).update(right).digest();

/**
 * The path read from the root down, as RFC 6962 §2.1.1 defines it: a twin of the loop that reads it from the leaf
 * up. Undefined when the path has another length than the tree demands.
 */
function naiveRootOf(
  index: bigint,
  size: bigint,
  leaf: Uint8Array,
  path: readonly Uint8Array[],
): Uint8Array | undefined {
  if (size === 1n) return path.length === 0 ? leaf : undefined;
  const sibling = path.at(-1);
  if (sibling === undefined) return undefined;
  let split = 1n;
  while (split * 2n < size) split *= 2n;
  const rest = path.slice(0, -1);
  if (index < split) {
    const left = naiveRootOf(index, split, leaf, rest);
    return left === undefined ? undefined : node(left, sibling);
  }
  const right = naiveRootOf(index - split, size - split, leaf, rest);
  return right === undefined ? undefined : node(sibling, right);
}

function runInclusion(claim: JsonReader): string {
  const index = claim.value('index') as number;
  const size = claim.value('size') as number;
  const leaf = claim.hex('leaf');
  const hashes = claim.strings('hashes').map(fromHex);
  const folded = rootFromInclusion(index, size, leaf, hashes);
  if (folded.ok) {
    const twin = naiveRootOf(BigInt(index), BigInt(size), leaf, hashes);
    assert.ok(twin !== undefined && equalBytes(twin, folded.value), 'the twin finds the same root');
    assert.ok(verifyInclusion({ index, size, leaf, hashes, root: folded.value }).ok);
  }
  return answer(verifyInclusion({ index, size, leaf, hashes, root: claim.hex('root') }));
}

function runConsistency(claim: JsonReader): string {
  return answer(
    verifyConsistency({
      first: claim.value('first') as number,
      second: claim.value('second') as number,
      firstRoot: claim.hex('firstRoot'),
      secondRoot: claim.hex('secondRoot'),
      hashes: claim.strings('hashes').map(fromHex),
    }),
  );
}

/** The form of the claim is the test's own; numbers reach the code as they are, whatever they are. */
function runProof(input: Uint8Array): string {
  const claim = attempt(() => {
    const document = reader(unwrap(parseJson(input)));
    const numbers = ['index', 'size', 'first', 'second'].map((key) => document.value(key) ?? 0);
    return numbers.every((value) => typeof value === 'number') ? document : undefined;
  });
  if (!claim.ok || claim.value === undefined) return 'no claim';
  const { value } = claim;
  const run = value.has('index') ? runInclusion : runConsistency;
  const said: Result<string> = attempt(() => run(value));
  return said.ok ? said.value : 'no claim';
}

function runManifest(input: Uint8Array): string {
  const parsed = parseManifest(input);
  if (!parsed.ok) return answer(parsed);
  const { digest, kind, mediaType } = parsed.value;
  assert.deepEqual(
    parseManifest(input, { digest, size: input.length, mediaType }),
    parsed,
    'checked, it is the same',
  );
  const others = parsed.value.kind === 'index' ? parsed.value.manifests : parsed.value.layers;
  return answer(parsed, () => `${kind} ${mediaType} ${others.length}`);
}

const references = [
  'alpine',
  'library/nginx:1.27',
  'ghcr.io/acme/app@sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
  'localhost:5000/a/b-c__d.e:tag@sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
  '[::1]:443/x:latest',
  'index.docker.io/library/redis',
].map(utf8);

function runReference(input: Uint8Array): string {
  const text = attempt(() => utf8Text(input));
  if (!text.ok) return answer(text);
  const parsed = parseReference(text.value);
  if (parsed.ok) {
    const written = referenceText(parsed.value);
    assert.deepEqual(parseReference(written), parsed, 'written and read again it is the same');
    assert.match(written, /^[\x21-\x7e]+$/);
    const parts = parsed.value.repository.split('/');
    assert.ok(!parts.some((part) => part.startsWith('.')), 'no name climbs');
  }
  return answer(parsed, ({ tag, digest }) => `${tag !== undefined} ${digest !== undefined}`);
}

export const otherTargets: readonly Target[] = [
  { name: 'merkle', seeds: seeds('proof'), mutate: json, run: runProof },
  { name: 'oci', seeds: seeds('manifest'), mutate: json, run: runManifest },
  { name: 'reference', seeds: references, mutate: bytes, run: runReference },
];
