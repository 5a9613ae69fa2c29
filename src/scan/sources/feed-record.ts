/** Records made from feeds that are no OSV: one problem, entries for packages of releases. */
import type { OsvAffected, OsvRecord } from '#formats/osv';

/** A record with nothing but its id; `rest` fills in what the feed says. */
export const feedRecord = (id: string, rest: Partial<OsvRecord>): OsvRecord => ({
  id,
  aliases: [],
  upstream: [],
  related: [],
  cwes: [],
  references: [],
  summary: '',
  severity: [],
  affected: [],
  databaseSpecific: {},
  ...rest,
});

/** An entry for all versions below `fixed`; without one, for all. A fix of `0` says "never affected". */
export const feedEntry = (
  ecosystem: string,
  name: string,
  fixed: string | undefined,
  rest: Partial<OsvAffected> = {},
): OsvAffected => ({
  ecosystem,
  name,
  ranges: [{ type: 'ECOSYSTEM', events: [{ introduced: '0' }, ...(fixed === undefined ? [] : [{ fixed }])] }],
  versions: [],
  severity: [],
  ecosystemSpecific: {},
  databaseSpecific: {},
  ...rest,
});

export const isCve = (id: string): boolean => /^CVE-\d{4}-\d{4,}$/.test(id);

/** Collects entries of one problem from several places of a feed. */
export class RecordsById {
  readonly #records = new Map<string, OsvRecord>();

  add(record: OsvRecord): void {
    const known = this.#records.get(record.id);
    const affected = [...(known?.affected ?? []), ...record.affected];
    this.#records.set(record.id, known === undefined ? record : { ...known, affected });
  }

  get all(): readonly OsvRecord[] {
    return [...this.#records.values()];
  }
}
