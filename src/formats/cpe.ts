/** Names of products in the CPE 2.3 form (NIST IR 7695): read, written, and guessed for packages that bring none. */
import type { SbomPackage } from './sbom.ts';

export interface Cpe {
  /** `a` application, `o` operating system, `h` hardware. */
  readonly part: 'a' | 'o' | 'h';
  /** Unescaped; `*` any, `-` none. */
  readonly vendor: string;
  readonly product: string;
  readonly version: string;
  readonly update: string;
  /** What the product runs in: `node.js`, `python`, `wordpress`. */
  readonly targetSoftware: string;
}

const FIELDS = 13;

/** Undefined for what is no formatted string of version 2.3. */
export function parseCpe(text: string): Cpe | undefined {
  const fields = text.match(/(?:[^\\:]|\\.)+/gs) ?? [];
  const [cpe, version, part] = fields;
  const isForm = cpe === 'cpe' && version === '2.3' && fields.length === FIELDS;
  if (!isForm || (part !== 'a' && part !== 'o' && part !== 'h')) return undefined;
  const plain = (at: number): string => (fields[at] ?? '*').replace(/\\(.)/gs, '$1').toLowerCase();
  return {
    part,
    vendor: plain(3),
    product: plain(4),
    version: plain(5),
    update: plain(6),
    targetSoftware: plain(10),
  };
}

/** A value as it stands in a formatted string. */
export const escaped = (value: string): string => value.replace(/[^A-Za-z0-9._-]/g, '\\$&');

/** An application of a version; everything else is open. */
export const cpeText = (vendor: string, product: string, version: string, targetSoftware = '*'): string =>
  `cpe:2.3:a:${escaped(vendor)}:${escaped(product)}:${escaped(version)}:*:*:*:*:${escapedTarget(targetSoftware)}:*:*`;

const escapedTarget = (value: string): string => (value === '*' ? value : escaped(value));

type Named = Pick<SbomPackage, 'type' | 'name' | 'version'>;

/**
 * What catalogues of products probably call a package, the likeliest first. Guesses: a package index knows no vendor.
 * Nothing for a package whose name gives none, such as a Go module of a bare host.
 */
export function cpeCandidates(one: Named): readonly string[] {
  const { name, version } = one;
  if (name === '' || version === '') return [];
  const lower = name.toLowerCase();
  return pairsOf(one.type, lower).map(([vendor, product, target]) =>
    cpeText(vendor, product, version, target),
  );
}

type Pair = readonly [vendor: string, product: string, target?: string];

function pairsOf(type: string, name: string): readonly Pair[] {
  switch (type) {
    case 'maven':
      return mavenPairs(name);
    case 'golang':
      return goPairs(name);
    case 'cargo':
      return [
        [`${name}_project`, name, 'rust'],
        [name, name, 'rust'],
      ];
    case 'pypi':
      return [
        [`python-${name}`, name],
        [name, name],
        ['python', name],
      ];
    case 'npm': {
      const scope = /^@([^/]+)\//.exec(name)?.[1];
      return scope === undefined
        ? [[name, name]]
        : [
            [name, name],
            [scope, name],
          ];
    }
    case 'composer':
    case 'wordpress': {
      const [vendor = name, product = name] = name.split('/');
      return [[vendor, product]];
    }
    default:
      return [[name, name]];
  }
}

const domains = new Set(['com', 'org', 'net', 'io', 'edu', 'de', 'fr', 'dev', 'be']);

/** `org.apache.commons:commons-text` is a product of apache. */
function mavenPairs(name: string): readonly Pair[] {
  const colon = name.indexOf(':');
  const product = name.slice(colon + 1);
  if (colon < 0) return [[product, product]];
  const [first = '', second = ''] = name.slice(0, colon).split('.');
  const vendor = domains.has(first) && second !== '' ? second : first;
  return vendor === product
    ? [[vendor, product]]
    : [
        [vendor, product],
        [product, product],
      ];
}

/** `github.com/docker/cli/v2` is the cli of docker; `golang.org/x/text` is golang's. */
function goPairs(name: string): readonly Pair[] {
  if (name === 'stdlib') return [['golang', 'go']];
  const own = /^golang\.org\/x\/([^/]+)/.exec(name)?.[1];
  if (own !== undefined) {
    return [
      ['golang', `x/${own}`],
      ['golang', own],
    ];
  }
  const [, vendor, product] = name.replace(/\/v\d+$/, '').split('/');
  return vendor === undefined || product === undefined ? [] : [[vendor, product]];
}
