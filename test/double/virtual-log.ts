/** A transparency log in memory, of either generation, with real proofs, checkpoints and promises. */
import { type PrivateKey, sha256 } from '#base/crypto';
import { inclusionProof, leafHash, type NodeId, nodeHash, rootHash } from '#formats/merkle';
import { formatCheckpoint, noteKeyId, noteSigner, signNote } from '#formats/note';
import { setPayload } from '#formats/rekor';
import type { TransparencyLogEntry } from '#formats/tlog-entry';
import type { LogInput, Validity } from '#formats/trusted-root';

export interface VirtualLogOptions {
  readonly generation: 'v1' | 'v2';
  readonly host: string;
  readonly key: PrivateKey;
  readonly validFor: Validity;
  readonly operator?: string;
  /** Rekor v1: entries of earlier shards, so that the global index differs from the tree's. */
  readonly shardOffset?: number;
}

export class VirtualLog {
  readonly host: string;
  readonly generation: 'v1' | 'v2';
  readonly key: PrivateKey;
  readonly logId: Uint8Array;
  readonly origin: string;
  readonly #options: VirtualLogOptions;
  readonly #leaves: Uint8Array[] = [];

  constructor(options: VirtualLogOptions) {
    this.#options = options;
    this.host = options.host;
    this.generation = options.generation;
    this.key = options.key;
    const { publicKey } = options.key;
    this.logId = options.generation === 'v1' ? sha256(publicKey.spki) : noteKeyId(options.host, publicKey);
    this.origin = options.generation === 'v1' ? `${options.host} - 1193050959916656506` : options.host;
    // Never a tree of one leaf: a proof without hashes hides mistakes.
    for (const filler of ['a', 'b', 'c']) this.#leaves.push(leafHash(Buffer.from(filler)));
  }

  get authority(): LogInput {
    const { operator, validFor } = this.#options;
    return {
      baseUrl: `https://${this.host}:8443/log`,
      publicKey: this.key.publicKey,
      validFor,
      logId: this.logId,
      ...(operator === undefined ? {} : { operator }),
    };
  }

  /** Adds a leaf and proves it in the tree that ends with it. `at`: milliseconds. */
  append(kind: string, version: string, body: Uint8Array, at: number): TransparencyLogEntry {
    const index = this.#leaves.push(leafHash(body)) - 1;
    const treeSize = this.#leaves.length;
    const root = rootHash(treeSize, this.#node);
    const entry = {
      logIndex: index + (this.#options.shardOffset ?? 0),
      logId: this.logId,
      kind,
      version,
      integratedTime: this.generation === 'v1' ? Math.floor(at / 1000) : 0,
      inclusionProof: {
        logIndex: index,
        rootHash: root,
        treeSize,
        hashes: inclusionProof(index, treeSize, this.#node),
        checkpoint: this.checkpoint(treeSize, root),
      },
      canonicalizedBody: body,
    };
    return this.generation === 'v1' ? { ...entry, inclusionPromise: this.promise(entry) } : entry;
  }

  /** The SignedEntryTimestamp of an entry. */
  promise(entry: Parameters<typeof setPayload>[0]): Uint8Array {
    return this.key.sign(setPayload(entry), 'sha256');
  }

  checkpoint(size: number, root: Uint8Array, origin = this.origin): string {
    return signNote(formatCheckpoint(origin, size, root), noteSigner(this.host, this.key));
  }

  readonly #node = ({ level, index }: NodeId): Uint8Array => {
    if (level === 0) return this.#leaves[index] as Uint8Array;
    const below = { level: level - 1, index: index * 2 };
    return nodeHash(this.#node(below), this.#node({ ...below, index: below.index + 1 }));
  };
}
