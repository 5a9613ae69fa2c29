/** The stations of a stack, in the order of their ports. */
import { fail } from '#base/reason';
import { R } from './reasons.ts';

export const stations = [
  { name: 'oidc', title: 'OIDC issuer (development)' },
  { name: 'ca', title: 'certificate authority' },
  { name: 'ct', title: 'certificate log' },
  { name: 'log', title: 'transparency log, API v1' },
  { name: 'log2', title: 'transparency log, API v2' },
  { name: 'tsa', title: 'timestamp authority' },
  { name: 'tuf', title: 'TUF repository' },
  { name: 'registry', title: 'OCI registry' },
  { name: 'audit', title: 'page, and lineage through the logs' },
] as const;
export type StationName = (typeof stations)[number]['name'];

/** Below the data directory: images, and what is attached to them. */
export const REGISTRY_FOLDER = 'registry';

/** Origins, `http://127.0.0.1:PORT`. */
export type Origins = Readonly<Record<StationName, string>>;

export const PORT_BASE_DEFAULT = 18_400;

/**
 * The port a station asks for: its place after `base`, or 0 when `base` is 0 and no earlier start is known.
 * Throws WB-1205.
 */
export function portOf(name: StationName, base: number, before: Partial<Origins>): number {
  if (!Number.isInteger(base) || (base !== 0 && (base < 1024 || base > 65_500))) {
    throw fail(R.portBase, { expected: '0 or 1024–65500', actual: String(base) });
  }
  if (base !== 0) return base + stations.findIndex((station) => station.name === name);
  const kept = before[name];
  return kept === undefined ? 0 : Number(new URL(kept).port);
}
