/**
 * The names, labels and units of Sigstore's servers, as their own pages of metrics show them: Fulcio 1.8 and
 * rekor-tiles 2 count with Prometheus' handler for HTTP (seconds, methods in small letters), Rekor 1.5 and the
 * timestamp authority 2 with their own (nanoseconds; histograms by path and code with buckets made for seconds).
 * Left out is what says nothing of ours: their gRPC doors, Tessera, their builds, events nobody publishes.
 */

export type Label = 'path' | 'method' | 'code';

export interface Labelled {
  readonly name: string;
  readonly labels: readonly Label[];
}

export interface Latency extends Labelled {
  readonly kind?: 'summary';
  /** Default: seconds. */
  readonly unit?: 'ns';
  /** In `unit`. */
  readonly buckets: readonly number[];
}

export interface Aliases {
  readonly requests: readonly Labelled[];
  readonly latency: readonly Latency[];
  /** Bytes of requests. */
  readonly sizes?: readonly Labelled[];
  readonly made?: string;
  /** Values as that server writes them; undefined: it does not count such a request. */
  readonly values?: (values: Record<Label, string>) => Record<Label, string> | undefined;
}

/** Prometheus' own, in seconds. */
const DEFAULT_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const MILLISECOND_NS = 1e6;
const SECOND_NS = 1e9;

/** Ten bounds from a millisecond, each the same factor above the one before. */
const upTo = (seconds: number): readonly number[] =>
  Array.from(
    { length: 10 },
    (_, at) => MILLISECOND_NS * ((seconds * SECOND_NS) / MILLISECOND_NS) ** (at / 9),
  );

const byHandler = (prefix: string): Pick<Aliases, 'requests' | 'latency' | 'values'> => {
  const labels = ['code', 'method'] as const;
  return {
    requests: [
      { name: prefix === 'fulcio' ? 'http_requests_total' : `${prefix}_http_requests_total`, labels },
    ],
    latency: [
      {
        name: prefix === 'fulcio' ? 'fulcio_api_latency' : `${prefix}_http_api_latency`,
        labels,
        buckets: DEFAULT_BUCKETS,
      },
    ],
    values: (values) => ({ ...values, method: values.method.toLowerCase() }),
  };
};

/** `longest`: seconds of the last bound by path and method. */
const byApi = (prefix: string, longest: number): readonly Latency[] => {
  const byCode = { labels: ['path', 'code'], unit: 'ns', buckets: DEFAULT_BUCKETS } as const;
  return [
    { name: `${prefix}_api_latency`, ...byCode },
    { name: `${prefix}_api_latency_summary`, ...byCode, kind: 'summary' },
    { name: `${prefix}_latency_by_api`, labels: ['path', 'method'], unit: 'ns', buckets: upTo(longest) },
  ];
};

/** By station. */
export const aliasesOf: Readonly<Record<string, Aliases>> = {
  ca: { ...byHandler('fulcio'), made: 'fulcio_new_certs' },
  log: {
    requests: [{ name: 'rekor_qps_by_api', labels: ['path', 'method', 'code'] }],
    latency: byApi('rekor', 60),
    made: 'rekor_new_entries',
    values: ({ path, ...values }) =>
      path.startsWith('/api/v1/log') || path.startsWith('/api/v1/index')
        ? { ...values, path: path.replace(':id', '{entryUUID}') }
        : undefined,
  },
  log2: {
    ...byHandler('rekor_v2'),
    sizes: [{ name: 'rekor_v2_http_api_request_size', labels: ['code', 'method'] }],
    made: 'rekor_v2_new_hashedrekord_entries',
  },
  tsa: {
    requests: [{ name: 'timestamp_authority_http_requests_total', labels: ['code', 'path', 'method'] }],
    latency: byApi('timestamp_authority', 4),
    values: ({ path, method, ...values }) => ({
      ...values,
      path: path.startsWith('/api/v1/timestamp') || path === '/ping' ? path : 'unrecognized',
      method: ['GET', 'POST', 'HEAD'].includes(method) ? method : 'unrecognized',
    }),
  },
};
