/** Where an identity token comes from when a person or a pipeline signs. First that is there wins. */
import { resolve } from 'node:path';
import { utf8, utf8Text } from '#base/bytes';
import { limits } from '#base/limits';
import { fail, WaybillError } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import { Secret } from '#base/secret';
import { parseJson, reader } from '#formats/json';
import { readFileIfThere } from '#platform/files';
import { type HttpResponse, safeUrl, type Transport } from '#platform/http-client';
import { R } from './reasons.ts';

export interface DetectOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly transport: Transport;
  /** `--identity-token`: the token or the path of a file with it. */
  readonly given?: string;
  /** For relative paths. */
  readonly cwd?: string;
  readonly audience?: string;
  /** Ask no provider of the surroundings, only the option and the variable. */
  readonly withoutAmbient?: boolean;
}

export interface FoundToken {
  readonly token: Secret;
  /** For people: `--identity-token`, `SIGSTORE_ID_TOKEN`, `GitHub Actions`, … */
  readonly source: string;
}

/** A file some platforms project an identity token into, as cosign looks for it. */
const PROJECTED_TOKEN = '/var/run/sigstore/cosign/oidc-token';

/** The token to sign with, or undefined when nothing offers one. Throws WB-621, WB-624 and network reasons. */
export async function findToken(options: DetectOptions): Promise<FoundToken | undefined> {
  const { env, given } = options;
  if (given !== undefined && given !== '') {
    return { token: await fromOption(given, options.cwd ?? '.'), source: '--identity-token' };
  }
  const variable = env['SIGSTORE_ID_TOKEN'];
  if (variable) return { token: new Secret(variable.trim()), source: 'SIGSTORE_ID_TOKEN' };
  if (options.withoutAmbient === true) return undefined;
  return (await fromGithub(options)) ?? (await fromBuildkite(options)) ?? (await fromFile(options));
}

/** Like `findToken`, the token alone. */
export async function detectToken(options: DetectOptions): Promise<Secret | undefined> {
  return (await findToken(options))?.token;
}

/** Like `findToken`, but no token is WB-620 (exit 31). */
export async function requireToken(options: DetectOptions): Promise<FoundToken> {
  const found = await findToken(options);
  if (found !== undefined) return found;
  throw fail(R.noToken, {
    expected: 'an identity token',
    actual: 'no option, no variable and no CI provider offers one',
  });
}

const looksLikeJwt = (text: string): boolean => /^[\w-]+\.[\w-]+\.[\w-]*$/.test(text);

async function fromOption(given: string, cwd: string): Promise<Secret> {
  if (looksLikeJwt(given)) {
    // A path such as a.b.c is possible but rarer than a token; a file of that name is tried first.
    const file = given.length < 255 ? await readFileIfThere(resolve(cwd, given)) : undefined;
    return file === undefined ? new Secret(given) : tokenIn(file, given);
  }
  const file = await readFileIfThere(resolve(cwd, given));
  if (file !== undefined) return tokenIn(file, given);
  throw fail(R.form, { expected: 'a token, or the path of a file with one', actual: 'neither' });
}

function tokenIn(bytes: Uint8Array, path: string): Secret {
  const text = attempt(() => utf8Text(bytes).trim());
  if (text.ok && text.value.length <= limits.tokenBytes && looksLikeJwt(text.value)) {
    return new Secret(text.value);
  }
  throw fail(R.form, { expected: `${path} to hold one token`, actual: `${bytes.length} other bytes` });
}

/** GitHub Actions: the runner exchanges its request token for an identity token. */
async function fromGithub({ env, transport, audience }: DetectOptions): Promise<FoundToken | undefined> {
  const url = env['ACTIONS_ID_TOKEN_REQUEST_URL'];
  const bearer = env['ACTIONS_ID_TOKEN_REQUEST_TOKEN'];
  if (!url || !bearer) {
    if (env['GITHUB_ACTIONS'] !== 'true') return undefined;
    throw fail(R.provider, {
      expected: 'ACTIONS_ID_TOKEN_REQUEST_URL and _TOKEN',
      actual: 'a workflow without permissions: id-token: write',
    });
  }
  const target = URL.parse(url);
  if (target === null) {
    throw fail(R.provider, {
      expected: 'ACTIONS_ID_TOKEN_REQUEST_URL as a URL',
      actual: JSON.stringify(url),
    });
  }
  target.searchParams.set('audience', audience ?? 'sigstore');
  const answer = await transport.request({
    url: target.href,
    headers: { authorization: `bearer ${bearer}`, accept: 'application/json' },
  });
  return { token: tokenOf(answer, 'value', target.href), source: 'GitHub Actions' };
}

/** Buildkite: the agent's API issues a token for the running job. */
async function fromBuildkite({ env, transport, audience }: DetectOptions): Promise<FoundToken | undefined> {
  const { BUILDKITE_AGENT_ACCESS_TOKEN: access, BUILDKITE_JOB_ID: job } = env;
  if (!access || !job) return undefined;
  const base = env['BUILDKITE_AGENT_ENDPOINT'] ?? 'https://agent.buildkite.com/v3';
  const url = `${base.replace(/\/+$/, '')}/jobs/${encodeURIComponent(job)}/oidc/tokens`;
  const answer = await transport.request({
    url,
    method: 'POST',
    headers: { authorization: `Token ${access}`, 'content-type': 'application/json' },
    body: utf8(JSON.stringify({ audience: audience ?? 'sigstore' })),
  });
  return { token: tokenOf(answer, 'token', url), source: 'Buildkite' };
}

/** A projected token: `WAYBILL_ID_TOKEN_FILE`, or where Kubernetes deployments of cosign put it. */
async function fromFile({ env }: DetectOptions): Promise<FoundToken | undefined> {
  const path = env['WAYBILL_ID_TOKEN_FILE'] ?? PROJECTED_TOKEN;
  const bytes = await readFileIfThere(path);
  if (bytes !== undefined) return { token: tokenIn(bytes, path), source: path };
  if (env['WAYBILL_ID_TOKEN_FILE'] === undefined) return undefined;
  throw fail(R.provider, { expected: `a token in ${path}`, actual: 'no such file' });
}

function tokenOf(answer: HttpResponse, field: string, url: string): Secret {
  if (answer.status < 200 || answer.status > 299) {
    throw fail(R.provider, { expected: `a token from ${safeUrl(url)}`, actual: `status ${answer.status}` });
  }
  try {
    return new Secret(reader(unwrap(parseJson(answer.body)), 'answer').text(field));
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    throw fail(R.provider, { expected: `a JSON object with ${field}`, actual: 'something else' });
  }
}
