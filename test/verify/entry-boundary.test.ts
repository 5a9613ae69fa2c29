/** An entry differs from the signature in one part only: each part alone has to be noticed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '#base/bytes';
import { generateKey, sha256 } from '#base/crypto';
import { digestOf } from '#base/digest';
import { unwrap } from '#base/result';
import { type Envelope, envelopeJson } from '#formats/dsse';
import { canonicalJson } from '#formats/json';
import { dsseV1Body, hashedRekordV1Body, intotoV1Body } from '#formats/rekor';
import { identity, requireKeyless, type SignedEntity, type Verdict, verifyEntity } from '#verify';
import { EPOCH, ISSUER, type Sample, SUBJECT, verifierPem } from '../double/virtual-stack.ts';
import { codeOf, stack } from './attack.ts';

const trustedRoot = stack.trust();
const requirements = unwrap(
  requireKeyless({ identities: [unwrap(identity({ issuer: ISSUER, san: SUBJECT }))] }),
);
const hashOf = (bytes: Uint8Array) => ({ algorithm: 'sha256', value: sha256(bytes) }) as const;
const other = utf8('another payload');

interface Signed {
  readonly sample: Sample;
  readonly envelope: Envelope;
  readonly stored: Uint8Array;
  readonly recorded: { readonly signature: Uint8Array; readonly verifier: string };
}

function statement(): Signed {
  const sample = stack.sign({ statement: 'cosign' });
  const { content } = sample.parts;
  assert.ok(content.kind === 'dsse');
  const { envelope } = content;
  const recorded = { signature: sample.signature, verifier: verifierPem(sample) };
  return { sample, envelope, stored: utf8(envelopeJson(envelope)), recorded };
}

interface Entry {
  readonly kind: string;
  readonly version: string;
  readonly body: Uint8Array;
}

/** The verdict when this is what a log recorded; `stored`: the envelope's own text is at hand, as in a layer. */
function judged({ sample, envelope }: Signed, { kind, version, body }: Entry, stored?: Uint8Array): Verdict {
  const { certificate } = sample;
  assert.ok(certificate !== undefined);
  const entity: SignedEntity = {
    material: { kind: 'certificate', certificate },
    entries: [stack.rekorV1.append(kind, version, body, EPOCH)],
    timestamps: [],
    signature: sample.signature,
    content: { kind: 'dsse', envelope },
    ...(stored === undefined ? {} : { envelopeBytes: stored }),
  };
  return verifyEntity({ artifact: sample.artifact, trustedRoot, requirements, now: EPOCH, entity });
}

type Body = Parameters<typeof dsseV1Body>[0];

const bodyOf = (signed: Signed, changes: Partial<Body> = {}): Body => ({
  envelopeHash: hashOf(signed.stored),
  payloadHash: hashOf(signed.envelope.payload),
  signatures: [signed.recorded],
  ...changes,
});
const writers: Readonly<Record<string, (signed: Signed, changes?: Partial<Body>) => Entry>> = {
  dsse: (signed, changes) => ({ kind: 'dsse', version: '0.0.1', body: dsseV1Body(bodyOf(signed, changes)) }),
  intoto: (signed, changes) => ({
    kind: 'intoto',
    version: '0.0.2',
    body: intotoV1Body({ ...bodyOf(signed, changes), payloadType: signed.envelope.payloadType }),
  }),
};

for (const [kind, write] of Object.entries(writers)) {
  test(`${kind}: an entry about the very envelope is accepted, its text at hand or not`, () => {
    const signed = statement();
    assert.equal(codeOf(judged(signed, write(signed))), 'accepted');
    assert.equal(codeOf(judged(signed, write(signed), signed.stored)), 'accepted');
  });

  test(`${kind}: another payload under the same signature is noticed (WB-310)`, () => {
    const signed = statement();
    assert.equal(codeOf(judged(signed, write(signed, { payloadHash: hashOf(other) }))), 'WB-310');
  });

  test(`${kind}: another envelope is noticed where its text is at hand (WB-310)`, () => {
    const signed = statement();
    const changed = write(signed, { envelopeHash: hashOf(other) });
    assert.equal(codeOf(judged(signed, changed, signed.stored)), 'WB-310');
    assert.equal(
      codeOf(judged(signed, changed)),
      'accepted',
      'a bundle does not hold the text that was logged',
    );
  });

  test(`${kind}: another signature, another signer, one too many are noticed (WB-310)`, () => {
    const signed = statement();
    const stranger = stack.sign({ statement: 'cosign' });
    const { recorded } = signed;
    const signature = { ...recorded, signature: stranger.signature };
    const verifier = { ...recorded, verifier: verifierPem(stranger) };
    for (const signatures of [[], [signature], [verifier], [recorded, recorded], [recorded, signature]]) {
      assert.equal(codeOf(judged(signed, write(signed, { signatures }))), 'WB-310');
    }
  });

  test(`${kind}: a verifier that is the bare key of the certificate is noticed (WB-310)`, () => {
    const signed = statement();
    const { key } = signed.sample;
    const verifier = verifierPem({ key, certificate: undefined });
    const changed = write(signed, { signatures: [{ ...signed.recorded, verifier }] });
    assert.equal(codeOf(judged(signed, changed)), 'WB-310');
  });

  test(`${kind}: an entry about an envelope is none about a plain signature (WB-311)`, () => {
    const signed = statement();
    const { kind: name, version, body } = write(signed);
    const message = stack.sign({
      alter: () => ({ entries: [stack.rekorV1.append(name, version, body, EPOCH)] }),
    });
    assert.equal(codeOf(stack.verify(message.bytes, message.artifact)), 'WB-311');
  });
}

test('intoto 0.0.2 without the hash of the payload binds nothing (WB-310)', () => {
  const signed = statement();
  const { kind, version, body } = (writers['intoto'] as (one: Signed) => Entry)(signed);
  const document = JSON.parse(Buffer.from(body).toString()) as {
    spec: { content: { payloadHash?: unknown } };
  };
  delete document.spec.content.payloadHash;
  const changed = utf8(canonicalJson(document as never));
  assert.equal(codeOf(judged(signed, { kind, version, body: changed })), 'WB-310');
});

/** intoto 0.0.1 records the hash of the envelope and who verifies it, no signature. */
function oldEntry({ stored, recorded }: Signed, envelope = stored, verifier = recorded.verifier): Entry {
  const hash = { algorithm: 'sha256', value: Buffer.from(sha256(envelope)).toString('hex') };
  const publicKey = Buffer.from(verifier).toString('base64');
  const spec = { content: { hash }, publicKey };
  return {
    kind: 'intoto',
    version: '0.0.1',
    body: utf8(canonicalJson({ apiVersion: '0.0.1', kind: 'intoto', spec })),
  };
}

test('intoto 0.0.1 counts only beside the text of the envelope it names, by the signer it names', () => {
  const signed = statement();
  assert.equal(codeOf(judged(signed, oldEntry(signed), signed.stored)), 'accepted');
  assert.equal(codeOf(judged(signed, oldEntry(signed))), 'WB-311', 'without the text nothing binds it');
  assert.equal(codeOf(judged(signed, oldEntry(signed, other), signed.stored)), 'WB-310');
  const stranger = verifierPem(stack.sign());
  assert.equal(codeOf(judged(signed, oldEntry(signed, signed.stored, stranger), signed.stored)), 'WB-310');
});

test('an entry over a digest that is not at hand is unbound, not accepted (WB-304)', () => {
  const key = generateKey('p384');
  const sample = stack.sign({ leafKey: key });
  const hash = hashOf(sample.artifact);
  const body = hashedRekordV1Body({ hash, signature: sample.signature, verifier: verifierPem(sample) });
  const entries = [stack.rekorV1.append('hashedrekord', '0.0.1', body, EPOCH)];
  const { certificate, signature } = sample;
  assert.ok(certificate !== undefined);
  const logged = stack.sign({
    leafKey: key,
    certificate,
    replaceSignature: signature,
    alter: () => ({ entries }),
  });
  assert.equal(codeOf(stack.verify(logged.bytes, sample.artifact)), 'accepted');
  assert.equal(codeOf(stack.verify(logged.bytes, digestOf(sample.artifact, 'sha384'))), 'WB-304');
});
