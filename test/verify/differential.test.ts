/**
 * The same bundles judged by the JavaScript reference client and by ours. Whatever we accept it must accept; what
 * only it accepts must be something we refuse on purpose.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bundleFromJSON } from '@sigstore/bundle';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify';
import { generateKey, type PublicKey } from '#base/crypto';
import { unwrap } from '#base/result';
import type { JsonObject } from '#formats/json';
import { trustedRootValue } from '#formats/trusted-root';
import { extKeyUsage } from '#formats/x509-build';
import { requireKey, type Verdict } from '#verify';
import { leafPaths, mutations } from '../corpus/generators/mutants.ts';
import { VirtualAuthority, VirtualCtLog, VirtualTsa } from '../double/virtual-ca.ts';
import { EPOCH, MINUTE, type SignOptions } from '../double/virtual-stack.ts';
import { codeOf, outcomeOf, shown, stack } from './attack.ts';

const trusted = TrustedRoot.fromJSON(trustedRootValue(stack.root));

/** The reference client with one log, one CT log and one trusted time; undefined or why it refused. */
function reference(json: JsonObject, artifact: Uint8Array, key?: PublicKey): string | undefined {
  const keys = key === undefined ? undefined : () => ({ publicKey: key.handle, validFor: () => true });
  const verifier = new Verifier(toTrustMaterial(trusted, keys), {
    tlogThreshold: 1,
    ctlogThreshold: 1,
    timestampThreshold: 1,
  });
  try {
    const bundle = bundleFromJSON(structuredClone(json));
    const isMessage = bundle.content.$case === 'messageSignature';
    verifier.verify(toSignedEntity(bundle, isMessage ? Buffer.from(artifact) : undefined));
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Refusals by which we are stricter than the reference client, and why. */
const stricter: Readonly<Record<string, string>> = {
  'WB-332': 'it does not check the purpose of the leaf',
  'WB-342': 'it does not compare subjects with the artifact',
  'WB-353': 'it does not demand an issuer claim',
};

const foreign = new VirtualAuthority({
  name: 'x',
  validFor: stack.validFor,
  purpose: extKeyUsage.codeSigning,
});
const cases: Readonly<Record<string, SignOptions>> = {
  'a message in Rekor v1': {},
  'a message in Rekor v2': { logs: [stack.rekorV2] },
  'a statement in Rekor v1 as dsse': { statement: 'cosign' },
  'a statement in Rekor v1 as intoto': { statement: 'cosign', entryKind: 'intoto' },
  'a statement in Rekor v2': { statement: 'cosign', logs: [stack.rekorV2] },
  'entries in both logs': { logs: [stack.rekorV1, stack.rekorV2] },
  'a P-384 leaf': { leafKey: generateKey('p384') },
  'no timestamp': { tsas: [] },
  'no timestamp in Rekor v2': { tsas: [], logs: [stack.rekorV2] },
  'a foreign authority': { ca: foreign },
  'a foreign timestamp authority': {
    logs: [stack.rekorV2],
    tsas: [new VirtualTsa({ name: 'x', validFor: stack.validFor })],
  },
  'a foreign CT log': { leaf: { ctLogs: [new VirtualCtLog(stack.validFor)] } },
  'no stamp': { leaf: { ctLogs: [] } },
  'a late timestamp': { stampedAt: EPOCH + 30 * MINUTE },
  'an early timestamp': { stampedAt: EPOCH - 30 * MINUTE },
  'a leaf for servers': { leaf: { purposes: [extKeyUsage.serverAuth] } },
  'a leaf without issuer': { leaf: { claims: {} } },
  'a wrong signature': { replaceSignature: Buffer.from('3006020101020101', 'hex') },
};

function compare(name: string, json: JsonObject, artifact: Uint8Array, ours: Verdict, key?: PublicKey): void {
  const theirs = reference(json, artifact, key);
  if (ours.outcome === 'accepted') assert.equal(theirs, undefined, `${name}: only we accept`);
  else if (theirs === undefined) assert.ok(Object.hasOwn(stricter, codeOf(ours)), `${name}: ${shown(ours)}`);
}

for (const [name, options] of Object.entries(cases)) {
  test(`the reference client agrees about ${name}`, () => {
    const sample = stack.sign(options);
    compare(
      name,
      sample.json,
      sample.artifact,
      outcomeOf({ bundle: sample.bytes, artifact: sample.artifact }),
    );
  });
}

test('the reference client agrees about bare keys', () => {
  for (const kind of ['p256', 'p384', 'ed25519', 'rsa'] as const) {
    const key = generateKey(kind);
    const sample = stack.sign({ key });
    const requirements = unwrap(requireKey(key.publicKey));
    const ours = outcomeOf({ bundle: sample.bytes, artifact: sample.artifact, requirements });
    assert.equal(ours.outcome, 'accepted', shown(ours));
    if (kind === 'p256') compare(kind, sample.json, sample.artifact, ours, key.publicKey);
  }
});

test('of hundreds of changed bundles we accept none the reference client refuses', () => {
  let both = 0;
  let neither = 0;
  for (const options of [{}, { statement: 'cosign', logs: [stack.rekorV2] }] as const) {
    const sample = stack.sign(options);
    for (const path of leafPaths(sample.json)) {
      for (const { name, bundle } of mutations(sample.json, path)) {
        const ours = outcomeOf({ bundle, artifact: sample.artifact });
        if (ours.outcome !== 'accepted') neither++;
        else {
          both++;
          // One failed timestamp beside another trusted time is noted, not fatal (attack corpus TSP-10).
          if (ours.notes.length > 0 && path.includes('rfc3161Timestamps')) continue;
          assert.equal(reference(bundle, sample.artifact), undefined, `only we accept ${name}`);
        }
      }
    }
  }
  assert.ok(neither > 200 && both > 0, `${neither} refused, ${both} accepted`);
});
