/** Use case: have an image built from a commit by a builder, and wait for it. The builder does the rest. */
import { utf8 } from '#base/bytes';
import { fail, type Reason, WaybillError } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import type { Secret } from '#base/secret';
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from '#formats/json';
import type { HttpRequest, Transport } from '#platform/http-client';
import { R } from './build-reasons.ts';

/** The fields of a build record that this use case reads; the whole record goes to the caller. */
export interface BuildRecord {
  readonly id: string;
  readonly state: 'queued' | 'running' | 'succeeded' | 'failed';
  readonly reason?: Reason;
  readonly result?: JsonObject;
}

/** A builder, over HTTP or in this process. */
export interface BuilderPort {
  submit(request: JsonObject): Promise<BuildRecord>;
  status(id: string): Promise<BuildRecord>;
  log(id: string): Promise<Uint8Array>;
}

export interface BuildImageDeps {
  readonly builder: BuilderPort;
  /** Called with each new piece of the log. */
  readonly onLog: (text: string) => void;
  /** Between two questions for the state; default half a second. */
  readonly pollMs?: number;
}

const POLL_MS = 500;

/** Submits and waits. Throws the reason of a failed build; the answer is a build that succeeded. */
export async function buildImage(request: JsonObject, deps: BuildImageDeps): Promise<BuildRecord> {
  const { id } = await deps.builder.submit(request);
  let shown = 0;
  for (;;) {
    const record = await deps.builder.status(id);
    const log = await deps.builder.log(id);
    if (log.length > shown) deps.onLog(Buffer.from(log.subarray(shown)).toString('utf8'));
    shown = log.length;
    if (record.state === 'succeeded') return record;
    if (record.state === 'failed') {
      if (record.reason !== undefined) throw new WaybillError(record.reason);
      throw fail(R.builderAnswer, { expected: 'a reason of the failed build', actual: 'none' });
    }
    await new Promise((resolve) => setTimeout(resolve, deps.pollMs ?? POLL_MS));
  }
}

/** A builder at a URL. */
export function httpBuilder(origin: string, transport: Transport, token?: Secret): BuilderPort {
  const headers: Record<string, string> = {
    accept: 'application/json',
    ...(token === undefined ? {} : { authorization: `Bearer ${token.reveal()}` }),
  };
  const base = `${origin.replace(/\/+$/, '')}/api/v1/builds`;
  const ask = async (request: HttpRequest, status: number): Promise<Uint8Array> => {
    const answer = await transport.request({ ...request, headers });
    if (answer.status === status) return answer.body;
    const said = Buffer.from(answer.body.subarray(0, 500)).toString('utf8');
    const expected = `status ${status} from ${request.url}`;
    throw fail(R.builderAnswer, { expected, actual: `${answer.status}: ${said}` });
  };
  return {
    submit: async (request) =>
      readRecord(await ask({ url: base, method: 'POST', body: utf8(JSON.stringify(request)) }, 202)),
    status: async (id) => readRecord(await ask({ url: `${base}/${id}` }, 200)),
    log: (id) => ask({ url: `${base}/${id}/log`, maxBytes: 32 * 1024 * 1024 }, 200),
  };
}

const states: ReadonlySet<unknown> = new Set(['queued', 'running', 'succeeded', 'failed']);

/** A reason from elsewhere, field by field: a builder must not decide that a failure exits with 0. */
function reasonOf(value: JsonValue | undefined): Reason | undefined {
  if (!isJsonObject(value)) return undefined;
  const text = (name: string): string => String(value[name] ?? '').slice(0, 1000);
  const exit = Number(value['exit']);
  const isCode = /^WB-\d{3,4}$/.test(text('code'));
  return {
    code: (isCode ? text('code') : R.builderAnswer.code) as Reason['code'],
    check: text('check'),
    side: 'input',
    class: 'builder',
    expected: text('expected'),
    actual: text('actual'),
    hint: text('hint'),
    exit: Number.isInteger(exit) && exit > 0 && exit < 64 ? exit : 1,
    status: 400,
  };
}

/** A record as the builder sent it; WB-922 when it is none. */
export function readRecord(bytes: Uint8Array): BuildRecord {
  const parsed = attempt(() => unwrap(parseJson(bytes)));
  const value = parsed.ok ? parsed.value : null;
  if (isJsonObject(value) && states.has(value['state']) && /^[0-9a-f]{32}$/.test(String(value['id']))) {
    const { reason: _reason, ...rest } = value;
    const why = reasonOf(value['reason']);
    return { ...(rest as unknown as BuildRecord), ...(why === undefined ? {} : { reason: why }) };
  }
  throw fail(R.builderAnswer, {
    expected: 'a build record',
    actual: Buffer.from(bytes.subarray(0, 200)).toString('utf8'),
  });
}
