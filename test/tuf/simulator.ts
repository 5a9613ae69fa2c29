/**
 * A TUF repository that does what a case asks of it, wrong things too: metadata are plain objects, signed and
 * published as they stand. Requests are remembered.
 */
import { createHash } from 'node:crypto';
import { utf8 } from '#base/bytes';
import { type Json, type JsonMap, TestKey } from './keys.ts';

export const DAY = 24 * 60 * 60 * 1000;

export interface RoleKeys extends JsonMap {
  keyids: string[];
  threshold: number;
}

export interface Delegation extends JsonMap {
  name: string;
  keyids: string[];
  threshold: number;
  terminating: boolean;
  paths: string[];
}

export interface MetaEntry extends JsonMap {
  version: number;
}

interface Common extends JsonMap {
  _type: string;
  spec_version: string;
  version: number;
  expires: string;
}

export interface RootDoc extends Common {
  consistent_snapshot: boolean;
  keys: { [id: string]: JsonMap };
  roles: { [role: string]: RoleKeys };
}

export interface MetaDoc extends Common {
  meta: { [file: string]: MetaEntry };
}

export interface TargetsDoc extends Common {
  targets: { [path: string]: { length: number; hashes: { [name: string]: string } } };
}

interface Delegations {
  keys: { [id: string]: JsonMap };
  roles: Delegation[];
}

const topRoles = ['root', 'timestamp', 'snapshot', 'targets'] as const;

export class Simulator {
  readonly root: RootDoc;
  readonly timestamp: MetaDoc;
  readonly snapshot: MetaDoc;
  readonly roles = new Map<string, Common>();
  readonly signers = new Map<string, TestKey[]>();
  /** Every published version of a role, the first at 0. */
  readonly published = new Map<string, Uint8Array[]>();
  readonly artifacts = new Map<string, Uint8Array>();
  /** `root 2`, `timestamp`, `A 1`, in order. */
  readonly metadataRequests: string[] = [];
  readonly targetRequests: string[] = [];
  /** Whether timestamp and snapshot carry length and hashes of what they name. */
  withHashes = false;
  /** Served as they are, instead of everything else: a repository somebody else wrote. */
  files: ReadonlyMap<string, Uint8Array> | undefined;
  /** Milliseconds since the epoch: when this repository began. */
  readonly now = Date.now();

  constructor() {
    const common = (type: string): Common => ({
      _type: type,
      spec_version: '1.0.31',
      version: 1,
      expires: this.inDays(30),
    });
    this.root = { ...common('root'), consistent_snapshot: true, keys: {}, roles: {} };
    this.timestamp = { ...common('timestamp'), meta: { 'snapshot.json': { version: 1 } } };
    this.snapshot = { ...common('snapshot'), meta: {} };
    this.roles.set('root', this.root).set('timestamp', this.timestamp).set('snapshot', this.snapshot);
    this.roles.set('targets', this.newTargets());
    for (const role of topRoles) {
      this.root.roles[role] = { keyids: [], threshold: 1 };
      this.addKey(role);
    }
    this.publish('targets', 'snapshot', 'timestamp', 'root');
  }

  inDays(days: number): string {
    return new Date(this.now + days * DAY).toISOString().replace(/\.\d+Z$/, 'Z');
  }

  newTargets(): TargetsDoc {
    const about = { _type: 'targets', spec_version: '1.0.31', version: 1, expires: this.inDays(30) };
    return { ...about, targets: {} };
  }

  targets(role = 'targets'): TargetsDoc {
    return this.roles.get(role) as TargetsDoc;
  }

  roleKeys(role: string): RoleKeys {
    return this.root.roles[role] as RoleKeys;
  }

  delegations(role: string): Delegations {
    const doc = this.targets(role);
    const before = doc['delegations'] as unknown as Delegations | undefined;
    const made: Delegations = before ?? { keys: {}, roles: [] };
    doc['delegations'] = made as unknown as Json;
    return made;
  }

  /** Makes `key` one of a top-level role's keys and one that signs it. */
  addKey(role: string, key = new TestKey()): TestKey {
    this.root.keys[key.id] = key.fields;
    this.roleKeys(role).keyids.push(key.id);
    this.signers.set(role, [...(this.signers.get(role) ?? []), key]);
    return key;
  }

  /** Replaces every key of a role by one new one. */
  rotate(role: string): void {
    this.roleKeys(role).keyids = [];
    this.signers.set(role, []);
    this.addKey(role);
  }

  /** `delegator` trusts a new key for the role `to`, made when it is not there yet. */
  delegate(delegator: string, to: Partial<Delegation> & { name: string }): TestKey {
    const key = new TestKey();
    const { keys, roles } = this.delegations(delegator);
    keys[key.id] = key.fields;
    roles.push({ threshold: 1, terminating: false, paths: ['*'], ...to, keyids: [key.id] });
    if (!this.roles.has(to.name)) this.roles.set(to.name, this.newTargets());
    this.signers.set(to.name, [...(this.signers.get(to.name) ?? []), key]);
    return key;
  }

  addArtifact(role: string, path: string, content: string, hashes: readonly string[] = ['sha256']): void {
    const bytes = utf8(content);
    const listed = hashes.map((name) => [name, createHash(name).update(bytes).digest('hex')]);
    this.targets(role).targets[path] = {
      length: bytes.length,
      hashes: Object.fromEntries(listed) as Record<string, string>,
    };
    this.artifacts.set(path, bytes);
  }

  /** Signs each role and makes it available, with a version one higher than before (the first: as it is). */
  publish(...roles: string[]): void {
    for (const role of roles) {
      const signed = this.roles.get(role) as Common;
      const before = this.published.get(role);
      if (before !== undefined) signed.version += 1;
      const bytes = this.envelope(role);
      this.published.set(role, [...(before ?? []), bytes]);
      const entry: MetaEntry = { version: signed.version };
      if (this.withHashes) {
        entry['length'] = bytes.length;
        entry['hashes'] = { sha256: createHash('sha256').update(bytes).digest('hex') };
      }
      if (role === 'snapshot') this.timestamp.meta['snapshot.json'] = entry;
      else if (role !== 'root' && role !== 'timestamp') this.snapshot.meta[`${role}.json`] = entry;
    }
  }

  /** The role as it stands, signed by its signers. */
  envelope(role: string, signers = this.signers.get(role) ?? []): Uint8Array {
    const signed = this.roles.get(role) as Common;
    const signatures = signers.map((key) => ({ keyid: key.id, sig: key.sign(signed) }));
    return utf8(JSON.stringify({ signatures, signed }, undefined, 1));
  }

  /** Changes the last published bytes of a role. */
  amend(role: string, change: (envelope: { signatures: JsonMap[]; signed: JsonMap }) => void): void {
    this.amendBytes(role, (bytes) => {
      const envelope = JSON.parse(Buffer.from(bytes).toString()) as never;
      change(envelope);
      return utf8(JSON.stringify(envelope));
    });
  }

  amendBytes(role: string, change: (bytes: Uint8Array) => Uint8Array): void {
    const all = this.published.get(role) ?? [];
    all.push(change(all.pop() as Uint8Array));
  }

  /** Forgets what was published of a role, and starts again at version 1. */
  startAgain(role: string): void {
    this.published.delete(role);
    (this.roles.get(role) as Common).version = 1;
  }

  last(role: string): Uint8Array | undefined {
    return this.published.get(role)?.at(-1);
  }

  /** What a client gets for a path below the mirror, undefined for 404. */
  read(path: string): Uint8Array | undefined {
    if (this.files !== undefined) return this.files.get(decodeURIComponent(path));
    if (path.startsWith('targets/')) return this.#target(path.slice('targets/'.length));
    const found = /^metadata\/(?:(\d+)\.)?(.+)\.json$/.exec(path);
    if (found === null) return undefined;
    const [, version, role] = found as unknown as [string, string | undefined, string];
    this.metadataRequests.push(version === undefined ? role : `${role} ${version}`);
    const all = this.published.get(decodeURIComponent(role));
    return version === undefined ? all?.at(-1) : all?.[Number(version) - 1];
  }

  #target(path: string): Uint8Array | undefined {
    const name = decodeURIComponent(path).replace(/(^|\/)[0-9a-f]{64,128}\.([^/]*)$/, '$1$2');
    this.targetRequests.push(name);
    return this.artifacts.get(name);
  }
}
