/** The npm packages of Sigstore as independent client: they verify what we sign and sign what we verify. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { bundleFromJSON, bundleToJSON } from '@sigstore/bundle';
import {
  DSSEBundleBuilder,
  FulcioSigner,
  MessageSignatureBundleBuilder,
  RekorWitness,
  TSAWitness,
} from '@sigstore/sign';
import { getTrustedRoot } from '@sigstore/tuf';
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify';
import { toHex, utf8, utf8Text } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import { INTOTO_PAYLOAD_TYPE } from '#formats/dsse';
import { systemClock } from '#platform/system';
import { identity, requireKeyless, trustMaterial, verifyBundle } from '#verify';
import { ada, personSigner, startStack, statement, temporaryFolder, trustedRootOf } from './helper.ts';

const stack = await startStack();
const artifact = utf8('an artifact');
const hex = toHex(sha256(artifact));

/** Their trust comes from our TUF repository, by their client. */
const trust = toTrustMaterial(
  await getTrustedRoot({
    mirrorURL: stack.origins.tuf,
    rootPath: join(stack.dataDir, 'public', 'root.json'),
    cachePath: await temporaryFolder(),
  }),
);

function theyVerify(bundle: Uint8Array, san = ada): void {
  const parsed = bundleFromJSON(JSON.parse(utf8Text(bundle)));
  const verifier = new Verifier(trust, { tlogThreshold: 1, ctlogThreshold: 1, timestampThreshold: 1 });
  const policy = { subjectAlternativeName: san, extensions: { issuer: stack.origins.oidc } };
  verifier.verify(toSignedEntity(parsed, Buffer.from(artifact)), policy);
}

for (const version of [1, 2] as const) {
  test(`@sigstore/verify accepts our statement logged with API v${version}, and refuses another signer`, async () => {
    const { bundle } = await (await personSigner(stack, version)).sign(statement(hex));
    theyVerify(bundle);
    assert.throws(() => theyVerify(bundle, 'eve@example.com'), /certificate identity error/);
  });

  test(`@sigstore/verify accepts our message signature logged with API v${version}`, async () => {
    const { bundle } = await (await personSigner(stack, version)).sign({ kind: 'message', bytes: artifact });
    theyVerify(bundle);
  });

  test(`we accept the statement @sigstore/sign makes with our services and log API v${version}`, async () => {
    const builder = new DSSEBundleBuilder(options(version));
    const content = statement(hex);
    const payload = content.kind === 'dsse' ? content.payload : assert.fail();
    const made = await builder.create({ data: Buffer.from(payload), type: INTOTO_PAYLOAD_TYPE });
    weVerify(bundleToJSON(made));
  });

  test(`we accept the message signature @sigstore/sign makes with log API v${version}`, async () => {
    const made = await new MessageSignatureBundleBuilder(options(version)).create({
      data: Buffer.from(artifact),
    });
    weVerify(bundleToJSON(made));
  });
}

function options(majorApiVersion: 1 | 2) {
  const token = async (): Promise<string> => (await stack.mint({ sub: ada, email: ada })).reveal();
  const { ca, log, log2, tsa } = stack.origins;
  return {
    signer: new FulcioSigner({ fulcioBaseURL: ca, identityProvider: { getToken: token }, timeout: 60_000 }),
    witnesses: [
      new RekorWitness({
        rekorBaseURL: majorApiVersion === 1 ? log : log2,
        majorApiVersion,
        entryType: 'dsse' as const,
        timeout: 60_000,
      }),
      new TSAWitness({ tsaBaseURL: tsa, timeout: 60_000 }),
    ],
  };
}

function weVerify(json: unknown): void {
  const who = unwrap(identity({ issuer: stack.origins.oidc, san: ada }));
  const verdict = verifyBundle({
    artifact,
    bundle: unwrap(parseBundle(JSON.stringify(json))),
    trustedRoot: trustMaterial(trustedRootOf(stack)),
    requirements: unwrap(requireKeyless({ identities: [who] })),
    now: systemClock.now(),
  });
  assert.equal(verdict.outcome, 'accepted', JSON.stringify(verdict, undefined, 1).slice(0, 800));
}
