/**
 * Signing in as a person: the authorization code flow with PKCE in a browser (RFC 8252, loopback redirect), or a
 * code typed elsewhere (RFC 8628). The protocol is openid-client's; here is what surrounds it.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Configuration, DiscoveryRequestOptions } from 'openid-client';
import { fail, WaybillError } from '#base/reason';
import { Secret } from '#base/secret';
import type { Transport } from '#platform/http-client';
import { R } from './reasons.ts';

export interface SignInOptions {
  /** URL of the issuer, with discovery below it. */
  readonly issuer: string;
  /** The client, which becomes the audience of the token. */
  readonly clientId: string;
  readonly clientSecret?: Secret;
  readonly flow: 'browser' | 'device';
  /** Where the issuer sends the browser back; port 0 takes any. Default `http://localhost:0/auth/callback`. */
  readonly redirectUrl?: string;
  readonly transport: Transport;
  /** Shows a line to the person. */
  readonly tell: (text: string) => void;
  /** Opens an address in a browser; false when there is none. */
  readonly open: (url: string) => Promise<boolean>;
  readonly signal?: AbortSignal;
}

/**
 * Whether somebody can be asked. In CI nobody can, whatever is said; elsewhere a terminal tells, or a flow that was
 * asked for by name. Throws WB-627.
 */
export function requirePerson(surroundings: {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isTerminal: boolean;
  readonly flow?: string;
}): void {
  const { env, isTerminal, flow } = surroundings;
  const pipeline = [
    'CI',
    'GITHUB_ACTIONS',
    'GITLAB_CI',
    'BUILDKITE',
    'CIRCLECI',
    'TF_BUILD',
    'JENKINS_URL',
  ].find((name) => env[name] !== undefined && env[name] !== '' && env[name] !== 'false');
  if (pipeline === undefined && flow !== 'token' && (isTerminal || flow !== undefined)) return;
  const actual =
    pipeline !== undefined
      ? `a pipeline (${pipeline}) without a token`
      : flow === 'token'
        ? '--fulcio-auth-flow token without a token'
        : 'no token and no terminal';
  throw fail(R.notInteractive, { expected: 'an identity token', actual });
}

const SCOPE = 'openid email';
const CALLBACK = 'http://localhost:0/auth/callback';
const PATIENCE_MS = 5 * 60_000;

/** The identity token of whoever signs in. Throws WB-628. */
export async function signIn(options: SignInOptions): Promise<Secret> {
  const oidc = await import('openid-client');
  try {
    const secret = options.clientSecret?.reveal();
    const config = await oidc.discovery(
      new URL(options.issuer),
      options.clientId,
      undefined,
      secret === undefined ? oidc.None() : oidc.ClientSecretPost(secret),
      discoveryOptions(options, oidc.customFetch, oidc.allowInsecureRequests),
    );
    config[oidc.customFetch] = fetchThrough(options.transport);
    const token =
      options.flow === 'device' ? await byCode(config, options) : await byBrowser(config, options);
    if (token === undefined) throw new Error('the provider sent no identity token');
    return new Secret(token);
  } catch (error) {
    if (error instanceof WaybillError) throw error;
    throw failed(options.issuer, error);
  }
}

function discoveryOptions(
  { issuer, transport }: SignInOptions,
  customFetch: typeof import('openid-client').customFetch,
  allowInsecureRequests: typeof import('openid-client').allowInsecureRequests,
): DiscoveryRequestOptions {
  const { protocol, hostname } = new URL(issuer);
  const isLocal = protocol === 'http:' && /^(?:127\.|localhost$|\[::1\]$)/.test(hostname);
  return {
    // The library marks it so that nobody takes it lightly; loopback is where development issuers live.
    execute: isLocal ? [allowInsecureRequests] : [],
    [customFetch]: fetchThrough(transport),
  };
}

/** The library's requests take the same way out as all others. */
function fetchThrough(transport: Transport) {
  return async (
    url: string,
    init: { method?: string; headers?: ConstructorParameters<typeof Headers>[0]; body?: unknown },
  ) => {
    const body = init.body;
    const answer = await transport.request({
      url,
      method: init.method === 'POST' ? 'POST' : 'GET',
      headers: Object.fromEntries(new Headers(init.headers)),
      ...(body instanceof URLSearchParams || typeof body === 'string'
        ? { body: new TextEncoder().encode(String(body)) }
        : {}),
      maxBytes: 1024 * 1024,
    });
    const hasBody = answer.status !== 204 && answer.status !== 304;
    return new Response(hasBody ? Buffer.from(answer.body) : null, {
      status: answer.status,
      headers: new Headers([...answer.headers]),
    });
  };
}

function failed(issuer: string, error: unknown): WaybillError {
  const { message, cause } = error instanceof Error ? error : new Error(String(error));
  const told = cause instanceof WaybillError ? cause.reason.actual : oauthWords(error);
  const actual = told === '' ? message : `${message}: ${told}`;
  return fail(R.signIn, { expected: `an identity token from ${issuer}`, actual }, error);
}

/** `error` and `error_description` of an OAuth answer. */
function oauthWords(error: unknown): string {
  const { error: code, error_description: words } = error as { error?: unknown; error_description?: unknown };
  return [code, words].filter((part) => typeof part === 'string').join(': ');
}

async function byCode(config: Configuration, options: SignInOptions): Promise<string | undefined> {
  const oidc = await import('openid-client');
  const asked = await oidc.initiateDeviceAuthorization(config, { scope: SCOPE });
  options.tell(`Open ${asked.verification_uri} and enter the code ${asked.user_code}`);
  if (asked.verification_uri_complete !== undefined) {
    options.tell(`or open ${asked.verification_uri_complete}`);
  }
  const signal = options.signal ?? AbortSignal.timeout(PATIENCE_MS);
  const tokens = await oidc.pollDeviceAuthorizationGrant(config, asked, undefined, { signal });
  return tokens.id_token;
}

async function byBrowser(config: Configuration, options: SignInOptions): Promise<string | undefined> {
  const oidc = await import('openid-client');
  const verifier = oidc.randomPKCECodeVerifier();
  const [state, nonce] = [oidc.randomState(), oidc.randomNonce()];
  const waiting = await waitForRedirect(options.redirectUrl ?? CALLBACK, state, options.signal);
  try {
    const target = oidc.buildAuthorizationUrl(config, {
      redirect_uri: waiting.redirectUrl,
      scope: SCOPE,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
    });
    const opened = await options.open(target.href);
    options.tell(opened ? 'Your browser was opened to sign in.' : 'Open this address to sign in:');
    options.tell(`  ${target.href}`);
    const tokens = await oidc.authorizationCodeGrant(config, await waiting.answer, {
      pkceCodeVerifier: verifier,
      expectedState: state,
      expectedNonce: nonce,
      idTokenExpected: true,
    });
    return tokens.id_token;
  } finally {
    waiting.close();
  }
}

interface Waiting {
  readonly redirectUrl: string;
  /** The address the browser came back to. */
  readonly answer: Promise<URL>;
  close(): void;
}

/** Listens on loopback for the one redirect that carries our state; whatever else comes is sent away. */
async function waitForRedirect(wanted: string, state: string, signal?: AbortSignal): Promise<Waiting> {
  const redirect = new URL(wanted);
  if (redirect.protocol !== 'http:' || !['localhost', '127.0.0.1', '[::1]'].includes(redirect.hostname)) {
    throw fail(R.signIn, {
      expected: 'a redirect to this machine: http://localhost:PORT/PATH',
      actual: wanted,
      hint: 'give another --oidc-redirect-url',
    });
  }
  const found = Promise.withResolvers<URL>();
  const server = createServer((request, reply) => {
    const come = answered(request, reply, redirect, state);
    if (come !== undefined) found.resolve(come);
  });
  server.headersTimeout = 10_000;
  await listen(server, redirect);
  redirect.port = String((server.address() as AddressInfo).port);
  const end = signal ?? AbortSignal.timeout(PATIENCE_MS);
  end.addEventListener('abort', () => found.reject(new Error('nobody signed in')), { once: true });
  // A refusal while nobody awaits it yet must not end the process.
  found.promise.catch(() => {});
  return {
    redirectUrl: redirect.href,
    answer: found.promise,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

const listen = (server: Server, { hostname, port }: URL): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port === '' ? 0 : Number(port), hostname.replace(/^\[|\]$/g, ''), resolve);
  });

function answered(
  request: IncomingMessage,
  reply: ServerResponse,
  redirect: URL,
  state: string,
): URL | undefined {
  const come = URL.parse(request.url ?? '', redirect.href);
  const isOurs =
    request.method === 'GET' &&
    come?.pathname === redirect.pathname &&
    come.searchParams.get('state') === state;
  const headers = {
    'content-type': 'text/plain; charset=utf-8',
    'cache-control': 'no-store',
    connection: 'close',
  };
  reply.writeHead(isOurs ? 200 : 404, headers);
  reply.end(isOurs ? 'Signed in. You can close this page.\n' : 'Nothing here.\n');
  return isOurs && come !== null ? come : undefined;
}
