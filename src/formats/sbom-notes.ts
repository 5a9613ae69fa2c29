/**
 * What SPDX has no place for, as annotations: what could not be read, the release of the operating system, and of a
 * package what its package URL does not say. A scan of the document then finds what one of the image finds.
 */
import type { JsonObject } from './json.ts';
import { isJsonObject, parseJson } from './json.ts';
import { parsePurl } from './purl.ts';
import type { Distro, Sbom, SbomPackage, SbomSubject, Unknown } from './sbom.ts';
import { given, object, readUnknown, sourceOfPurl, text, texts, unknownText } from './sbom-parts.ts';

/** What stands before the JSON of each kind of annotation. */
const marks = {
  unknown: 'waybill:unknown ',
  image: 'waybill:image ',
  package: 'waybill:package ',
} as const;

/** How Syft's SPDX documents say that a package's files belong to another package, in a comment on `OTHER`. */
export const OWNERSHIP = 'ownership-by-file-overlap';

/** Texts of annotations of a document, or of its parts. */
export type Notes = readonly (string | undefined)[];

export const unknownNote = (one: Unknown): string => `${marks.unknown}${unknownText(one)}`;

/** Those among the texts of annotations. */
export const unknownsInNotes = (notes: Notes): Unknown[] =>
  marked(notes, marks.unknown).map((found) => readUnknown(found));

/** Undefined where there is nothing to say. */
export function imageNote({ subject, distro }: Sbom): string | undefined {
  const { tag, os, architecture } = subject;
  const facts = { ...given('distro', distro), ...given('tag', tag), ...given('os', os) };
  const all = { ...facts, ...given('architecture', architecture) };
  return Object.keys(all).length === 0 ? undefined : `${marks.image}${JSON.stringify(all)}`;
}

export interface ImageFacts {
  readonly distro?: Distro;
  readonly subject: Pick<SbomSubject, 'tag' | 'os' | 'architecture'>;
}

export function imageInNotes(notes: Notes): ImageFacts {
  const facts = jsonIn(notes, marks.image);
  const distro = object(facts, 'distro');
  const id = text(distro, 'id');
  return {
    ...(id === undefined
      ? {}
      : {
          distro: {
            id,
            ...given('versionId', text(distro, 'versionId')),
            idLike: texts(distro, 'idLike'),
            ...given('prettyName', text(distro, 'prettyName')),
          },
        }),
    subject: {
      ...given('tag', text(facts, 'tag')),
      ...given('os', text(facts, 'os')),
      ...given('architecture', text(facts, 'architecture')),
    },
  };
}

/** Undefined where the package URL says it all. */
export function packageNote(one: SbomPackage): string | undefined {
  const parsed = parsePurl(one.purl ?? '', { lenient: true });
  const purl = parsed.ok ? parsed.value : undefined;
  const { source } = sourceOfPurl(purl);
  const isOther = one.source?.name !== source?.name || one.source?.version !== source?.version;
  const facts = {
    ...(purl === undefined ? { type: one.type } : {}),
    ...(one.architecture === purl?.qualifiers.get('arch') ? {} : given('architecture', one.architecture)),
    ...(isOther ? given('source', one.source) : {}),
  };
  return Object.keys(facts).length === 0 ? undefined : `${marks.package}${JSON.stringify(facts)}`;
}

export interface PackageFacts {
  readonly type?: string;
  readonly rest: Pick<SbomPackage, 'architecture' | 'source'>;
}

export function packageInNotes(notes: Notes): PackageFacts {
  const facts = jsonIn(notes, marks.package);
  const source = object(facts, 'source');
  const name = text(source, 'name');
  return {
    ...given('type', text(facts, 'type')),
    rest: {
      ...given('architecture', text(facts, 'architecture')),
      ...(name === undefined ? {} : { source: { name, ...given('version', text(source, 'version')) } }),
    },
  };
}

/** `found by dpkg in /a, /b`: where our documents say a package was found. */
export function placesIn(sourceInfo: string | undefined): {
  readonly foundBy?: string;
  readonly locations: SbomPackage['locations'];
} {
  const [, foundBy, places] = /^found by (\S+) in \/(.*)$/s.exec(sourceInfo ?? '') ?? [];
  if (foundBy === undefined || places === undefined) return { locations: [] };
  return { foundBy, locations: places.split(', /').map((path) => ({ path })) };
}

function marked(notes: Notes, mark: string): string[] {
  return notes.flatMap((note) => (note?.startsWith(mark) === true ? [note.slice(mark.length)] : []));
}

function jsonIn(notes: Notes, mark: string): JsonObject | undefined {
  const [found] = marked(notes, mark);
  const parsed = found === undefined ? undefined : parseJson(found);
  return parsed?.ok === true && isJsonObject(parsed.value) ? parsed.value : undefined;
}
