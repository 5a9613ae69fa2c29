/** Timestamps that no authority makes: a token put together piece by piece. */
import { concat, utf8 } from '#base/bytes';
import { hash, type PrivateKey, sha1Unsafe, sha256 } from '#base/crypto';
import { der, readDer } from '#formats/der';
import type { Certificate } from '#formats/x509';
import { flip } from '../../double/json-edits.ts';
import type { Parts } from '../../double/virtual-stack.ts';
import { moment, stack, tsaNamed } from '../world.ts';
import { number, type Recipes, text } from './recipe.ts';

const oids = {
  sha1: '1.3.14.3.2.26',
  sha256: '2.16.840.1.101.3.4.2.1',
  ecdsaSha256: '1.2.840.10045.4.3.2',
  signedData: '1.2.840.113549.1.7.2',
  tstInfo: '1.2.840.113549.1.9.16.1.4',
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingCertificateV2: '1.2.840.113549.1.9.16.2.47',
};

interface Pieces {
  readonly imprint: Uint8Array;
  readonly imprintOid: string;
  readonly at: number;
  readonly status: number;
  readonly accuracySeconds: number;
  readonly ordering: boolean;
  readonly signer: { readonly key: PrivateKey; readonly certificate: Certificate };
  /** The certificate the signed attributes name. */
  readonly named: Certificate;
  readonly attributes: readonly ('contentType' | 'messageDigest' | 'signingCertificate')[];
  readonly digestOf?: Uint8Array;
  readonly embedded: readonly Certificate[];
  readonly hasToken: boolean;
}

const attribute = (oid: string, value: Uint8Array): Uint8Array => der.seq(der.oid(oid), der.set(value));

function token(pieces: Pieces): Uint8Array {
  const info = der.seq(
    der.int(1),
    der.oid('1.3.6.1.4.1.57264.2'),
    der.seq(der.seq(der.oid(pieces.imprintOid), der.nul()), der.octets(pieces.imprint)),
    der.int(4711),
    der.generalTime(pieces.at),
    der.seq(der.int(pieces.accuracySeconds)),
    ...(pieces.ordering ? [der.bool(true)] : []),
  );
  const { certificate, key } = pieces.signer;
  const made = {
    contentType: attribute(oids.contentType, der.oid(oids.tstInfo)),
    messageDigest: attribute(oids.messageDigest, der.octets(sha256(pieces.digestOf ?? info))),
    signingCertificate: attribute(
      oids.signingCertificateV2,
      der.seq(der.seq(der.seq(der.octets(sha256(pieces.named.der))))),
    ),
  };
  const attributes = der.set(...pieces.attributes.map((name) => made[name]));
  const isUnattributed = pieces.attributes.length === 0;
  const signerInfo = der.seq(
    der.int(1),
    der.seq(certificate.issuer, der.rawInt(certificate.serial)),
    der.seq(der.oid(oids.sha256)),
    ...(isUnattributed ? [] : [der.implicit(0, attributes)]),
    der.seq(der.oid(oids.ecdsaSha256)),
    der.octets(key.sign(isUnattributed ? info : attributes, 'sha256')),
  );
  const embedded = pieces.embedded.map((item) => item.der);
  const signedData = der.seq(
    der.int(3),
    der.set(der.seq(der.oid(oids.sha256))),
    der.seq(der.oid(oids.tstInfo), der.explicit(0, der.octets(info))),
    ...(embedded.length === 0 ? [] : [der.implicit(0, der.set(...embedded))]),
    der.set(signerInfo),
  );
  return der.seq(
    der.seq(der.int(pieces.status)),
    ...(pieces.hasToken ? [der.seq(der.oid(oids.signedData), der.explicit(0, signedData))] : []),
  );
}

const own = { key: stack.tsa.key, certificate: stack.tsa.certificate };
const other = () => ({ key: tsaNamed('independent').key, certificate: tsaNamed('independent').certificate });

const whole = (signature: Uint8Array): Pieces => ({
  imprint: sha256(signature),
  imprintOid: oids.sha256,
  at: moment(60),
  status: 0,
  accuracySeconds: 1,
  ordering: false,
  signer: own,
  named: own.certificate,
  attributes: ['contentType', 'messageDigest', 'signingCertificate'],
  embedded: [],
  hasToken: true,
});

type Make = (signature: Uint8Array) => Uint8Array;
const changed =
  (change: (pieces: Pieces, signature: Uint8Array) => Partial<Pieces>): Make =>
  (signature) => {
    const pieces = whole(signature);
    return token({ ...pieces, ...change(pieces, signature) });
  };

const tokens: Readonly<Record<string, Make>> = {
  whole: changed(() => ({})),
  overOther: changed(() => ({ imprint: sha256(utf8('other')) })),
  sha1: changed((_, signature) => ({ imprintOid: oids.sha1, imprint: sha1Unsafe(signature) })),
  sha1As256: changed((_, signature) => ({ imprint: sha1Unsafe(signature) })),
  sha512As256: changed((_, signature) => ({ imprint: hash('sha512', signature) })),
  byOther: changed(() => ({ signer: other(), named: other().certificate })),
  byOtherEmbedded: changed(() => ({
    signer: other(),
    named: other().certificate,
    embedded: [other().certificate, tsaNamed('independent').issuer.intermediate.certificate],
  })),
  /** Names the authority; the key is another's. */
  impostor: changed(() => ({
    signer: { ...own, key: other().key },
    embedded: [own.certificate, other().certificate],
  })),
  extraCertificates: changed(() => ({
    embedded: [other().certificate, stack.ca.root.certificate, own.certificate],
  })),
  elevenCertificates: changed(() => ({ embedded: Array.from({ length: 11 }, () => own.certificate) })),
  codeSigner: changed(() => {
    const signer = { key: stack.ca.intermediate.key, certificate: stack.ca.intermediate.certificate };
    return { signer, named: signer.certificate, embedded: [signer.certificate] };
  }),
  noAttributes: changed(() => ({ attributes: [] })),
  noMessageDigest: changed(() => ({ attributes: ['contentType', 'signingCertificate'] })),
  noSigningCertificate: changed(() => ({ attributes: ['contentType', 'messageDigest'] })),
  wrongMessageDigest: changed(() => ({ digestOf: utf8('other') })),
  otherSigningCertificate: changed(() => ({ named: other().certificate })),
  grantedWithoutToken: changed(() => ({ hasToken: false })),
  rejectionWithToken: changed(() => ({ status: 2 })),
  rejectionWithoutToken: changed(() => ({ status: 2, hasToken: false })),
  waiting: changed(() => ({ status: 3, hasToken: false })),
  wideAccuracy: changed(() => ({ accuracySeconds: 3600 })),
  ordering: changed(() => ({ ordering: true })),
  trailing: (signature) => concat(token(whole(signature)), Uint8Array.of(0)),
  emptySequence: () => Uint8Array.of(0x30, 0),
  bareToken: (signature) => readDer(token(whole(signature))).children()[1]?.raw ?? new Uint8Array(),
  changedTime: (signature) => {
    const bytes = Buffer.from(token(whole(signature)));
    const at = bytes.indexOf('20260601120100Z');
    if (at < 0) throw new Error('the time is not where it is thought to be');
    bytes[at + 11] = 0x32;
    return bytes;
  },
  changedSignature: (signature) =>
    Buffer.from(flip(Buffer.from(token(whole(signature))).toString('base64')), 'base64'),
};

const signatureOf = ({ content }: Parts): Uint8Array =>
  content.kind === 'message' ? content.signature : (content.envelope.signatures[0]?.sig ?? new Uint8Array());

function maker(name: string): Make {
  const make = tokens[name];
  if (make === undefined) throw new Error(`no token ${name}`);
  return make;
}

export const tokenRecipes: Recipes = {
  /** The only timestamp. */
  token: (draft, name) => {
    draft.partEdits.push((parts) => ({ timestamps: [maker(text(name))(signatureOf(parts))] }));
  },
  /** One more timestamp, behind those there are. */
  moreToken: (draft, name) => {
    draft.partEdits.push((parts) => ({
      timestamps: [...parts.timestamps, maker(text(name))(signatureOf(parts))],
    }));
  },
  tokenAt: (draft, seconds, accuracySeconds) => {
    const change = changed(() => ({
      at: moment(number(seconds)),
      ...(accuracySeconds === undefined ? {} : { accuracySeconds: number(accuracySeconds) }),
    }));
    draft.partEdits.push((parts) => ({ timestamps: [change(signatureOf(parts))] }));
  },
};
