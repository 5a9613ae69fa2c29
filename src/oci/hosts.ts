/** Addresses of registries: scheme, endpoint, and which hosts a public registry may not send us to. */
import { isIP } from 'node:net';
import { safeUrl } from '#platform/http-client';

/** Host part of `host[:port]`, without brackets. */
function hostName(registry: string): string {
  const host = registry.startsWith('[')
    ? registry.slice(1, registry.indexOf(']'))
    : registry.replace(/:\d+$/, '');
  return host.toLowerCase();
}

const isLoopbackName = (name: string): boolean =>
  name === 'localhost' ||
  name.endsWith('.localhost') ||
  (isIP(name) === 4 && name.startsWith('127.')) ||
  name === '::1';

const isLinkLocalName = (name: string): boolean =>
  /^169\.254\./.test(name) || /^fe[89ab][0-9a-f]:/.test(name) || /^::ffff:a9fe:/.test(name);

/** Of `host[:port]`, like the two below. */
export const isLoopback = (host: string): boolean => isLoopbackName(hostName(host));

/** Link-local addresses, where clouds keep their metadata services. */
const isLinkLocal = (host: string): boolean => isLinkLocalName(hostName(host));

/** Loopback, link-local and private ranges (RFC 1918, 4193, 6598), as literals; names are not resolved. */
export function isPrivate(host: string): boolean {
  const name = hostName(host);
  if (isLoopbackName(name) || isLinkLocalName(name)) return true;
  if (isIP(name) === 4) {
    const [a = 0, b = 0] = name.split('.').map(Number);
    return (
      a === 0 ||
      a === 10 ||
      (a === 172 && b >= 16 && b < 32) ||
      (a === 192 && b === 168) ||
      (a === 100 && b >= 64 && b < 128)
    );
  }
  return isIP(name) === 6 && (/^f[cd]/.test(name) || name === '::' || name.startsWith('::ffff:'));
}

/** `docker.io` is a name, not a server. */
export const endpointHost = (registry: string): string =>
  registry === 'docker.io' ? 'registry-1.docker.io' : registry;

/** Whether a registry may send us to another host: never to link-local, to private ones only from within. */
export const isReachableFrom = (registry: string, host: string): boolean =>
  !isLinkLocal(host) && (isPrivate(endpointHost(registry)) || !isPrivate(host));

/**
 * Whether a token server may get the registry's credentials: the same host, a parent domain of it
 * (`gitlab.example` for `registry.gitlab.example`), Docker Hub's own, or a host that was listed. The realm
 * comes from the registry's answer, so anything else could be a thief (GHSA-3p65-76g6-3w7r and others).
 */
export function isTrustedRealm(realm: URL, registry: string, listed: readonly string[]): boolean {
  const loopbackPair = isLoopback(realm.host) && isLoopback(registry);
  if (realm.protocol !== 'https:' && !loopbackPair) return false;
  if (loopbackPair) return hostName(realm.host) === hostName(registry) || listed.includes(realm.host);
  const [realmHost, registryHost] = [hostName(realm.host), hostName(endpointHost(registry))];
  if (realmHost === registryHost || listed.includes(realm.host) || listed.includes(realmHost)) return true;
  if (registry === 'docker.io') return realmHost === 'auth.docker.io';
  return realmHost.split('.').length >= 2 && registryHost.endsWith(`.${realmHost}`);
}

/** A URL for messages, without user info or query; also one that has no origin, such as `file:///etc/passwd`. */
export function shownUrl(url: URL): string {
  if (url.origin !== 'null') return safeUrl(url.href);
  const slashes = url.href.startsWith(`${url.protocol}//`) ? '//' : '';
  return `${url.protocol}${slashes}${url.host}${url.pathname}`;
}
