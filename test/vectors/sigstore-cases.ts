/** The bundle-verify cases of sigstore-conformance, run with our verifier by path and by digest. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { publicKeyFromPem } from '#base/crypto';
import { digestOf } from '#base/digest';
import { type Reason, reasonText } from '#base/reason';
import { attempt, type Result, unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import { parseTrustedRoot } from '#formats/trusted-root';
import {
  identity,
  type Requirements,
  requireKey,
  requireKeyless,
  trustMaterial,
  verifyBundle,
} from '#verify';

export interface Case {
  readonly name: string;
  readonly expect: 'accept' | 'reject';
  readonly artifact: string;
  readonly trustedRoot: string;
  readonly key: string | null;
  readonly identity: string | null;
  readonly issuer: string | null;
  readonly note: string;
}

export interface Outcome {
  readonly verdict: 'accept' | 'reject';
  /** Why not, when rejected. */
  readonly reason?: Reason;
  readonly text: string;
}

/** The folder of the vectors; undefined when the shared data is not there. */
export function vectorsFolder(): string | undefined {
  const shared = process.env['WAYBILL_SHARED'] ?? '../shared';
  const folder = resolve(shared, 'vectors/sigstore-conformance');
  return existsSync(join(folder, 'cases.json')) ? folder : undefined;
}

export function readCases(folder: string): readonly Case[] {
  return JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8')) as Case[];
}

/** As `verify-bundle` of the conformance protocol: one tlog, one SCT, one observed time, exact identity. */
function requirementsOf(folder: string, item: Case): Result<Requirements> {
  return attempt(() => {
    if (item.key !== null) {
      return unwrap(requireKey(unwrap(publicKeyFromPem(readFileSync(join(folder, item.key), 'utf8')))));
    }
    const wanted = unwrap(identity({ issuer: item.issuer ?? '', san: item.identity ?? '' }));
    return unwrap(requireKeyless({ identities: [wanted] }));
  });
}

export function runCase(folder: string, item: Case, by: 'path' | 'digest', now: number): Outcome {
  const read = (name: string): Uint8Array => readFileSync(join(folder, name));
  const bundle = parseBundle(read(join('bundle-verify', item.name, 'bundle.sigstore.json')));
  if (!bundle.ok) return rejectedBy(bundle.error);
  const root = parseTrustedRoot(read(item.trustedRoot));
  if (!root.ok) return rejectedBy(root.error);
  const requirements = requirementsOf(folder, item);
  if (!requirements.ok) return rejectedBy(requirements.error);
  const artifact = read(item.artifact);
  const verdict = verifyBundle({
    artifact: by === 'path' ? artifact : digestOf(artifact),
    bundle: bundle.value,
    trustedRoot: trustMaterial(root.value),
    requirements: requirements.value,
    now,
  });
  if (verdict.outcome === 'accepted') return { verdict: 'accept', text: `${verdict.evidence.length} checks` };
  return rejectedBy(verdict.outcome === 'rejected' ? verdict.reason : verdict.cause);
}

function rejectedBy(reason: Reason): Outcome {
  return { verdict: 'reject', reason, text: reasonText(reason) };
}
