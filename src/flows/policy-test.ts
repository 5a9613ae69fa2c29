/**
 * Use case: what would the webhook say? An image or a file of objects is judged as it would be at its creation:
 * tags are pinned first where a policy says so, then everything is verified by digest.
 */
import type { Clock } from '#base/clock';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { createJudge, type MirrorMap, mirroredRegistry, type ReadAttachments, type Trust } from '#facts';
import type { Registry } from '#oci';
import {
  type AdmissionRequest,
  type CheckResult,
  type ImageUse,
  imageUses,
  type Json,
  matchingChecks,
  type PolicySet,
  readObjects,
} from '#policy';
import { R } from './judge-reasons.ts';
import { digestOfUse, type JudgeRequestDeps, judgeRequest, pinnedImage } from './judge-request.ts';

export interface PolicyTestDeps {
  readonly registry: Registry;
  readonly mirror: MirrorMap;
  readonly trust: Trust;
  readonly clock: Clock;
  /** Shared with other questions about the same image. */
  readonly attachments?: ReadAttachments;
  /** Milliseconds for one object; default one minute. */
  readonly timeoutMs?: number;
}

export interface ObjectVerdict {
  /** `Pod/default/api`. */
  readonly object: string;
  readonly outcome: 'allowed' | 'denied' | 'unavailable';
  /** What the webhook would have changed, as written → pinned. */
  readonly pinned: readonly { readonly from: string; readonly to: string }[];
  readonly results: readonly CheckResult[];
  /** Images no policy covers. */
  readonly unmatched: readonly string[];
}

const TIMEOUT_MS = 60_000;

/** One image, as the only container of a Pod. */
export function podOf(image: string, namespace: string): Json {
  const [name = 'image'] = image.slice(image.lastIndexOf('/') + 1).split(/[:@]/);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace },
    spec: { containers: [{ name: 'image', image }] },
  };
}

/** The objects of a YAML or JSON file. Throws WB-720 or WB-962. */
export function objectsOf(text: string, file: string): Json[] {
  const objects = readObjects(text, file);
  if (objects.length > 0) return objects;
  throw fail(R.resource, { expected: 'at least one object', actual: `none in ${file}` });
}

export async function policyTest(
  policies: PolicySet,
  objects: readonly Json[],
  namespace: string,
  deps: PolicyTestDeps,
): Promise<ObjectVerdict[]> {
  // An answer about nothing would read as a pass.
  if (objects.every((object) => unwrap(imageUses(object)).length === 0)) {
    const actual = [...new Set(objects.map((object) => text(map(object)['kind'])))].join(', ');
    throw fail(R.resource, { expected: 'at least one object that names an image', actual });
  }
  const source = mirroredRegistry(deps.registry, deps.mirror, deps.attachments);
  const judge = createJudge({ source, trust: () => deps.trust, clock: deps.clock });
  const verdicts: ObjectVerdict[] = [];
  for (const object of objects) {
    const deadlineMs = deps.clock.now() + (deps.timeoutMs ?? TIMEOUT_MS);
    verdicts.push(
      await testObject(policies, object, namespace, { judge, tags: source, clock: deps.clock, deadlineMs }),
    );
  }
  return verdicts;
}

async function testObject(
  policies: PolicySet,
  object: Json,
  namespace: string,
  deps: JudgeRequestDeps,
): Promise<ObjectVerdict> {
  const request = requestFor(object, namespace);
  const pinned: { from: string; to: string }[] = [];
  const uses = await Promise.all(
    unwrap(imageUses(object)).map(async (use) => {
      const to = await pinnedUse(policies, request, use, deps);
      if (to.image !== use.image) pinned.push({ from: use.image, to: to.image });
      return to;
    }),
  );
  const decision = await judgeRequest(policies, request, uses, deps);
  const blocking = decision.results.filter(({ status, mode }) => status !== 'pass' && mode === 'enforce');
  const isUnknown = blocking.length > 0 && blocking.every(({ status }) => status === 'unavailable');
  return {
    object: `${request.kind.kind}/${request.namespace}/${request.name}`,
    outcome: decision.isAllowed ? 'allowed' : isUnknown ? 'unavailable' : 'denied',
    pinned,
    results: decision.results,
    unmatched: decision.unmatched.map(({ image }) => image),
  };
}

/** What the mutating webhook would do; a tag that cannot be resolved stays and is judged as it is. */
async function pinnedUse(
  policies: PolicySet,
  request: AdmissionRequest,
  use: ImageUse,
  deps: JudgeRequestDeps,
): Promise<ImageUse> {
  const isPinning = matchingChecks(policies, request, use.image).some(({ check }) => check.mutateDigest);
  if (!isPinning || use.image.includes('@')) return use;
  const resolved = await digestOfUse(use, deps);
  return 'digest' in resolved ? { ...use, image: pinnedImage(use.image, resolved.digest) } : use;
}

type JsonMap = { [name: string]: Json };
const map = (value: Json | undefined): JsonMap =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '');

/** The creation of the object, by nobody in particular. */
export function requestFor(object: Json, namespace: string): AdmissionRequest {
  const { apiVersion, kind, metadata } = map(object);
  const [group, version] = text(apiVersion).includes('/')
    ? text(apiVersion).split('/')
    : ['', text(apiVersion)];
  const own = map(metadata);
  return {
    kind: { group: group ?? '', version: version ?? '', kind: text(kind) },
    resource: '',
    name: text(own['name']) || text(own['generateName']),
    namespace: text(own['namespace']) || namespace,
    operation: 'CREATE',
    user: { username: 'policy-test', groups: [] },
    object,
  };
}
