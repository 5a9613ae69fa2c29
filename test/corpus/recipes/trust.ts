/** Trusted roots: who is in them, and until when. */
import type { CaAuthority, LogInput } from '#formats/trusted-root';
import { type CertificateTemplate, extensionOf, extKeyUsage } from '#formats/x509-build';
import { VirtualTsa } from '../../double/virtual-ca.ts';
import { EPOCH, YEAR } from '../../double/virtual-stack.ts';
import type { Draft } from '../draft.ts';
import { caNamed, ctLogNamed, keyNamed, logNamed, moment, stack, tsaNamed } from '../world.ts';
import { names, number, type Recipes, text } from './recipe.ts';

const { validFor } = stack;

const until = <T extends CaAuthority | LogInput>(list: readonly T[], end: number): T[] =>
  list.map((item) => ({ ...item, validFor: { start: EPOCH - YEAR, end: moment(end) } }));
const since = <T extends CaAuthority | LogInput>(list: readonly T[], start: number): T[] =>
  list.map((item) => ({ ...item, validFor: { start: moment(start) } }));

type Kind = 'tlogs' | 'ctlogs' | 'certificateAuthorities' | 'timestampAuthorities';
const changed = (
  draft: Draft,
  kind: Kind,
  change: <T extends CaAuthority | LogInput>(list: readonly T[]) => T[],
): void => {
  draft.root =
    kind === 'tlogs' || kind === 'ctlogs'
      ? { ...draft.root, [kind]: change<LogInput>(draft.root[kind]) }
      : { ...draft.root, [kind]: change<CaAuthority>(draft.root[kind]) };
};

const replacing =
  (by: ReturnType<typeof extensionOf.extKeyUsage> | undefined) =>
  (template: CertificateTemplate): CertificateTemplate => ({
    ...template,
    extensions: template.extensions.flatMap((item) =>
      item.oid === '2.5.29.37' ? (by === undefined ? [] : [by]) : [item],
    ),
  });

/** Timestamp authorities with something odd about them; `plain` has nothing. */
const odd: Readonly<Record<string, Omit<ConstructorParameters<typeof VirtualTsa>[0], 'name' | 'validFor'>>> =
  {
    plain: {},
    noPurpose: { alter: replacing(undefined) },
    uncritical: { alter: replacing(extensionOf.extKeyUsage([extKeyUsage.timeStamping], false)) },
    twoPurposes: {
      alter: replacing(extensionOf.extKeyUsage([extKeyUsage.timeStamping, extKeyUsage.codeSigning], true)),
    },
    codeSigning: { alter: replacing(extensionOf.extKeyUsage([extKeyUsage.codeSigning], true)) },
    issuerNoPurpose: { alterIntermediate: replacing(undefined) },
    issuerCodeSigning: { alterIntermediate: replacing(extensionOf.extKeyUsage([extKeyUsage.codeSigning])) },
    endsAt60: { alter: (template) => ({ ...template, notAfter: moment(60) }) },
    endsAt59: { alter: (template) => ({ ...template, notAfter: moment(59) }) },
    endsAt59Issuer: { alterIntermediate: (template) => ({ ...template, notAfter: moment(59) }) },
  };
const made = new Map<string, VirtualTsa>();

export function oddTsa(name: string): VirtualTsa {
  const options = odd[name];
  if (options === undefined) throw new Error(`no timestamp authority ${name}`);
  const known = made.get(name) ?? new VirtualTsa({ name: `odd-${name}`, validFor, ...options });
  made.set(name, known);
  return known;
}

export const trustRecipes: Recipes = {
  /** `kind` of authority valid until this second, inclusive. */
  until: (draft, kind, end) => changed(draft, text(kind) as Kind, (list) => until(list, number(end))),
  since: (draft, kind, start) => changed(draft, text(kind) as Kind, (list) => since(list, number(start))),
  /** The text of the trusted root with every such passage replaced. */
  rootText: (draft, pattern, replacement) => {
    draft.rootEdits.push((before) => {
      const after = before.replaceAll(new RegExp(text(pattern), 'g'), text(replacement));
      if (after === before) throw new Error(`nothing to replace for ${text(pattern)}`);
      return after;
    });
  },
  trustLogs: (draft, list) => {
    draft.root = { ...draft.root, tlogs: names(list).map((name) => logNamed(name).authority) };
  },
  trustCtLogs: (draft, list) => {
    draft.root = { ...draft.root, ctlogs: names(list).map((name) => ctLogNamed(name).authority) };
  },
  trustTsas: (draft, list) => {
    draft.root = { ...draft.root, timestampAuthorities: names(list).map((name) => tsaNamed(name).authority) };
  },
  trustCas: (draft, list) => {
    draft.root = {
      ...draft.root,
      certificateAuthorities: names(list).map((name) => caNamed(name).authority()),
    };
  },
  /** The trusted root has another key under the id of this log. */
  otherKeyForLog: (draft, name) => {
    const { authority } = logNamed(text(name));
    const key = keyNamed(logNamed(text(name)).generation === 'v1' ? 'p256/log' : 'ed25519/log').publicKey;
    const others = draft.root.tlogs.filter((log) => log.baseUrl !== authority.baseUrl);
    draft.root = { ...draft.root, tlogs: [{ ...authority, publicKey: key }, ...others] };
  },
  /** A certificate authority whose anchor is a leaf. */
  leafAnchor: (draft) => {
    const leaf = stack.issue(keyNamed('p256/anchor'), moment(0));
    draft.root = { ...draft.root, certificateAuthorities: [{ ...stack.ca.authority(), chain: [leaf] }] };
  },
  /** Stamped by, and trusting only, a timestamp authority of this kind. */
  oddTsa: (draft, name) => {
    const tsa = oddTsa(text(name));
    draft.sign.tsas = [tsa];
    draft.root = { ...draft.root, timestampAuthorities: [tsa.authority] };
  },
};
