/** Client of a certificate authority with Fulcio's API: `POST /api/v2/signingCert`. */
import { equalBytes, toBase64, utf8 } from '#base/bytes';
import { publicKeyPem } from '#base/crypto';
import { fail } from '#base/reason';
import { isNonEmpty, type NonEmpty, unwrap } from '#base/result';
import type { Secret } from '#base/secret';
import { reader } from '#formats/json';
import { pemDecode } from '#formats/pem';
import { type Certificate, parseCertificate } from '#formats/x509';
import { type ContentKey, signableBytes } from './content-key.ts';
import { ask, joinUrl, jsonOf, readAnswer, refused, type WireDeps } from './http.ts';
import { R } from './reasons.ts';

export interface CaClient {
  readonly url: string;
  /**
   * Certifies a key for the identity in the token. `challenge` is what is signed as proof of possession. The
   * leaf comes first. Throws WB-810 (refused), WB-813 or WB-814.
   */
  certify(token: Secret, challenge: string, key: ContentKey): Promise<NonEmpty<Certificate>>;
}

const algorithmNames = { p256: 'ECDSA', p384: 'ECDSA', p521: 'ECDSA', rsa: 'RSA_PSS', ed25519: 'ED25519' };

export function caClient(base: string, deps: WireDeps): CaClient {
  const url = joinUrl(base, '/api/v2/signingCert');
  return {
    url,
    certify: async (token, challenge, key) => {
      const proof = await key.sign(signableBytes(utf8(challenge)), { pure: true });
      const body = {
        publicKeyRequest: {
          publicKey: {
            algorithm: algorithmNames[key.publicKey.kind],
            content: publicKeyPem(key.publicKey),
          },
          proofOfPossession: toBase64(proof),
        },
      };
      const answer = await ask(deps, {
        url,
        method: 'POST',
        // The token travels in one place only: the header, which no server logs by default.
        headers: { authorization: `Bearer ${token.reveal()}`, 'content-type': 'application/json' },
        body: utf8(JSON.stringify(body)),
      });
      if (answer.status !== 200 && answer.status !== 201) throw refused(R.caRefused, url, answer);
      const chain = readAnswer(url, () => readChain(jsonOf(answer)));
      if (!equalBytes(chain[0].publicKey.spki, key.publicKey.spki)) {
        throw fail(R.answer, { expected: 'a certificate for our key', actual: 'one for another key' });
      }
      return chain;
    },
  };
}

function readChain(value: ReturnType<typeof jsonOf>): NonEmpty<Certificate> {
  const json = reader(value, 'answer');
  // A detached SCT cannot stand in a bundle, so no verifier could find it.
  const chain = json.child('signedCertificateEmbeddedSct').child('chain').strings('certificates', 10);
  const certificates = chain.map((pem) =>
    unwrap(parseCertificate(unwrap(pemDecode(pem, 'CERTIFICATE'))[0].der)),
  );
  if (!isNonEmpty(certificates)) throw json.wrong('chain', 'at least the leaf', 'none');
  return certificates;
}
