/** The options every command that talks to a registry has, and the client they make. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { Secret } from '#base/secret';
import { parseReference, parseRepository } from '#formats/reference';
import type { Credential, CredentialSource, PlaceRule, Registry } from '#oci';
import type { CliContext } from './context.ts';
import { type RegistryTlsFlags, registryTransport } from './registry-transport.ts';

export interface RegistryFlags extends RegistryTlsFlags {
  /** Of the trust options, where a verb has them. */
  readonly stack?: string;
  readonly allowHttpRegistry?: boolean;
  readonly registriesConf?: string;
  readonly registryUsername?: string;
  readonly registryPassword?: string;
  readonly registryToken?: string;
  /** In front of tags of the older layout; an option of the cosign mode. */
  readonly attachmentTagPrefix?: string;
  /** Of the cosign mode; elsewhere --ca-file. */
  readonly registryCacert?: string;
  readonly k8sKeychain?: boolean;
}

export function withRegistryOptions(command: Command): Command {
  const list = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];
  return command
    .option('--allow-http-registry', 'use plain http where a registry does not answer https')
    .option(
      '--registries-conf <file>',
      'mirrors and places of registries, as podman has them (also CONTAINERS_REGISTRIES_CONF)',
    )
    .option('--registry-username <name>', "user name for the image's registry (copy: the target's)")
    .option('--registry-password <password>', 'password; better: docker login, or WAYBILL_REGISTRY_PASSWORD')
    .option('--registry-token <token>', 'bearer token; better: WAYBILL_REGISTRY_TOKEN')
    .option('--registry-auth-host <host>', 'token server that may get the credentials (repeatable)', list)
    .option(
      '--registry-client-cert <file>',
      "PEM certificate shown to the image's registry, and to --registry-auth-host",
    )
    .option('--registry-client-key <file>', 'its private key')
    .option(
      '--registry-client-host <host>',
      "registry that the two and --registry-server-name are also for, beside the image's (repeatable)",
      list,
    )
    .option('--registry-server-name <name>', 'name in the certificate of the registry, where it is another')
    .option(
      '--allow-insecure-registry',
      'take any certificate of the registry; for tests on a closed network',
    )
    .option('--k8s-keychain', 'ask the credential helper of the cloud that a registry belongs to');
}

/** A client; credentials from the flags and the environment go only to the registries of `images`. */
export async function registryFrom(
  flags: RegistryFlags,
  context: CliContext,
  images: readonly string[],
): Promise<Registry> {
  const { cloudKeychain, endpointHost, keychain, placementOf, Registry } = await import('#oci');
  const places = [...(await simulatedPlaces(flags, context)), ...(await configuredPlaces(flags, context))];
  const { env } = context;
  const onAnonymous = (host: string, why: string): void =>
    context.progress(`no credentials for ${host}, asked as anybody (${why})`);
  const files = flags.k8sKeychain === true ? cloudKeychain({ env, onAnonymous }) : keychain({ env });
  const given = givenCredential(flags, context.env);
  const hosts = new Set(
    images.map((text) => {
      const parsed = parseReference(text);
      if (!parsed.ok) return '';
      const { registry, repository } = parsed.value;
      return placementOf(places, `${registry}/${repository}`).origin.name.split('/')[0] ?? '';
    }),
  );
  const credentials: CredentialSource = {
    find: (registry, repository) =>
      given !== undefined && hosts.has(registry)
        ? Promise.resolve({ credential: given, origin: 'the command line' })
        : files.find(registry, repository),
  };
  // Where signatures lie apart from their images is named by the caller too.
  const apart = parseRepository(env['COSIGN_REPOSITORY'] ?? '');
  const named = apart.ok ? [...hosts, apart.value.registry] : [...hosts];
  return new Registry({
    transport: registryTransport(flags, context, named.map(endpointHost)),
    credentials,
    random: context.random,
    allowHttp: flags.allowHttpRegistry === true || flags.allowInsecureRegistry === true,
    authHosts: flags.registryAuthHost ?? [],
    // On this machine registries are taken to speak plain http, unless something is said that only TLS has.
    ...(speaksTls(flags) ? { tlsHosts: [...named, ...(flags.registryClientHost ?? [])] } : {}),
    places,
  });
}

const speaksTls = ({ registryClientCert, registryServerName, registryCacert }: RegistryFlags): boolean =>
  (registryClientCert ?? registryServerName ?? registryCacert) !== undefined;

/** `--registries-conf`, or what containers/image calls the same; no file is read that was not named. */
async function configuredPlaces(flags: RegistryFlags, context: CliContext): Promise<readonly PlaceRule[]> {
  const file = flags.registriesConf ?? context.env['CONTAINERS_REGISTRIES_CONF'];
  if (file === undefined || file === '') return [];
  const { readRegistriesConf } = await import('#oci');
  return readRegistriesConf(resolve(context.cwd, file));
}

/** A stack that simulates keeps other registries' images in its own; any other stack changes no name. */
async function simulatedPlaces(flags: RegistryFlags, context: CliContext): Promise<readonly PlaceRule[]> {
  const folder = flags.stack ?? context.env['WAYBILL_STACK'];
  if (folder === undefined) return [];
  const { stackSimulation } = await import('#trust');
  const simulation = await stackSimulation(resolve(context.cwd, folder));
  if (simulation === undefined) return [];
  const { mirrorPlaces } = await import('#facts');
  const places = simulation.mirrors.map(({ from, to }) => `${from} is ${to}`).join(', ');
  context.progress(`SIMULATED ${simulation.provider.toUpperCase()} (${folder}): ${places}`);
  return mirrorPlaces(simulation.mirrors);
}

function givenCredential(flags: RegistryFlags, env: CliContext['env']): Credential | undefined {
  const token = flags.registryToken ?? env['WAYBILL_REGISTRY_TOKEN'];
  if (token !== undefined) return { kind: 'bearer', token: new Secret(token) };
  const username = flags.registryUsername ?? env['WAYBILL_REGISTRY_USERNAME'];
  const password = flags.registryPassword ?? env['WAYBILL_REGISTRY_PASSWORD'];
  if (username === undefined || password === undefined) return undefined;
  return { kind: 'basic', username, password: new Secret(password) };
}
