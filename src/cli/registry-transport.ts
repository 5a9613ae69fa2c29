/** How registries are reached: what shows who we are goes to the hosts that the caller named, to no other. */
import { resolve } from 'node:path';
import { fail } from '#base/reason';
import type { Transport } from '#platform/http-client';
import type { CliContext } from './context.ts';
import { R } from './reasons.ts';

export interface RegistryTlsFlags {
  readonly registryClientCert?: string;
  readonly registryClientKey?: string;
  readonly registryServerName?: string;
  /** Registries beside those of the images named. */
  readonly registryClientHost?: readonly string[];
  readonly registryAuthHost?: readonly string[];
  readonly allowInsecureRegistry?: boolean;
}

/**
 * Never the transport of services: what `--client-cert` names is theirs. A registry answers with redirects and with
 * token servers on hosts of its choice, so the client's certificate is shown to `endpoints` (`host[:port]`) and
 * `--registry-auth-host` alone, and the server name is expected of `endpoints` alone. Throws WB-1305 for one without
 * the other, and for either without any host.
 */
export function registryTransport(
  flags: RegistryTlsFlags,
  context: Pick<CliContext, 'transportFor' | 'progress' | 'cwd'>,
  endpoints: readonly string[],
): Transport {
  const { registryServerName: serverName, registryAuthHost: authHosts = [] } = flags;
  const client = clientFiles(flags, context.cwd);
  const isInsecure = flags.allowInsecureRegistry === true;
  if (isInsecure) context.progress('warning: any certificate of the registry is taken, and plain http');
  const anybody = isInsecure ? { trustsAnyServerUnsafe: true } : {};
  const others = context.transportFor(anybody);
  if (client === undefined && serverName === undefined) return others;
  const named = new Set([...endpoints, ...(flags.registryClientHost ?? [])].flatMap(urlHost));
  if (named.size === 0) {
    throw fail(R.optionValue, {
      expected: '--registry-client-host HOST for the registries that are meant, where no image is named',
      actual: client === undefined ? '--registry-server-name alone' : '--registry-client-cert alone',
    });
  }
  const known = { ...anybody, ...(client === undefined ? {} : { client }) };
  const registry = context.transportFor({ ...known, ...(serverName === undefined ? {} : { serverName }) });
  const tokenServer = context.transportFor(known);
  const of = (url: string): Transport => {
    const { host = '', hostname = '' } = URL.parse(url) ?? {};
    if (named.has(host)) return registry;
    return authHosts.includes(host) || authHosts.includes(hostname) ? tokenServer : others;
  };
  // A redirect followed below would be asked with the identity of the host before it.
  return {
    request: (request) => of(request.url).request({ ...request, redirects: 0 }),
    stream: (request) => of(request.url).stream({ ...request, redirects: 0 }),
  };
}

function clientFiles(
  { registryClientCert: cert, registryClientKey: key }: RegistryTlsFlags,
  cwd: string,
): { readonly certFile: string; readonly keyFile: string } | undefined {
  if (cert !== undefined && key !== undefined) {
    return { certFile: resolve(cwd, cert), keyFile: resolve(cwd, key) };
  }
  if (cert === key) return undefined;
  const actual = cert === undefined ? '--registry-client-key alone' : '--registry-client-cert alone';
  throw fail(R.optionValue, { expected: '--registry-client-cert with --registry-client-key', actual });
}

/** As a URL has it: in lower case, without the port of https. */
function urlHost(endpoint: string): readonly string[] {
  const host = endpoint === '' ? undefined : URL.parse(`https://${endpoint}`)?.host;
  return host === undefined ? [] : [host];
}
