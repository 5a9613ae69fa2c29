/** `match:` and `exclude:` of a Kyverno rule. */
import { type Fields, required, type YamlNode } from '../document.ts';
import type { FilterSet, LabelExpression, LabelSelector, ResourceFilter, SubjectFilter } from '../ir.ts';
import { R } from '../reasons.ts';

const filterFields = ['resources', 'subjects', 'roles', 'clusterRoles'];
const resourceFields = [
  'kinds',
  'name',
  'names',
  'namespaces',
  'annotations',
  'selector',
  'namespaceSelector',
  'operations',
];

/** A rule on Pods alone holds for the templates of their controllers too (`autogen`). */
export function readMatch(node: YamlNode, autogen: readonly string[]): FilterSet {
  const set = readSet(node);
  for (const [i, filter] of set.filters.entries()) {
    if (filter.kinds.length === 0) {
      throw node.refusal(R.missing, 'kinds in every resource filter of match', `none in filter ${i}`);
    }
  }
  const isPlainPod = set.filters.every(
    (filter) =>
      filter.kinds.every((kind) => kind === 'Pod' || kind === 'v1/Pod') &&
      filter.names.length === 0 &&
      filter.selector === undefined &&
      Object.keys(filter.annotations).length === 0,
  );
  if (!isPlainPod) return set;
  return {
    ...set,
    filters: set.filters.map((filter) => ({ ...filter, kinds: [...filter.kinds, ...autogen] })),
  };
}

export function readExclude(node: YamlNode): FilterSet {
  return readSet(node);
}

function readSet(node: YamlNode): FilterSet {
  const fields = node.fields(['any', 'all', ...filterFields]);
  const modes = ['any', 'all', 'direct'].filter((mode) =>
    mode === 'direct' ? filterFields.some((name) => fields.has(name)) : fields.has(mode),
  );
  if (modes.length !== 1) throw node.refusal(R.value, 'one of any and all', modes.join(' and ') || 'neither');
  if (modes[0] === 'direct') return { mode: 'all', filters: [readFilter(node, fields)] };
  const mode = modes[0] as 'any' | 'all';
  const list = fields.get(mode) as YamlNode;
  const filters = list.items().map((item) => readFilter(item, item.fields(filterFields)));
  if (filters.length === 0) throw list.refusal(R.empty, 'at least one filter', 'an empty list');
  return { mode, filters };
}

function readFilter(node: YamlNode, fields: Fields): ResourceFilter {
  for (const name of ['roles', 'clusterRoles']) {
    const found = fields.get(name);
    if (found !== undefined) throw found.refusal(R.unsupported, 'subjects or resources', name);
  }
  const resources = fields.get('resources');
  const inner = resources?.fields(resourceFields) ?? new Map<string, YamlNode>();
  const texts = (name: string): string[] => inner.get(name)?.texts() ?? [];
  const selector = inner.get('selector');
  const namespaceSelector = inner.get('namespaceSelector');
  const filter: ResourceFilter = {
    kinds: texts('kinds'),
    names: [...texts('names'), ...(inner.has('name') ? [inner.get('name')?.text() ?? ''] : [])],
    namespaces: texts('namespaces'),
    operations:
      inner
        .get('operations')
        ?.items()
        .map((item) => item.oneOf(['CREATE', 'UPDATE', 'CONNECT', 'DELETE'])) ?? [],
    annotations: inner.get('annotations')?.stringMap() ?? {},
    subjects: fields.get('subjects')?.items().map(readSubject) ?? [],
    ...(selector === undefined ? {} : { selector: readSelector(selector) }),
    ...(namespaceSelector === undefined ? {} : { namespaceSelector: readSelector(namespaceSelector) }),
  };
  const isEmpty = Object.values(filter).every((part) =>
    Array.isArray(part) ? part.length === 0 : Object.keys(part as object).length === 0,
  );
  if (isEmpty) throw node.refusal(R.empty, 'a filter that names something', 'an empty filter');
  return filter;
}

function readSubject(node: YamlNode): SubjectFilter {
  const fields = node.fields(['kind', 'name', 'namespace', 'apiGroup']);
  const namespace = fields.get('namespace')?.text();
  return {
    kind: required(node, fields, 'kind').oneOf(['User', 'Group', 'ServiceAccount']),
    name: required(node, fields, 'name').nonEmptyText(),
    ...(namespace === undefined ? {} : { namespace }),
  };
}

export function readSelector(node: YamlNode): LabelSelector {
  const fields = node.fields(['matchLabels', 'matchExpressions']);
  return {
    matchLabels: fields.get('matchLabels')?.stringMap() ?? {},
    matchExpressions: fields.get('matchExpressions')?.items().map(readExpression) ?? [],
  };
}

function readExpression(node: YamlNode): LabelExpression {
  const fields = node.fields(['key', 'operator', 'values']);
  return {
    key: required(node, fields, 'key').nonEmptyText(),
    operator: required(node, fields, 'operator').oneOf(['In', 'NotIn', 'Exists', 'DoesNotExist']),
    values: fields.get('values')?.texts() ?? [],
  };
}
