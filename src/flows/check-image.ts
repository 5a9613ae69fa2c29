/**
 * Use case: the whole checklist over one image. The name becomes a digest once; every question is about that
 * digest, and each is answered by the room that answers it elsewhere: the verifier, the catalogue, the policies.
 */
import type { Digest } from '#base/brand';
import { fail, WaybillError } from '#base/reason';
import { type NonEmpty, unwrap } from '#base/result';
import { type MirrorMap, readingOnce } from '#facts';
import { isFileSource, parseFileSource } from '#formats/image-source';
import { COSIGN_SIGN_V1, predicateTypes } from '#formats/intoto';
import type { Platform } from '#formats/oci';
import { parseReference, pinnedText, repositoryText } from '#formats/reference';
import { attachmentPlaces, type ImageSource } from '#oci';
import { type TrustedBuilder, trustedBuilders, WAYBILL_BUILD_TYPE } from '#provenance';
import type { AdvisoryDatabase } from '#scan';
import type { WireDeps } from '#sign';
import type { Accepted } from '#verify';
import { checkBase } from './check-base.ts';
import type { CheckExpectations, SignerDemand } from './check-expectations.ts';
import {
  CheckFailure,
  type CheckItem,
  type Found,
  itemOf,
  notAsked,
  settled,
  signedText,
} from './check-item.ts';
import { checkLog } from './check-log.ts';
import { R } from './check-reasons.ts';
import { type CurrentSbom, currentSbom, passingScan, rescan } from './check-sbom.ts';
import { podOf, policyTest } from './policy-test.ts';
import { type CheckedProvenance, verifyProvenance } from './provenance.ts';
import { type ResolvedImage, resolveImage } from './resolve.ts';
import { sbomImage } from './sbom-image.ts';
import { type VerifyImageDeps, verifyImage } from './verify-image.ts';

export interface CheckImageDeps extends VerifyImageDeps, WireDeps {
  readonly mirror: MirrorMap;
  /** Of waybill, for the catalogue. */
  readonly version: string;
  /** Of an index, the image to catalogue. */
  readonly platform?: Platform;
  /** Scans the attested SBOM again. */
  readonly database?: AdvisoryDatabase;
}

export interface CheckedImage {
  /** As the user wrote it. */
  readonly given: string;
  /** By digest, under the name the policies see. */
  readonly pinned: string;
  readonly digest: Digest;
  readonly items: NonEmpty<CheckItem>;
}

/** Answers every question. Throws WB-502 when there is no such image, and what keeps it from being resolved. */
export async function checkImage(
  given: string,
  expected: CheckExpectations,
  deps: CheckImageDeps,
): Promise<CheckedImage> {
  const resolved = await resolveImage(deps.registry, placeOf(given, deps));
  // Eight questions, one reading: what is attached is fetched once.
  const check = new ImageCheck(given, expected, { ...deps, attachments: readingOnce() }, resolved);
  return { given, pinned: check.pinned, digest: check.digest, items: await check.items() };
}

/** Where a reference is read: the mirror's place, tag and digest kept. A folder or archive is read where it is. */
function placeOf(text: string, { mirror }: Pick<CheckImageDeps, 'mirror'>): string {
  if (isFileSource(text)) return text;
  const reference = unwrap(parseReference(text));
  const { tag, digest } = reference;
  return `${mirror(repositoryText(reference))}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

type SharedDeps = CheckImageDeps & Required<Pick<CheckImageDeps, 'attachments'>>;

class ImageCheck {
  readonly digest: Digest;
  /** For people and policies. */
  readonly pinned: string;
  readonly #given: string;
  readonly #expected: CheckExpectations;
  readonly #deps: SharedDeps;
  readonly #resolved: ResolvedImage;
  /** By digest, where it is read. */
  readonly #place: string;

  constructor(given: string, expected: CheckExpectations, deps: SharedDeps, resolved: ResolvedImage) {
    this.digest = resolved.digest;
    this.#given = given;
    this.#expected = expected;
    this.#deps = deps;
    this.#resolved = resolved;
    const file = parseFileSource(given);
    this.pinned =
      file === undefined
        ? pinnedText(unwrap(parseReference(given)), resolved.digest)
        : `${file.kind}:${file.path}@${resolved.digest}`;
    this.#place = resolved.pinned ?? this.pinned;
  }

  async items(): Promise<NonEmpty<CheckItem>> {
    const signature = this.#signature();
    const provenance = this.#provenance();
    const sbom = this.#sbom();
    const scan = this.#scan(sbom);
    const base = this.#base(provenance);
    const logged = this.#logged({ signature, SBOM: sbom, scan, provenance });
    const [pinned, ...others] = await Promise.allSettled([
      this.#isPinned(),
      base,
      sbom,
      scan,
      signature,
      provenance,
      logged,
      this.#admitted(),
    ]);
    return [
      itemOf('pinned', 'named by digest', pinned),
      itemOf('base', 'base image known and signed', others[0]),
      itemOf('sbom', 'SBOM attested and not stale', others[1]),
      itemOf('scan', 'scan attested, recent and under the threshold', others[2]),
      itemOf('signature', 'signed by the expected identity', others[3]),
      itemOf('provenance', 'built by the expected builder from the expected source', others[4]),
      itemOf('logged', 'logged, with proof', others[5]),
      itemOf('admitted', 'admitted by the policies', others[6]),
    ];
  }

  async #isPinned(): Promise<Found> {
    if (!this.#given.endsWith(`@${this.digest}`)) {
      throw fail(R.notPinned, { expected: `…@${this.digest}`, actual: this.#given });
    }
    const { tagMovedTo } = this.#resolved;
    const moved = tagMovedTo === undefined ? [] : [`the tag beside it names ${tagMovedTo} now`];
    return { evidence: [this.digest, ...moved], value: undefined };
  }

  async #signature(): Promise<Found> {
    const accepted = await this.#verified('signature', this.#expected.signature, [COSIGN_SIGN_V1]);
    return { evidence: [signedText(accepted[0])], value: undefined, accepted };
  }

  async #verified(
    kind: 'signature' | 'attestation',
    demand: SignerDemand,
    types: NonEmpty<string>,
  ): Promise<NonEmpty<Accepted>> {
    if (demand === undefined) throw notAsked(`who signs: identity and issuer, or a key (${kind})`);
    const question = { kind, requirements: demand(types) };
    return (await verifyImage(this.#place, question, this.#deps)).accepted;
  }

  async #sbom(): Promise<Found<CurrentSbom>> {
    const types: NonEmpty<string> = [predicateTypes.cyclonedx, predicateTypes.spdxjson];
    const attested = await this.#verified('attestation', this.#expected.attestations, types);
    const { registry, version, platform } = this.#deps;
    const options = { version, ...(platform === undefined ? {} : { platform }) };
    return currentSbom(attested, (await sbomImage(registry, this.#place, options)).sbom);
  }

  async #scan(sbom: Promise<Found<CurrentSbom>>): Promise<Found> {
    const attested = await this.#verified('attestation', this.#expected.attestations, [predicateTypes.vuln]);
    const { database, clock } = this.#deps;
    const demand = { ...this.#expected, nowMs: clock.now() };
    const scan = passingScan(attested, demand);
    if (database === undefined) return scan;
    const { found: current, trouble } = await settled(sbom);
    if (trouble !== undefined) throw new CheckFailure(trouble, scan.evidence);
    if (current === undefined) {
      // What was found when it was attested is no answer for today.
      const why = { expected: 'an attested SBOM that is current', actual: 'none' };
      throw new CheckFailure(fail(R.rescan, why), scan.evidence);
    }
    try {
      return { ...scan, evidence: [...scan.evidence, rescan(current.value, database, demand)] };
    } catch (error) {
      if (error instanceof WaybillError) throw new CheckFailure(error, scan.evidence);
      throw error;
    }
  }

  async #provenance(): Promise<Found<NonEmpty<CheckedProvenance>>> {
    const { source, tag, branch, builder } = this.#expected;
    if (source === undefined) throw notAsked('the source repository');
    if (tag === undefined && branch === undefined) throw notAsked('the tag or the branch of the source');
    const isOwn = builder?.id !== undefined && !builder.id.startsWith('https://github.com/');
    if (isOwn && builder?.issuer === undefined) throw notAsked(`the issuer of the builder ${builder?.id}`);
    const policy = policyFor(builder);
    const { checked } = await verifyProvenance(
      this.#place,
      {
        expected: {
          sourceUri: source,
          ...(tag === undefined ? {} : { sourceTag: tag }),
          ...(branch === undefined ? {} : { sourceBranch: branch }),
          ...(builder?.id === undefined ? {} : { builderId: builder.id }),
          ...(builder?.issuer === undefined ? {} : { issuer: builder.issuer }),
          ...(builder?.buildType === undefined ? {} : { buildType: builder.buildType }),
        },
        ...(policy === undefined ? {} : { policy }),
      },
      this.#deps,
    );
    const accepted = checked.map((one) => one.accepted);
    return { evidence: provenanceEvidence(checked, builder?.level), value: checked, accepted };
  }

  async #base(provenance: Promise<Found<NonEmpty<CheckedProvenance>>>): Promise<Found> {
    const { found, trouble } = await settled(provenance);
    const { platform } = this.#deps;
    const question = {
      source: this.#resolved.source,
      digest: this.digest,
      ...(platform === undefined ? {} : { platform }),
      provenance: (found?.value ?? []).map((one) => one.provenance),
      ...(trouble === undefined ? {} : { trouble }),
      place: (reference: string) => placeOf(reference, this.#deps),
    };
    return checkBase(this.#expected.base, question, this.#deps);
  }

  async #logged(others: Readonly<Record<string, Promise<Found<unknown>>>>): Promise<Found> {
    const groups = Object.entries(others).map(async ([name, other]) => {
      const { found, trouble } = await settled(other);
      return { name, accepted: found?.accepted ?? [], ...(trouble === undefined ? {} : { trouble }) };
    });
    const { trust, transport, clock, random } = this.#deps;
    const { audit } = this.#expected;
    const trustedRoot = trust.material;
    return checkLog({
      digest: this.digest,
      places: this.#places(),
      attachments: this.#deps.attachments,
      groups: await Promise.all(groups),
      trust: trustedRoot,
      ...(audit === undefined ? {} : { audit: { auditUrl: audit, trustedRoot, transport, clock, random } }),
    });
  }

  #places(): readonly ImageSource[] {
    const { reference, source } = this.#resolved;
    const { registry, cosignRepository } = this.#deps;
    return reference === undefined ? [source] : attachmentPlaces(registry, reference, cosignRepository).read;
  }

  async #admitted(): Promise<Found> {
    const { policies, namespace } = this.#expected;
    if (policies === undefined) throw notAsked('a policy');
    if (isFileSource(this.#given))
      throw notAsked('an image in a registry', 'policies match the name of an image: check it where it lies');
    const { registry, mirror, trust, clock, attachments } = this.#deps;
    const pod = podOf(this.pinned, namespace);
    const [verdict] = await policyTest(policies, [pod], namespace, {
      registry,
      mirror,
      trust,
      clock,
      attachments,
    });
    if (verdict === undefined) throw new Error('one object was asked for, and none was judged');
    const lines = verdict.results.map(
      ({ policy, rule, status, message }) => `${status} ${policy}/${rule}: ${message}`,
    );
    if (verdict.unmatched.length > 0 || lines.length === 0) {
      throw fail(R.notAdmitted, { expected: 'a policy that covers the image', actual: 'none does' });
    }
    const evidence: [string, ...string[]] = [lines[0] ?? '', ...lines.slice(1)];
    if (verdict.outcome === 'unavailable') {
      const cause = verdict.results.find(({ status }) => status === 'unavailable')?.message ?? 'no evidence';
      throw new CheckFailure(
        fail(R.policyOpen, { expected: 'the evidence the policies ask for', actual: cause }),
        evidence,
      );
    }
    // A rule in Audit mode lets the image in with a warning; it is not met all the same.
    const failed = verdict.results.find(({ status }) => status !== 'pass');
    if (verdict.outcome === 'allowed' && failed === undefined) return { evidence, value: undefined };
    const actual =
      failed === undefined ? verdict.outcome : `${failed.status} of ${failed.policy}/${failed.rule}`;
    throw new CheckFailure(fail(R.notAdmitted, { expected: 'every rule to pass', actual }), evidence);
  }
}

/** A builder of the profile's own is granted the level it is trusted with; the known ones have their rows. */
function policyFor(builder: CheckExpectations['builder']): readonly TrustedBuilder[] | undefined {
  if (builder?.id === undefined || builder.issuer === undefined || builder.level === undefined)
    return undefined;
  const builderId = builder.id.split('@')[0] as string;
  const row: TrustedBuilder = {
    builderId,
    issuer: builder.issuer,
    levelMax: builder.level,
    buildTypes: [builder.buildType ?? WAYBILL_BUILD_TYPE],
    artifacts: ['image'],
  };
  return [...trustedBuilders, row];
}

function provenanceEvidence(
  checked: NonEmpty<CheckedProvenance>,
  wanted = 0,
): readonly [string, ...string[]] {
  const [best] = checked.toSorted((a, b) => b.level.level - a.level.level);
  const { findings, level } = best ?? checked[0];
  const evidence: [string, ...string[]] = [
    `builder ${findings.builderId}`,
    `source ${findings.sourceUri} ${findings.sourceRef ?? ''} ${findings.commit ?? ''}`.trimEnd(),
    `SLSA Build L${level.level}${level.notMore.length === 0 ? '' : ` (${level.notMore.join('; ')})`}`,
  ];
  if (level.level >= wanted) return evidence;
  const actual = `level ${level.level}: ${level.notMore.join('; ')}`;
  throw new CheckFailure(fail(R.level, { expected: `level ${wanted}`, actual }), evidence);
}
