/** The bundles of the stack in memory that clients are compared on, and their mutants. */
import { generateKey, type PublicKey } from '#base/crypto';
import type { JsonObject } from '#formats/json';
import { extKeyUsage } from '#formats/x509-build';
import { allPaths, type Mutant, mutations, swaps } from '../corpus/generators/mutants.ts';
import { VirtualAuthority, VirtualCtLog, VirtualTsa } from '../double/virtual-ca.ts';
import { EPOCH, MINUTE, type Sample, type SignOptions } from '../double/virtual-stack.ts';
import { stack } from '../verify/attack.ts';

const { validFor } = stack;
const foreign = new VirtualAuthority({ name: 'x', validFor, purpose: extKeyUsage.codeSigning });
const v2 = { logs: [stack.rekorV2] };
const late = EPOCH + 30 * MINUTE;

/** Accepted ones first, then each with one thing wrong. */
export const cases: Readonly<Record<string, SignOptions>> = {
  'message, v1': {},
  'message, v2': v2,
  'statement, v1 dsse': { statement: 'cosign' },
  'statement, v1 intoto': { statement: 'cosign', entryKind: 'intoto' },
  'statement, v2': { statement: 'cosign', ...v2 },
  'message, both logs': { logs: [stack.rekorV1, stack.rekorV2] },
  'message, P-384 leaf': { leafKey: generateKey('p384') },
  'message, P-384 leaf, v2': { leafKey: generateKey('p384'), ...v2 },
  'message, P-521 leaf': { leafKey: generateKey('p521') },
  'message, RSA leaf': { leafKey: generateKey('rsa') },
  'message, no timestamp': { tsas: [] },
  'message, bare P-256 key': { key: generateKey('p256') },
  'message, bare P-384 key, v2': { key: generateKey('p384'), ...v2 },
  'message, bare Ed25519 key': { key: generateKey('ed25519') },
  'message, bare RSA key': { key: generateKey('rsa') },
  'statement, bare P-256 key': { key: generateKey('p256'), statement: 'cosign' },
  'no timestamp, v2': { tsas: [], ...v2 },
  'foreign authority': { ca: foreign },
  'foreign timestamp authority, v2': { ...v2, tsas: [new VirtualTsa({ name: 'x', validFor })] },
  'foreign timestamp authority, v1': { tsas: [new VirtualTsa({ name: 'x', validFor })] },
  'foreign CT log': { leaf: { ctLogs: [new VirtualCtLog(validFor)] } },
  'no stamp of a CT log': { leaf: { ctLogs: [] } },
  'late timestamp': { stampedAt: late },
  'late timestamp, v2': { stampedAt: late, ...v2 },
  'early timestamp, v2': { stampedAt: EPOCH - 30 * MINUTE, ...v2 },
  'late entry': { at: late, certificate: stack.issue(generateKey('p256'), EPOCH) },
  'leaf for servers': { leaf: { purposes: [extKeyUsage.serverAuth] } },
  'leaf for anything': { leaf: { purposes: ['2.5.29.37.0'] } },
  'leaf without issuer claim': { leaf: { claims: {} } },
  'leaf of someone else': { leaf: { sans: [{ type: 'email', value: 'eve@acme.example' }] } },
  'leaf with a longer name': { leaf: { sans: [{ type: 'email', value: 'dev@acme.example.evil' }] } },
  'leaf by another issuer': { leaf: { claims: { issuer: 'https://issuer.example/other' } } },
  'leaf with two names': {
    leaf: {
      sans: [
        { type: 'email', value: 'dev@acme.example' },
        { type: 'email', value: 'eve@acme.example' },
      ],
    },
  },
  'SCT before the certificate': { leaf: { sctTime: EPOCH - 60 * MINUTE } },
  'wrong signature': { replaceSignature: Buffer.from('3006020101020101', 'hex') },
  'statement of another type': { statement: Buffer.from('{"_type":"x"}') },
  'payload of another type': { statement: 'cosign', payloadType: 'text/plain' },
  'no log': { logs: [] },
};

export interface Compared {
  readonly name: string;
  readonly sample: Sample;
  readonly key: PublicKey | undefined;
}

export function samplesOf(names: readonly string[] = Object.keys(cases)): Compared[] {
  return names.map((name) => {
    const options = cases[name] as SignOptions;
    return { name, sample: stack.sign(options), key: options.key?.publicKey };
  });
}

/** Every part of a bundle spoilt in every way, and exchanged for that of another: one in `every`. */
export function* mutantsOf(sample: Sample, other: Sample, every: number): Generator<Mutant> {
  let count = 0;
  const all = [
    ...allPaths(sample.json).flatMap((path) => mutations(sample.json, path)),
    ...swaps(sample.json, other.json, 'its twin'),
  ];
  for (const mutant of all) if (count++ % every === 0) yield mutant;
}

export const bytesOf = (bundle: JsonObject): Uint8Array => Buffer.from(JSON.stringify(bundle));
