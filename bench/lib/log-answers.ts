/** Answers of a log of API v2, looked at as a stranger would: each must prove its entry under the log's key. */
import { fromBase64 } from '#base/bytes';
import type { PublicKey } from '#base/crypto';
import { unwrap } from '#base/result';
import { leafHash, verifyInclusion } from '#formats/merkle';
import { type CheckpointVerifier, checkpointVerifier } from '#tlog';
import type { Load } from './log-load.ts';

export interface LogAnswer {
  readonly logIndex: string;
  readonly canonicalizedBody: string;
  readonly inclusionProof: {
    readonly hashes: readonly string[];
    readonly checkpoint: { readonly envelope: string };
  };
}

/** Throws for an answer that does not prove its entry. */
export function requireProof(answer: LogAnswer, verifier: CheckpointVerifier): void {
  const { hashes, checkpoint } = answer.inclusionProof;
  const { size, root } = unwrap(verifier.open(checkpoint.envelope));
  const leaf = leafHash(fromBase64(answer.canonicalizedBody));
  unwrap(
    verifyInclusion({ index: Number(answer.logIndex), size, leaf, hashes: hashes.map(fromBase64), root }),
  );
}

/** Verifies the answers a load kept. Throws for the first one that proves nothing. */
export function verifySample({ sample }: Pick<Load, 'sample'>, origin: string, publicKey: PublicKey): void {
  const verifier = checkpointVerifier({ origin, publicKey });
  for (const text of sample) requireProof(JSON.parse(text) as LogAnswer, verifier);
}
