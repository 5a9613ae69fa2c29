/** Distinguished names: their raw bytes are what is compared; text is for people. */
import { toHex } from '#base/bytes';
import { attempt } from '#base/result';
import { type DerNode, der, oidText, readDer, stringText, tags } from './der.ts';

const shortNames = new Map([
  ['2.5.4.3', 'CN'],
  ['2.5.4.5', 'serialNumber'],
  ['2.5.4.6', 'C'],
  ['2.5.4.7', 'L'],
  ['2.5.4.8', 'ST'],
  ['2.5.4.9', 'street'],
  ['2.5.4.10', 'O'],
  ['2.5.4.11', 'OU'],
  ['0.9.2342.19200300.100.1.25', 'DC'],
  ['1.2.840.113549.1.9.1', 'emailAddress'],
]);
const oidByShortName = new Map([...shortNames].map(([oid, name]) => [name, oid]));

export interface NameAttribute {
  /** `CN`, `O`, … or the dotted identifier. */
  readonly type: string;
  /** Text, or `#` and the hex of the DER value where it is not of a text type. */
  readonly value: string;
}

/** Attributes of a Name in the order written, sets flattened. Throws WB-122 where the shape is wrong. */
export function readName(node: DerNode): NameAttribute[] {
  const attributes: NameAttribute[] = [];
  for (const set of node.children()) {
    for (const pair of set.children()) {
      const cursor = pair.cursor('Name attribute');
      const oid = oidText(cursor.take(tags.oid, 'type'));
      const value = cursor.any('value');
      cursor.finish();
      attributes.push({ type: shortNames.get(oid) ?? oid, value: valueText(value) });
    }
  }
  return attributes;
}

function valueText(node: DerNode): string {
  const { body } = node;
  if (node.tag === tags.teletex) return Buffer.from(body).toString('latin1');
  if (node.tag === tags.bmp && body.length % 2 === 0) return Buffer.from(body).swap16().toString('utf16le');
  const text = attempt(() => stringText(node));
  return text.ok ? text.value : `#${toHex(node.raw)}`;
}

/** Checks the shape of a Name: a sequence of non-empty sets of attribute pairs. */
export function checkName(node: DerNode): void {
  const names = node.cursor('Name');
  while (names.peek() !== -1) {
    const set = names.take(tags.set, 'RelativeDistinguishedName').cursor('RelativeDistinguishedName');
    do {
      const pair = set.take(tags.seq, 'attribute').cursor('Name attribute');
      pair.take(tags.oid, 'type');
      pair.any('value');
      pair.finish();
    } while (set.peek() !== -1);
  }
}

/** RFC 4514 text of a raw Name: last attribute first, special characters escaped. */
export function nameText(raw: Uint8Array): string {
  return readName(readDer(raw))
    .toReversed()
    .map(({ type, value }) => `${type}=${value.startsWith('#') ? value : escaped(value)}`)
    .join(',');
}

function escaped(value: string): string {
  const inner = value.replace(/["+,;<>\\]/g, '\\$&').replace(/[\x00-\x1f\x7f]/g, hexEscape);
  return inner.replace(/^[ #]/, '\\$&').replace(/(?<!\\) $/, '\\ ');
}

const hexEscape = (char: string): string => `\\${char.charCodeAt(0).toString(16).padStart(2, '0')}`;

/** A raw Name from attributes in writing order, each its own set. Values are UTF8String, C is PrintableString. */
export function buildName(attributes: readonly NameAttribute[]): Uint8Array {
  const sets = attributes.map(({ type, value }) => {
    const text = type === 'C' ? der.printable(value) : type === 'DC' ? der.ia5(value) : der.utf8(value);
    return der.set(der.seq(der.oid(oidByShortName.get(type) ?? type), text));
  });
  return der.seq(...sets);
}
