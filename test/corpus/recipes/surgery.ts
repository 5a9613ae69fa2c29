/** Certificates that no builder makes: their DER is taken apart, changed, and signed again by the authority. */
import { concat, utf8 } from '#base/bytes';
import { contextTag, type DerNode, der, oidText, readDer } from '#formats/der';
import type { Certificate } from '#formats/x509';
import { EPOCH } from '../../double/virtual-stack.ts';
import { caNamed, keyNamed, stack } from '../world.ts';
import { sans } from './certificates.ts';
import { type Recipes, text } from './recipe.ts';

/** The elements of a TBSCertificate, and what stands around it. */
interface Body {
  readonly version: Uint8Array;
  readonly serial: Uint8Array;
  readonly algorithm: Uint8Array;
  readonly issuer: Uint8Array;
  readonly validity: Uint8Array;
  readonly subject: Uint8Array;
  readonly spki: Uint8Array;
  readonly extensions: readonly Uint8Array[];
  readonly outerAlgorithm: Uint8Array;
}

function bodyOf(certificate: Uint8Array): Body {
  const [tbs, outer] = readDer(certificate).children() as [DerNode, DerNode];
  const raw = tbs.children().map((child) => child.raw);
  const [version, serial, algorithm, issuer, validity, subject, spki] = raw as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const list =
    tbs
      .children()
      .find((child) => child.tag === contextTag(3))
      ?.children()[0]
      ?.children() ?? [];
  const extensions = list.map((item) => item.raw);
  return {
    version,
    serial,
    algorithm,
    issuer,
    validity,
    subject,
    spki,
    extensions,
    outerAlgorithm: outer.raw,
  };
}

function signedAgain(body: Body): Uint8Array {
  const { version, serial, algorithm, issuer, validity, subject, spki, extensions, outerAlgorithm } = body;
  const tbs = der.seq(
    version,
    serial,
    algorithm,
    issuer,
    validity,
    subject,
    spki,
    der.explicit(3, der.seq(...extensions)),
  );
  return der.seq(tbs, outerAlgorithm, der.bits(stack.ca.intermediate.key.sign(tbs, 'sha384')));
}

const oidOf = (extension: Uint8Array): string => oidText(readDer(extension).children()[0] as DerNode);
const extension = (oid: string, value: Uint8Array, critical = false): Uint8Array =>
  der.seq(der.oid(oid), ...(critical ? [der.bool(true)] : []), der.octets(value));
const replaced =
  (oid: string, by: (old: Uint8Array) => Uint8Array[]) =>
  (body: Body): Body => ({
    ...body,
    extensions: body.extensions.flatMap((item) => (oidOf(item) === oid ? by(item) : [item])),
  });
const SAN = '2.5.29.17';
const ISSUER_V1 = '1.3.6.1.4.1.57264.1.1';
const ISSUER_V2 = '1.3.6.1.4.1.57264.1.8';

const algorithm =
  (oid: string) =>
  (body: Body): Body => {
    const identifier = der.seq(der.oid(oid), der.nul());
    return { ...body, algorithm: identifier, outerAlgorithm: identifier };
  };
const utcTime = (value: string): Uint8Array => concat(Uint8Array.of(0x17, value.length), utf8(value));
const general = (value: string): Uint8Array => concat(Uint8Array.of(0x18, value.length), utf8(value));
const from = der.utcOrGeneralTime(EPOCH - 60_000);

const rsaSpki = (bits: number): Uint8Array =>
  der.seq(
    der.seq(der.oid('1.2.840.113549.1.1.1'), der.nul()),
    der.bits(der.seq(der.int(new Uint8Array(bits / 8).fill(0xc5)), der.int(65537))),
  );
const ecSpki = (curve: string, pointBytes: number): Uint8Array =>
  der.seq(
    der.seq(der.oid('1.2.840.10045.2.1'), der.oid(curve)),
    der.bits(concat(Uint8Array.of(4), new Uint8Array(pointBytes - 1).fill(7))),
  );

const bodies: Readonly<Record<string, (body: Body) => Body>> = {
  duplicateExtension: (body) => ({
    ...body,
    extensions: [...body.extensions, body.extensions[0] as Uint8Array],
  }),
  twoSanExtensions: replaced(SAN, (old) => [old, old]),
  sanNotCritical: replaced(SAN, (old) => [extension(SAN, readDer(old).children().at(-1)?.body ?? old)]),
  issuersDisagree: replaced(ISSUER_V1, () => [extension(ISSUER_V1, utf8('https://other.example'))]),
  issuerRaw: replaced(ISSUER_V2, () => [extension(ISSUER_V2, utf8('https://issuer.example'))]),
  issuerIa5: replaced(ISSUER_V2, () => [extension(ISSUER_V2, der.ia5('https://issuer.example'))]),
  issuerTrailing: replaced(ISSUER_V2, () => [
    extension(ISSUER_V2, concat(der.utf8('https://issuer.example'), Uint8Array.of(0))),
  ]),
  criticalFalse: replaced('2.5.29.37', (old) => [
    der.seq(der.oid('2.5.29.37'), der.bool(false), readDer(old).children().at(-1)?.raw ?? old),
  ]),
  sha1: algorithm('1.2.840.113549.1.1.5'),
  md5: algorithm('1.2.840.113549.1.1.4'),
  ecdsaSha1: algorithm('1.2.840.10045.4.1'),
  rsa1024: (body) => ({ ...body, spki: rsaSpki(1024) }),
  rsa16384: (body) => ({ ...body, spki: rsaSpki(16384) }),
  p192: (body) => ({ ...body, spki: ecSpki('1.2.840.10045.3.1.1', 49) }),
  secp256k1: (body) => ({ ...body, spki: ecSpki('1.3.132.0.10', 65) }),
  innerOuterDiffer: (body) => ({ ...body, outerAlgorithm: der.seq(der.oid('1.2.840.10045.4.3.2')) }),
  serialNegative: (body) => ({ ...body, serial: der.rawInt(Uint8Array.of(0x80, 1)) }),
  serial40: (body) => ({ ...body, serial: der.rawInt(new Uint8Array(40).fill(0x41)) }),
  serialNotMinimal: (body) => ({ ...body, serial: der.rawInt(Uint8Array.of(0, 0x41)) }),
  endBeforeStart: (body) => ({ ...body, validity: der.seq(from, der.utcOrGeneralTime(EPOCH - 3_600_000)) }),
  utcTime1950: (body) => ({ ...body, validity: der.seq(from, utcTime('500101000000Z')) }),
  generalTimeBefore2050: (body) => ({ ...body, validity: der.seq(from, general('20490101000000Z')) }),
  timeWithoutSeconds: (body) => ({ ...body, validity: der.seq(from, utcTime('2701010000Z')) }),
  version1: (body) => ({ ...body, version: der.explicit(0, der.int(0)) }),
  depth: (body) => {
    let nested: Uint8Array = der.nul();
    for (let i = 0; i < 10_000; i++) nested = der.seq(nested);
    return { ...body, extensions: [...body.extensions, extension('1.2.3.4', nested)] };
  },
  depthOfSan: (body) => {
    let nested: Uint8Array = der.nul();
    for (let i = 0; i < 10_000; i++) nested = der.seq(nested);
    return replaced(SAN, () => [extension(SAN, nested, true)])(body);
  },
  longArc: (body) => {
    const oid = concat(Uint8Array.of(0x06, 12, 0x2a), new Uint8Array(10).fill(0xff), Uint8Array.of(0x7f));
    return { ...body, extensions: [...body.extensions, der.seq(oid, der.octets(der.nul()))] };
  },
  arcNotMinimal: (body) => {
    const oid = Uint8Array.of(0x06, 3, 0x2a, 0x80, 0x01);
    return { ...body, extensions: [...body.extensions, der.seq(oid, der.octets(der.nul()))] };
  },
};

/** Changes of the finished bytes. */
const encodings: Readonly<Record<string, (certificate: Uint8Array) => Uint8Array>> = {
  trailing: (certificate) => concat(certificate, Uint8Array.of(0)),
  indefinite: (certificate) =>
    concat(Uint8Array.of(0x30, 0x80), readDer(certificate).body, Uint8Array.of(0, 0)),
  lengthNotMinimal: (certificate) => {
    const { body } = readDer(certificate);
    return concat(Uint8Array.of(0x30, 0x83, 0, body.length >> 8, body.length & 255), body);
  },
  truncated: (certificate) => certificate.subarray(0, -10),
  oversized: (certificate) => concat(certificate, new Uint8Array(70_000)),
  tbsOnly: (certificate) => readDer(certificate).children()[0]?.raw ?? certificate,
  empty: () => new Uint8Array(),
};

export function operate(certificate: Uint8Array, name: string): Uint8Array {
  const encode = encodings[name];
  if (encode !== undefined) return encode(certificate);
  const change = bodies[name];
  if (change === undefined) throw new Error(`no operation ${name}`);
  return signedAgain(change(bodyOf(certificate)));
}

/** What a bundle shows is its DER; nothing of a certificate that cannot be parsed is looked at besides. */
const shown = (bytes: Uint8Array): Certificate => ({ der: bytes }) as Certificate;

export const surgeryRecipes: Recipes = {
  certificate: (draft, operation) => {
    const key = keyNamed('p256/operated');
    draft.sign.leafKey = key;
    const good = stack.issue(key, EPOCH, draft.sign.leaf === undefined ? {} : { leaf: draft.sign.leaf });
    draft.sign.certificate = shown(operate(good.der, text(operation)));
  },
  /** A certificate with this alternative name, in an encoding no builder writes. */
  certificateName: (draft, kind, value) => {
    const key = keyNamed('p256/operated');
    draft.sign.leafKey = key;
    const name = sans[text(kind)]?.(text(value));
    if (name === undefined) throw new Error(`no name ${text(kind)}`);
    const good = bodyOf(
      stack.issue(key, EPOCH, draft.sign.leaf === undefined ? {} : { leaf: draft.sign.leaf }).der,
    );
    draft.sign.certificate = shown(signedAgain(replaced(SAN, () => [extension(SAN, name, true)])(good)));
  },
  /** Shows a certificate of an authority where the leaf belongs. */
  showAuthority: (draft, name, part) => {
    const { certificate } = part === 'root' ? caNamed(text(name)).root : caNamed(text(name)).intermediate;
    draft.sign.certificate = certificate;
  },
};
