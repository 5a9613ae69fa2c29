/**
 * Proposed Rekor v2 entries → canonical bodies. A leaf is always hashedrekord 0.0.2; the retired DSSE request
 * that sigstore-js still sends is checked as an envelope and logged as the hash of its pre-authentication
 * encoding, which is what current clients send themselves.
 */
import { hash } from '#base/crypto';
import { fail, WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { pae } from '#formats/dsse';
import { type KeyDetails, keyDetailsByName, keyFits } from '#formats/key-details';
import {
  hashedRekordV2Body,
  parseRekorV2Request,
  type RekorRequestV2,
  type VerifierV2,
} from '#formats/rekor';
import { R as formats } from '#formats/sigstore-reasons';
import type { AcceptedEntry } from './entry.ts';
import { R } from './reasons.ts';
import { payloadKeys } from './search-keys.ts';
import {
  messageSignatureHash,
  readVerifier,
  requireDigestSignatureAsync,
  type Verifier,
} from './verifier.ts';
import { told } from './wire.ts';

/** Rekor v2's list (rekor-tiles, pkg/algorithmregistry). Pure Ed25519 cannot be checked from a digest. */
const accepted: ReadonlySet<string> = new Set([
  'PKIX_RSA_PKCS1V15_2048_SHA256',
  'PKIX_RSA_PKCS1V15_3072_SHA256',
  'PKIX_RSA_PKCS1V15_4096_SHA256',
  'PKIX_ECDSA_P256_SHA_256',
  'PKIX_ECDSA_P384_SHA_384',
  'PKIX_ECDSA_P521_SHA_512',
  'PKIX_ED25519_PH',
]);

/** Rejects with WB-1030…1032 and format reasons. */
export async function acceptV2(request: Uint8Array): Promise<AcceptedEntry> {
  // The gateway takes an absent document for one without fields.
  const asked = parseRekorV2Request(request.length === 0 ? '{}' : request);
  if (!asked.ok && asked.error.code === formats.rekorKind.code)
    throw told('invalid type, must be hashedrekord', new WaybillError(asked.error));
  const parsed = unwrap(asked);
  return parsed.kind === 'dsse' ? acceptDsse(parsed) : acceptHashedRekord(parsed);
}

interface ReadVerifier extends Verifier {
  readonly details: KeyDetails;
}

function read(verifier: VerifierV2): ReadVerifier {
  const details = accepted.has(verifier.keyDetails) ? keyDetailsByName(verifier.keyDetails) : undefined;
  if (details === undefined) {
    const expected = `keyDetails of ${[...accepted].join(', ')}`;
    throw fail(R.verifier, { expected, actual: JSON.stringify(verifier.keyDetails) });
  }
  const opened = readVerifier(verifier.kind === 'x509Certificate', verifier.rawBytes);
  if (keyFits(details, opened.key)) return { ...opened, details };
  const actual = `a ${opened.key.kind} key`;
  throw fail(R.verifier, { expected: `a key that fits ${verifier.keyDetails}`, actual });
}

async function acceptHashedRekord(
  request: RekorRequestV2 & { kind: 'hashedrekord' },
): Promise<AcceptedEntry> {
  const { digest, signature } = request;
  const { key, details } = read(request.verifier);
  const length = { sha256: 32, sha384: 48, sha512: 64 }[details.hash];
  if (digest.length !== length) {
    throw fail(R.digest, {
      expected: `${length} bytes of ${details.hash}`,
      actual: `${digest.length} bytes`,
    });
  }
  await requireDigestSignatureAsync(key, details.hash, digest, signature);
  const body = hashedRekordV2Body({
    hash: { algorithm: details.hash, value: digest },
    signature,
    verifier: request.verifier,
  });
  return { body, payloadKeys: [] };
}

function acceptDsse(request: RekorRequestV2 & { kind: 'dsse' }): AcceptedEntry {
  const { envelope, verifiers } = request;
  const [verifier, ...more] = verifiers;
  const [signature, ...others] = envelope.signatures;
  if (verifier === undefined || signature === undefined || more.length > 0 || others.length > 0) {
    const actual = `${envelope.signatures.length} signatures and ${verifiers.length} verifiers`;
    throw fail(R.verifier, { expected: 'one signature and its verifier', actual });
  }
  const { key, details } = read(verifier);
  const signed = pae(envelope.payloadType, envelope.payload);
  if (messageSignatureHash(key, signed, signature.sig) !== details.hash) {
    throw fail(R.signature, { expected: `a signature with ${verifier.keyDetails}`, actual: 'another' });
  }
  const body = hashedRekordV2Body({
    hash: { algorithm: details.hash, value: hash(details.hash, signed) },
    signature: signature.sig,
    verifier,
  });
  return { body, payloadKeys: payloadKeys(envelope), envelope };
}
