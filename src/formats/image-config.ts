/** The image configuration (image-spec config.md; Docker's has the same shape). Labels are data. */
import type { Digest } from '#base/brand';
import { parseDigest } from '#base/digest';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { attempt, type Result, unwrap } from '#base/result';
import { type JsonObject, type JsonValue, parseJson } from './json.ts';
import { checkContent, type Expected, type Platform } from './oci.ts';
import { field } from './oci-fields.ts';
import { R } from './oci-reasons.ts';

export interface ImageConfig {
  readonly platform: Platform;
  /** RFC 3339 as written. */
  readonly created?: string;
  readonly user?: string;
  readonly workingDir?: string;
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly labels: ReadonlyMap<string, string>;
  /** Digests of the uncompressed layers, bottom first. */
  readonly diffIds: readonly Digest[];
  readonly history: readonly { readonly createdBy?: string; readonly emptyLayer: boolean }[];
  /** The document as parsed. */
  readonly json: JsonObject;
  readonly bytes: Uint8Array;
}

/** Parses a config blob, checking `expected` first (WB-188); malformed documents are WB-186. */
export function parseImageConfig(
  bytes: Uint8Array,
  expected: Omit<Expected, 'mediaType'> = {},
): Result<ImageConfig> {
  return attempt(() => {
    if (bytes.length > limits.manifestBytes) {
      throw fail(R.limit, {
        expected: `a configuration of at most ${limits.manifestBytes} bytes`,
        actual: `${bytes.length} bytes`,
      });
    }
    unwrap(checkContent(bytes, expected));
    const json = field.object(unwrap(parseJson(bytes)), 'config');
    const run = json['config'] === undefined || json['config'] === null ? {} : json['config'];
    return { ...readRunFields(field.object(run, 'config.config')), ...readImageFields(json), json, bytes };
  });
}

function readImageFields(
  json: JsonObject,
): Pick<ImageConfig, 'platform' | 'created' | 'diffIds' | 'history'> {
  const variant = field.optionalString(json, 'variant');
  const osVersion = field.optionalString(json, 'os.version');
  const created = nullable(json, 'created');
  const rootfs = field.object(json['rootfs'], 'rootfs');
  return {
    platform: {
      os: field.optionalString(json, 'os') || 'linux',
      architecture: field.optionalString(json, 'architecture') || 'unknown',
      ...(variant ? { variant } : {}),
      ...(osVersion ? { osVersion } : {}),
    },
    ...(created === undefined ? {} : { created }),
    diffIds: list(rootfs, 'diff_ids').map((text) => unwrap(parseDigest(text))),
    history: readHistory(json['history']),
  };
}

function readRunFields(
  run: JsonObject,
): Pick<ImageConfig, 'user' | 'workingDir' | 'env' | 'entrypoint' | 'cmd' | 'labels'> {
  const user = nullable(run, 'User');
  const workingDir = nullable(run, 'WorkingDir');
  return {
    ...(user === undefined ? {} : { user }),
    ...(workingDir === undefined ? {} : { workingDir }),
    env: list(run, 'Env'),
    entrypoint: list(run, 'Entrypoint'),
    cmd: list(run, 'Cmd'),
    labels: field.stringMap(run, 'Labels', 'config'),
  };
}

/** Go writes an empty list or string as null. */
const list = (json: JsonObject, name: string): readonly string[] =>
  json[name] === undefined || json[name] === null ? [] : field.strings(json, name);

const nullable = (json: JsonObject, name: string): string | undefined =>
  json[name] === null ? undefined : field.optionalString(json, name);

function readHistory(value: JsonValue | undefined): ImageConfig['history'] {
  if (!Array.isArray(value)) return [];
  return value.map((entry, i) => {
    const json = field.object(entry, `history[${i}]`);
    const createdBy = nullable(json, 'created_by');
    return { ...(createdBy === undefined ? {} : { createdBy }), emptyLayer: json['empty_layer'] === true };
  });
}
