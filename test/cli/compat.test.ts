/** Each compatibility mode gives the verdict of its native verb, in the other tool's form. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { generatorPredicate } from '../guide/generator.ts';
import {
  asWorkflow,
  COMMIT,
  type CompatWorld,
  compatWorld,
  GENERATOR,
  ISSUER,
  RELEASE,
  type Told,
  tell,
  writeJson,
} from './compat-world.ts';

let world: CompatWorld;
before(async () => {
  world = await compatWorld();
  const job = await asWorkflow(world);
  const generator = await asWorkflow(world, GENERATOR.slice('https://github.com/'.length));
  const sbom = join(world.folder, 'sbom.json');
  const predicate = await writeJson(world, 'provenance.json', generatorPredicate(GENERATOR, COMMIT));
  for (const run of [
    await tell(job, ['cosign', 'sign', '--yes', world.image]),
    await tell(job, ['syft', world.image, '-o', `cyclonedx-json=${sbom}`]),
    await tell(job, ['cosign', 'attest', '--yes', '--predicate', sbom, '--type', 'cyclonedx', world.image]),
    await tell(generator, [
      'cosign',
      'attest',
      '--yes',
      '--predicate',
      predicate,
      '--type',
      'slsaprovenance',
      world.image,
    ]),
  ]) {
    assert.deepEqual([run.exit, run.reason], [0, undefined], run.stderr);
  }
});

const literal = (text: string): string => text.replaceAll('.', '\\.');
const codes = (run: Told): string[] => [...run.stderr.matchAll(/WB-\d+/g)].map(([code]) => code);

/**
 * The exit code cosign 3.1 has for ours: where an image carries bundles, and for attestations in any case, every
 * refusal is 1; codes of its own are left for signatures that are not there and images that are not there.
 */
const cosignExits: Readonly<Record<string, Readonly<Record<number, number>>>> = {
  verify: { 0: 0, 10: 10, 11: 11, 12: 1, 13: 1, 14: 1, 15: 1 },
  'verify-attestation': { 0: 0, 10: 1, 11: 1, 12: 1, 13: 1, 14: 1, 15: 1 },
};

interface Case {
  readonly name: string;
  readonly exit: number;
  readonly code?: string;
  readonly verb: readonly string[];
  readonly identity: string;
  readonly issuer?: string;
  readonly image?: () => string;
}

const cases: readonly Case[] = [
  { name: 'the signer', exit: 0, verb: ['verify'], identity: RELEASE },
  {
    name: 'another signer',
    exit: 1,
    code: 'WB-351',
    verb: ['verify'],
    identity: 'https://github.com/acme/other',
  },
  {
    name: 'another issuer',
    exit: 1,
    code: 'WB-350',
    verb: ['verify'],
    identity: RELEASE,
    issuer: 'https://issuer.example',
  },
  {
    name: 'an unsigned image',
    exit: 10,
    code: 'WB-901',
    verb: ['verify'],
    identity: RELEASE,
    image: () => world.unsigned,
  },
  {
    name: 'a missing image',
    exit: 11,
    code: 'WB-502',
    verb: ['verify'],
    identity: RELEASE,
    image: () => 'ghcr.io/acme/none:v1',
  },
  { name: 'an SBOM', exit: 0, verb: ['verify-attestation', '--type', 'cyclonedx'], identity: RELEASE },
  {
    name: 'an SBOM by the generator',
    exit: 1,
    code: 'WB-351',
    verb: ['verify-attestation', '--type', 'cyclonedx'],
    identity: GENERATOR,
  },
  {
    name: 'provenance by the generator',
    exit: 0,
    verb: ['verify-attestation', '--type', 'slsaprovenance'],
    identity: GENERATOR,
  },
  {
    name: 'a type nobody attested',
    exit: 1,
    code: 'WB-902',
    verb: ['verify-attestation', '--type', 'openvex'],
    identity: RELEASE,
  },
];

for (const { name, exit, code, verb, identity, issuer = ISSUER, image } of cases) {
  test(`cosign ${verb.join(' ')} about ${name} ends as waybill does`, async () => {
    const target = image?.() ?? world.image;
    const flags = [
      '--certificate-identity-regexp',
      `^${literal(identity)}$`,
      '--certificate-oidc-issuer',
      issuer,
    ];
    const native = await tell(world, [...verb, ...flags, target], true);
    const cosign = await tell(world, ['cosign', ...verb, ...flags, target]);
    assert.equal(cosign.exit, exit, cosign.stderr);
    assert.equal(cosign.exit, cosignExits[verb[0] ?? '']?.[native.exit]);
    // The first code is the verdict; a message may quote the one of a registry.
    assert.equal(codes(cosign)[0], code);
    assert.equal(JSON.stringify(native.value ?? native.reason).includes(code ?? '"ok":true'), true);
    assert.equal(cosign.stdout !== '', exit === 0);
  });
}

test('a pattern is found anywhere under cosign and must be whole under waybill, and cosign mode says so', async () => {
  const flags = [
    '--certificate-identity-regexp',
    'acme/api/',
    '--certificate-oidc-issuer',
    ISSUER,
    world.image,
  ];
  const native = await tell(world, ['verify', ...flags]);
  assert.equal(native.exit, 14);
  const cosign = await tell(world, ['cosign', 'verify', ...flags]);
  assert.equal(cosign.exit, 0);
  assert.equal(
    cosign.stderr.match(/warning: cosign finds --certificate-identity-regexp anywhere/g)?.length,
    1,
  );
  const anchored = ['--certificate-identity-regexp', '^acme/api/', ...flags.slice(2)];
  assert.equal((await tell(world, ['cosign', 'verify', ...anchored])).exit, 1);
});

test('cosign verify prints payloads, verify-attestation envelopes, download what is attached', async () => {
  const flags = ['--certificate-identity', RELEASE, '--certificate-oidc-issuer', ISSUER, world.image];
  const verified = await tell(world, ['cosign', 'verify', ...flags]);
  const [payload] = JSON.parse(verified.stdout);
  assert.equal(payload.critical.identity['docker-reference'], world.image);
  assert.equal(`ghcr.io/acme/api@${payload.critical.image['docker-manifest-digest']}`, world.image);
  assert.match(verified.stderr, /The cosign claims were validated/);
  const attested = await tell(world, ['cosign', 'verify-attestation', '--type', 'cyclonedx', ...flags]);
  const lines = attested.stdout.split('\n');
  assert.equal(lines.length, 1);
  const statement = JSON.parse(Buffer.from(JSON.parse(lines[0] ?? '').payload, 'base64').toString());
  assert.deepEqual(
    [statement.predicateType, statement.subject[0].name],
    ['https://cyclonedx.org/bom', 'ghcr.io/acme/api'],
  );
  const bundles = await tell(world, ['cosign', 'download', 'signature', world.image]);
  assert.equal(bundles.stdout.split('\n').length, 3);
  const none = await tell(world, ['cosign', 'download', 'signature', world.unsigned]);
  assert.deepEqual([none.exit, codes(none)], [1, ['WB-1307']]);
});

test('the older layout is written for --new-bundle-format=false and verifies the same', async () => {
  const job = await asWorkflow(world);
  const signed = await tell(job, ['cosign', 'sign', '--yes', '--no-new-bundle-format', world.unsigned]);
  assert.equal(signed.exit, 0, signed.stderr);
  assert.match(signed.stderr, /^Pushing signature to: [^@]*\/acme\/unsigned$/m);
  const flags = ['--certificate-identity', RELEASE, '--certificate-oidc-issuer', ISSUER, world.unsigned];
  const verified = await tell(world, ['cosign', 'verify', ...flags]);
  const [payload] = JSON.parse(verified.stdout);
  assert.deepEqual([payload.optional.Issuer, payload.optional.Subject], [ISSUER, RELEASE]);
});

const provenance = ['--source-uri', 'github.com/acme/api'];
for (const [name, more, error, native] of [
  ['source and tag', ['--source-tag', 'v1.4.2'], undefined, undefined],
  ['another tag', ['--source-tag', 'v1.4.3'], 'ErrorMismatchTag', 'WB-710'],
  ['another branch', ['--source-branch', 'main'], 'ErrorInvalidRef', 'WB-706'],
  [
    'another builder',
    ['--builder-id', 'https://github.com/acme/builder/.github/workflows/b.yml'],
    'ErrorUntrustedReusableWorkflow',
    'WB-351',
  ],
] as const) {
  test(`slsa-verifier about ${name} ends as waybill provenance verify does`, async () => {
    const ours = await tell(world, ['provenance', 'verify', ...provenance, ...more, world.image]);
    const theirs = await tell(world, ['slsa-verifier', 'verify-image', ...provenance, ...more, world.image]);
    assert.equal(theirs.exit, error === undefined ? 0 : 1, theirs.stderr);
    assert.equal(theirs.exit === 0, ours.exit === 0);
    assert.equal(ours.reason?.code, native);
    const said =
      error === undefined
        ? /^PASSED: SLSA verification passed$/m
        : new RegExp(`^FAILED: SLSA verification failed: ${error}: `, 'm');
    assert.match(theirs.stderr, said);
  });
}

test('slsa-verifier refuses a tag and another repository', async () => {
  const mutable = await tell(world, [
    'slsa-verifier',
    'verify-image',
    ...provenance,
    'ghcr.io/acme/api:latest',
  ]);
  assert.match(mutable.stderr, /ErrorMutableImage/);
  const other = ['slsa-verifier', 'verify-image', '--source-uri', 'github.com/acme/other', world.image];
  assert.match((await tell(world, other)).stderr, /ErrorMismatchSource/);
});

/** One advisory about the package in the image. */
const advisory = (severity: string, fixed: string): object => ({
  schema_version: '1.6.0',
  id: 'TEST-1',
  modified: '2026-01-01T00:00:00Z',
  summary: 'made for this test',
  database_specific: { severity },
  affected: [
    {
      package: { ecosystem: 'npm', name: 'ms' },
      ranges: [{ type: 'SEMVER', events: [{ introduced: '0' }, { fixed }] }],
    },
  ],
});

for (const [name, severity, fixed, found] of [
  ['a high finding', 'HIGH', '9.0.0', true],
  ['a low finding', 'LOW', '9.0.0', false],
  ['nothing', 'HIGH', '0.7.1', false],
] as const) {
  test(`grype and trivy about ${name} end as waybill scan does`, async () => {
    const file = await writeJson(world, 'advisory.json', advisory(severity, fixed));
    const db = join(world.folder, `${severity}${fixed}.db`);
    assert.equal((await tell(world, ['db', 'build', file, '--out', db])).exit, 0);
    const at = { ...world, env: { ...world.env, WAYBILL_DB: db } };
    const sbom = `sbom:${join(world.folder, 'sbom.json')}`;
    const native = await tell(at, ['scan', sbom, '--fail-on', 'high']);
    assert.equal(native.exit, found ? 2 : 0);
    const grype = await tell(at, ['grype', sbom, '--fail-on', 'high']);
    assert.equal(grype.exit, found ? 2 : 0);
    assert.equal(grype.stdout.includes('TEST-1'), fixed === '9.0.0');
    const trivy = await tell(at, [
      'trivy',
      'image',
      '--severity',
      'HIGH,CRITICAL',
      '--exit-code',
      '7',
      world.image,
    ]);
    assert.equal(trivy.exit, found ? 7 : 0);
    assert.match(trivy.stdout, found ? /Total: 1 \(HIGH: 1, CRITICAL: 0\)/ : /Total: 0/);
  });
}

test('a gate on the sample database is an error, never a pass and never a finding', async () => {
  const sbom = `sbom:${join(world.folder, 'sbom.json')}`;
  assert.equal((await tell(world, ['grype', sbom, '--fail-on', 'critical'])).exit, 1);
  const trivy = ['trivy', 'image', '--severity', 'CRITICAL', '--exit-code', '7', world.image];
  assert.equal((await tell(world, trivy)).exit, 1);
});

test('trivy writes the predicate of waybill scan, syft the document of waybill sbom', async () => {
  const vuln = join(world.folder, 'vuln.json');
  const run = await tell(world, ['trivy', 'image', '--format', 'cosign-vuln', '-o', vuln, world.image]);
  assert.equal(run.exit, 0, run.stderr);
  const predicate = JSON.parse(await readFile(vuln, 'utf8'));
  assert.equal(predicate.scanner.result.SchemaVersion, 2);
  const epoch = { ...world, env: { ...world.env, SOURCE_DATE_EPOCH: '0' } };
  const native = await tell(epoch, ['sbom', '-o', 'cyclonedx-json', world.image]);
  assert.equal((await tell(epoch, ['syft', '-o', 'cyclonedx-json', world.image])).stdout, native.stdout);
  assert.match(native.stdout, /pkg:npm\/ms@2\.1\.3/);
});

test('rekor-cli finds what waybill audit search finds, and proves the entry it shows', async () => {
  const digest = world.image.slice(world.image.indexOf('@') + 1);
  const native = await tell(world, ['audit', 'search', digest], true);
  const { steps } = native.value as { readonly steps: readonly { readonly entry: string }[] };
  const found = await tell(world, ['rekor-cli', 'search', '--sha', digest.slice(7)]);
  const uuids = found.stdout.split('\n');
  assert.equal(uuids.length, steps.length);
  const json = await tell(world, ['rekor-cli', 'search', '--sha', digest, '--format', 'json']);
  assert.deepEqual(JSON.parse(json.stdout), { UUIDs: uuids });
  const signers = new Set<string>();
  for (const uuid of uuids) {
    const got = await tell(world, ['rekor-cli', 'get', '--uuid', uuid, '--format', 'json']);
    const { Body, UUID } = JSON.parse(got.stdout);
    assert.equal(UUID, uuid);
    signers.add(Buffer.from(Body.DSSEObj.signatures[0].verifier, 'base64').toString().split('\n')[0] ?? '');
  }
  assert.deepEqual([...signers], ['-----BEGIN CERTIFICATE-----']);
  const none = await tell(world, ['rekor-cli', 'search', '--sha', '0'.repeat(64)]);
  assert.deepEqual([none.exit, none.stdout], [1, '']);
  assert.match(none.stderr, /no matching entries found/);
});

test('rekor-cli shows no entry of a log that the trusted root does not know', async () => {
  const digest = world.image.slice(world.image.indexOf('@') + 1);
  const [uuid = ''] = (await tell(world, ['rekor-cli', 'search', '--sha', digest])).stdout.split('\n');
  const other = await compatWorld();
  const stranger = { ...other, env: { ...other.env, REKOR_REKOR_SERVER: world.stack.origins.log } };
  const got = await tell(stranger, ['rekor-cli', 'get', '--uuid', uuid]);
  assert.deepEqual([got.exit, got.stdout, codes(got)], [1, '', ['WB-1309']]);
});

for (const words of [
  ['cosign', 'sign', '--tlog-upload=false', 'ghcr.io/acme/api:v1'],
  ['cosign', 'verify', '--frobnicate=false', 'ghcr.io/acme/api:v1'],
  ['syft', 'file:app', '-o', 'cyclonedx-json'],
  ['syft', 'ghcr.io/acme/api:v1', '-o', 'github-json'],
  ['grype', 'ghcr.io/acme/api:v1', '--add-cpes-if-none'],
  ['grype', 'ghcr.io/acme/api:v1', '--distro=debian:12'],
  ['trivy', 'image', '--removed-pkgs', 'ghcr.io/acme/api:v1'],
  ['trivy', 'image', '--compliance=docker-cis', 'ghcr.io/acme/api:v1'],
  ['slsa-verifier', 'verify-image', '--provenance-path=x', 'ghcr.io/acme/api:v1', '--source-uri', 'x'],
  ['rekor-cli', 'loginfo'],
]) {
  const flag =
    words.find(
      (word, at) =>
        at > 0 && /^(--(?!source|severity|fail)|dir:|LOW|negligible|github-json|loginfo)/.test(word),
    ) ?? '';
  test(`${words.slice(0, 2).join(' ')} refuses ${flag} by name`, async () => {
    const run = await tell(world, words);
    assert.equal(run.reason?.code, 'WB-1310');
    assert.equal(run.reason?.exit, 1);
    assert.match(run.reason?.actual ?? '', new RegExp(flag.split('=')[0] ?? ''));
  });
}
