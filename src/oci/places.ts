/**
 * Where images lie that are not where their names point. One form for both kinds of rules: `[[registry]]` of
 * containers-registries.conf(5), and `FROM=TO`. Names stay what they are in policies and statements; only bytes come
 * from elsewhere, and they are checked by digest.
 */
export interface PlaceRule {
  /** `host[:port][/path]`, or `*.example.com` for every host below. */
  readonly prefix: string;
  /** Which names it is for: this repository, those below it, or both. */
  readonly reach: 'exact' | 'below' | 'both';
  /** What stands for the prefix; absent: itself. */
  readonly location?: string;
  /** Plain http is good enough where https does not answer. */
  readonly insecure: boolean;
  readonly blocked: boolean;
  readonly mirrors: readonly MirrorRule[];
}

interface MirrorRule {
  readonly location: string;
  readonly insecure: boolean;
  /** What is read here: everything, or only names with a digest, or only those without. */
  readonly pull: 'all' | 'digest-only' | 'tag-only';
}

export interface Place extends Omit<MirrorRule, 'location'> {
  /** `host[:port]/path`. */
  readonly name: string;
}

export interface Placement {
  readonly origin: Pick<Place, 'name' | 'insecure'>;
  readonly blocked: boolean;
  /** In the order they are asked, before the origin. */
  readonly mirrors: readonly Place[];
}

/** Of `host[:port]/path`; the longest prefix wins. */
export function placementOf(rules: readonly PlaceRule[], name: string): Placement {
  let best: { readonly rule: PlaceRule; readonly matched: number } | undefined;
  for (const rule of rules) {
    const matched = matchedLength(rule, name);
    if (matched !== undefined && (best === undefined || rule.prefix.length > best.rule.prefix.length)) {
      best = { rule, matched };
    }
  }
  if (best === undefined) return { origin: { name, insecure: false }, blocked: false, mirrors: [] };
  const { rule, matched } = best;
  const at = (location: string): string => `${location}${name.slice(matched)}`;
  return {
    origin: { name: rule.location === undefined ? name : at(rule.location), insecure: rule.insecure },
    blocked: rule.blocked,
    mirrors: rule.mirrors.map(({ location, ...how }) => ({ ...how, name: at(location) })),
  };
}

/** How much of the name the prefix stands for. */
function matchedLength({ prefix, reach }: PlaceRule, name: string): number | undefined {
  if (prefix.startsWith('*.')) {
    const host = name.slice(0, name.indexOf('/'));
    return host.endsWith(prefix.slice(1)) ? host.length : undefined;
  }
  const isThis = name === prefix && reach !== 'below';
  const isBelow = name.startsWith(`${prefix}/`) && reach !== 'exact';
  return isThis || isBelow ? prefix.length : undefined;
}
