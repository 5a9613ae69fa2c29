/** Values of the extensions a verifier interprets (RFC 5280 §4.2). Readers throw `WaybillError`. */
import { toHex } from '#base/bytes';
import { fail } from '#base/reason';
import { R } from './crypto-reasons.ts';
import { contextTag, type DerNode, ia5Text, isTrue, oidText, smallInteger, stringText, tags } from './der.ts';
import { OTHER_NAME_OID } from './fulcio.ts';
import { nameText } from './x509-name.ts';

/** Extensions that are interpreted, by name. */
export const oids = {
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyId: '2.5.29.35',
  extKeyUsage: '2.5.29.37',
  /** SignedCertificateTimestampList (RFC 6962 §3.3). */
  sctList: '1.3.6.1.4.1.11129.2.4.2',
} as const;

/** Poison of a precertificate (RFC 6962 §3.1): critical and interpreted by nobody, which is its purpose. */
export const POISON_OID = '1.3.6.1.4.1.11129.2.4.3';

export const extKeyUsage = {
  any: '2.5.29.37.0',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  codeSigning: '1.3.6.1.5.5.7.3.3',
  timeStamping: '1.3.6.1.5.5.7.3.8',
} as const;

/**
 * One subject alternative name. `otherName` is the Sigstore user name (57264.1.7) only; any other kind comes
 * out as `unsupported` with the hex of its DER, so that it can match nothing.
 */
export interface San {
  readonly type: 'email' | 'uri' | 'dns' | 'ip' | 'otherName' | 'directoryName' | 'unsupported';
  readonly value: string;
}

export interface KeyUsage {
  readonly digitalSignature: boolean;
  readonly keyCertSign: boolean;
  readonly cRLSign: boolean;
  /** Numbers of all bits that are set (RFC 5280 §4.2.1.3). */
  readonly bits: readonly number[];
}

export interface BasicConstraints {
  readonly isCa: boolean;
  readonly pathLen: number | undefined;
}

function invalid(expected: string, actual: string): Error {
  return fail(R.extension, { expected, actual });
}

function demand(node: DerNode, tag: number, what: string): void {
  if (node.tag !== tag) throw invalid(what, `tag 0x${node.tag.toString(16)}`);
}

export function readKeyUsage(node: DerNode): KeyUsage {
  demand(node, tags.bits, 'keyUsage as BIT STRING');
  const { body } = node;
  const bits: number[] = [];
  for (let bit = 0; bit < (body.length - 1) * 8; bit++) {
    if (((body[1 + (bit >> 3)] as number) & (0x80 >> (bit & 7))) !== 0) bits.push(bit);
  }
  if (bits.length === 0 || body.length > 3) throw invalid('keyUsage with at least one bit', toHex(body));
  return {
    digitalSignature: bits.includes(0),
    keyCertSign: bits.includes(5),
    cRLSign: bits.includes(6),
    bits,
  };
}

export function readExtendedKeyUsage(node: DerNode): string[] {
  demand(node, tags.seq, 'extKeyUsage as SEQUENCE');
  const purposes = node.children().map((child) => {
    demand(child, tags.oid, 'purposes as object identifiers');
    return oidText(child);
  });
  if (purposes.length === 0) throw invalid('at least one purpose', 'none');
  return purposes;
}

export function readBasicConstraints(node: DerNode): BasicConstraints {
  demand(node, tags.seq, 'basicConstraints as SEQUENCE');
  const cursor = node.cursor('BasicConstraints');
  const ca = cursor.maybe(tags.bool);
  const length = cursor.maybe(tags.int);
  cursor.finish();
  const isCa = ca !== undefined && isTrue(ca);
  if (ca !== undefined && !isCa) throw invalid('cA only when TRUE', 'cA FALSE');
  if (length !== undefined && !isCa) throw invalid('a path length only for a CA', 'one for a leaf');
  return { isCa, pathLen: length === undefined ? undefined : smallInteger(length) };
}

export function readSubjectKeyId(node: DerNode): Uint8Array {
  demand(node, tags.octets, 'subjectKeyIdentifier as OCTET STRING');
  if (node.length === 0) throw invalid('a key identifier', 'an empty one');
  return node.body;
}

export function readAuthorityKeyId(node: DerNode): Uint8Array | undefined {
  demand(node, tags.seq, 'authorityKeyIdentifier as SEQUENCE');
  const cursor = node.cursor('AuthorityKeyIdentifier');
  const keyId = cursor.maybe(contextTag(0, false));
  cursor.maybe(contextTag(1));
  cursor.maybe(contextTag(2, false));
  cursor.finish();
  return keyId?.body;
}

export function readSans(node: DerNode): San[] {
  demand(node, tags.seq, 'subjectAltName as SEQUENCE');
  const sans = node.children().map(readGeneralName);
  if (sans.length === 0) throw invalid('at least one alternative name', 'none');
  return sans;
}

function readGeneralName(node: DerNode): San {
  switch (node.tag) {
    case contextTag(0):
      return readOtherName(node);
    case contextTag(1, false):
      return { type: 'email', value: plainText(node.body) };
    case contextTag(2, false):
      return { type: 'dns', value: plainText(node.body) };
    case contextTag(4): {
      const [name, ...more] = node.children();
      if (name?.tag !== tags.seq || more.length > 0) throw invalid('one directoryName', 'another form');
      return { type: 'directoryName', value: nameText(name.raw) };
    }
    case contextTag(6, false):
      return { type: 'uri', value: plainText(node.body) };
    case contextTag(7, false):
      return { type: 'ip', value: ipText(node.body) };
    default:
      return { type: 'unsupported', value: toHex(node.raw) };
  }
}

/** `[0] { type-id, [0] EXPLICIT value }`; Sigstore's carries a UTF8String. */
function readOtherName(node: DerNode): San {
  const cursor = node.cursor('OtherName');
  const type = oidText(cursor.take(tags.oid, 'type-id'));
  const [value, ...more] = cursor.take(contextTag(0), 'value').children();
  cursor.finish();
  if (value === undefined || more.length > 0) throw invalid('one OtherName value', 'another number');
  if (type !== OTHER_NAME_OID) return { type: 'unsupported', value: toHex(node.raw) };
  demand(value, tags.utf8, 'a user name as UTF8String');
  return { type: 'otherName', value: withoutControls(stringText(value)) };
}

const plainText = (bytes: Uint8Array): string => withoutControls(ia5Text(bytes));

/** A NUL or line break inside an identity has no honest use and has fooled comparisons before. */
function withoutControls(text: string): string {
  if (text === '' || /[\x00-\x1f\x7f]/.test(text)) {
    throw invalid('an alternative name without control characters, not empty', JSON.stringify(text));
  }
  return text;
}

function ipText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) throw invalid('an IP address of 4 or 16 bytes', `${bytes.length} bytes`);
  const groups = Array.from({ length: 8 }, (_, i) =>
    (((bytes[2 * i] as number) << 8) | (bytes[2 * i + 1] as number)).toString(16),
  );
  return groups.join(':');
}
