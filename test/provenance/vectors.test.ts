/**
 * The expectation tables of slsa-verifier over the provenance files they are about: go, generic, delegator,
 * maven, gradle, container-based, container generator, Bazel registry. The signature layer is the verifier's own
 * suite; here the signer is read from the certificate and the content is judged.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Der } from '#base/brand';
import { digest } from '#base/digest';
import { unwrap } from '#base/result';
import { parseStatement } from '#formats/intoto';
import { pemDecode } from '#formats/pem';
import { parseProvenance, parseVsa } from '#formats/slsa';
import { type Certificate, parseCertificate } from '#formats/x509';
import {
  checkProvenance,
  checkVsa,
  type Expectations,
  type ProvenanceSigner,
  readProvenance,
  slsaErrorNames,
} from '#provenance';

interface Case {
  readonly id: string;
  readonly kind: string;
  readonly artifacts: readonly string[] | null;
  readonly provenance: string | null;
  readonly ociLayout?: string | null;
  readonly digest?: string | null;
  readonly flags: Readonly<Record<string, string | readonly string[]>>;
  readonly builderIds: readonly (string | null)[] | null;
  readonly env: Readonly<Record<string, string>> | null;
  readonly expectedError: string | null;
  readonly material: string;
}

const root = join(process.env['WAYBILL_SHARED'] ?? '../shared', 'vectors', 'slsa-verifier');

interface Material {
  readonly payload: Uint8Array;
  readonly certificate: Certificate;
}

const fromPem = (text: string): Certificate =>
  unwrap(parseCertificate(unwrap(pemDecode(text, 'CERTIFICATE'))[0]?.der as Uint8Array));

function materialOf(one: Case): Material | undefined {
  if (one.material === 'bundle') return bundleMaterial(join(root, 'testdata', one.provenance ?? ''));
  if (one.material === 'envelope') {
    const text = readFileSync(join(root, 'testdata', one.provenance ?? ''), 'utf8');
    const envelope = JSON.parse(text) as { payload: string; signatures: { cert?: string }[] };
    const cert = envelope.signatures[0]?.cert;
    if (cert === undefined) return undefined;
    return { payload: Buffer.from(envelope.payload, 'base64'), certificate: fromPem(cert) };
  }
  return one.material === 'oci-layout'
    ? layoutMaterial(join(root, 'testdata', one.ociLayout ?? ''))
    : undefined;
}

interface RawBundle {
  readonly dsseEnvelope: { readonly payload: string };
  readonly verificationMaterial: {
    readonly certificate?: { readonly rawBytes: string };
    readonly x509CertificateChain?: { readonly certificates: readonly { readonly rawBytes: string }[] };
  };
}

/** Read by hand: some of these old bundles carry a root certificate, which the bundle reader refuses. */
function bundleMaterial(path: string): Material {
  const bundle = JSON.parse(readFileSync(path, 'utf8')) as RawBundle;
  const { certificate, x509CertificateChain } = bundle.verificationMaterial;
  const leaf = certificate ?? x509CertificateChain?.certificates[0];
  return {
    payload: Buffer.from(bundle.dsseEnvelope.payload, 'base64'),
    certificate: unwrap(parseCertificate(Buffer.from(leaf?.rawBytes ?? '', 'base64') as Uint8Array as Der)),
  };
}

interface Manifest {
  readonly manifests?: readonly { digest: string; annotations?: Record<string, string> }[];
  readonly layers?: readonly { digest: string; mediaType: string; annotations?: Record<string, string> }[];
}

function layoutMaterial(folder: string): Material | undefined {
  const blob = (id: string): string => join(folder, 'blobs', ...id.split(':'));
  const index = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as Manifest;
  const atts = index.manifests?.find(({ annotations }) => annotations?.['kind']?.endsWith('/atts'));
  if (atts === undefined) return undefined;
  const manifest = JSON.parse(readFileSync(blob(atts.digest), 'utf8')) as Manifest;
  const layer = manifest.layers?.[0];
  if (layer === undefined) return undefined;
  const envelope = JSON.parse(readFileSync(blob(layer.digest), 'utf8')) as { payload: string };
  const certificate = fromPem(layer.annotations?.['dev.sigstore.cosign/certificate'] ?? '');
  return { payload: Buffer.from(envelope.payload, 'base64'), certificate };
}

const signerOf = (certificate: Certificate): ProvenanceSigner => ({
  kind: 'certificate',
  issuer: certificate.fulcio.issuer ?? '',
  san: certificate.sans.find(({ type }) => type === 'uri')?.value ?? '',
  claims: certificate.fulcio,
});

const one = (value: string | readonly string[] | undefined): string | undefined =>
  value === undefined || typeof value === 'string' ? value : value[0];

function expectationsOf(a: Case, builderId: string | null, artifact: string): Expectations {
  const { flags } = a;
  const inputs = flags['--build-workflow-input'];
  const pairs = (typeof inputs === 'string' ? [inputs] : (inputs ?? [])).map((pair) => pair.split('='));
  const optional = {
    sourceTag: one(flags['--source-tag']),
    sourceVersionedTag: one(flags['--source-versioned-tag']),
    sourceBranch: one(flags['--source-branch']),
    builderId: builderId === null || builderId === '' ? undefined : builderId,
    workflowInputs: pairs.length === 0 ? undefined : Object.fromEntries(pairs),
    builderRefs: a.env?.['SLSA_VERIFIER_TESTING'] === '1' ? ['refs/heads/main'] : undefined,
  };
  const given = Object.entries(optional).filter(([, value]) => value !== undefined);
  return {
    sourceUri: one(flags['--source-uri']) ?? '',
    artifact: digest(artifact),
    artifactKind: a.material === 'oci-layout' ? 'image' : 'file',
    // The bundles of the Bazel registry are by a builder that only `--builder-id` can name.
    ...(a.kind === 'bcr' ? { trusted: [] } : {}),
    ...Object.fromEntries(given),
  } as Expectations;
}

function outcome(a: Case, material: Material, builderId: string | null, artifact: string): string | null {
  const statement = unwrap(parseStatement(material.payload));
  const provenance = readProvenance(statement);
  if (!provenance.ok) return slsaErrorNames[provenance.error.code] ?? provenance.error.code;
  const checked = checkProvenance(
    provenance.value,
    expectationsOf(a, builderId, artifact),
    signerOf(material.certificate),
  );
  return checked.ok ? null : (slsaErrorNames[checked.error.code] ?? checked.error.code);
}

if (!existsSync(join(root, 'cases.json'))) {
  console.log(`note: no slsa-verifier vectors at ${root}; the suite of provenance vectors did not run`);
} else {
  const cases = JSON.parse(readFileSync(join(root, 'cases.json'), 'utf8')) as Case[];
  const artifacts = JSON.parse(readFileSync(join(root, 'artifacts.json'), 'utf8')) as Record<
    string,
    { sha256: string }
  >;
  const kinds = [...new Set(cases.map(({ kind }) => kind))].filter((kind) => /^gha|^bcr/.test(kind));
  // The signature and the log decide these; they are not questions of content.
  const otherLayer = new Set(['ErrorRekorSearch', 'ErrorNoValidSignature', 'ErrorInvalidSignature']);

  for (const kind of kinds) {
    test(`slsa-verifier agrees on every case of ${kind}`, () => {
      const wrong: string[] = [];
      let runs = 0;
      for (const a of cases.filter(
        (each) => each.kind === kind && !otherLayer.has(each.expectedError ?? ''),
      )) {
        const material = materialOf(a);
        if (material === undefined) continue;
        const hashes = a.artifacts?.map((path) => `sha256:${artifacts[path]?.sha256}`) ?? [a.digest ?? ''];
        for (const builderId of a.builderIds ?? [null]) {
          runs += 1;
          const all = hashes.map((hash) => outcome(a, material, builderId, hash));
          // Several artifacts pass only together.
          const got = all.find((each) => each !== null) ?? null;
          if (got !== a.expectedError) wrong.push(`${a.id} ${builderId}: ${got}, not ${a.expectedError}`);
        }
      }
      assert.deepEqual(wrong.slice(0, 12), []);
      assert.ok(runs > 0);
    });
  }

  test('every provenance file of the vectors reads, and its writer can be told', () => {
    const files = new Set(cases.filter(({ material }) => material === 'bundle').map((a) => a.provenance));
    for (const file of files) {
      const material = materialOf({ material: 'bundle', provenance: file } as Case);
      const statement = unwrap(parseStatement((material as Material).payload));
      assert.ok(parseProvenance(statement.predicateType, statement.predicate).ok, file ?? '');
      assert.notEqual(unwrap(readProvenance(statement)).producer, 'other', file ?? '');
    }
  });

  test('the verification summary of Google reads and checks as the case expects', () => {
    const file = join(root, 'testdata', 'vsa', 'gce', 'v1', 'gke-gce-pre.bcid-vsa.jsonl');
    const envelope = JSON.parse(readFileSync(file, 'utf8')) as { payload: string };
    const statement = unwrap(parseStatement(Buffer.from(envelope.payload, 'base64')));
    const vsa = unwrap(parseVsa(statement.predicate));
    const flags = cases.find(({ kind, flags }) => kind === 'vsa' && flags['--subject-digest'])?.flags ?? {};
    const expected = {
      subjectDigests: [one(flags['--subject-digest']) ?? ''],
      verifierId: one(flags['--verifier-id']) ?? '',
      resourceUri: one(flags['--resource-uri']) ?? '',
      verifiedLevels: [one(flags['--verified-level']) ?? ''],
    };
    assert.ok(checkVsa(vsa, statement.subject, expected).ok);
    assert.ok(checkVsa(vsa, statement.subject, { ...expected, verifiedLevels: ['SLSA_BUILD_LEVEL_1'] }).ok);
    const higher = checkVsa(vsa, statement.subject, { ...expected, verifiedLevels: ['SLSA_BUILD_LEVEL_3'] });
    assert.equal(!higher.ok && higher.error.check, 'vsa.verifiedLevels');
    const other = checkVsa(vsa, statement.subject, { ...expected, verifierId: 'https://other' });
    assert.equal(!other.ok && other.error.check, 'vsa.verifierId');
  });
}
