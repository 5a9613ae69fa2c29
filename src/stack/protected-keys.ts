/** The keys of a stack under one passphrase: those of an earlier start that lie there plain are encrypted first. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Secret } from '#base/secret';
import { encryptKeys } from '#platform/key-store';
import type { Logger } from '#platform/telemetry';

/** Folders of a data directory that hold keys: one a generation of a station, and three of a kind of their own. */
async function keyFolders(dataDir: string): Promise<readonly string[]> {
  const stations = (await readdir(dataDir, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  return ['oidc', 'tls', ...stations.map(({ name }) => join(name, 'keys'))].map((name) =>
    join(dataDir, name),
  );
}

/** Throws WB-219 for a key that others may read, or that is none. */
export async function protectKeys(
  dataDir: string,
  passphrase: Secret | undefined,
  log: Logger,
): Promise<void> {
  if (passphrase === undefined) return;
  for (const folder of await keyFolders(dataDir)) {
    const encrypted = await encryptKeys(folder, passphrase);
    if (encrypted.length > 0) {
      const text =
        'keys that lay plain were encrypted; backups, and blocks of the disk, may still hold them plain';
      log.warn({ files: encrypted }, text);
    }
  }
}
