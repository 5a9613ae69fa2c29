/** Attestations made by one tool, carried into the other layout by ours, and verified there by both. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { ada, startStack, temporaryFolder } from '../stack/helper.ts';
import { requirePeer } from './cache.ts';
import { pushImage, type Ran, runProgram } from './stack-image.ts';

const binary = requirePeer('cosign');
const stack = await startStack();
const home = await temporaryFolder();
const { origins, registryHost } = stack;
const publicFile = (name: string): string => join(stack.dataDir, 'public', name);
const who = ['--certificate-identity', ada, '--certificate-oidc-issuer', origins.oidc];
const trusted = ['--trusted-root', publicFile('trusted_root.json')];
const via1 = ['--signing-config', publicFile('signing_config.v0.2.json')];
const old = '--new-bundle-format=false';
const type = ['--type', 'https://example.com/predicate/v1'];
await writeFile(join(home, 'predicate.json'), '{"checked":true}');
const said = [...type, '--predicate', join(home, 'predicate.json')];

const env = { HOME: home, COSIGN_PASSWORD: 'secret' };
const cosign = (...args: string[]): Promise<Ran> => runProgram(binary, args, env);
const waybill = (...args: string[]): Promise<Ran> =>
  runProgram(resolve('bin/waybill'), args, { ...env, WAYBILL_STACK: stack.dataDir });
const token = async (): Promise<string[]> => [
  '--identity-token',
  (await stack.mint({ sub: ada, email: ada })).reveal(),
];

async function ends(run: Promise<Ran>, code = 0): Promise<Ran> {
  const ran = await run;
  assert.equal(ran.code, code, `${ran.stderr}${ran.stdout}`);
  return ran;
}

interface Answer {
  readonly images: readonly {
    readonly items: readonly { readonly outcome: string; readonly kind: string }[];
  }[];
}
const outcomes = ({ stdout }: Ran): string[] =>
  (JSON.parse(stdout) as Answer).images.flatMap(({ items }) =>
    items.map(({ kind, outcome }) => `${kind} ${outcome}`),
  );

test('the attestation cosign put under a tag is found as a bundle afterwards', async () => {
  const image = await pushImage(registryHost, 'peers/migrate', 'old');
  const urls = ['--fulcio-url', origins.ca, '--rekor-url', origins.log, '--use-signing-config=false'];
  await ends(cosign('attest', '--yes', old, ...(await token()), ...urls, ...said, image));
  assert.deepEqual(outcomes(await ends(waybill('migrate', '--json', image))), ['attestation migrated']);
  await ends(cosign('verify-attestation', ...trusted, ...who, ...type, image));
  // Both layouts have it now: the second run finds nothing to do in either direction.
  assert.deepEqual(outcomes(await ends(waybill('migrate', '--json', image))), [
    'attestation present',
    'bundle present',
  ]);
});

test('the attestation cosign attached as a bundle is found under a tag afterwards', async () => {
  const image = await pushImage(registryHost, 'peers/migrate', 'new');
  await ends(cosign('attest', '--yes', ...(await token()), ...trusted, ...via1, ...said, image));
  assert.deepEqual(outcomes(await ends(waybill('migrate', '--json', image))), ['bundle migrated']);
  await ends(cosign('verify-attestation', old, ...trusted, ...who, ...type, image));
});

test('our own attestations go both ways too, by certificate and by key', async () => {
  await ends(waybill('generate-key-pair', '--output-key-prefix', join(home, 'k')));
  const signers = [
    { by: token, check: who, key: [] as string[] },
    {
      by: async () => ['--key', join(home, 'k.key')],
      check: ['--key', join(home, 'k.pub')],
      key: ['--key', join(home, 'k.pub')],
    },
  ];
  for (const { by, check, key } of signers) {
    for (const format of ['legacy', 'bundle']) {
      const image = await pushImage(registryHost, 'peers/migrate', `${format} ${key.join()}`);
      await ends(waybill('attest', ...(await by()), '--format', format, ...said, image));
      await ends(waybill('migrate', ...key, image));
      await ends(cosign('verify-attestation', ...trusted, ...check, ...type, image));
      await ends(cosign('verify-attestation', old, ...trusted, ...check, ...type, image));
    }
  }
});

test('signatures stay where they are, and the reason is told', async () => {
  const image = await pushImage(registryHost, 'peers/migrate', 'signed');
  await ends(waybill('sign', ...(await token()), '--format', 'legacy', image));
  const ran = await ends(waybill('migrate', image), 2);
  assert.match(ran.stdout, /WB-952.*waybill sign --format bundle/);
});
