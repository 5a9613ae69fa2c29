/** How much of what another tool finds in an image we find too, by type, and which differences were looked at. */

import { sbomImage } from '#flows/sbom-image';
import type { Sbom } from '#formats/sbom';
import { Registry } from '#oci';
import type { RealImage } from './sbom-images.ts';

export interface Artifact {
  /** As purls name it. */
  readonly type: string;
  readonly name: string;
  readonly version: string;
  readonly path?: string;
}

/** A kind of package the other tool lists and we do not, with the reason why that is right. */
export interface Reviewed {
  readonly why: string;
  readonly isIt: (one: Artifact, ours: Sbom) => boolean;
}

/** Of rpm, by either tool. */
export const keysOfSigners: Reviewed = {
  why: 'the key of a signer: the database of rpm keeps it like a package, of no files; there is no software in it',
  isIt: ({ type, name }) => type === 'rpm' && name === 'gpg-pubkey',
};

export const RECALL_MIN = 0.99;

const none = (): Promise<never> => Promise.reject(new Error('an image on disk needs no network'));

export async function ours(image: RealImage): Promise<Sbom> {
  const registry = new Registry({ transport: { request: none, stream: none } });
  return (await sbomImage(registry, `oci:${image.folder}`, { version: 'test' })).sbom;
}

/** Maven without the group, which not everybody reads; names as package indexes compare them; no `go` of Go. */
export function keyOf({ type, name, version }: Artifact): string {
  const bare = type === 'maven' ? name.slice(name.indexOf(':') + 1) : name;
  const bareVersion = bare === 'stdlib' ? version.replace(/^v?(?:go)?/, '') : version;
  // An epoch of nought is none.
  const plain = type === 'rpm' ? bareVersion.replace(/^0:/, '') : bareVersion;
  return `${nameKeyOf({ type, name: bare, version })} ${plain}`;
}

function nameKeyOf({ type, name }: Artifact): string {
  const bare = type === 'maven' ? name.slice(name.indexOf(':') + 1) : name;
  return `${type} ${(type === 'pypi' ? bare.replace(/[-_.]+/g, '-') : bare).toLowerCase()}`;
}

const placeKeyOf = ({ type, path }: Pick<Artifact, 'type' | 'path'>): string =>
  `${type} in ${path?.replace(/^\//, '')}`;

/** The other tool found a package and no version of it. */
const isVersionless = ({ version }: Artifact): boolean => ['', 'UNKNOWN', '(devel)'].includes(version);

interface Count {
  found: number;
  all: number;
}

export class Recall {
  readonly #tool: string;
  readonly #rules: readonly Reviewed[];
  readonly #used = new Map<Reviewed, number>();
  readonly #byType = new Map<string, Count>();
  /** Packages nobody has looked at, and rules that nothing needs. */
  readonly open: string[] = [];

  constructor(tool: string, rules: readonly Reviewed[]) {
    this.#tool = tool;
    this.#rules = rules;
  }

  /** Prints a line a type: how many of theirs are among ours; and one for each difference that was looked at. */
  compare(image: RealImage, sbom: Sbom, theirs: readonly Artifact[]): void {
    const places = (one: Sbom['packages'][number]): string[] =>
      one.locations.map(({ path }) => placeKeyOf({ ...one, path }));
    const found = new Set(sbom.packages.flatMap((one) => [keyOf(one), nameKeyOf(one), ...places(one)]));
    // An archive that only its file names is the one we have from there, whatever its own Maven files call it.
    const isFound = (one: Artifact): boolean =>
      isVersionless(one) ? found.has(nameKeyOf(one)) || found.has(placeKeyOf(one)) : found.has(keyOf(one));
    for (const [type, list] of Map.groupBy(theirs, (one) => one.type)) {
      const all = new Map(list.map((one) => [keyOf(one), one]));
      const missing = [...all.values()].filter((one) => !isFound(one));
      const byName = [...all.values()].filter((one) => isVersionless(one) && isFound(one)).length;
      const count = this.#byType.get(type) ?? { found: 0, all: 0 };
      count.found += all.size - missing.length;
      count.all += all.size;
      this.#byType.set(type, count);
      const bare = byName === 0 ? '' : `, ${byName} of them by name or place: ${this.#tool} has no version`;
      console.log(
        `${image.name} ${type}: ${all.size - missing.length} of ${all.size} of ${this.#tool}${bare}`,
      );
      for (const one of missing) this.#judge(image, one, sbom);
    }
  }

  #judge(image: RealImage, one: Artifact, sbom: Sbom): void {
    const text = `${image.name}: ${one.type} ${one.name} ${one.version} in ${one.path ?? '?'}`;
    const rule = this.#rules.find(({ isIt }) => isIt(one, sbom));
    if (rule === undefined) {
      this.open.push(text);
      return;
    }
    this.#used.set(rule, (this.#used.get(rule) ?? 0) + 1);
    console.log(`  reviewed: ${text}: ${rule.why}`);
  }

  /** The reviewed list with how often each kind was met, and how much was found of each type in all images. */
  finish(): void {
    for (const rule of this.#rules) {
      const count = this.#used.get(rule) ?? 0;
      console.log(`reviewed, ${count} of ${this.#tool}: ${rule.why}`);
    }
    for (const [type, { found, all }] of this.#byType) {
      console.log(`${type} in all images: ${found} of ${all}, ${((100 * found) / all).toFixed(2)} %`);
      if (found / all < RECALL_MIN) this.open.push(`${type}: ${found} of ${all} are less than 99 %`);
    }
  }
}
