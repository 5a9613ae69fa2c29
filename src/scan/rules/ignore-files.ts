/**
 * Files of ignore rules: our own (a reason, an owner and a last day are demanded), Trivy's `.trivyignore` and
 * `.trivyignore.yaml`, Grype's `.grype.yaml`. The form is told by the name of the file. A field of another tool that
 * has no meaning here is refused by name: a rule that matches more than its author meant hides something.
 */
import { basename } from 'node:path';
import { parse } from 'yaml';
import { fail, type WaybillError } from '#base/reason';
import { R } from '../reasons.ts';
import { type IgnoreRule, pathGlob, wholePattern } from './ignore.ts';

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** WB-882 names what is wrong. */
export function parseIgnoreFile(path: string, text: string): readonly IgnoreRule[] {
  const file = basename(path);
  if (/trivyignore$/.test(file)) return trivyLines(text, file);
  const json = yamlOf(text, file);
  if (/trivyignore\.ya?ml$/.test(file)) return trivyYaml(json, file);
  if (/^\.?grype\.ya?ml$/.test(file)) return listOf(json, 'ignore', file).map((one) => grypeRule(one, file));
  if (isFields(json)) only(json, ['ignore'], file, 'beside the rules');
  return listOf(json, 'ignore', file).map((one) => ownRule(one, file));
}

/** What a `.grype.yaml` sets beside its rules. WB-882 for what is no such file. */
export function grypeSettings(path: string, source: string): Readonly<Record<string, unknown>> {
  const json = yamlOf(source, basename(path));
  if (json === null) return {};
  if (!isFields(json)) throw refuse(basename(path), 'settings by name', json);
  const { ignore: _rules, ...settings } = json;
  return settings;
}

const refuse = (file: string, expected: string, actual: unknown): WaybillError =>
  fail(R.ignoreFile, {
    expected: `${file} with ${expected}`,
    actual: JSON.stringify(actual ?? null).slice(0, 200),
  });

function yamlOf(text: string, file: string): unknown {
  try {
    return parse(text, { maxAliasCount: 0 });
  } catch (error) {
    throw refuse(file, 'YAML', (error as Error).message);
  }
}

function listOf(json: unknown, key: string, file: string): readonly Fields[] {
  const value = isFields(json) ? json[key] : undefined;
  if (value === undefined && (json === null || isFields(json))) return [];
  if (!Array.isArray(value) || !value.every(isFields))
    throw refuse(file, `a list of rules under ${key}`, value);
  return value;
}

/** Texts; numbers and dates as YAML reads them too. */
function text(fields: Fields, key: string, file: string): string | undefined {
  const value = fields[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string' && value.trim() === '') return undefined;
  if (value instanceof Date) return value.toISOString().slice(0, 10);
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  throw refuse(file, `a text for ${key}`, value);
}

/** A day there is: `2026-02-31` is none, though a parser may take it for one of March. */
function isDay(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const ms = Date.parse(`${text}T00:00:00Z`);
  return Number.isFinite(ms) && new Date(ms).toISOString().startsWith(text);
}

/** A day, also with a time after it. */
function day(fields: Fields, key: string, file: string): string | undefined {
  const value = text(fields, key, file);
  if (value === undefined) return undefined;
  const found = /^(\S{10})(?:[Tt ]\S+)?$/.exec(value)?.[1];
  if (found !== undefined && isDay(found)) return found;
  throw refuse(file, `a day there is, as YYYY-MM-DD, for ${key}`, value);
}

function strings(fields: Fields, key: string, file: string): readonly string[] | undefined {
  const value = fields[key];
  if (value === undefined || value === null) return undefined;
  const all = Array.isArray(value) ? value : [value];
  if (all.length > 0 && all.every((one) => typeof one === 'string' && one !== ''))
    return all as readonly string[];
  throw refuse(file, `texts for ${key}`, value);
}

function only(fields: Fields, known: readonly string[], file: string, where = 'in a rule'): void {
  const other = Object.keys(fields).find((key) => !known.includes(key));
  if (other !== undefined) throw refuse(file, `only ${known.join(', ')} ${where}`, other);
}

const conditions = [
  'id',
  'packageName',
  'packageVersion',
  'packageType',
  'upstreamName',
  'paths',
  'purls',
  'states',
] as const;

/** A rule whose fields are all empty would match everything. */
function withCondition(rule: IgnoreRule, fields: Fields): IgnoreRule {
  if (conditions.some((key) => rule[key] !== undefined)) return rule;
  throw refuse(rule.file, 'a condition in every rule', fields);
}

const maybe = <K extends string, T>(key: K, value: T | undefined): { readonly [P in K]?: T } =>
  (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: T };

const ownKeys = [
  'id',
  'package',
  'version',
  'type',
  'source',
  'paths',
  'purls',
  'states',
  'reason',
  'owner',
  'expires',
];

const isEmpty = (value: unknown): boolean =>
  value === null || (typeof value === 'string' && value.trim() === '');

function ownRule(fields: Fields, file: string): IgnoreRule {
  only(fields, ownKeys, file);
  const [reason, owner, expires] = [
    text(fields, 'reason', file),
    text(fields, 'owner', file),
    day(fields, 'expires', file),
  ];
  if (reason === undefined || owner === undefined || expires === undefined) {
    throw refuse(file, 'a reason, an owner and expires in every rule', fields);
  }
  // Left empty it would match everything, which its author hardly meant.
  const empty = Object.keys(fields).find((key) => isEmpty(fields[key]));
  if (empty !== undefined) throw refuse(file, `a value for ${empty}`, fields);
  const globs = strings(fields, 'paths', file);
  const name = text(fields, 'package', file);
  const source = text(fields, 'source', file);
  const rule = {
    file,
    withAliases: true,
    ...maybe('id', text(fields, 'id', file)),
    ...maybe('packageName', name === undefined ? undefined : pathGlob(name)),
    ...maybe('packageVersion', text(fields, 'version', file)),
    ...maybe('packageType', text(fields, 'type', file)),
    ...maybe('upstreamName', source === undefined ? undefined : pathGlob(source)),
    ...maybe('paths', globs?.map(pathGlob)),
    ...maybe('purls', strings(fields, 'purls', file)),
    ...maybe('states', strings(fields, 'states', file)),
    reason,
    owner,
    expires,
  };
  return withCondition(rule, fields);
}

/** One id a line; `exp:YYYY-MM-DD` may follow; comments after `#`. */
function trivyLines(source: string, file: string): IgnoreRule[] {
  const rules: IgnoreRule[] = [];
  let comment = '';
  for (const raw of source.split('\n')) {
    const line = raw.trim();
    if (line === '') comment = '';
    else if (line.startsWith('#')) comment = line.replace(/^#+\s*/, '');
    else {
      const [id = '', ...rest] = (line.split('#')[0] as string).trim().split(/\s+/);
      const expires = rest.find((word) => word.startsWith('exp:'))?.slice(4);
      if (expires !== undefined && !isDay(expires))
        throw refuse(file, 'exp:YYYY-MM-DD, a day there is', line);
      const reason = line.includes('#') ? line.slice(line.indexOf('#') + 1).trim() : comment;
      rules.push({
        file,
        id,
        withAliases: true,
        reason: reason === '' ? `listed in ${file}` : reason,
        ...maybe('expires', expires),
      });
    }
  }
  return rules;
}

/** Only `vulnerabilities` are ours to judge; the file may also speak of secrets and misconfigurations. */
function trivyYaml(json: unknown, file: string): IgnoreRule[] {
  return listOf(json, 'vulnerabilities', file).map((fields) => {
    only(fields, ['id', 'paths', 'purls', 'expired_at', 'statement'], file);
    const id = text(fields, 'id', file);
    if (id === undefined) throw refuse(file, 'an id in every rule', fields);
    return {
      file,
      id,
      withAliases: true,
      ...maybe('paths', strings(fields, 'paths', file)?.map(pathGlob)),
      ...maybe('purls', strings(fields, 'purls', file)),
      ...maybe('expires', day(fields, 'expired_at', file)),
      reason: text(fields, 'statement', file) ?? `listed in ${file}`,
    };
  });
}

const grypeTypes: Readonly<Record<string, string>> = {
  'go-module': 'golang',
  python: 'pypi',
  'rust-crate': 'cargo',
  'java-archive': 'maven',
  'php-composer': 'composer',
  dotnet: 'nuget',
  binary: 'generic',
};

/** `vex-status`, `namespace` and `match-type` have no meaning here. */
function grypeRule(fields: Fields, file: string): IgnoreRule {
  only(fields, ['vulnerability', 'include-aliases', 'reason', 'fix-state', 'package'], file);
  const pkg = fields['package'] ?? {};
  if (!isFields(pkg)) throw refuse(file, 'fields under package', pkg);
  only(pkg, ['name', 'version', 'type', 'location', 'upstream-name'], file);
  const name = text(pkg, 'name', file);
  const upstream = text(pkg, 'upstream-name', file);
  const type = text(pkg, 'type', file);
  const location = text(pkg, 'location', file);
  const state = text(fields, 'fix-state', file);
  const rule = {
    file,
    withAliases: fields['include-aliases'] === true,
    ...maybe('id', text(fields, 'vulnerability', file)),
    ...maybe('packageName', name === undefined ? undefined : wholePattern(name, file)),
    ...maybe('packageVersion', text(pkg, 'version', file)),
    ...maybe('packageType', type === undefined ? undefined : (grypeTypes[type] ?? type)),
    ...maybe('upstreamName', upstream === undefined ? undefined : wholePattern(upstream, file)),
    ...maybe('paths', location === undefined ? undefined : [pathGlob(location)]),
    ...maybe('states', state === undefined ? undefined : [state]),
    reason: text(fields, 'reason', file) ?? `listed in ${file}`,
  };
  return withCondition(rule, fields);
}
