/**
 * Where cosign takes its trust from, in its order: the flag, single files named by SIGSTORE_* variables, TUF_MIRROR
 * with TUF_ROOT_JSON, what `initialize` left in TUF_ROOT; and where none of these is there, what waybill would use.
 */
import { join } from 'node:path';
import type { Requirements } from '#verify';
import type { CliContext } from '../context.ts';
import { type TrustFlags, trustFor, type UsedTrust } from '../trust-options.ts';

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
  flags: Pick<TrustFlags, 'trustedRoot'>,
  context: CliContext,
  requirements: Requirements,
): Promise<UsedTrust> {
  const { trustedRoot } = flags;
  if (trustedRoot !== undefined) return trustFor({ trustedRoot }, context, requirements);
  const { singleFiles } = await import('./cosign-trusted-root.ts');
  const files = await singleFiles(context);
  if (files !== undefined) return files;
  return trustFor((await initialized(context)) ?? {}, context, requirements);
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
