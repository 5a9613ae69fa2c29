/**
 * The npm packages of Sigstore against a stack that `waybill stack up` started, told nothing but the variables the
 * stack prints: trust and addresses come from its TUF repository.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { parseEnv } from 'node:util';
import { bundleFromJSON, bundleToJSON } from '@sigstore/bundle';
import { HashAlgorithm } from '@sigstore/protobuf-specs';
import {
  DSSEBundleBuilder,
  FulcioSigner,
  MessageSignatureBundleBuilder,
  RekorWitness,
  TSAWitness,
} from '@sigstore/sign';
import { getTrustedRoot, initTUF } from '@sigstore/tuf';
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify';
import { toHex, utf8 } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { INTOTO_PAYLOAD_TYPE } from '#formats/dsse';
import { pemEncode } from '#formats/pem';
import { serve } from '../../demo/tools.ts';
import { ada, statement } from '../stack/helper.ts';
import { requirePeer } from './cache.ts';
import { passes, type Ran, runProgram } from './stack-image.ts';

requirePeer('sigstore-js');
const home = await mkdtemp(join(tmpdir(), 'waybill-sigstore-js-'));
const at = (name: string): string => join(home, name);
const up = ['stack', 'up', '--data', at('stack'), '--port-base', '0', '--log-level', 'error'];
const running = await serve(up, 'stack', { cwd: home, env: { WAYBILL_STATE_DIR: at('state') } });
after(async () => {
  await running.stop();
  await rm(home, { recursive: true, force: true });
});

const printed = (await readFile(at('stack/public/env'), 'utf8')).replaceAll(/^export /gm, '');
const {
  TUF_MIRROR: mirrorURL = '',
  TUF_ROOT_JSON: rootPath = '',
  WAYBILL_OIDC_ISSUER: issuer = '',
} = parseEnv(printed) as Record<string, string>;
const tuf = { mirrorURL, rootPath, cachePath: at('tuf') };
const trust = toTrustMaterial(await getTrustedRoot(tuf));

interface Service {
  readonly url: string;
  readonly majorApiVersion: number;
}
/** What signers are told by the same repository. */
async function services(version: 1 | 2): Promise<{ ca: string; log: string; tsa: string }> {
  const name = version === 1 ? 'signing_config.v0.2.json' : 'signing_config_rekor_v2.v0.2.json';
  const path = await (await initTUF(tuf)).getTarget(name);
  const config = JSON.parse(path) as Record<'caUrls' | 'rekorTlogUrls' | 'tsaUrls', readonly Service[]>;
  const first = (list: readonly Service[]): string => list[0]?.url ?? assert.fail(`nothing in ${name}`);
  return {
    ca: first(config.caUrls),
    log: first(config.rekorTlogUrls.filter((one) => one.majorApiVersion === version)),
    // The whole address is in the configuration; the package adds the path itself.
    tsa: first(config.tsaUrls).replace(/\/api\/v1\/timestamp$/, ''),
  };
}

const waybill = (...args: string[]): Promise<Ran> =>
  runProgram(resolve('bin/waybill'), args, { HOME: home, WAYBILL_STACK: at('stack') });
const who = ['--certificate-identity', ada, '--certificate-oidc-issuer', issuer];
async function token(): Promise<string> {
  const ran = await passes(waybill('stack', 'token', '--email', ada));
  return ran.stdout.trim();
}

async function witness(version: 1 | 2): Promise<RekorWitness> {
  const { log: rekorBaseURL } = await services(version);
  const entry = { majorApiVersion: version, entryType: 'dsse' as const, timeout: 25_000 };
  return new RekorWitness({ rekorBaseURL, ...entry });
}

async function builderOptions(version: 1 | 2, getToken = token) {
  const { ca, tsa } = await services(version);
  return {
    signer: new FulcioSigner({ fulcioBaseURL: ca, identityProvider: { getToken } }),
    witnesses: [await witness(version), new TSAWitness({ tsaBaseURL: tsa })],
  };
}

const read = (path: string) => bundleFromJSON(JSON.parse(readFileSync(path, 'utf8')));

function theyVerify(bundle: string, content: string, san = ada): void {
  const verifier = new Verifier(trust, { tlogThreshold: 1, ctlogThreshold: 1, timestampThreshold: 1 });
  const policy = { subjectAlternativeName: san, extensions: { issuer } };
  verifier.verify(toSignedEntity(read(bundle), Buffer.from(content)), policy);
}

const content = 'an artifact';
await writeFile(at('artifact'), content);
await writeFile(at('other'), 'another artifact');
await writeFile(at('predicate.json'), '{"checked":true}');
const type = ['--type', 'https://example.com/predicate/v1'];
const said = statement(toHex(sha256(utf8(content))));

for (const version of [1, 2] as const) {
  const config = version === 1 ? 'signing_config.v0.2.json' : 'signing_config_rekor_v2.v0.2.json';
  const chosen = ['--signing-config', at(`stack/public/${config}`)];

  test(`sigstore-js signs a file by the log with API v${version}, trusting by TUF alone, and we verify it`, async () => {
    const builder = new MessageSignatureBundleBuilder(await builderOptions(version));
    const bundle = at(`theirs-${version}`);
    const made = await builder.create({ data: Buffer.from(content) });
    await writeFile(bundle, JSON.stringify(bundleToJSON(made)));
    await passes(waybill('verify-blob', ...who, '--bundle', bundle, at('artifact')));
    theyVerify(bundle, content);
    const wrong = await waybill('verify-blob', ...who, '--bundle', bundle, at('other'));
    assert.equal(wrong.code, 12, wrong.stderr);
  });

  test(`sigstore-js verifies a file we signed by the log with API v${version}, and nothing else`, async () => {
    const bundle = at(`ours-${version}`);
    const words = ['--identity-token', await token(), ...chosen, '--bundle', bundle];
    await passes(waybill('sign-blob', ...words, at('artifact')));
    theyVerify(bundle, content);
    assert.throws(() => theyVerify(bundle, 'another artifact'), /signature verification failed|digest/);
    assert.throws(() => theyVerify(bundle, content, 'eve@example.com'), /certificate identity error/);
  });

  test(`statements by the log with API v${version}: sigstore-js attests and we verify, we attest and it verifies`, async () => {
    const [theirs, ours] = [at(`stated-theirs-${version}`), at(`stated-ours-${version}`)];
    const builder = new DSSEBundleBuilder(await builderOptions(version));
    const payload = said.kind === 'dsse' ? said.payload : assert.fail();
    const made = await builder.create({ data: Buffer.from(payload), type: INTOTO_PAYLOAD_TYPE });
    await writeFile(theirs, JSON.stringify(bundleToJSON(made)));
    const verify = ['verify-blob-attestation', ...who, ...type, '--bundle'];
    await passes(waybill(...verify, theirs, at('artifact')));
    const wrong = await waybill(...verify, theirs, at('other'));
    assert.equal(wrong.code, 12, wrong.stderr);
    const about = [...type, '--predicate', at('predicate.json'), ...chosen, '--bundle', ours];
    await passes(waybill('attest-blob', '--identity-token', await token(), ...about, at('artifact')));
    theyVerify(ours, content);
  });
}

/** The innermost message: the package wraps what a service answered. */
async function refusal(attempt: Promise<unknown>): Promise<string> {
  const error = await attempt.then(
    () => assert.fail('taken'),
    (reason: unknown) => reason as Error,
  );
  return error.cause instanceof Error ? error.cause.message : error.message;
}

test('sigstore-js is told by our services what they refuse', async () => {
  const asEve = async (): Promise<string> => {
    const [head, , signature] = (await token()).split('.');
    const claims = {
      iss: issuer,
      aud: 'sigstore',
      sub: 'eve',
      email: 'eve@example.com',
      email_verified: true,
    };
    return [head, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.');
  };
  const forged = new MessageSignatureBundleBuilder(await builderOptions(1, asEve));
  const said = await refusal(forged.create({ data: Buffer.from(content) }));
  assert.match(said, /\(40[01]\) There was an error processing the identity token.*WB-10\d\d/);
  // A signature that is good, over another digest than the one beside it.
  const { content: signed, verificationMaterial } = read(at('theirs-1'));
  if (signed.$case !== 'messageSignature' || verificationMaterial.content.$case !== 'x509CertificateChain')
    assert.fail('another bundle');
  const { signature } = signed.messageSignature;
  const digest = Buffer.from(sha256(utf8('another artifact')));
  const messageDigest = { algorithm: HashAlgorithm.SHA2_256, digest };
  const changed = { $case: 'messageSignature' as const, messageSignature: { signature, messageDigest } };
  const [certificate] = verificationMaterial.content.x509CertificateChain.certificates;
  const pem = pemEncode('CERTIFICATE', certificate?.rawBytes ?? assert.fail());
  for (const version of [1, 2] as const) {
    const words = await refusal((await witness(version)).testify(changed, pem));
    assert.match(words, /\(400\) .*WB-1030/);
  }
});
