/** `policy.sigstore.dev` ClusterImagePolicy, v1beta1 and v1alpha1. */
import { isNonEmpty, type NonEmpty } from '#base/result';
import type { CelProgram } from '../condition/cel.ts';
import { type Fields, required, type YamlNode } from '../document.ts';
import { checkGlob } from '../image/glob.ts';
import type { Demand, ImageCheck, ImagePattern, Mode, Policy, SigstoreMatch } from '../ir.ts';
import { readSelector } from '../kyverno/match.ts';
import { R } from '../reasons.ts';
import { readAuthority } from './authority.ts';
import { readProgram } from './program.ts';

const resources = [
  'pods',
  'replicasets',
  'deployments',
  'statefulsets',
  'daemonsets',
  'jobs',
  'cronjobs',
  'replicationcontrollers',
] as const;

/** Variables of a policy over everything the authorities found. */
const overallVariables = ['authorityMatches', 'spec', 'metadata', 'image'] as const;

export function readClusterImagePolicy(document: YamlNode): Policy {
  const top = document.fields(['apiVersion', 'kind', 'metadata', 'spec', 'status']);
  required(document, top, 'kind').oneOf(['ClusterImagePolicy']);
  const metadata = required(document, top, 'metadata');
  const name = required(metadata, metadata.anyFields(), 'name').nonEmptyText();
  const spec = required(document, top, 'spec');
  const fields = spec.fields(['images', 'authorities', 'mode', 'match', 'policy']);
  const check: ImageCheck = {
    path: '',
    mode: readMode(fields.get('mode')),
    images: readImages(required(spec, fields, 'images')),
    skipped: [],
    demand: readAuthorities(spec, fields),
    mutateDigest: true,
    verifyDigest: true,
    ...readOverall(fields.get('policy')),
  };
  return {
    dialect: 'sigstore',
    name,
    position: document.position,
    rules: [{ name, selects: { kind: 'sigstore', match: readMatch(fields.get('match')) }, checks: [check] }],
    source: document.json(),
  };
}

function readMode(node: YamlNode | undefined): Mode {
  if (node === undefined) return 'enforce';
  const mode = node.oneOf(['', 'enforce', 'warn']);
  return mode === 'warn' ? 'audit' : 'enforce';
}

function readImages(node: YamlNode): NonEmpty<ImagePattern> {
  const patterns = node.items().map((item): ImagePattern => {
    const glob = required(item, item.fields(['glob']), 'glob');
    const checked = checkGlob(glob.nonEmptyText());
    if (!checked.ok) throw glob.refusal(R.value, checked.error.expected, checked.error.actual);
    return { dialect: 'sigstore', text: checked.value };
  });
  if (!isNonEmpty(patterns)) throw node.refusal(R.empty, 'at least one image glob', 'an empty list');
  return patterns;
}

/** Any authority suffices. */
function readAuthorities(spec: YamlNode, fields: Fields): Demand {
  const node = required(spec, fields, 'authorities');
  const demands = node.items().map((item, i) => readAuthority(item, i));
  if (!isNonEmpty(demands)) throw node.refusal(R.empty, 'at least one authority', 'an empty list');
  return { kind: 'threshold', need: 1, of: demands, path: 'authorities' };
}

function readMatch(node: YamlNode | undefined): SigstoreMatch[] {
  return (node?.items() ?? []).map((item) => {
    const fields = item.fields(['group', 'version', 'resource', 'selector']);
    const selector = fields.get('selector');
    const resource = fields.get('resource')?.oneOf(resources);
    if (selector !== undefined && resource === undefined) {
      throw selector.refusal(R.missing, 'a resource beside a selector', 'none');
    }
    return {
      group: fields.get('group')?.text() ?? '',
      version: fields.get('version')?.text() ?? '*',
      resource: resource ?? '*',
      ...(selector === undefined ? {} : { selector: readSelector(selector) }),
    };
  });
}

function readOverall(node: YamlNode | undefined): { overall?: CelProgram } {
  if (node === undefined) return {};
  return { overall: readProgram(node, overallVariables, ['includeSpec', 'includeObjectMeta']) };
}
