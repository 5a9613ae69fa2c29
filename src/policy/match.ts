/**
 * Which checks of a policy set apply to an image of an object. What cannot be known (the labels of a
 * namespace nobody looked up) never takes an object out of a rule.
 */
import type { Json } from './document.ts';
import { globMatch } from './image/glob.ts';
import { kyvernoSpellings, kyvernoText, parseImageName } from './image/name.ts';
import { wildcardMatch } from './image/wildcard.ts';
import type {
  FilterSet,
  ImageCheck,
  ImagePattern,
  LabelSelector,
  Policy,
  PolicySet,
  ResourceFilter,
  ResourceSelector,
  Rule,
  SigstoreMatch,
  SubjectFilter,
} from './ir.ts';

/** The part of an AdmissionReview request that policies may look at. */
export interface AdmissionRequest {
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
  /** Plural, lower case; empty when not known. */
  readonly resource: string;
  /** Empty for objects made by generateName. */
  readonly name: string;
  /** Empty for cluster-scoped objects. */
  readonly namespace: string;
  readonly operation: string;
  readonly user: { readonly username: string; readonly groups: readonly string[] };
  readonly object: Json;
  /** Absent when nobody looked them up. */
  readonly namespaceLabels?: Readonly<Record<string, string>>;
}

export interface MatchedCheck {
  readonly policy: Policy;
  readonly rule: Rule;
  readonly check: ImageCheck;
}

/** The checks that apply to `image` (as written) in this request, in the order of the policies. */
export function matchingChecks(set: PolicySet, request: AdmissionRequest, image: string): MatchedCheck[] {
  const out: MatchedCheck[] = [];
  for (const policy of set.policies) {
    if (policy.namespace !== undefined && policy.namespace !== request.namespace) continue;
    for (const rule of policy.rules) {
      if (!selects(rule.selects, request)) continue;
      for (const check of rule.checks) {
        if (imageMatches(check, image)) out.push({ policy, rule, check });
      }
    }
  }
  return out;
}

/** An image that does not parse matches every check, which then refuses it. */
function imageMatches(check: ImageCheck, image: string): boolean {
  const name = parseImageName(image);
  if (!name.ok) return true;
  const spellings = kyvernoSpellings(name.value);
  const canonical = kyvernoText(name.value);
  const applies = check.images.some((pattern) => patternMatches(pattern, image, spellings));
  return applies && !check.skipped.some((pattern) => patternMatches(pattern, image, [canonical]));
}

function patternMatches(pattern: ImagePattern, image: string, spellings: readonly string[]): boolean {
  if (pattern.dialect === 'kyverno') return spellings.some((text) => wildcardMatch(pattern.text, text));
  const tagged = image.replace(/@.*$/, '');
  const texts = tagged !== image && /:[^/]*$/.test(tagged) ? [image, tagged] : [image];
  return texts.some((text) => {
    const matched = globMatch(pattern.text, text);
    return !matched.ok || matched.value;
  });
}

function selects(selector: ResourceSelector, request: AdmissionRequest): boolean {
  if (selector.kind === 'kyverno') {
    if (!setMatches(selector.match, request, true)) return false;
    return selector.exclude === undefined || !setMatches(selector.exclude, request, false);
  }
  return selector.match.length === 0 || selector.match.some((entry) => sigstoreMatches(entry, request));
}

function setMatches(set: FilterSet, request: AdmissionRequest, whenUnknown: boolean): boolean {
  const judge = (filter: ResourceFilter): boolean => filterMatches(filter, request, whenUnknown);
  return set.mode === 'any' ? set.filters.some(judge) : set.filters.every(judge);
}

type JsonMap = { [name: string]: Json };
const mapOf = (value: Json | undefined): JsonMap =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};

const metadataOf = (object: Json): JsonMap => mapOf(mapOf(object)['metadata']);

function textsOf(value: Json | undefined): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, item] of Object.entries(mapOf(value))) if (typeof item === 'string') out[name] = item;
  return out;
}

function filterMatches(filter: ResourceFilter, request: AdmissionRequest, whenUnknown: boolean): boolean {
  const metadata = metadataOf(request.object);
  const any = (patterns: readonly string[], text: string): boolean =>
    patterns.length === 0 || patterns.some((pattern) => wildcardMatch(pattern, text));
  if (filter.kinds.length > 0 && !filter.kinds.some((kind) => kindMatches(kind, request))) return false;
  if (!any(filter.names, request.name) || !any(filter.namespaces, request.namespace)) return false;
  if (filter.operations.length > 0 && !filter.operations.includes(request.operation)) return false;
  const annotations = textsOf(metadata['annotations']);
  if (!labelsMatch(filter.annotations, annotations)) return false;
  if (filter.selector !== undefined && !selectorMatches(filter.selector, textsOf(metadata['labels']))) {
    return false;
  }
  if (filter.namespaceSelector !== undefined) {
    const labels = namespaceLabels(filter.namespaceSelector, request);
    if (labels === undefined ? !whenUnknown : !selectorMatches(filter.namespaceSelector, labels))
      return false;
  }
  return filter.subjects.length === 0 || filter.subjects.some((subject) => isSubject(subject, request));
}

/** The name label is set by the API server and therefore known without asking. */
function namespaceLabels(
  selector: LabelSelector,
  request: AdmissionRequest,
): Readonly<Record<string, string>> | undefined {
  const known = { 'kubernetes.io/metadata.name': request.namespace };
  if (request.namespaceLabels !== undefined) return { ...request.namespaceLabels, ...known };
  const keys = [...Object.keys(selector.matchLabels), ...selector.matchExpressions.map(({ key }) => key)];
  return keys.every((key) => key in known) ? known : undefined;
}

/** `Pod`, `v1/Pod`, `apps/v1/Deployment`, `apps` with any version, each with an optional sub-resource. */
function kindMatches(pattern: string, request: AdmissionRequest): boolean {
  const { group, version, kind } = request.kind;
  const parts = pattern.split('/');
  if (parts.length > 1 && /^[a-z]+$/.test(parts.at(-1) as string)) parts.pop();
  const wanted = parts.pop() as string;
  const wantedVersion = parts.pop() ?? '*';
  const wantedGroup = parts.pop() ?? '*';
  return (
    wildcardMatch(wanted, kind) && wildcardMatch(wantedVersion, version) && wildcardMatch(wantedGroup, group)
  );
}

function labelsMatch(wanted: Readonly<Record<string, string>>, actual: Record<string, string>): boolean {
  return Object.entries(wanted).every(([key, value]) =>
    Object.entries(actual).some(([name, text]) => wildcardMatch(key, name) && wildcardMatch(value, text)),
  );
}

function selectorMatches(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  if (!labelsMatch(selector.matchLabels, labels)) return false;
  return selector.matchExpressions.every(({ key, operator, values }) => {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
    if (operator === 'Exists') return value !== undefined;
    if (operator === 'DoesNotExist') return value === undefined;
    const isIn = value !== undefined && values.includes(value);
    return operator === 'In' ? isIn : !isIn;
  });
}

function isSubject(subject: SubjectFilter, request: AdmissionRequest): boolean {
  const { username, groups } = request.user;
  if (subject.kind === 'User') return subject.name === username;
  if (subject.kind === 'Group') return groups.includes(subject.name);
  return username === `system:serviceaccount:${subject.namespace ?? ''}:${subject.name}`;
}

function sigstoreMatches(entry: SigstoreMatch, request: AdmissionRequest): boolean {
  const resource = request.resource === '' ? `${request.kind.kind.toLowerCase()}s` : request.resource;
  if (entry.resource !== '*' && entry.resource !== resource) return false;
  if (entry.group !== '*' && entry.resource !== '*' && entry.group !== request.kind.group) return false;
  if (entry.version !== '*' && entry.version !== '' && entry.version !== request.kind.version) return false;
  const labels = textsOf(metadataOf(request.object)['labels']);
  return entry.selector === undefined || selectorMatches(entry.selector, labels);
}
