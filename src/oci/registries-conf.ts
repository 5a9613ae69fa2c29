/** containers-registries.conf(5), version 2: where podman, skopeo and CRI-O read images from. */
import { utf8Text } from '#base/bytes';
import { fail } from '#base/reason';
import { type JsonReader, type JsonValue, reader } from '#formats/json';
import { readFileLimited } from '#platform/files';
import type { PlaceRule } from './places.ts';
import { R } from './reasons.ts';

const FILE_BYTES_MAX = 1024 * 1024;

/** Throws WB-521, and what reading a file throws. Short names are none here, so their settings say nothing. */
export async function readRegistriesConf(path: string): Promise<readonly PlaceRule[]> {
  const { parse, TomlError } = await import('smol-toml');
  let value: unknown;
  try {
    value = parse(utf8Text(await readFileLimited(path, FILE_BYTES_MAX)));
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [actual = ''] = error.message.split('\n', 1);
    throw fail(
      R.registriesConf,
      { expected: `${path} as TOML`, actual: `line ${error.line}: ${actual}` },
      error,
    );
  }
  const json = reader(value as JsonValue, path, { as: R.registriesConf });
  if (json.has('registries')) {
    throw fail(R.registriesConf, { expected: `${path} in version 2`, actual: 'version 1: [registries…]' });
  }
  return (json.has('registry') ? json.children('registry') : []).map(ruleFrom);
}

const KNOWN = ['prefix', 'location', 'insecure', 'blocked', 'mirror-by-digest-only', 'mirror'];
const KNOWN_OF_MIRROR = ['location', 'insecure', 'pull-from-mirror'];
const PULLS = ['all', 'digest-only', 'tag-only'] as const;

function ruleFrom(json: JsonReader): PlaceRule {
  requireKnown(json, KNOWN);
  const location = json.has('location') ? placeIn(json, 'location', json.text('location')) : undefined;
  const prefix = json.has('prefix') ? prefixIn(json) : location;
  if (prefix === undefined) throw json.wrong('location', 'a location or a prefix', 'neither');
  const isByDigest = json.has('mirror-by-digest-only') && json.boolean('mirror-by-digest-only');
  const mirrors = (json.has('mirror') ? json.children('mirror') : []).map((one) => {
    requireKnown(one, KNOWN_OF_MIRROR);
    const named = one.has('pull-from-mirror') ? one.text('pull-from-mirror') : undefined;
    if (named !== undefined && isByDigest) {
      throw one.wrong('pull-from-mirror', 'no mirror-by-digest-only beside it', named);
    }
    const pull = named === undefined ? (isByDigest ? 'digest-only' : 'all') : PULLS.find((p) => p === named);
    if (pull === undefined) throw one.wrong('pull-from-mirror', PULLS.join(', '), String(named));
    return {
      location: placeIn(one, 'location', one.text('location')),
      insecure: flag(one, 'insecure'),
      pull,
    };
  });
  return {
    ...{ prefix, reach: 'both', mirrors },
    ...(location === undefined ? {} : { location }),
    ...{ insecure: flag(json, 'insecure'), blocked: flag(json, 'blocked') },
  };
}

const flag = (json: JsonReader, name: string): boolean => json.has(name) && json.boolean(name);

function requireKnown(json: JsonReader, known: readonly string[]): void {
  for (const key of Object.keys(json.object)) {
    if (!known.includes(key)) throw json.wrong(key, `one of ${known.join(', ')}`, key);
  }
}

/** A host with or without a path; no scheme, tag or digest. */
const PLACE = /^(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(?::\d{1,5})?(?:\/[a-z0-9._-]+)*$/;

function placeIn(json: JsonReader, name: string, text: string): string {
  if (PLACE.test(text)) return text;
  throw json.wrong(name, 'host[:port][/path]', text);
}

function prefixIn(json: JsonReader): string {
  const text = json.text('prefix');
  if (/^\*(?:\.[A-Za-z0-9-]+)+$/.test(text)) return text;
  return placeIn(json, 'prefix', text);
}
