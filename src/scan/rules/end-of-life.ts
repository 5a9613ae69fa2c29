/** When the makers of a distribution release stop (or stopped) repairing it for everybody: dates they published. */
import type { Distro } from '#formats/sbom';

/** Last day of free security support by os-release ID and release. */
const dates: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  debian: {
    '7': '2018-05-31',
    '8': '2020-06-30',
    '9': '2022-06-30',
    '10': '2024-06-30',
    '11': '2026-08-31',
    '12': '2028-06-30',
    '13': '2030-06-30',
  },
  ubuntu: {
    '14.04': '2019-04-25',
    '16.04': '2021-04-30',
    '18.04': '2023-05-31',
    '20.04': '2025-05-31',
    '22.04': '2027-04-01',
    '22.10': '2023-07-20',
    '23.04': '2024-01-25',
    '23.10': '2024-07-11',
    '24.04': '2029-05-31',
    '24.10': '2025-07-10',
    '25.04': '2026-01-15',
  },
  alpine: {
    '3.13': '2022-11-01',
    '3.14': '2023-05-01',
    '3.15': '2023-11-01',
    '3.16': '2024-05-23',
    '3.17': '2024-11-22',
    '3.18': '2025-05-09',
    '3.19': '2025-11-01',
    '3.20': '2026-04-01',
    '3.21': '2026-11-01',
    '3.22': '2027-05-01',
  },
  centos: { '6': '2020-11-30', '7': '2024-06-30', '8': '2021-12-31' },
  rhel: { '6': '2020-11-30', '7': '2024-06-30', '8': '2029-05-31', '9': '2032-05-31', '10': '2035-05-31' },
  almalinux: { '8': '2029-03-01', '9': '2032-05-31', '10': '2035-05-31' },
  rocky: { '8': '2029-05-31', '9': '2032-05-31', '10': '2035-05-31' },
  amzn: { '1': '2023-12-31', '2': '2026-06-30', '2023': '2029-06-30' },
  fedora: { '38': '2024-05-21', '39': '2024-11-26', '40': '2025-05-13', '41': '2025-12-15' },
};

export interface EndOfLife {
  readonly distro: string;
  /** YYYY-MM-DD: the last day. */
  readonly date: string;
}

const DAY_MS = 86_400_000;

/** The release and its last day when that is over; undefined for a living or an unknown release. */
export function endOfLife(distro: Distro | undefined, nowMs: number): EndOfLife | undefined {
  if (distro?.versionId === undefined) return undefined;
  const [major = '', minor] = distro.versionId.split('.');
  const releases = dates[distro.id];
  const release = releases?.[major] === undefined ? `${major}.${minor ?? ''}` : major;
  const date = releases?.[release];
  if (date === undefined || nowMs < Date.parse(date) + DAY_MS) return undefined;
  return { distro: `${distro.id} ${release}`, date };
}
