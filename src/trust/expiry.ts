/** Until when what is trusted may be used, and what will end soon. */
import type { CaAuthority, LogAuthority, Validity } from '#formats/trusted-root';
import type { Trust } from './load.ts';

export interface Expiry {
  /** `TUF timestamp`, `CA https://… certificate`, `log https://…`. */
  readonly what: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly state: 'expired' | 'soon';
}

const DAY_MS = 86_400_000;
/** Timestamps and snapshots are renewed every few days by design; that is no news. */
const renewedDays: Readonly<Record<string, number>> = { timestamp: 1, snapshot: 1 };

/**
 * What ends within `warnDays`, or has ended and is missed. An authority that retired is not missed while another
 * of its kind goes on.
 */
export function endingSoon(trust: Trust, now: number, warnDays: number): readonly Expiry[] {
  const { trustedRoot: root, tuf } = trust;
  const horizon = now + warnDays * DAY_MS;
  const roles = Object.entries(tuf?.expires ?? {}).flatMap(([role, at]) => {
    const days = Math.min(warnDays, renewedDays[role] ?? warnDays);
    return at > now + days * DAY_MS ? [] : [expiry(`TUF ${role}`, at, now)];
  });
  return [
    ...roles,
    ...ending('CA', root.certificateAuthorities.map(authorityWindow), now, horizon),
    ...ending('log', root.tlogs.map(logWindow), now, horizon),
    ...ending('CT log', root.ctlogs.map(logWindow), now, horizon),
    ...ending('TSA', root.timestampAuthorities.map(authorityWindow), now, horizon),
  ];
}

interface Window {
  readonly name: string;
  /** Undefined: open. */
  readonly end: number | undefined;
}

/** The last of a kind to end decides: whatever ended before was replaced. */
function ending(kind: string, windows: readonly Window[], now: number, horizon: number): Expiry[] {
  const [last] = windows.toSorted((a, b) => (b.end ?? Infinity) - (a.end ?? Infinity));
  if (last?.end === undefined || last.end > horizon) return [];
  return [expiry(`${kind} ${last.name}`, last.end, now)];
}

const expiry = (what: string, at: number, now: number): Expiry => ({
  what,
  at,
  state: at < now ? 'expired' : 'soon',
});

const logWindow = ({ baseUrl, validFor }: LogAuthority): Window => ({ name: baseUrl, end: validFor.end });

const authorityWindow = (authority: CaAuthority): Window => ({
  name: authority.uri || authority.chain[0].subjectText,
  end: authorityEnd(authority),
});

/** Milliseconds; certificates end too, whatever the window says. */
export function authorityEnd({
  chain,
  validFor,
}: {
  readonly chain: CaAuthority['chain'];
  readonly validFor: Validity;
}): number {
  return Math.min(validFor.end ?? Infinity, ...chain.map(({ notAfter }) => notAfter));
}
