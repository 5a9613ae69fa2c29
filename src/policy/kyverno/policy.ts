/** `kyverno.io/v1` ClusterPolicy and Policy with verifyImages rules. */
import { isNonEmpty } from '#base/result';
import { type Fields, required, type YamlNode } from '../document.ts';
import type { ImageCheck, Mode, Policy, Rule } from '../ir.ts';
import { R } from '../reasons.ts';
import { readExclude, readMatch } from './match.ts';
import { readMode, readVerifyImages } from './verify-images.ts';

const specFields = [
  'rules',
  'applyRules',
  'failurePolicy',
  'validationFailureAction',
  'validationFailureActionOverrides',
  'emitWarning',
  'admission',
  'background',
  'webhookTimeoutSeconds',
  'webhookConfiguration',
  'mutateExistingOnPolicyUpdate',
  'generateExisting',
  'generateExistingOnPolicyUpdate',
  'schemaValidation',
  'useServerSideApply',
];
const ruleFields = [
  'name',
  'context',
  'match',
  'exclude',
  'imageExtractors',
  'preconditions',
  'celPreconditions',
  'mutate',
  'validate',
  'generate',
  'verifyImages',
  'reportProperties',
  'skipBackgroundRequests',
];
const AUTOGEN = 'pod-policies.kyverno.io/autogen-controllers';
const controllers = [
  'DaemonSet',
  'Deployment',
  'Job',
  'StatefulSet',
  'ReplicaSet',
  'ReplicationController',
  'CronJob',
];

export function readKyvernoPolicy(document: YamlNode): Policy {
  const top = document.fields(['apiVersion', 'kind', 'metadata', 'spec', 'status']);
  const kind = required(document, top, 'kind').oneOf(['ClusterPolicy', 'Policy']);
  const metadata = required(document, top, 'metadata');
  const metadataFields = metadata.anyFields();
  const name = required(metadata, metadataFields, 'name').nonEmptyText();
  const namespace = kind === 'Policy' ? (metadataFields.get('namespace')?.text() ?? 'default') : undefined;
  const spec = required(document, top, 'spec');
  const fields = spec.fields(specFields);
  checkSpec(fields);
  const mode = readMode(fields.get('validationFailureAction')) ?? 'audit';
  const autogen = autogenKinds(metadataFields.get('annotations'));
  const rules = required(spec, fields, 'rules')
    .items()
    .map((rule) => readRule(rule, mode, autogen));
  if (!isNonEmpty(rules)) throw spec.refusal(R.empty, 'at least one rule', 'none');
  const names = new Set<string>();
  for (const [i, rule] of rules.entries()) {
    if (names.has(rule.name)) {
      const at = (required(spec, fields, 'rules').items()[i] as YamlNode).anyFields().get('name') as YamlNode;
      throw at.refusal(R.duplicate, 'rule names that differ', rule.name);
    }
    names.add(rule.name);
  }
  return {
    dialect: 'kyverno',
    name,
    ...(namespace === undefined ? {} : { namespace }),
    position: document.position,
    rules,
    source: document.json(),
  };
}

function checkSpec(fields: Fields): void {
  const overrides = fields.get('validationFailureActionOverrides');
  if (overrides !== undefined) {
    throw overrides.refusal(R.unsupported, 'one failure action per rule', 'overrides by namespace');
  }
  const apply = fields.get('applyRules');
  if (apply !== undefined && apply.oneOf(['All', 'One']) === 'One') {
    throw apply.refusal(R.unsupported, 'applyRules: All', 'One');
  }
  const admission = fields.get('admission');
  if (admission !== undefined && !admission.flag()) {
    throw admission.refusal(R.unsupported, 'admission: true', 'false');
  }
  fields.get('failurePolicy')?.oneOf(['Fail', 'Ignore']);
  fields.get('webhookTimeoutSeconds')?.integer(1, 30);
  const webhook = fields.get('webhookConfiguration');
  const webhookFields = webhook?.fields(['failurePolicy', 'timeoutSeconds', 'matchConditions']);
  webhookFields?.get('failurePolicy')?.oneOf(['Fail', 'Ignore']);
  webhookFields?.get('timeoutSeconds')?.integer(1, 30);
  const conditions = webhookFields?.get('matchConditions');
  if (conditions !== undefined) {
    throw conditions.refusal(R.unsupported, 'match and exclude of the rules', 'matchConditions');
  }
}

function autogenKinds(annotations: YamlNode | undefined): string[] {
  const node = annotations?.anyFields().get(AUTOGEN);
  if (node === undefined) return controllers;
  const wanted = node
    .text()
    .split(',')
    .map((kind) => kind.trim());
  const unknown = wanted.find((kind) => kind !== 'none' && kind !== 'all' && !controllers.includes(kind));
  if (unknown !== undefined) throw node.refusal(R.value, `none, all or ${controllers.join(', ')}`, unknown);
  if (wanted.includes('none')) return [];
  return wanted.includes('all') ? controllers : wanted;
}

function readRule(node: YamlNode, mode: Mode, autogen: readonly string[]): Rule {
  const fields = node.fields(ruleFields);
  const name = required(node, fields, 'name').nonEmptyText();
  const other = [
    'mutate',
    'validate',
    'generate',
    'context',
    'imageExtractors',
    'preconditions',
    'celPreconditions',
  ];
  for (const field of other) {
    const found = fields.get(field);
    if (found !== undefined)
      throw found.refusal(R.unsupported, 'rules of match, exclude, verifyImages', field);
  }
  const entries = required(node, fields, 'verifyImages');
  const checks: ImageCheck[] = entries
    .items()
    .map((entry, i) => readVerifyImages(entry, `verifyImages[${i}]`, mode));
  if (!isNonEmpty(checks)) throw entries.refusal(R.empty, 'at least one entry', 'an empty list');
  const match = readMatch(required(node, fields, 'match'), autogen);
  const exclude = fields.get('exclude');
  return {
    name,
    selects: {
      kind: 'kyverno',
      match,
      ...(exclude === undefined ? {} : { exclude: readExclude(exclude) }),
    },
    checks,
  };
}
