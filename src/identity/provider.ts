/** What every provider of identity tokens has, and the one way to ask one over HTTP. */
import { setTimeout as sleep } from 'node:timers/promises';
import { utf8Text } from '#base/bytes';
import { limits } from '#base/limits';
import { fail, WaybillError } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import { Secret } from '#base/secret';
import { parseJson, reader } from '#formats/json';
import { readFileIfThere } from '#platform/files';
import { type HttpRequest, type HttpResponse, safeUrl, type Transport } from '#platform/http-client';
import { R as Platform } from '#platform/reasons';
import { R } from './reasons.ts';

export interface ProviderQuestion {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly transport: Transport;
  readonly audience: string;
  /** Milliseconds one answer may take. */
  readonly timeoutMs: number;
}

/**
 * Contract: `find` answers undefined where the surroundings are not the provider's, and throws WB-624 with the
 * setting that lacks where they are but no token is to be had. Tokens never appear in messages.
 */
export interface Provider {
  /** As in `--oidc-provider`; cosign's name where it has one. */
  readonly name: string;
  /** For people. */
  readonly label: string;
  /** What makes the provider issue a token for the audience. */
  readonly setting: string;
  find(question: ProviderQuestion): Promise<Secret | undefined>;
}

const ATTEMPTS_MAX = 3;
const PAUSE_MS = 300;

/** The token in field `field` of a JSON answer. Broken connections and 5xx are tried again. */
export async function askFor(
  provider: Provider,
  question: ProviderQuestion,
  request: HttpRequest,
  field: string,
): Promise<Secret> {
  const answer = await patient(provider, question, request);
  const from = safeUrl(request.url);
  if (answer.status < 200 || answer.status > 299) {
    throw refusal(provider, `a token from ${from}`, `status ${answer.status}${messageOf(answer)}`);
  }
  const token = attempt(() => reader(unwrap(parseJson(answer.body)), 'answer').text(field));
  if (token.ok) return tokenFrom(provider, token.value);
  throw refusal(provider, `a JSON object with ${field} from ${from}`, 'something else');
}

/** The text of an answer, or the reason that says which setting lacks. */
export async function askText(
  provider: Provider,
  question: ProviderQuestion,
  request: HttpRequest,
): Promise<string> {
  const answer = await patient(provider, question, request);
  const text = attempt(() => utf8Text(answer.body).trim());
  if (answer.status === 200 && text.ok) return text.value;
  throw refusal(provider, `a token from ${safeUrl(request.url)}`, `status ${answer.status}`);
}

async function patient(
  provider: Provider,
  { transport, timeoutMs }: ProviderQuestion,
  request: HttpRequest,
): Promise<HttpResponse> {
  for (let attempts = 1; ; attempts++) {
    try {
      const answer = await transport.request({ timeoutMs, maxBytes: 64 * 1024, ...request });
      if (answer.status < 500 || attempts >= ATTEMPTS_MAX) return answer;
    } catch (error) {
      if (!(error instanceof WaybillError) || error.reason.side !== 'environment') throw error;
      if (attempts >= ATTEMPTS_MAX) {
        const { code, actual } = error.reason;
        const isLate = code === Platform.timeout.code;
        const why = isLate ? `none within ${timeoutMs / 1000} s, ${attempts} times` : actual;
        throw refusal(provider, `an answer of ${provider.label} at ${safeUrl(request.url)}`, why);
      }
    }
    await sleep(PAUSE_MS * attempts);
  }
}

/** What a provider says about itself in a refusal; never more than a line. */
function messageOf(answer: HttpResponse): string {
  const parsed = parseJson(answer.body, { maxBytes: 4096 });
  const text = parsed.ok
    ? attempt(() => reader(parsed.value, 'answer').text('message'))
    : attempt(() => utf8Text(answer.body.subarray(0, 200)));
  const line = text.ok ? text.value.trim().split('\n')[0] : '';
  return line === undefined || line === '' || looksLikeJwt(line) ? '' : `: ${line}`;
}

export const looksLikeJwt = (text: string): boolean => /^[\w-]+\.[\w-]+\.[\w-]*$/.test(text);

/** A token as it came. Throws WB-624 when it is none. */
export function tokenFrom(provider: Provider, text: string): Secret {
  const token = text.trim();
  if (token.length <= limits.tokenBytes && looksLikeJwt(token)) return new Secret(token);
  throw refusal(provider, `${provider.label} to give a token`, `${text.length} other characters`);
}

/** The token in a file; undefined when there is no such file. */
export async function tokenInFile(provider: Provider, path: string): Promise<Secret | undefined> {
  const bytes = await readFileIfThere(path);
  if (bytes === undefined) return undefined;
  const text = attempt(() => utf8Text(bytes));
  return tokenFrom(provider, text.ok ? text.value : '');
}

export const refusal = (provider: Provider, expected: string, actual: string): WaybillError =>
  fail(R.provider, { expected, actual, hint: provider.setting });
