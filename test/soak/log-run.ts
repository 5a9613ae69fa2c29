/** What `programs/log-run.ts` is told, what it says, and how the log it leaves is judged. */
import assert from 'node:assert/strict';
import { utf8 } from '#base/bytes';
import { FixedClock } from '#base/clock';
import { generateKey, type PrivateKey } from '#base/crypto';
import { unwrap } from '#base/result';
import { embeddedLogStore } from '#platform/store-embedded';
import { checkpointSigner, openLog, type TreeHead } from '#tlog';

export const ORIGIN = 'log.example';
export const NOW = Date.UTC(2026, 0, 1);

export interface NamedEntry {
  readonly name: string;
  /** Length of the entry. */
  readonly bytes: number;
}

export interface RunOrder {
  readonly directory: string;
  readonly lockFile: string;
  readonly keyFile: string;
  readonly origin: string;
  /** Milliseconds. */
  readonly now: number;
  /** Entries of one group arrive together: one batch. */
  readonly groups: readonly (readonly NamedEntry[])[];
  readonly gate: 'open' | 'append' | 'none';
  readonly close: boolean;
  /** Ends itself with SIGKILL within so manyth a writing call of its store, so many milliseconds after that began. */
  readonly end?: { readonly at: number; readonly within: number };
}

export interface Answer extends NamedEntry {
  readonly index: number;
  readonly checkpoint: string;
}

export interface RunWord {
  readonly gate?: true;
  readonly opened?: string;
  readonly acked?: Answer;
  readonly refused?: { readonly name: string; readonly code: string };
  readonly done?: true;
  readonly ended?: true;
}

/** A name, filled up to a length. */
export const entryOf = (name: string, bytes: number): Buffer => Buffer.from(name.padEnd(bytes, '.'));

export class TestLog {
  readonly key: PrivateKey = generateKey('ed25519');
  readonly signer = checkpointSigner({ origin: ORIGIN, signer: this.key });

  readonly #heads = new Map<string, TreeHead>();

  /**
   * Opens the log as the next process would, finds every answer at its index, proves that it extends every checkpoint
   * that was shown, takes one more entry, and proves the whole of it from its entries.
   */
  async judge(
    paths: { readonly directory: string; readonly lockFile: string },
    answers: readonly Answer[],
    shown: readonly string[],
  ): Promise<void> {
    const { signer } = this;
    const clock = new FixedClock(NOW);
    const create = answers.length === 0 && shown.length === 0;
    const log = await openLog({ store: embeddedLogStore(paths), signer, clock, create });
    try {
      const { size } = log.tree;
      for (const { index, name, bytes } of answers) {
        assert.ok(index < size, `entry ${index} is lost: the log has size ${size}`);
        const { entry } = await log.record(index);
        assert.ok(entryOf(name, bytes).equals(entry), `entry ${index} was acknowledged and is another now`);
      }
      for (const text of new Set([...shown, ...answers.map(({ checkpoint }) => checkpoint)])) {
        const head = this.#head(text);
        assert.ok(head.size <= size, `a checkpoint of size ${head.size} was shown, the log has ${size}`);
        assert.deepEqual(Buffer.from(await log.rootAt(head.size)), Buffer.from(head.root), 'a fork');
      }
      const { logged } = await log.append(utf8('one more'));
      assert.equal(logged.index, size);
      assert.deepEqual((await log.check()).problems, []);
    } finally {
      await log.close();
    }
  }

  #head(checkpoint: string): TreeHead {
    const head = this.#heads.get(checkpoint) ?? unwrap(this.signer.open(checkpoint));
    this.#heads.set(checkpoint, head);
    return head;
  }
}
