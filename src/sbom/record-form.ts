/**
 * Whether what a cached record says has the form of one. A checksum finds damage, but a record may also have been
 * edited: then it is dropped and made again, and never gets as far as what would stumble over it.
 */
import { parseDigest } from '#base/digest';
import type { LayerFacts } from './layer.ts';

type Check = (value: unknown) => boolean;

export const isText: Check = (value) => typeof value === 'string';
export const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
export const isBelow =
  (end: number): Check =>
  (value) =>
    isCount(value) && (value as number) < end;
export const isListOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
/** A list of this length, each value as its check says. */
export const isTuple =
  (...checks: readonly Check[]): Check =>
  (value) =>
    Array.isArray(value) && value.length === checks.length && checks.every((check, i) => check(value[i]));

/** An object with these fields; those in `optional` may be absent. Others are not looked at. */
export const isObjectOf =
  (fields: Readonly<Record<string, Check>>, optional: Readonly<Record<string, Check>> = {}): Check =>
  (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    const own = (key: string): unknown =>
      Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
    const isAsSaid = ([key, check]: [string, Check]): boolean => check(own(key));
    return (
      Object.entries(fields).every(isAsSaid) &&
      Object.entries(optional).every(([key, check]) => own(key) === undefined || check(own(key)))
    );
  };

const compressions: ReadonlySet<unknown> = new Set<LayerFacts['compression']>(['none', 'gzip', 'zstd']);

export const isFacts: Check = isObjectOf({
  entries: isCount,
  bytes: isCount,
  stored: (value) => typeof value === 'string' && parseDigest(value).ok,
  compression: (value) => compressions.has(value),
});

export const isUnknown: Check = isObjectOf({ path: isText, wantedBy: isText, reason: isText });

export const isDistro: Check = isObjectOf(
  { id: isText, idLike: isListOf(isText) },
  { versionId: isText, prettyName: isText },
);

/** A package among so many of an image with so many layers. */
export const isFound = (packages: number, layers: number): Check =>
  isObjectOf(
    { type: isText, name: isText, version: isText, path: isText, layer: isBelow(layers) },
    {
      purl: isText,
      licenses: isListOf(isText),
      supplier: isText,
      description: isText,
      homepage: isText,
      architecture: isText,
      source: isObjectOf({ name: isText }, { version: isText }),
      cpes: isListOf(isText),
      hashes: isListOf(isText),
      needs: isListOf(isBelow(packages)),
    },
  );

/** For what has not the form: to whoever asked, there is no record then. */
export const noRecord = (): Error => new Error('not the form of a record');
