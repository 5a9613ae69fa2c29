/** Judges what is attached to an image: what it is, whether it holds, who says so, and in a few words what it says. */
import type { Digest } from '#base/brand';
import { toHex } from '#base/bytes';
import type { Reason } from '#base/reason';
import { ok, type Result, unwrap } from '#base/result';
import { type AttachedItem, judgeItems } from '#facts';
import { parseBundle } from '#formats/bundle';
import { parseStatement } from '#formats/intoto';
import type { TransparencyLogEntry } from '#formats/tlog-entry';
import {
  type Accepted,
  entityOf,
  parseLegacyLayer,
  type SignedEntity,
  type TrustMaterial,
  type VerifiedSigner,
  verifyReasons,
  withoutIdentityUnsafe,
} from '#verify';
import type { Fact, Signer } from './model.ts';
import { builderDoubt } from './origin.ts';
import { summaryOf } from './summary.ts';
import { type Naming, namingOf, PLAIN_SIGNATURE, SIMPLE_SIGNATURE } from './words.ts';

/** Names of a log entry: by the id of its log, and by the origin its proof names. Equal for the same entry. */
export function entryKeys(entry: TransparencyLogEntry): readonly string[] {
  const origin = entry.inclusionProof?.checkpoint.split('\n', 1)[0] ?? '';
  const byId = `${toHex(entry.logId)} ${entry.logIndex}`;
  return origin === '' ? [byId] : [byId, originKey(origin, entry.logIndex)];
}

export const originKey = (origin: string, logIndex: number): string => `${origin} ${logIndex}`;

/**
 * Judges everything that lies beside an image in one repository. Any identity of the trusted root is admitted:
 * the page says who signed, a policy says who should have. Throws WB-801 for too many attachments.
 */
export function judgeAttached(
  repository: string,
  digest: Digest,
  items: readonly AttachedItem[],
  trust: TrustMaterial,
  now: number,
): readonly Fact[] {
  const requirements = unwrap(
    withoutIdentityUnsafe(trust.ctlogs.size === 0 ? { sct: 'notRequiredUnsafe' } : {}),
  );
  const { answers } = judgeItems(digest, items, [{ id: 'any', requirements }], trust, now);
  const verdicts = answers.get('any') ?? [];
  return items.flatMap((item, i): Fact[] => {
    const verdict = verdicts[i];
    if (verdict === undefined) return [];
    const common = { repository, from: item.name, layout: layoutOf(item) };
    if (verdict.outcome === 'accepted') return [acceptedFact(item, verdict, common)];
    return [refusedFact(item, verdict.outcome === 'rejected' ? verdict.reason : verdict.cause, common)];
  });
}

type Place = Pick<Fact, 'repository' | 'from' | 'layout'>;

const UNNUMBERED = '';

function acceptedFact(item: AttachedItem, verdict: Accepted, place: Place): Fact {
  const entity = entityIn(item);
  const said = saidBy(verdict);
  const doubt = builderDoubt(said);
  return {
    id: UNNUMBERED,
    ...place,
    state: doubt === undefined ? 'verified' : 'unproven',
    ...(doubt === undefined ? {} : { doubt }),
    ...said,
    entries: entity?.ok === true ? entity.value.entries.flatMap(entryKeys) : [],
  };
}

/** What an accepted verdict tells, whether the evidence came from a registry or from a log. */
export function saidBy(
  verdict: Accepted,
): Pick<Fact, 'naming' | 'signer' | 'at' | 'summary' | 'evidence' | 'statement' | 'verifiedSigner'> {
  const { statement, signer, evidence } = verdict;
  const times = verdict.times.filter((time) => time.kind !== 'current').map((time) => time.at);
  return {
    naming: statement === undefined ? unstated(verdict) : namingOf(statement.predicateType),
    signer: signerOf(signer),
    verifiedSigner: signer,
    ...(times.length === 0 ? {} : { at: Math.min(...times) }),
    summary: statement === undefined ? [] : summaryOf(statement),
    evidence,
    ...(statement === undefined ? {} : { statement }),
  };
}

const unstated = (verdict: Accepted): Naming =>
  verdict.simpleSigning === undefined ? PLAIN_SIGNATURE : SIMPLE_SIGNATURE;

function signerOf(signer: VerifiedSigner): Signer {
  return signer.kind === 'certificate'
    ? { kind: 'identity', name: signer.san.value, issuer: signer.issuer }
    : { kind: 'key', name: 'a key without a name' };
}

function refusedFact(item: AttachedItem, why: Reason, place: Place): Fact {
  const entity = entityIn(item);
  const read = entity?.ok === true ? entity.value : undefined;
  return {
    id: UNNUMBERED,
    ...place,
    naming: claimedNaming(item, read),
    // A bare key is no fault of the evidence; nobody told this page whose key it is.
    state:
      why.side === 'evidence' && why.code !== verifyReasons.certificateMissing.code ? 'refused' : 'unproven',
    reason: why,
    summary: [],
    evidence: [],
    entries: read?.entries.flatMap(entryKeys) ?? [],
  };
}

/** What the content says it is, unverified: only to call it by some name. */
function claimedNaming(item: AttachedItem, entity: SignedEntity | undefined): Naming {
  if (item.kind === 'unreadable' || entity === undefined) return namingOf(undefined);
  if (entity.content.kind === 'message') return PLAIN_SIGNATURE;
  if (entity.content.kind === 'simpleSigning') return SIMPLE_SIGNATURE;
  const statement = parseStatement(entity.content.envelope.payload);
  return statement.ok ? namingOf(statement.value.predicateType) : namingOf(undefined);
}

function entityIn(item: AttachedItem): Result<SignedEntity> | undefined {
  if (item.kind === 'unreadable') return undefined;
  if (item.kind === 'bundle') {
    const bundle = parseBundle(item.bytes);
    return bundle.ok ? ok(entityOf(bundle.value)) : bundle;
  }
  return parseLegacyLayer({ mediaType: item.mediaType, payload: item.bytes, annotations: item.annotations });
}

function layoutOf(item: AttachedItem): string {
  if (item.kind === 'bundle') return 'Sigstore bundle';
  return item.kind === 'legacy' ? 'cosign tag' : 'not readable';
}
