/** Everything the image page tells, computed for one view: attachments judged, logs asked, origin drawn from them. */
import type { Digest } from '#base/brand';
import { WaybillError } from '#base/reason';
import type { Lineage, LineageStep } from '#flows/lineage';
import { R as flowReasons } from '#flows/reasons';
import { entryKeys, judgeAttached, originKey, saidBy } from './facts.ts';
import type { Fact, ImageReport, LogFact, Origin } from './model.ts';
import { builtBy } from './origin.ts';
import type { PageDeps, SeenImage, StackView } from './view.ts';
import { topics } from './words.ts';

type Trouble = ImageReport['troubles'][number];

/** Never throws for trouble of one source: it is told instead. `repository` narrows to one place. */
export async function reportOn(
  digest: Digest,
  repository: string | undefined,
  deps: PageDeps,
): Promise<ImageReport> {
  const { view } = deps;
  const troubles: Trouble[] = [];
  const tell = teller(troubles);
  const all = await tell('the list of images', [], () => view.images());
  const isAsked = (image: SeenImage): boolean => repository === undefined || image.repository === repository;
  const everywhere = all.filter((image) => image.digest === digest);
  const places = everywhere.filter(isAsked);
  const [attached, lineage, admissions] = await Promise.all([
    Promise.all(
      places
        .filter((place) => place.isHere)
        .map((place) =>
          tell(`what is attached in ${place.repository}`, [], () =>
            attachedIn(place.repository, digest, deps),
          ),
        ),
    ),
    tell('the logs', undefined, () => lineageOf(view, digest)),
    tell('the admission decisions', undefined, () => view.admissions(digest)),
  ]);
  const facts = ordered(attached.flat());
  const log = lineage === undefined ? [] : logFacts(lineage, facts);
  return {
    digest,
    places,
    otherPlaces: everywhere.filter((image) => !isAsked(image)),
    facts,
    log,
    origins: originsOf(facts, lineage?.steps ?? [], log),
    coverage: lineage?.coverage ?? [],
    uncovered: lineage?.uncovered ?? [],
    isTruncated: lineage?.truncated ?? false,
    isSettled: lineage?.settled ?? true,
    admissions,
    troubles,
  };
}

type Tell = <T>(what: string, fallback: T, work: () => Promise<T>) => Promise<T>;

function teller(troubles: Trouble[]): Tell {
  return async (what, fallback, work) => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof WaybillError)) throw error;
      troubles.push({ what, reason: error.reason });
      return fallback;
    }
  };
}

async function attachedIn(
  repository: string,
  digest: Digest,
  { view, clock }: PageDeps,
): Promise<readonly Fact[]> {
  const items = await view.attached(repository, digest);
  return judgeAttached(repository, digest, items, view.trust(), clock.now());
}

type Searched = Omit<Lineage, 'query'>;

/** That no entry speaks about a digest is an answer too, with the reach of the logs as they were before. */
async function lineageOf(view: StackView, digest: Digest): Promise<Searched> {
  const { logs } = await view.overview();
  try {
    return await view.lineage(digest);
  } catch (error) {
    if (!(error instanceof WaybillError) || error.reason.code !== flowReasons.auditNothing.code) throw error;
    const coverage = logs.flatMap(({ origin, size, checkpoint }) =>
      checkpoint === undefined ? [] : [{ origin, treeSize: size, checkpoint }],
    );
    const none = { steps: [], unproven: [], uncovered: [], missing: [] };
    return { ...none, coverage, truncated: false, settled: true };
  }
}

const urgency = { refused: 0, unproven: 1, verified: 2 } as const;

/** By topic; within one what does not hold first. */
function ordered(facts: readonly Fact[]): readonly Fact[] {
  return facts
    .toSorted(
      (a, b) =>
        topics.indexOf(a.naming.topic) - topics.indexOf(b.naming.topic) ||
        urgency[a.state] - urgency[b.state] ||
        (a.at ?? 0) - (b.at ?? 0),
    )
    .map((fact, i) => ({ ...fact, id: `item-${i + 1}` }));
}

function logFacts({ steps, unproven }: Searched, facts: readonly Fact[]): readonly LogFact[] {
  const proven = steps.map((step): Omit<LogFact, 'id'> => {
    const { naming, signer } = saidBy(step.verdict);
    return {
      origin: step.origin,
      logIndex: step.logIndex,
      naming,
      at: step.at,
      timeFrom: step.timeFrom,
      ...(signer === undefined ? {} : { signer }),
      factIds: carriers(facts, entryKeys(step.entry)),
    };
  });
  const others = unproven.map(
    ({ origin, logIndex, reason }): Omit<LogFact, 'id'> => ({
      origin,
      logIndex,
      reason,
      naming: { topic: 'other', what: 'Entry' },
      factIds: carriers(facts, [originKey(origin, logIndex)]),
    }),
  );
  return [...proven, ...others].map((one, i) => ({ ...one, id: `entry-${i + 1}` }));
}

const carriers = (facts: readonly Fact[], keys: readonly string[]): readonly string[] =>
  facts.filter((fact) => keys.some((key) => fact.entries.includes(key))).map((fact) => fact.id);

/** Statements of the registry, then those only the logs still have; what the named builder signed comes first. */
function originsOf(
  facts: readonly Fact[],
  steps: readonly LineageStep[],
  log: readonly LogFact[],
): readonly Origin[] {
  const attached = facts.flatMap((fact) => builtBy(fact, fact.id, true) ?? []);
  const logged = steps.flatMap((step, i) => {
    const at = log[i];
    return at === undefined || at.factIds.length > 0
      ? []
      : (builtBy(saidBy(step.verdict), at.id, false) ?? []);
  });
  return [...attached, ...logged].toSorted((a, b) => Number(b.isByBuilder) - Number(a.isByBuilder));
}
