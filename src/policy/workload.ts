/**
 * Every place an object names an image: containers, initContainers, ephemeralContainers and image volumes of a
 * Pod, of the Pod template of a controller, and of the items of a List.
 */
import { reason } from '#base/reason';
import { err, ok, type Result } from '#base/result';
import type { Json } from './document.ts';
import { R } from './reasons.ts';

export interface ImageUse {
  /** JSON pointer to the text of the image. */
  readonly pointer: string;
  readonly kind: 'container' | 'initContainer' | 'ephemeralContainer' | 'volume';
  /** Name of the container or volume. */
  readonly name: string;
  /** As written. */
  readonly image: string;
}

type JsonMap = { [name: string]: Json };
const isMap = (value: Json | undefined): value is JsonMap =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const podSpecAt: Readonly<Record<string, readonly string[]>> = {
  Pod: ['spec'],
  PodTemplate: ['template', 'spec'],
  Deployment: ['spec', 'template', 'spec'],
  ReplicaSet: ['spec', 'template', 'spec'],
  StatefulSet: ['spec', 'template', 'spec'],
  DaemonSet: ['spec', 'template', 'spec'],
  ReplicationController: ['spec', 'template', 'spec'],
  Job: ['spec', 'template', 'spec'],
  CronJob: ['spec', 'jobTemplate', 'spec', 'template', 'spec'],
};

const lists = [
  ['containers', 'container'],
  ['initContainers', 'initContainer'],
  ['ephemeralContainers', 'ephemeralContainer'],
] as const;

/** Kinds whose images are read. */
export const workloadKinds: readonly string[] = Object.keys(podSpecAt);

/** WB-734 for an object of a known kind whose Pod specification is not there or not readable. */
export function imageUses(object: Json): Result<readonly ImageUse[]> {
  const uses: ImageUse[] = [];
  const problem = collect(object, '', uses);
  if (problem === undefined) return ok(uses);
  return err(reason(R.workload, { expected: 'a Pod or an object with a Pod template', actual: problem }));
}

function collect(object: Json, at: string, into: ImageUse[]): string | undefined {
  if (!isMap(object) || typeof object['kind'] !== 'string') return `no object with a kind at ${at || '/'}`;
  const kind = object['kind'];
  if (Array.isArray(object['items']) && kind.endsWith('List')) {
    for (const [i, item] of object['items'].entries()) {
      const problem = collect(item, `${at}/items/${i}`, into);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }
  const path = podSpecAt[kind] ?? ['spec', 'template', 'spec'];
  let spec: Json | undefined = object;
  for (const step of path) spec = isMap(spec) ? spec[step] : undefined;
  if (!isMap(spec) || !Array.isArray(spec['containers'])) {
    // An unknown kind without a Pod template names no images we know of.
    return Object.hasOwn(podSpecAt, kind) ? `${kind} without ${path.join('.')}.containers` : undefined;
  }
  return collectSpec(spec, `${at}/${path.join('/')}`, into);
}

function collectSpec(spec: JsonMap, at: string, into: ImageUse[]): string | undefined {
  for (const [list, kind] of lists) {
    const containers = spec[list] ?? [];
    if (!Array.isArray(containers)) return `${at}/${list} is not a list`;
    for (const [i, container] of containers.entries()) {
      if (!isMap(container)) return `${at}/${list}/${i} is not an object`;
      const problem = addUse(container['image'], `${at}/${list}/${i}/image`, kind, container['name'], into);
      if (problem !== undefined) return problem;
    }
  }
  const volumes = spec['volumes'] ?? [];
  if (!Array.isArray(volumes)) return `${at}/volumes is not a list`;
  for (const [i, volume] of volumes.entries()) {
    const image = isMap(volume) ? volume['image'] : undefined;
    if (!isMap(image)) continue;
    const pointer = `${at}/volumes/${i}/image/reference`;
    const name = isMap(volume) ? volume['name'] : undefined;
    const problem = addUse(image['reference'], pointer, 'volume', name, into);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Templates may leave the image empty; the Pod made from them may not, and the API server sees to that. */
function addUse(
  image: Json | undefined,
  pointer: string,
  kind: ImageUse['kind'],
  name: Json | undefined,
  into: ImageUse[],
): string | undefined {
  if (image === undefined || image === null || image === '') return undefined;
  if (typeof image !== 'string') return `${pointer} is not text`;
  into.push({ pointer, kind, name: typeof name === 'string' ? name : '', image });
  return undefined;
}

/** Uses that an update adds or changes. An image that stays where it was is not judged again. */
export function changedUses(now: readonly ImageUse[], before: readonly ImageUse[]): ImageUse[] {
  const old = new Map(before.map((use) => [use.pointer, use.image]));
  return now.filter((use) => old.get(use.pointer) !== use.image);
}
