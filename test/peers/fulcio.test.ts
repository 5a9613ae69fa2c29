/**
 * Our client against the real servers (Fulcio, Rekor v2, the timestamp server), and each of our services in the place
 * of one of theirs: in every mixture waybill signs and cosign verifies, cosign signs and waybill verifies.
 */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { ada, startStack, temporaryFolder } from '../stack/helper.ts';
import { requirePeer } from './cache.ts';
import { startRealServices } from './real-services.ts';
import { passes, pushImage, type Ran, runProgram } from './stack-image.ts';

const cosignBinary = requirePeer('cosign');
const home = await temporaryFolder();
const stack = await startStack();
const real = await startRealServices(home, stack.origins.oidc);
after(() => real.close());

const at = (name: string): string => join(home, name);
const env = { HOME: home };
const cosign = (...args: string[]): Promise<Ran> => runProgram(cosignBinary, args, env);
const waybill = (...args: string[]): Promise<Ran> => runProgram(resolve('bin/waybill'), args, env);
const who = ['--certificate-identity', ada, '--certificate-oidc-issuer', stack.origins.oidc];
const token = async (): Promise<string[]> => [
  '--identity-token',
  (await stack.mint({ sub: ada, email: ada })).reveal(),
];

const from = 'start-time=2024-01-01T00:00:00Z';

/** One root that trusts both families, so that any mixture verifies; its foreign half is written by our command. */
async function writeTrust(): Promise<string> {
  const { files } = real;
  await passes(
    waybill(
      ...['cosign', 'trusted-root', 'create', '--out', at('foreign.json')],
      ...['--fulcio', `url=${real.ca},certificate-chain=${files.ca}`],
      ...['--ctfe', `url=${real.ct},public-key=${files.ct},${from}`],
      ...['--rekor', `url=${real.log},public-key=${files.log},${from},origin=${real.origin}`],
      ...['--tsa', `url=${real.tsa},certificate-chain=${files.tsa}`],
    ),
  );
  const read = async (path: string) => JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown[]>;
  const ours = await read(join(stack.dataDir, 'public', 'trusted_root.json'));
  const theirs = await read(at('foreign.json'));
  const lists = ['tlogs', 'ctlogs', 'certificateAuthorities', 'timestampAuthorities'];
  const both = lists.map((name) => [name, [...(ours[name] ?? []), ...(theirs[name] ?? [])]]);
  await writeFile(at('root.json'), JSON.stringify({ ...ours, ...Object.fromEntries(both) }));
  return at('root.json');
}

const trusted = ['--trusted-root', await writeTrust()];

type Side = 'ours' | 'theirs';
interface Mixture {
  readonly ca: Side;
  readonly log: Side;
  readonly tsa: Side;
}

async function configFor({ ca, log, tsa }: Mixture): Promise<string[]> {
  const { origins } = stack;
  const service = (url: string, version: number): string =>
    `url=${url},api-version=${version},${from},operator=local`;
  const out = at(`config-${ca}-${log}-${tsa}.json`);
  await passes(
    waybill(
      ...['cosign', 'signing-config', 'create', '--out', out, '--rekor-config', 'ANY', '--tsa-config', 'ANY'],
      ...['--fulcio', service(ca === 'ours' ? origins.ca : real.ca, 1)],
      ...['--rekor', service(log === 'ours' ? origins.log2 : real.log, 2)],
      ...['--tsa', service(tsa === 'ours' ? `${origins.tsa}/api/v1/timestamp` : real.tsa, 1)],
    ),
  );
  return ['--signing-config', out];
}

const sides: readonly Side[] = ['theirs', 'ours'];
const mixtures = sides.flatMap((ca) =>
  sides.flatMap((log) => sides.map((tsa): Mixture => ({ ca, log, tsa }))),
);

for (const mixture of mixtures) {
  const name = `CA ${mixture.ca}, log ${mixture.log}, timestamps ${mixture.tsa}`;
  test(`${name}: both clients sign, both verify what the other signed`, async () => {
    const config = await configFor(mixture);
    const file = at(name.replaceAll(/[, ]+/g, '-'));
    await writeFile(file, name);
    const ours = ['--bundle', `${file}.ours`];
    const theirs = ['--bundle', `${file}.theirs`];
    await passes(waybill('sign-blob', ...(await token()), ...config, ...trusted, ...ours, file));
    await passes(cosign('sign-blob', '--yes', ...(await token()), ...config, ...trusted, ...theirs, file));
    for (const bundle of [ours, theirs]) {
      await passes(cosign('verify-blob', ...trusted, ...who, '--use-signed-timestamps', ...bundle, file));
      await passes(waybill('verify-blob', ...trusted, ...who, ...bundle, file));
    }
    await writeFile(`${file}.other`, 'something else');
    const wrong = await waybill('verify-blob', ...trusted, ...who, ...ours, `${file}.other`);
    assert.equal(wrong.code, 12, wrong.stderr);
  });
}

test('images and attestations by the real servers alone', async () => {
  const config = await configFor({ ca: 'theirs', log: 'theirs', tsa: 'theirs' });
  const predicate = at('predicate.json');
  await writeFile(predicate, '{"checked":true}');
  const said = ['--type', 'https://example.com/predicate/v1', '--predicate', predicate];
  const type = said.slice(0, 2);
  for (const [signer, yes] of [
    [waybill, []],
    [cosign, ['--yes']],
  ] as const) {
    const image = await pushImage(stack.registryHost, 'acme/real', signer === waybill ? 'ours' : 'theirs');
    await passes(signer('sign', ...yes, ...(await token()), ...config, ...trusted, image));
    await passes(signer('attest', ...yes, ...(await token()), ...config, ...trusted, ...said, image));
    for (const verifier of [waybill, cosign]) {
      await passes(verifier('verify', ...trusted, ...who, image));
      await passes(verifier('verify-attestation', ...trusted, ...who, ...type, image));
    }
  }
});

test('what the real authority refuses is told with its own words', async () => {
  const config = await configFor({ ca: 'theirs', log: 'theirs', tsa: 'theirs' });
  const claims = { email_verified: false };
  const unverified = (await stack.mint({ sub: ada, email: ada, claims })).reveal();
  const file = at('refused');
  await writeFile(file, 'refused');
  const ran = await waybill('sign-blob', '--identity-token', unverified, ...config, ...trusted, file);
  assert.equal(ran.code, 31, ran.stderr);
  assert.match(ran.stderr, /email_verified|identity token/i);
  assert.equal(ran.stderr.includes(unverified.slice(0, 40)), false, 'the token stays secret');
});
