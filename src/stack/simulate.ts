/**
 * Another's issuer, played by the local one: certificates carry exactly the name of GitHub's issuer although the
 * tokens come from this machine. A trust domain of its own, marked in its state, its names and its output.
 */
import { fail } from '#base/reason';
import type { HttpRequest, Transport } from '#platform/http-client';
import { GITHUB_ISSUER } from '#provenance';
import type { OidcConfig } from '#services/oidc';
import { SIMULATED_ORGANIZATION, type SimulatedProvider, type Simulation } from '#trust';
import { R } from './reasons.ts';
import type { StackState } from './state.ts';

export const SIMULATED_ISSUER = GITHUB_ISSUER;

/** Names the local issuer goes by; undefined when nothing is simulated. */
export function issuerNamesOf(simulate: SimulatedProvider | undefined): OidcConfig['issuerNames'] {
  return simulate === undefined ? undefined : { github: SIMULATED_ISSUER };
}

export const organizationOf = (simulate: SimulatedProvider | undefined): string =>
  simulate === undefined ? 'waybill-dev' : SIMULATED_ORGANIZATION;

/** A stack is made as one kind and stays it: keys and logs of the two must never mix. Throws WB-1206. */
export function requireSameKind(
  before: StackState | undefined,
  simulate: SimulatedProvider | undefined,
): void {
  if (before === undefined || before.simulate?.provider === simulate) return;
  const named = (kind: string | undefined): string =>
    kind === undefined ? 'no --simulate' : `--simulate ${kind}`;
  throw fail(R.simulate, { expected: named(before.simulate?.provider), actual: named(simulate) });
}

/** What the state records: the guide's registry lies in the embedded one, besides what the caller adds. */
export function simulationOf(
  provider: SimulatedProvider,
  registryHost: string,
  more: Simulation['mirrors'],
): Simulation {
  return { provider, mirrors: [{ from: 'ghcr.io/acme/*', to: `${registryHost}/acme/*` }, ...more] };
}

/**
 * Requests below `from` go to `to` instead, everything else as before: how an authority finds the keys of a
 * simulated issuer without ever asking the real one.
 */
export function redirected(transport: Transport, from: string, to: () => string): Transport {
  const place = (request: HttpRequest): HttpRequest =>
    request.url === from || request.url.startsWith(`${from}/`)
      ? { ...request, url: `${to()}${request.url.slice(from.length)}` }
      : request;
  return {
    request: (request) => transport.request(place(request)),
    stream: (request) => transport.stream(place(request)),
  };
}
