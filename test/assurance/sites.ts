/** Finds the checks of a source file and says, for each, how to take it away. */
import { parseSync } from 'oxc-parser';

export interface Change {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

export interface SourceMutant extends Change {
  readonly file: string;
  readonly line: number;
  /** The function the check stands in. */
  readonly where: string;
  /** What is done to it. */
  readonly how: string;
  /** The check as it stands, on one line. */
  readonly what: string;
  /** Names the mutant as long as the check reads the same: file, function, change, text, count of repeats. */
  readonly key: string;
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

/** Calls whose arguments are words for people: a change there changes no verdict. */
const wordy =
  /^(?:reason|fail|malformed|unexpected|refuse|refused|differs|wrongKind|wrong|fault|outside|tooMany|needsMore|invalid|note)$/;
/** Variables that hold such words. */
const wordyNames =
  /^(?:expected|actual|details?|named|aside|shown|who|why|what|cause|summary|until|unknown|isWeak)$/;
/** Functions that only make words. */
const wordyFunctions =
  /^(?:shown|artifactText|windowDetail|timeText|tagText|outOfLife|noTime|logEvidence|issuedEvidence|signatureEvidence|subjectText|describe\w*|fingerprint)$/;

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';
}

function childrenOf(node: Node): Node[] {
  return Object.entries(node).flatMap(([key, value]) => {
    if (key === 'parent' || key === 'typeAnnotation' || key === 'typeArguments' || key === 'returnType')
      return [];
    return (Array.isArray(value) ? value : [value]).filter(isNode);
  });
}

function nameOf(node: unknown): string {
  if (!isNode(node)) return '';
  if (node.type === 'Identifier' || node.type === 'PrivateIdentifier') return String(node['name']);
  return node.type === 'MemberExpression' ? nameOf(node['property']) : '';
}

const values = new Set(['TSAsExpression', 'TSNonNullExpression', 'TSSatisfiesExpression']);
const functions = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression']);

/** All changes of one file, in order of the source. `only`: names of the functions to look into. */
export function mutantsOf(file: string, text: string, only?: RegExp): SourceMutant[] {
  const found: Omit<SourceMutant, 'key'>[] = [];
  const visit = (node: Node, where: string): void => {
    if (node.type.startsWith('TS') && !values.has(node.type)) return;
    if (node.type === 'ImportDeclaration') return;
    const here = scopeOf(node, where);
    if (wordyFunctions.test(here)) return;
    if (only === undefined || only.test(here)) {
      for (const { how, ...change } of changesOf(node, text)) {
        const line = text.slice(0, change.start).split('\n').length;
        const what = text.slice(node.start, node.end).replace(/\s+/g, ' ').slice(0, 160);
        found.push({ file, where: here, how, what, line, ...change });
      }
    }
    for (const child of childrenOf(node)) if (!isWordy(node, child)) visit(child, here);
  };
  visit(parseSync(file, text).program as unknown as Node, '');
  const repeats = new Map<string, number>();
  return found
    .sort((a, b) => a.start - b.start || a.end - b.end)
    .map((mutant) => {
      const key = `${file} ${mutant.where}: ${mutant.how}: ${mutant.what}`;
      const count = (repeats.get(key) ?? 0) + 1;
      repeats.set(key, count);
      return { ...mutant, key: count === 1 ? key : `${key} (${count})` };
    });
}

function scopeOf(node: Node, where: string): string {
  if (node.type === 'FunctionDeclaration') return nameOf(node['id']);
  if (node.type === 'MethodDefinition') return nameOf(node['key']);
  const { init, value } = node as { init?: unknown; value?: unknown };
  if (node.type === 'VariableDeclarator' && where === '') return nameOf(node['id']);
  if (node.type === 'VariableDeclarator' && isNode(init) && functions.has(init.type))
    return nameOf(node['id']);
  if (node.type === 'Property' && isNode(value) && functions.has(value.type)) return nameOf(node['key']);
  return where;
}

function isWordy(node: Node, child: Node): boolean {
  if (node.type === 'CallExpression') return child !== node['callee'] && wordy.test(nameOf(node['callee']));
  if (node.type === 'VariableDeclarator') return wordyNames.test(nameOf(node['id']));
  return node.type === 'Property' && wordyNames.test(nameOf(node['key']));
}

/** The one change that is to a statement, not to an expression. */
export const NOT_CALLED = 'not called';

type Named = Change & { readonly how: string };

/** Relational operators with what makes each a little stricter or laxer on either side. */
const relational: Readonly<Record<string, { readonly other: string; readonly shift: string }>> = {
  '<': { other: '<=', shift: '- 1' },
  '<=': { other: '<', shift: '+ 1' },
  '>': { other: '>=', shift: '+ 1' },
  '>=': { other: '>', shift: '- 1' },
};
const equality: Readonly<Record<string, string>> = { '===': '!==', '!==': '===' };

function changesOf(node: Node, text: string): Named[] {
  const source = (part: unknown): string => (isNode(part) ? text.slice(part.start, part.end) : '');
  const whole = (how: string, replacement: string): Named => ({
    start: node.start,
    end: node.end,
    text: replacement,
    how,
  });
  switch (node.type) {
    case 'IfStatement':
    case 'ConditionalExpression':
      return decisions(node['test'] as Node);
    case 'LogicalExpression':
      if (node['operator'] === '??') return [];
      return [
        whole('only the left', source(node['left'])),
        whole('only the right', `(${source(node['right'])})`),
      ];
    case 'BinaryExpression':
      return comparisons(node, source, whole);
    case 'UnaryExpression':
      return node['operator'] === '!' ? [whole('without the not', source(node['argument']))] : [];
    case 'CallExpression':
      return quantifiers(node, text, whole);
    case 'ExpressionStatement': {
      const expression = node['expression'] as Node;
      const isCall = expression.type === 'CallExpression' && (expression['callee'] as Node).type !== 'Super';
      return isCall ? [whole(NOT_CALLED, ';')] : [];
    }
    case 'Literal':
      return anchors(node, whole);
    default:
      return [];
  }
}

function decisions(test: Node): Named[] {
  const { start, end } = test;
  return [
    { start, end, text: 'false', how: 'never' },
    { start, end, text: 'true', how: 'always' },
  ];
}

function comparisons(
  node: Node,
  source: (part: unknown) => string,
  whole: (how: string, replacement: string) => Named,
): Named[] {
  const operator = node['operator'] as string;
  const [left, right] = [source(node['left']), source(node['right'])];
  const unequal = equality[operator];
  if (unequal !== undefined) return [whole(`${operator} as ${unequal}`, `${left} ${unequal} ${right}`)];
  const change = relational[operator];
  if (change === undefined) return [];
  return [
    whole(`${operator} as ${change.other}`, `${left} ${change.other} ${right}`),
    whole(`bound ${change.shift}`, `${left} ${operator} (${right}) ${change.shift}`),
  ];
}

const quantifier: ReadonlyMap<string, string> = new Map([
  ['every', 'some'],
  ['some', 'every'],
]);

function quantifiers(node: Node, text: string, whole: (how: string, replacement: string) => Named): Named[] {
  const callee = node['callee'] as Node;
  const property = callee.type === 'MemberExpression' ? (callee['property'] as Node) : undefined;
  const other = property === undefined ? undefined : quantifier.get(nameOf(property));
  if (property === undefined || other === undefined) return [];
  const changed = text.slice(node.start, property.start) + other + text.slice(property.end, node.end);
  return [whole(`${nameOf(property)} as ${other}`, changed)];
}

function anchors(node: Node, whole: (how: string, replacement: string) => Named): Named[] {
  const regex = node['regex'] as { pattern: string; flags: string } | undefined;
  if (regex === undefined) return [];
  const literal = (pattern: string): string => `/${pattern}/${regex.flags}`;
  return [
    ...(regex.pattern.startsWith('^') ? [whole('no start anchor', literal(regex.pattern.slice(1)))] : []),
    ...(/[^\\]\$$/.test(regex.pattern) ? [whole('no end anchor', literal(regex.pattern.slice(0, -1)))] : []),
  ];
}

export function apply(text: string, change: Change): string {
  return text.slice(0, change.start) + change.text + text.slice(change.end);
}

/** Bodies of loops that could turn endless. */
export function loopBodies(file: string, text: string): { readonly start: number; readonly end: number }[] {
  const found: { start: number; end: number }[] = [];
  const visit = (node: Node): void => {
    if (/^(?:For|While|DoWhile)Statement$/.test(node.type)) {
      const { start, end } = node['body'] as Node;
      found.push({ start, end });
    }
    for (const child of childrenOf(node)) visit(child);
  };
  visit(parseSync(file, text).program as unknown as Node);
  return found;
}
