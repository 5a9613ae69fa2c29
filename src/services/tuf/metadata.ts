/** TUF metadata as bytes: pure functions over @tufjs/models. Times are milliseconds. */
import { Metadata, MetaFile, Root, Signature, Snapshot, TargetFile, Targets, Timestamp } from '@tufjs/models';
import { toHex, utf8 } from '#base/bytes';
import { rfc3339 } from '#base/clock';
import { sha256 } from '#base/crypto';
import type { JsonValue } from '#formats/json';
import { type TufRoleName, tufRoleNames } from './config.ts';
import type { TufKey, TufSigner } from './keys.ts';

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

/** Who may sign a role, and how many must. */
export interface RoleKeys {
  readonly keys: readonly TufKey[];
  readonly threshold: number;
}

const SPEC_VERSION = '1.0';
const common = ({ version, expires }: Common) => ({
  version,
  specVersion: SPEC_VERSION,
  expires: rfc3339(expires),
});

export const roleKeys = (of: (role: TufRoleName) => RoleKeys): Record<TufRoleName, RoleKeys> =>
  Object.fromEntries(tufRoleNames.map((role) => [role, of(role)])) as Record<TufRoleName, RoleKeys>;

/** A root that nobody has signed yet. */
export function newRoot(roles: Readonly<Record<TufRoleName, RoleKeys>>, about: Common): Root {
  const root = new Root({ ...common(about), keys: {}, consistentSnapshot: true });
  for (const role of tufRoleNames) for (const { key } of roles[role].keys) root.addKey(key, role);
  const json = root.toJSON() as { roles: Record<string, { threshold: number }> };
  for (const role of tufRoleNames)
    (json.roles[role] as { threshold: number }).threshold = roles[role].threshold;
  return Root.fromJSON(json);
}

export function targetsMetadata(
  signers: readonly TufSigner[],
  targets: readonly TufTarget[],
  about: Common,
): Promise<Uint8Array> {
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
  return signed(metadata, signers);
}

export function snapshotMetadata(
  signers: readonly TufSigner[],
  targetsVersion: number,
  about: Common,
): Promise<Uint8Array> {
  const meta = { 'targets.json': new MetaFile({ version: targetsVersion }) };
  return signed(new Snapshot({ ...common(about), meta }), signers);
}

export function timestampMetadata(
  signers: readonly TufSigner[],
  snapshotVersion: number,
  about: Common,
): Promise<Uint8Array> {
  const snapshotMeta = new MetaFile({ version: snapshotVersion });
  return signed(new Timestamp({ ...common(about), snapshotMeta }), signers);
}

/** Signed metadata as it is published. */
export async function signed(
  body: Root | Targets | Snapshot | Timestamp,
  keys: readonly TufSigner[],
): Promise<Uint8Array> {
  const metadata = new Metadata(body);
  const data = signedBytes(body);
  for (const key of keys) {
    const signature = await key.sign(data);
    metadata.sign(() => signature);
  }
  return utf8(`${JSON.stringify(metadata.toJSON(), undefined, 1)}\n`);
}

/** What a signature covers: the library hands it to whoever signs. */
export function signedBytes(body: Root | Targets | Snapshot | Timestamp): Buffer {
  let bytes = Buffer.alloc(0);
  new Metadata(body).sign((data) => {
    bytes = Buffer.from(data);
    return noSignature;
  });
  return bytes;
}

const noSignature = new Signature({ keyID: 'none', sig: '' });
