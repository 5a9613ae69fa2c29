/** Certificates, timestamps and public keys out of the public sigstore-conformance cases; data of others, outside. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface ConformanceMaterial {
  /** DER, each once. */
  readonly certificates: readonly Uint8Array[];
  readonly timestamps: readonly Uint8Array[];
  /** DER SubjectPublicKeyInfo of certificate logs, by hex of their log id in base64. */
  readonly ctKeys: ReadonlyMap<string, Uint8Array>;
}

/** Undefined, with one line on stderr, where the data is not there. */
export function conformanceMaterial(suite: string): ConformanceMaterial | undefined {
  const root = join(process.env['WAYBILL_SHARED'] ?? '../shared', 'vectors', 'sigstore-conformance');
  const files = globSync('**/*.json', { cwd: root });
  if (files.length === 0) {
    process.stderr.write(`${suite}: ${root} is not there, its vectors did not run\n`);
    return undefined;
  }
  const found: Collected = { certificates: new Map(), timestamps: new Map(), ctKeys: new Map() };
  for (const file of files) {
    try {
      collect(JSON.parse(readFileSync(join(root, file), 'utf8')), found);
    } catch {
      // Some cases are malformed JSON on purpose.
    }
  }
  return {
    certificates: [...found.certificates.values()],
    timestamps: [...found.timestamps.values()],
    ctKeys: found.ctKeys,
  };
}

interface Collected {
  readonly certificates: Map<string, Uint8Array>;
  readonly timestamps: Map<string, Uint8Array>;
  readonly ctKeys: Map<string, Uint8Array>;
}

function collect(value: unknown, found: Collected, parent = ''): void {
  if (Array.isArray(value)) for (const item of value) collect(item, found, parent);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
  for (const [key, child] of Object.entries(value)) {
    const isCertificate = key === 'rawBytes' && (parent === 'certificate' || parent === 'certificates');
    if (isCertificate) found.certificates.set(String(child), Buffer.from(String(child), 'base64'));
    else if (key === 'signedTimestamp') {
      found.timestamps.set(String(child), Buffer.from(String(child), 'base64'));
    } else if (key === 'ctlogs') for (const log of child as readonly CtLog[]) addLog(log, found);
    else collect(child, found, key);
  }
}

interface CtLog {
  readonly logId?: { readonly keyId?: string };
  readonly publicKey?: { readonly rawBytes?: string };
}

function addLog(log: CtLog, found: Collected): void {
  const id = log.logId?.keyId;
  const key = log.publicKey?.rawBytes;
  if (id !== undefined && key !== undefined) found.ctKeys.set(id, Buffer.from(key, 'base64'));
}
