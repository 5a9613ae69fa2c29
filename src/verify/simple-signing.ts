/** The payload of a legacy cosign image signature ("simple signing"). */
import type { Digest } from '#base/brand';
import { parseDigest } from '#base/digest';
import { limits } from '#base/limits';
import { attempt, type Result, unwrap } from '#base/result';
import { type JsonReader, type JsonValue, parseJson, reader } from '#formats/json';
import { R } from './reasons.ts';

export interface SimpleSigning {
  /** What the signer called the image; not part of what is verified. */
  readonly dockerReference: string;
  readonly digest: Digest;
  /** The member `optional`: annotations given when signing. */
  readonly optional: Readonly<Record<string, JsonValue>>;
}

export const SIMPLE_SIGNING_TYPE = 'cosign container image signature';

/** Parses the payload. Fails with WB-346 or a JSON reason. */
export function parseSimpleSigning(payload: Uint8Array): Result<SimpleSigning> {
  return attempt(() => {
    const value = unwrap(parseJson(payload, { maxBytes: limits.manifestBytes }));
    const json = reader(value, 'payload', { as: R.simpleSigning });
    const critical = json.child('critical');
    const type = critical.string('type');
    if (type !== SIMPLE_SIGNING_TYPE) throw critical.wrong('type', SIMPLE_SIGNING_TYPE, type);
    const image = critical.child('image');
    const key = digestKey(image);
    const digest = parseDigest(image.string(key));
    if (!digest.ok) throw image.wrong(key, 'a digest', image.string(key));
    const optional = json.value('optional');
    return {
      dockerReference: critical.child('identity').optionalString('docker-reference') ?? '',
      digest: digest.value,
      optional: optional === undefined || optional === null ? {} : json.child('optional').object,
    };
  });
}

/** The specification and the code disagree on the case of this name; two spellings at once are refused. */
function digestKey(image: JsonReader): string {
  const keys = Object.keys(image.object).filter((key) => key.toLowerCase() === 'docker-manifest-digest');
  const [key] = keys;
  if (key === undefined || keys.length > 1) {
    throw image.wrong('docker-manifest-digest', 'exactly one digest', keys.join(', ') || undefined);
  }
  return key;
}
