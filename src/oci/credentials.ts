/**
 * Who we are at a registry: the files of docker and podman, and credential helpers. Only the helper of the
 * wanted host is run, once for a process.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fromBase64, utf8Text } from '#base/bytes';
import { fail, WaybillError } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import { Secret } from '#base/secret';
import { type JsonObject, type JsonValue, parseJson } from '#formats/json';
import { normaliseHost } from '#formats/reference';
import { readFileIfThere } from '#platform/files';
import { type RunResult, run } from '#platform/process';
import { R } from './reasons.ts';

export type Credential =
  | { readonly kind: 'basic'; readonly username: string; readonly password: Secret }
  /** An OAuth2 refresh token, exchanged at the token server. */
  | { readonly kind: 'identityToken'; readonly token: Secret }
  /** A bearer token for the registry itself. */
  | { readonly kind: 'bearer'; readonly token: Secret };

export interface FoundCredential {
  readonly credential: Credential;
  /** The file or helper it came from. */
  readonly origin: string;
}

/** Looks a credential up for a repository; undefined means anonymous. */
export interface CredentialSource {
  find(registry: string, repository: string): Promise<FoundCredential | undefined>;
}

export const anonymous: CredentialSource = { find: () => Promise.resolve(undefined) };

/** The same credential for one registry. */
export function fixedCredential(registry: string, credential: Credential): CredentialSource {
  const host = unwrap(normaliseHost(registry));
  return {
    find: (wanted) =>
      Promise.resolve(wanted === host ? { credential, origin: 'the command line' } : undefined),
  };
}

export interface KeychainOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Runs a helper; default the real process. Asked once for a registry, however many repositories it has. */
  readonly runHelper?: RunHelper;
}

export interface CloudKeychainOptions extends KeychainOptions {
  /** Told once for a registry that is asked without credentials, since the helper of its cloud gave none. */
  readonly onAnonymous?: (registry: string, why: string) => void;
}

type RunHelper = (command: string, input: string) => Promise<RunResult>;

const HELPER_TIMEOUT_MS = 20_000;
const HELPER_NAME = /^[A-Za-z0-9._-]+$/;

/** docker's and podman's files in the order of their own tools, first hit wins. */
export function keychain(options: KeychainOptions): CredentialSource {
  const runHelper = askedOnce(options.runHelper);
  const files = credentialFiles(options.env);
  const cache = new Map<string, Promise<FoundCredential | undefined>>();
  const lookUp = async (registry: string, repository: string): Promise<FoundCredential | undefined> => {
    for (const file of files) {
      const found = await findInFile(file, registry, repository, runHelper);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return {
    find(registry, repository) {
      const key = `${registry}/${repository}`;
      const known = cache.get(key) ?? lookUp(registry, repository);
      cache.set(key, known);
      return known;
    },
  };
}

/** A registry has many repositories, and its helper may call a cloud for each answer. */
function askedOnce(runHelper: RunHelper = runProcess): RunHelper {
  const answers = new Map<string, Promise<RunResult>>();
  return (command, input) => {
    const key = `${command} ${input}`;
    const known = answers.get(key) ?? runHelper(command, input);
    answers.set(key, known);
    return known;
  };
}

const runProcess: RunHelper = (command, input) =>
  run(command, ['get'], { input, timeoutMs: HELPER_TIMEOUT_MS });

/** One label of a host name. */
const LABEL = '[a-z0-9][a-z0-9-]*';
/** What the partitions of AWS end in: those that amazon-ecr-credential-helper knows. */
const AWS_DOMAINS = [
  'amazonaws.com',
  'amazonaws.com.cn',
  'amazonaws.eu',
  'on.aws',
  'on.amazonwebservices.com.cn',
  'sc2s.sgov.gov',
  'c2s.ic.gov',
  'cloud.adc-e.uk',
  'csp.hci.ic.gov',
];

/** Registries of clouds as whole host names, and the helper each of them publishes. */
const clouds: readonly (readonly [RegExp, string])[] = [
  [
    wholeHost(
      `[0-9]{12}\\.dkr[.-]ecr(?:-fips)?\\.${LABEL}\\.(?:${AWS_DOMAINS.join('|').replaceAll('.', '\\.')})`,
      'public\\.ecr\\.aws',
      'ecr-public\\.aws\\.com',
    ),
    'ecr-login',
  ],
  [wholeHost(`(?:${LABEL}\\.)?gcr\\.io`, `${LABEL}-docker\\.pkg\\.dev`), 'gcr'],
  [wholeHost(`${LABEL}(?:\\.${LABEL}\\.geo)?\\.azurecr\\.(?:io|cn|us)`), 'acr-env'],
];

function wholeHost(...alternatives: readonly string[]): RegExp {
  return new RegExp(`^(?:${alternatives.join('|')})$`);
}

/**
 * As `keychain`, and where no file names a registry of a cloud the helper of that cloud is asked, ghcr.io with
 * GITHUB_TOKEN: what workloads in a cluster have instead of files. Nobody named these helpers: one that is missing
 * or has nothing leaves the registry anonymous, as go-containerregistry's keychains do.
 */
export function cloudKeychain(options: CloudKeychainOptions): CredentialSource {
  const files = keychain(options);
  const runHelper = askedOnce(options.runHelper);
  const told = new Set<string>();
  const ofCloud = async (helper: string, registry: string): Promise<FoundCredential | undefined> => {
    try {
      return await askHelper(helper, registry, runHelper);
    } catch (error) {
      if (!(error instanceof WaybillError)) throw error;
      const { actual } = error.reason;
      if (!told.has(registry)) options.onAnonymous?.(registry, `docker-credential-${helper}: ${actual}`);
      told.add(registry);
      return undefined;
    }
  };
  return {
    async find(registry, repository) {
      const found = await files.find(registry, repository);
      if (found !== undefined) return found;
      const token = options.env['GITHUB_TOKEN'];
      if (registry === 'ghcr.io' && token) {
        const credential: Credential = { kind: 'basic', username: 'unset', password: new Secret(token) };
        return { credential, origin: 'GITHUB_TOKEN' };
      }
      const helper = clouds.find(([pattern]) => pattern.test(registry))?.[1];
      return helper === undefined ? undefined : ofCloud(helper, registry);
    },
  };
}

/** Paths looked at: DOCKER_CONFIG or ~/.docker, REGISTRY_AUTH_FILE, podman's run-time file. */
export function credentialFiles(env: KeychainOptions['env']): readonly string[] {
  const home = env['HOME'] ?? homedir();
  const files = [join(env['DOCKER_CONFIG'] ?? join(home, '.docker'), 'config.json')];
  if (env['REGISTRY_AUTH_FILE'] !== undefined) files.push(env['REGISTRY_AUTH_FILE']);
  if (env['XDG_RUNTIME_DIR'] !== undefined) {
    files.push(join(env['XDG_RUNTIME_DIR'], 'containers', 'auth.json'));
  }
  files.push(join(home, '.config', 'containers', 'auth.json'));
  return files;
}

async function findInFile(
  file: string,
  registry: string,
  repository: string,
  runHelper: RunHelper,
): Promise<FoundCredential | undefined> {
  const bytes = await readFileIfThere(file);
  if (bytes === undefined) return undefined;
  const parsed = parseJson(bytes);
  if (!parsed.ok || !isObject(parsed.value)) {
    throw fail(R.credentials, { expected: `${file} to be a JSON object`, actual: 'something else' });
  }
  const config = parsed.value;
  const helpers = isObject(config['credHelpers']) ? config['credHelpers'] : {};
  const helperKey = bestKey(Object.keys(helpers), registry, repository);
  const helper = helperKey === undefined ? config['credsStore'] : helpers[helperKey];
  if (typeof helper === 'string' && helper !== '') {
    const found = await askHelper(helper, registry, runHelper);
    if (found !== undefined || helperKey !== undefined) return found;
  }
  const auths = isObject(config['auths']) ? config['auths'] : {};
  const key = bestKey(Object.keys(auths), registry, repository);
  const entry = key === undefined ? undefined : auths[key];
  const credential = isObject(entry) ? readEntry(entry, file) : undefined;
  return credential === undefined ? undefined : { credential, origin: file };
}

/** The most specific key that covers the repository; podman allows `host/path`, docker hosts and URLs. */
function bestKey(keys: readonly string[], registry: string, repository: string): string | undefined {
  const wanted = `${registry}/${repository}/`;
  const covering = keys.filter((key) => wanted.startsWith(`${normaliseKey(key)}/`));
  return covering.sort((a, b) => normaliseKey(b).length - normaliseKey(a).length)[0];
}

/** Keys may be URLs (`https://index.docker.io/v1/`); a path is only kept when it is a repository prefix. */
function normaliseKey(key: string): string {
  const isUrl = /^https?:\/\//.test(key);
  const [host = '', ...path] = key.replace(/^https?:\/\//, '').split('/');
  const canonical = normaliseHost(host);
  const name = canonical.ok ? canonical.value : host;
  const kept = isUrl || /^v[12]$/.test(path[0] ?? '') ? [] : path.filter((part) => part !== '');
  return [name, ...kept].join('/');
}

function readEntry(entry: JsonObject, file: string): Credential | undefined {
  const text = (name: string): string | undefined => {
    const value = entry[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const registryToken = text('registrytoken');
  if (registryToken !== undefined) return { kind: 'bearer', token: new Secret(registryToken) };
  const identityToken = text('identitytoken');
  if (identityToken !== undefined) return { kind: 'identityToken', token: new Secret(identityToken) };
  const auth = text('auth');
  if (auth !== undefined) return basicFromAuth(auth, file);
  const [username, password] = [text('username'), text('password')];
  if (username === undefined || password === undefined) return undefined;
  return { kind: 'basic', username, password: new Secret(password) };
}

function basicFromAuth(auth: string, file: string): Credential {
  const decoded = attempt(() => utf8Text(fromBase64(auth)));
  const colon = decoded.ok ? decoded.value.indexOf(':') : -1;
  if (!decoded.ok || colon < 1) {
    throw fail(R.credentials, {
      expected: `"auth" in ${file} to be base64 of user:password`,
      actual: 'something else',
    });
  }
  const password = decoded.value.slice(colon + 1);
  return { kind: 'basic', username: decoded.value.slice(0, colon), password: new Secret(password) };
}

/** Protocol of docker-credential-helpers: host on stdin, JSON on stdout. */
async function askHelper(
  name: string,
  registry: string,
  runHelper: RunHelper,
): Promise<FoundCredential | undefined> {
  if (!isHelperName(name)) {
    throw fail(R.credentials, {
      expected: 'a credential helper name of letters, digits, ".", "_", "-"',
      actual: JSON.stringify(name),
    });
  }
  const command = `docker-credential-${name}`;
  const server = helperServer(registry);
  const answer = await runHelper(command, server);
  if (answer.code !== 0) {
    if (/credentials not found/i.test(answer.stdout + answer.stderr)) return undefined;
    const actual = answer.isMissing ? 'not installed' : helperFailure(answer);
    throw fail(R.credentials, { expected: `${command} to answer for ${registry}`, actual });
  }
  const parsed = parseJson(answer.stdout.trim());
  const json = parsed.ok && isObject(parsed.value) ? parsed.value : {};
  const [username, secret] = [json['Username'], json['Secret']];
  if (typeof username !== 'string' || typeof secret !== 'string' || secret === '') {
    throw fail(R.credentials, { expected: `${command} to give Username and Secret`, actual: 'neither' });
  }
  const password = new Secret(secret);
  const credential: Credential =
    username === '<token>'
      ? { kind: 'identityToken', token: password }
      : { kind: 'basic', username, password };
  return { credential, origin: command };
}

const helperFailure = ({ timedOut, code }: RunResult): string =>
  timedOut ? 'no answer in time' : `exit code ${code}`;

/** What helpers and docker's file call a registry. */
export const helperServer = (registry: string): string =>
  registry === 'docker.io' ? 'https://index.docker.io/v1/' : registry;

export const isHelperName = (name: string): boolean => HELPER_NAME.test(name);

const isObject = (value: JsonValue | undefined): value is JsonObject =>
  value !== null && typeof value === 'object' && !Array.isArray(value);
