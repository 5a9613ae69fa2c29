/**
 * Is a log entry about this signature? The body must record the same signature, the same verifier and the same
 * digest. Forgetting one of the three was published as a weakness four times (GHSA-ccxc-vr6p-4858 and after).
 */
import { equalBytes, latin1, toHex } from '#base/bytes';
import type { PublicKey } from '#base/crypto';
import { sha256 } from '#base/crypto';
import { reason } from '#base/reason';
import { err, ok, type Result } from '#base/result';
import { keyDetails, keyDetailsByName, keyDetailsFor, keyFits } from '#formats/key-details';
import { pemDecode, pemEncode } from '#formats/pem';
import {
  type DsseBodyV1,
  type HashedRekordBodyV1,
  type HashValue,
  hashedRekordV1Text,
  hashedRekordV2Body,
  hashedRekordV2Text,
  type IntotoBodyV1,
  parseRekorV1Body,
  parseRekorV2Body,
  type VerifierV2,
} from '#formats/rekor';
import type { TransparencyLogEntry } from '#formats/tlog-entry';
import type { Certificate } from '#formats/x509';
import type { SignedEntity } from './entity.ts';
import { type Hashed, hashed } from './hashed.ts';
import { R } from './reasons.ts';

/** What an entry must agree with. */
export interface Binding {
  readonly entity: SignedEntity;
  readonly signed: Hashed;
  /** The key, and the certificate that carried it. */
  readonly key: PublicKey;
  readonly certificate: Certificate | undefined;
}

function differs(what: string, expected: string, actual: string): Result<never> {
  return err(
    reason(R.entryContent, { expected: `${what} ${expected}`, actual, check: `tlog.entry.${what}` }),
  );
}

/** Rekor v1: hashedrekord, rekord, dsse, intoto. Fails with WB-310, WB-311 or the reasons of the body. */
export function checkBodyV1(entry: TransparencyLogEntry, binding: Binding): Result<void> {
  if (isExpectedBody(entry, binding)) return ok(undefined);
  const parsed = parseRekorV1Body(entry.kind, entry.version, entry.canonicalizedBody);
  if (!parsed.ok) return parsed;
  const body = parsed.value;
  switch (body.kind) {
    case 'hashedrekord':
    case 'rekord':
      return checkHashed(body, binding);
    case 'dsse':
      return checkDsse(body, binding);
    case 'intoto':
      return checkIntoto(body, binding);
  }
}

/**
 * Whether the body is, byte for byte, the hashedrekord a log writes for this signature, verifier and digest: the
 * usual case, which then needs no reading. Anything else is read and compared field by field.
 */
function isExpectedBody(entry: TransparencyLogEntry, binding: Binding): boolean {
  if (entry.kind !== 'hashedrekord' || entry.version !== '0.0.1') return false;
  const { certificate, entity, key, signed } = binding;
  const value = signed.digest('sha256');
  if (value === undefined) return false;
  const [label, der] =
    certificate === undefined ? ['PUBLIC KEY', key.spki] : ['CERTIFICATE', certificate.der];
  const hash = { algorithm: 'sha256', value } as const;
  const verifier = pemEncode(label, der);
  return (
    latin1(entry.canonicalizedBody) === hashedRekordV1Text({ hash, signature: entity.signature, verifier })
  );
}

function checkHashed(
  body: Pick<HashedRekordBodyV1, 'hash' | 'signature' | 'verifier'>,
  binding: Binding,
): Result<void> {
  const hash = checkHash('digest', body.hash, binding.signed);
  if (!hash.ok) return hash;
  return checkSigned(body, binding);
}

function checkDsse(body: DsseBodyV1, binding: Binding): Result<void> {
  const { content, envelopeBytes } = binding.entity;
  if (content.kind !== 'dsse') return wrongKind('an entry for a plain signature', 'dsse');
  if (envelopeBytes !== undefined) {
    const envelope = checkHash('envelopeHash', body.envelopeHash, hashed(envelopeBytes));
    if (!envelope.ok) return envelope;
  }
  const payload = checkHash('payloadHash', body.payloadHash, hashed(content.envelope.payload));
  if (!payload.ok) return payload;
  return checkOnly(body.signatures, binding);
}

function checkIntoto(body: IntotoBodyV1, binding: Binding): Result<void> {
  const { content, envelopeBytes } = binding.entity;
  if (content.kind !== 'dsse') return wrongKind('an entry for a plain signature', 'intoto');
  if (envelopeBytes !== undefined) {
    const envelope = checkHash('envelopeHash', body.envelopeHash, hashed(envelopeBytes));
    if (!envelope.ok) return envelope;
  }
  if (body.version === '0.0.1') {
    // This version records no signature: only the hash of the stored envelope binds it, so that must be at hand.
    if (envelopeBytes === undefined) return wrongKind('an entry that records the signature', 'intoto 0.0.1');
    return checkVerifier(body.verifier ?? '', binding);
  }
  if (body.payloadHash === undefined) return differs('payloadHash', 'of the payload', 'none');
  const payload = checkHash('payloadHash', body.payloadHash, hashed(content.envelope.payload));
  if (!payload.ok) return payload;
  return checkOnly(body.signatures, binding);
}

function wrongKind(expected: string, actual: string): Result<never> {
  return err(reason(R.entryKind, { expected, actual }));
}

function checkOnly(
  signatures: readonly { readonly signature: Uint8Array; readonly verifier: string }[],
  binding: Binding,
): Result<void> {
  const [only] = signatures;
  if (only === undefined || signatures.length > 1)
    return differs('signature', 'alone', `${signatures.length}`);
  return checkSigned(only, binding);
}

function checkSigned(
  recorded: { readonly signature: Uint8Array; readonly verifier: string },
  binding: Binding,
): Result<void> {
  if (!equalBytes(recorded.signature, binding.entity.signature)) {
    return differs('signature', toHex(binding.entity.signature), toHex(recorded.signature));
  }
  return checkVerifier(recorded.verifier, binding);
}

function checkHash(what: string, recorded: HashValue, content: Hashed): Result<void> {
  const own = content.digest(recorded.algorithm);
  if (own === undefined) {
    const expected = `the artifact, or its ${recorded.algorithm} digest`;
    return err(reason(R.artifactForm, { expected, actual: 'another digest only' }));
  }
  return equalBytes(own, recorded.value) ? ok(undefined) : differs(what, toHex(own), toHex(recorded.value));
}

function checkVerifier(pem: string, { key, certificate }: Binding): Result<void> {
  const blocks = pemDecode(pem);
  if (!blocks.ok) return blocks;
  const [block, ...more] = blocks.value;
  const [label, der] =
    certificate === undefined ? ['PUBLIC KEY', key.spki] : ['CERTIFICATE', certificate.der];
  if (more.length === 0 && block.label === label && equalBytes(block.der, der)) return ok(undefined);
  if (certificate === undefined && block.label === 'CERTIFICATE') return recordsCertificate();
  return differs('verifier', `${label} ${fingerprint(der)}`, `${block.label} ${fingerprint(block.der)}`);
}

/** Not a forged entry: the signature is another kind of evidence than the caller asked for. */
function recordsCertificate(): Result<never> {
  const actual = 'one that its log entry records with a certificate';
  return err(reason(R.keyExpected, { expected: 'a signature by a bare key', actual }));
}

const fingerprint = (der: Uint8Array): string => `sha256:${toHex(sha256(der))}`;

/**
 * Rekor v2: the leaf is rebuilt from what is being verified and must be the leaf that was given, byte for byte.
 * Only the name of the key's algorithm is taken from the entry, and it must fit the key.
 */
export function checkBodyV2(entry: TransparencyLogEntry, binding: Binding): Result<void> {
  if (isExpectedLeaf(entry, binding)) return ok(undefined);
  const parsed = parseRekorV2Body(entry.kind, entry.version, entry.canonicalizedBody);
  if (!parsed.ok) return parsed;
  const body = parsed.value;
  const { key, entity, signed } = binding;
  const hash = checkHash('digest', body.hash, signed);
  if (!hash.ok) return hash;
  if (!equalBytes(body.signature, entity.signature)) {
    return differs('signature', toHex(entity.signature), toHex(body.signature));
  }
  if (binding.certificate === undefined && body.verifier.kind === 'x509Certificate')
    return recordsCertificate();
  const name = body.verifier.keyDetails;
  const details = keyDetailsByName(name);
  if (details === undefined || !keyFits(details, key) || details.hash !== body.hash.algorithm) {
    return differs('keyDetails', `of a ${key.kind} key and ${body.hash.algorithm}`, name);
  }
  const verifier = verifierV2(binding, name);
  const leaf = hashedRekordV2Body({ hash: body.hash, signature: entity.signature, verifier });
  if (equalBytes(leaf, entry.canonicalizedBody)) return ok(undefined);
  return differs('verifier', fingerprint(verifier.rawBytes), fingerprint(body.verifier.rawBytes));
}

/** As `isExpectedBody`: the leaf with the usual name of the key's algorithm. */
function isExpectedLeaf(entry: TransparencyLogEntry, binding: Binding): boolean {
  if (entry.kind !== 'hashedrekord' || entry.version !== '0.0.2') return false;
  const { key, entity, signed } = binding;
  const name = keyDetailsFor(key);
  const algorithm = name === undefined ? undefined : keyDetails[name].hash;
  const value = algorithm === undefined ? undefined : signed.digest(algorithm);
  if (name === undefined || algorithm === undefined || value === undefined) return false;
  const hash = { algorithm, value };
  const leaf = { hash, signature: entity.signature, verifier: verifierV2(binding, name) };
  return latin1(entry.canonicalizedBody) === hashedRekordV2Text(leaf);
}

function verifierV2({ key, certificate }: Binding, name: string): VerifierV2 {
  return certificate === undefined
    ? { kind: 'publicKey', rawBytes: key.spki, keyDetails: name }
    : { kind: 'x509Certificate', rawBytes: certificate.der, keyDetails: name };
}
