import { cryptoTargets } from './crypto-targets.ts';
import type { Target } from './engine.ts';
import { otherTargets } from './other-targets.ts';
import { sbomTargets } from './sbom-targets.ts';
import { sigstoreTargets } from './sigstore-targets.ts';

/** Every parser of bytes from strangers that a verdict rests on, and the verifier itself. */
export const targets: readonly Target[] = [
  ...cryptoTargets,
  ...sigstoreTargets,
  ...otherTargets,
  ...sbomTargets,
];
