/**
 * What is proven of each cataloguer: the tests that find it out write it (`WAYBILL_CENSUS=write`), or fail where it
 * says something else. docs/sbom.md is made from it.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { cataloguers } from '#sbom';
import { type Gaps, gaps } from './census-gaps.ts';

/** Proofs that need more than the checkout: fixtures of others, package managers, Syft. */
export interface Proofs {
  /** Cases of `vectors/packages`. */
  readonly fixtures?: number;
  /** The package manager whose own tree is read as it says itself. */
  readonly tree?: string;
  /** Purls of the census row that Syft writes too, none of either side left over. */
  readonly purls?: number;
  /** The same of the tree that the package manager made, where the row is too small for Syft. */
  readonly treePurls?: number;
}

export const proofKinds = ['tree', 'fixtures', 'purls'] as const satisfies readonly (keyof Proofs)[];
export type ProofKind = (typeof proofKinds)[number];

const FILE = new URL('census.json', import.meta.url);

export const readProofs = (): Readonly<Record<string, Proofs>> =>
  JSON.parse(readFileSync(FILE, 'utf8')) as Record<string, Proofs>;

/** What a test found, by cataloguer, has to be what is written of all of them. */
export function prove<K extends keyof Proofs>(
  kind: K,
  found: Readonly<Record<string, NonNullable<Proofs[K]>>>,
): void {
  const before = readProofs();
  if (process.env['WAYBILL_CENSUS'] === 'write') {
    const after = cataloguers.map(({ name }) => {
      const { [kind]: _, ...others } = before[name] ?? {};
      return [name, found[name] === undefined ? others : { ...others, [kind]: found[name] }];
    });
    writeFileSync(FILE, `${JSON.stringify(Object.fromEntries(after), null, 2)}\n`);
    return;
  }
  const written = Object.entries(before).flatMap(([name, proofs]) =>
    proofs[kind] === undefined ? [] : [[name, proofs[kind]]],
  );
  const hint = `WAYBILL_CENSUS=write writes ${kind} anew`;
  assert.deepEqual(withoutVersions(found), withoutVersions(Object.fromEntries(written)), hint);
}

/** Another machine has other versions of the package managers. */
const withoutVersions = (proofs: object): unknown =>
  JSON.parse(JSON.stringify(proofs), (_key, value: unknown) =>
    typeof value === 'string' ? value.replace(/[\d.]+/g, '') : value,
  );

/** Why a proof is missing; undefined where there is one. Throws where it is missing without a reason. */
export function gapOf(name: string, kind: ProofKind): string | undefined {
  const proofs = readProofs()[name];
  const isProven = proofs?.[kind] !== undefined || (kind === 'purls' && proofs?.treePurls !== undefined);
  const reason: string | undefined = (gaps[kind] as Gaps)[name];
  if (isProven && reason === undefined) return undefined;
  if (!isProven && reason !== undefined) return reason;
  throw new Error(
    `${name}: ${kind} is ${isProven ? 'proven, but has' : 'not proven, and has no'} reason why not`,
  );
}
