/** The build definition, read from the commit: never from the request, so a request cannot change a build. */
import { parse } from 'yaml';
import { utf8Text } from '#base/bytes';
import { fail } from '#base/reason';
import { isJsonObject, type JsonObject, type JsonValue } from '#formats/json';
import { R } from './reasons.ts';

export interface BuildLayer {
  /** Folder or file below the output folder; `.` is all of it. */
  readonly from: string;
  /** Absolute folder in the image the content of `from` goes to. */
  readonly to: string;
}

export interface BuildDefinition {
  /** Each step is a command with its arguments; no shell is put around it. */
  readonly steps: readonly (readonly string[])[];
  readonly env: Readonly<Record<string, string>>;
  /** Arguments a request may set, with their defaults. */
  readonly args: Readonly<Record<string, string>>;
  /** Inputs a request must bring; with a digest they must be exactly that tree. */
  readonly inputs: readonly { readonly name: string; readonly digest?: string }[];
  readonly image: {
    /** `registry/name@sha256:<hex>` */
    readonly base?: string;
    readonly layers: readonly BuildLayer[];
    readonly entrypoint?: readonly string[];
    readonly cmd?: readonly string[];
    readonly env: Readonly<Record<string, string>>;
    readonly user?: string;
    readonly workdir?: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly exposedPorts: readonly string[];
    readonly architecture?: string;
  };
}

export const DEFINITION_PATH = 'waybill-build.yaml';
const DEFINITION_BYTES_MAX = 64 * 1024;
const LAYERS_MAX = 64;
const nameForm = /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/;
const envForm = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

/** Fields by object; an unknown one is refused, for it would silently not be done. */
const fields = {
  root: ['version', 'steps', 'env', 'args', 'inputs', 'image'],
  image: [
    'base',
    'layers',
    'entrypoint',
    'cmd',
    'env',
    'user',
    'workdir',
    'labels',
    'exposedPorts',
    'architecture',
  ],
  layer: ['from', 'to'],
  input: ['name', 'digest'],
} as const;

const wrong = (path: string, expected: string, actual: unknown): Error =>
  fail(R.definition, {
    check: `definition.${path}`,
    expected,
    actual: actual === undefined ? 'nothing' : (JSON.stringify(actual) ?? String(actual)),
  });

/** Parses the definition; WB-1117 names the field. */
export function parseDefinition(bytes: Uint8Array): BuildDefinition {
  if (bytes.length > DEFINITION_BYTES_MAX) {
    throw wrong('size', `at most ${DEFINITION_BYTES_MAX} bytes`, bytes.length);
  }
  const root = objectOf(readYaml(utf8Text(bytes)), 'root', fields.root);
  if (root['version'] !== 1) throw wrong('version', '1', root['version']);
  const steps = listOf(root['steps'], 'steps').map((step, i) => stepOf(step, `steps[${i}]`));
  const inputs = listOf(root['inputs'], 'inputs').map((input, i) => inputOf(input, `inputs[${i}]`));
  return {
    steps,
    env: textMap(root['env'], 'env'),
    args: textMap(root['args'], 'args'),
    inputs,
    image: imageOf(root['image']),
  };
}

function readYaml(text: string): JsonValue {
  try {
    return parse(text, { schema: 'core', strict: true, uniqueKeys: true, maxAliasCount: 0 }) as JsonValue;
  } catch (error) {
    throw wrong('yaml', 'a YAML document without aliases', (error as Error).message.split('\n')[0]);
  }
}

function objectOf(value: JsonValue | undefined, path: string, known: readonly string[]): JsonObject {
  if (!isJsonObject(value)) throw wrong(path, 'a mapping', value);
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) throw wrong(path, `one of ${known.join(', ')}`, key);
  }
  return value;
}

function listOf(value: JsonValue | undefined, path: string): readonly JsonValue[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || value.length > 1000) throw wrong(path, 'a list', value);
  return value as readonly JsonValue[];
}

function textOf(value: JsonValue | undefined, path: string): string {
  if (typeof value !== 'string' || value === '' || value.length > 32_768 || value.includes('\0')) {
    throw wrong(path, 'a text', value);
  }
  return value;
}

const texts = (value: JsonValue | undefined, path: string): string[] =>
  listOf(value, path).map((item, i) => textOf(item, `${path}[${i}]`));

/** `run` words, or one text that goes to `sh -eu -c`. */
function stepOf(value: JsonValue, path: string): readonly string[] {
  if (typeof value === 'string') return ['/bin/sh', '-eu', '-c', textOf(value, path)];
  const words = texts(value, path);
  if (words.length === 0) throw wrong(path, 'a command', value);
  return words;
}

function inputOf(value: JsonValue, path: string): { name: string; digest?: string } {
  const input = typeof value === 'string' ? { name: value } : objectOf(value, path, fields.input);
  const name = textOf(input['name'], `${path}.name`);
  if (!nameForm.test(name)) throw wrong(`${path}.name`, 'letters, digits, _ and -', name);
  const digest = (input as JsonObject)['digest'];
  if (digest === undefined) return { name };
  if (typeof digest !== 'string' || !/^sha256:[0-9a-f]{64}$/.test(digest)) {
    throw wrong(`${path}.digest`, 'sha256:<hex>', digest);
  }
  return { name, digest };
}

function textMap(value: JsonValue | undefined, path: string, keyForm = envForm): Record<string, string> {
  if (value === undefined || value === null) return {};
  if (!isJsonObject(value)) throw wrong(path, 'a mapping of texts', value);
  const entries = Object.entries(value).map(([key, item]): [string, string] => {
    if (!keyForm.test(key)) throw wrong(path, `names like ${keyForm.source}`, key);
    if (typeof item !== 'string' && typeof item !== 'number' && typeof item !== 'boolean') {
      throw wrong(`${path}.${key}`, 'a text', item);
    }
    const text = String(item);
    if (text.includes('\0') || text.length > 32_768) throw wrong(`${path}.${key}`, 'a text', text);
    return [key, text];
  });
  return Object.fromEntries(entries);
}

function imageOf(value: JsonValue | undefined): BuildDefinition['image'] {
  const image = objectOf(value, 'image', fields.image);
  const layers = listOf(image['layers'], 'image.layers').map((item, i) =>
    layerOf(item, `image.layers[${i}]`),
  );
  if (layers.length === 0 || layers.length > LAYERS_MAX) {
    throw wrong('image.layers', `1–${LAYERS_MAX} layers`, layers.length);
  }
  const ports = listOf(image['exposedPorts'], 'image.exposedPorts').map((port, i) => {
    const text = String(port);
    if (!/^\d{1,5}(?:\/(?:tcp|udp))?$/.test(text)) throw wrong(`image.exposedPorts[${i}]`, 'a port', port);
    return text.includes('/') ? text : `${text}/tcp`;
  });
  const optional = (key: 'base' | 'user' | 'workdir' | 'architecture'): Record<string, string> =>
    image[key] === undefined ? {} : { [key]: textOf(image[key], `image.${key}`) };
  const optionalTexts = (key: 'entrypoint' | 'cmd'): Record<string, string[]> =>
    image[key] === undefined ? {} : { [key]: texts(image[key], `image.${key}`) };
  return {
    ...optional('base'),
    ...optional('user'),
    ...optional('workdir'),
    ...optional('architecture'),
    ...optionalTexts('entrypoint'),
    ...optionalTexts('cmd'),
    layers,
    env: textMap(image['env'], 'image.env'),
    labels: textMap(image['labels'], 'image.labels', /^[A-Za-z0-9][A-Za-z0-9._/-]{0,255}$/),
    exposedPorts: ports,
  };
}

function layerOf(value: JsonValue, path: string): BuildLayer {
  const layer = objectOf(value, path, fields.layer);
  const from = layer['from'] === undefined ? '.' : textOf(layer['from'], `${path}.from`);
  const to = layer['to'] === undefined ? '/' : textOf(layer['to'], `${path}.to`);
  if (from !== '.' && !isPlainPath(from.split('/')))
    throw wrong(`${path}.from`, 'a path below the output', from);
  if (to !== '/' && !(to.startsWith('/') && isPlainPath(to.slice(1).split('/')))) {
    throw wrong(`${path}.to`, 'an absolute path', to);
  }
  return { from, to };
}

const isPlainPath = (parts: readonly string[]): boolean =>
  parts.every((part) => part !== '' && part !== '.' && part !== '..');
