/**
 * What a backup does not know. Keys that a stack got after its backup was made are lost with it, and what they signed is
 * believed by nobody who asks the stack that came back. This machine may have seen them.
 */
import { join } from 'node:path';
import { rfc3339 } from '#base/clock';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { parseTrustedRoot, type TrustedRoot } from '#formats/trusted-root';
import { readFileIfThere } from '#platform/files';
import type { Transport } from '#platform/http-client';
import { loadTrust, stackTrustFiles, type Trust } from '#trust';
import { requireState } from './state.ts';

export interface KnownTrust {
  /** Where this machine keeps verified trust metadata. */
  readonly cacheDir: string;
  readonly transport: Transport;
}

/** In words, what was published after the backup in `source` as far as this machine has verified it. Asks nobody. */
export async function publishedSince(source: string, known: KnownTrust): Promise<readonly string[]> {
  const { origins } = await requireState(source);
  const root = join(source, stackTrustFiles.tufRoot);
  const from = { kind: 'tuf', mirror: origins.tuf, root, cacheDir: known.cacheDir, offline: true } as const;
  const cached = await loadTrust(from, known).catch(nothing);
  const bytes = await readFileIfThere(join(source, stackTrustFiles.trustedRoot));
  if (cached === undefined || bytes === undefined) return [];
  return [
    ...(await rootsSince(source, cached)),
    ...keysSince(unwrap(parseTrustedRoot(bytes)), cached.trustedRoot),
  ];
}

function nothing(error: unknown): undefined {
  if (!(error instanceof WaybillError)) throw error;
}

async function rootsSince(source: string, { tuf }: Trust): Promise<string[]> {
  const version = tuf?.rootVersion ?? 0;
  const file = await readFileIfThere(join(source, 'tuf', 'metadata', `${version}.root.json`));
  return file === undefined && version > 0 ? [`version ${version} of the TUF root`] : [];
}

function keysSince(kept: TrustedRoot, seen: TrustedRoot): string[] {
  const names = (root: TrustedRoot): ReadonlyMap<string, string> =>
    new Map([
      ...[...root.tlogs, ...root.ctlogs].map(({ logId, baseUrl, validFor }): [string, string] => [
        Buffer.from(logId).toString('hex'),
        `the log at ${baseUrl}, since ${rfc3339(validFor.start)}`,
      ]),
      ...[...root.certificateAuthorities, ...root.timestampAuthorities].map(
        ({ chain, subject, validFor }): [string, string] => [
          Buffer.from(chain[0].der).toString('hex'),
          `the authority ${subject.commonName}, since ${rfc3339(validFor.start)}`,
        ],
      ),
    ]);
  const here = names(kept);
  return [...names(seen)].flatMap(([key, name]) => (here.has(key) ? [] : [name]));
}
