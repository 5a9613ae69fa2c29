/** How something is signed: options of the signing stack by the names of the cast. */
import { ed25519ph } from '@noble/curves/ed25519.js';
import { toHex, utf8 } from '#base/bytes';
import { hash } from '#base/crypto';
import { unwrap } from '#base/result';
import { COSIGN_SIGN_V1, predicateTypes } from '#formats/intoto';
import type { JsonObject, JsonValue } from '#formats/json';
import { pemDecode } from '#formats/pem';
import type { FulcioClaims, San } from '#formats/x509';
import { at, edit } from '../../double/json-edits.ts';
import { ARTIFACT, type Ask, manifestBytes, newDraft, simpleSigningOf } from '../draft.ts';
import { caNamed, ctLogNamed, keyNamed, logNamed, moment, stack, tsaNamed } from '../world.ts';
import { hex, names, number, object, type Recipes, text } from './recipe.ts';

const sha256 = toHex(hash('sha256', ARTIFACT));

/** Words in statements of the data that stand for digests of the artifact. */
const words: Readonly<Record<string, string>> = {
  $sha256: sha256,
  $SHA256: sha256.toUpperCase(),
  $sha512: toHex(hash('sha512', ARTIFACT)),
  $other: 'ab'.repeat(32),
  $other512: 'ab'.repeat(64),
  $slsa1: predicateTypes.slsaprovenance1,
  $slsa02: predicateTypes.slsaprovenance02,
  $spdx: predicateTypes.spdx,
  $cosign: COSIGN_SIGN_V1,
};

function spelled(value: JsonValue): JsonValue {
  if (typeof value === 'string') return (Object.hasOwn(words, value) ? words[value] : undefined) ?? value;
  if (Array.isArray(value)) return value.map(spelled);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, spelled(member as JsonValue)]),
  );
}

/** A statement of provenance with these members instead; `null` removes one. */
function statementOf(members: JsonObject): JsonObject {
  const whole = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: 'image', digest: { sha256 } }],
    predicateType: predicateTypes.slsaprovenance1,
    predicate: {},
    ...(spelled(members) as JsonObject),
  };
  return Object.fromEntries(Object.entries(whole).filter(([, value]) => value !== null)) as JsonObject;
}

/** Statements that data cannot spell out. */
const statements: Readonly<Record<string, () => Uint8Array>> = {
  simpleSigning: () => simpleSigningOf(ARTIFACT),
  notJson: () => utf8('hello'),
  array: () => utf8('[]'),
  twoSubjectMembers: () =>
    utf8(
      JSON.stringify(statementOf({})).replace(
        '"subject"',
        '"subject":[{"digest":{"sha256":"00"}}],"subject"',
      ),
    ),
  subjects1024: () => utf8(JSON.stringify(statementOf({ subject: manySubjects(1024) }))),
  subjects1025: () => utf8(JSON.stringify(statementOf({ subject: manySubjects(1025) }))),
  digests32: () => utf8(JSON.stringify(statementOf({ subject: [{ digest: manyDigests(32) }] }))),
  digests33: () => utf8(JSON.stringify(statementOf({ subject: [{ digest: manyDigests(33) }] }))),
  predicateNull: () => utf8(JSON.stringify({ ...statementOf({}), predicate: null })),
  spaced: () => utf8(JSON.stringify(statementOf({}), null, 3)),
  nullSubject: () => utf8(JSON.stringify(statementOf({ subject: [null] }))),
};
const manySubjects = (count: number): JsonValue[] =>
  Array.from({ length: count }, (_, i) => ({ name: `${i}`, digest: { sha256 } }));
const manyDigests = (count: number): JsonObject =>
  Object.fromEntries([['sha256', sha256], ...Array.from({ length: count - 1 }, (_, i) => [`alg${i}`, 'aa'])]);

export function statementBytesOf(value: JsonValue | undefined): Uint8Array {
  if (typeof value === 'string') {
    const make = Object.hasOwn(statements, value) ? statements[value] : undefined;
    if (make === undefined) throw new Error(`no statement ${value}`);
    return make();
  }
  return utf8(JSON.stringify(statementOf(object(value))));
}

const leafTimes = (options: JsonObject): object => ({
  ...(options['notBefore'] === undefined ? {} : { notBefore: moment(number(options['notBefore'])) }),
  ...(options['notAfter'] === undefined ? {} : { notAfter: moment(number(options['notAfter'])) }),
  ...(options['sctTime'] === undefined ? {} : { sctTime: moment(number(options['sctTime'])) }),
});

export const signingRecipes: Recipes = {
  logs: (draft, list) => {
    draft.sign.logs = names(list).map(logNamed);
  },
  tsas: (draft, list) => {
    draft.sign.tsas = names(list).map(tsaNamed);
  },
  ca: (draft, name) => {
    draft.sign.ca = caNamed(text(name));
  },
  stampedAt: (draft, seconds) => {
    draft.sign.stampedAt = moment(number(seconds));
  },
  /** Signed with a bare key, and asked for that key. */
  key: (draft, name) => {
    draft.sign.key = keyNamed(text(name));
    draft.ask = { ...draft.ask, key: text(name) };
  },
  /** Signed with this bare key, whatever is asked for. */
  signedWith: (draft, name) => {
    draft.sign.key = keyNamed(text(name));
  },
  /** Signed with a certificate after all. */
  certified: (draft) => {
    delete draft.sign.key;
  },
  leafKey: (draft, name) => {
    draft.sign.leafKey = keyNamed(text(name));
  },
  /** One certificate for the key, shown by every signature of it. */
  oneCertificate: (draft, name) => {
    const key = keyNamed(text(name));
    draft.sign.leafKey = key;
    draft.sign.certificate = stack.issue(key, moment(0));
  },
  /** Signed with one key, with the certificate of another. */
  certificateOf: (draft, name) => {
    draft.sign.certificate = stack.issue(keyNamed(text(name)), moment(0));
  },
  statement: (draft, value) => {
    draft.sign.statement = value === 'cosign' ? 'cosign' : statementBytesOf(value);
  },
  entryKind: (draft, kind) => {
    draft.sign.entryKind = text(kind) as 'dsse' | 'intoto' | 'hashedrekord';
  },
  payloadType: (draft, type) => {
    draft.sign.payloadType = text(type);
  },
  signature: (draft, value) => {
    draft.sign.replaceSignature = hex(value);
  },
  /** Ed25519ph by the key of the draft over this text, or over the artifact. */
  ed25519ph: (draft, over) => {
    const key = keyNamed(text(draft.ask.key));
    const seed = unwrap(pemDecode(key.exportPem()))[0].der.subarray(-32);
    draft.sign.replaceSignature = ed25519ph.sign(over === undefined ? ARTIFACT : utf8(text(over)), seed);
  },
  leaf: (draft, options) => {
    const { notBefore: _, notAfter: __, sctTime: ___, ...rest } = object(options);
    const { ctLogs, sans, claims, purposes, sctExtensions } = rest;
    draft.sign.leaf = {
      ...draft.sign.leaf,
      ...leafTimes(object(options)),
      ...(ctLogs === undefined ? {} : { ctLogs: names(ctLogs).map(ctLogNamed) }),
      ...(sans === undefined ? {} : { sans: sans as unknown as [San] }),
      ...(claims === undefined ? {} : { claims: claims as FulcioClaims }),
      ...(purposes === undefined ? {} : { purposes: names(purposes) }),
      ...(sctExtensions === undefined ? {} : { sctExtensions: hex(sctExtensions) }),
    };
  },
  /** More is asked, or something else. */
  ask: (draft, more) => {
    draft.ask = { ...draft.ask, ...(spelled(object(more)) as unknown as Partial<Ask>) };
  },
  /** An e-mail address of so many letters. */
  longName: (draft, count, tail) => {
    const value = `${'a'.repeat(number(count))}${text(tail)}`;
    draft.sign.leaf = { ...draft.sign.leaf, sans: [{ type: 'email', value }] };
  },
  longPattern: (draft, count) => {
    draft.ask = { ...draft.ask, san: { regexp: 'a'.repeat(number(count)) } };
  },
  clock: (draft, years) => {
    draft.now += number(years) * 365 * 86_400_000;
  },
  clockAt: (draft, seconds) => {
    draft.now = moment(number(seconds));
  },
  /** Another artifact is handed over than was signed. */
  judge: (draft, name) => {
    draft.judged = manifestBytes(text(name));
  },
  container: (draft, kind) => {
    draft.container = text(kind) as typeof draft.container;
  },
  annotation: (draft, name, value) => {
    draft.layerEdits.push((layer) => ({
      ...layer,
      annotations: { ...layer.annotations, [text(name)]: value === null ? '' : text(value) },
    }));
  },
  payload: (draft, value) => {
    draft.layerEdits.push((layer) => ({ ...layer, payload: statementBytesOf(value) }));
  },
  /** The same part of another valid bundle, signed in the same way but for these differences. */
  from: (draft, path, differences) => {
    draft.edits.push((json) => {
      const other = newDraft();
      other.sign = { ...draft.sign, ...otherSigning(object(differences)) };
      return edit(json, { [text(path)]: at(stack.sign(other.sign).json, text(path)) });
    });
  },
};

function otherSigning(differences: JsonObject): object {
  const { artifact, certificate } = differences;
  return {
    ...(artifact === undefined ? {} : { artifact: manifestBytes(text(artifact)) }),
    ...(certificate === undefined
      ? {}
      : { certificate: stack.issue(keyNamed(text(certificate)), moment(0)) }),
  };
}
