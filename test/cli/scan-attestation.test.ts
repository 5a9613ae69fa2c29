/** Attestations given as files: read in every form and told to be unverified, or verified and held to their subject. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { INTOTO_PAYLOAD_TYPE, pae } from '#formats/dsse';
import { predicateTypes, STATEMENT_V01, statementBytes } from '#formats/intoto';
import type { JsonObject, JsonValue } from '#formats/json';
import {
  good,
  inFolder,
  makeImage,
  readJson,
  refused,
  run,
  writeDatabase,
  writeJson,
  writeLayout,
} from './scan-world.ts';

const ours = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const theirs = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const OTHER = '1'.repeat(64);
let image = '';
let cyclonedx: JsonObject;
let spdx: JsonObject;
let spdx3: JsonObject;

before(async () => {
  await writeDatabase();
  const made = await makeImage();
  image = made.manifest.digest.slice('sha256:'.length);
  const formats = { cdx: 'cyclonedx-json', spdx: 'spdx-json', spdx3: 'spdx-json@3.0' };
  const outputs = Object.entries(formats).flatMap(([name, format]) => [
    '-o',
    `${format}=${inFolder(`${name}.json`)}`,
  ]);
  await good(['sbom', writeLayout('image', made), ...outputs]);
  cyclonedx = readJson('cdx.json') as JsonObject;
  spdx = readJson('spdx.json') as JsonObject;
  spdx3 = readJson('spdx3.json') as JsonObject;
  for (const [name, { publicKey }] of [['ours.pub', ours] as const, ['theirs.pub', theirs] as const]) {
    writeFileSync(inFolder(name), publicKey.export({ type: 'spki', format: 'pem' }));
  }
});

interface Said {
  readonly predicateType?: string;
  readonly predicate?: JsonValue;
  readonly subjects?: readonly string[];
  readonly type?: typeof STATEMENT_V01;
  readonly payloadType?: string;
}

function statement({ predicateType, predicate, subjects = [image], type }: Said): Uint8Array {
  const [first = '', ...others] = subjects.map((sha256, i) => ({ name: `app${i}`, digest: { sha256 } }));
  return statementBytes({
    subject: [first as { digest: { sha256: string } }, ...(others as { digest: { sha256: string } }[])],
    predicateType: predicateType ?? predicateTypes.cyclonedx,
    predicate: predicate ?? cyclonedx,
    ...(type === undefined ? {} : { type }),
  });
}

function envelope(said: Said, key = ours.privateKey): JsonObject {
  const payload = statement(said);
  const payloadType = said.payloadType ?? INTOTO_PAYLOAD_TYPE;
  const sig = sign('sha256', pae(payloadType, payload), key).toString('base64');
  return { payloadType, payload: Buffer.from(payload).toString('base64'), signatures: [{ sig }] };
}

const mediaTypes = {
  '0.1': 'application/vnd.dev.sigstore.bundle+json;version=0.1',
  '0.2': 'application/vnd.dev.sigstore.bundle+json;version=0.2',
  '0.3': 'application/vnd.dev.sigstore.bundle.v0.3+json',
} as const;

const bundle = (said: Said, version: keyof typeof mediaTypes = '0.3', key = ours.privateKey): JsonObject => ({
  mediaType: mediaTypes[version],
  verificationMaterial: { publicKey: { hint: 'ours' }, tlogEntries: [] },
  dsseEnvelope: envelope(said, key),
});

function write(name: string, value: JsonObject | Uint8Array): string {
  if (value instanceof Uint8Array) writeFileSync(inFolder(name), value);
  else writeJson(name, value);
  return inFolder(name);
}

const findingsOf = (value: unknown): readonly string[] =>
  (value as { findings: { id: string; package: { name: string } }[] }).findings.map(
    (one) => `${one.id} ${one.package.name}`,
  );

test('every form of attestation gives the findings of the document, and is told to be unverified', async () => {
  const bare = findingsOf((await good(['scan', `sbom:${inFolder('cdx.json')}`], { json: true })).value);
  assert.ok(bare.length > 2);
  const forms: readonly (readonly [string, JsonObject | Uint8Array])[] = [
    ['in-toto statement', statement({})],
    ['in-toto statement', statement({ type: STATEMENT_V01 })],
    ['DSSE envelope', envelope({})],
    ['Sigstore bundle 0.1', bundle({}, '0.1')],
    ['Sigstore bundle 0.2', bundle({}, '0.2')],
    ['Sigstore bundle 0.3', bundle({})],
    ['DSSE envelope', envelope({ predicate: spdx, predicateType: 'https://spdx.dev/Document/v2.3' })],
    ['DSSE envelope', envelope({ predicate: JSON.stringify(spdx), predicateType: predicateTypes.spdx })],
    ['Sigstore bundle 0.3', bundle({ predicate: spdx3, predicateType: 'https://spdx.dev/Document/v3' })],
  ];
  for (const [form, document] of forms) {
    const path = write('a.json', document);
    const { value, stderr } = await good(['scan', `sbom:${path}`], { json: true });
    assert.deepEqual(findingsOf(value), bare, form);
    const { notes } = value as { notes: readonly string[] };
    assert.match(notes[0] ?? '', new RegExp(`a\\.json is an attestation \\(${form}.*NOT VERIFIED`));
    assert.equal(notes[1], `a.json is about app0 sha256:${image}`);
    assert.match(stderr, /NOT VERIFIED/);
  }
});

test('convert, diff, merge and score read attestations and say so; a bare document says nothing', async () => {
  const path = write('b.json', bundle({}));
  const file = inFolder('cdx.json');
  const quiet = await good(['sbom', 'convert', file, '-o', 'purls']);
  const told = await good(['sbom', 'convert', path, '-o', 'purls']);
  assert.equal(told.stdout, quiet.stdout);
  assert.equal(quiet.stderr, '');
  for (const words of [
    ['sbom', 'convert', path],
    ['sbom', 'diff', path, file],
    ['sbom', 'diff', file, path],
    ['sbom', 'merge', path, file],
    ['sbom', 'score', path],
    ['scan', `sbom:${path}`],
    ['explain', 'CVE-2026-1001', `sbom:${path}`],
    ['grype', `sbom:${path}`],
    ['trivy', 'sbom', path],
  ]) {
    const { stdout, stderr, exit } = await good(words);
    // The table of a scan says it itself.
    const told = words[0] === 'scan' ? stdout : stderr;
    assert.match(told, /b\.json is an attestation \(Sigstore bundle 0\.3.*NOT VERIFIED/, words.join(' '));
    assert.equal(exit, 0, words.join(' '));
  }
});

test('an attestation that holds no SBOM is refused with what it holds', async () => {
  const cases: readonly (readonly [JsonObject | Uint8Array, string, string])[] = [
    [envelope({ predicateType: predicateTypes.slsaprovenance1 }), 'WB-980', 'slsa.dev/provenance/v1'],
    [bundle({ predicateType: predicateTypes.vuln }), 'WB-980', 'vuln/v1'],
    [envelope({ predicate: spdx }), 'WB-980', 'CycloneDX'],
    [envelope({ predicateType: predicateTypes.spdx }), 'WB-980', 'SPDX'],
    [envelope({ payloadType: 'application/json' }), 'WB-980', 'application/json'],
    [envelope({ predicate: {} }), 'WB-192', 'bomFormat'],
    [statement({ predicate: 'no SBOM' }), 'WB-150', ''],
    [{ ...envelope({}), signatures: [] }, 'WB-155', 'at least one signature'],
    [{ ...bundle({}), mediaType: 'application/vnd.dev.sigstore.bundle.v0.9+json' }, 'WB-160', 'v0.9'],
    [
      {
        mediaType: mediaTypes['0.3'],
        verificationMaterial: { publicKey: { hint: '' }, tlogEntries: [] },
        messageSignature: { signature: 'AA==' },
      },
      'WB-980',
      'bare signature',
    ],
  ];
  for (const [document, code, names] of cases) {
    const path = write('c.json', document);
    await refused(['scan', `sbom:${path}`], code, names);
    await refused(['sbom', 'convert', path], code, names);
  }
});

const keyed = (path: string, key = 'ours.pub'): string[] => [
  'scan',
  `sbom:${path}`,
  '--attested',
  '--key',
  inFolder(key),
  '--insecure-ignore-tlog',
];

test('--attested verifies the signature of a file, and says who signed', async () => {
  for (const document of [envelope({}), bundle({})]) {
    const { value } = await good(keyed(write('d.json', document)), { json: true });
    const { notes } = value as { notes: readonly string[] };
    assert.match(notes[0] ?? '', /verified: signed by the key given/);
    assert.doesNotMatch(notes.join(' '), /NOT VERIFIED/);
    assert.ok(findingsOf(value).length > 2);
  }
});

test('what is known of a document is told once, beside the table in it, and never as a warning', async () => {
  const path = write('h.json', bundle({}));
  const counted = ({ stdout, stderr }: { readonly stdout: string; readonly stderr: string }): number[] =>
    [stdout, stderr].map((text) => text.split('verified: signed by the key given').length - 1);
  const file = inFolder('report');
  for (const [words, expected] of [
    [[], [1, 0]],
    [
      ['-o', 'table'],
      [1, 0],
    ],
    // Where all goes to files, the table is printed beside them.
    [
      ['-o', `table=${file}`],
      [1, 0],
    ],
    [
      ['-o', 'cyclonedx-vex'],
      [0, 1],
    ],
  ] as const) {
    const told = await good([...keyed(path), ...words]);
    assert.deepEqual(counted(told), expected, words.join(' '));
    assert.doesNotMatch(told.stdout + told.stderr, /warning: h\.json/);
  }
});

test('--attested refuses a file that a stranger signed, that nobody signed, and one that was changed', async () => {
  const strange = write('e.json', envelope({}, theirs.privateKey));
  assert.equal((await run(keyed(strange))).reason?.exit, 12);
  const changed = envelope({});
  const payload = Buffer.from(statement({ subjects: [OTHER] })).toString('base64');
  assert.equal((await run(keyed(write('e.json', { ...changed, payload })))).reason?.exit, 12);
  await refused(keyed(write('e.json', statement({}))), 'WB-887', 'in-toto statement');
  await refused(keyed(inFolder('cdx.json')), 'WB-887', 'bare SBOM');
  await refused(['scan', `sbom:${strange}`, '--attested'], 'WB-1303', 'identity');
});

test('the subject decides: of another image, of several, and an SBOM that says otherwise', async () => {
  const expect = (digest: string): string[] => ['--expect-digest', `sha256:${digest}`];
  const right = write('f.json', envelope({}));
  await good([...keyed(right), ...expect(image)]);
  const wrong = await run([...keyed(right), ...expect(OTHER)]);
  assert.equal(wrong.reason?.check.includes('subject'), true, JSON.stringify(wrong.reason));
  const several = write('f.json', envelope({ subjects: [OTHER, image] }));
  await good([...keyed(several), ...expect(image)]);
  await refused([...keyed(several), ...expect(OTHER)], 'WB-887', `sha256:${image}`);
  const foreign = write('f.json', envelope({ subjects: [OTHER] }));
  assert.notEqual((await run(keyed(foreign))).reason, undefined, 'the SBOM says it is about another image');
  const { value } = await good(['scan', `sbom:${foreign}`], { json: true });
  assert.match((value as { notes: string[] }).notes[2] ?? '', /says it is about another image/);
  await refused(['scan', `sbom:${right}`, ...expect(OTHER)], 'WB-878', OTHER);
});

test('an SBOM that names no digest is bound by its statement; one without packages is no answer', async () => {
  const anonymous = { ...cyclonedx, metadata: { component: { type: 'container', name: 'app' } } };
  const path = write('g.json', envelope({ predicate: anonymous }));
  const { value } = await good(keyed(path), { json: true });
  assert.deepEqual((value as { image: object }).image, { name: 'app', digest: `sha256:${image}` });
  const read = await good(['scan', `sbom:${path}`, '--expect-digest', `sha256:${image}`], { json: true });
  assert.equal(read.exit, 0);
  const empty = write('g.json', envelope({ predicate: { ...cyclonedx, components: [], dependencies: [] } }));
  await refused(keyed(empty), 'WB-887', 'none in it');
  const { stdout } = await good(['scan', `sbom:${empty}`]);
  assert.match(stdout, /no packages are listed: nothing could be found/);
  const gated = await run(['scan', `sbom:${empty}`, '--fail-on', 'high']);
  assert.deepEqual([gated.exit, /WB-875/.test(gated.stderr)], [2, true]);
});
