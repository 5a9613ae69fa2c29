/**
 * `waybill cosign …` beside the real cosign, on the same images and files of one stack: the exit code and what is
 * printed have to be equal, command by command. Where they differ on purpose the row says why.
 */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { ada, startStack, temporaryFolder } from '../stack/helper.ts';
import { requirePeer } from './cache.ts';
import { printed, type Row, row, sideBySide } from './cosign-rows.ts';
import { pushImage } from './stack-image.ts';

const binary = requirePeer('cosign');
const stack = await startStack();
const home = await temporaryFolder();
const { origins, registryHost, dataDir } = stack;
const publicFile = (name: string): string => join(dataDir, 'public', name);
const at = (name: string): string => join(home, name);

const { real, done, ours, testRows, titleOf } = sideBySide(
  binary,
  { HOME: home, COSIGN_PASSWORD: 'secret' },
  [dataDir],
);

const TYPE = 'https://example.com/p';
const trust = ['--trusted-root', publicFile('trusted_root.json')];
const who = ['--certificate-identity', ada, '--certificate-oidc-issuer', origins.oidc];
const nobody = who.with(1, 'nobody@example.com');
const config = ['--signing-config', publicFile('signing_config.v0.2.json')];
const older = [
  ...['--new-bundle-format=false', '--use-signing-config=false'],
  ...['--rekor-url', origins.log, '--fulcio-url', origins.ca],
];
const token = async (): Promise<string[]> => [
  ...['--yes', '--identity-token', (await stack.mint({ sub: ada, email: ada })).reveal()],
];
const key = ['--yes', '--key', at('cosign.key')];
const pub = ['--key', at('cosign.pub')];

const names = [
  'bundle',
  'bundleKey',
  'legacy',
  'legacyKey',
  'attested',
  'legacyAttested',
  'mixed',
  'bare',
] as const;
const image = Object.fromEntries(
  await Promise.all(
    names.map(async (name) => [name, await pushImage(registryHost, `compat/${name.toLowerCase()}`, name)]),
  ),
) as Record<(typeof names)[number], string>;
/** A tag nobody pushed. */
const missing = `${registryHost}/compat/bare:none`;

before(async () => {
  await done('generate-key-pair', '--output-key-prefix', at('cosign'));
  await writeFile(at('predicate.json'), '{"builder":{"id":"me"},"count":3}');
  await writeFile(at('file'), 'hello\n');
  const mediaType = 'application/vnd.dev.sigstore.signingconfig.v0.2+json';
  await writeFile(at('unset.json'), JSON.stringify({ mediaType, rekorTlogConfig: {}, tsaConfig: {} }));
  await writeFile(at('other'), 'else\n');
  const predicate = ['--predicate', at('predicate.json'), '--type', TYPE];
  await done('sign', ...trust, ...config, ...(await token()), image.bundle);
  await done('sign', ...trust, ...config, ...key, image.bundleKey);
  await done('sign', ...trust, ...older, ...(await token()), '-a', 'team=sec', image.legacy);
  await done('sign', ...trust, ...older, ...key, image.legacyKey);
  await done('attest', ...trust, ...config, ...(await token()), ...predicate, image.attested);
  await done('attest', ...trust, ...older, ...(await token()), ...predicate, image.legacyAttested);
  await done('sign', ...trust, ...config, ...(await token()), '-a', 'team=sec', image.mixed);
  await done('sign', ...trust, ...older, ...(await token()), image.mixed);
  await done('attest', ...trust, ...config, ...(await token()), ...predicate, image.mixed);
  await done('attach', 'sbom', '--sbom', at('predicate.json'), '--type', 'cyclonedx', image.legacy);
  const blob = ['sign-blob', ...trust, ...config];
  await done(...blob, ...(await token()), '--bundle', at('keyless.json'), at('file'));
  await done(...blob, ...key, '--bundle', at('keyed.json'), at('file'));
  const attest = ['attest-blob', ...trust, ...config, ...(await token()), ...predicate];
  await done(...attest, '--bundle', at('attested.json'), at('file'));
  const bare = ['--new-bundle-format=false', '--use-signing-config=false', '--tlog-upload=false'];
  await done('sign-blob', ...key, ...bare, '--output-signature', at('file.sig'), at('file'));
  const payload = await done('download', 'signature', image.legacyKey);
  const { Payload, Base64Signature } = JSON.parse(payload.stdout);
  await writeFile(at('payload'), Buffer.from(Payload, 'base64'));
  await writeFile(at('payload.sig'), Base64Signature);
  await done('save', '--dir', at('saved'), image.legacy);
  await done('save', '--dir', at('savedBundle'), image.bundle);
  await mkdir(at('empty'));
});

const verify = (...args: string[]): Row => row('verify', ...trust, ...args);
const attestation = (...args: string[]): Row => row('verify-attestation', ...trust, ...args);
const typed = ['--type', TYPE];
const blob = (...args: string[]): Row => row('verify-blob', ...trust, ...args);
const blobAttestation = (...args: string[]): Row => row('verify-blob-attestation', ...trust, ...args);
const hex = '5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03';

const images: readonly Row[] = [
  ...names.map((name) => verify(...who, image[name])),
  ...names.map((name) => verify(...nobody, image[name])),
  ...names.map((name) => verify(...pub, image[name])),
  verify(...who, missing),
  verify(...who, image.bundle.replace(/@.*/, ':latest')),
  verify(image.bundle),
  verify('--certificate-identity', ada, image.bundle),
  verify(...who, '-a', 'team=sec', image.mixed),
  verify(...who, '-a', 'team=sec', image.legacy),
  verify(...who, '-a', 'team=other', image.legacy),
  verify(...who, '-a', 'team=other', image.bundle),
  verify(...who, image.bundle, image.bare, image.legacy),
  verify(...who, image.legacy, image.bundle),
  verify(...who, image.bundle, image.mixed),
  verify(...who, '-o', 'text', image.bundle),
  verify(...who, '-o', 'text', image.legacy),
  verify(...who, '-o', 'yaml', image.bundle),
  verify(...who, '--check-claims=false', image.attested),
  verify(...who, '--new-bundle-format=false', image.mixed),
  verify(...who, '--use-signed-timestamps', image.bundle),
  verify(...who, '--use-signed-timestamps', image.legacy),
  verify(...who, '--insecure-ignore-tlog', '--use-signed-timestamps', image.bundle),
  verify(...who, '--insecure-ignore-sct', image.bundle),
  verify(...pub, '--insecure-ignore-tlog', image.bundleKey),
  verify(...pub, '--insecure-ignore-tlog', image.legacyKey),
  verify(...pub, '--private-infrastructure', image.legacyKey),
  verify(...who, '--offline', '--rekor-url', 'http://127.0.0.1:1', image.legacy),
  verify(...who, '--max-workers', '3', image.legacy),
  verify('--certificate-identity-regexp', 'example', '--certificate-oidc-issuer-regexp', '.*', image.bundle),
  verify('--certificate-identity-regexp', 'ample', '--certificate-oidc-issuer-regexp', '127', image.legacy),
  verify('--certificate-identity-regexp', '^example', '--certificate-oidc-issuer-regexp', '.*', image.bundle),
  verify('--certificate-identity-regexp', '(', '--certificate-oidc-issuer-regexp', '.*', image.bundle),
  verify(...who, '--attachment', 'sbom', image.legacy),
  verify(
    ...pub,
    '--insecure-ignore-tlog',
    '--payload',
    at('payload'),
    '--signature',
    at('payload.sig'),
    image.legacyKey,
  ),
  verify(
    ...pub,
    '--insecure-ignore-tlog',
    '--payload',
    at('payload'),
    '--signature',
    at('payload.sig'),
    image.legacy,
  ),
  verify(
    ...pub,
    '--insecure-ignore-tlog',
    '--payload',
    at('payload'),
    '--signature',
    at('payload.sig'),
    image.bundle,
  ),
  verify(...who, '--local-image', at('saved')),
  {
    ...verify(...who, '--local-image', at('savedBundle')),
    differs:
      'cosign 3.1.3 prints an empty document for a saved image with bundles; ours names what it verified',
  },
  verify(...who, '--local-image', at('empty')),
  {
    args: ['verify', ...trust, '--certificate-oidc-issuer', origins.oidc, image.bundle],
    env: { COSIGN_CERTIFICATE_IDENTITY: ada },
  },
  { args: ['verify', ...trust, image.bundleKey], env: { COSIGN_KEY: at('cosign.pub') } },
  row('verify'),
];

const attestations: readonly Row[] = [
  ...names.map((name) => attestation(...who, ...typed, image[name])),
  attestation(...nobody, ...typed, image.attested),
  attestation(...nobody, ...typed, image.legacyAttested),
  attestation(...typed, image.attested),
  attestation(...who, image.attested),
  attestation(...who, image.legacyAttested),
  attestation(...who, '--type', 'nonsense', image.attested),
  attestation(...who, ...typed, missing),
  attestation(...who, ...typed, '--check-claims=false', image.attested),
  attestation(...who, ...typed, image.mixed, image.legacyAttested),
  attestation(...who, ...typed, '-o', 'text', image.legacyAttested),
];

const files: readonly Row[] = [
  ...['file', 'other', 'none'].flatMap((name) => [
    blob(...who, '--bundle', at('keyless.json'), at(name)),
    blob(...pub, '--bundle', at('keyed.json'), at(name)),
    blob(...who, '--bundle', at('attested.json'), at(name)),
    blobAttestation(...who, ...typed, '--bundle', at('attested.json'), at(name)),
    row('verify-blob', ...pub, '--signature', at('file.sig'), '--insecure-ignore-tlog', at(name)),
  ]),
  blob(...nobody, '--bundle', at('keyless.json'), at('file')),
  blob(...who, at('file')),
  blob(...who, '--bundle', at('keyless.json')),
  blob(...who, '--bundle', at('none'), at('file')),
  blob('--bundle', at('keyless.json'), at('file')),
  blob(...pub, '--bundle', at('keyless.json'), at('file')),
  blob(...who, '--bundle', at('keyed.json'), at('file')),
  blob(...pub, ...who, '--bundle', at('keyless.json'), at('file')),
  blob(...who, '--bundle', at('keyless.json'), `sha256:${hex}`),
  blob(...who, '--bundle', at('keyless.json'), `sha256:${'0'.repeat(64)}`),
  blob('--frobnicate'),
  blobAttestation(
    ...who,
    ...typed,
    '--bundle',
    at('attested.json'),
    '--digest',
    hex,
    '--digestAlg',
    'sha256',
  ),
  blobAttestation(...who, ...typed, '--bundle', at('attested.json'), '--digest', hex),
  blobAttestation(...who, '--bundle', at('attested.json'), at('file')),
  blobAttestation(...who, ...typed, '--bundle', at('attested.json'), '--check-claims=false'),
  blobAttestation(...who, ...typed, '--bundle', at('attested.json')),
  blobAttestation(...nobody, ...typed, '--bundle', at('attested.json'), at('file')),
  blobAttestation(...who, ...typed, '--bundle', at('keyless.json'), at('file')),
];

const shown: readonly Row[] = [
  ...['signature', 'attestation', 'sbom'].flatMap((what) =>
    names.map((name): Row => {
      const plain = row('download', what, image[name]);
      return what === 'signature' && name === 'legacy'
        ? {
            ...plain,
            differs: 'Cert: of Go’s structure the raw parts, names, times and extensions; compared below',
          }
        : plain;
    }),
  ),
  row('download', 'attestation', '--predicate-type', TYPE, image.mixed),
  row('download', 'attestation', '--predicate-type', 'slsaprovenance', image.mixed),
  row('download', 'attestation', '--predicate-type', 'slsaprovenance', image.legacyAttested),
  ...names.map((name) => row('tree', image[name])),
  row('tree', missing),
  ...['signature', 'attestation', 'sbom', 'digest', 'else'].map((type) =>
    row('triangulate', '--type', type, image.legacy),
  ),
  row('triangulate', image.legacy.replace(/@.*/, ':latest')),
  row('triangulate', missing),
  row('env', '--show-descriptions=false'),
  { args: ['env', '--show-descriptions=false'], env: { TUF_ROOT: '/x', COSIGN_REPOSITORY: 'r.example/x' } },
  row('env', '--show-descriptions=false', '--show-sensitive-values'),
];

for (const [group, rows] of Object.entries({ images, attestations, files, shown })) {
  describe(group, { concurrency: 2 }, () => testRows(rows));
}

test('download signature of the older layout: every field we show of a certificate is Go’s', async () => {
  const theirs = JSON.parse((await real(['download', 'signature', image.legacy])).stdout);
  const told = JSON.parse((await ours(row('download', 'signature', image.legacy))).stdout);
  const shownFields = Object.keys(told.Cert);
  assert.ok(shownFields.length >= 12);
  assert.deepEqual(told.Cert, Object.fromEntries(shownFields.map((name) => [name, theirs.Cert[name]])));
  assert.deepEqual({ ...told, Cert: 0 }, { ...theirs, Cert: 0 });
});

describe('initialize, and the trust it leaves behind', () => {
  const mirror = ['--mirror', origins.tuf, '--root', publicFile('root.json')];
  const rows: readonly Row[] = [
    row('initialize', ...mirror),
    row('initialize', '--mirror', origins.tuf, '--root', at('none')),
    row('initialize', '--mirror', 'http://127.0.0.1:1', '--root', publicFile('root.json')),
    row('initialize', ...mirror, '--root-checksum', '00'),
  ];
  for (const one of rows) {
    test(titleOf(one), async () => {
      const [theirs, mine] = [await temporaryFolder(), await temporaryFolder()];
      const ran = await real(one.args, { HOME: theirs });
      const told = await ours({ ...one, env: { HOME: mine } });
      assert.equal(told.exit, ran.code, told.stderr);
      if (ran.code !== 0) return;
      const remote = (folder: string): Promise<string> =>
        readFile(join(folder, '.sigstore', 'root', 'remote.json'), 'utf8');
      assert.deepEqual(JSON.parse(await remote(mine)), JSON.parse(await remote(theirs)));
    });
  }

  test('either works with what the other initialised', async () => {
    const [theirs, mine] = [await temporaryFolder(), await temporaryFolder()];
    const asked = ['verify', ...who, image.bundle];
    await real(['initialize', ...mirror], { HOME: theirs });
    await ours({ args: ['initialize', ...mirror], env: { HOME: mine } });
    assert.equal((await real(asked, { HOME: mine })).code, 0);
    const told = await ours({ args: asked, env: { HOME: theirs } });
    assert.equal(told.exit, 0, told.stderr);
  });
});

describe('trusted-root create', () => {
  const start = 'start-time=2026-01-01T00:00:00Z';
  const chain = (name: string): string => publicFile(name);
  const fulcio = `url=${origins.ca},certificate-chain=${chain('fulcio_chain.pem')}`;
  const tsa = `url=${origins.tsa},certificate-chain=${chain('tsa_chain.pem')}`;
  const rekor = `url=${origins.log},public-key=${publicFile('rekor.pub')}`;
  const ctfe = `url=${origins.ct},public-key=${publicFile('ctfe.pub')}`;
  for (const args of [
    [
      '--fulcio',
      fulcio,
      '--tsa',
      tsa,
      '--rekor',
      `${rekor},${start},end-time=2030-01-01T00:00:00Z`,
      '--ctfe',
      `${ctfe},${start}`,
    ],
    ['--fulcio', `${fulcio},${start}`],
    ['--rekor', `${rekor},${start},origin=log.example`],
    [],
    ['--fulcio', `url=${origins.ca}`],
    ['--rekor', rekor],
    ['--tsa', `url=x,certificate-chain=${at('none')}`],
  ]) {
    test(titleOf(row('trusted-root', 'create', ...args)), async () => {
      const one = row('trusted-root', 'create', ...args);
      const [theirs, told] = await Promise.all([real(one.args), ours(one)]);
      assert.equal(told.exit, theirs.code, told.stderr);
      assert.deepEqual(printed(told.stdout), printed(theirs.stdout));
    });
  }

  test('single files named by SIGSTORE_* variables verify the older layout', async () => {
    const env = {
      SIGSTORE_ROOT_FILE: chain('fulcio_chain.pem'),
      SIGSTORE_REKOR_PUBLIC_KEY: publicFile('rekor.pub'),
      SIGSTORE_CT_LOG_PUBLIC_KEY_FILE: publicFile('ctfe.pub'),
    };
    const one: Row = { args: ['verify', ...who, image.legacy], env };
    const [theirs, told] = await Promise.all([real(one.args, env), ours(one)]);
    assert.deepEqual([theirs.code, told.exit], [0, 0], `${theirs.stderr}\n${told.stderr}`);
    assert.deepEqual(printed(told.stdout), printed(theirs.stdout));
  });
});

describe('default services are those of the TUF repository that was initialised', () => {
  const start = 'start-time=2026-01-01T00:00:00Z';
  const rekor = `url=https://log.example,public-key=${publicFile('rekor.pub')},${start}`;
  const service = `url=https://ca.example,api-version=1,${start},operator=me`;
  const onUnset = ['signing-config', 'create', '--base-config', at('unset.json')];
  for (const args of [
    ['trusted-root', 'create', '--with-default-services'],
    ['trusted-root', 'create', '--with-default-services', '--no-default-tsa', '--no-default-rekor'],
    ['trusted-root', 'create', '--with-default-services', '--no-default-rekor', '--rekor', rekor],
    ['trusted-root', 'create', '--no-default-tsa', '--rekor', rekor],
    ['signing-config', 'create', '--with-default-services'],
    ['signing-config', 'create', '--with-default-rekor-v2'],
    ['signing-config', 'create'],
    ['signing-config', 'create', '--no-default-tsa', '--rekor', service, '--rekor-config', 'any'],
    ['signing-config', 'create', '--with-default-services', '--no-default-tsa', '--no-default-rekor'],
    [...onUnset, '--tsa', service, '--tsa-config', 'EXACT:2'],
    ['signing-config', 'create', ...config.with(0, '--base-config'), '--no-default-tsa'],
    ['signing-config', 'create', '--with-default-services', '--with-default-rekor-v2', '--no-default-oidc'],
    ['signing-config', 'create', '--with-default-services', '--no-default-oidc', '--fulcio', service],
    ['signing-config', 'create', '--with-default-services', '--rekor', service, '--rekor-config', 'ALL'],
  ]) {
    test(titleOf(row(...args)), async () => {
      const env = { HOME: await temporaryFolder() };
      const mirror = ['--mirror', origins.tuf, '--root', publicFile('root.json')];
      assert.equal((await real(['initialize', ...mirror], env)).code, 0);
      const [theirs, told] = await Promise.all([real(args, env), ours({ args, env })]);
      assert.equal(told.exit, theirs.code, `${told.stderr}\n${theirs.stderr}`);
      assert.deepEqual(meaning(told.stdout), meaning(theirs.stdout));
    });
  }
});

/** cosign walks Go maps: logs come in another order each time; details that say no more than others are left out. */
function meaning(text: string): unknown {
  const value = JSON.parse(text) as Record<string, unknown>;
  // To protobuf a list without members is one that is not there.
  const there = Object.entries(value).filter(([, member]) => !Array.isArray(member) || member.length > 0);
  const sorted = there.map(([name, member]) =>
    Array.isArray(member)
      ? [name, member.map((one) => JSON.stringify(withoutNames(one))).sort()]
      : [name, member],
  );
  return Object.fromEntries(sorted);
}

function withoutNames(value: object): unknown {
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !['subject', 'operator', 'checkpointKeyId'].includes(name))
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}
