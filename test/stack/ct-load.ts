/** Precertificates for a certificate log behind several front ends, and the proof that it lost and doubled none. */
import assert from 'node:assert/strict';
import type { Der } from '#base/brand';
import { fromBase64, toBase64, toHex, uintBytes } from '#base/bytes';
import { generateKey, type PublicKey, sha256, verifySignature } from '#base/crypto';
import { unwrap } from '#base/result';
import { leafHash, verifyInclusion } from '#formats/merkle';
import { pemEncode } from '#formats/pem';
import { parseAddChainResponse, precertTbs, type Sct, sctSignedData } from '#formats/sct';
import { parseCertificate } from '#formats/x509';
import { buildPrecertificate, emptyName, extensionOf } from '#formats/x509-build';
import { httpTransport } from '#platform/http-client';
import { dataTiles, httpTiles, lookAt, staticCtVerifier } from '#tlog';
import { authority, call, START_MS } from '../services/log-fixture.ts';

const root = authority.certificate;
export const rootPem = pemEncode('CERTIFICATE', root.der);
const { publicKey } = generateKey('p256');

/** The precertificate with this number. */
export const precertificate = (number: number): Der =>
  buildPrecertificate(
    {
      subject: emptyName,
      issuer: root.subject,
      serial: Uint8Array.of(1, ...uintBytes(number, 4)),
      notBefore: START_MS,
      notAfter: START_MS + 600_000,
      publicKey,
      extensions: [extensionOf.subjectAltName([{ type: 'email', value: 'dev@example.com' }], true)],
    },
    authority.signer,
  );

export interface Promised {
  readonly precert: Der;
  readonly sct: Sct;
}

/** What the log answers: its promise, or the status of a refusal. */
export async function submit(origin: string, precert: Der): Promise<Promised | number> {
  const answer = await call(`${origin}/ct/v1/add-pre-chain`, { chain: [toBase64(precert)] });
  if (answer.status !== 200) return answer.status;
  return { precert, sct: unwrap(parseAddChainResponse(Buffer.from(answer.text))) };
}

/** Until it is taken: what a client does with 503. */
export async function submitUntilTaken(
  origins: readonly string[],
  precert: Der,
  first = 0,
): Promise<Promised> {
  for (let attempt = first; ; attempt++) {
    const origin = origins[attempt % origins.length] as string;
    const answer = await submit(origin, precert).catch(() => 0);
    if (typeof answer !== 'number') return answer;
    assert.ok(answer === 0 || answer === 503, `status ${answer}`);
    assert.ok(attempt < first + 50, 'nobody takes it');
  }
}

const tbsOf = (precert: Der): Uint8Array => precertTbs(unwrap(parseCertificate(precert)));

const leafOf = ({ precert, sct }: Promised): Uint8Array => {
  return sctSignedData(sct, sha256(root.publicKey.spki), tbsOf(precert));
};

/**
 * Every promise is signed by the log and stands for an entry; the tree, rebuilt from the data tiles of each front
 * end, has each precertificate once and nothing else; proofs verify at each of them.
 */
export async function requireLogged(
  origins: readonly string[],
  log: { readonly name: string; readonly publicKey: PublicKey },
  promised: readonly Promised[],
): Promise<void> {
  // By what was certified: a signature made twice differs, the certificate it promises does not.
  const distinct = new Set(promised.map(({ precert }) => toHex(tbsOf(precert)))).size;
  const wanted = new Map(promised.map((one) => [toHex(leafHash(leafOf(one))), one]));
  assert.equal(wanted.size, distinct, 'a precertificate has one leaf, however often it was sent');
  const verifier = staticCtVerifier({ origin: log.name, publicKey: log.publicKey });
  for (const origin of origins) {
    const found = new Map<string, number>();
    const look = await lookAt({
      source: { ...httpTiles(origin, httpTransport()), bundles: dataTiles },
      ...{ verifier, tiles: true },
      onEntry: (index, leaf) => found.set(toHex(leafHash(leaf)), index),
    });
    assert.deepEqual(look.problems, []);
    assert.equal(look.head.size, distinct);
    assert.deepEqual([...found.keys()].sort(), [...wanted.keys()].sort());
    const [[hash, one] = []] = wanted;
    assert.ok(hash !== undefined && one !== undefined);
    const sth = (await call(`${origin}/ct/v1/get-sth`)).json;
    const query = `hash=${encodeURIComponent(toBase64(Buffer.from(hash, 'hex')))}&tree_size=${sth.tree_size}`;
    const proof = (await call(`${origin}/ct/v1/get-proof-by-hash?${query}`)).json;
    assert.equal(proof.leaf_index, found.get(hash));
    const path = (proof.audit_path as string[]).map(fromBase64);
    const treeRoot = fromBase64(sth.sha256_root_hash);
    const claim = { index: proof.leaf_index, size: sth.tree_size, leaf: Buffer.from(hash, 'hex') };
    unwrap(verifyInclusion({ ...claim, hashes: path, root: treeRoot }));
  }
  for (const one of promised) {
    assert.ok(verifySignature(log.publicKey, leafOf(one), one.sct.signature, 'sha256'));
  }
}
