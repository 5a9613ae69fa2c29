/** `waybill registry login|logout|whoami|hash-password`: credentials where docker, podman and crane look for them. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { utf8Text } from '#base/bytes';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { Secret } from '#base/secret';
import { normaliseHost } from '#formats/reference';
import type { CliContext } from './context.ts';
import { readInput } from './input.ts';
import { ask } from './password.ts';
import { R } from './reasons.ts';

interface LoginFlags {
  readonly username?: string;
  readonly password?: string;
  readonly passwordStdin?: boolean;
  readonly authfile?: string;
  readonly allowHttpRegistry?: boolean;
  readonly registryAuthHost?: readonly string[];
}

const PASSWORD_BYTES_MAX = 16 * 1024;

export function registerLogin(registry: Command, context: CliContext): void {
  const list = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];
  registry
    .command('login')
    .description('try credentials, and keep them in docker’s config.json or the helper it names')
    .argument('<host>', 'registry, such as registry.example or 127.0.0.1:5000')
    .option('-u, --username <name>', 'user name; for a static token any name')
    .option('--password-stdin', 'the password is the first line of standard input')
    .option('-p, --password <password>', 'seen by everybody on this machine; better: --password-stdin')
    .option('--authfile <file>', 'instead of config.json, such as podman’s auth.json')
    .option('--allow-http-registry', 'use plain http where the registry does not answer https')
    .option('--registry-auth-host <host>', 'token server that may get the credentials (repeatable)', list)
    .action((host: string, flags: LoginFlags) => login(host, flags, context));
  registry
    .command('logout')
    .description('forget credentials')
    .argument('<host>', 'registry')
    .option('--authfile <file>', 'instead of docker’s config.json')
    .action((host: string, flags: LoginFlags) => logout(host, flags, context));
  registry
    .command('whoami')
    .description('say as whom a registry would be asked, and where that is kept')
    .argument('<host>', 'registry, or registry/repository')
    .action((name: string) => whoami(name, context));
  registry
    .command('hash-password')
    .description(
      'print what stands in the file of `serve registry --tokens` for a password from standard input',
    )
    .action(() => hash(context));
}

async function login(host: string, flags: LoginFlags, context: CliContext): Promise<void> {
  const { checkLogin, keepLogin } = await import('#oci');
  const registry = unwrap(normaliseHost(host));
  const { username } = flags;
  if (username === undefined) throw fail(R.usage, { expected: '--username NAME', actual: 'none' });
  const given = { registry, username, password: await passwordFrom(flags, context) };
  await checkLogin(given, {
    transport: context.transport,
    random: context.random,
    allowHttp: flags.allowHttpRegistry === true,
    authHosts: flags.registryAuthHost ?? [],
  });
  const kept = await keepLogin(await fileOf(flags, context), given);
  const value = { registry, username, kept: kept.kind, at: kept.name };
  context.result('waybill.dev/registry-login/v1', value, () =>
    kept.kind === 'helper'
      ? `logged in to ${registry}; kept by docker-credential-${kept.name}`
      : `logged in to ${registry}; kept, not encrypted, in ${kept.name}`,
  );
}

async function logout(host: string, flags: LoginFlags, context: CliContext): Promise<void> {
  const { forgetLogin } = await import('#oci');
  const registry = unwrap(normaliseHost(host));
  const isGone = await forgetLogin(await fileOf(flags, context), registry);
  context.result('waybill.dev/registry-logout/v1', { registry, removed: isGone }, () =>
    isGone ? `logged out of ${registry}` : `there was no login to ${registry}`,
  );
}

/** The same look-up every verb makes; nothing is asked over a network but a credential helper. */
async function whoami(name: string, context: CliContext): Promise<void> {
  const { keychain } = await import('#oci');
  const [host = '', ...path] = name.split('/');
  const registry = unwrap(normaliseHost(host));
  const found = await keychain({ env: context.env }).find(registry, path.join('/'));
  const credential = found?.credential;
  const username = credential?.kind === 'basic' ? credential.username : null;
  const value = { registry, kind: credential?.kind ?? 'anonymous', username, origin: found?.origin ?? null };
  context.result('waybill.dev/registry-whoami/v1', value, () =>
    found === undefined
      ? `${registry}: nobody`
      : `${registry}: ${username ?? `a ${value.kind} token`} (${found.origin})`,
  );
}

async function hash(context: CliContext): Promise<void> {
  const { hashPassword } = await import('#services/registry');
  const password = await passwordFrom({ passwordStdin: !context.isTerminal }, context);
  const value = await hashPassword(password, context.random);
  context.result('waybill.dev/registry-password/v1', { hash: value }, () => value);
}

async function passwordFrom(flags: LoginFlags, context: CliContext): Promise<Secret> {
  if (flags.password !== undefined) {
    context.progress('warning: a password on the command line can be read by everybody on this machine');
    return new Secret(flags.password);
  }
  const inEnvironment = context.env['WAYBILL_REGISTRY_PASSWORD'];
  if (flags.passwordStdin !== true) {
    if (inEnvironment !== undefined) return new Secret(inEnvironment);
    if (context.isTerminal) return ask('Password: ');
    throw fail(R.usage, { expected: '--password-stdin', actual: 'no password, and no terminal to ask at' });
  }
  const [line = ''] = utf8Text(await readInput('-', PASSWORD_BYTES_MAX)).split(/\r?\n/, 1);
  if (line === '') throw fail(R.usage, { expected: 'a password on standard input', actual: 'an empty line' });
  return new Secret(line);
}

async function fileOf({ authfile }: LoginFlags, { cwd, env }: CliContext): Promise<string> {
  const { credentialFiles } = await import('#oci');
  return authfile === undefined ? (credentialFiles(env)[0] as string) : resolve(cwd, authfile);
}
