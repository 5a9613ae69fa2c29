/** The house as data: rooms, their numbers, and the arrows between them (design: allowed arrows). */

const pureBase = ['base', 'formats'] as const;
const io = ['base', 'formats', 'platform'] as const;
const lower = [
  'base',
  'formats',
  'platform',
  'verify',
  'tlog',
  'oci',
  'trust',
  'identity',
  'doctor',
  'provenance',
  'facts',
  'policy',
  'sign',
  'sbom',
  'scan',
  'flows',
] as const;

/** room → rooms it may import. A room may always import itself, by `./`. */
export const allowedArrows: Readonly<Record<string, readonly string[]>> = {
  base: [],
  formats: ['base'],
  platform: ['base'],
  verify: pureBase,
  doctor: pureBase,
  provenance: pureBase,
  tlog: io,
  oci: io,
  trust: io,
  identity: io,
  policy: ['base', 'formats', 'provenance', 'verify'],
  facts: [...io, 'verify', 'oci'],
  sign: [...io, 'verify', 'identity'],
  sbom: [...io, 'oci'],
  scan: [...io, 'sbom'],
  flows: lower.filter((room) => room !== 'flows'),
  services: lower,
  page: ['base', 'formats', 'verify'],
  stack: [...lower, 'services'],
  cli: [...lower, 'services', 'stack'],
};

/** Rooms whose inside is open per subject; every other room has one door, its index.ts. */
export const openRooms: ReadonlySet<string> = new Set(['base', 'formats', 'platform', 'flows']);

/** Packages a room may take, where that is narrower than "any dependency". */
export const allowedPackages: Readonly<Record<string, readonly string[]>> = {
  base: ['node:crypto', 'node:util'],
  formats: ['spdx-expression-parse', 'yaml', 're2js', 'node:crypto'],
  verify: ['re2js', '@noble/curves/ed25519.js', '@noble/curves/abstract/edwards.js'],
  provenance: ['re2js'],
  policy: ['yaml', 're2js', '@marcbachmann/cel-js', 'jmespath'],
};

/** Rooms that must not reach for time, chance, disk, network or the environment. */
export const pureRooms: ReadonlySet<string> = new Set([
  'base',
  'formats',
  'verify',
  'doctor',
  'provenance',
  'policy',
]);

/** Rooms that build time, randomness and environment for everyone else. */
export const edgeRooms: ReadonlySet<string> = new Set(['platform', 'stack', 'cli']);
