/**
 * Metrics of one station, in a registry of their own. Labels come from closed sets only: route templates, methods
 * and status codes; never paths, names or digests, which a stranger could make without end. With the alias switch
 * the names of Sigstore's servers stand beside ours, so that dashboards made for those work.
 */
import { Counter, Gauge, Histogram, Registry, Summary } from 'prom-client';
import type { HttpApp } from '#platform/http-server';
import { type Aliases, aliasesOf, type Label, type Labelled, type Latency } from './metric-aliases.ts';

const BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']);

type Values = Record<Label, string>;
type Recorder = (values: Values, seconds: number, bytes: number) => void;

/** What a station makes, told from its answers: `fulcio_new_certs` and the like. */
export interface Made {
  /** Behind `waybill_<station>_`, ending in `_total`. */
  readonly name: string;
  readonly help: string;
  readonly method: 'POST' | 'PUT';
  /** Route templates. */
  readonly routes: readonly string[];
}

export interface Tally {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** From a closed set, as all labels are. */
  readonly rows: () => readonly {
    readonly labels: Readonly<Record<string, string>>;
    readonly count: number;
  }[];
  /** What the same is called by Sigstore's server. */
  readonly otherName: string;
}

export class StationMetrics {
  readonly #registry = new Registry();
  readonly #prefix: string;
  readonly #aliases: Aliases | undefined;
  #record: Recorder | undefined;
  #made: { readonly what: Made; readonly counters: readonly Counter[] } | undefined;

  /** `station` as metrics name it: ca, ct, log, log2, tsa, tuf, oidc, registry. */
  constructor(station: string, withAliases = false) {
    this.#prefix = `waybill_${station}_`;
    this.#aliases = withAliases ? aliasesOf[station] : undefined;
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** Counts and times every request of a server. */
  watch(app: HttpApp): void {
    this.#record ??= this.#requestMetrics();
    const record = this.#record;
    app.addHook('onResponse', (request, reply, done) => {
      const values = {
        path: request.routeOptions.url ?? 'none',
        method: METHODS.has(request.method) ? request.method : 'other',
        code: String(reply.statusCode),
      };
      record(values, reply.elapsedTime / 1000, Number(request.headers['content-length'] ?? 0));
      const isMade =
        this.#made?.what.method === request.method &&
        reply.statusCode < 300 &&
        this.#made.what.routes.includes(values.path);
      if (isMade) for (const counter of this.#made?.counters ?? []) counter.inc();
      done();
    });
  }

  #requestMetrics(): Recorder {
    const registers = [this.#registry];
    const all = ['path', 'method', 'code'] as const;
    const count = new Counter({
      name: `${this.#prefix}http_requests_total`,
      help: 'Requests by route, method and status.',
      labelNames: all,
      registers,
    });
    const time = new Histogram({
      name: `${this.#prefix}http_request_duration_seconds`,
      help: 'Time to answer a request, in seconds.',
      labelNames: ['path', 'method'],
      buckets: BUCKETS,
      registers,
    });
    const others = this.#aliases === undefined ? [] : aliasRecorders(this.#aliases, registers);
    return (values, seconds, bytes) => {
      count.inc(values);
      time.observe(chosen(values, ['path', 'method']), seconds);
      const named = this.#aliases?.values === undefined ? values : this.#aliases.values(values);
      if (named !== undefined) for (const other of others) other(named, seconds, bytes);
    };
  }

  /** Counts what the station makes. */
  made(what: Made): void {
    const other = this.#aliases?.made;
    const names = [`${this.#prefix}${what.name}`, ...(other === undefined ? [] : [other])];
    const registers = [this.#registry];
    this.#made = { what, counters: names.map((name) => new Counter({ name, help: what.help, registers })) };
  }

  /** A number that is asked for when metrics are read. */
  gauge(name: string, help: string, value: () => number, otherName?: string): void {
    const names = [`${this.#prefix}${name}`];
    if (otherName !== undefined && this.#aliases !== undefined) names.push(otherName);
    for (const each of names) {
      new Gauge({
        name: each,
        help,
        registers: [this.#registry],
        collect() {
          this.set(value());
        },
      });
    }
  }

  /** Counts that are kept elsewhere, asked for when metrics are read. */
  tally({ name, help, labels, rows, otherName }: Tally): void {
    const names = [`${this.#prefix}${name}`, ...(this.#aliases === undefined ? [] : [otherName])];
    for (const each of names) {
      new Counter({
        ...{ name: each, help, labelNames: [...labels], registers: [this.#registry] },
        collect() {
          this.reset();
          for (const row of rows()) this.inc(row.labels, row.count);
        },
      });
    }
  }

  /** When things end, by what: milliseconds in, seconds since the epoch out. */
  expiry(
    name: string,
    times: () => Readonly<Record<string, number>> | Promise<Readonly<Record<string, number>>>,
  ): void {
    new Gauge({
      name: `${this.#prefix}${name}_expiry_seconds`,
      help: 'When it ends, in seconds since the epoch.',
      labelNames: ['what'],
      registers: [this.#registry],
      async collect() {
        for (const [what, ms] of Object.entries(await times())) this.set({ what }, Math.floor(ms / 1000));
      },
    });
  }
}

/** The same under the names of the server people know, in its units. */
function aliasRecorders(aliases: Aliases, registers: Registry[]): Recorder[] {
  const { requests, latency, sizes = [] } = aliases;
  const counters = requests.map(({ name, labels }): Recorder => {
    const help = 'Requests, as that server counts them.';
    const metric = new Counter({ name, help, labelNames: labels, registers });
    return (values) => metric.inc(chosen(values, labels));
  });
  const timers = latency.map((one): Recorder => {
    const metric = latencyMetric(one, registers);
    const perSecond = one.unit === 'ns' ? 1e9 : 1;
    return (values, seconds) => metric.observe(chosen(values, one.labels), seconds * perSecond);
  });
  const bytesOf = sizes.map(({ name, labels }: Labelled): Recorder => {
    const metric = new Histogram({ name, help: 'Bytes of requests.', labelNames: labels, registers });
    return (values, _seconds, bytes) => metric.observe(chosen(values, labels), bytes);
  });
  return [...counters, ...timers, ...bytesOf];
}

function latencyMetric({ name, labels, kind, unit, buckets }: Latency, registers: Registry[]) {
  const help = `Time to answer a request, in ${unit ?? 'seconds'}.`;
  const common = { name, help, labelNames: labels, registers };
  // Go's summaries have no quantiles unless told, and these are not.
  return kind === 'summary'
    ? new Summary({ ...common, percentiles: [] })
    : new Histogram({ ...common, buckets: [...buckets] });
}

function chosen(values: Values, labels: readonly Label[]): Partial<Record<Label, string>> {
  return Object.fromEntries(labels.map((label) => [label, values[label]]));
}
