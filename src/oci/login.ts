/**
 * Logging in and out: docker's config.json and the credential helpers it names, as docker, podman and crane read them.
 */
import { dirname } from 'node:path';
import { toBase64, utf8 } from '#base/bytes';
import { fail } from '#base/reason';
import type { Secret } from '#base/secret';
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from '#formats/json';
import { makeFolders, readFileIfThere, writeFileDurable } from '#platform/files';
import { type RunResult, run } from '#platform/process';
import { fixedCredential, helperServer, isHelperName } from './credentials.ts';
import { R } from './reasons.ts';
import { type RegistryOptions, Wire } from './wire.ts';

export interface Login {
  /** Canonical host. */
  readonly registry: string;
  readonly username: string;
  readonly password: Secret;
}

/** Asks the registry whether it takes the credentials; throws WB-501 when not. */
export async function checkLogin(
  { registry, username, password }: Login,
  options: Omit<RegistryOptions, 'credentials'>,
): Promise<void> {
  const credential = { kind: 'basic', username, password } as const;
  const wire = new Wire(registry, { ...options, credentials: fixedCredential(registry, credential) });
  const request = { path: '/v2/', scope: { repository: '', actions: 'pull' } } as const;
  const first = await wire.send(request);
  // A registry that strangers may read asks nobody: it is told, so that a wrong password is not kept.
  const authorization = `Basic ${toBase64(utf8(`${username}:${password.reveal()}`))}`;
  const answer = wire.hasLearned ? first : await wire.send({ ...request, headers: { authorization } });
  if (answer.status === 200) return;
  throw fail(R.status, { expected: `${registry} to answer a login`, actual: `status ${answer.status}` });
}

type RunHelper = (command: string, action: string, input: string) => Promise<RunResult>;

const HELPER_TIMEOUT_MS = 20_000;
const runProgram: RunHelper = (command, action, input) =>
  run(command, [action], { input, timeoutMs: HELPER_TIMEOUT_MS });

/** Where credentials went to: a file, or a helper. */
export type Kept = { readonly kind: 'file' | 'helper'; readonly name: string };

/** Keeps a login where `file` says: with the helper it names for this registry, else in itself, for its user alone. */
export async function keepLogin(
  file: string,
  login: Login,
  runHelper: RunHelper = runProgram,
): Promise<Kept> {
  const config = await readConfig(file);
  const helper = helperOf(config, login.registry);
  const server = helperServer(login.registry);
  if (helper !== undefined) {
    const secret = { ServerURL: server, Username: login.username, Secret: login.password.reveal() };
    await useHelper(helper, 'store', JSON.stringify(secret), runHelper);
    return { kind: 'helper', name: helper };
  }
  const auth = toBase64(utf8(`${login.username}:${login.password.reveal()}`));
  const auths = isJsonObject(config['auths']) ? config['auths'] : {};
  await writeConfig(file, { ...config, auths: { ...auths, [server]: { auth } } });
  return { kind: 'file', name: file };
}

/** Forgets a login, in the helper and in the file; false when there was none. */
export async function forgetLogin(
  file: string,
  registry: string,
  runHelper: RunHelper = runProgram,
): Promise<boolean> {
  const config = await readConfig(file);
  const server = helperServer(registry);
  const helper = helperOf(config, registry);
  let isGone = false;
  if (helper !== undefined) {
    await useHelper(helper, 'erase', server, runHelper);
    isGone = true;
  }
  const auths = isJsonObject(config['auths']) ? config['auths'] : {};
  const left = Object.fromEntries(
    Object.entries(auths).filter(([key]) => key !== server && key !== registry),
  );
  if (Object.keys(left).length === Object.keys(auths).length) return isGone;
  await writeConfig(file, { ...config, auths: left });
  return true;
}

async function readConfig(file: string): Promise<JsonObject> {
  const bytes = await readFileIfThere(file);
  if (bytes === undefined) return {};
  const parsed = parseJson(bytes);
  if (parsed.ok && isJsonObject(parsed.value)) return parsed.value;
  throw fail(R.credentials, { expected: `${file} to be a JSON object`, actual: 'something else' });
}

async function writeConfig(file: string, config: JsonObject): Promise<void> {
  await makeFolders(dirname(file), 0o700);
  await writeFileDurable(file, `${JSON.stringify(config, null, '\t')}\n`, { mode: 0o600 });
}

function helperOf(config: JsonObject, registry: string): string | undefined {
  const helpers: JsonObject = isJsonObject(config['credHelpers']) ? config['credHelpers'] : {};
  const named: JsonValue | undefined = helpers[helperServer(registry)] ?? helpers[registry];
  const helper = named ?? config['credsStore'];
  return typeof helper === 'string' && helper !== '' ? helper : undefined;
}

async function useHelper(helper: string, action: string, input: string, runHelper: RunHelper): Promise<void> {
  if (!isHelperName(helper)) {
    throw fail(R.credentials, {
      expected: 'the name of a credential helper',
      actual: JSON.stringify(helper),
    });
  }
  const command = `docker-credential-${helper}`;
  const { code, timedOut } = await runHelper(command, action, input);
  if (code === 0) return;
  // What it says may repeat the secret.
  const actual = timedOut ? 'no answer in time' : `exit code ${code}`;
  throw fail(R.credentials, { expected: `${command} ${action} to succeed`, actual });
}
