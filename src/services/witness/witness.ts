/**
 * A witness: it cosigns a checkpoint only after having seen that it extends everything it cosigned before, and
 * remembers it before it answers. Knows no HTTP.
 */
import { equalBytes } from '#base/bytes';
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

export class Witness {
  readonly #config: WitnessConfig;
  readonly #store: WitnessStore;

  /** Throws WB-1190. */
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
  }

  /** `name+hint+key`: what policies name it by. */
  get verifierKey(): string {
    return formatVerifierKey(this.#config.name, this.#config.key.publicKey, 'witness');
  }

  /** Errors: WB-115 malformed, WB-1191 unknown log, WB-1192 not its signature, WB-1193, WB-1195 no extension. */
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
    if (!this.#store.advance(origin, oldSize, { size, root })) {
      return { kind: 'conflict', size: this.#store.seen(origin)?.size ?? 0 };
    }
    const { name, key, clock } = this.#config;
    return { kind: 'cosigned', lines: cosign(name, key, text, Math.floor(clock.now() / 1000)) };
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
