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

export const RECALL_MIN = 0.99;
/** Where a hundred packages are few, one may be missing and no more. */
const OPEN_MAX = 3;

const none = (): Promise<never> => Promise.reject(new Error('an image on disk needs no network'));

export async function ours(image: RealImage): Promise<Sbom> {
  const registry = new Registry({ transport: { request: none, stream: none } });
  return (await sbomImage(registry, `oci:${image.folder}`, { version: 'test' })).sbom;
}

/** Maven without the group, which not everybody reads; names as package indexes compare them; no `go` of Go. */
export function keyOf({ type, name, version }: Artifact): string {
  const bare = type === 'maven' ? name.slice(name.indexOf(':') + 1) : name;
  const plain = bare === 'stdlib' ? version.replace(/^v?(?:go)?/, '') : version;
  const letters = type === 'pypi' ? bare.replace(/[-_.]+/g, '-') : bare;
  return `${type} ${letters.toLowerCase()} ${plain}`;
}

export class Recall {
  readonly #tool: string;
  readonly #rules: readonly Reviewed[];
  readonly #used = new Map<Reviewed, number>();
  /** Packages nobody has looked at, in types where too many are missing. */
  readonly open: string[] = [];

  constructor(tool: string, rules: readonly Reviewed[]) {
    this.#tool = tool;
    this.#rules = rules;
  }

  /** Prints a line a type: how many of theirs are among ours. */
  compare(image: RealImage, sbom: Sbom, theirs: readonly Artifact[]): void {
    const found = new Set(sbom.packages.map(keyOf));
    for (const [type, list] of Map.groupBy(theirs, (one) => one.type)) {
      const all = new Map(list.map((one) => [keyOf(one), one]));
      const missing = [...all.values()].filter((one) => !found.has(keyOf(one)));
      const open = missing.filter((one) => !this.#isReviewed(one, sbom));
      const reviewed = missing.length - open.length;
      console.log(
        `${image.name} ${type}: ${all.size - missing.length} of ${all.size} of ${this.#tool}` +
          `${reviewed === 0 ? '' : `, ${reviewed} reviewed`}${open.length === 0 ? '' : `, ${open.length} open`}`,
      );
      if ((all.size - open.length) / all.size >= RECALL_MIN && open.length <= OPEN_MAX) continue;
      this.open.push(...open.slice(0, 20).map((one) => `${image.name}: ${keyOf(one)} in ${one.path}`));
    }
  }

  #isReviewed(one: Artifact, sbom: Sbom): boolean {
    const rule = this.#rules.find(({ isIt }) => isIt(one, sbom));
    if (rule !== undefined) this.#used.set(rule, (this.#used.get(rule) ?? 0) + 1);
    return rule !== undefined;
  }

  /** The reviewed list with how often each kind was met. */
  printReviewed(): void {
    for (const [{ why }, count] of this.#used) console.log(`reviewed, ${count} of ${this.#tool}: ${why}`);
  }
}
