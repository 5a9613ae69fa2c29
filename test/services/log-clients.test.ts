/** The log and the packages of sigstore-js: what they submit is logged, what the log answers they verify. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Bundle, bundleFromJSON, bundleToJSON } from '@sigstore/bundle';
import { DSSEBundleBuilder, MessageSignatureBundleBuilder, RekorWitness, type Signer } from '@sigstore/sign';
import { toSignedEntity, toTrustMaterial, VerificationError, Verifier } from '@sigstore/verify';
import { utf8 } from '#base/bytes';
import { INTOTO_PAYLOAD_TYPE } from '#formats/dsse';
import type { LogApi } from '#services/log';
import {
  authority,
  type CertifiedSigner,
  certified,
  HOSTNAME,
  type RunningLog,
  withLog,
} from './log-fixture.ts';

type TrustedRoot = Parameters<typeof toTrustMaterial>[0];

const KEY_DETAILS = { v1: 5, v2: 7 } as const;

function verifierFor(log: RunningLog, made: CertifiedSigner): Verifier {
  const { service } = log;
  const root = {
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: [
      {
        baseUrl: `https://${HOSTNAME}`,
        hashAlgorithm: 1,
        publicKey: { rawBytes: Buffer.from(service.publicKey.spki), keyDetails: KEY_DETAILS[service.api] },
        logId: { keyId: Buffer.from(service.logId) },
        operator: '',
      },
    ],
    certificateAuthorities: [
      {
        uri: '',
        operator: '',
        subject: { organization: 'test', commonName: 'test root' },
        certChain: { certificates: [{ rawBytes: Buffer.from(authority.certificate.der) }] },
      },
    ],
    ctlogs: [],
    timestampAuthorities: [],
  } as unknown as TrustedRoot;
  const timestampThreshold = service.api === 'v1' ? 1 : 0;
  const trust = toTrustMaterial(root, () => ({ publicKey: made.key.publicKey.handle, validFor: () => true }));
  return new Verifier(trust, { ctlogThreshold: 0, tlogThreshold: 1, timestampThreshold });
}

const signerOf = (made: CertifiedSigner): Signer => ({
  sign: async (data) => ({
    signature: Buffer.from(made.key.sign(data)),
    key: { $case: 'x509Certificate', certificate: made.certificatePem },
  }),
});

const statement = JSON.stringify({
  _type: 'https://in-toto.io/Statement/v1',
  subject: [{ name: 'x', digest: { sha256: 'ab'.repeat(32) } }],
  predicateType: 'https://example.com/p',
  predicate: {},
});

type Form = 'message' | 'dsse' | 'intoto';

async function signed(
  log: RunningLog,
  form: 'message' | 'dsse' | 'intoto',
  made = certified(),
): Promise<Bundle> {
  const witness = new RekorWitness({
    rekorBaseURL: log.url,
    majorApiVersion: log.service.api === 'v1' ? 1 : 2,
    ...(form === 'message' ? {} : { entryType: form }),
  });
  const options = { signer: signerOf(made), witnesses: [witness] };
  const artifact = {
    data: Buffer.from(form === 'message' ? 'an artifact' : statement),
    type: INTOTO_PAYLOAD_TYPE,
  };
  const builder =
    form === 'message' ? new MessageSignatureBundleBuilder(options) : new DSSEBundleBuilder(options);
  return builder.create(artifact);
}

function verify(log: RunningLog, bundle: Bundle, made: CertifiedSigner): void {
  const entity = toSignedEntity(bundle, Buffer.from('an artifact'));
  // Version 2 gives no time a certificate could be judged at; there the entry is verified for the bare key.
  const key = log.service.api === 'v1' ? entity.key : ({ $case: 'public-key', hint: 'key' } as const);
  verifierFor(log, made).verify({ ...entity, key });
}

const kinds: Readonly<Record<LogApi, Readonly<Record<string, string>>>> = {
  v1: { message: 'hashedrekord 0.0.1', dsse: 'dsse 0.0.1', intoto: 'intoto 0.0.2' },
  v2: { message: 'hashedrekord 0.0.2', dsse: 'hashedrekord 0.0.2' },
};

for (const api of ['v1', 'v2'] as const) {
  for (const [form, kind] of Object.entries(kinds[api])) {
    test(`${api}: sigstore-js submits ${form} entries and verifies the ${kind} it gets back`, async () => {
      await withLog(api, async (log) => {
        for (let i = 0; i < 4; i++) {
          const made = certified();
          const bundle = await signed(log, form as Form, made);
          const [entry] = bundle.verificationMaterial.tlogEntries;
          assert.equal(`${entry?.kindVersion?.kind} ${entry?.kindVersion?.version}`, kind);
          assert.equal(entry?.logIndex, String(i));
          verify(log, bundle, made);
        }
      });
    });
  }

  test(`${api}: sigstore-js refuses an entry of the log whose proof or checkpoint was touched`, async () => {
    await withLog(api, async (log) => {
      const made = certified();
      await signed(log, 'message', made);
      const bundle = bundleToJSON(await signed(log, 'message', made)) as unknown as SerializedBundle;
      verify(log, bundleFromJSON(bundle), made);
      const touched = structuredClone(bundle);
      const proof = touched.verificationMaterial.tlogEntries[0]?.inclusionProof;
      assert.ok(proof);
      proof.hashes[0] = Buffer.from(utf8('x'.repeat(32))).toString('base64');
      assert.throws(() => verify(log, bundleFromJSON(touched), made), VerificationError);
      const other = structuredClone(bundle);
      const checkpoint = other.verificationMaterial.tlogEntries[0]?.inclusionProof.checkpoint;
      assert.ok(checkpoint);
      checkpoint.envelope = checkpoint.envelope.replace('\n2\n', '\n3\n');
      assert.throws(() => verify(log, bundleFromJSON(other), made), VerificationError);
    });
  });
}

interface SerializedBundle {
  readonly verificationMaterial: {
    readonly tlogEntries: {
      readonly inclusionProof: { hashes: string[]; checkpoint: { envelope: string } };
    }[];
  };
}

test('v1: sigstore-js takes the entry that is there when it submits the same twice', async () => {
  await withLog('v1', async (log) => {
    const made = certified();
    // One signature for both: ECDSA would make another each time.
    const signature = Buffer.from(made.key.sign(utf8('an artifact')));
    const signer: Signer = {
      sign: async () => ({ signature, key: { $case: 'x509Certificate', certificate: made.certificatePem } }),
    };
    const witness = new RekorWitness({ rekorBaseURL: log.url });
    const builder = new MessageSignatureBundleBuilder({ signer, witnesses: [witness] });
    const first = await builder.create({ data: Buffer.from('an artifact') });
    const second = await builder.create({ data: Buffer.from('an artifact') });
    verify(log, first, made);
    verify(log, second, made);
    assert.equal(log.service.log.tree.size, 1);
  });
});
