/** What the linter says, and what a rule sees. */
import type { Fields, Position, YamlNode } from '../document.ts';

export interface Finding {
  /** Stable: `LNT001`… */
  readonly code: string;
  readonly severity: 'error' | 'warning';
  readonly position: Position;
  /** What stands there and why it is wrong. */
  readonly message: string;
  /** What to write instead. */
  readonly fix: string;
}

/** A place in a document: the value under a key, with everything above it. */
export interface Place {
  /** Name of the field; '' for the document and for list items. */
  readonly key: string;
  readonly node: YamlNode;
  /** Of an object; empty for lists and scalars. */
  readonly fields: Fields;
  readonly up: Place | undefined;
}

/** What a rule found at a place: where exactly, and the words that differ from case to case. */
export interface Hit {
  readonly at: YamlNode;
  readonly message: string;
  readonly fix?: string;
}

export interface Rule {
  readonly code: string;
  readonly severity: Finding['severity'];
  /** One line for the catalogue of rules. */
  readonly title: string;
  readonly fix: string;
  readonly look: (place: Place) => readonly Hit[];
}

/** The nearest place above (or at) `place` that is the value of `key`. */
export function above(place: Place | undefined, key: string): Place | undefined {
  for (let at = place; at !== undefined; at = at.up) if (at.key === key) return at;
  return undefined;
}

/** The nearest object above that has the field. */
export function ownerOf(place: Place | undefined, field: string): Place | undefined {
  for (let at = place; at !== undefined; at = at.up) if (at.fields.has(field)) return at;
  return undefined;
}

/** Text of a scalar node; undefined for anything else. */
export function textOf(node: YamlNode | undefined): string | undefined {
  if (node === undefined || node.isObject() || node.isList()) return undefined;
  const value = node.json();
  return typeof value === 'string' ? value : undefined;
}

export function flagOf(node: YamlNode | undefined): boolean | undefined {
  if (node === undefined || node.isObject() || node.isList()) return undefined;
  const value = node.json();
  return typeof value === 'boolean' ? value : undefined;
}

export const textsOf = (node: YamlNode | undefined): YamlNode[] =>
  node?.isList() === true ? node.items().filter((item) => textOf(item) !== undefined) : [];
