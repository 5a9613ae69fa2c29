import type { ProofKind } from './census-record.ts';
export type Gaps = Readonly<Record<string, string | undefined>>;
export const gaps: Readonly<Record<ProofKind, Gaps>> = { tree: {}, fixtures: {}, purls: {} };
