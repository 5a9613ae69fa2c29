/**
 * Where cosign takes its trust from, in its order: the flag, single files named by flags and SIGSTORE_* variables,
 * TUF_MIRROR with TUF_ROOT_JSON, what `initialize` left in TUF_ROOT; and where none of these is there, what waybill
 * would use.
 */
import { basename, join } from 'node:path';
import { utf8 } from '#base/bytes';
import { unwrap } from '#base/result';
import type { TrustedRoot } from '#formats/trusted-root';
import type { Certificate } from '#formats/x509';
import type { Trust } from '#trust';
import type { Requirements } from '#verify';
import type { CliContext } from '../context.ts';
import { loadTrustFor, type TrustFlags, trustFor, type UsedTrust } from '../trust-options.ts';
import type { AuthorityFlags, NamedParts } from './cosign-authorities.ts';

/** `TUF_ROOT`, else `~/.sigstore/root`. */
export const tufRootFolder = ({ env }: CliContext): string =>
  env['TUF_ROOT'] || join(env['HOME'] ?? '.', '.sigstore', 'root');

/** Folder of a mirror below it, as sigstore-go names it. */
export const mirrorFolderName = (mirror: string): string =>
  mirror
    .replace(/^https?:\/\//, '')
    .replaceAll(/[/:]/g, '-')
    .toLowerCase();

export async function cosignTrust(
  flags: Pick<TrustFlags, 'trustedRoot'> & AuthorityFlags,
  context: CliContext,
  requirements: Requirements,
  offered: readonly Certificate[] = [],
): Promise<UsedTrust> {
  const { trustedRoot } = flags;
  if (trustedRoot !== undefined) {
    warnUnused(flags, context);
    return trustFor({ trustedRoot }, context, requirements);
  }
  const { namedParts } = await import('./cosign-authorities.ts');
  const named = await namedParts(flags, context, offered);
  const usual = (await initialized(context)) ?? {};
  if (named === undefined) return trustFor(usual, context, requirements);
  return trustOf(await filled(named, requirements, usual, context));
}

/** cosign looks at neither beside a trusted root, and says nothing. */
function warnUnused(flags: AuthorityFlags, { stderr }: CliContext): void {
  const { certificateChain, caRoots, caIntermediates, timestampCertificateChain } = flags;
  const given = [certificateChain, caRoots, caIntermediates, timestampCertificateChain];
  if (given.every((one) => one === undefined)) return;
  stderr('warning: authorities are those of --trusted-root; as cosign does, no other file is looked at');
}

/** What no file names comes from where trust comes from otherwise, if anything of it is needed and anything is there. */
async function filled(
  named: NamedParts,
  { signer, tlog, sct, time }: Requirements,
  usual: TrustFlags,
  context: CliContext,
): Promise<Parts> {
  const needs: Readonly<Record<keyof Parts, boolean>> = {
    certificateAuthorities: signer.kind !== 'key',
    tlogs: tlog.kind === 'atLeast',
    ctlogs: sct.kind === 'atLeast',
    timestampAuthorities: time.kind === 'signed' || time.kind === 'signedIfAny',
  };
  const isLacking = Object.entries(needs).some(
    ([part, isNeeded]) => isNeeded && named[part as keyof Parts] === undefined,
  );
  const { trustSource } = await import('#trust');
  const isThere = isLacking && (await trustSource(usual, context.env)) !== undefined;
  const rest: Parts = isThere ? (await loadTrustFor(usual, context)).trustedRoot : nothing;
  const { tlogs, ctlogs, certificateAuthorities, timestampAuthorities } = rest;
  return { tlogs, ctlogs, certificateAuthorities, timestampAuthorities, ...named };
}

export type Parts = Required<NamedParts>;
export const nothing: Parts = { tlogs: [], ctlogs: [], certificateAuthorities: [], timestampAuthorities: [] };

async function trustOf(parts: Parts): Promise<UsedTrust> {
  const [{ parseTrustedRoot, trustedRootJson }, { trustMaterial }, { digestOf, digestHex }] =
    await Promise.all([import('#formats/trusted-root'), import('#verify'), import('#base/digest')]);
  const bytes = utf8(trustedRootJson(parts));
  const hash = digestHex(digestOf(bytes));
  const root: TrustedRoot = unwrap(parseTrustedRoot(bytes));
  return { material: trustMaterial(root), hash, named: { origin: 'files named one by one', sha256: hash } };
}

/** The trusted root of the files that SIGSTORE_* variables name, for signing; undefined when they name none. */
export async function namedRoot(context: CliContext): Promise<Uint8Array | undefined> {
  const { namedParts } = await import('./cosign-authorities.ts');
  const named = await namedParts({}, context);
  if (named === undefined) return undefined;
  const { trustedRootJson } = await import('#formats/trusted-root');
  return utf8(trustedRootJson({ ...nothing, ...named }));
}

const named = ['WAYBILL_TRUSTED_ROOT', 'WAYBILL_STACK', 'WAYBILL_TRUST', 'WAYBILL_TUF_MIRROR', 'TUF_MIRROR'];

/** What `cosign initialize`, or ours, left behind; undefined where the environment says something itself. */
export async function initialized(context: CliContext): Promise<TrustFlags | undefined> {
  if (named.some((name) => context.env[name])) return undefined;
  const [{ readFileIfThere }, { parseJson, isJsonObject }] = await Promise.all([
    import('#platform/files'),
    import('#formats/json'),
  ]);
  const folder = tufRootFolder(context);
  const bytes = await readFileIfThere(join(folder, 'remote.json'));
  const json = bytes === undefined ? undefined : parseJson(bytes);
  const mirror = json?.ok === true && isJsonObject(json.value) ? json.value['mirror'] : undefined;
  if (typeof mirror !== 'string') return undefined;
  return { tufMirror: mirror, tufRoot: join(folder, mirrorFolderName(mirror), 'root.json') };
}

/** Trust without any flag: where `initialize` or the environment says. */
export async function usualTrust(context: CliContext): Promise<Trust> {
  return loadTrustFor((await initialized(context)) ?? {}, context);
}

/** As `usualTrust`, with the signing config of the log with API version 2. */
export async function usualTrustV2(context: CliContext): Promise<Trust> {
  const { loadTrust, requireTrustSource, stackTrustFiles } = await import('#trust');
  const flags = { ...(await initialized(context)), logVersion: '2' } as const;
  const source = await requireTrustSource(flags, context.env);
  const signingConfigTarget = basename(stackTrustFiles.signingConfigV2);
  const named = source.kind === 'tuf' ? { ...source, signingConfigTarget } : source;
  return loadTrust(named, { transport: context.transport });
}
