/**
 * Writes seeds.json: inputs of every kind, made by a stack in memory and kept, because a signature is never the
 * same twice and a run of the fuzzer has to be. To be run again when a format gains a form.
 */
import { writeFileSync } from 'node:fs';
import { toBase64, toHex, utf8 } from '#base/bytes';
import { generateKey, publicKeyPem, sha256 } from '#base/crypto';
import { envelopeJson, INTOTO_PAYLOAD_TYPE, pae } from '#formats/dsse';
import { COSIGN_SIGN_V1, statementBytes } from '#formats/intoto';
import { buildIndex, buildManifest, describe, emptyDescriptor, mediaType } from '#formats/oci';
import { pemEncode } from '#formats/pem';
import {
  hashedRekordV1Body,
  hashedRekordV2RequestJson,
  logEntryV1Json,
  rekorV1RequestJson,
} from '#formats/rekor';
import { signingConfigJson } from '#formats/signing-config';
import { trustedRootJson } from '#formats/trusted-root';
import { buildTimeStampRequest } from '#formats/tsp';
import { buildCsr, emptyName } from '#formats/x509-build';
import { DSSE_MEDIA_TYPE, legacyAnnotations, SIMPLE_SIGNING_MEDIA_TYPE } from '#verify';
import { EPOCH, type Sample, VirtualStack, verifierPem } from '../double/virtual-stack.ts';
import { naivePath, naiveProof, naiveRoot } from '../formats/naive-tree.ts';

const stack = new VirtualStack();
const p384 = generateKey('p384');
const message = stack.sign();
const messageV2 = stack.sign({ logs: [stack.rekorV2] });
const statement = stack.sign({ statement: 'cosign' });
const intoto = stack.sign({ statement: 'cosign', entryKind: 'intoto' });
const statementV2 = stack.sign({ statement: 'cosign', logs: [stack.rekorV2], leafKey: p384 });
const byKey = stack.sign({ key: generateKey('ed25519'), tsas: [] });
const samples = [message, messageV2, statement, intoto, statementV2, byKey];

const certificates = [
  ...samples.flatMap(({ certificate }) => (certificate === undefined ? [] : [certificate])),
  stack.ca.root.certificate,
  stack.ca.intermediate.certificate,
  stack.tsa.certificate,
];
const entries = samples.flatMap(({ parts }) => parts.entries);
const bodies = (generation: 1 | 2): Uint8Array[] =>
  entries
    .filter(({ kind, version }) => (kind === 'hashedrekord' && version === '0.0.2') === (generation === 2))
    .map(({ kind, version, canonicalizedBody }) => prefixed(`${kind} ${version}`, canonicalizedBody));

function prefixed(line: string, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([utf8(`${line}\n`), bytes]);
}

const json = (value: unknown): Uint8Array => utf8(JSON.stringify(value));
const digestHex = toHex(sha256(message.artifact));

function statements(): Uint8Array[] {
  const subject = {
    name: 'app',
    digest: { sha256: digestHex, gitCommit: 'a'.repeat(40) },
    annotations: { a: 'b' },
  };
  const predicate = { list: [1, 'two', null], nested: { deep: { deeper: true } } };
  const types = ['https://in-toto.io/Statement/v1', 'https://in-toto.io/Statement/v0.1'] as const;
  return types.map((type) =>
    statementBytes({
      type,
      subject: [subject, { digest: { sha512: 'b'.repeat(128) } }],
      predicateType: COSIGN_SIGN_V1,
      predicate,
    }),
  );
}

function manifests(): Uint8Array[] {
  const layer = describe(utf8('layer'), mediaType.ociLayer);
  const manifest = buildManifest({
    config: emptyDescriptor,
    layers: [layer],
    annotations: new Map([['a', 'b']]),
  });
  const index = buildIndex({ manifests: [describe(manifest.bytes, manifest.mediaType)] });
  return [manifest.bytes, index.bytes];
}

function layers(): Uint8Array[] {
  const key = generateKey('p256');
  const certificate = stack.issue(key, EPOCH);
  const pem = pemEncode('CERTIFICATE', certificate.der);
  const critical = {
    identity: { 'docker-reference': 'registry.example/app' },
    image: { 'docker-manifest-digest': `sha256:${digestHex}` },
    type: 'cosign container image signature',
  };
  const payload = json({ critical, optional: { a: 'b' } });
  const value = key.sign(payload, 'sha256');
  const hash = { algorithm: 'sha256', value: sha256(payload) } as const;
  const body = hashedRekordV1Body({ hash, signature: value, verifier: verifierPem({ key, certificate }) });
  const entry = stack.rekorV1.append('hashedrekord', '0.0.1', body, EPOCH);
  const annotations = {
    [legacyAnnotations.signature]: toBase64(value),
    [legacyAnnotations.certificate]: pem,
    [legacyAnnotations.bundle]: JSON.stringify({
      SignedEntryTimestamp: toBase64(entry.inclusionPromise as Uint8Array),
      Payload: {
        body: toBase64(body),
        integratedTime: entry.integratedTime,
        logIndex: entry.logIndex,
        logID: toHex(entry.logId),
      },
    }),
    [legacyAnnotations.timestamp]: JSON.stringify({
      SignedRFC3161Timestamp: toBase64(stack.tsa.stamp(value, EPOCH)),
    }),
  };
  const statement = statements()[0] as Uint8Array;
  const sig = key.sign(pae(INTOTO_PAYLOAD_TYPE, statement));
  const envelope = envelopeJson({
    payloadType: INTOTO_PAYLOAD_TYPE,
    payload: statement,
    signatures: [{ sig }],
  });
  return [
    json({ mediaType: SIMPLE_SIGNING_MEDIA_TYPE, payload: toBase64(payload), annotations }),
    json({
      mediaType: DSSE_MEDIA_TYPE,
      payload: toBase64(utf8(envelope)),
      annotations: { [legacyAnnotations.certificate]: pem },
    }),
  ];
}

function proofs(): Uint8Array[] {
  const leaves = Array.from({ length: 13 }, (_, i) => utf8(`leaf ${i}`));
  const hex = (list: readonly Uint8Array[]): string[] => list.map(toHex);
  const root = toHex(naiveRoot(leaves));
  const leaf = toHex(naiveRoot([leaves[5] as Uint8Array]));
  return [
    json({ index: 5, size: 13, leaf, root, hashes: hex(naivePath(5, leaves)) }),
    json({
      first: 6,
      second: 13,
      firstRoot: toHex(naiveRoot(leaves.slice(0, 6))),
      secondRoot: root,
      hashes: hex(naiveProof(6, leaves)),
    }),
  ];
}

function requests(): Uint8Array[] {
  const { signature, key } = message;
  const verifier = publicKeyPem(key.publicKey);
  const hash = { algorithm: 'sha256', value: sha256(message.artifact) } as const;
  const v2 = {
    kind: 'publicKey',
    rawBytes: key.publicKey.spki,
    keyDetails: 'PKIX_ECDSA_P256_SHA_256',
  } as const;
  return [
    json(rekorV1RequestJson({ kind: 'hashedrekord', version: '0.0.1', hash, signature, verifier })),
    json(rekorV1RequestJson({ kind: 'dsse', version: '0.0.1', envelope: '{}', verifiers: [verifier] })),
    json(hashedRekordV2RequestJson({ digest: hash.value, signature, verifier: v2 })),
  ];
}

function config(): Uint8Array {
  const service = {
    url: 'https://fulcio.example',
    majorApiVersion: 1,
    validFor: { start: EPOCH, end: EPOCH + 1000 },
    operator: 'example',
  };
  return utf8(
    signingConfigJson({
      caUrls: [service],
      oidcUrls: [service],
      rekorTlogUrls: [service, { ...service, majorApiVersion: 2 }],
      tsaUrls: [service],
      rekorTlogConfig: { selector: 'EXACT', count: 1 },
      tsaConfig: { selector: 'ANY' },
    }),
  );
}

const older = ({ json: bundle }: Sample, version: '0.1' | '0.2'): Uint8Array => {
  const copy = structuredClone(bundle) as Record<string, never> & {
    verificationMaterial: Record<string, unknown>;
  };
  const { certificate, ...rest } = copy.verificationMaterial;
  const verificationMaterial = { ...rest, x509CertificateChain: { certificates: [certificate] } };
  return json({
    ...copy,
    mediaType: `application/vnd.dev.sigstore.bundle+json;version=${version}`,
    verificationMaterial,
  });
};

const kinds: Readonly<Record<string, readonly Uint8Array[]>> = {
  certificate: certificates.map(({ der }) => der),
  request: [buildCsr(emptyName, generateKey('p256'))],
  sctList: certificates.flatMap(({ extensions }) => {
    const list = extensions.get('1.3.6.1.4.1.11129.2.4.2');
    return list === undefined ? [] : [list.value];
  }),
  timestamp: [...message.parts.timestamps, stack.tsa.stamp(utf8('x'), EPOCH, [stack.tsa.certificate])],
  timestampRequest: [
    buildTimeStampRequest({ hashName: 'sha256', hash: sha256(message.artifact), certReq: true }),
  ],
  spki: [p384, byKey.key, generateKey('rsa'), generateKey('p521')].map(({ publicKey }) => publicKey.spki),
  pem: certificates.slice(0, 1).map(({ der }) => utf8(pemEncode('CERTIFICATE', der))),
  bundle: [...samples.map(({ bytes }) => bytes), older(message, '0.1'), older(statement, '0.2')],
  envelope: [statement, statementV2].map(({ json: bundle }) => json(bundle['dsseEnvelope'])),
  statement: statements(),
  trustedRoot: [utf8(trustedRootJson(stack.root))],
  signingConfig: [config()],
  note: [...new Set(entries.map(({ inclusionProof }) => inclusionProof?.checkpoint ?? ''))].map(utf8),
  proof: proofs(),
  bodyV1: bodies(1),
  bodyV2: bodies(2),
  entryV1: entries.slice(0, 2).map((entry) => json(logEntryV1Json(entry))),
  logRequest: requests(),
  manifest: manifests(),
  legacy: layers(),
};

/** For the target that verifies: what the bundles among the seeds are about. */
const verified = {
  trustedRoot: trustedRootJson(stack.root),
  artifact: toBase64(message.artifact),
  now: stack.clock.now(),
};

const encoded = Object.fromEntries(Object.entries(kinds).map(([kind, list]) => [kind, list.map(toBase64)]));
writeFileSync('test/fuzz/seeds.json', `${JSON.stringify({ kinds: encoded, verified }, null, 1)}\n`);
console.log(
  Object.entries(kinds)
    .map(([kind, list]) => `${kind} ${list.length}`)
    .join(', '),
);
