/** Metrics of all stations of one process, on one page. */
import type { Clock } from '#base/clock';
import type { Log } from '#tlog';
import type { StationName } from './layout.ts';
import { StationMetrics } from './serve/metrics.ts';
import {
  certificatesMade,
  clockMetrics,
  ctRoutes,
  entriesMade,
  logMetrics,
  timestampsMade,
  tsaDays,
} from './serve/station-metrics.ts';
import type { Stations } from './stations.ts';

const DAY_MS = 86_400_000;

export class StackMetrics {
  readonly #withAliases: boolean;
  readonly #all = new Map<StationName, StationMetrics>();

  constructor(withAliases: boolean) {
    this.#withAliases = withAliases;
  }

  /** The generations of a station share one. */
  of(name: StationName): StationMetrics {
    const metrics = this.#all.get(name) ?? new StationMetrics(name, this.#withAliases);
    this.#all.set(name, metrics);
    return metrics;
  }

  get contentType(): string {
    return this.of('ca').contentType;
  }

  async text(): Promise<string> {
    const pages = await Promise.all([...this.#all.values()].map((metrics) => metrics.text()));
    return pages.join('');
  }

  /** What is asked of the stations when metrics are read, each in its current generation. */
  about(stations: Stations, clock: Clock): void {
    const logs: Readonly<Record<'ct' | 'log' | 'log2', () => Log>> = {
      ct: () => stations.ct.log,
      log: () => stations.log.log,
      log2: () => stations.log2.log,
    };
    for (const [name, log] of Object.entries(logs)) logMetrics(this.of(name as 'ct' | 'log' | 'log2'), log);
    this.of('ca').expiry('certificate', () => ({
      root: stations.ca.root.notAfter,
      intermediate: stations.ca.intermediate.notAfter,
    }));
    this.of('tsa').expiry('certificate', () => ({
      root: stations.tsa.chain[1].notAfter,
      signer: stations.tsa.chain[0].notAfter,
    }));
    const days = (): number => Math.floor((stations.tsa.chain[0].notAfter - clock.now()) / DAY_MS);
    tsaDays(this.of('tsa'), days);
    if (stations.clockWatch !== undefined) clockMetrics(this.of('tsa'), stations.clockWatch);
    this.of('tuf').expiry('metadata', async () => ({ ...(await stations.tuf.status())?.expires }));
    this.of('ca').made(certificatesMade);
    this.of('tsa').made(timestampsMade);
    this.of('ct').made(entriesMade(ctRoutes));
    this.of('log').made(entriesMade(['/api/v1/log/entries']));
    this.of('log2').made(entriesMade(['/api/v2/log/entries']));
  }
}
