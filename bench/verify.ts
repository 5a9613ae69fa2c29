/**
 * How close a whole verification comes to its floor: the same bundle's JSON and DER parsed, and the same number
 * of signature checks and hashes, without any rule. Rounds are interleaved, medians compared; every answer is
 * checked. Last line: `{"bench":"verify","ratios":{…},"pass":…}`.
 */
import { generateKeyPairSync, hash, sign, verify, X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleFromJSON } from '@sigstore/bundle';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify';
import { unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import { parseTrustedRoot, trustedRootJson } from '#formats/trusted-root';
import { extKeyUsage } from '#formats/x509-build';
import { identity, requireKeyless, trustMaterial, verifyBundle } from '#verify';
import { VirtualAuthority } from '../test/double/virtual-ca.ts';
import { ISSUER, SUBJECT, VirtualStack } from '../test/double/virtual-stack.ts';
import { readCases, vectorsFolder } from '../test/vectors/sigstore-cases.ts';

interface Subject {
  readonly name: string;
  readonly bundle: Uint8Array;
  readonly artifact: Uint8Array;
  readonly root: string;
  readonly issuer: string;
  readonly identity: string;
  /** Signature checks a verification of this bundle cannot avoid. */
  readonly p384: number;
  readonly p256: number;
}

interface BundleShape {
  readonly verificationMaterial: {
    readonly certificate?: { readonly rawBytes: string };
    readonly x509CertificateChain?: { readonly certificates: readonly { readonly rawBytes: string }[] };
  };
  readonly messageSignature: { readonly signature: string };
}

const ROUNDS = 9;
const PER_ROUND = 60;

/**
 * The checks and hashes of one verification, over data of its size; the artifact's signature with the key of the
 * bundle's own certificate, which no cache can hold. Hashes: 23 proof nodes and a leaf.
 */
function floorOf(subject: Subject): () => boolean {
  const pair = (curve: string) => generateKeyPairSync('ec', { namedCurve: curve });
  const [big, small] = [pair('P-384'), pair('P-256')];
  const message = Buffer.alloc(700, 7);
  const [bigSignature, smallSignature] = [
    sign('sha384', message, big.privateKey),
    sign('sha256', message, small.privateKey),
  ];
  const text = Buffer.from(subject.bundle).toString();
  return () => {
    const json = JSON.parse(text) as BundleShape;
    const { certificate: single, x509CertificateChain: chain } = json.verificationMaterial;
    const raw = (single ?? chain?.certificates[0])?.rawBytes ?? '';
    const certificate = new X509Certificate(Buffer.from(raw, 'base64'));
    const content = Buffer.from(json.messageSignature.signature, 'base64');
    let isValid = verify('sha256', subject.artifact, certificate.publicKey, content);
    isValid &&= certificate.subjectAltName !== '';
    for (let i = 0; i < subject.p384; i++) isValid &&= verify('sha384', message, big.publicKey, bigSignature);
    for (let i = 1; i < subject.p256; i++)
      isValid &&= verify('sha256', message, small.publicKey, smallSignature);
    for (let i = 0; i < 24; i++) hash('sha256', message.subarray(0, 65), 'buffer');
    return isValid;
  };
}

function oursOf(subject: Subject): () => boolean {
  const trustedRoot = trustMaterial(unwrap(parseTrustedRoot(subject.root)));
  const wanted = unwrap(identity({ issuer: subject.issuer, san: subject.identity }));
  const requirements = unwrap(requireKeyless({ identities: [wanted] }));
  const { artifact } = subject;
  return () => {
    const bundle = unwrap(parseBundle(subject.bundle));
    return verifyBundle({ artifact, bundle, trustedRoot, requirements, now: 0 }).outcome === 'accepted';
  };
}

function peerOf(subject: Subject): () => boolean {
  const trust = toTrustMaterial(TrustedRoot.fromJSON(JSON.parse(subject.root)));
  const thresholds = { tlogThreshold: 1, ctlogThreshold: 1, timestampThreshold: 1 };
  const verifier = new Verifier(trust, thresholds);
  const text = Buffer.from(subject.bundle).toString();
  const artifact = Buffer.from(subject.artifact);
  return () => {
    verifier.verify(toSignedEntity(bundleFromJSON(JSON.parse(text)), artifact));
    return true;
  };
}

/** Runs a second of one contender. */
function once(run: () => boolean, count: number): number {
  const start = process.hrtime.bigint();
  for (let i = 0; i < count; i++) if (!run()) throw new Error('a verification failed');
  return count / (Number(process.hrtime.bigint() - start) / 1e9);
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] as number;

function measure(subject: Subject): { ours: number; floor: number; peer: number } {
  const contenders = { ours: oursOf(subject), floor: floorOf(subject), peer: peerOf(subject) };
  for (const run of Object.values(contenders)) once(run, 20);
  const rates = { ours: [] as number[], floor: [] as number[], peer: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    rates.ours.push(once(contenders.ours, PER_ROUND));
    rates.floor.push(once(contenders.floor, PER_ROUND));
    rates.peer.push(once(contenders.peer, 8));
  }
  return { ours: median(rates.ours), floor: median(rates.floor), peer: median(rates.peer) };
}

function subjects(): Subject[] {
  const stack = new VirtualStack();
  const root = trustedRootJson(stack.root);
  const signer = { issuer: ISSUER, identity: SUBJECT };
  const p384 = stack.sign({ tsas: [] });
  const { validFor } = stack;
  const ca = new VirtualAuthority({
    name: 'small',
    validFor,
    purpose: extKeyUsage.codeSigning,
    curve: 'p256',
  });
  const p256 = stack.sign({ tsas: [], ca });
  const smallRoot = trustedRootJson({ ...stack.root, certificateAuthorities: [ca.authority()] });
  const list: Subject[] = [
    {
      name: 'P-384 authority',
      bundle: p384.bytes,
      artifact: p384.artifact,
      root,
      ...signer,
      p384: 1,
      p256: 4,
    },
    {
      name: 'P-256 authority',
      bundle: p256.bytes,
      artifact: p256.artifact,
      root: smallRoot,
      ...signer,
      p384: 0,
      p256: 5,
    },
  ];
  const folder = vectorsFolder();
  const item =
    folder === undefined ? undefined : readCases(folder).find((one) => one.name === 'happy-path-v0.3');
  if (folder === undefined || item === undefined) return list;
  const read = (name: string): Uint8Array => readFileSync(join(folder, name));
  list.push({
    name: 'public-good bundle',
    bundle: read(`bundle-verify/${item.name}/bundle.sigstore.json`),
    artifact: read(item.artifact),
    root: Buffer.from(read(item.trustedRoot)).toString(),
    issuer: item.issuer ?? '',
    identity: item.identity ?? '',
    p384: 1,
    p256: 4,
  });
  return list;
}

/** 2× sigstore-go on a P-384 chain is 63 % of the floor; the aim is 85 %. A P-256 chain is reported only. */
const GOAL = 0.63;
const ratios: Record<string, number> = {};
let pass = true;
for (const subject of subjects()) {
  const { ours, floor, peer } = measure(subject);
  const ofFloor = ours / floor;
  ratios[`${subject.name}, of floor`] = Number(ofFloor.toFixed(3));
  ratios[`${subject.name}, times @sigstore/verify`] = Number((ours / peer).toFixed(2));
  if (subject.p384 > 0) pass &&= ofFloor >= GOAL;
  const shown = `${ours.toFixed(0)}/s, floor ${floor.toFixed(0)}/s, @sigstore/verify ${peer.toFixed(0)}/s`;
  console.log(`${subject.name}: ${shown}: ${(100 * ofFloor).toFixed(0)} % of floor`);
}
const result = JSON.stringify({ bench: 'verify', ratios, pass });
const target = process.argv.indexOf('--json');
if (target > 0 && process.argv[target + 1] !== undefined)
  writeFileSync(process.argv[target + 1] as string, result);
console.log(result);
process.exitCode = pass ? 0 : 1;
