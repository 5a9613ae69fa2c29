/** Lays the record of a layer on the tree of the layers below it. */
import type { Again } from './capture.ts';
import type { PathMatcher } from './match.ts';
import { eventsOf, type KeptFile, type LayerRecord, type Problem } from './record.ts';
import { type ImageTree, LayerChanges } from './tree.ts';
import type { Cataloguer } from './types.ts';

export interface ReplayOptions {
  readonly matcher: PathMatcher<Cataloguer>;
  /** Paths that are left out altogether. */
  readonly isExcluded?: (path: string) => boolean;
  /** Cataloguers that may ask for a second look at a program. */
  readonly cataloguers: readonly Cataloguer[];
}

export interface Replayed {
  readonly changes: LayerChanges;
  /** What a first reading could not know to be wanted; undefined when nothing is. */
  readonly again?: Again;
}

/** What the layer does to `lower`. With `again` the layer has to be read a second time, and that replayed. */
export function replayLayer(
  lower: ImageTree,
  record: LayerRecord,
  layer: number,
  { matcher, isExcluded, cataloguers }: ReplayOptions,
): Replayed {
  const changes = new LayerChanges(lower);
  const kept = new Map<number, KeptFile>(record.kept.map((one) => [one.event, one]));
  const problems = new Map<number, Problem>(record.problems.map((one) => [one.event, one]));
  const files = new Set<string>();
  const programs = new Set<string>();
  const asking = cataloguers.filter((one) => one.scanner?.needsWhole !== undefined);
  let number = -1;
  for (const event of eventsOf(record.events)) {
    number++;
    const path = changes.take(event);
    if (path === undefined || isExcluded?.(path) === true) continue;
    const problem = problems.get(number);
    if (problem !== undefined) {
      changes.unknowns.push({ path, wantedBy: problem.wantedBy, reason: problem.reason });
    }
    if (event.kind === 'hardlink') {
      keepLink(changes, event.linkName, path, layer, matcher.find(path)?.name);
      continue;
    }
    const file = kept.get(number);
    if (file !== undefined) {
      const { bytes, findings } = file;
      const asks = (one: Cataloguer): boolean => {
        const found = findings?.get(one.name);
        return found !== undefined && one.scanner?.needsWhole?.(found) === true;
      };
      if (asking.some(asks)) programs.add(event.name);
      changes.keep({ path, layer, bytes, ...(findings === undefined ? {} : { findings }) });
    } else if (problem === undefined && path !== event.name && matcher.find(path) !== undefined) {
      files.add(event.name);
    }
  }
  changes.finish();
  for (const doubt of record.problems) {
    if (doubt.event !== number + 1) continue;
    const reason = `layer ${layer + 1}: ${doubt.reason}`;
    changes.unknowns.push({ path: '', wantedBy: doubt.wantedBy, reason });
  }
  return files.size + programs.size === 0 ? { changes } : { changes, again: { files, programs } };
}

function keepLink(
  changes: LayerChanges,
  linkName: string,
  path: string,
  layer: number,
  wantedBy: string | undefined,
): void {
  const target = changes.linkTarget(linkName);
  if (target !== undefined) {
    changes.keep({ ...target, path, layer });
  } else if (wantedBy !== undefined) {
    const reason = `a hard link to ${JSON.stringify(linkName)}, whose content was not kept`;
    changes.unread({ path, wantedBy, reason });
  }
}
