/** Debian's security tracker: per source package and CVE, the state in each release. */
import { isJsonObject, type JsonObject, own } from '#formats/json';
import type { OsvAffected, OsvRecord } from '#formats/osv';
import { feedEntry, feedRecord, isCve, RecordsById } from './feed-record.ts';

const releases: Readonly<Record<string, string>> = {
  jessie: '8',
  stretch: '9',
  buster: '10',
  bullseye: '11',
  bookworm: '12',
  trixie: '13',
  forky: '14',
  duke: '15',
};

/** Package → ids → what is known; the first package with ids tells. */
export function isDebianTracker(json: JsonObject): boolean {
  const first = Object.values(json).find((one) => isJsonObject(one) && Object.keys(one).length > 0);
  if (!isJsonObject(first)) return false;
  const [id = '', facts] = Object.entries(first)[0] ?? [];
  return /^(?:CVE|TEMP)-/.test(id) && isJsonObject(facts) && isJsonObject(own(facts, 'releases'));
}

export function readDebianTracker(json: JsonObject): readonly OsvRecord[] {
  const found = new RecordsById();
  for (const [name, problems] of Object.entries(json)) {
    if (!isJsonObject(problems)) continue;
    for (const [id, facts] of Object.entries(problems)) {
      const states = isJsonObject(facts) ? own(facts, 'releases') : undefined;
      if (!isJsonObject(facts) || !isJsonObject(states)) continue;
      const affected = Object.entries(states).flatMap(([release, state]) =>
        isJsonObject(state) ? entryOf(name, releases[release], state) : [],
      );
      if (affected.length === 0) continue;
      const text = own(facts, 'description');
      const summary = typeof text === 'string' ? (text.split('\n')[0] ?? '').slice(0, 300) : '';
      found.add(feedRecord(`DEBIAN-${id}`, { aliases: isCve(id) ? [id] : [], summary, affected }));
    }
  }
  return found.all;
}

function entryOf(name: string, release: string | undefined, state: JsonObject): OsvAffected[] {
  if (release === undefined) return [];
  const ecosystem = `Debian:${release}`;
  const urgency = String(own(state, 'urgency') ?? '');
  const ecosystemSpecific = urgency === '' ? {} : { urgency };
  const fixed = own(state, 'fixed_version');
  switch (own(state, 'status')) {
    case 'resolved':
      return typeof fixed === 'string' ? [feedEntry(ecosystem, name, fixed, { ecosystemSpecific })] : [];
    case 'open': {
      const isLeft =
        own(state, 'nodsa') !== undefined || urgency === 'unimportant' || urgency === 'end-of-life';
      const isLater = own(state, 'nodsa_reason') === 'postponed';
      const stated = { state: isLeft && !isLater ? 'wont-fix' : 'not-fixed', ecosystemSpecific } as const;
      return [feedEntry(ecosystem, name, undefined, stated)];
    }
    default:
      // Undetermined: Debian itself cannot say whether this release is affected.
      return [];
  }
}
