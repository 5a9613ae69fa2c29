/**
 * How the keys of an issuer are fetched: over the common transport; with the authorities its configuration names
 * (`ca-cert`); and, for the cluster this service runs in, as a pod asks its API server, which shows its keys to nobody
 * it does not know.
 */
import { join } from 'node:path';
import { utf8Text } from '#base/bytes';
import { limits } from '#base/limits';
import { readFileLimited } from '#platform/files';
import { type HttpRequest, httpTransport, type Transport } from '#platform/http-client';
import type { IssuerConfig } from './config.ts';

export type Reach = (issuer: IssuerConfig) => Transport;

/** Where a pod finds the API server, and what it shows there. */
export interface PodPlace {
  readonly origins: readonly string[];
  /** Holds `ca.crt` and `token`; read anew for each request, since the kubelet renews the token. */
  readonly folder: string;
}

const pod: PodPlace = {
  origins: ['https://kubernetes.default.svc', 'https://kubernetes.default.svc.cluster.local'],
  folder: '/var/run/secrets/kubernetes.io/serviceaccount',
};

export function issuerReach(common: Transport, place: PodPlace = pod): Reach {
  const own = new Map<string, Transport>();
  const once = (key: string, make: () => Transport): Transport => {
    const kept = own.get(key) ?? make();
    own.set(key, kept);
    return kept;
  };
  return (issuer) => {
    const { caCert } = issuer;
    if (caCert !== undefined) return once(caCert, () => httpTransport({ caPem: caCert }));
    const origin = URL.parse(issuer.issuerUrl)?.origin ?? '';
    const isCluster = issuer.type === 'kubernetes' && place.origins.includes(origin);
    return isCluster ? once(origin, () => podTransport(origin, place.folder)) : common;
  };
}

/** Shows the pod's token to `origin` and to nobody else. */
function podTransport(origin: string, folder: string): Transport {
  const inner = httpTransport({ caFile: join(folder, 'ca.crt') });
  const signed = async (request: HttpRequest): Promise<HttpRequest> => {
    if (URL.parse(request.url)?.origin !== origin) return request;
    const token = utf8Text(await readFileLimited(join(folder, 'token'), limits.tokenBytes)).trim();
    return { ...request, headers: { ...request.headers, authorization: `Bearer ${token}` } };
  };
  return {
    request: async (request) => inner.request(await signed(request)),
    stream: async (request) => inner.stream(await signed(request)),
  };
}
