/** TUF metadata as bytes: pure functions over @tufjs/models. Times are milliseconds. */
import { Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp } from '@tufjs/models';
import { toHex, utf8 } from '#base/bytes';
import { rfc3339 } from '#base/clock';
import { sha256 } from '#base/crypto';
import type { JsonValue } from '#formats/json';
import type { KeyRing, TufKey } from './keys.ts';

export interface TufTarget {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** `custom` of the target, for example what legacy clients read: `{sigstore: {status, usage, uri}}`. */
  readonly custom?: Readonly<Record<string, JsonValue>>;
}

interface Common {
  readonly version: number;
  readonly expires: number;
}

const SPEC_VERSION = '1.0';
const common = ({ version, expires }: Common) => ({
  version,
  specVersion: SPEC_VERSION,
  expires: rfc3339(expires),
});

export function rootMetadata(ring: KeyRing, threshold: number, about: Common): Uint8Array {
  const root = new Root({ ...common(about), keys: {}, consistentSnapshot: true });
  for (const role of ['root', 'targets']) for (const { key } of ring.root) root.addKey(key, role);
  for (const role of ['snapshot', 'timestamp']) root.addKey(ring.online.key, role);
  const json = root.toJSON() as { roles: Record<string, { threshold: number }> };
  for (const role of ['root', 'targets']) (json.roles[role] as { threshold: number }).threshold = threshold;
  return signed(Root.fromJSON(json), ring.root);
}

export function targetsMetadata(ring: KeyRing, targets: readonly TufTarget[], about: Common): Uint8Array {
  const metadata = new Targets(common(about));
  for (const target of targets) {
    metadata.addTarget(
      TargetFile.fromJSON(target.name, {
        length: target.bytes.length,
        hashes: { sha256: toHex(sha256(target.bytes)) },
        ...(target.custom === undefined ? {} : { custom: target.custom as never }),
      }),
    );
  }
  return signed(metadata, ring.root);
}

export function snapshotMetadata(ring: KeyRing, targetsVersion: number, about: Common): Uint8Array {
  const meta = { 'targets.json': new MetaFile({ version: targetsVersion }) };
  return signed(new Snapshot({ ...common(about), meta }), [ring.online]);
}

export function timestampMetadata(ring: KeyRing, snapshotVersion: number, about: Common): Uint8Array {
  const snapshotMeta = new MetaFile({ version: snapshotVersion });
  return signed(new Timestamp({ ...common(about), snapshotMeta }), [ring.online]);
}

function signed(body: Root | Targets | Snapshot | Timestamp, keys: readonly TufKey[]): Uint8Array {
  const metadata = new Metadata(body);
  for (const key of keys) metadata.sign((data) => key.sign(data));
  return utf8(`${JSON.stringify(metadata.toJSON(), undefined, 1)}\n`);
}
