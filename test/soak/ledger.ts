/**
 * What somebody outside knows of a log: everything it acknowledged, every checkpoint it signed. Each entry is held
 * against that once, when it is first shown; after that its hash is in the edge, and every later checkpoint is
 * compared with the edge. So the cost of a look does not grow with the log.
 */
import assert from 'node:assert/strict';
import { equalBytes, fromBase64, utf8Text } from '#base/bytes';
import { unwrap } from '#base/result';
import { leafHash, verifyConsistency, verifyInclusion } from '#formats/merkle';
import type { CheckpointVerifier, TreeHead } from '#tlog';
import { Frontier } from './frontier.ts';
import type { Acked, LifeWord } from './life.ts';

/** Older checkpoints kept to ask for proofs from. */
const HEADS_KEPT = 2000;

export class Ledger {
  readonly edge = new Frontier();
  acknowledged = 0;
  checkpoints = 0;
  /** Proofs of consistency that the log itself gave, and entries shown again. */
  chained = 0;
  again = 0;
  readonly heads: TreeHead[] = [];
  readonly #verifier: CheckpointVerifier;
  readonly #acked = new Map<number, string>();
  readonly #signed = new Map<number, Uint8Array>();
  readonly #opened = new Map<string, TreeHead>();
  #ready: TreeHead | undefined;
  /** Of the newest life that has an entry in the log. */
  #lastLife = 0;
  #names = new Set<string>();

  constructor(verifier: CheckpointVerifier) {
    this.#verifier = verifier;
  }

  /** Entries in the log whose answer did not arrive. */
  get unanswered(): number {
    return this.edge.size - this.acknowledged;
  }

  /** Everything acknowledged has been found. */
  get isSettled(): boolean {
    return this.#acked.size === 0 && this.#signed.size === 0;
  }

  /** A new process speaks from here on. */
  begin(): void {
    this.#ready = undefined;
    this.#opened.clear();
  }

  hear(word: LifeWord): void {
    if (word.ready !== undefined) this.#ready = this.#opens(word.ready);
    if (word.acked !== undefined) this.#ack(word.acked);
    if (word.entry !== undefined) this.#entry(word.entry.index, fromBase64(word.entry.bytes));
    const head = this.#ready;
    if (head === undefined) return;
    const { size, root } = head;
    if (word.again !== undefined) {
      const leaf = leafHash(fromBase64(word.again.bytes));
      const hashes = word.again.hashes.map(fromBase64);
      unwrap(verifyInclusion({ index: word.again.index, size, leaf, hashes, root }));
      this.again++;
    }
    if (word.chained !== undefined) this.#chain(word.chained.from, head, word.chained.hashes.map(fromBase64));
  }

  /** A log that was opened again is not behind anything it ever answered. */
  #opens(text: string): TreeHead {
    const head = this.#checkpoint(text);
    for (const [index, name] of this.#acked) {
      assert.ok(index < head.size, `entry ${index} (${name}) is lost: the log opened with size ${head.size}`);
    }
    return head;
  }

  /** An answer counts only when a stranger could verify it. */
  #ack({ index, name, hashes, checkpoint }: Acked): void {
    const { size, root } = this.#checkpoint(checkpoint);
    const leaf = leafHash(Buffer.from(name));
    unwrap(verifyInclusion({ index, size, leaf, hashes: hashes.map(fromBase64), root }));
    assert.ok(index >= this.edge.size, `index ${index} was given again`);
    assert.equal(this.#acked.get(index), undefined, `index ${index} was given twice`);
    this.#acked.set(index, name);
    this.acknowledged++;
  }

  #checkpoint(text: string): TreeHead {
    const known = this.#opened.get(text);
    if (known !== undefined) return known;
    const head = unwrap(this.#verifier.open(text));
    this.#opened.set(text, head);
    const before = this.#signed.get(head.size);
    if (before !== undefined) assert.ok(equalBytes(before, head.root), `two trees of size ${head.size}`);
    const seen = this.heads.at(-1);
    assert.ok(seen === undefined || seen.size <= head.size, `back from ${seen?.size} to ${head.size}`);
    this.checkpoints++;
    if (head.size === this.edge.size) this.#compare(head.size, head.root);
    else this.#signed.set(head.size, head.root);
    this.heads.push(head);
    // Every second one goes: old ones stay, however long the loop runs.
    if (this.heads.length > HEADS_KEPT) {
      const kept = this.heads.filter((_, i) => i % 2 === 0 || i === HEADS_KEPT);
      this.heads.splice(0, this.heads.length, ...kept);
    }
    return head;
  }

  #entry(index: number, bytes: Uint8Array): void {
    // A life that was ended before it had shown everything: the next one shows the same entries again.
    if (index < this.edge.size) return;
    assert.equal(index, this.edge.size, 'entries are shown in order');
    const name = utf8Text(bytes);
    const acked = this.#acked.get(index);
    if (acked !== undefined) assert.equal(name, acked, `entry ${index} was acknowledged and is another now`);
    this.#acked.delete(index);
    const life = Number(name.split('-')[0]);
    assert.ok(life >= this.#lastLife, `entry ${index} of life ${life} stands behind one of a later life`);
    if (life > this.#lastLife) this.#names = new Set();
    this.#lastLife = life;
    assert.ok(!this.#names.has(name), `${name} stands twice`);
    this.#names.add(name);
    this.edge.append(bytes);
    const signed = this.#signed.get(this.edge.size);
    if (signed !== undefined) this.#compare(this.edge.size, signed);
    this.#signed.delete(this.edge.size);
  }

  #compare(size: number, root: Uint8Array): void {
    assert.ok(equalBytes(this.edge.root(), root), `the checkpoint of size ${size} is not of these entries`);
  }

  #chain(from: number, { size, root }: TreeHead, hashes: readonly Uint8Array[]): void {
    const first = this.heads.find((head) => head.size === from);
    if (first === undefined) return;
    const claim = { first: from, second: size, firstRoot: first.root, secondRoot: root, hashes };
    unwrap(verifyConsistency(claim));
    this.chained++;
  }
}
