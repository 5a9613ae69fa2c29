/**
 * Traces of requests, for OpenTelemetry collectors: OTLP over HTTP as JSON, W3C trace context. Off unless an endpoint is
 * configured. Telemetry never holds up a request: spans wait in a bounded queue, and what cannot be sent is dropped
 * and counted.
 *
 * Sources: OTLP 1.x (opentelemetry-proto, JSON mapping: ids in hex, times as decimal strings), OpenTelemetry
 * environment variables, W3C Trace Context §3, HTTP semantic conventions.
 */
import { toHex, utf8 } from '#base/bytes';
import type { Clock } from '#base/clock';
import type { Random } from '#base/random';
import { reasonText, WaybillError } from '#base/reason';
import type { Transport } from './http-client.ts';
import type { HttpApp, HttpRequestIn } from './http-server.ts';
import type { Logger } from './telemetry.ts';

export interface TraceSettings {
  /** Whole address that takes `ExportTraceServiceRequest`. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Of traces that begin here; one that arrives sampled or not keeps that. 0 to 1. */
  readonly ratio: number;
  /** `service.name`. */
  readonly service: string;
}

export interface TraceDeps {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

const QUEUE_MAX = 2048;
const BATCH_MAX = 512;
const EVERY_MS = 5000;
const EXPORT_MS_MAX = 10_000;
const SERVER_KIND = 2;
const STATUS_ERROR = 2;
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** What the environment says (`OTEL_…`); undefined when traces are not wanted. */
export function traceSettings(
  env: Readonly<Record<string, string | undefined>>,
  service: string,
): TraceSettings | undefined {
  const own = env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'];
  const base = env['OTEL_EXPORTER_OTLP_ENDPOINT'];
  const url = own || (base ? `${base.replace(/\/$/, '')}/v1/traces` : undefined);
  const isOff = env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true' || env['OTEL_TRACES_EXPORTER'] === 'none';
  if (url === undefined || isOff) return undefined;
  const pairs = (env['OTEL_EXPORTER_OTLP_TRACES_HEADERS'] ?? env['OTEL_EXPORTER_OTLP_HEADERS'] ?? '')
    .split(',')
    .map((pair) => pair.split('=', 2))
    .filter((pair): pair is [string, string] => pair.length === 2)
    .map(([name, value]) => [name.trim().toLowerCase(), decodeURIComponent(value.trim())]);
  const ratio = Number(env['OTEL_TRACES_SAMPLER_ARG'] ?? 1);
  return {
    url,
    headers: Object.fromEntries(pairs),
    ratio: env['OTEL_TRACES_SAMPLER'] === 'always_off' ? 0 : ratio >= 0 && ratio <= 1 ? ratio : 1,
    service: env['OTEL_SERVICE_NAME'] || service,
  };
}

interface Started {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | undefined;
  readonly startedMs: number;
}

interface Span extends Started {
  readonly method: string;
  readonly route: string;
  readonly status: number;
  readonly endedMs: number;
}

export class Tracer {
  readonly #settings: TraceSettings;
  readonly #deps: TraceDeps;
  readonly #started = new WeakMap<HttpRequestIn, Started>();
  readonly #timer: NodeJS.Timeout;
  #queue: Span[] = [];
  #sending: Promise<void> | undefined;
  #dropped = 0;

  constructor(settings: TraceSettings, deps: TraceDeps) {
    this.#settings = settings;
    this.#deps = deps;
    this.#timer = setInterval(() => void this.flush(), EVERY_MS);
    this.#timer.unref();
  }

  /** Spans that were not sent. */
  get dropped(): number {
    return this.#dropped;
  }

  /** One span for every request of this server that is sampled. */
  watch(app: HttpApp): void {
    app.addHook('onRequest', (request, _reply, done) => {
      const started = this.#start(request.headers['traceparent']);
      if (started !== undefined) this.#started.set(request, started);
      done();
    });
    app.addHook('onResponse', (request, reply, done) => {
      const started = this.#started.get(request);
      // The template, never the path: paths name images and people.
      const route = request.routeOptions.url ?? 'none';
      if (started !== undefined) {
        const { method } = request;
        this.#add({ ...started, method, route, status: reply.statusCode, endedMs: this.#deps.clock.now() });
      }
      done();
    });
  }

  #start(header: string | readonly string[] | undefined): Started | undefined {
    const { random, clock } = this.#deps;
    const [, traceId, parentId, flags] = (typeof header === 'string' && TRACEPARENT.exec(header)) || [];
    const isGiven = traceId !== undefined && !/^0+$/.test(traceId) && !/^0+$/.test(parentId ?? '');
    const isSampled = isGiven
      ? (Number.parseInt(flags as string, 16) & 1) === 1
      : (random.bytes(1)[0] as number) / 256 < this.#settings.ratio;
    if (!isSampled) return undefined;
    return {
      traceId: isGiven ? traceId : toHex(random.bytes(16)),
      spanId: toHex(random.bytes(8)),
      parentId: isGiven ? parentId : undefined,
      startedMs: clock.now(),
    };
  }

  #add(span: Span): void {
    if (this.#queue.length >= QUEUE_MAX) this.#dropped += 1;
    else this.#queue.push(span);
    if (this.#queue.length >= BATCH_MAX) void this.flush();
  }

  /** Sends what waits. Never rejects. */
  flush(): Promise<void> {
    this.#sending ??= this.#send().finally(() => {
      this.#sending = undefined;
    });
    return this.#sending;
  }

  async #send(): Promise<void> {
    const { url, headers } = this.#settings;
    while (this.#queue.length > 0) {
      const spans = this.#queue.splice(0, BATCH_MAX);
      try {
        const answer = await this.#deps.transport.request({
          url,
          method: 'POST',
          headers: { ...headers, 'content-type': 'application/json' },
          body: utf8(JSON.stringify(exportRequest(this.#settings.service, spans))),
          timeoutMs: EXPORT_MS_MAX,
        });
        if (answer.status >= 300) throw new Error(`status ${answer.status}`);
      } catch (error) {
        this.#dropped += spans.length;
        const why = error instanceof WaybillError ? reasonText(error.reason) : String(error);
        this.#deps.log.warn({ why, dropped: this.#dropped }, 'traces not sent');
        // The rest waits for the next time: a collector that is away must not be hammered.
        return;
      }
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sending;
    await this.flush();
  }
}

const nanoseconds = (ms: number): string => `${Math.round(ms)}000000`;

/** `ExportTraceServiceRequest` in OTLP's JSON. */
function exportRequest(service: string, spans: readonly Span[]): object {
  const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });
  return {
    resourceSpans: [
      {
        resource: { attributes: [text('service.name', service)] },
        scopeSpans: [{ scope: { name: 'waybill' }, spans: spans.map(spanJson) }],
      },
    ],
  };

  function spanJson({ traceId, spanId, parentId, startedMs, endedMs, method, route, status }: Span): object {
    return {
      traceId,
      spanId,
      ...(parentId === undefined ? {} : { parentSpanId: parentId }),
      name: `${method} ${route}`,
      kind: SERVER_KIND,
      startTimeUnixNano: nanoseconds(startedMs),
      endTimeUnixNano: nanoseconds(Math.max(startedMs, endedMs)),
      attributes: [
        text('http.request.method', method),
        text('http.route', route),
        { key: 'http.response.status_code', value: { intValue: String(status) } },
      ],
      // A refusal is the client's doing, as the conventions have it.
      status: status >= 500 ? { code: STATUS_ERROR } : {},
    };
  }
}
