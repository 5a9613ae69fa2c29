/** Kyverno's conditions: blocks of any/all over comparisons, each with its place in the policy. */
import { type Reason, reason } from '#base/reason';
import { attempt } from '#base/result';
import { type Json, type Position, positionText, required, type YamlNode } from '../document.ts';
import { R } from '../reasons.ts';
import type { Surroundings } from './functions.ts';
import { jsonText } from './functions-standard.ts';
import { applyOperator, type Operator, operators } from './operators.ts';
import { compileTemplate, type Template } from './template.ts';

export interface Condition {
  readonly path: string;
  readonly position: Position;
  readonly key: Template;
  readonly operator: Operator;
  readonly value: Template;
  readonly message?: string;
}

export interface ConditionBlock {
  readonly any: readonly Condition[];
  readonly all: readonly Condition[];
}

/** Every block must hold. */
export interface ConditionSet {
  readonly blocks: readonly ConditionBlock[];
}

/** `conditions:` of an attestation: a list of {any, all}. */
export function readConditions(node: YamlNode): ConditionSet {
  const blocks = node.items().map((item) => {
    const fields = item.fields(['any', 'all']);
    const block = { any: readList(fields.get('any')), all: readList(fields.get('all')) };
    if (block.any.length + block.all.length === 0) {
      throw item.refusal(R.empty, 'conditions under any or all', 'none');
    }
    return block;
  });
  if (blocks.length === 0) throw node.refusal(R.empty, 'at least one block of conditions', 'an empty list');
  return { blocks };
}

const readList = (node: YamlNode | undefined): Condition[] =>
  node === undefined ? [] : node.items().map(readCondition);

function readCondition(node: YamlNode): Condition {
  const fields = node.fields(['key', 'operator', 'value', 'message']);
  const key = required(node, fields, 'key');
  const value = required(node, fields, 'value');
  const message = fields.get('message')?.text();
  return {
    path: node.path,
    position: node.position,
    key: compileAt(key),
    operator: required(node, fields, 'operator').oneOf(operators),
    value: compileAt(value),
    ...(message === undefined ? {} : { message }),
  };
}

function compileAt(node: YamlNode): Template {
  const compiled = attempt(() => compileTemplate(node.json()));
  if (compiled.ok) return compiled.value;
  const spec = compiled.error.code === R.unsupported.code ? R.unsupported : R.expression;
  throw node.refusal(spec, compiled.error.expected, compiled.error.actual, compiled.error.hint);
}

/** Undefined when every block holds; otherwise why the first one does not (WB-742, or WB-745 for an error). */
export function failedCondition(
  set: ConditionSet,
  data: Json,
  surroundings: Surroundings,
): Reason | undefined {
  for (const block of set.blocks) {
    for (const condition of block.all) {
      const why = judge(condition, data, surroundings);
      if (why !== undefined) return why;
    }
    if (block.any.length === 0) continue;
    const whys = block.any.map((condition) => judge(condition, data, surroundings));
    // An error in one alternative does not hide another one that holds.
    if (whys.every((why) => why !== undefined)) return whys[0];
  }
  return undefined;
}

function judge(condition: Condition, data: Json, surroundings: Surroundings): Reason | undefined {
  const outcome = attempt(() => ({
    key: condition.key.resolve(data, surroundings),
    value: condition.value.resolve(data, surroundings),
  }));
  const where = positionText(condition.position);
  if (!outcome.ok) return { ...outcome.error, expected: `${outcome.error.expected} (${where})` };
  const { key, value } = outcome.value;
  const origin = { isKeyData: condition.key.isData, isValueData: condition.value.isData };
  if (applyOperator(condition.operator, key, value, origin)) return undefined;
  const shown =
    typeof condition.key.source === 'string' ? condition.key.source : jsonText(condition.key.source);
  return reason(R.condition, {
    expected: `${shown} ${condition.operator} ${jsonText(value)} (${where})`,
    actual: jsonText(key),
    ...(condition.message === undefined ? {} : { hint: condition.message }),
  });
}
