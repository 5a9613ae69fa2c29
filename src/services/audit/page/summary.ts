/** What a verified statement says, in a line or two. Everything is read leniently: it is shown, never judged. */
import type { Statement } from '#formats/intoto';
import { isJsonObject, type JsonValue, own } from '#formats/json';
import { parseVsa } from '#formats/slsa';
import { readProvenance } from '#provenance';
import { counted, namingOf } from './words.ts';

export function summaryOf(statement: Statement): readonly string[] {
  switch (namingOf(statement.predicateType).topic) {
    case 'provenance':
      return provenanceSummary(statement);
    case 'sbom':
      return sbomSummary(statement.predicate);
    case 'scan':
      return scanSummary(statement.predicate);
    case 'vsa':
      return vsaSummary(statement.predicate);
    default:
      return [];
  }
}

function provenanceSummary(statement: Statement): readonly string[] {
  const provenance = readProvenance(statement);
  if (!provenance.ok) return ['its provenance cannot be read'];
  const { builderId, source, trigger, statedLevel } = provenance.value;
  const from = source ?? trigger;
  return [
    `built by ${builderId}`,
    ...(from === undefined
      ? []
      : [`from ${from.uri}${from.commit === undefined ? '' : ` at ${from.commit}`}`]),
    ...(statedLevel === undefined ? [] : [`the builder states SLSA Build level ${statedLevel}`]),
  ];
}

const list = (value: JsonValue | undefined): readonly JsonValue[] => (Array.isArray(value) ? value : []);
const field = (value: JsonValue | undefined, ...path: readonly string[]): JsonValue | undefined =>
  path.reduce<JsonValue | undefined>((at, key) => (isJsonObject(at) ? own(at, key) : undefined), value);

function sbomSummary(predicate: JsonValue): readonly string[] {
  // Some producers wrap the document once more (`{"Data": …}`).
  const document = isJsonObject(field(predicate, 'Data')) ? field(predicate, 'Data') : predicate;
  const parts = field(document, 'components') ?? field(document, 'packages');
  return Array.isArray(parts) ? [counted(parts.length, 'package')] : [];
}

const severities = ['CRITICAL', 'HIGH', 'MEDIUM', 'LOW', 'NEGLIGIBLE', 'UNKNOWN'] as const;

function scanSummary(predicate: JsonValue): readonly string[] {
  const results = field(predicate, 'scanner', 'result', 'Results');
  if (!Array.isArray(results)) return [];
  const found = list(results).flatMap((result) => list(field(result, 'Vulnerabilities')));
  const finished = field(predicate, 'metadata', 'scanFinishedOn');
  const when =
    typeof finished === 'string' && /^[\dT:.Z+-]{10,40}$/.test(finished) ? finished.slice(0, 10) : undefined;
  const counts = severities.flatMap((severity) => {
    const count = found.filter((one) => field(one, 'Severity') === severity).length;
    return count === 0 ? [] : [`${count} ${severity.toLowerCase()}`];
  });
  return [
    found.length === 0
      ? 'no known vulnerabilities'
      : `${counted(found.length, 'finding')}: ${counts.join(', ')}`,
    ...(when === undefined ? [] : [`scanned ${when}`]),
  ];
}

function vsaSummary(predicate: JsonValue): readonly string[] {
  const vsa = parseVsa(predicate);
  if (!vsa.ok) return ['its summary cannot be read'];
  const { verificationResult, verifiedLevels, verifier, policy } = vsa.value;
  return [
    `${verificationResult === 'PASSED' ? 'passed' : 'FAILED'} at ${verifier.id}`,
    ...(verifiedLevels.length === 0 ? [] : [`levels: ${verifiedLevels.join(', ')}`]),
    ...(policy.uri === undefined ? [] : [`policy ${policy.uri}`]),
  ];
}
