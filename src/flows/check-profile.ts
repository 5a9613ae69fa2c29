/**
 * `waybill.yaml`: what is expected of an image, as text. Strict: an unknown field is refused with its place and
 * the nearest name, because a field that is not read is a question that is not asked.
 */
import { fail } from '#base/reason';
import { attempt, err, type Result } from '#base/result';
import { readYaml, type YamlFields, type YamlNode } from '#policy';
import { parseThreshold, type Severity } from '#scan';
import type { Pattern } from '#verify';
import { R } from './check-reasons.ts';

export const PROFILE_SCHEMA = 'waybill.dev/profile/v1';

/** Who signs. A key stands alone; an identity needs its issuer. */
export interface SignerText {
  readonly identity?: Pattern;
  readonly issuer?: Pattern;
  /** PEM file of a public key. */
  readonly key?: string;
}

export interface BuilderText {
  readonly id?: string;
  readonly issuer?: string;
  readonly buildType?: string;
  /** The builder is trusted up to this level, and its builds must reach it. */
  readonly level?: 1 | 2 | 3;
}

export interface Profile {
  /** Of the image's signature; and of its attestations, unless `attestations` says otherwise. */
  readonly signer: SignerText;
  readonly attestations?: SignerText;
  readonly source?: string;
  readonly tag?: string;
  readonly branch?: string;
  readonly builder?: BuilderText;
  readonly severity?: Severity;
  readonly scanAgeDays?: number;
  readonly allowSampleDatabase?: boolean;
  /** `scratch`: built on nothing. */
  readonly base?: 'scratch' | (SignerText & { readonly image?: string });
  readonly policies: readonly string[];
  readonly namespace?: string;
  readonly mirror: readonly string[];
  readonly audit?: string;
  /** Advisory database to scan the attested SBOM with again. */
  readonly database?: string;
}

const signerFields = ['identity', 'issuer', 'key'] as const;
const topFields = [
  'schema',
  ...signerFields,
  'attestations',
  'source',
  'tag',
  'branch',
  'builder',
  'thresholds',
  'base',
  'policies',
  'namespace',
  'mirror',
  'audit',
  'database',
] as const;

/** Reads a profile. Fails with WB-930, which begins with the position. */
export function parseProfile(text: string, file: string): Result<Profile> {
  const read = attempt(() => {
    const documents = readYaml(text, file);
    const [document] = documents;
    if (document !== undefined && documents.length === 1) return readProfile(document);
    throw fail(R.profile, { expected: 'one YAML document', actual: `${file}: ${documents.length}` });
  });
  if (read.ok) return read;
  const { expected, actual, hint, code } = read.error;
  // Codes of the YAML reader speak of policies.
  return err(code === R.profile.code ? read.error : fail(R.profile, { expected, actual, hint }).reason);
}

function readProfile(node: YamlNode): Profile {
  const fields = node.fields(topFields);
  fields.get('schema')?.oneOf([PROFILE_SCHEMA]);
  const attestations = fields.get('attestations');
  return {
    signer: readSigner(fields),
    ...(attestations === undefined ? {} : { attestations: readSigner(attestations.fields(signerFields)) }),
    ...texts(fields, ['source', 'tag', 'branch', 'namespace', 'audit', 'database']),
    ...(fields.has('builder') ? { builder: readBuilder(fields.get('builder') as YamlNode) } : {}),
    ...readThresholds(fields.get('thresholds')),
    ...(fields.has('base') ? { base: readBase(fields.get('base') as YamlNode) } : {}),
    policies: fields.get('policies')?.texts() ?? [],
    mirror: fields.get('mirror')?.texts() ?? [],
  };
}

function texts<const K extends string>(fields: YamlFields, names: readonly K[]): { [name in K]?: string } {
  const out: { [name in K]?: string } = {};
  for (const name of names) {
    const node = fields.get(name);
    if (node !== undefined) out[name] = node.nonEmptyText();
  }
  return out;
}

function readSigner(fields: YamlFields): SignerText {
  const identity = fields.get('identity');
  const issuer = fields.get('issuer');
  const key = fields.get('key');
  const other = identity ?? issuer;
  if (key !== undefined && other !== undefined) {
    throw key.refusal(R.profile, 'a key or an identity', 'both');
  }
  return {
    ...(identity === undefined ? {} : { identity: readPattern(identity) }),
    ...(issuer === undefined ? {} : { issuer: readPattern(issuer) }),
    ...(key === undefined ? {} : { key: key.nonEmptyText() }),
  };
}

/** A text means exactly that text; `{glob: …}` and `{regexp: …}` say what they are. */
function readPattern(node: YamlNode): Pattern {
  if (node.isObject()) {
    const fields = node.fields(['glob', 'regexp']);
    const { glob, regexp } = texts(fields, ['glob', 'regexp']);
    if (glob !== undefined && regexp === undefined) return { glob };
    if (regexp !== undefined && glob === undefined) return { regexp };
    throw node.refusal(R.profile, 'glob or regexp, one of them', [...fields.keys()].join(' and ') || 'none');
  }
  const text = node.nonEmptyText();
  if (!text.includes('*')) return text;
  const hint = 'write {glob: "…"}: a text alone has to be equal';
  throw node.refusal(R.profile, 'an exact text, or a pattern that says it is one', text, hint);
}

function readBuilder(node: YamlNode): BuilderText {
  if (!node.isObject()) return { id: node.nonEmptyText() };
  const fields = node.fields(['id', 'issuer', 'buildType', 'level']);
  const level = fields.get('level')?.integer(1, 3);
  return {
    ...texts(fields, ['id', 'issuer', 'buildType']),
    ...(level === undefined ? {} : { level: level as 1 | 2 | 3 }),
  };
}

function readThresholds(
  node: YamlNode | undefined,
): Pick<Profile, 'severity' | 'scanAgeDays' | 'allowSampleDatabase'> {
  if (node === undefined) return {};
  const fields = node.fields(['severity', 'scanAgeDays', 'allowSampleDatabase']);
  const severity = fields.get('severity')?.oneOf(['low', 'medium', 'high', 'critical']);
  const scanAgeDays = fields.get('scanAgeDays')?.integer(1, 3650);
  const allowSampleDatabase = fields.get('allowSampleDatabase')?.flag();
  return {
    ...(severity === undefined ? {} : { severity: parseThreshold(severity) }),
    ...(scanAgeDays === undefined ? {} : { scanAgeDays }),
    ...(allowSampleDatabase === undefined ? {} : { allowSampleDatabase }),
  };
}

function readBase(node: YamlNode): NonNullable<Profile['base']> {
  if (!node.isObject()) return node.oneOf(['scratch']);
  const fields = node.fields([...signerFields, 'image']);
  return { ...readSigner(fields), ...texts(fields, ['image']) };
}
