/**
 * The same question for three scanners: advisories of many ecosystems, and an SBOM with packages at and around every
 * bound of their ranges. Records of Go, npm, PyPI, crates.io, Packagist and AlmaLinux are the published ones; of Maven,
 * RubyGems, Debian and Alpine no records may be shipped, so theirs are made from pairs of real versions whose order is
 * known. Records of programs (Bitnami) are asked about as products, by CPE. Aliases are left out: what is compared is whether a version is affected.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';

const shared = process.env['WAYBILL_SHARED'] ?? '../shared';

export interface Event {
  readonly introduced?: string;
  readonly fixed?: string;
  readonly last_affected?: string;
}

export interface OsvRecord {
  readonly id: string;
  readonly summary: string;
  readonly affected: readonly {
    readonly package: { readonly ecosystem: string; readonly name: string };
    readonly ranges?: readonly { readonly type: string; readonly events: readonly Event[] }[];
    readonly versions?: readonly string[];
  }[];
}

/** A package of the SBOM. */
export interface Subject {
  readonly ecosystem: string;
  readonly name: string;
  readonly version: string;
}

interface Published {
  readonly ecosystem: string;
  readonly file: string;
  /** Every so many-th record is taken, of which a scanner may ask for several times as many. See `taken`. */
  readonly oneIn: number;
}

/** `WAYBILL_RECORDS`: so many times as many records as usual, or `all` of them, which takes hours. */
const asked = process.env['WAYBILL_RECORDS'] ?? '1';
const wider = asked === 'all' ? Number.POSITIVE_INFINITY : Number(asked);
if (!(wider >= 1)) throw new Error(`WAYBILL_RECORDS must be all or a number of at least 1, not ${asked}`);

/** Whether the record of this number is among those that are compared. */
export const taken = (oneIn: number, i: number, times = 1): boolean =>
  i % Math.max(1, Math.round(oneIn / (times * wider))) === 0;

const published: readonly Published[] = [
  { ecosystem: 'Go', file: 'golang-vulndb.jsonl.zst', oneIn: 60 },
  { ecosystem: 'npm', file: 'retirejs-npm.jsonl.zst', oneIn: 12 },
  { ecosystem: 'PyPI', file: 'pypa.jsonl.zst', oneIn: 20 },
  { ecosystem: 'crates.io', file: 'rustsec.jsonl.zst', oneIn: 16 },
  { ecosystem: 'Packagist', file: 'friendsofphp.jsonl.zst', oneIn: 24 },
  { ecosystem: 'AlmaLinux:9', file: 'almalinux.jsonl.zst', oneIn: 200 },
];

/** Records of programs, asked about as products: `vendor:product` in the ecosystem of CPEs. */
const products: Published = { ecosystem: 'Bitnami', file: 'bitnami.jsonl.zst', oneIn: 60 };

const asProduct = (one: OsvRecord): OsvRecord => ({
  ...one,
  affected: one.affected.map((entry) => ({
    ...entry,
    package: { ecosystem: 'CPE', name: `${entry.package.name}:${entry.package.name}` },
  })),
});

/** Files with rows `A < B`, and the ecosystem whose order they show. */
const ordered: readonly Published[] = [
  { ecosystem: 'Maven', file: 'maven-versions-generated.txt', oneIn: 190 },
  { ecosystem: 'RubyGems', file: 'rubygems-versions-generated.txt', oneIn: 50 },
  { ecosystem: 'Debian:12', file: 'debian-versions-generated.txt', oneIn: 180 },
  { ecosystem: 'Alpine:v3.18', file: 'alpine-versions-generated.txt', oneIn: 180 },
];

function publishedRecords({ ecosystem, file, oneIn }: Published, times: number): OsvRecord[] {
  const path = join(shared, 'advisories', file);
  if (!existsSync(path)) throw new Error(`${path} is absent: nothing to compare verdicts on`);
  const lines = zstdDecompressSync(readFileSync(path)).toString().trim().split('\n');
  return lines
    .filter((_, i) => taken(oneIn, i, times))
    .map((line) => JSON.parse(line) as OsvRecord & { withdrawn?: string })
    .filter((one) => one.withdrawn === undefined && !/^AL[BE]A-/.test(one.id) && !isNotice(one))
    .map(({ id, summary, affected }) => ({
      id,
      summary: summary ?? id,
      affected: affected
        .filter((entry) => entry.package.ecosystem === ecosystem)
        .map(({ package: named, ranges, versions }) => ({
          package: { ecosystem: named.ecosystem, name: named.name },
          ...(ranges === undefined ? {} : { ranges: ranges.filter(({ type }) => type !== 'GIT') }),
          ...(versions === undefined ? {} : { versions }),
        })),
    }))
    .filter(({ affected }) => affected.length > 0);
}

/** "Unmaintained" is no vulnerability; we leave it out when a database is built. */
const isNotice = (one: OsvRecord): boolean =>
  one.affected?.some(
    (entry) =>
      (entry as { database_specific?: { informational?: string } }).database_specific?.informational !==
      undefined,
  );

function orderedRecords({ ecosystem, file, oneIn }: Published, times: number): OsvRecord[] {
  const path = join(shared, 'vectors/versions', file);
  if (!existsSync(path)) throw new Error(`${path} is absent: nothing to compare verdicts on`);
  const rows = readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const match = /^(\S+) < (\S+)$/.exec(line);
      return match === null ? [] : [[match[1] as string, match[2] as string] as const];
    })
    .filter((_, i) => taken(oneIn, i, times));
  const isSystem = ecosystem.includes(':');
  const group = ecosystem === 'Maven' ? 'example.pairs:' : '';
  return rows.map(([low, high], i) => ({
    id: `${ecosystem.replace(/:.*/, '').toUpperCase()}-${i}`,
    summary: `below ${high}`,
    affected: [
      {
        package: { ecosystem, name: `${group}pair-${i}` },
        // What distributions publish has no lower bound.
        ranges: [{ type: 'ECOSYSTEM', events: [{ introduced: isSystem ? '0' : low }, { fixed: high }] }],
      },
    ],
  }));
}

/** Every bound, and the version next to it where that is a plain number. */
function subjectsOf(record: OsvRecord): Subject[] {
  return record.affected.flatMap(({ package: { ecosystem, name }, ranges = [], versions = [] }) => {
    const bounds = ranges.flatMap(({ events }) =>
      events.flatMap(({ introduced, fixed, last_affected: last }) => {
        const bound = introduced ?? fixed ?? last ?? '';
        return bound === '0' ? ['0.0.1'] : [bound, ...neighbours(bound)];
      }),
    );
    return [...new Set([...bounds, ...versions.slice(0, 2)])].map((version) => ({
      ecosystem,
      name,
      version,
    }));
  });
}

function neighbours(bound: string): string[] {
  const match = /^(\d+\.\d+\.)(\d{1,9})$/.exec(bound);
  if (match === null) return [];
  const [, head = '', last = ''] = match;
  return [`${head}${Number(last) + 1}`, ...(last === '0' ? [] : [`${head}${Number(last) - 1}`])];
}

interface System {
  readonly id: string;
  readonly versionId: string;
}

/** One document has one operating system. */
const systems: Readonly<Record<string, System>> = {
  'Debian:12': { id: 'debian', versionId: '12' },
  'Alpine:v3.18': { id: 'alpine', versionId: '3.18.4' },
  // The one word for it that all three know.
  'AlmaLinux:9': { id: 'alma', versionId: '9.4' },
};

const purlTypes: Readonly<Record<string, string>> = {
  Go: 'golang',
  npm: 'npm',
  PyPI: 'pypi',
  'crates.io': 'cargo',
  Packagist: 'composer',
  Maven: 'maven',
  RubyGems: 'gem',
  'Debian:12': 'deb/debian',
  'Alpine:v3.18': 'apk/alpine',
  'AlmaLinux:9': 'rpm/alma',
  CPE: 'generic',
};

function cpeOf({ name, version }: Subject): string {
  const escaped = version.replace(/[^A-Za-z0-9._-]/g, '\\$&');
  return `cpe:2.3:a:${name}:${escaped}:*:*:*:*:*:*:*`;
}

function purlOf({ ecosystem, name, version }: Subject): string {
  const system = systems[ecosystem];
  const path = name.replace(':', '/').split('/').map(encodeURIComponent).join('/');
  // An rpm writes its epoch beside the version.
  const [, epoch, plain = version] =
    purlTypes[ecosystem]?.startsWith('rpm/') === true ? (/^(?:(\d+):)?(.*)$/.exec(version) ?? []) : [];
  const asked = [
    ...(system === undefined ? [] : [`distro=${system.id}-${system.versionId}`]),
    ...(epoch === undefined ? [] : [`epoch=${epoch}`]),
  ];
  const query = asked.length === 0 ? '' : `?${asked.join('&')}`;
  const go = ecosystem === 'Go' ? 'v' : '';
  return `pkg:${purlTypes[ecosystem]}/${path}@${go}${encodeURIComponent(plain)}${query}`;
}

function component(subject: Subject, index: number): object {
  if (subject.ecosystem === 'CPE') return program(subject, index);
  const colon = subject.name.indexOf(':');
  const group = colon < 0 ? {} : { group: subject.name.slice(0, colon) };
  const version = subject.ecosystem === 'Go' ? `v${subject.version}` : subject.version;
  return {
    type: 'library',
    'bom-ref': String(index),
    ...group,
    name: subject.name.slice(colon + 1),
    version,
    purl: purlOf(subject),
  };
}

function program(subject: Subject, index: number): object {
  const name = subject.name.slice(subject.name.indexOf(':') + 1);
  return {
    type: 'application',
    'bom-ref': String(index),
    name,
    version: subject.version,
    cpe: cpeOf(subject),
    purl: purlOf({ ...subject, name }),
    properties: [{ name: 'syft:package:type', value: 'binary' }],
  };
}

function documentOf(subjects: readonly Subject[], system: System | undefined): string {
  const os =
    system === undefined
      ? []
      : [
          {
            type: 'operating-system',
            'bom-ref': 'os',
            name: system.id,
            version: system.versionId,
            properties: [
              { name: 'syft:distro:id', value: system.id },
              { name: 'syft:distro:versionID', value: system.versionId },
            ],
          },
        ];
  return JSON.stringify({
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: { component: { type: 'container', 'bom-ref': 'root', name: 'app', version: 'sha256:0' } },
    components: [...os, ...subjects.map(component)],
  });
}

export interface Verdict extends Subject {
  readonly id: string;
}

/** Names and versions as all write them: Maven with its group, Go without the `v`, rpm without its epoch. */
export const keyOf = ({ id, name, version }: Pick<Verdict, 'id' | 'name' | 'version'>): string =>
  `${id} ${name.replace(/^example\.pairs:/, '')} ${version.replace(/^v(?=\d)/, '').replace(/^\d+:(?=.*\.el\d)/, '')}`;

export interface World {
  readonly folder: string;
  /** Folder of OSV files. */
  readonly records: string;
  /** Documents by the ecosystem of their operating system; `''` holds the languages. */
  readonly documents: ReadonlyMap<string, string>;
  /** Ecosystem of the record a key is about. */
  ecosystemOf(key: string): string;
  /** The record a key is about. */
  recordOf(key: string): OsvRecord | undefined;
  readonly subjects: readonly Subject[];
  run(program: string, args: readonly string[], env?: Readonly<Record<string, string>>): string;
  /** Keys of what `waybill scan` finds in all documents. */
  ours(): Set<string>;
  close(): void;
}

/**
 * `withProducts`: for a scanner that matches by CPE. `times`: so many records more than of the least, as it can be asked
 * about in two minutes.
 */
export function makeWorld(name: string, { withProducts = false, times = 1 } = {}): World {
  const folder = mkdtempSync(join(tmpdir(), `waybill-${name}-`));
  const at = (path: string): string => join(folder, path);
  mkdirSync(at('osv'));
  const records = [
    ...published.flatMap((one) => publishedRecords(one, times)),
    ...ordered.flatMap((one) => orderedRecords(one, times)),
    ...(withProducts ? publishedRecords(products, times).map(asProduct) : []),
  ];
  for (const one of records) {
    writeFileSync(join(at('osv'), `${one.id.replace(/[^\w.-]/g, '_')}.json`), JSON.stringify(one));
  }
  const all = new Map<string, Subject>();
  for (const one of records.flatMap(subjectsOf)) {
    all.set(`${one.ecosystem} ${one.name} ${one.version}`, one);
  }
  const subjects = [...all.values()];
  const bySystem = Map.groupBy(subjects, (one) => (one.ecosystem in systems ? one.ecosystem : ''));
  const documents = new Map<string, string>();
  for (const [system, list] of bySystem) {
    const file = at(`sbom-${system.replace(/\W/g, '-')}.json`);
    writeFileSync(file, documentOf(list, systems[system]));
    documents.set(system, file);
  }
  const byId = new Map(records.map((one) => [one.id, one]));
  const recordOf = (key: string): OsvRecord | undefined => byId.get(key.slice(0, key.indexOf(' ')));
  const run: World['run'] = (program, args, env = {}) => {
    const ran = spawnSync(program, args, {
      encoding: 'utf8',
      cwd: folder,
      env: { ...process.env, ...env },
      maxBuffer: 1 << 30,
    });
    if (ran.status === 0 || ran.status === 2) return ran.stdout;
    throw new Error(`${program} ${args.join(' ')}: ${ran.stderr}`);
  };
  const waybill = resolve('bin/waybill');
  execFileSync(waybill, ['db', 'build', at('osv'), '--out', at('waybill.db')], { stdio: 'pipe' });
  return {
    folder,
    records: at('osv'),
    documents,
    subjects,
    recordOf,
    ecosystemOf: (key) => recordOf(key)?.affected[0]?.package.ecosystem ?? '?',
    run,
    ours: () =>
      new Set(
        [...documents.values()].flatMap((file) => {
          const json = run(waybill, ['scan', `sbom:${file}`, '-o', 'json', '--db', at('waybill.db')]);
          const { findings } = JSON.parse(json) as {
            findings: { advisories: string[]; package: { name: string; version: string } }[];
          };
          return findings.flatMap(({ advisories, package: one }) =>
            advisories.map((id) => keyOf({ id, ...one })),
          );
        }),
      ),
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** A kind of difference that was looked at, with the reason why it stands. */
export interface Reviewed {
  readonly why: string;
  readonly side: 'only we' | 'only they';
  readonly isIt: (key: string, record: OsvRecord | undefined) => boolean;
}

/** Prints agreement by ecosystem and what is reviewed; gives back the differences nobody has looked at. */
export function compareVerdicts(
  world: World,
  mine: ReadonlySet<string>,
  theirs: ReadonlySet<string>,
  reviewed: readonly Reviewed[],
): string[] {
  const open: string[] = [];
  const counts = new Map<Reviewed, number>();
  const shared = new Map<string, number>();
  const judge = (key: string, side: Reviewed['side']): void => {
    const ecosystem = world.ecosystemOf(key);
    const rule = reviewed.find((one) => one.side === side && one.isIt(key, world.recordOf(key)));
    if (rule === undefined) open.push(`${side}: ${ecosystem} ${key}`);
    else counts.set(rule, (counts.get(rule) ?? 0) + 1);
  };
  for (const key of mine) {
    if (!theirs.has(key)) judge(key, 'only we');
    else shared.set(world.ecosystemOf(key), (shared.get(world.ecosystemOf(key)) ?? 0) + 1);
  }
  for (const key of theirs) if (!mine.has(key)) judge(key, 'only they');
  const packages = Map.groupBy(world.subjects, (one) => one.ecosystem);
  for (const [ecosystem, list] of packages) {
    console.log(`${ecosystem}: ${list.length} packages, ${shared.get(ecosystem) ?? 0} findings of both`);
  }
  for (const [{ why, side }, count] of counts) console.log(`reviewed, ${side}, ${count}: ${why}`);
  for (const rule of reviewed) if (!counts.has(rule)) open.push(`a rule nothing needs: ${rule.why}`);
  return open;
}
