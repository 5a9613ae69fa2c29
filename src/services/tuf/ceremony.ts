/**
 * Root ceremonies: a next root is drafted, its keys' holders sign it one after the other, each where the key is,
 * and only a root with enough signatures of the old and of the new keys is published. The draft is a root file.
 */
import { Metadata, type Root, Signature } from '@tufjs/models';
import { toHex, utf8 } from '#base/bytes';
import { rfc3339 } from '#base/clock';
import { type PublicKey, type Signer, sha256 } from '#base/crypto';
import { fail } from '#base/reason';
import { type TufRoleName, tufRoleNames } from './config.ts';
import { type TufKey, tufKey } from './keys.ts';
import { newRoot, roleKeys, signedBytes } from './metadata.ts';
import { R } from './reasons.ts';
import { rootIn } from './roots.ts';

export interface RootDraftChange {
  /** Which roles the keys below are added to or taken from. */
  readonly roles: readonly TufRoleName[];
  readonly add: readonly PublicKey[];
  /** Key ids, or beginnings of at least eight digits that fit one. */
  readonly remove: readonly string[];
  /** Of those roles; as before when absent. */
  readonly threshold?: number;
  /** Milliseconds since the epoch. */
  readonly expires: number;
}

/** The root after `before`, unsigned. Throws WB-1065 when a role could never be signed. */
export function draftRoot(before: Uint8Array, change: RootDraftChange): Uint8Array {
  const { signed } = rootIn(before);
  const added = change.add.map(tufKey);
  const removed = new Set(change.remove.map((text) => idOf(signed, text)));
  const roles = roleKeys((role) => {
    const old = signed.roles[role];
    const keys = (old?.keyIDs ?? []).flatMap((id): TufKey[] => {
      const key = signed.keys[id];
      return key === undefined ? [] : [{ id, key }];
    });
    if (!change.roles.includes(role)) return { keys, threshold: old?.threshold ?? 1 };
    const kept = keys.filter(({ id }) => !removed.has(id));
    const all = [...kept, ...added.filter(({ id }) => !kept.some((one) => one.id === id))];
    const threshold = change.threshold ?? old?.threshold ?? 1;
    if (threshold >= 1 && threshold <= all.length) return { keys: all, threshold };
    const expected = `a threshold of ${role} between 1 and ${all.length}`;
    throw fail(R.root, { expected, actual: String(threshold) });
  });
  const root = newRoot(roles, { version: signed.version + 1, expires: change.expires });
  return rootBytes(new Metadata(root));
}

function idOf(root: Root, text: string): string {
  const ids = Object.keys(root.keys).filter((id) => id === text || (text.length >= 8 && id.startsWith(text)));
  if (ids.length === 1) return ids[0] as string;
  throw fail(R.root, {
    expected: `one key whose id begins with ${JSON.stringify(text)}`,
    actual: `${ids.length}`,
  });
}

/** The draft with one more signature. Throws WB-1065 for a key that neither `before` nor the draft lists. */
export function signRoot(draft: Uint8Array, signer: Signer, before?: Uint8Array): Uint8Array {
  const metadata = rootIn(draft);
  const { id } = tufKey(signer.publicKey);
  const lists = (root: Root | undefined): boolean => root?.roles['root']?.keyIDs.includes(id) === true;
  if (!lists(metadata.signed) && !lists(before === undefined ? undefined : rootIn(before).signed)) {
    const expected = `a key of the root role of version ${metadata.signed.version} or of the one before`;
    throw fail(R.root, { expected, actual: `key ${id.slice(0, 16)}…` });
  }
  metadata.sign((data) => new Signature({ keyID: id, sig: toHex(signer.sign(data)) }), true);
  return rootBytes(metadata);
}

export interface RootDescription {
  readonly version: number;
  /** RFC 3339. */
  readonly expires: string;
  /** SHA-256 over what is signed: the holders compare it before they sign. */
  readonly sha256: string;
  readonly roles: readonly {
    readonly role: TufRoleName;
    readonly threshold: number;
    readonly keys: readonly { readonly id: string; readonly owner?: string; readonly isNew: boolean }[];
    /** Ids of keys that are gone. */
    readonly removed: readonly string[];
  }[];
  /** Valid signatures of root keys: of this version, and of the one before. */
  readonly signedBy: readonly string[];
  readonly signedByBefore: readonly string[];
  /** How many signatures are still missing. */
  readonly missing: number;
  readonly missingBefore: number;
}

/** Who may sign what, who has, and what changes against the root before. */
export function describeRoot(bytes: Uint8Array, before?: Uint8Array): RootDescription {
  const metadata = rootIn(bytes);
  const old = before === undefined ? undefined : rootIn(before);
  const { signed } = metadata;
  const signedBy = validSigners(signed, metadata);
  const signedByBefore = old === undefined ? [] : validSigners(old.signed, metadata);
  const missing = (root: Root | undefined, count: number): number =>
    root === undefined ? 0 : Math.max(0, (root.roles['root']?.threshold ?? 0) - count);
  return {
    version: signed.version,
    expires: rfc3339(Date.parse(signed.expires)),
    sha256: toHex(sha256(signedBytes(signed))),
    roles: tufRoleNames.map((role) => {
      const ids = signed.roles[role]?.keyIDs ?? [];
      const oldIds = old?.signed.roles[role]?.keyIDs ?? (old === undefined ? ids : []);
      return {
        role,
        threshold: signed.roles[role]?.threshold ?? 0,
        keys: ids.map((id) => ({ id, ...ownerOf(signed, id), isNew: !oldIds.includes(id) })),
        removed: oldIds.filter((id) => !ids.includes(id)),
      };
    }),
    signedBy,
    signedByBefore,
    missing: missing(signed, signedBy.length),
    missingBefore: missing(old?.signed, signedByBefore.length),
  };
}

function ownerOf(root: Root, id: string): { readonly owner?: string } {
  const owner = root.keys[id]?.unrecognizedFields?.['x-tuf-on-ci-keyowner'];
  return typeof owner === 'string' ? { owner } : {};
}

/** Ids of the root keys of `root` whose signature over `metadata` is valid. */
function validSigners(root: Root, metadata: Metadata<Root>): string[] {
  return (root.roles['root']?.keyIDs ?? []).filter((id) => {
    const key = root.keys[id];
    if (key === undefined || metadata.signatures[id] === undefined) return false;
    try {
      key.verifySignature(metadata);
      return true;
    } catch {
      return false;
    }
  });
}

const rootBytes = (metadata: Metadata<Root>): Uint8Array =>
  utf8(`${JSON.stringify(metadata.toJSON(), undefined, 1)}\n`);
