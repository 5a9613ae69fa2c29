/** What cosign 2.6 writes by default, tags and local bundles, is verified by the native verbs. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { httpTransport } from '#platform/http-client';
import { tellIn } from '../cli/in-process.ts';
import { ada, startStack, temporaryFolder } from '../stack/helper.ts';
import { requirePeer } from './cache.ts';
import { pushImage, runProgram } from './stack-image.ts';

const binary = requirePeer('cosign-2');
const stack = await startStack();
const home = await temporaryFolder();
const { origins, registryHost, dataDir } = stack;
const at = (name: string): string => join(home, name);
const TYPE = 'https://example.com/p';
const services = ['--rekor-url', origins.log, '--fulcio-url', origins.ca];
const image = await pushImage(registryHost, 'old/app', 'old');

/** The variables of the file a stack writes for cosign 2. */
async function environment(): Promise<Record<string, string>> {
  const text = await readFile(join(dataDir, 'public', 'env-cosign2'), 'utf8');
  return Object.fromEntries(
    [...text.matchAll(/^export (\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]),
  );
}

async function cosign(...args: string[]): Promise<void> {
  const env = { HOME: home, COSIGN_PASSWORD: 'secret', ...(await environment()) };
  const ran = await runProgram(binary, args, env);
  assert.equal(ran.code, 0, `${args.join(' ')}\n${ran.stderr}`);
}
const token = async (): Promise<string[]> => [
  '--yes',
  '--identity-token',
  (await stack.mint({ sub: ada, email: ada })).reveal(),
];

before(async () => {
  const key = ['--yes', '--key', at('cosign.key'), '--rekor-url', origins.log];
  const predicate = ['--predicate', at('predicate.json'), '--type', TYPE];
  await writeFile(at('predicate.json'), '{"builder":{"id":"me"},"count":3}');
  await writeFile(at('file'), 'hello\n');
  await cosign('generate-key-pair', '--output-key-prefix', at('cosign'));
  await cosign('sign', ...services, ...(await token()), image);
  await cosign('sign', ...key, image);
  await cosign('attest', ...services, ...(await token()), ...predicate, image);
  await cosign('sign-blob', ...services, ...(await token()), '--bundle', at('keyless.json'), at('file'));
  await cosign('sign-blob', ...key, '--bundle', at('keyed.json'), at('file'));
  await cosign(
    'sign-blob',
    ...services,
    ...(await token()),
    '--new-bundle-format',
    '--bundle',
    at('new.json'),
    at('file'),
  );
  await cosign(
    'attest-blob',
    ...services,
    ...(await token()),
    ...predicate,
    '--bundle',
    at('attested.json'),
    at('file'),
  );
});

const trust = ['--stack', dataDir];
const who = ['--certificate-identity', ada, '--certificate-oidc-issuer', origins.oidc];
const pub = ['--key', at('cosign.pub')];
const typed = ['--type', TYPE, '--condition', 'predicate.count == 3'];

describe('what cosign 2.6 wrote', { concurrency: 2 }, () => {
  const rows: readonly (readonly [string, readonly string[], string?])[] = [
    ['a keyless signature', ['verify', ...who, image]],
    ['a signature by a key', ['verify', ...pub, image]],
    ['a keyless attestation', ['verify-attestation', ...who, ...typed, image]],
    ['a local bundle, keyless', ['verify-blob', ...who, '--bundle', at('keyless.json'), at('file')]],
    ['a local bundle by a key', ['verify-blob', ...pub, '--bundle', at('keyed.json'), at('file')]],
    ['a Sigstore bundle', ['verify-blob', ...who, '--bundle', at('new.json'), at('file')]],
    [
      'a local bundle of a statement',
      ['verify-blob-attestation', ...who, ...typed, '--bundle', at('attested.json'), at('file')],
    ],
    [
      'a local bundle over another file',
      ['verify-blob', ...who, '--bundle', at('keyless.json'), at('predicate.json')],
      'WB-310',
    ],
    [
      'a statement about another file',
      ['verify-blob-attestation', ...who, ...typed, '--bundle', at('attested.json'), at('predicate.json')],
      'WB-342',
    ],
    [
      'a statement as a signature',
      ['verify-blob', ...who, '--bundle', at('attested.json'), at('file')],
      'WB-911',
    ],
  ];
  for (const [name, [verb = '', ...words], code] of rows) {
    test(name, async () => {
      const told = await tellIn({ json: true, transport: httpTransport() }, [verb, ...trust, ...words]);
      assert.equal(told.reason?.code, code, JSON.stringify(told.reason ?? told.value));
      if (code === undefined) assert.equal(told.exit, 0);
    });
  }
});
