/** What a caller may ask for: a source, a ref, names of inputs and arguments, and where the image goes. */
import { fail } from '#base/reason';
import { isJsonObject, type JsonObject, type JsonValue } from '#formats/json';
import { parseReference } from '#formats/reference';
import { DEFINITION_PATH } from './definition.ts';
import type { OutputTarget } from './image.ts';
import { R } from './reasons.ts';

export interface BuildRequest {
  readonly source: { readonly uri: string; readonly ref: string };
  /** Path of the definition in the commit. */
  readonly config: string;
  readonly args: Readonly<Record<string, string>>;
  /** Name → folder of the builder's host, below an input root. */
  readonly inputs: Readonly<Record<string, string>>;
  /** At least one `registry/name[:tag]`. */
  readonly outputs: readonly string[];
}

const known = ['source', 'config', 'args', 'inputs', 'outputs'];
const OUTPUTS_MAX = 16;

const wrong = (path: string, expected: string, actual: JsonValue | undefined): Error =>
  fail(R.request, {
    check: `request.${path}`,
    expected,
    actual: actual === undefined ? 'nothing' : JSON.stringify(actual),
  });

/** Reads a request; WB-1110 names the field. Fields of the provenance are not among them. */
export function parseBuildRequest(value: JsonValue): BuildRequest {
  const root = objectAt(value, 'body', known);
  const source = objectAt(root['source'], 'source', ['uri', 'ref']);
  const outputs = root['outputs'];
  if (!Array.isArray(outputs) || outputs.length === 0 || outputs.length > OUTPUTS_MAX) {
    throw wrong('outputs', `1–${OUTPUTS_MAX} image references`, outputs);
  }
  const config = root['config'] === undefined ? DEFINITION_PATH : textAt(root['config'], 'config');
  const parts = config.split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw wrong('config', 'a path in the commit', config);
  }
  return {
    source: { uri: textAt(source['uri'], 'source.uri'), ref: textAt(source['ref'], 'source.ref') },
    config,
    args: textsAt(root['args'], 'args'),
    inputs: textsAt(root['inputs'], 'inputs'),
    outputs: (outputs as readonly JsonValue[]).map((output, i) => {
      const text = textAt(output, `outputs[${i}]`);
      outputTarget(text);
      return text;
    }),
  };
}

/** `registry/name[:tag]`. The tag stays away when none is written: `latest` is never implied. */
export function outputTarget(text: string): OutputTarget {
  const parsed = parseReference(text);
  if (!parsed.ok) throw wrong('outputs', parsed.error.expected, text);
  const { registry, repository, tag, digest } = parsed.value;
  if (digest !== undefined) throw wrong('outputs', 'a reference without digest', text);
  const isTagged = tag !== undefined && text.endsWith(`:${tag}`);
  return { registry, repository, ...(isTagged ? { tag } : {}) };
}

function objectAt(value: JsonValue | undefined, path: string, fields?: readonly string[]): JsonObject {
  if (!isJsonObject(value)) throw wrong(path, 'an object', value);
  const extra = fields && Object.keys(value).find((key) => !fields.includes(key));
  if (extra !== undefined) throw wrong(path, `one of ${fields?.join(', ')}`, extra);
  return value;
}

function textAt(value: JsonValue | undefined, path: string): string {
  if (typeof value === 'string' && value !== '' && value.length <= 4096 && !/[\0\n\r]/.test(value))
    return value;
  throw wrong(path, 'one line of text', value);
}

function textsAt(value: JsonValue | undefined, path: string): Record<string, string> {
  if (value === undefined) return {};
  const entries = Object.entries(objectAt(value, path));
  return Object.fromEntries(entries.map(([key, item]) => [key, textAt(item, `${path}.${key}`)]));
}
