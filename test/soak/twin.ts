/** A naive log (an array, everything recomputed) beside the real one, over a random history. */
import assert from 'node:assert/strict';
import { utf8 } from '#base/bytes';
import { FixedClock } from '#base/clock';
import { generateKey } from '#base/crypto';
import { leafHash } from '#formats/merkle';
import { memoryLogStore } from '#platform/store-memory';
import { checkpointSigner, type LogWriter, openLog } from '#tlog';
import { naivePath, naiveProof, naiveRoot } from '../formats/naive-tree.ts';
import { chance } from './random.ts';

const signer = checkpointSigner({ origin: 'twin.example', signer: generateKey('ed25519') });
/** The naive side costs a hash for every entry and question: a log begins anew when it is this long. */
const ENTRIES_MAX = 600;

class Twins {
  readonly #random: () => number;
  readonly #clock = new FixedClock(Date.UTC(2026, 0, 1));
  #store = memoryLogStore();
  #real: LogWriter | undefined;
  #naive: Uint8Array[] = [];

  constructor(random: () => number) {
    this.#random = random;
  }

  #below(n: number): number {
    return Math.floor(this.#random() * n);
  }

  async real(): Promise<LogWriter> {
    this.#real ??= await openLog({ store: this.#store, signer, clock: this.#clock, create: true });
    return this.#real;
  }

  async step(): Promise<void> {
    if (this.#naive.length > ENTRIES_MAX) {
      this.#naive = [];
      this.#store = memoryLogStore();
      this.#real = undefined;
    }
    const steps = [
      () => this.append(),
      () => this.entry(),
      () => this.size(),
      () => this.tile(),
      () => this.reopen(),
    ];
    const odds = [4, 3, 2, 1, 0.2];
    let at = this.#random() * 10.2;
    for (const [i, step] of steps.entries()) {
      at -= odds[i] as number;
      if (at < 0) return step();
    }
  }

  async append(): Promise<void> {
    const real = await this.real();
    this.#clock.advance(this.#below(3));
    const names = Array.from({ length: 1 + this.#below(20) }, () => utf8(`entry ${this.#below(1500)}`));
    const answers = await Promise.all(names.map((name) => real.append(name)));
    for (const [i, { logged, duplicate }] of answers.entries()) {
      const known = this.#naive.findIndex((one) => Buffer.compare(one, names[i] as Uint8Array) === 0);
      assert.equal(duplicate, known >= 0);
      if (known < 0) this.#naive.push(names[i] as Uint8Array);
      assert.equal(logged.index, known < 0 ? this.#naive.length - 1 : known);
    }
    same([real.tree.root], [naiveRoot(this.#naive)]);
  }

  async entry(): Promise<void> {
    const real = await this.real();
    const index = this.#below(this.#naive.length + 1);
    if (index === this.#naive.length) return assert.rejects(real.entry(index));
    const { proof, entry } = await real.entry(index);
    same([entry, ...proof.hashes], [this.#naive[index] as Uint8Array, ...naivePath(index, this.#naive)]);
  }

  async size(): Promise<void> {
    const real = await this.real();
    const second = this.#below(this.#naive.length + 1);
    const first = this.#below(second + 1);
    if (first === 0) return;
    const hashes = await real.consistency(first, second);
    same(hashes, first === second ? [] : naiveProof(first, this.#naive.slice(0, second)));
    same([await real.rootAt(first)], [naiveRoot(this.#naive.slice(0, first))]);
  }

  async tile(): Promise<void> {
    const real = await this.real();
    const index = this.#below(3);
    const width = Math.min(255, this.#naive.length - 256 * index);
    if (width < 1) return;
    const tile = await real.tile(`tile/0/00${index}.p/${width}`);
    assert.ok(tile.ok && tile.value !== undefined);
    const leaves = this.#naive.slice(256 * index, 256 * index + width).map(leafHash);
    same([tile.value], [Buffer.concat(leaves)]);
  }

  async reopen(): Promise<void> {
    await (await this.real()).close();
    this.#real = undefined;
  }
}

function same(ours: readonly Uint8Array[], naive: readonly Uint8Array[]): void {
  const text = (list: readonly Uint8Array[]) => list.map((one) => Buffer.from(one).toString('hex'));
  assert.deepEqual(text(ours), text(naive));
}

/** Runs `count` random operations on both; throws where they differ. */
export async function twins(count: number, seed: number): Promise<void> {
  const pair = new Twins(chance(seed));
  for (let i = 0; i < count; i++) await pair.step();
}
