/**
 * The cast of the corpus, by the names its data uses: one signing stack with a fixed clock, and the strangers,
 * sisters and look-alikes that attack it. Times in the data are seconds from EPOCH.
 */
import { generateKey, type KeyKind, type PrivateKey } from '#base/crypto';
import { extKeyUsage } from '#formats/x509-build';
import { VirtualAuthority, VirtualCtLog, VirtualTsa } from '../double/virtual-ca.ts';
import { VirtualLog } from '../double/virtual-log.ts';
import { EPOCH, VirtualStack } from '../double/virtual-stack.ts';

export const stack = new VirtualStack();
const { validFor } = stack;

/** Seconds from EPOCH → milliseconds since the epoch. */
export const moment = (seconds: number): number => EPOCH + seconds * 1000;

/** Made at first use, then always the same. */
function lazily<T>(makers: Readonly<Record<string, () => T>>, what: string): (name: string) => T {
  const made = new Map<string, T>();
  return (name) => {
    const maker = Object.hasOwn(makers, name) ? makers[name] : undefined;
    if (maker === undefined) throw new Error(`no ${what} is called ${name}`);
    const thing = made.get(name) ?? maker();
    made.set(name, thing);
    return thing;
  };
}

const codeSigning = { validFor, purpose: extKeyUsage.codeSigning };

export const caNamed = lazily<VirtualAuthority>(
  {
    own: () => stack.ca,
    foreign: () => new VirtualAuthority({ ...codeSigning, name: 'other' }),
    /** Says it is the stack's authority. */
    namesake: () => new VirtualAuthority({ ...codeSigning, name: 'fulcio' }),
  },
  'certificate authority',
);

export const ctLogNamed = lazily<VirtualCtLog>(
  {
    own: () => stack.ctLog,
    independent: () => new VirtualCtLog(validFor, 'other.example'),
    /** Another log of the stack's operator. */
    sister: () => new VirtualCtLog(validFor, 'virtual.example'),
    strange: () => new VirtualCtLog(validFor),
  },
  'CT log',
);

const log = (generation: 'v1' | 'v2', host: string, operator?: string) => (): VirtualLog =>
  new VirtualLog({
    generation,
    host,
    key: generateKey(generation === 'v1' ? 'p256' : 'ed25519'),
    validFor,
    ...(operator === undefined ? {} : { operator }),
  });

export const logNamed = lazily<VirtualLog>(
  {
    v1: () => stack.rekorV1,
    v2: () => stack.rekorV2,
    independent: log('v1', 'rekor.other.example', 'other.example'),
    sister: log('v1', 'rekor2.virtual.example', 'virtual.example'),
    strange: log('v1', 'rekor.strange.example'),
    strange2: log('v2', 'log.strange.example'),
  },
  'transparency log',
);

export const tsaNamed = lazily<VirtualTsa>(
  {
    own: () => stack.tsa,
    independent: () => new VirtualTsa({ name: 'tsa2', validFor, operator: 'other.example' }),
  },
  'timestamp authority',
);

const keys = new Map<string, PrivateKey>();

/** `p256`, or `p256/second` for another key of the kind: equal names are equal keys. */
export function keyNamed(name: string): PrivateKey {
  const known = keys.get(name) ?? generateKey(name.split('/')[0] as KeyKind);
  keys.set(name, known);
  return known;
}
