/**
 * Two good bundles of one form, taken apart and put together in every other way. Unlike the other machines this one
 * knows the answer: a mix is good exactly when what must belong together comes from the same bundle.
 */
import { utf8 } from '#base/bytes';
import type { JsonObject, JsonValue } from '#formats/json';
import { at, edit } from '../../double/json-edits.ts';
import { type Answer, library } from '../doors.ts';
import type { Sample } from './run.ts';

const STAMPS = 'verificationMaterial.timestampVerificationData';
const ENTRIES = 'verificationMaterial.tlogEntries';
const materials = ['certificate', 'x509CertificateChain', 'publicKey'].map(
  (name) => `verificationMaterial.${name}`,
);
const contents = ['messageSignature', 'dsseEnvelope'];

const has = (json: JsonObject, path: string): boolean => {
  try {
    at(json, path);
    return true;
  } catch {
    return false;
  }
};
const pathIn = (json: JsonObject, paths: readonly string[]): string =>
  paths.find((path) => has(json, path)) ?? '';

export interface Mix {
  readonly name: string;
  readonly isGood: boolean;
  readonly answer: Answer;
}

/** Every mix of `ours` with parts of `theirs`, judged as `ours` is. */
export async function mixes(ours: Sample, theirs: Sample): Promise<Mix[]> {
  const parts = {
    material: pathIn(ours.json, materials),
    entries: ENTRIES,
    stamps: STAMPS,
    content: pathIn(ours.json, contents),
  };
  const names = Object.keys(parts) as (keyof typeof parts)[];
  const made: Mix[] = [];
  for (let mask = 1; mask < 1 << names.length; mask++) {
    const taken = names.filter((_, i) => (mask & (1 << i)) !== 0);
    const changes = Object.fromEntries(taken.map((name) => [parts[name], at(theirs.json, parts[name])]));
    const evidence = utf8(JSON.stringify(edit(ours.json, changes as Record<string, JsonValue>)));
    const isSame = (name: keyof typeof parts): boolean =>
      JSON.stringify(at(ours.json, parts[name])) === JSON.stringify(at(theirs.json, parts[name]));
    const fits = (name: keyof typeof parts): boolean =>
      isSame(name) || taken.includes(name) === taken.includes('content');
    const { isPromised, isKeyed, isUnlogged } = ours.traits;
    const isGood =
      isSame('content') && !isUnlogged
        ? true
        : fits('material') && (isUnlogged || fits('entries')) && (isPromised || isKeyed || fits('stamps'));
    made.push({ name: taken.join(' and '), isGood, answer: await library({ ...ours.exhibit, evidence }) });
  }
  return made;
}
