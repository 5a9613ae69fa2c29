/** Leaves, issuers, stamps of CT logs: certificates that parse and must not be believed. */
import { utf8 } from '#base/bytes';
import { generateKey } from '#base/crypto';
import { unwrap } from '#base/result';
import { der } from '#formats/der';
import type { Sct } from '#formats/sct';
import { buildName, type Certificate, parseCertificate } from '#formats/x509';
import {
  buildCertificate,
  type CertificateTemplate,
  type ExtensionTemplate,
  extensionOf,
  extKeyUsage,
  keyIdentifier,
  POISON_OID,
} from '#formats/x509-build';
import { issueLeaf, type LeafOptions, VirtualAuthority } from '../../double/virtual-ca.ts';
import { EPOCH, ISSUER, MINUTE } from '../../double/virtual-stack.ts';
import type { Draft } from '../draft.ts';
import { caNamed, keyNamed, stack } from '../world.ts';
import { hex, object, type Recipes, text } from './recipe.ts';

const { validFor } = stack;
type Alter = (template: CertificateTemplate) => CertificateTemplate;

const without =
  (oid: string): Alter =>
  (template) => ({ ...template, extensions: template.extensions.filter((item) => item.oid !== oid) });
const adding =
  (...more: readonly ExtensionTemplate[]): Alter =>
  (template) => ({ ...template, extensions: [...template.extensions, ...more] });
const replacing =
  (by: ExtensionTemplate): Alter =>
  (template) => ({
    ...template,
    extensions: template.extensions.map((item) => (item.oid === by.oid ? by : item)),
  });
const oid = {
  keyUsage: '2.5.29.15',
  san: '2.5.29.17',
  basic: '2.5.29.19',
  names: '2.5.29.30',
  eku: '2.5.29.37',
};

const isIn = (name: string, critical: boolean): ExtensionTemplate => ({
  oid: oid.names,
  critical,
  // permittedSubtrees [0] with one rfc822Name
  value: der.seq(der.implicit(0, der.seq(der.seq(der.implicit(1, der.ia5(name)))))),
});

/** Changes of the issuing certificate; `unaltered` is the accepted twin of all of them. */
const issuers: Readonly<Record<string, Alter>> = {
  unaltered: (template) => template,
  notCa: without(oid.basic),
  mayNotSign: replacing(extensionOf.keyUsage('cRLSign')),
  otherPurpose: replacing(extensionOf.extKeyUsage([extKeyUsage.timeStamping])),
  unknownCritical: adding({ oid: '1.2.3.4', critical: true, value: der.nul() }),
  nameConstraints: adding(isIn('elsewhere.example', true)),
  nameConstraintsUncritical: adding(isIn('elsewhere.example', false)),
  shortLived: (template) => ({ ...template, notAfter: EPOCH + 30_000 }),
};

const authorities = new Map<string, VirtualAuthority>();
function alteredAuthority(name: string): VirtualAuthority {
  const alterIntermediate = issuers[name];
  if (alterIntermediate === undefined) throw new Error(`no issuer ${name}`);
  const known =
    authorities.get(name) ??
    new VirtualAuthority({ name: 'altered', validFor, purpose: extKeyUsage.codeSigning, alterIntermediate });
  authorities.set(name, known);
  return known;
}

/** An authority below an intermediate that allows `pathLen` more. */
function subordinate(pathLen: number): {
  readonly ca: VirtualAuthority;
  readonly chain: readonly Certificate[];
} {
  const above = new VirtualAuthority({
    name: 'above',
    validFor,
    purpose: extKeyUsage.codeSigning,
    alterIntermediate: replacing(extensionOf.authority(pathLen)),
  });
  const key = generateKey('p256');
  const template: CertificateTemplate = {
    serial: Uint8Array.of(0x41),
    subject: buildName([{ type: 'CN', value: 'subordinate' }]),
    issuer: above.intermediate.certificate.subject,
    notBefore: above.intermediate.certificate.notBefore,
    notAfter: above.intermediate.certificate.notAfter,
    publicKey: key.publicKey,
    extensions: [
      extensionOf.keyUsage('keyCertSign'),
      extensionOf.extKeyUsage([extKeyUsage.codeSigning]),
      extensionOf.authority(),
      extensionOf.subjectKeyId(key.publicKey),
      extensionOf.authorityKeyId(keyIdentifier(above.intermediate.key.publicKey)),
    ],
  };
  const certificate = unwrap(parseCertificate(buildCertificate(template, above.intermediate.key)));
  const ca = { intermediate: { certificate, key } } as unknown as VirtualAuthority;
  return { ca, chain: [certificate, above.intermediate.certificate, above.root.certificate] };
}

const leafChange = (draft: Draft, alter: Alter): void => {
  const before = draft.sign.leaf?.alter;
  draft.sign.leaf = { ...draft.sign.leaf, alter: (template) => alter(before?.(template) ?? template) };
};

/** Alternative names that the builder refuses to write. */
export const sans: Readonly<Record<string, (value: string) => Uint8Array>> = {
  otherNameIa5: (value) => der.seq(otherName('1.3.6.1.4.1.57264.1.7', der.ia5(value))),
  otherNameUtf8: (value) => der.seq(otherName('1.3.6.1.4.1.57264.1.7', der.utf8(value))),
  otherNameUnknown: (value) => der.seq(otherName('1.2.3', der.utf8(value))),
  emailUtf8: (value) => der.seq(der.implicit(1, der.utf8(value))),
  directoryName: (value) => der.seq(der.explicit(4, buildName([{ type: 'CN', value }]))),
  none: () => der.seq(),
};
const otherName = (type: string, value: Uint8Array): Uint8Array =>
  der.implicit(0, der.seq(der.oid(type), der.explicit(0, value)));

const scts: Readonly<Record<string, (stamps: Sct[]) => Sct[]>> = {
  ofOther: () => [stampOn(stack.issue(generateKey('p256'), EPOCH), stack.ca)],
  otherIssuer: () => [stampOn(stack.issue(generateKey('p256'), EPOCH), caNamed('foreign'))],
  overNothing: (stamps) => resigned(stamps, stack.ctLog.key.publicKey.spki),
  relabelled: (stamps) => stamps.map((sct) => ({ ...sct, logId: stack.ctLog.logId })),
};
const stampOn = (certificate: Certificate, ca: VirtualAuthority): Sct =>
  stack.ctLog.stamp(certificate, ca.intermediate.key.publicKey, EPOCH - MINUTE);
const resigned = (stamps: readonly Sct[], bytes: Uint8Array): Sct[] =>
  stamps.map((sct) => ({ ...sct, signature: stack.ctLog.key.sign(bytes, 'sha256') }));

/** Values of the extension that carries the stamps. */
const sctLists: Readonly<Record<string, Uint8Array>> = {
  overrun: der.octets(Uint8Array.of(0, 9, 0)),
  empty: der.octets(Uint8Array.of(0, 0)),
  zeroLength: der.octets(Uint8Array.of(0, 2, 0, 0)),
  trailing: der.octets(Uint8Array.of(0, 0, 1)),
  noOctets: Uint8Array.of(0, 0),
  version2: der.octets(Uint8Array.of(0, 3, 0, 1, 1)),
};

/** The certificate with these extensions, signed again by the authority: stamps stay, poison comes. */
function poisoned(): { readonly key: ReturnType<typeof generateKey>; readonly certificate: Certificate } {
  const key = keyNamed('p256/poisoned');
  const good = stack.issue(key, EPOCH);
  const kept = [...good.extensions].map(([name, { critical, value }]) => ({ oid: name, critical, value }));
  const { serial, subject, issuer, notBefore, notAfter, publicKey } = good;
  const extensions = [...kept, { oid: POISON_OID, critical: true, value: der.nul() }];
  const template = { serial, subject, issuer, notBefore, notAfter, publicKey, extensions };
  const certificate = unwrap(parseCertificate(buildCertificate(template, stack.ca.intermediate.key)));
  return { key, certificate };
}

/** A leaf under a leaf: the classic confusion of end entity and authority. */
function leafUnderLeaf(): {
  readonly key: ReturnType<typeof generateKey>;
  readonly certificate: Certificate;
} {
  const issuerKey = keyNamed('p256/issuing leaf');
  const issuer = stack.issue(issuerKey, EPOCH);
  const key = keyNamed('p256/leaf below');
  const ca = { intermediate: { certificate: issuer, key: issuerKey } };
  const certificate = issueLeaf(ca as unknown as VirtualAuthority, {
    publicKey: key.publicKey,
    notBefore: EPOCH - MINUTE,
    ctLogs: [stack.ctLog],
    claims: { issuer: ISSUER },
  } satisfies LeafOptions);
  return { key, certificate };
}

export const certificateRecipes: Recipes = {
  withoutExtension: (draft, name) => leafChange(draft, without(text(name))),
  extension: (draft, value) => {
    const { oid: name, critical, hex: bytes } = object(value);
    leafChange(draft, adding({ oid: text(name), critical: critical === true, value: hex(bytes) }));
  },
  keyUsage: (draft, usage) =>
    leafChange(draft, replacing(extensionOf.keyUsage(text(usage) as 'keyEncipherment'))),
  leafIsAuthority: (draft) => leafChange(draft, adding(extensionOf.authority())),
  commonName: (draft, name) =>
    leafChange(draft, (template) => ({
      ...template,
      subject: buildName([{ type: 'CN', value: text(name) }]),
    })),
  san: (draft, kind, value) => {
    const make = sans[text(kind)];
    if (make === undefined) throw new Error(`no name ${text(kind)}`);
    leafChange(draft, replacing({ oid: oid.san, critical: true, value: make(text(value ?? '')) }));
  },
  claimText: (draft, name, value) =>
    leafChange(draft, replacing({ oid: text(name), value: der.utf8(text(value)) })),
  claimRaw: (draft, name, value) =>
    leafChange(draft, replacing({ oid: text(name), value: utf8(text(value)) })),
  issuedBy: (draft, name) => {
    const ca = alteredAuthority(text(name));
    draft.sign.ca = ca;
    draft.root = { ...stack.root, certificateAuthorities: [stack.ca.authority(), ca.authority()] };
  },
  onlyTrusts: (draft, name) => {
    draft.sign.ca = alteredAuthority(text(name));
    draft.root = { ...stack.root, certificateAuthorities: [alteredAuthority(text(name)).authority()] };
  },
  issuedBelow: (draft, pathLen) => {
    const { ca, chain } = subordinate(pathLen as number);
    draft.sign.ca = ca;
    const below = { ...stack.ca.authority(), uri: 'https://below.example', chain: chain as [Certificate] };
    draft.root = { ...stack.root, certificateAuthorities: [stack.ca.authority(), below] };
  },
  leafUnderLeaf: (draft) => {
    const { key, certificate } = leafUnderLeaf();
    Object.assign(draft.sign, { leafKey: key, certificate });
  },
  poisoned: (draft) => {
    const { key, certificate } = poisoned();
    Object.assign(draft.sign, { leafKey: key, certificate });
  },
  stamps: (draft, kind) => {
    const change = scts[text(kind)];
    if (change === undefined) throw new Error(`no stamps ${text(kind)}`);
    draft.sign.leaf = { ...draft.sign.leaf, alterScts: change };
  },
  stampList: (draft, kind) => {
    const value = sctLists[text(kind)];
    if (value === undefined) throw new Error(`no list of stamps ${text(kind)}`);
    draft.sign.leaf = { ...draft.sign.leaf, ctLogs: [] };
    leafChange(draft, adding({ oid: '1.3.6.1.4.1.11129.2.4.2', value }));
  },
};
