/**
 * Use case: give what is attached to an image the other layout as well. Only what can be re-packed is: the same
 * signature, the same log entry, in the form the other readers know. Nothing is signed, nothing is removed, and
 * what was written is verified again; what cannot be carried over is told, with the reason.
 */
import type { Clock } from '#base/clock';
import type { PublicKey } from '#base/crypto';
import { fail, type Reason, reason, WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import { COSIGN_SIGN_V1 } from '#formats/intoto';
import type { Descriptor } from '#formats/oci';
import { repositoryText } from '#formats/reference';
import type { TransparencyLogEntry } from '#formats/tlog-entry';
import {
  type AttachedBundle,
  attachBundle,
  attachLegacyAttestation,
  attachmentPlaces,
  type LegacyAttestation,
  listAttachments,
  type Registry,
  type Repository,
} from '#oci';
import {
  type Accepted,
  DSSE_MEDIA_TYPE,
  entityOf,
  parseLegacyLayer,
  type Requirements,
  requireKey,
  type SignedEntity,
  type TrustMaterial,
  verifyEntity,
  withoutIdentityUnsafe,
} from '#verify';
import { bundleOf, legacyOf } from './repack.ts';
import { targetsOf } from './sign-image.ts';
import { R } from './sign-reasons.ts';

export interface MigrateDeps {
  readonly registry: Registry;
  readonly trustedRoot: TrustMaterial;
  readonly clock: Clock;
  readonly cosignRepository?: string;
  /** Of signatures by a bare key. */
  readonly key?: PublicKey;
  /** The log's own word about an entry, with the proof that old layouts leave out. */
  readEntry(logId: Uint8Array, logIndex: number): Promise<TransparencyLogEntry>;
}

export interface MigrateOptions {
  readonly to: 'bundle' | 'legacy' | 'both';
  readonly recursive: boolean;
  /** Judge and say what would be written. */
  readonly dryRun: boolean;
}

/** One thing that is attached, and what became of it. */
export interface MigratedItem {
  readonly kind: 'bundle' | 'signature' | 'attestation';
  readonly from: string;
  readonly predicateType?: string;
  /** `present`: the other layout has this very signature. `possible`: in a dry run. */
  readonly outcome: 'migrated' | 'possible' | 'present' | 'impossible';
  readonly to?: string;
  readonly reason?: Reason;
  /** What the other layout has no place for; the source keeps it. */
  readonly left: readonly string[];
}

export interface MigratedImage {
  readonly given: string;
  readonly pinned: string;
  readonly items: readonly MigratedItem[];
}

/** Migrates one reference; with `recursive` every image of an index too. Throws what a registry or a log says. */
export async function migrateImage(
  given: string,
  options: MigrateOptions,
  deps: MigrateDeps,
): Promise<readonly MigratedImage[]> {
  const { reference, targets } = await targetsOf(given, options.recursive, deps.registry);
  const { read, write } = attachmentPlaces(deps.registry, reference, deps.cosignRepository);
  const done: MigratedImage[] = [];
  for (const target of targets) {
    const found = await listAttachments(read, target.digest);
    const work: Work = { target, write, options, deps };
    const items: MigratedItem[] = [];
    if (options.to !== 'legacy') {
      const there = new Set(found.bundles.flatMap((one) => signatureOf(() => entityOfBundle(one))));
      for (const one of found.legacyAttestations)
        items.push(await guarded(one, () => toBundle(one, there, work)));
      for (const { from } of found.legacySignatures) items.push(unbindable(from));
    }
    if (options.to !== 'bundle') {
      const there = new Set(
        found.legacyAttestations.flatMap((one) => signatureOf(() => entityOfLegacy(one, deps))),
      );
      for (const one of found.bundles) items.push(await guarded(one, () => toLegacy(one, there, work)));
    }
    done.push({ given, pinned: `${repositoryText(reference)}@${target.digest}`, items });
  }
  return done;
}

interface Work {
  readonly target: Descriptor;
  readonly write: Repository;
  readonly options: MigrateOptions;
  readonly deps: MigrateDeps;
}

/** What cannot be judged or carried is an answer; what could not be asked is thrown. */
async function guarded(
  one: AttachedBundle | LegacyAttestation,
  body: () => Promise<MigratedItem>,
): Promise<MigratedItem> {
  try {
    return await body();
  } catch (error) {
    if (!(error instanceof WaybillError) || error.reason.side === 'environment') throw error;
    return { ...aboutOf(one), outcome: 'impossible', reason: error.reason, left: [] };
  }
}

const aboutOf = (
  one: AttachedBundle | LegacyAttestation,
): Pick<MigratedItem, 'kind' | 'from' | 'predicateType'> => ({
  kind: one.kind === 'bundle' ? 'bundle' : 'attestation',
  from: one.from,
  ...(one.predicateType === undefined ? {} : { predicateType: one.predicateType }),
});

/** A legacy signature is over a document of its own, which no bundle about an image can hold. */
function unbindable(from: string): MigratedItem {
  const why = reason(R.resign, {
    expected: 'a signature over a statement',
    actual: 'one over a simple signing document, which no bundle holds',
  });
  return { kind: 'signature', from, outcome: 'impossible', reason: why, left: [] };
}

async function toBundle(
  one: LegacyAttestation,
  there: ReadonlySet<string>,
  work: Work,
): Promise<MigratedItem> {
  const { deps, target, options } = work;
  const about = aboutOf(one);
  const entity = entityOfLegacy(one, deps);
  if (there.has(signatureText(entity))) return { ...about, outcome: 'present', left: [] };
  const before = judged(entity, target, deps);
  const entries: TransparencyLogEntry[] = [];
  for (const entry of entity.entries) entries.push(await proven(entry, deps));
  const { bytes, left } = bundleOf(entity, entries);
  const after = judged(entityOf(unwrap(parseBundle(bytes))), target, deps);
  requireSameSigner(before, after);
  const predicateType = after.statement?.predicateType ?? '';
  if (options.dryRun) return { ...about, predicateType, outcome: 'possible', left };
  const createdMs = deps.clock.now();
  const written = await attachBundle(work.write, target, bytes, { predicateType, createdMs });
  const to = `${work.write.name}@${written.manifest.digest}`;
  return { ...about, predicateType, outcome: 'migrated', to, left };
}

/** The same entry with its proof. The log may not have changed its mind: everything else must agree. */
async function proven(entry: TransparencyLogEntry, deps: MigrateDeps): Promise<TransparencyLogEntry> {
  if (entry.inclusionProof !== undefined) return entry;
  const told = await deps.readEntry(entry.logId, entry.logIndex);
  const isSame =
    Buffer.compare(told.canonicalizedBody, entry.canonicalizedBody) === 0 &&
    told.integratedTime === entry.integratedTime;
  if (isSame && told.inclusionProof !== undefined) return { ...entry, inclusionProof: told.inclusionProof };
  throw fail(R.otherEntry, {
    expected: `entry ${entry.logIndex} as it was promised`,
    actual: 'another entry',
  });
}

async function toLegacy(one: AttachedBundle, there: ReadonlySet<string>, work: Work): Promise<MigratedItem> {
  const { deps, target, options } = work;
  const about = aboutOf(one);
  const entity = entityOfBundle(one);
  if (there.has(signatureText(entity))) return { ...about, outcome: 'present', left: [] };
  const before = judged(entity, target, deps);
  const predicateType = before.statement?.predicateType ?? '';
  if (predicateType === COSIGN_SIGN_V1) {
    throw fail(R.resign, {
      expected: 'a signature over a simple signing document',
      actual: 'one over a statement, which old readers do not take for a signature',
    });
  }
  const { envelope, material, left } = legacyOf(entity, deps.trustedRoot);
  const layer = { mediaType: DSSE_MEDIA_TYPE, payload: envelope, annotations: material.annotations };
  const signedWith = before.signer.kind;
  requireSameSigner(before, judged(unwrap(parseLegacyLayer(layer, signedWith)), target, deps));
  if (options.dryRun) return { ...about, predicateType, outcome: 'possible', left };
  const written = await attachLegacyAttestation(work.write, target.digest, envelope, {
    ...material.fields,
    predicateType,
  });
  return {
    ...about,
    predicateType,
    outcome: 'migrated',
    to: `${work.write.name}:${written.tag ?? ''}`,
    left,
  };
}

const entityOfBundle = ({ bytes }: AttachedBundle): SignedEntity => entityOf(unwrap(parseBundle(bytes)));

function entityOfLegacy(one: LegacyAttestation, { key }: MigrateDeps): SignedEntity {
  const layer = {
    mediaType: DSSE_MEDIA_TYPE,
    payload: one.envelope,
    annotations: Object.fromEntries(one.layer.annotations),
  };
  const isKeyed = one.certificate === undefined && key !== undefined;
  return unwrap(parseLegacyLayer(layer, isKeyed ? 'key' : 'certificate'));
}

const signatureText = ({ signature }: SignedEntity): string => Buffer.from(signature).toString('base64');

/** What cannot be read has no signature to compare. */
function signatureOf(read: () => SignedEntity): string[] {
  try {
    return [signatureText(read())];
  } catch (error) {
    if (error instanceof WaybillError) return [];
    throw error;
  }
}

/** Whoever signed: what is carried over must hold, not be by somebody in particular. */
function judged(entity: SignedEntity, target: Descriptor, deps: MigrateDeps): Accepted {
  const verdict = verifyEntity({
    artifact: target.digest,
    entity,
    trustedRoot: deps.trustedRoot,
    requirements: requirementsFor(entity, deps),
    now: deps.clock.now(),
  });
  if (verdict.outcome === 'accepted') return verdict;
  throw new WaybillError(verdict.outcome === 'rejected' ? verdict.reason : verdict.cause);
}

function requirementsFor(entity: SignedEntity, { key, trustedRoot }: MigrateDeps): Requirements {
  if (entity.material.kind === 'certificate') {
    const sct = trustedRoot.ctlogs.size === 0 ? { sct: 'notRequiredUnsafe' as const } : {};
    return unwrap(withoutIdentityUnsafe(sct));
  }
  if (key !== undefined) return unwrap(requireKey(key));
  throw fail(R.migrateKey, { expected: '--key, to verify a signature by a bare key', actual: 'none' });
}

function requireSameSigner(before: Accepted, after: Accepted): void {
  const name = ({ signer }: Accepted): string =>
    signer.kind === 'key'
      ? Buffer.from(signer.spki).toString('base64')
      : Buffer.from(signer.certificate.der).toString('base64');
  if (name(before) !== name(after)) throw new Error('re-packing changed the signer');
}
