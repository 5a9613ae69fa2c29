/**
 * A witness: it cosigns a checkpoint only after having seen that it extends everything it cosigned before, and
 * remembers it before it answers. Knows no HTTP.
 */
import { equalBytes } from '#base/bytes';
import { rfc3339 } from '#base/clock';
import { fail, reason, reasonText } from '#base/reason';
import { unwrap } from '#base/result';
import { cosign, formatVerifierKey, parseAddCheckpoint } from '#formats/cosignature';
import { verifyConsistency } from '#formats/merkle';
import { type Checkpoint, parseCheckpoint, parseNote, verifyNote } from '#formats/note';
import type { WitnessConfig } from './config.ts';
import { R } from './reasons.ts';
import { openWitnessStore, type WitnessStore } from './store.ts';

/** A conflict is no error of the asker's: the size is what it needs to ask again. */
export type AddCheckpointAnswer =
  | { readonly kind: 'cosigned'; readonly lines: string }
  | { readonly kind: 'conflict'; readonly size: number };

/** How far the clock may step back before nothing is cosigned, in milliseconds: as logs allow it. */
const STEP_BACK_MS_MAX = 2000;

export class Witness {
  readonly #config: WitnessConfig;
  readonly #store: WitnessStore;

  /** Throws WB-1190, and WB-1196 when the clock is behind the newest cosignature. */
  constructor(config: WitnessConfig) {
    const { kind } = config.key.publicKey;
    if (kind !== 'ed25519') throw fail(R.config, { expected: 'an Ed25519 key', actual: kind });
    if (!/^[^\s+]{1,200}$/.test(config.name)) {
      throw fail(R.config, { expected: 'a name without spaces and +', actual: JSON.stringify(config.name) });
    }
    const origins = new Set(config.logs.map((log) => log.origin));
    if (origins.size === 0 || origins.size !== config.logs.length) {
      throw fail(R.config, {
        expected: 'at least one log, each origin once',
        actual: `${config.logs.length}`,
      });
    }
    this.#config = config;
    this.#store = openWitnessStore(config.stateFile);
    try {
      this.#seconds();
    } catch (error) {
      this.#store.close();
      throw error;
    }
  }

  /** `name+hint+key`: what policies name it by. */
  get verifierKey(): string {
    return formatVerifierKey(this.#config.name, this.#config.key.publicKey, 'witness');
  }

  /** Errors: WB-115 malformed, WB-1191 unknown log, WB-1192 not its signature, WB-1193, WB-1195, WB-1196. */
  addCheckpoint(body: Uint8Array): AddCheckpointAnswer {
    const { oldSize, proof, note } = unwrap(parseAddCheckpoint(body));
    const { checkpoint, text } = this.#open(note);
    const { origin, size, rootHash: root } = checkpoint;
    if (oldSize > size)
      throw fail(R.size, { expected: `an old size of at most ${size}`, actual: `${oldSize}` });
    const seen = this.#store.seen(origin) ?? { size: 0, root: new Uint8Array(0) };
    if (seen.size !== oldSize) return { kind: 'conflict', size: seen.size };
    if (oldSize === size && size > 0 && !equalBytes(seen.root, root)) {
      const detail = {
        expected: `the tree of size ${size} seen before`,
        actual: 'another: the log has forked',
      };
      this.#config.log.error({ origin, size, code: R.conflict.code }, reasonText(reason(R.conflict, detail)));
      return { kind: 'conflict', size };
    }
    requireExtension(oldSize, seen.root, checkpoint, proof);
    // Another request may have moved it meanwhile: what was checked is what the store compares.
    const seconds = this.#seconds();
    if (!this.#store.advance(origin, oldSize, { size, root }, seconds)) {
      return { kind: 'conflict', size: this.#store.seen(origin)?.size ?? 0 };
    }
    const { name, key } = this.#config;
    return { kind: 'cosigned', lines: cosign(name, key, text, seconds) };
  }

  /** The time of the next cosignature: never before that of an earlier one, over restarts too. */
  #seconds(): number {
    const now = this.#config.clock.now();
    const newest = this.#store.newestTime();
    if (now >= newest * 1000 - STEP_BACK_MS_MAX) return Math.max(newest, Math.floor(now / 1000));
    const expected = `a time not before ${rfc3339(newest * 1000)}, that of the newest cosignature`;
    throw fail(R.clock, { expected, actual: rfc3339(now) });
  }

  #open(note: string): { readonly checkpoint: Checkpoint; readonly text: string } {
    const parsed = unwrap(parseNote(note));
    const checkpoint = unwrap(parseCheckpoint(parsed.text));
    const log = this.#config.logs.find((one) => one.origin === checkpoint.origin);
    if (log === undefined) {
      throw fail(R.unknownLog, { expected: 'a log this witness knows', actual: checkpoint.origin });
    }
    const signed = verifyNote(parsed, [log.key.verifier]);
    if (!signed.ok) {
      throw fail(R.signature, { expected: `a signature by ${log.key.name}`, actual: signed.error.actual });
    }
    return { checkpoint, text: parsed.text };
  }

  close(): void {
    this.#store.close();
  }
}

function requireExtension(
  oldSize: number,
  oldRoot: Uint8Array,
  { size, rootHash }: Checkpoint,
  proof: readonly Uint8Array[],
): void {
  if (oldSize === 0) {
    if (proof.length === 0) return;
    throw fail(R.proof, { expected: 'no proof from size 0', actual: `${proof.length} hashes` });
  }
  const claim = { first: oldSize, second: size, firstRoot: oldRoot, secondRoot: rootHash, hashes: proof };
  const checked = verifyConsistency(claim);
  if (!checked.ok) {
    const expected = `a proof from size ${oldSize} to ${size}`;
    throw fail(R.proof, { expected, actual: checked.error.actual });
  }
}
