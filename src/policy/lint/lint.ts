/**
 * The linter. It reads whole policies and fragments of them alike, finds what is wrong with each line, and in
 * the end asks the reader itself whether it would take the document.
 */
import { attempt } from '#base/result';
import { type Fields, type Position, readYaml, type YamlNode } from '../document.ts';
import { parsePolicies } from '../parse.ts';
import { commandRules } from './command-rules.ts';
import type { Finding, Place, Rule } from './finding.ts';
import { identityRules } from './identity-rules.ts';
import { policyRules } from './policy-rules.ts';

export interface LintRule {
  readonly code: string;
  readonly title: string;
  readonly fix: string;
}

const yamlRules: readonly Rule[] = [...policyRules, ...identityRules].sort((a, b) =>
  a.code < b.code ? -1 : 1,
);

const readerRules: readonly LintRule[] = [
  { code: 'LNT000', title: 'The text is not YAML.', fix: 'correct the text at the position named' },
  { code: 'LNT099', title: 'The policy is refused by its reader.', fix: 'see the error code in the message' },
];

/** Every rule, by code. */
export const lintRules: readonly LintRule[] = [...readerRules, ...yamlRules, ...commandRules].sort((a, b) =>
  a.code < b.code ? -1 : 1,
);

/** Policies are YAML; scripts and pages are looked at for their command lines only. */
export type LintKind = 'policy' | 'commands';

export function lintKind(file: string): LintKind {
  return /\.(?:sh|bash|md|txt|bats)$/i.test(file) ? 'commands' : 'policy';
}

export function lintText(text: string, file: string, kind: LintKind = lintKind(file)): Finding[] {
  const found =
    kind === 'policy' ? [...lintYaml(text, file), ...lintCommands(text, file)] : lintCommands(text, file);
  return found.sort(
    (a, b) =>
      a.position.line - b.position.line ||
      a.position.column - b.position.column ||
      (a.code < b.code ? -1 : 1),
  );
}

/** Refusals of the reader that a rule says better. */
const explainedBy: Readonly<Record<string, string>> = {
  'WB-727': 'LNT002',
  'WB-728': 'LNT012',
  'WB-729': 'LNT008',
};

const noFields: Fields = new Map();

function lintYaml(text: string, file: string): Finding[] {
  const documents = attempt(() => readYaml(text, file));
  if (!documents.ok) {
    const { actual, hint } = documents.error;
    return [
      { code: 'LNT000', severity: 'error', position: positionIn(actual, file), message: actual, fix: hint },
    ];
  }
  const found: Finding[] = [];
  for (const node of documents.value) {
    const walked = attempt(() => walk({ key: '', node, fields: fieldsOf(node), up: undefined }, found));
    if (!walked.ok) found.push(refused(walked.error.code, walked.error.actual, walked.error.hint, file));
  }
  const isWhole = documents.value.some((node) => node.isObject() && node.keys().includes('apiVersion'));
  const parsed = isWhole ? parsePolicies(text, file) : undefined;
  // A refusal that a rule has explained already is not said twice.
  const explained = parsed?.ok === false ? explainedBy[parsed.error.code] : undefined;
  if (parsed?.ok === false && !found.some(({ code }) => code === explained)) {
    found.push(
      refused(
        parsed.error.code,
        `${parsed.error.actual}: expected ${parsed.error.expected}`,
        parsed.error.hint,
        file,
      ),
    );
  }
  return found;
}

function refused(code: string, message: string, fix: string, file: string): Finding {
  const position = positionIn(message, file);
  return { code: 'LNT099', severity: 'error', position, message: `${code}: ${message}`, fix };
}

/** The position a reason begins with. */
function positionIn(text: string, file: string): Position {
  const match = /:(\d+):(\d+)(?=:|$| )/.exec(text.startsWith(file) ? text.slice(file.length) : text);
  return { file, line: Number(match?.[1] ?? 1), column: Number(match?.[2] ?? 1) };
}

const fieldsOf = (node: YamlNode): Fields => (node.isObject() ? node.anyFields() : noFields);

function walk(place: Place, found: Finding[]): void {
  for (const rule of yamlRules) {
    for (const hit of rule.look(place)) {
      found.push({
        code: rule.code,
        severity: rule.severity,
        position: hit.at.position,
        message: hit.message,
        fix: hit.fix ?? rule.fix,
      });
    }
  }
  for (const [key, node] of place.fields) walk({ key, node, fields: fieldsOf(node), up: place }, found);
  if (!place.node.isList()) return;
  for (const node of place.node.items()) walk({ key: '', node, fields: fieldsOf(node), up: place }, found);
}

function lintCommands(text: string, file: string): Finding[] {
  const found: Finding[] = [];
  // A backslash at the end of a line joins it to the next; lengths stay, so that offsets do.
  const joined = text.replace(/\\\n/g, '  ');
  let start = 0;
  for (const line of joined.split('\n')) {
    if (!/^\s*#/.test(line)) {
      for (const rule of commandRules) {
        for (const hit of rule.look(line)) {
          const position = positionOf(text, start + hit.at, file);
          found.push({ code: rule.code, severity: 'warning', position, message: hit.message, fix: rule.fix });
        }
      }
    }
    start += line.length + 1;
  }
  return found;
}

function positionOf(text: string, offset: number, file: string): Position {
  const before = text.slice(0, offset);
  const line = before.split('\n').length;
  return { file, line, column: offset - before.lastIndexOf('\n') };
}
