/** Where an identity token comes from when a person or a pipeline signs. First that is there wins. */
import { resolve } from 'node:path';
import { utf8Text } from '#base/bytes';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { attempt } from '#base/result';
import { Secret } from '#base/secret';
import { readFileIfThere } from '#platform/files';
import type { Transport } from '#platform/http-client';
import { azurePipelines, buildkite, circleci, codefresh, githubActions, gitlab } from './ci-providers.ts';
import { readClaims } from './claims.ts';
import { filesystem, google, kubernetes, spiffe } from './machine-providers.ts';
import { looksLikeJwt, type Provider } from './provider.ts';
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
  /** `--oidc-provider`: ask this one alone. */
  readonly provider?: string;
  /** Milliseconds a provider may take for one answer; default 10 s. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 10_000;

export interface FoundToken {
  readonly token: Secret;
  /** For people: `--identity-token`, `SIGSTORE_ID_TOKEN`, `GitHub Actions`, … */
  readonly source: string;
}

/**
 * In the order they are asked. A file that is named wins over everything; then the job a CI system runs, GitHub's
 * first because its runners live inside other platforms too; then the machine.
 */
const providers: readonly Provider[] = [
  githubActions,
  gitlab,
  buildkite,
  circleci,
  codefresh,
  azurePipelines,
  filesystem,
  spiffe,
  google,
  kubernetes,
];

/** Names for `--oidc-provider`. */
export const providerNames: readonly string[] = providers.map(({ name }) => name);

/** The token to sign with, or undefined when nothing offers one. Throws WB-621, WB-623, WB-624, WB-626. */
export async function findToken(options: DetectOptions): Promise<FoundToken | undefined> {
  const { env, given } = options;
  if (given !== undefined && given !== '') {
    return { token: await fromOption(given, options.cwd ?? '.'), source: '--identity-token' };
  }
  if (options.provider !== undefined) return fromProvider(providerNamed(options.provider), options);
  const variable = env['SIGSTORE_ID_TOKEN'];
  if (variable) return { token: new Secret(variable.trim()), source: 'SIGSTORE_ID_TOKEN' };
  if (options.withoutAmbient === true) return undefined;
  const named = env['WAYBILL_ID_TOKEN_FILE'] ? [filesystem] : [];
  for (const provider of [...named, ...providers]) {
    const found = await fromProvider(provider, options);
    if (found !== undefined) return found;
  }
  return undefined;
}

function providerNamed(name: string): Provider {
  // cosign has two names for Google's.
  const known = providers.find(
    (one) => one.name === name || (one.name === 'google' && name.startsWith('google-')),
  );
  if (known !== undefined) return known;
  throw fail(R.providerName, {
    expected: `one of ${providerNames.join(', ')}`,
    actual: JSON.stringify(name),
  });
}

async function fromProvider(provider: Provider, options: DetectOptions): Promise<FoundToken | undefined> {
  const { env, transport, audience = 'sigstore', timeoutMs = TIMEOUT_MS } = options;
  const token = await provider.find({ env, transport, audience, timeoutMs });
  if (token === undefined) {
    if (options.provider === undefined) return undefined;
    const actual = 'the surroundings are not its';
    throw fail(R.provider, { expected: `a token from ${provider.label}`, actual, hint: provider.setting });
  }
  const { audience: has } = readClaims(token);
  if (has.includes(audience)) return { token, source: provider.label };
  throw fail(R.audience, { expected: audience, actual: has.join(', ') || 'none', hint: provider.setting });
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
