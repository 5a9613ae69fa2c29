/**
 * Where an image is read from, when that is not where its name points. Policies match the canonical name, and
 * the Pod keeps it; only the bytes come from the mirror, and they are checked by digest.
 */
import { fail } from '#base/reason';
import { type PlaceRule, placementOf } from '#oci';
import { R } from './reasons.ts';

export interface MirrorRule {
  /** `ghcr.io/acme/*` (everything below) or one repository. */
  readonly from: string;
  readonly to: string;
}

/** Repository name → repository name to read from; the longest matching rule wins. */
export type MirrorMap = (repository: string) => string;

/** A repository name, or one with `/*` behind it. */
const sideForm = /^[^*?\s/]+(?:\/[^*?\s/]+)*(?:\/\*)?$/;

/** The rules as a client of registries takes them. Throws WB-802. */
export function mirrorPlaces(rules: readonly MirrorRule[]): readonly PlaceRule[] {
  return rules.map(({ from, to }) => {
    const isPrefix = from.endsWith('/*');
    const isUsable = isPrefix === to.endsWith('/*') && [from, to].every((side) => sideForm.test(side));
    if (!isUsable) {
      throw fail(R.mirror, { expected: 'FROM/*=TO/* or FROM=TO', actual: `${from}=${to}` });
    }
    const [prefix, location] = isPrefix ? [from.slice(0, -2), to.slice(0, -2)] : [from, to];
    const reach = isPrefix ? 'below' : 'exact';
    return { prefix, reach, location, insecure: false, blocked: false, mirrors: [] };
  });
}

/** Throws WB-802. */
export function mirrorMap(rules: readonly MirrorRule[]): MirrorMap {
  const places = mirrorPlaces(rules);
  return (repository) => placementOf(places, repository).origin.name;
}

/** `FROM=TO`. Throws WB-802. */
export function parseMirrorRule(text: string): MirrorRule {
  const at = text.indexOf('=');
  if (at > 0 && at < text.length - 1) return { from: text.slice(0, at), to: text.slice(at + 1) };
  throw fail(R.mirror, { expected: 'FROM=TO', actual: JSON.stringify(text) });
}
