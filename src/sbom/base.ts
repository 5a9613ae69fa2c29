/**
 * What the lower layers of an image come to: the squashed files and links, and what the cataloguers say of them. An
 * image on the same layers goes on from there. As one piece of bytes: a JSON head that says where what lies, then the
 * bytes.
 */
import { concat, utf8, utf8Text } from '#base/bytes';
import type { Distro, Unknown } from '#formats/sbom';
import type { LayerFacts } from './layer.ts';
import { type OwnedPaths, ownedOf } from './owned.ts';
import {
  isBelow,
  isCount,
  isDistro,
  isFacts,
  isFound,
  isListOf,
  isObjectOf,
  isText,
  isTuple,
  isUnknown,
  noRecord,
} from './record-form.ts';
import type { CataloguerResult, Stage } from './stage.ts';
import { ImageTree } from './tree.ts';
import type { Cataloguer, FoundPackage, ImageFile } from './types.ts';

export interface Base {
  readonly tree: ImageTree;
  readonly stage: Stage;
  /** Of each layer, the lowest first. */
  readonly layers: readonly LayerFacts[];
  /** Bytes that were kept of all layers, also of what is hidden now. */
  readonly kept: number;
  /** Of the layers, not those of the cataloguers. */
  readonly unknowns: readonly Unknown[];
}

type Owned = readonly [OwnedPaths['packed']['form'], number];

interface HeadResult {
  readonly name: string;
  readonly packages: readonly Omit<FoundPackage, 'owns'>[];
  /** Of each package that owns files. */
  readonly owns: readonly (readonly [number, Owned])[];
  readonly unknowns: readonly Unknown[];
  readonly asked: readonly string[];
}

interface Head extends Pick<Base, 'layers' | 'kept' | 'unknowns'> {
  /** Lengths of the parts behind the head. */
  readonly parts: readonly number[];
  /** Path, layer, number of its part, and name and number of each finding. */
  readonly files: readonly (readonly [string, number, number, readonly (readonly [string, number])[]])[];
  readonly links: readonly (readonly [string, string])[];
  readonly distro?: Distro | undefined;
  readonly results: readonly HeadResult[];
}

const LENGTH_BYTES = 4;

/** The parts, each once: lists of owned files are those of the tree. */
class Parts {
  readonly list: Uint8Array[] = [];
  readonly #numbers = new Map<Uint8Array, number>();

  number(bytes: Uint8Array): number {
    const known = this.#numbers.get(bytes);
    if (known !== undefined) return known;
    this.#numbers.set(bytes, this.list.length);
    return this.list.push(bytes) - 1;
  }
}

export function packBase({ tree, stage, layers, kept, unknowns }: Base): Uint8Array {
  const parts = new Parts();
  const files = tree.files.map((one): Head['files'][number] => {
    const findings = [...(one.findings ?? [])].map(([name, bytes]) => [name, parts.number(bytes)] as const);
    return [one.path, one.layer, parts.number(one.bytes), findings];
  });
  const { distro } = stage;
  const results = stage.results.flatMap((one) => packResult(one, parts));
  const lengths = parts.list.map((one) => one.length);
  const links = [...tree.linkTargets];
  const head: Head = { layers, kept, unknowns, parts: lengths, files, links, distro, results };
  const text = utf8(JSON.stringify(head));
  const length = new Uint8Array(LENGTH_BYTES);
  new DataView(length.buffer).setUint32(0, text.length);
  return concat(length, text, ...parts.list);
}

/** Nothing for a cataloguer that failed: it runs again. */
function packResult({ cataloguer, packages, unknowns, asked }: CataloguerResult, parts: Parts): HeadResult[] {
  if (asked === undefined) return [];
  const owns: HeadResult['owns'][number][] = [];
  const bare = packages.map(({ owns: owned, ...one }, at) => {
    if (owned !== undefined) owns.push([at, [owned.packed.form, parts.number(owned.packed.bytes)]]);
    return one;
  });
  return [{ name: cataloguer.name, packages: bare, owns, unknowns, asked: [...asked] }];
}

/** The fields that say how many of others there are; then what depends on these. */
const isOutline = (value: unknown): value is Head =>
  isObjectOf({ layers: isListOf(isFacts), parts: isListOf(isCount), results: isListOf(isObjectOf({})) })(
    value,
  );

function isHead(head: Head): boolean {
  const part = isBelow(head.parts.length);
  const layer = isBelow(head.layers.length);
  const isResult = (value: unknown): boolean => {
    const count = (value as { readonly packages?: { readonly length?: number } }).packages?.length ?? 0;
    const owned = isTuple((form) => form === 'lines' || form === 'paths', part);
    return isObjectOf({
      name: isText,
      packages: isListOf(isFound(count, head.layers.length)),
      owns: isListOf(isTuple(isBelow(count), owned)),
      unknowns: isListOf(isUnknown),
      asked: isListOf(isText),
    })(value);
  };
  return isObjectOf(
    {
      kept: isCount,
      unknowns: isListOf(isUnknown),
      files: isListOf(isTuple(isText, layer, part, isListOf(isTuple(isText, part)))),
      links: isListOf(isTuple(isText, isText)),
      results: isListOf(isResult),
    },
    { distro: isDistro },
  )(head);
}

/** For bytes `packBase` made with these cataloguers; throws for such as have not the form. */
export function unpackBase(packed: Uint8Array, cataloguers: readonly Cataloguer[]): Base {
  const bytes = new Uint8Array(packed.buffer, packed.byteOffset, packed.byteLength);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  const head: unknown = JSON.parse(utf8Text(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length)));
  if (!isOutline(head) || !isHead(head)) throw noRecord();
  let at = LENGTH_BYTES + length;
  const parts = head.parts.map((count) => {
    at += count;
    return bytes.subarray(at - count, at);
  });
  if (at !== bytes.length) throw noRecord();
  const part = (number: number): Uint8Array => parts[number] as Uint8Array;
  const files = head.files.map(([path, layer, number, findings]): ImageFile => {
    const file = { path, layer, bytes: part(number) };
    if (findings.length === 0) return file;
    return { ...file, findings: new Map(findings.map(([name, found]) => [name, part(found)])) };
  });
  const byName = new Map(cataloguers.map((one) => [one.name, one]));
  const results = head.results.flatMap((one): CataloguerResult[] => {
    const cataloguer = byName.get(one.name);
    if (cataloguer === undefined) return [];
    const packages: FoundPackage[] = [...one.packages];
    for (const [index, [form, number]] of one.owns) {
      packages[index] = { ...(packages[index] as FoundPackage), owns: ownedOf(form, part(number)) };
    }
    const { unknowns, asked } = one;
    return [{ cataloguer, packages, unknowns, asked: new Set(asked) }];
  });
  const { layers, kept, unknowns, links, distro } = head;
  return { tree: ImageTree.of(files, links), stage: { results, distro }, layers, kept, unknowns };
}
