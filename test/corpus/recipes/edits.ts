/** Changes of the JSON of a bundle, and of its text. Paths are written `a.0.b`. */
import { concat, utf8 } from '#base/bytes';
import { limits } from '#base/limits';
import type { JsonObject, JsonValue } from '#formats/json';
import { at, edit, flip, rewrite } from '../../double/json-edits.ts';
import { caNamed, stack } from '../world.ts';
import { names, number, type Recipes, text } from './recipe.ts';

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const listAt = (json: JsonObject, path: string): readonly JsonValue[] => {
  const value = at(json, path);
  if (!Array.isArray(value)) throw new Error(`${path} is no list`);
  return value;
};

/** Texts that stand instead of, or around, the bundle. */
const documents: Readonly<Record<string, (json: string) => Uint8Array>> = {
  deep: () => utf8(`{"a":${'['.repeat(100_000)}`),
  huge: () => utf8(`{"a":"${'x'.repeat(limits.bundleBytes)}"}`),
  invalidUtf8: () => Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d),
  byteOrderMark: (json) => utf8(`\ufeff${json}`),
  utf16: (json) => Buffer.from(json, 'utf16le'),
  trailing: (json) => utf8(`${json}{}`),
  empty: () => new Uint8Array(),
  array: (json) => utf8(`[${json}]`),
  half: (json) => utf8(json.slice(0, json.length / 2)),
  nulBehind: (json) => concat(utf8(json), Uint8Array.of(0)),
};

type Edit = (json: JsonObject) => JsonObject | Uint8Array;

/** Each makes one edit from the arguments of a step. */
const edits: Readonly<Record<string, (...args: readonly JsonValue[]) => Edit>> = {
  set: (path, value) => (json) => edit(json, { [text(path)]: value }),
  remove: (path) => (json) => edit(json, { [text(path)]: undefined }),
  flip: (path, byte) => (json) =>
    edit(json, { [text(path)]: flip(at(json, text(path)), byte === undefined ? -1 : number(byte)) }),
  zeros: (path, length) => (json) => edit(json, { [text(path)]: base64(Buffer.alloc(number(length))) }),
  repeat: (path, count) => (json) => {
    const list = listAt(json, text(path));
    return edit(json, { [text(path)]: Array.from({ length: number(count) }, () => list[0] as JsonValue) });
  },
  /** A list longer by entries of logs nobody knows. */
  fill: (path, count) => (json) => {
    const [first] = listAt(json, text(path)) as JsonObject[];
    const others = Array.from({ length: number(count) - 1 }, (_, i) =>
      edit(first as JsonObject, { logIndex: `${9_000_000 + i}`, 'logId.keyId': base64(Buffer.alloc(32, i)) }),
    );
    return edit(json, { [text(path)]: [first as JsonValue, ...others] });
  },
  cutFirst: (path) => (json) => edit(json, { [text(path)]: listAt(json, text(path)).slice(1) }),
  appendFirst: (path) => (json) => {
    const list = listAt(json, text(path));
    return edit(json, { [text(path)]: [...list, list[0] as JsonValue] });
  },
  add: (path, delta) => (json) =>
    edit(json, { [text(path)]: `${Number(at(json, text(path))) + number(delta)}` }),
  copy: (path, from) => (json) => edit(json, { [text(path)]: at(json, text(from)) }),
  rewrite: (pattern, replacement) => (json) => rewrite(json, new RegExp(text(pattern)), text(replacement)),
  document: (name) => (json) => {
    const make = documents[text(name)];
    if (make === undefined) throw new Error(`no document ${text(name)}`);
    return make(JSON.stringify(json));
  },
  /** A bundle of an older version, with these certificates behind the leaf. */
  version: (version, chain) => (json) => {
    const leaf = at(json, 'verificationMaterial.certificate');
    return edit(json, {
      mediaType: `application/vnd.dev.sigstore.bundle+json;version=${text(version)}`,
      'verificationMaterial.certificate': undefined,
      'verificationMaterial.x509CertificateChain': {
        certificates: [leaf, ...names(chain ?? []).map(chainMember)],
      },
    });
  },
  /** base64 of a document inside the bundle, changed as text. */
  inner: (path, pattern, replacement) => (json) => {
    const before = Buffer.from(text(at(json, text(path))), 'base64').toString();
    const after = before.replace(new RegExp(text(pattern)), text(replacement));
    if (after === before) throw new Error(`nothing to replace for ${text(pattern)}`);
    return edit(json, { [text(path)]: base64(utf8(after)) });
  },
};

/** `root`, `intermediate`, `foreign/root`, `foreign/intermediate`, or `root*1000`. */
function chainMember(name: string): JsonObject {
  const [ca, part] = name.includes('/') ? (name.split('/') as [string, string]) : ['own', name];
  const authority = caNamed(ca);
  const { certificate } = part === 'root' ? authority.root : authority.intermediate;
  return { rawBytes: base64(certificate.der) };
}

export const editRecipes: Recipes = {
  ...Object.fromEntries(
    Object.entries(edits).map(([name, make]) => [
      name,
      (draft, ...args) => {
        draft.edits.push(make(...args));
      },
    ]),
  ),
  /** A long chain: issuing certificate and root by turns. */
  chain: (draft, version, count) => {
    draft.edits.push((json) => {
      const members = Array.from({ length: number(count) }, (_, i) =>
        i % 2 === 0 ? 'intermediate' : 'foreign/intermediate',
      );
      return edits['version']?.(version as string, members)(json) ?? json;
    });
  },
  /** The whole bundle of another sample put under this path's name. */
  contentOfOther: (draft, path, statement) => {
    draft.edits.push((json) => {
      const other = stack.sign({ ...draft.sign, ...(statement === true ? { statement: 'cosign' } : {}) });
      return edit(json, { [text(path)]: at(other.json, text(path)) });
    });
  },
};
