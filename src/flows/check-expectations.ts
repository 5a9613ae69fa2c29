/** A profile made ready: its files read, its patterns compiled, so that what is wrong with it is said first. */
import { dirname, isAbsolute, join } from 'node:path';
import { utf8Text } from '#base/bytes';
import { publicKeyFromPem } from '#base/crypto';
import { limits } from '#base/limits';
import { unwrap } from '#base/result';
import { readFileIfThere, readFileLimited } from '#platform/files';
import type { PolicySet } from '#policy';
import type { Severity } from '#scan';
import { identity, type Requirements, requireKey, requireKeyless } from '#verify';
import type { BuilderText, Profile, SignerText } from './check-profile.ts';
import { parseProfile } from './check-profile.ts';
import { loadPolicies } from './load-policies.ts';

/** Requirements for content of given predicate types; undefined when nobody is named as signer. */
export type SignerDemand = ((predicateTypes: readonly string[]) => Requirements) | undefined;

export interface CheckExpectations {
  readonly signature: SignerDemand;
  readonly attestations: SignerDemand;
  readonly source?: string;
  readonly tag?: string;
  readonly branch?: string;
  readonly builder?: BuilderText;
  readonly severity: Severity;
  readonly scanAgeDays: number;
  readonly allowSampleDatabase: boolean;
  readonly base: { readonly isScratch: boolean; readonly image?: string; readonly signature: SignerDemand };
  readonly policies?: PolicySet;
  readonly namespace: string;
  readonly audit?: string;
}

const SEVERITY_DEFAULT: Severity = 'high';
const SCAN_AGE_DAYS_DEFAULT = 7;
const noProfile: Profile = { signer: {}, policies: [], mirror: [] };

/**
 * The profile in a file, its file names relative to it. Without a name `fallback` is read when it is there.
 * Throws WB-209 and WB-930.
 */
export async function loadProfile(
  file: string | undefined,
  fallback: string,
): Promise<{ readonly file?: string; readonly profile: Profile }> {
  const name = file ?? fallback;
  const bytes =
    file === undefined ? await readFileIfThere(name) : await readFileLimited(name, limits.policyBytes);
  if (bytes === undefined) return { profile: noProfile };
  const profile = unwrap(parseProfile(utf8Text(bytes), name));
  return { file: name, profile: relativeTo(dirname(name), profile) };
}

function relativeTo(folder: string, profile: Profile): Profile {
  const place = (path: string): string => (isAbsolute(path) ? path : join(folder, path));
  const signer = <T extends SignerText>(one: T): T =>
    one.key === undefined ? one : { ...one, key: place(one.key) };
  const { attestations, base, database } = profile;
  return {
    ...profile,
    signer: signer(profile.signer),
    ...(attestations === undefined ? {} : { attestations: signer(attestations) }),
    ...(base === undefined || base === 'scratch' ? {} : { base: signer(base) }),
    ...(database === undefined ? {} : { database: place(database) }),
    policies: profile.policies.map(place),
  };
}

/** Reads the files a profile names. Throws WB-105, WB-209, WB-361, WB-720 and following. */
export async function expectationsOf(profile: Profile): Promise<CheckExpectations> {
  const { source, tag, branch, builder, base, audit, policies } = profile;
  const baseSigner = base === undefined || base === 'scratch' ? {} : base;
  const image = base === undefined || base === 'scratch' ? undefined : base.image;
  return {
    signature: await demandOf(profile.signer),
    attestations: await demandOf(profile.attestations ?? profile.signer),
    ...(source === undefined ? {} : { source }),
    ...(tag === undefined ? {} : { tag }),
    ...(branch === undefined ? {} : { branch }),
    ...(builder === undefined ? {} : { builder }),
    severity: profile.severity ?? SEVERITY_DEFAULT,
    scanAgeDays: profile.scanAgeDays ?? SCAN_AGE_DAYS_DEFAULT,
    allowSampleDatabase: profile.allowSampleDatabase === true,
    base: {
      isScratch: base === 'scratch',
      ...(image === undefined ? {} : { image }),
      signature: await demandOf(baseSigner),
    },
    ...(policies.length === 0 ? {} : { policies: await loadPolicies(policies) }),
    namespace: profile.namespace ?? 'default',
    ...(audit === undefined ? {} : { audit }),
  };
}

async function demandOf({ identity: san, issuer, key }: SignerText): Promise<SignerDemand> {
  if (key !== undefined) {
    const text = utf8Text(await readFileLimited(key, limits.certificateBytes));
    const publicKey = unwrap(publicKeyFromPem(text));
    return (predicateTypes) => unwrap(requireKey(publicKey, { predicateTypes }));
  }
  // An identity without its issuer names nobody: another provider can hand out the same name.
  if (san === undefined || issuer === undefined) return undefined;
  const who = unwrap(identity({ issuer, san }));
  return (predicateTypes) => unwrap(requireKeyless({ identities: [who], predicateTypes }));
}
