/**
 * Metrics of one station, in a registry of their own. Labels come from closed sets only: route templates, methods
 * and status codes; never paths, names or digests, which a stranger could make without end. With the alias switch
 * the names of Sigstore's servers stand beside ours, so that dashboards made for those work.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { HttpApp } from '#platform/http-server';

const BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']);

/** Names of Sigstore's servers for requests, latency and what was made: Fulcio, Rekor, rekor-tiles, TSA. */
interface Aliases {
  readonly requests: readonly Labelled[];
  readonly latency: readonly Labelled[];
  readonly made?: string;
}
interface Labelled {
  readonly name: string;
  readonly labels: readonly Label[];
}
type Label = 'path' | 'method' | 'code';
type Recorder = (values: Record<Label, string>, seconds: number) => void;

const aliasesOf: Readonly<Record<string, Aliases>> = {
  ca: {
    requests: [{ name: 'http_requests_total', labels: ['code', 'method'] }],
    latency: [{ name: 'fulcio_api_latency', labels: ['code', 'method'] }],
    made: 'fulcio_new_certs',
  },
  log: {
    requests: [{ name: 'rekor_qps_by_api', labels: ['path', 'method', 'code'] }],
    latency: [
      { name: 'rekor_api_latency', labels: ['path', 'code'] },
      { name: 'rekor_latency_by_api', labels: ['path', 'method'] },
    ],
    made: 'rekor_new_entries',
  },
  log2: {
    requests: [{ name: 'rekor_v2_http_requests_total', labels: ['code', 'method'] }],
    latency: [{ name: 'rekor_v2_http_api_latency', labels: ['code', 'method'] }],
    made: 'rekor_v2_new_hashedrekord_entries',
  },
  tsa: {
    requests: [{ name: 'timestamp_authority_http_requests_total', labels: ['code', 'method'] }],
    latency: [{ name: 'timestamp_authority_api_latency', labels: ['code', 'method'] }],
  },
};

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
      record(values, reply.elapsedTime / 1000);
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
    const { requests: otherRequests = [], latency: otherLatency = [] } = this.#aliases ?? {};
    const counters = [{ name: `${this.#prefix}http_requests_total`, labels: all }, ...otherRequests].map(
      ({ name, labels }) => ({
        labels,
        metric: new Counter({
          name,
          help: 'Requests by route, method and status.',
          labelNames: labels,
          registers,
        }),
      }),
    );
    const histograms = [
      { name: `${this.#prefix}http_request_duration_seconds`, labels: ['path', 'method'] as const },
      ...otherLatency,
    ].map(({ name, labels }) => ({
      labels,
      metric: new Histogram({
        name,
        help: 'Time to answer a request, in seconds.',
        labelNames: labels,
        buckets: BUCKETS,
        registers,
      }),
    }));
    return (values, seconds) => {
      for (const { labels, metric } of counters) metric.inc(chosen(values, labels));
      for (const { labels, metric } of histograms) metric.observe(chosen(values, labels), seconds);
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

function chosen(values: Record<Label, string>, labels: readonly Label[]): Partial<Record<Label, string>> {
  return Object.fromEntries(labels.map((label) => [label, values[label]]));
}
