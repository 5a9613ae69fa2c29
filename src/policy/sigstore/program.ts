/** `policy:` blocks of a ClusterImagePolicy. */
import { attempt } from '#base/result';
import { type CelProgram, compileCel } from '../condition/cel.ts';
import { required, type YamlNode } from '../document.ts';
import { R } from '../reasons.ts';

/** A policy block: CEL here; cue and rego have no maintained engine for this runtime and are refused by name. */
export function readProgram(
  node: YamlNode,
  variables: readonly string[],
  flags: readonly string[] = [],
): CelProgram {
  const fields = node.fields([
    'type',
    'data',
    'configMapRef',
    'remote',
    'fetchConfigFile',
    'includeSpec',
    'includeObjectMeta',
    'includeTypeMeta',
  ]);
  const type = required(node, fields, 'type');
  if (type.oneOf(['cel', 'cue', 'rego']) !== 'cel') {
    throw type.refusal(R.unsupported, 'type cel', type.text(), 'write the check as a CEL expression');
  }
  for (const name of ['configMapRef', 'remote', 'fetchConfigFile', 'includeTypeMeta']) {
    const found = fields.get(name);
    if (found !== undefined) throw found.refusal(R.unsupported, 'the expression in data', name);
  }
  for (const name of ['includeSpec', 'includeObjectMeta']) {
    const found = fields.get(name);
    if (found !== undefined && !flags.includes(name))
      throw found.refusal(R.value, 'this flag at spec.policy', name);
    found?.flag();
  }
  const data = required(node, fields, 'data');
  const compiled = attempt(() => compileCel(data.nonEmptyText(), variables));
  if (compiled.ok) return compiled.value;
  throw data.refusal(R.expression, compiled.error.expected, compiled.error.actual);
}
