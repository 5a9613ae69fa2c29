/**
 * What `waybill cosign sign`, `attest` and `attach` make with certificates of one's own, other documents, other tags and
 * other media types is what the real cosign makes: it verifies there, and lies in the registry in the same form.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { ada, startStack, temporaryFolder } from '../stack/helper.ts';
import { requirePeer } from './cache.ts';
import { printed, row, sideBySide } from './cosign-rows.ts';
import { authority, pem, signer } from './own-pki.ts';
import { pushImage } from './stack-image.ts';

const binary = requirePeer('cosign');
const cosign2 = requirePeer('cosign-2');
const stack = await startStack();
const home = await temporaryFolder();
const { origins, registryHost, dataDir } = stack;
const publicFile = (name: string): string => join(dataDir, 'public', name);
const at = (name: string): string => join(home, name);
const env = { HOME: home, COSIGN_PASSWORD: 'secret', SIGSTORE_REKOR_PUBLIC_KEY: publicFile('rekor.pub') };
const { real, done, ours } = sideBySide(binary, env, [dataDir]);
const second = sideBySide(cosign2, env, [dataDir]);

const root = authority('Root');
const middle = authority('Middle', root);
const holder = signer('ada@example.com', middle);

before(async () => {
  await writeFile(at('ada.pem'), pem(holder));
  await writeFile(at('ada.der'), holder.certificate.der);
  await writeFile(at('chain.pem'), pem(middle, root));
  await writeFile(at('root.pem'), pem(root));
  await writeFile(at('ada.plain'), holder.key.exportPem());
  await writeFile(at('predicate.json'), '{"a":1}');
  await writeFile(at('file'), 'hello\n');
  await done('import-key-pair', '--key', at('ada.plain'), '--output-key-prefix', at('ada'));
});

async function made(...args: string[]): Promise<string> {
  const told = await ours(row(...args));
  assert.equal(told.exit, 0, `${args.join(' ')}\n${told.stderr}\n${told.reason?.actual ?? ''}`);
  return told.stdout;
}
const push = (name: string): Promise<string> => pushImage(registryHost, `own/${name}`, name);

const older = [
  '--new-bundle-format=false',
  '--use-signing-config=false',
  '--yes',
  '--rekor-url',
  origins.log,
];
const trusted = ['--trusted-root', publicFile('trusted_root.json')];
const config = [...trusted, '--signing-config', publicFile('signing_config.v0.2.json'), '--yes'];
const key = ['--key', at('ada.key')];
const pub = ['--key', at('ada.pub'), ...trusted];
const certified = [...key, '--certificate', at('ada.pem'), '--certificate-chain', at('chain.pem')];
const who = [
  ...['--certificate-identity', 'ada@example.com', '--certificate-oidc-issuer-regexp', '.*'],
  '--insecure-ignore-sct',
];
const chain = ['--certificate-chain', at('chain.pem')];
const typed = ['--type', 'https://example.com/p'];
const predicate = ['--predicate', at('predicate.json'), ...typed];

interface Signature {
  readonly Payload: string;
  readonly Cert: unknown;
}
async function signaturesOf(image: string, ...args: string[]): Promise<readonly Signature[]> {
  const { stdout } = await done('download', 'signature', ...args, image);
  return printed(stdout) as readonly Signature[];
}
const documentOf = ({ Payload }: Signature) => JSON.parse(Buffer.from(Payload, 'base64').toString());

describe('a certificate of one’s own', () => {
  for (const form of ['ada.pem', 'ada.der']) {
    test(`sign in the older layout, ${form}`, async () => {
      const image = await push(`older${form.replace('.', '')}`);
      await made('sign', ...key, '--certificate', at(form), ...chain, ...older, image);
      await done('verify', ...who, ...chain, image);
      await second.done('verify', ...who, ...chain, image);
      // What lies between comes with the signature.
      await done('verify', ...who, '--ca-roots', at('root.pem'), image);
      await made('verify', ...who, '--ca-roots', at('root.pem'), image);
    });
  }

  test('attest in the older layout', async () => {
    const image = await push('attest');
    await made('attest', ...certified, ...older, ...predicate, image);
    await done('verify-attestation', ...who, ...chain, ...typed, image);
    await made('verify-attestation', ...who, ...chain, ...typed, image);
  });

  test('sign as a bundle, verified with a trusted root that names the authority', async () => {
    const image = await push('bundle');
    const file = at('own_root.json');
    const fulcio = `url=https://ca.example,certificate-chain=${at('chain.pem')}`;
    const rekor = `url=${origins.log},public-key=${publicFile('rekor.pub')},start-time=2026-01-01T00:00:00Z`;
    await made('trusted-root', 'create', '--fulcio', fulcio, '--rekor', rekor, '--out', file);
    await made(
      'sign',
      ...certified,
      '--use-signing-config=false',
      '--rekor-url',
      origins.log,
      '--yes',
      image,
    );
    await done('verify', ...who, '--trusted-root', file, image);
    await made('verify', ...who, '--trusted-root', file, image);
  });

  test('sign-blob, with the certificate beside the signature', async () => {
    const out = ['--output-signature', at('sig'), '--output-certificate', at('cert')];
    await made('sign-blob', ...certified, ...older, '--tlog-upload=false', ...out, at('file'));
    const given = ['--signature', at('sig'), '--certificate', at('cert'), '--insecure-ignore-tlog'];
    await done('verify-blob', ...who, ...chain, ...given, at('file'));
    await made('verify-blob', ...who, ...chain, ...given, at('file'));
  });

  for (const [about, args] of [
    ['of another key', ['--key', at('other.key'), '--certificate', at('ada.pem'), ...chain]],
    [
      'whose chain does not lead to it',
      ['--certificate', at('ada.pem'), '--certificate-chain', at('root.pem')],
    ],
    ['that is absent, beside its chain', [...chain]],
  ] as const) {
    test(`refused as by cosign: ${about}`, async () => {
      await real(['generate-key-pair', '--output-key-prefix', at('other')]);
      const image = await push('refused');
      const words = ['sign', ...(args[0] === '--key' ? [] : key), ...args, ...older, image];
      const [theirs, told] = [await real(words), await ours(row(...words))];
      assert.deepEqual([told.exit, theirs.code], [1, 1], `${told.stderr}\n${theirs.stderr}`);
    });
  }

  test('a key that the authority certifies for an identity', async () => {
    const image = await push('issued');
    const token = ['--identity-token', (await stack.mint({ sub: ada, email: ada })).reveal()];
    await made('sign', ...key, '--issue-certificate', ...config, ...token, image);
    const by = ['--certificate-identity', ada, '--certificate-oidc-issuer', origins.oidc, ...trusted];
    await done('verify', ...by, image);
  });
});

describe('other documents, tags and types', () => {
  test('--payload, --sign-container-identity', async () => {
    const image = await push('documents');
    const names = ['--sign-container-identity', 'a.example/x', '--sign-container-identity', 'b.example/x'];
    await made('sign', ...key, ...older, ...names, image);
    const found = (await signaturesOf(image)).map(documentOf);
    assert.deepEqual(
      found.map(({ critical }) => critical.identity['docker-reference']),
      ['a.example/x', 'b.example/x'],
    );
    await done('verify', ...pub, image);
    const other = await push('document');
    const text = await made('generate', '-a', 'k=v', other);
    assert.equal(text.trim(), (await done('generate', '-a', 'k=v', other)).stdout.trim());
    await writeFile(at('document'), text.trim());
    await made('sign', ...key, ...older, '--payload', at('document'), other);
    assert.deepEqual((await signaturesOf(other)).map(documentOf), [JSON.parse(text)]);
    await done('verify', ...pub, '-a', 'k=v', other);
  });

  test('--attachment-tag-prefix is written and read', async () => {
    const image = await push('prefix');
    const prefix = ['--attachment-tag-prefix', 'mine-'];
    await made('sign', ...key, ...older, ...prefix, image);
    await done('verify', ...pub, ...prefix, image);
    await made('verify', ...pub, ...prefix, image);
    assert.equal(
      (await ours(row('verify', ...pub, image))).exit,
      (await real(['verify', ...pub, image])).code,
    );
    const tag = await made('triangulate', ...prefix, image);
    assert.equal(tag.trim(), (await done('triangulate', ...prefix, image)).stdout.trim());
    await made('attest', ...key, ...older, ...prefix, ...predicate, image);
    await done('verify-attestation', ...pub, ...prefix, ...typed, image);
  });

  test('attest --replace leaves one of its type', async () => {
    const image = await push('replace');
    for (let i = 0; i < 2; i++) await made('attest', ...key, ...older, ...predicate, image);
    await made('attest', ...key, ...older, '--predicate', at('predicate.json'), image);
    const count = async (): Promise<number> =>
      (await done('download', 'attestation', image)).stdout.trim().split('\n').length;
    assert.equal(await count(), 3);
    await made('attest', ...key, ...older, ...predicate, '--replace', image);
    assert.equal(await count(), 2);
    await done('verify-attestation', ...pub, ...typed, image);
    await done('attest', ...key, ...older, ...predicate, '--replace', image);
    assert.equal(await count(), 2);
  });

  test('COSIGN_DOCKER_MEDIA_TYPES', async () => {
    const image = await push('docker');
    const told = await ours({
      args: ['sign', ...key, ...older, image],
      env: { COSIGN_DOCKER_MEDIA_TYPES: '1' },
    });
    assert.equal(told.exit, 0, told.stderr);
    const [name = '', digest = ''] = image.slice(registryHost.length + 1).split('@');
    const url = `http://${registryHost}/v2/${name}/manifests/${digest.replace(':', '-')}.sig`;
    const accept = 'application/vnd.docker.distribution.manifest.v2+json';
    const answer = await fetch(url, { headers: { accept } });
    assert.equal(answer.headers.get('content-type'), accept);
    await done('verify', ...pub, image);
  });

  test('COSIGN_MAX_ATTACHMENT_SIZE', async () => {
    const image = await push('size');
    await made('sign', ...key, ...older, image);
    for (const [size, code] of [
      ['100B', 'refused'],
      ['1MiB', 0],
      ['x', 'refused'],
    ] as const) {
      const one = { args: ['verify', ...pub, image], env: { COSIGN_MAX_ATTACHMENT_SIZE: size } };
      const [theirs, told] = [await real(one.args, one.env), await ours(one)];
      assert.equal(told.exit === 0, code === 0, `${size}: ${told.stderr}`);
      if (size !== 'x') assert.equal(theirs.code === 0, code === 0, `${size}: ${theirs.stderr}`);
    }
  });
});

describe('attach', () => {
  test('signature: what was signed elsewhere', async () => {
    const [one, two] = [await push('attach1'), await push('attach2')];
    const files = async (image: string, name: string): Promise<string[]> => {
      await writeFile(at(`${name}.json`), (await done('generate', image)).stdout);
      const out = ['--output-signature', at(`${name}.sig`), '--bundle', at(`${name}.bundle`)];
      await done('sign-blob', ...key, ...older, ...out, at(`${name}.json`));
      return [
        '--payload',
        at(`${name}.json`),
        '--signature',
        at(`${name}.sig`),
        '--rekor-response',
        at(`${name}.bundle`),
      ];
    };
    const mine = await files(one, 'one');
    await made('attach', 'signature', ...mine, one);
    await done('verify', ...pub, one);
    await done('attach', 'signature', ...(await files(two, 'two')), two);
    await made('verify', ...pub, two);
    const byCertificate = ['--certificate', at('ada.pem'), '--certificate-chain', at('chain.pem')];
    await made('attach', 'signature', ...mine.slice(0, 4), ...byCertificate, one);
    await done('verify', ...who, ...chain, '--insecure-ignore-tlog', one);
  });

  test('sbom: type and bytes are those of cosign', async () => {
    for (const [type, format] of [
      ['spdx', 'json'],
      ['cyclonedx', 'json'],
      ['spdx', ''],
      ['syft', ''],
    ] as const) {
      const image = await push(`sbom${type}${format}`);
      const words = ['--sbom', at('predicate.json'), '--type', type];
      const formatted = format === '' ? words : [...words, '--input-format', format];
      await made('attach', 'sbom', ...formatted, image);
      const mine = await done('download', 'sbom', image);
      await done('attach', 'sbom', ...formatted, image);
      const theirs = await done('download', 'sbom', image);
      assert.deepEqual([mine.stdout, mine.stderr], [theirs.stdout, theirs.stderr]);
    }
    const image = await push('sbomwrong');
    const wrong = [
      'attach',
      'sbom',
      '--sbom',
      at('predicate.json'),
      '--type',
      'cyclonedx',
      '--input-format',
      'text',
      image,
    ];
    assert.deepEqual([(await ours(row(...wrong))).exit, (await real(wrong)).code], [1, 1]);
  });

  test('attestation: envelopes, and a bundle', async () => {
    const [from, to] = [await push('from'), await push('to')];
    await done('attest', ...key, ...older, ...predicate, from);
    await writeFile(at('envelope'), (await done('download', 'attestation', from)).stdout);
    await made('attach', 'attestation', '--attestation', at('envelope'), to);
    const mine = await done('download', 'attestation', to);
    assert.deepEqual(printed(mine.stdout), printed((await done('download', 'attestation', from)).stdout));
    const [bundled, other] = [await push('bundled'), await push('other')];
    await done('attest', ...key, ...config, ...predicate, '--bundle', at('att.json'), '--no-upload', bundled);
    await made('attach', 'attestation', '--attestation', at('att.json'), bundled);
    await done('verify-attestation', ...pub, ...typed, bundled);
    assert.notEqual((await real(['verify-attestation', ...pub, ...typed, other])).code, 0);
  });
});

test('version says which command line is spoken, in cosign’s form', async () => {
  const theirs = JSON.parse((await done('version', '--json')).stdout);
  const mine = JSON.parse(await made('version', '--json'));
  assert.deepEqual(Object.keys(mine), Object.keys(theirs));
  assert.equal(mine.gitVersion.split('+')[0], theirs.gitVersion);
});
