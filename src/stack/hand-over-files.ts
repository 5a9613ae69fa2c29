/**
 * The single files of an export, held against what its TUF repository signs: people and clients take them as they lie
 * there, beside the mirror that is verified.
 */
import { basename, join } from 'node:path';
import { equalBytes, utf8, utf8Text } from '#base/bytes';
import { publicKeyPem } from '#base/crypto';
import { fail, WaybillError } from '#base/reason';
import { pemDecode } from '#formats/pem';
import type { CaAuthority, LogAuthority } from '#formats/trusted-root';
import { readFileIfThere, readFileLimited } from '#platform/files';
import {
  clientTrustConfigBytes,
  openRepository,
  readExport,
  stackTrustFiles,
  type Trust,
  type TufSource,
} from '#trust';
import { R } from './reasons.ts';

const ROOT_BYTES_MAX = 1024 * 1024;
const { trustedRoot, signingConfig, signingConfigV2, trustConfig } = stackTrustFiles;
/** Each is a target under the name it has here. */
const targets = [trustedRoot, signingConfig, signingConfigV2].map((path) => basename(path));

/** Throws WB-1218 for a file in `folder` that is not of the stack whose mirror lies there, verified as `trust`. */
export async function requireSignedFiles(folder: string, mirror: string, trust: Trust): Promise<void> {
  const { source } = await readExport(join(folder, mirror));
  const root = await readFileLimited(join(folder, 'root.json'), ROOT_BYTES_MAX);
  const repository = await openRepository(root, withPlainFiles(folder, source));
  for (const name of targets) {
    if ((await readFileIfThere(join(folder, name))) === undefined) continue;
    const found = await repository.target(name).catch((error: unknown) => {
      if (!(error instanceof WaybillError)) throw error;
    });
    if (found === undefined) throw other(folder, name);
  }
  const { certificateAuthorities, timestampAuthorities, ctlogs, tlogs } = trust.trustedRoot;
  await requireKey(folder, 'rekor.pub', tlogs);
  await requireKey(folder, 'ctfe.pub', ctlogs);
  await requireChain(folder, 'fulcio_chain.pem', certificateAuthorities);
  await requireChain(folder, 'tsa_chain.pem', timestampAuthorities);
  const config = await readFileIfThere(join(folder, basename(trustConfig)));
  if (config === undefined || trust.signingConfigBytes === undefined) return;
  const wanted = clientTrustConfigBytes(trust.trustedRootBytes, trust.signingConfigBytes);
  if (!equalBytes(config, wanted)) throw other(folder, basename(trustConfig));
}

/** The mirror with the single files in the place of the targets they are: the client then compares their hashes. */
function withPlainFiles(folder: string, mirror: TufSource): TufSource {
  return {
    ...mirror,
    read: (path, maxBytes) => {
      const name = /^targets\/[0-9a-f]+\.(.+)$/.exec(path)?.[1];
      return name === undefined || !targets.includes(name)
        ? mirror.read(path, maxBytes)
        : readFileIfThere(join(folder, name));
    },
  };
}

/** While a log is rotated, the target of this name is the key that comes: the file is the one that signs. */
async function requireKey(folder: string, name: string, known: readonly LogAuthority[]): Promise<void> {
  const bytes = await readFileIfThere(join(folder, name));
  if (bytes === undefined) return;
  if (!known.some(({ publicKey }) => equalBytes(bytes, utf8(publicKeyPem(publicKey)))))
    throw other(folder, name);
}

async function requireChain(folder: string, name: string, known: readonly CaAuthority[]): Promise<void> {
  const bytes = await readFileIfThere(join(folder, name));
  if (bytes === undefined) return;
  const blocks = pemDecode(utf8Text(bytes), 'CERTIFICATE');
  const isKnown = known.some(
    ({ chain }) =>
      blocks.ok &&
      blocks.value.length === chain.length &&
      chain.every(({ der }, index) => equalBytes(der, blocks.value[index]?.der ?? new Uint8Array(0))),
  );
  if (!isKnown) throw other(folder, name);
}

const other = (folder: string, name: string): Error =>
  fail(R.exported, {
    expected: `${join(folder, name)} as the TUF repository beside it signs it`,
    actual: 'something else',
    hint: 'somebody changed the folder on its way: do not use it, and take the export again',
  });
