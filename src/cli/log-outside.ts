/** A log from outside, as the verbs of `waybill log` take it: its key and names, its tiles by URL, what was issued. */
import type { PublicKey } from '#base/crypto';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import type { CheckpointVerifier, IssuedCertificates, TileSource } from '#tlog';
import type { CliContext } from './context.ts';
import { readInput } from './input.ts';
import { R } from './reasons.ts';

const TEXT_BYTES_MAX = 1024 * 1024;
const ISSUED_BYTES_MAX = 256 * 1024 * 1024;

export interface KeyFlags {
  readonly publicKey: string;
  readonly origin?: string;
  readonly keyName?: string;
}

export interface IssuedFlags {
  readonly issued: readonly string[];
  readonly state?: string;
  readonly identity: readonly string[];
  readonly issuer: readonly string[];
  readonly interval?: string;
}

interface Named {
  readonly origin: string;
  readonly keyName: string;
}

/** Rekor v1 writes `<host> - <tree id>` and signs as `<host>`; every other log signs as its origin. */
export function namesOf(checkpoint: string | undefined, flags: Pick<KeyFlags, 'origin' | 'keyName'>): Named {
  const origin = flags.origin ?? checkpoint?.split('\n')[0] ?? '';
  return { origin, keyName: flags.keyName ?? origin.replace(/ - [0-9]+$/, '') };
}

export async function verifierOf(
  checkpoint: string | undefined,
  flags: KeyFlags,
): Promise<CheckpointVerifier> {
  const { checkpointVerifier } = await import('#tlog');
  return checkpointVerifier({ ...namesOf(checkpoint, flags), publicKey: await publicKeyOf(flags) });
}

export async function publicKeyOf({ publicKey }: KeyFlags): Promise<PublicKey> {
  const { publicKeyFromPem } = await import('#base/crypto');
  return unwrap(publicKeyFromPem(await textFile(publicKey)));
}

export async function textFile(path: string): Promise<string> {
  const { utf8Text } = await import('#base/bytes');
  return utf8Text(await readInput(path, TEXT_BYTES_MAX));
}

/** A log by URL, read and verified as its checkpoint is signed: tlog-tiles, or a certificate log by static-ct. */
export async function outsideOf(
  url: string,
  flags: KeyFlags,
  context: CliContext,
): Promise<{ readonly source: TileSource; readonly verifier: CheckpointVerifier }> {
  const { dataTiles, httpTiles, isStaticCt, staticCtVerifier } = await import('#tlog');
  const source = httpTiles(url, context.transport);
  const checkpoint = await checkpointOf(source);
  const names = { origin: namesOf(checkpoint, flags).origin, publicKey: await publicKeyOf(flags) };
  if (checkpoint === undefined || !isStaticCt(checkpoint, names)) {
    return { source, verifier: await verifierOf(checkpoint, flags) };
  }
  return { source: { ...source, bundles: dataTiles }, verifier: staticCtVerifier(names) };
}

/** Throws WB-1305 for options that do not go together, WB-418 for a file of another form. */
export async function issuedOf(
  source: TileSource,
  flags: IssuedFlags,
): Promise<IssuedCertificates | undefined> {
  const { issued: files, identity, issuer, state, interval } = flags;
  const refuse = (expected: string, actual: string) => fail(R.optionValue, { expected, actual });
  if (source.bundles !== undefined && identity.length + issuer.length > 0) {
    throw refuse(
      '--identity and --issuer with a log of signatures',
      'a certificate log: --issued compares it',
    );
  }
  if (files.length === 0) return undefined;
  if (source.bundles === undefined) throw refuse('--issued with a certificate log', 'a log of another kind');
  if (state !== undefined || interval !== undefined) {
    throw refuse('--issued alone: it reads the whole log', '--state or --interval');
  }
  const { IssuedCertificates } = await import('#tlog');
  const issued = new IssuedCertificates();
  for (const file of files) issued.add(await readInput(file, ISSUED_BYTES_MAX), file);
  return issued;
}

async function checkpointOf(source: TileSource): Promise<string | undefined> {
  const { utf8Text } = await import('#base/bytes');
  const bytes = await source.read('checkpoint');
  return bytes === undefined ? undefined : utf8Text(bytes);
}
