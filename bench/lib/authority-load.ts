/** What the authorities are asked under load, and whether an answer is what was asked for. */
import { randomBytes } from 'node:crypto';
import { fromBase64, toHex, utf8 } from '#base/bytes';
import { generateKey, type PublicKey, publicKeyPem, sha256 } from '#base/crypto';
import { unwrap } from '#base/result';
import { pemDecode } from '#formats/pem';
import { embeddedScts, verifySct } from '#formats/sct';
import { buildTimeStampRequest, parseTimeStampResponse } from '#formats/tsp';
import { type Certificate, parseCertificate, sanText, verifyCertificateSignature } from '#formats/x509';
import type { Post } from './post-load.ts';

export interface CertificateAsk {
  readonly post: Post;
  readonly key: PublicKey;
  readonly email: string;
}

/** A few people with a token each; a key and a proof of its own for each request. */
export async function certificateAsks(oidc: string, count: number): Promise<CertificateAsk[]> {
  const people = await Promise.all(
    Array.from({ length: 8 }, async (_, i) => {
      const email = `p${i}@example.com`;
      const asked = await fetch(`${oidc}/token`, { method: 'POST', body: JSON.stringify({ email }) });
      return { email, token: ((await asked.json()) as { readonly id_token: string }).id_token };
    }),
  );
  return Array.from({ length: count }, (_, i) => {
    const { email, token } = people[i % people.length] as (typeof people)[number];
    const { publicKey: key, sign } = generateKey('p256');
    const proofOfPossession = Buffer.from(sign(utf8(email))).toString('base64');
    const publicKey = { algorithm: 'ECDSA', content: publicKeyPem(key) };
    const body = Buffer.from(JSON.stringify({ publicKeyRequest: { publicKey, proofOfPossession } }));
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
    return { post: { body, headers }, key, email };
  });
}

interface Chain {
  readonly chain: { readonly certificates: readonly string[] };
}

/**
 * Throws unless the answer is a certificate of that key for that person, signed by the next one of its chain, and,
 * where a key of a log is given, promised by that log.
 */
export function checkCertificate(answer: Buffer, ask: CertificateAsk, ctKey?: PublicKey): Certificate {
  const json = JSON.parse(answer.toString()) as Readonly<Record<string, Chain | undefined>>;
  const { chain } = json['signedCertificateEmbeddedSct'] ?? json['signedCertificateDetachedSct'] ?? {};
  const [leaf, issuer] = (chain?.certificates ?? []).map((pem) =>
    unwrap(parseCertificate(unwrap(pemDecode(pem))[0].der)),
  );
  if (leaf === undefined || issuer === undefined) throw new Error('no chain in the answer');
  const isAsked =
    toHex(leaf.publicKey.spki) === toHex(ask.key.spki) && sanText(leaf) === `email:${ask.email}`;
  if (!isAsked || !verifyCertificateSignature(leaf, issuer)) throw new Error('another certificate');
  if (ctKey === undefined) return leaf;
  const [sct] = unwrap(embeddedScts(leaf));
  if (sct === undefined || !verifySct(sct, leaf, issuer.publicKey, ctKey)) throw new Error('no promise');
  return leaf;
}

export interface TimestampAsk {
  readonly post: Post;
  readonly hash: Uint8Array;
  readonly nonce: Uint8Array;
}

export function timestampAsks(count: number, certReq: boolean): TimestampAsk[] {
  const headers = { 'content-type': 'application/timestamp-query' };
  return Array.from({ length: count }, () => {
    const nonce = Uint8Array.of(1, ...randomBytes(7));
    const hash = sha256(randomBytes(32));
    const der = buildTimeStampRequest({ hashName: 'sha256', hash, nonce, certReq });
    return { post: { body: Buffer.from(der), headers }, hash, nonce };
  });
}

/** The authority's own certificates, its leaf first. */
export async function timestampChain(url: string): Promise<Certificate[]> {
  const pem = await (await fetch(`${url}/certchain`)).text();
  return unwrap(pemDecode(pem)).map(({ der }) => unwrap(parseCertificate(der)));
}

/** Throws unless the answer is a token of that authority over that hash, with that nonce. */
export function checkTimestamp(answer: Buffer, ask: TimestampAsk, authority: Certificate): void {
  const token = unwrap(parseTimeStampResponse(answer));
  unwrap(token.checkSignature(authority));
  const isAsked =
    toHex(token.messageImprint.hash) === toHex(ask.hash) &&
    toHex(token.nonce ?? ask.hash) === toHex(ask.nonce);
  if (!isAsked) throw new Error('another timestamp');
}

/** The key of the CT log in a stack's public folder. */
export function ctKeyOf(trustedRoot: string): Uint8Array {
  const { ctlogs } = JSON.parse(trustedRoot) as {
    readonly ctlogs: readonly { readonly publicKey: { readonly rawBytes: string } }[];
  };
  return fromBase64(ctlogs[0]?.publicKey.rawBytes ?? '');
}
