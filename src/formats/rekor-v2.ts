/**
 * Rekor v2 (rekor-tiles): the one leaf form it keeps, hashedrekord 0.0.2, and its requests. A leaf is a function
 * of digest, signature and verifier, so verifiers rebuild it instead of believing it.
 */
import { toBase64, utf8 } from '#base/bytes';
import type { HashName } from '#base/crypto';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { attempt, type Result, unwrap } from '#base/result';
import { hashFromProto, hashToProto } from './bundle.ts';
import { type Envelope, readEnvelope } from './dsse.ts';
import { type JsonObject, type JsonReader, parseJson, protoReader, reader } from './json.ts';
import { R } from './sigstore-reasons.ts';

/** Who verifies: a DER certificate or a DER SubjectPublicKeyInfo, with PublicKeyDetails. */
export interface VerifierV2 {
  readonly kind: 'x509Certificate' | 'publicKey';
  readonly rawBytes: Uint8Array;
  readonly keyDetails: string;
}

export interface HashedRekordBodyV2 {
  readonly kind: 'hashedrekord';
  readonly version: '0.0.2';
  readonly hash: { readonly algorithm: HashName; readonly value: Uint8Array };
  readonly signature: Uint8Array;
  readonly verifier: VerifierV2;
}

type HashedRekordInput = Pick<HashedRekordBodyV2, 'hash' | 'signature' | 'verifier'>;

/** Canonical leaf: RFC 8785 over the protobuf JSON. */
export const hashedRekordV2Body = (input: HashedRekordInput): Uint8Array => utf8(hashedRekordV2Text(input));

/** The same as text. */
export function hashedRekordV2Text({ hash, signature, verifier }: HashedRekordInput): string {
  // RFC 8785 by construction: names in order, and base64 needs no escape.
  const { kind, rawBytes, keyDetails } = verifier;
  return (
    `{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":{"algorithm":` +
    `"${hashToProto(hash.algorithm)}","digest":"${toBase64(hash.value)}"},"signature":{"content":` +
    `"${toBase64(signature)}","verifier":{"keyDetails":${JSON.stringify(keyDetails)},` +
    `"${kind}":{"rawBytes":"${toBase64(rawBytes)}"}}}}}}`
  );
}

function signatureJson({
  signature,
  verifier,
}: Pick<HashedRekordBodyV2, 'signature' | 'verifier'>): JsonObject {
  return {
    content: toBase64(signature),
    verifier: {
      [verifier.kind]: { rawBytes: toBase64(verifier.rawBytes) },
      keyDetails: verifier.keyDetails,
    },
  };
}

/** Parses a v2 leaf. Fails with WB-172, WB-173 or a JSON reason. */
export function parseRekorV2Body(
  kind: string,
  version: string,
  body: Uint8Array,
): Result<HashedRekordBodyV2> {
  return attempt(() => {
    if (kind !== 'hashedrekord' || version !== '0.0.2') {
      throw fail(R.rekorKind, { expected: 'hashedrekord 0.0.2', actual: `${kind} ${version}` });
    }
    const json = reader(unwrap(parseJson(body)), 'body', { as: R.rekorBody });
    if (json.string('kind') !== kind || json.string('apiVersion') !== version) {
      throw json.wrong('kind', `${kind} ${version}`, `${json.string('kind')} ${json.string('apiVersion')}`);
    }
    const spec = json.child('spec').child('hashedRekordV002');
    const data = spec.child('data');
    const algorithm = hashFromProto(data.string('algorithm'));
    if (algorithm === undefined) throw data.wrong('algorithm', 'a SHA-2 name', data.string('algorithm'));
    return {
      kind,
      version,
      hash: { algorithm, value: data.bytes('digest') },
      ...readSignature(spec.child('signature')),
    };
  });
}

function readSignature(json: JsonReader): Pick<HashedRekordBodyV2, 'signature' | 'verifier'> {
  return { signature: json.bytes('content'), verifier: readVerifier(json.child('verifier')) };
}

/** Rekor v2 refuses fields it does not know: a client that means something by one must not be half understood. */
function only(json: JsonReader, names: readonly string[]): void {
  const known = new Set(names.flatMap((name) => [name, snakeCase(name)]));
  const unknown = Object.keys(json.object).find((name) => !known.has(name));
  if (unknown !== undefined)
    throw json.wrong(unknown, `no field but ${names.join(', ')}`, 'an unknown field');
}

function onlyVerifier(json: JsonReader): void {
  only(json, ['x509Certificate', 'publicKey', 'keyDetails']);
  for (const name of ['x509Certificate', 'publicKey']) {
    const material = json.optionalChild(name);
    if (material !== undefined) only(material, ['rawBytes']);
  }
}

const snakeCase = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

function readVerifier(json: JsonReader): VerifierV2 {
  const kinds = (['x509Certificate', 'publicKey'] as const).filter((key) => json.has(key));
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1) {
    throw json.wrong('', 'either x509Certificate or publicKey', kinds.join(' and ') || 'none');
  }
  return { kind, rawBytes: json.child(kind).bytes('rawBytes'), keyDetails: json.text('keyDetails') };
}

/** What a client proposes to a v2 log. `dsse` is the retired form that @sigstore/sign still sends. */
export type RekorRequestV2 =
  | {
      readonly kind: 'hashedrekord';
      readonly digest: Uint8Array;
      readonly signature: Uint8Array;
      readonly verifier: VerifierV2;
    }
  | { readonly kind: 'dsse'; readonly envelope: Envelope; readonly verifiers: readonly VerifierV2[] };

/** Parses the body of `POST /api/v2/log/entries`. Fails with WB-155, WB-172, WB-174 or a JSON reason. */
export function parseRekorV2Request(input: Uint8Array | string): Result<RekorRequestV2> {
  return attempt(() => {
    const value = unwrap(parseJson(input, { maxBytes: limits.logRequestBytes }));
    const json = protoReader(value, 'request', { as: R.rekorRequest });
    // protoReader's snake form of these names is hashed_rekord_request_v002, which is protobuf's own.
    const hashed = json.optionalChild('hashedRekordRequestV002');
    const dsse = json.optionalChild('dsseRequestV002');
    only(json, ['hashedRekordRequestV002', 'dsseRequestV002']);
    if (hashed === undefined && dsse === undefined) {
      throw fail(R.rekorKind, { expected: 'hashedRekordRequestV002 or dsseRequestV002', actual: 'neither' });
    }
    if (hashed !== undefined && dsse === undefined) {
      only(hashed, ['digest', 'signature']);
      const signature = hashed.child('signature');
      only(signature, ['content', 'verifier']);
      onlyVerifier(signature.child('verifier'));
      return {
        kind: 'hashedrekord',
        digest: hashed.bytes('digest'),
        ...readSignature(signature),
      };
    }
    if (dsse === undefined || hashed !== undefined) {
      throw json.wrong('', 'hashedRekordRequestV002 or dsseRequestV002', Object.keys(json.object).join(', '));
    }
    only(dsse, ['envelope', 'verifiers']);
    const verifiers = dsse.children('verifiers', 16).map((verifier) => {
      onlyVerifier(verifier);
      return readVerifier(verifier);
    });
    if (verifiers.length === 0) throw dsse.wrong('verifiers', 'at least one verifier', 'none');
    return { kind: 'dsse', envelope: readEnvelope(dsse.value('envelope') ?? null), verifiers };
  });
}

/** The JSON of a v2 request for a digest. */
export function hashedRekordV2RequestJson(input: {
  readonly digest: Uint8Array;
  readonly signature: Uint8Array;
  readonly verifier: VerifierV2;
}): JsonObject {
  return {
    hashedRekordRequestV002: { digest: toBase64(input.digest), signature: signatureJson(input) },
  };
}
