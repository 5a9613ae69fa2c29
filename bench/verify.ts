/**
 * How close a whole verification comes to its floor: the bare operations it cannot avoid, without any rule. The
 * list of the floor is not this project's to choose (see `floorOf`); it runs over the same bundle, in rounds that
 * alternate with ours and with @sigstore/verify, and every answer is checked. Gates: 75 % of the floor for bundles
 * shaped like the public instance's, 60 % where every key is P-256, five times @sigstore/verify.
 * Last line: `{"bench":"verify","ratios":{…},"pass":…}`.
 */
import { generateKeyPairSync, hash, randomBytes, sign, verify, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
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
import { median, quantile, report } from './lib/report.ts';

interface Subject {
  readonly name: string;
  readonly bundle: Uint8Array;
  readonly artifact: Uint8Array;
  readonly root: string;
  readonly issuer: string;
  readonly identity: string;
  /** Whether the certificate authority's key is P-384, as the public instance's is. */
  readonly isP384: boolean;
}

interface BundleShape {
  readonly verificationMaterial: {
    readonly certificate?: { readonly rawBytes: string };
    readonly x509CertificateChain?: { readonly certificates: readonly { readonly rawBytes: string }[] };
  };
}

/**
 * The floor: `JSON.parse` of the bundle's text; an `X509Certificate` of its leaf with public key and alternative
 * name; one P-384 and four P-256 checks over 700 bytes, or five P-256; 24 hashes of 700 bytes.
 */
function floorOf(subject: Subject): () => boolean {
  const pair = (curve: string) => generateKeyPairSync('ec', { namedCurve: curve });
  const [big, small] = [pair('P-384'), pair('P-256')];
  const message = randomBytes(700);
  const ofBig = sign('sha384', message, big.privateKey);
  const ofSmall = sign('sha256', message, small.privateKey);
  const text = Buffer.from(subject.bundle).toString();
  const { certificate, x509CertificateChain } = (JSON.parse(text) as BundleShape).verificationMaterial;
  const leaf = Buffer.from((certificate ?? x509CertificateChain?.certificates[0])?.rawBytes ?? '', 'base64');
  return () => {
    JSON.parse(text);
    const parsed = new X509Certificate(leaf);
    let isValid = parsed.publicKey !== undefined && parsed.subjectAltName !== '';
    if (subject.isP384) isValid &&= verify('sha384', message, big.publicKey, ofBig);
    for (let i = subject.isP384 ? 1 : 0; i < 5; i++)
      isValid &&= verify('sha256', message, small.publicKey, ofSmall);
    for (let i = 0; i < 24; i++) hash('sha256', message, 'hex');
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

// One core is measured: the collector's helper threads would wait for whoever else is on the machine.
setFlagsFromString('--no-parallel-scavenge');

const ROUNDS = 60;

function rate(run: () => boolean, count: number): number {
  const start = process.hrtime.bigint();
  for (let i = 0; i < count; i++) if (!run()) throw new Error('a verification failed');
  return count / (Number(process.hrtime.bigint() - start) / 1e9);
}

/** Rates, and the medians of what each round's neighbours give as ratios. */
function measure(subject: Subject) {
  const [ours, floor, peer] = [oursOf(subject), floorOf(subject), peerOf(subject)];
  for (const [run, count] of [
    [ours, 400],
    [floor, 200],
    [peer, 40],
  ] as const)
    rate(run, count);
  const rounds = Array.from({ length: ROUNDS }, () => {
    return { ours: rate(ours, 12), floor: rate(floor, 12), peer: rate(peer, 2) };
  });
  const of = (value: (round: (typeof rounds)[number]) => number): number => median(rounds.map(value));
  const best = (value: (round: (typeof rounds)[number]) => number): number =>
    quantile(rounds.map(value), 0.9);
  return {
    ours: of((round) => round.ours),
    ofFloor: of((round) => round.ours / round.floor),
    timesPeer: of((round) => round.ours / round.peer),
    undisturbed: best((round) => round.ours) / best((round) => round.floor),
  };
}

/** Bundles of the two shapes, and one of the public instance where the conformance data are at hand. */
function subjects(): Subject[] {
  const stack = new VirtualStack();
  const signer = { issuer: ISSUER, identity: SUBJECT };
  const { validFor } = stack;
  const purpose = extKeyUsage.codeSigning;
  const ca = new VirtualAuthority({ name: 'small', validFor, purpose, curve: 'p256' });
  const root = trustedRootJson(stack.root);
  const smallRoot = trustedRootJson({ ...stack.root, certificateAuthorities: [ca.authority()] });
  const v1 = stack.sign({ tsas: [] });
  const small = stack.sign({ tsas: [], ca });
  const v2 = stack.sign({ ca, logs: [stack.rekorV2] });
  return [
    { name: 'public-good shape', bundle: v1.bytes, artifact: v1.artifact, root, ...signer, isP384: true },
    {
      name: 'all P-256',
      bundle: small.bytes,
      artifact: small.artifact,
      root: smallRoot,
      ...signer,
      isP384: false,
    },
    { name: 'own stack', bundle: v2.bytes, artifact: v2.artifact, root: smallRoot, ...signer, isP384: false },
    ...publicGood(),
  ];
}

function publicGood(): Subject[] {
  const folder = vectorsFolder();
  const item =
    folder === undefined ? undefined : readCases(folder).find((one) => one.name === 'happy-path-v0.3');
  if (folder === undefined || item === undefined) return [];
  const read = (name: string): Buffer => readFileSync(join(folder, name));
  return [
    {
      name: 'public-good bundle',
      bundle: read(`bundle-verify/${item.name}/bundle.sigstore.json`),
      artifact: read(item.artifact),
      root: read(item.trustedRoot).toString(),
      issuer: item.issuer ?? '',
      identity: item.identity ?? '',
      isP384: true,
    },
  ];
}

const ratios: Record<string, number> = {};
let pass = true;
for (const subject of subjects()) {
  const { ours, ofFloor, timesPeer, undisturbed } = measure(subject);
  ratios[`${subject.name}, of floor`] = Number(ofFloor.toFixed(3));
  ratios[`${subject.name}, times @sigstore/verify`] = Number(timesPeer.toFixed(2));
  pass &&= ofFloor >= (subject.isP384 ? 0.75 : 0.6) && timesPeer >= 5;
  const shown = `${(100 * ofFloor).toFixed(0)} % of the floor, ${timesPeer.toFixed(1)} times @sigstore/verify`;
  // For a reader on a busy machine; the gates are on the medians.
  const quiet = `${(100 * undisturbed).toFixed(0)} % in the quickest tenth of both`;
  console.log(`${subject.name}: ${ours.toFixed(0)}/s, ${shown}; ${quiet}`);
}
report('verify', ratios, pass);
