/** Reasons of the log formats: Merkle proofs, tile paths, entry bundles. */
import { defineReasons } from '#base/reason';

export const R = defineReasons({
  proofRange: {
    code: 'WB-116',
    check: 'log.proof.range',
    side: 'evidence',
    class: 'log-proof',
    summary: 'A Merkle proof names an index or a size that cannot exist.',
    hint: 'fetch the proof again from the log; the index must be below the tree size',
    exit: 15,
  },
  proofHashes: {
    code: 'WB-117',
    check: 'log.proof.hashes',
    side: 'evidence',
    class: 'log-proof',
    summary: 'A Merkle proof has too few, too many or malformed hashes.',
    hint: 'fetch the proof again from the log',
    exit: 15,
  },
  proofRoot: {
    code: 'WB-118',
    check: 'log.proof.root',
    side: 'evidence',
    class: 'log-proof',
    summary: 'A Merkle proof does not lead to the root hash of the checkpoint.',
    hint: 'the entry is not in this log as claimed; do not trust it',
    exit: 15,
  },
  tile: {
    code: 'WB-119',
    check: 'log.tile',
    side: 'input',
    class: 'log-proof',
    summary: 'A tile path, a tile or an entry bundle is malformed.',
    hint: 'see c2sp.org/tlog-tiles for the layout',
    status: 404,
  },
  witness: {
    code: 'WB-115',
    check: 'log.witness',
    side: 'input',
    summary: 'A request to a witness, or a verifier key written as text, is malformed.',
    hint: 'see c2sp.org/tlog-witness and c2sp.org/signed-note for the form',
  },
});
