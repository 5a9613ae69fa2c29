/** DER and what is written in it. */
import assert from 'node:assert/strict';
import { createPublicKey, X509Certificate } from 'node:crypto';
import { equalBytes, fromHex, toHex, utf8Text } from '#base/bytes';
import { attempt, type Result } from '#base/result';
import { type DerNode, oidText, parseDer, smallInteger, stringText, tags, wholeBits } from '#formats/der';
import { timeMs } from '#formats/der-time';
import { pemDecode, pemEncode } from '#formats/pem';
import { embeddedScts, parseSctList, precertTbs, sctListValue } from '#formats/sct';
import { parseTimeStampRequest, parseTimeStampResponse } from '#formats/tsp';
import {
  type Certificate,
  parseCertificate,
  parseSubjectPublicKey,
  sanText,
  verifyCertificateSignature,
} from '#formats/x509';
import { parseCsr } from '#formats/x509-build';
import type { Target } from './engine.ts';
import { bytes, der, lines } from './mutate.ts';
import { answer } from './promise.ts';
import { seeds } from './seeds.ts';

/** Every element re-encoded from its parts is the element; every reader of values answers or refuses. */
function rebuild(node: DerNode): Uint8Array {
  const children = node.children();
  for (const read of [smallInteger, oidText, stringText, timeMs, wholeBits]) {
    if (readable(node, read)) attempt(() => read(node));
  }
  const body = children.length === 0 ? node.body : Buffer.concat(children.map(rebuild));
  assert.equal(body.length, node.length);
  return Buffer.concat([Buffer.of(node.tag), lengthOctets(body.length), body]);
}

const readable = (node: DerNode, read: unknown): boolean =>
  read !== oidText || node.tag === tags.oid ? node.length > 0 : false;

function lengthOctets(length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(length);
  const hex = length.toString(16);
  const octets = fromHex(hex.padStart(hex.length + (hex.length % 2), '0'));
  return Uint8Array.of(0x80 | octets.length, ...octets);
}

function runDer(input: Uint8Array): string {
  const parsed = parseDer(input);
  if (parsed.ok) assert.ok(equalBytes(rebuild(parsed.value), input), 'rebuilt from its parts it is the same');
  return answer(parsed, ({ tag }) => `${tag}`);
}

const root = unwrapped(parseCertificate(seeds('certificate').at(-3) as Uint8Array));

function unwrapped<T>(result: Result<T>): T {
  assert.ok(result.ok);
  return result.value;
}

function runCertificate(input: Uint8Array): string {
  const parsed = parseCertificate(input);
  if (!parsed.ok) return answer(parsed);
  const certificate = parsed.value;
  assert.equal(typeof sanText(certificate), 'string');
  assert.equal(typeof certificate.subjectText + typeof certificate.issuerText, 'stringstring');
  const isOurs = verifyCertificateSignature(certificate, root);
  const scts = embeddedScts(certificate);
  assert.equal(parseDer(precertTbs(certificate)).ok, true, 'the precertificate body is DER');
  agreesWithNode(certificate, isOurs);
  const { isCa, sans, keyUsage, fulcio } = certificate;
  const known = `${isCa} ${sans.map(({ type }) => type).join()} ${keyUsage !== undefined} ${Object.keys(fulcio).length}`;
  return answer(parsed, () => `${known} ${scts.ok} ${isOurs}`);
}

/** Where OpenSSL reads the certificate too, it reads the same; it may refuse values it looks into. */
function agreesWithNode(certificate: Certificate, isOurs: boolean): void {
  let theirs: X509Certificate;
  try {
    theirs = new X509Certificate(certificate.der);
  } catch {
    return;
  }
  assert.ok(equalBytes(theirs.raw, certificate.der));
  const serial = toHex(certificate.serial).replace(/^(?:00)+/, '') || '00';
  assert.equal(theirs.serialNumber.toLowerCase(), serial);
  assert.equal(new Date(theirs.validTo).getTime(), certificate.notAfter);
  let theirKey: ReturnType<typeof createPublicKey>;
  try {
    theirKey = createPublicKey({ key: Buffer.from(root.publicKey.spki), format: 'der', type: 'spki' });
    assert.equal(theirs.verify(theirKey), isOurs);
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_ASSERTION') throw error;
    assert.equal(isOurs, false, 'a signature OpenSSL cannot judge is not one for us');
  }
}

function runKey(input: Uint8Array): string {
  const parsed = parseSubjectPublicKey(input);
  if (!parsed.ok) return answer(parsed);
  const made = attempt(() => parsed.value.handle);
  if (made.ok)
    assert.ok(equalBytes(made.value.export({ format: 'der', type: 'spki' }), input), 'one form of each key');
  return answer(parsed, ({ kind, bits }) => `${kind} ${bits} ${made.ok}`);
}

function runSctList(input: Uint8Array): string {
  const parsed = parseSctList(input);
  if (parsed.ok) assert.ok(equalBytes(sctListValue(parsed.value), input), 'written, it is the same');
  return answer(parsed, (list) => list.map(({ algorithm }) => algorithm).join());
}

const tsa = unwrapped(parseCertificate(seeds('certificate').at(-1) as Uint8Array));

function runTimestamp(input: Uint8Array): string {
  const parsed = parseTimeStampResponse(input);
  if (!parsed.ok) return answer(parsed);
  const token = parsed.value;
  assert.ok(Number.isSafeInteger(token.genTime), 'a time is a time');
  const named = token.isSignedBy(tsa);
  const signature = token.checkSignature(tsa);
  assert.equal(token.verifySignature(tsa), signature.ok);
  if (signature.ok) assert.ok(named, 'a signer is named');
  assert.equal(token.covers(new Uint8Array()), false);
  const about = `${named} ${token.certificates.length} ${token.ordering} ${token.nonce !== undefined}`;
  return answer(signature, () => about);
}

function runPem(input: Uint8Array): string {
  const text = attempt(() => utf8Text(input));
  if (!text.ok) return answer(text);
  const parsed = pemDecode(text.value);
  if (parsed.ok) {
    const again = pemDecode(parsed.value.map(({ label, der: block }) => pemEncode(label, block)).join(''));
    assert.deepEqual(again, parsed, 'written and read again it is the same');
  }
  return answer(parsed, (blocks) => blocks.map(({ label }) => label).join());
}

export const cryptoTargets: readonly Target[] = [
  { name: 'der', seeds: seeds('certificate', 'timestamp', 'sctList', 'spki'), mutate: der, run: runDer },
  { name: 'x509', seeds: seeds('certificate'), mutate: der, run: runCertificate },
  { name: 'csr', seeds: seeds('request'), mutate: der, run: (input) => answer(parseCsr(input)) },
  { name: 'key', seeds: seeds('spki'), mutate: der, run: runKey },
  { name: 'sct', seeds: seeds('sctList'), mutate: bytes, run: runSctList },
  { name: 'tsp', seeds: seeds('timestamp'), mutate: der, run: runTimestamp },
  {
    name: 'tsq',
    seeds: seeds('timestampRequest'),
    mutate: der,
    run: (input) => answer(parseTimeStampRequest(input)),
  },
  { name: 'pem', seeds: seeds('pem'), mutate: lines, run: runPem },
];
