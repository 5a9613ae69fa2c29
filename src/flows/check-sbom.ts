/** Is an attested SBOM still true of the image, and does an attested scan of it pass? */
import { fail, WaybillError } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import { cycloneDxBytes } from '#formats/cyclonedx';
import { isJsonObject, type JsonValue, own } from '#formats/json';
import type { Sbom, SbomPackage } from '#formats/sbom';
import { diffSboms, type SbomDiff } from '#formats/sbom-diff';
import { parseSbom } from '#formats/sbom-read';
import { selectCataloguers } from '#sbom';
import { type AdvisoryDatabase, judge, matchPackages, type Severity, severities, severityRank } from '#scan';
import type { Accepted } from '#verify';
import { CheckFailure, countText, type Found, signedText } from './check-item.ts';
import { R } from './check-reasons.ts';
import { sbomOfStatement } from './sbom-statement.ts';

const DAY_MS = 86_400_000;
/** Clocks of scanners and ours may differ by this much. */
const SKEW_MS = 300_000;
const SHOWN_MAX = 5;

export interface SbomDifference {
  /** In the image, not in the document. */
  readonly missing: readonly string[];
  /** In the document, not in the image. */
  readonly extra: readonly string[];
  /** In the document, of kinds that are not catalogued here: cannot be compared. */
  readonly uncompared: readonly string[];
}

/** Kinds of packages our cataloguers find in images; documents of other tools may list more kinds. */
const cataloguedTypes: ReadonlySet<string> = new Set(
  selectCataloguers([], 'image').flatMap((one) => one.types),
);

const keyOf = ({ type, name, version }: SbomPackage): string => `${type} ${name} ${version}`;

/** Compares two SBOMs by type, name and version of their packages. Pure. */
export function compareSboms(attested: Sbom, found: Sbom): SbomDifference {
  const stated = new Set(attested.packages.map(keyOf));
  const real = new Set(found.packages.map(keyOf));
  const surplus = attested.packages.filter((one) => !real.has(keyOf(one)));
  const isOurs = attested.tool.name === found.tool.name;
  const comparable = (one: SbomPackage): boolean => isOurs || cataloguedTypes.has(one.type);
  const keys = (list: readonly SbomPackage[]): string[] => [...new Set(list.map(keyOf))].sort();
  return {
    missing: keys(found.packages.filter((one) => !stated.has(keyOf(one)))),
    extra: keys(surplus.filter(comparable)),
    uncompared: keys(surplus.filter((one) => !comparable(one))),
  };
}

function sbomOf({ statement }: Accepted): Sbom {
  if (statement !== undefined) return unwrap(sbomOfStatement(statement));
  throw fail(R.sbomStale, { expected: 'an attested SBOM', actual: 'a bare signature' });
}

export interface CurrentSbom {
  readonly sbom: Sbom;
}

/**
 * The attested SBOM that says what is in the image. Of several the newest by trusted time decides, as it does for an
 * attested scan, and every other that may be as new: an older one that agrees does not make up for it. Throws the
 * failure of the first that does not agree.
 */
export function currentSbom(attested: readonly Accepted[], found: Sbom): Found<CurrentSbom> {
  const { deciding, older } = byAge(attested);
  const compare = comparison(found);
  const [first, ...others] = deciding.map(compare);
  const wrong = [first, ...others].find((one) => one?.failure !== undefined);
  const agreeing = older.map(compare).filter((one) => one.failure === undefined).length;
  if (wrong?.failure !== undefined) {
    const { why, evidence } = wrong.failure;
    const beside =
      agreeing === 0 ? [] : [`${countText(agreeing, 'older SBOM')} agreed, which does not count`];
    throw new CheckFailure(why, [...evidence, ...beside]);
  }
  if (first?.sbom === undefined) throw fail(R.sbomStale, { expected: 'an attested SBOM', actual: 'none' });
  const differing = older.length - agreeing;
  const beside =
    differing === 0
      ? []
      : [`${countText(differing, 'older SBOM')} attested too, not the same: the newest counts`];
  return {
    evidence: [...first.evidence, ...others.flatMap(({ evidence }) => evidence), ...beside] as [
      string,
      ...string[],
    ],
    value: { sbom: first.sbom },
    accepted: deciding,
  };
}

interface Compared {
  readonly sbom?: Sbom;
  readonly evidence: readonly string[];
  readonly failure?: CheckFailure;
}

/** Holds attested SBOMs against what was found. */
function comparison(found: Sbom): (accepted: Accepted) => Compared {
  // Through the same document form, so that names and versions are read alike.
  const real = unwrap(parseSbom(cycloneDxBytes(found, { createdMs: 0 })));
  return (accepted) => {
    const read = attempt(() => sbomOf(accepted));
    if (!read.ok) {
      return {
        evidence: [],
        failure: new CheckFailure(new WaybillError(read.error), [signedText(accepted)]),
      };
    }
    const difference = compareSboms(read.value, real);
    if (difference.missing.length + difference.extra.length === 0) {
      return { sbom: read.value, evidence: sbomEvidence(read.value, accepted, difference, real) };
    }
    const expected = `the ${countText(real.packages.length, 'package')} of the image`;
    const why = fail(R.sbomStale, { expected, actual: differenceText(difference) });
    const lines = [signedText(accepted), ...differenceLines(difference)];
    return { evidence: [], failure: new CheckFailure(why, lines) };
  };
}

/** Trusted time in milliseconds; 0: none. */
const signedAt = ({ times }: Accepted): number => Math.max(0, ...times.map(({ at }) => at));

/** Those that may be the newest, and the rest. */
function byAge(attested: readonly Accepted[]): Record<'deciding' | 'older', readonly Accepted[]> {
  const newest = Math.max(0, ...attested.map(signedAt));
  return {
    deciding: attested.filter((one) => signedAt(one) >= newest),
    older: attested.filter((one) => signedAt(one) < newest),
  };
}

/** Differences of the readable newest SBOM that is farthest from what was found, from it to the image. */
export function decidingDifference(attested: readonly Accepted[], found: Sbom): SbomDiff | undefined {
  const real = unwrap(parseSbom(cycloneDxBytes(found, { createdMs: 0 })));
  const diffs = byAge(attested).deciding.flatMap((accepted) => {
    const read = attempt(() => sbomOf(accepted));
    return read.ok ? [diffSboms(read.value, real)] : [];
  });
  const size = ({ added, removed, changed }: SbomDiff): number =>
    added.length + removed.length + changed.length;
  return diffs.toSorted((a, b) => size(b) - size(a))[0];
}

function sbomEvidence(
  sbom: Sbom,
  accepted: Accepted,
  { uncompared }: SbomDifference,
  real: Sbom,
): readonly [string, ...string[]] {
  const gaps =
    real.unknowns.length === 0 ? [] : [`${real.unknowns.length} parts of the image cannot be read`];
  const others = uncompared.length === 0 ? [] : [`not compared: ${listText(uncompared)}`];
  return [
    `${countText(sbom.packages.length, 'package')}, written by ${sbom.tool.name}, the same as in the image`,
    signedText(accepted),
    ...others,
    ...gaps,
  ];
}

function listText(list: readonly string[]): string {
  const more = list.length > SHOWN_MAX ? ` and ${list.length - SHOWN_MAX} more` : '';
  return `${list.slice(0, SHOWN_MAX).join(', ')}${more}`;
}

const differenceText = ({ missing, extra }: SbomDifference): string =>
  `${countText(missing.length, 'package')} missing from it, ${extra.length} that are not in the image`;

function differenceLines({ missing, extra }: SbomDifference): string[] {
  return [
    ...(missing.length === 0 ? [] : [`not in the SBOM: ${listText(missing)}`]),
    ...(extra.length === 0 ? [] : [`not in the image: ${listText(extra)}`]),
  ];
}

export interface ScanDemand {
  readonly severity: Severity;
  readonly scanAgeDays: number;
  readonly allowSampleDatabase: boolean;
  readonly nowMs: number;
}

interface AttestedScan {
  readonly accepted: Accepted;
  readonly finishedMs: number;
  readonly counts: ReadonlyMap<Severity, number>;
  /** Findings at or above the threshold. */
  readonly bad: readonly string[];
  readonly isSample: boolean;
}

/** The newest attested scan, judged by age and findings. Throws WB-937, WB-938, WB-939. */
export function passingScan(attested: readonly Accepted[], demand: ScanDemand): Found {
  const read = attested.map((accepted) => attempt(() => readScan(accepted, demand.severity)));
  const scans = read.flatMap((one) => (one.ok ? [one.value] : []));
  const [newest] = scans.toSorted((a, b) => b.finishedMs - a.finishedMs);
  if (newest === undefined) {
    const [first] = read;
    if (first?.ok === false) throw new WaybillError(first.error);
    throw fail(R.scanForm, { expected: 'an attested scan', actual: 'none' });
  }
  const at = new Date(newest.finishedMs).toISOString();
  const shown = [...newest.counts].map(([severity, count]) => `${count} ${severity}`).join(', ') || 'none';
  const evidence: [string, ...string[]] = [`scanned ${at}, findings: ${shown}`, signedText(newest.accepted)];
  const refuse = (why: WaybillError): CheckFailure => new CheckFailure(why, evidence);
  const age = demand.nowMs - newest.finishedMs;
  if (age > demand.scanAgeDays * DAY_MS || age < -SKEW_MS) {
    const expected = `a scan of the last ${demand.scanAgeDays} days`;
    throw refuse(fail(R.scanOld, { expected, actual: `one of ${at}` }));
  }
  if (newest.isSample && !demand.allowSampleDatabase) {
    const actual = 'the sample that comes with waybill';
    throw refuse(fail(R.scanForm, { expected: 'a scan with a real database', actual }));
  }
  if (newest.bad.length > 0) {
    const expected = `nothing ${demand.severity} or worse`;
    throw refuse(fail(R.scanFindings, { expected, actual: listText(newest.bad) }));
  }
  if (newest.isSample) evidence.push('with SAMPLE advisories only');
  return { evidence, value: undefined, accepted: [newest.accepted] };
}

const field = (value: JsonValue | undefined, ...path: readonly string[]): JsonValue | undefined =>
  path.reduce<JsonValue | undefined>((at, name) => (isJsonObject(at) ? own(at, name) : undefined), value);
const list = (value: JsonValue | undefined): readonly JsonValue[] => (Array.isArray(value) ? value : []);

/** cosign's vulnerability predicate around a report in Trivy's form (schema 2), which waybill writes too. */
function readScan(accepted: Accepted, threshold: Severity): AttestedScan {
  const predicate = accepted.statement?.predicate;
  const stated = Date.parse(String(field(predicate, 'metadata', 'scanFinishedOn')));
  const result = field(predicate, 'scanner', 'result');
  const isKnown = field(result, 'SchemaVersion') === 2 && Number.isFinite(stated);
  if (!isKnown) {
    const expected = 'scanner.result with SchemaVersion 2, and metadata.scanFinishedOn';
    throw fail(R.scanForm, { expected, actual: 'another form' });
  }
  const counts = new Map<Severity, number>();
  const bad: string[] = [];
  for (const target of list(field(result, 'Results'))) {
    for (const one of list(field(target, 'Vulnerabilities'))) {
      const word = String(field(one, 'Severity')).toLowerCase();
      const severity = severities.find((candidate) => candidate === word) ?? 'unknown';
      counts.set(severity, (counts.get(severity) ?? 0) + 1);
      if (severityRank(severity) < severityRank(threshold)) continue;
      bad.push(`${String(field(one, 'VulnerabilityID'))} in ${String(field(one, 'PkgName'))} (${severity})`);
    }
  }
  const isSample = field(result, 'waybill', 'database', 'isSampleOnly') === true;
  // A scan cannot have ended after it was signed: trusted times bound what the report says of itself.
  const bounds = accepted.times.map(({ at }) => at + SKEW_MS);
  const finishedMs = Math.min(stated, ...bounds);
  return { accepted, finishedMs, counts, bad, isSample };
}

/** What is known today about the attested SBOM. Throws the first reason of the gate. */
export function rescan({ sbom }: CurrentSbom, database: AdvisoryDatabase, demand: ScanDemand): string {
  const result = matchPackages(sbom, database);
  const options = { failOn: demand.severity, allowSampleDb: demand.allowSampleDatabase };
  const [why] = judge(result, options);
  if (why !== undefined) throw new WaybillError(why);
  return `scanned again with ${database.info.records} advisories: nothing ${demand.severity} or worse`;
}
