/** Everything of the stations that verifiers must know, each generation with its time. */
import type { NonEmpty } from '#base/result';
import type { CtLog } from '#services/ct';
import type { LogService } from '#services/log';
import type { Generation, Generations } from './generations.ts';
import type { ChainFacts, LogFacts, StackFacts, Window } from './material.ts';
import type { Shard } from './opener.ts';
import type { Stations } from './stations.ts';

const windowOf = ({ start, end }: Generation): Window => ({ start, ...(end === undefined ? {} : { end }) });

export function factsOf(
  { origins, changing }: Stations,
  { stations }: Generations,
  about: { readonly createdAt: number; readonly organization: string },
): StackFacts {
  const { cas, tsas, cts, logs, logs2 } = changing;
  const shards = (
    all: readonly Shard<CtLog | LogService>[],
    list: NonEmpty<Generation>,
  ): NonEmpty<LogFacts> =>
    paired(all, list, ({ origin, publicKey, logId }, validFor) => ({
      baseUrl: origin,
      publicKey,
      logId,
      validFor,
    }));
  return {
    ...about,
    origins,
    ct: shards(cts.all, stations.ct),
    log: shards(logs.all, stations.log),
    log2: shards(logs2.all, stations.log2),
    ca: paired(
      cas.all,
      stations.ca,
      ({ intermediate, root }, validFor): ChainFacts => ({
        chain: [intermediate, root],
        validFor,
      }),
    ),
    tsa: paired(tsas.all, stations.tsa, ({ chain }, validFor): ChainFacts => ({ chain, validFor })),
  };
}

/**
 * Generations that are opened and not yet written down have no time, and one that was stolen before its start is
 * believed at none: they are not told.
 */
function paired<T, U>(
  all: readonly T[],
  list: NonEmpty<Generation>,
  fact: (one: T, window: Window) => U,
): NonEmpty<U> {
  return list.flatMap((generation, index) => {
    const window = windowOf(generation);
    // One that `begin` has just added is not opened yet.
    const one = all[index];
    const isTold = one !== undefined && (window.end === undefined || window.end >= window.start);
    return isTold ? [fact(one, window)] : [];
  }) as unknown as NonEmpty<U>;
}
