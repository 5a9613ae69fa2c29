/** What relationships of SPDX 2 and 3 say, once each reader has put them into one form. */
import type { Unknown } from './sbom.ts';
import { OWNERSHIP } from './sbom-notes.ts';
import { addTo, incompleteBy } from './sbom-parts.ts';

export interface SpdxRelation {
  /** In the words of SPDX 3.0: `dependsOn`, `contains`, `other`, … */
  readonly type: string;
  readonly from: string;
  readonly to: readonly string[];
  readonly comment?: string;
  /** The author says that more belongs here, or makes no statement about it. */
  readonly isOpen: boolean;
}

/** What each element depends on. */
export function edgesOf(relations: readonly SpdxRelation[]): Map<string, string[]> {
  const edges = new Map<string, string[]>();
  for (const { type, from, to } of relations) if (type === 'dependsOn') addTo(edges, from, [...to]);
  return edges;
}

/** The owner of each element that has one, as Syft and we write it: the owner first. */
export function ownersOf(relations: readonly SpdxRelation[]): Map<string, string> {
  const owners = new Map<string, string>();
  for (const { type, from, to, comment } of relations) {
    if (type !== 'other' || comment?.startsWith(OWNERSHIP) !== true) continue;
    for (const target of to) owners.set(target, from);
  }
  return owners;
}

/** Elements whose parts or needs are not all listed; `word` is the document's own for that. */
export function openEnds(relations: readonly SpdxRelation[], word: string): Unknown[] {
  const open = relations.filter(
    ({ type, isOpen }) => isOpen && (type === 'contains' || type === 'dependsOn'),
  );
  const refs = [...new Set(open.map(({ from }) => from))];
  return refs.length === 0 ? [] : [incompleteBy(refs, word)];
}
