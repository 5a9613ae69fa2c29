/** A trusted root, its authorities and every expiry, for people and for machines. */
import { rfc3339 } from '#base/clock';
import type { CaAuthority, LogAuthority, Validity } from '#formats/trusted-root';
import type { Expiry, Trust } from '#trust';
import { plainLines } from './plain.ts';

export interface ShownTrust {
  readonly trust: Trust;
  /** What ends soon or has ended. */
  readonly ending: readonly Expiry[];
}

export function trustJson({ trust, ending }: ShownTrust): object {
  const { trustedRoot: root, tuf } = trust;
  return {
    ok: true,
    origin: trust.origin,
    sha256: trust.trustedRootSha256,
    ...(tuf === undefined ? {} : { tuf: { ...tuf, expiresAt: datesOf(tuf.expires) } }),
    certificateAuthorities: root.certificateAuthorities.map(authorityJson),
    tlogs: root.tlogs.map(logJson),
    ctlogs: root.ctlogs.map(logJson),
    timestampAuthorities: root.timestampAuthorities.map(authorityJson),
    unsupported: root.unsupported,
    ending: ending.map(({ what, at, state }) => ({ what, state, at: rfc3339(at) })),
  };
}

const datesOf = (times: Readonly<Record<string, number>>): object =>
  Object.fromEntries(Object.entries(times).map(([role, at]) => [role, rfc3339(at)]));

const validityJson = ({ start, end }: Validity): object => ({
  start: rfc3339(start),
  ...(end === undefined ? {} : { end: rfc3339(end) }),
});

const logJson = (log: LogAuthority): object => ({
  url: log.baseUrl,
  logId: Buffer.from(log.logId).toString('hex'),
  keyDetails: log.keyDetails,
  validFor: validityJson(log.validFor),
});

const certificatesEnd = ({ chain }: CaAuthority): number =>
  Math.min(...chain.map(({ notAfter }) => notAfter));

const authorityJson = (authority: CaAuthority): object => ({
  url: authority.uri,
  subject: authority.chain[0].subjectText,
  notAfter: rfc3339(certificatesEnd(authority)),
  validFor: validityJson(authority.validFor),
});

export function renderTrust({ trust, ending }: ShownTrust): string {
  const { trustedRoot: root, tuf } = trust;
  const range = ({ start, end }: Validity): string =>
    `${rfc3339(start)} – ${end === undefined ? 'open' : rfc3339(end)}`;
  const logs = (title: string, of: readonly LogAuthority[]): string[] =>
    of.map((log) => `  ${title.padEnd(10)} ${log.baseUrl}  ${log.keyDetails}  ${range(log.validFor)}`);
  const authorities = (title: string, of: readonly CaAuthority[]): string[] =>
    of.map((ca) => {
      const until = `certificates until ${rfc3339(certificatesEnd(ca))}`;
      return `  ${title.padEnd(10)} ${ca.uri}  ${ca.chain[0].subjectText}  ${range(ca.validFor)}  ${until}`;
    });
  const roles = Object.entries(tuf?.expires ?? {}).map(([role, at]) => {
    const version = tuf?.versions[role as keyof typeof tuf.versions] ?? '?';
    return `  ${role.padEnd(10)} version ${version}, expires ${rfc3339(at)}`;
  });
  return plainLines([
    `trusted root from ${trust.origin} (sha256 ${trust.trustedRootSha256})`,
    ...authorities('CA', root.certificateAuthorities),
    ...logs('log', root.tlogs),
    ...logs('CT log', root.ctlogs),
    ...authorities('TSA', root.timestampAuthorities),
    ...(roles.length === 0 ? [] : ['trust metadata:', ...roles]),
    ...root.unsupported.map((line) => `  not supported: ${line}`),
    ...ending.map(expiryText),
  ]);
}

export const expiryText = ({ what, at, state }: Expiry): string =>
  state === 'expired'
    ? `EXPIRED: ${what} ended ${rfc3339(at)}, and nothing of its kind goes on`
    : `ends soon: ${what} on ${rfc3339(at)}`;
