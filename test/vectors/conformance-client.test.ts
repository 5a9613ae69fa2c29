/** `bin/waybill-conformance` as the suite runs it: verdicts by exit code, bundles it writes, words it refuses. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { sha256 } from '#base/crypto';
import { unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import { identity, requireKeyless, trustMaterial, verifyBundle } from '#verify';
import { ada, startStack, temporaryFolder, trustedRootOf, wire } from '../stack/helper.ts';
import { conformanceClient, judged, verifyWords } from './conformance-client.ts';
import { readCases, vectorsFolder } from './sigstore-cases.ts';

const home = await temporaryFolder();

/** One of each group; `npm run conformance -- client` runs all of them. */
const sample = [
  'happy-path-v0.3',
  'happy-path-intoto-in-dsse-v3',
  'managed-key-happy-path',
  'rekor2-happy-path',
  'bundle-malformed-json_fail',
  'managed-key-wrong-key_fail',
  'wrong-material_fail',
  'trust-root-tlog-missing-validity-start_fail',
];

const folder = vectorsFolder();
if (folder === undefined) {
  console.log('note: the conformance client did not judge the vectors: no shared data');
} else {
  const cases = readCases(folder);
  for (const name of sample) {
    test(`the client judges ${name} by path and by digest as published`, async () => {
      const item = cases.find((candidate) => candidate.name === name);
      assert.ok(item !== undefined, `no case ${name}`);
      for (const by of ['path', 'digest'] as const) {
        const { code, stderr } = await conformanceClient(verifyWords(folder, item, by), home);
        if (item.expect === 'accept') assert.equal(code, 0, stderr);
        else assert.equal(judged({ code, stderr }), 'reject', `exit ${code}: ${stderr}`);
      }
    });
  }
}

for (const logVersion of [1, 2] as const) {
  test(`the client signs a file and a statement with our stack, log version ${logVersion}`, async () => {
    const stack = await startStack();
    const artifact = join(home, `artifact-${logVersion}`);
    await writeFile(artifact, `artifact ${logVersion}`);
    const digest = Buffer.from(sha256(await readFile(artifact))).toString('hex');
    const statement = join(home, `statement-${logVersion}`);
    const subject = [{ name: 'artifact', digest: { sha256: digest } }];
    const type = { _type: 'https://in-toto.io/Statement/v1', predicateType: 'https://example.com/p/v1' };
    await writeFile(statement, JSON.stringify({ ...type, subject, predicate: {} }));
    const config = logVersion === 1 ? 'signing_config.v0.2.json' : 'signing_config_rekor_v2.v0.2.json';
    const published = (name: string): string => join(stack.dataDir, 'public', name);
    for (const words of [[artifact], ['--in-toto', statement]]) {
      const bundle = join(home, `bundle-${logVersion}-${words.length}`);
      const token = (await stack.mint({ sub: ada, email: ada })).reveal();
      const options = ['--identity-token', token, '--bundle', bundle];
      const services = [
        '--trusted-root',
        published('trusted_root.json'),
        '--signing-config',
        published(config),
      ];
      const last = words.slice(-1);
      const signed = await conformanceClient(
        ['sign-bundle', ...words.slice(0, -1), ...options, ...services, ...last],
        home,
      );
      assert.equal(signed.code, 0, signed.stderr);
      const parsed = unwrap(parseBundle(await readFile(bundle)));
      assert.equal(parsed.version, '0.3');
      assert.equal(parsed.content.kind, words.length === 1 ? 'message' : 'dsse');
      assert.ok(parsed.material.kind === 'certificate' && !parsed.material.certificate.isCa);
      const who = unwrap(identity({ issuer: stack.origins.oidc, san: ada }));
      const verdict = verifyBundle({
        artifact: await readFile(artifact),
        bundle: parsed,
        trustedRoot: trustMaterial(trustedRootOf(stack)),
        requirements: unwrap(requireKeyless({ identities: [who] })),
        now: wire.clock.now(),
      });
      assert.equal(verdict.outcome, 'accepted');
      const words2 = ['--certificate-identity', ada, '--certificate-oidc-issuer', stack.origins.oidc];
      const trusted = ['--trusted-root', published('trusted_root.json')];
      const checked = await conformanceClient(
        ['verify-bundle', '--bundle', bundle, ...words2, ...trusted, `sha256:${digest}`],
        home,
      );
      assert.equal(checked.code, 0, checked.stderr);
    }
  });
}

const misused: readonly (readonly [string, readonly string[]])[] = [
  ['no command', []],
  ['a command of another protocol', ['refresh']],
  ['an option the protocol does not have', ['verify-bundle', '--offline', 'file']],
  ['an option twice', ['verify-bundle', '--bundle', 'a', '--bundle', 'b', 'file']],
  ['an option without a value', ['verify-bundle', 'file', '--bundle']],
  ['no file', ['verify-bundle', '--bundle', 'a']],
  ['two files', ['sign-bundle', 'a', 'b']],
];
for (const [name, words] of misused) {
  test(`the client refuses ${name} as usage (WB-1301)`, async () => {
    const { code, stderr } = await conformanceClient(words, home);
    assert.equal(code, 3, stderr);
    assert.match(stderr, /WB-1301/);
  });
}
