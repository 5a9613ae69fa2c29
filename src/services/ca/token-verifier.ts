/** Verified identity tokens for others than the authority: quotas of tenants, for example. */
import type { Clock } from '#base/clock';
import type { Secret } from '#base/secret';
import type { JsonObject } from '#formats/json';
import type { Transport } from '#platform/http-client';
import { issuerTable } from './config.ts';
import { keyDirectory } from './discovery.ts';
import { verifyToken } from './token.ts';

/** Throws as the authority does: WB-1002 to WB-1005, WB-1012. */
export type TokenVerifier = (
  token: Secret,
) => Promise<{ readonly issuer: string; readonly claims: JsonObject }>;

/** Believes tokens of these issuers for this audience. */
export function tokenVerifier(
  issuers: readonly string[],
  audience: string,
  { clock, transport }: { readonly clock: Clock; readonly transport: Transport },
): TokenVerifier {
  const table = issuerTable(
    issuers.map((issuerUrl) => ({ issuerUrl, clientId: audience, type: 'email' as const })),
  );
  const directory = keyDirectory(() => transport, clock);
  return async (token) => {
    const { issuer, claims } = await verifyToken(token, table, directory, clock);
    return { issuer: issuer.issuerUrl, claims };
  };
}
