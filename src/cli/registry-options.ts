/** The options every command that talks to a registry has, and the client they make. */
import type { Command } from 'commander';
import { Secret } from '#base/secret';
import { parseReference } from '#formats/reference';
import type { Credential, CredentialSource, Registry } from '#oci';
import type { CliContext } from './context.ts';

export interface RegistryFlags {
  readonly allowHttpRegistry?: boolean;
  readonly registryUsername?: string;
  readonly registryPassword?: string;
  readonly registryToken?: string;
  readonly registryAuthHost?: readonly string[];
}

export function withRegistryOptions(command: Command): Command {
  const list = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];
  return command
    .option('--allow-http-registry', 'use plain http where a registry does not answer https')
    .option('--registry-username <name>', "user name for the image's registry (copy: the target's)")
    .option('--registry-password <password>', 'password; better: docker login, or WAYBILL_REGISTRY_PASSWORD')
    .option('--registry-token <token>', 'bearer token; better: WAYBILL_REGISTRY_TOKEN')
    .option('--registry-auth-host <host>', 'token server that may get the credentials (repeatable)', list);
}

/** A client; credentials from the flags and the environment go only to the registries of `images`. */
export async function registryFrom(
  flags: RegistryFlags,
  context: CliContext,
  images: readonly string[],
): Promise<Registry> {
  const { keychain, Registry } = await import('#oci');
  const files = keychain({ env: context.env });
  const given = givenCredential(flags, context.env);
  const hosts = new Set(
    images.map((text) => {
      const parsed = parseReference(text);
      return parsed.ok ? parsed.value.registry : '';
    }),
  );
  const credentials: CredentialSource = {
    find: (registry, repository) =>
      given !== undefined && hosts.has(registry)
        ? Promise.resolve({ credential: given, origin: 'the command line' })
        : files.find(registry, repository),
  };
  return new Registry({
    transport: context.transport,
    credentials,
    random: context.random,
    allowHttp: flags.allowHttpRegistry === true,
    authHosts: flags.registryAuthHost ?? [],
  });
}

function givenCredential(flags: RegistryFlags, env: CliContext['env']): Credential | undefined {
  const token = flags.registryToken ?? env['WAYBILL_REGISTRY_TOKEN'];
  if (token !== undefined) return { kind: 'bearer', token: new Secret(token) };
  const username = flags.registryUsername ?? env['WAYBILL_REGISTRY_USERNAME'];
  const password = flags.registryPassword ?? env['WAYBILL_REGISTRY_PASSWORD'];
  if (username === undefined || password === undefined) return undefined;
  return { kind: 'basic', username, password: new Secret(password) };
}
