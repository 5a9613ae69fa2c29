/** The files in which people decided about findings: VEX documents, ignore rules, a baseline. */
import { basename } from 'node:path';
import { utf8Text } from '#base/bytes';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { isJsonObject, type JsonObject, type JsonValue, own, parseJson } from '#formats/json';
import { parseVex } from '#formats/vex';
import { readFileLimited } from '#platform/files';
import {
  type Baseline,
  baselineKey,
  ignoreFiles,
  scanReasons as R,
  type RefineOptions,
  SCAN_SCHEMA,
} from '#scan';

export interface RuleFiles {
  readonly vex?: readonly string[];
  readonly ignore?: readonly string[];
  /** What `waybill scan -o json` wrote. */
  readonly baseline?: string;
}

const RULE_FILE_BYTES = 4 * 1024 * 1024;

export async function readRuleFiles(
  files: RuleFiles,
): Promise<Pick<RefineOptions, 'vex' | 'rules' | 'emptyRuleFiles' | 'baseline'>> {
  const vex = await Promise.all(
    (files.vex ?? []).map(async (path) => ({
      file: basename(path),
      document: unwrap(parseVex(await readFileLimited(path, limits.sbomBytes))),
    })),
  );
  const paths = files.ignore ?? [];
  const rules = await Promise.all(paths.map(readIgnoreFile));
  return {
    vex,
    rules: rules.flat(),
    emptyRuleFiles: paths.filter((_path, at) => rules[at]?.length === 0).map((path) => basename(path)),
    ...(files.baseline === undefined ? {} : { baseline: await readBaseline(files.baseline) }),
  };
}

async function readIgnoreFile(path: string): Promise<NonNullable<RefineOptions['rules']>> {
  // YAML is needed for these files only.
  const { parseIgnoreFile } = await ignoreFiles();
  return parseIgnoreFile(path, utf8Text(await readFileLimited(path, RULE_FILE_BYTES)));
}

/** What a `.grype.yaml` sets beside its rules. */
export async function ruleFileSettings(path: string): Promise<Readonly<Record<string, unknown>>> {
  const { grypeSettings } = await ignoreFiles();
  return grypeSettings(path, utf8Text(await readFileLimited(path, RULE_FILE_BYTES)));
}

async function readBaseline(path: string): Promise<Baseline> {
  const json = unwrap(
    parseJson(await readFileLimited(path, limits.sbomBytes), { maxBytes: limits.sbomBytes }),
  );
  const findings =
    isJsonObject(json) && own(json, 'schema') === SCAN_SCHEMA ? own(json, 'findings') : undefined;
  if (!Array.isArray(findings)) {
    throw fail(R.baseline, { expected: `${path} of schema ${SCAN_SCHEMA}`, actual: 'another document' });
  }
  return { file: basename(path), keys: new Set(findings.filter(isJsonObject).map(keyOf)) };
}

function keyOf(finding: JsonObject): string {
  const pkg = own(finding, 'package');
  const of = (json: JsonValue | undefined, key: string): string =>
    isJsonObject(json) ? String(own(json, key) ?? '') : '';
  return baselineKey(of(finding, 'id'), of(pkg, 'type'), of(pkg, 'name'));
}
