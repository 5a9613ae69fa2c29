/** Everything of a stack that ends, and when. */
import { join } from 'node:path';
import { utf8Text } from '#base/bytes';
import { unwrap } from '#base/result';
import { pemDecode } from '#formats/pem';
import type { CaAuthority } from '#formats/trusted-root';
import { readCertificate } from '#formats/x509';
import { readFileIfThere } from '#platform/files';
import type { Trust } from '#trust';
import type { StackState } from './state.ts';

export interface StackExpiry {
  /** `CA certificate`, `TLS authority`, `TUF root`, … */
  readonly what: string;
  readonly detail: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** While the stack runs and has the keys. */
  readonly renewsItself: boolean;
}

/** Of what is current: trust metadata, authorities, TLS. Soonest first. */
export async function expiriesOf(
  dataDir: string,
  state: StackState,
  trust: Trust | undefined,
): Promise<readonly StackExpiry[]> {
  const roles = Object.entries(trust?.tuf?.expires ?? {}).map(([role, at]) => ({
    what: `TUF ${role}`,
    detail: `root version ${trust?.tuf?.rootVersion ?? '?'}`,
    at,
    renewsItself: true,
  }));
  const all = [
    ...roles,
    ...chainEnds('CA', trust?.trustedRoot.certificateAuthorities),
    ...chainEnds('TSA', trust?.trustedRoot.timestampAuthorities),
    ...(await tlsEnds(dataDir, state)),
  ];
  return all.toSorted((a, b) => a.at - b.at);
}

function chainEnds(kind: string, authorities: readonly CaAuthority[] = []): StackExpiry[] {
  const current = authorities.filter(({ validFor }) => validFor.end === undefined);
  return current.flatMap(({ chain }) =>
    chain.map(({ subjectText, notAfter }, index) => ({
      what: `${kind} ${index === chain.length - 1 ? 'root' : 'certificate'}`,
      detail: subjectText,
      at: notAfter,
      renewsItself: false,
    })),
  );
}

/** The servers' own certificates live thirty days, and are renewed at half of that while the stack runs. */
async function tlsEnds(dataDir: string, { tlsCa }: StackState): Promise<StackExpiry[]> {
  const pem = tlsCa === undefined ? undefined : await readFileIfThere(join(dataDir, tlsCa));
  if (pem === undefined) return [];
  const { subjectText, notAfter } = readCertificate(unwrap(pemDecode(utf8Text(pem), 'CERTIFICATE'))[0].der);
  return [{ what: 'TLS authority', detail: subjectText, at: notAfter, renewsItself: false }];
}
