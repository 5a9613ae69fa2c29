/** Names of tests as they are written: the first argument of `test(…)`, and every other text of the file. */
import { readFileSync } from 'node:fs';
import { parseSync } from 'oxc-parser';

export interface TestNames {
  /** Texts as written; of a template with its placeholders, `${name} is refused`. */
  readonly tests: ReadonlySet<string>;
  /** Every string and key of the file, where the rows of its tables have their names. */
  readonly texts: ReadonlySet<string>;
}

interface Node {
  readonly type: string;
  readonly [field: string]: unknown;
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';

function* nodesOf(node: Node): Generator<Node> {
  yield node;
  for (const value of Object.values(node)) {
    for (const one of Array.isArray(value) ? value : [value]) if (isNode(one)) yield* nodesOf(one);
  }
}

/** Throws for a file that is not there or does not parse. */
export function testNames(file: string): TestNames {
  const source = readFileSync(file, 'utf8');
  const { program, errors } = parseSync(file, source);
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`);
  const tests = new Set<string>();
  const texts = new Set<string>();
  const textOf = (node: Node): string | undefined => {
    if (node.type === 'Literal' && typeof node['value'] === 'string') return node['value'];
    if (node.type !== 'TemplateLiteral') return undefined;
    const [start, end] = [node['start'] as number, node['end'] as number];
    return source.slice(start + 1, end - 1);
  };
  for (const node of nodesOf(program as unknown as Node)) {
    const text = textOf(node);
    if (text !== undefined) texts.add(text);
    if (node.type === 'Property' && isNode(node['key']) && node['key'].type === 'Identifier') {
      texts.add(String(node['key']['name']));
    }
    if (node.type !== 'CallExpression') continue;
    const callee = node['callee'] as Node;
    const [first] = node['arguments'] as readonly Node[];
    const name = first === undefined ? undefined : textOf(first);
    if (callee.type === 'Identifier' && callee['name'] === 'test' && name !== undefined) tests.add(name);
  }
  return { tests, texts };
}
