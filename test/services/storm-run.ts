/** Many Pods at once against `waybill serve admission`, and what must be true of the answers. */
import { type Answer, patched, podReview } from './admission-fixture.ts';
import type { WebhookProcess } from './admission-process.ts';
import type { StormImage, StormWorld } from './storm-world.ts';

export interface Asked {
  readonly images: readonly StormImage[];
  readonly allowed: boolean;
  readonly code: number | undefined;
  readonly message: string;
  /** The images of the Pod after the patch. */
  readonly stored: readonly string[];
  readonly milliseconds: number;
}

export interface Storm {
  readonly asked: readonly Asked[];
  readonly seconds: number;
  /** What the webhook says it read. */
  readonly reads: number;
}

/** `pods` Pods, `clients` at a time, every third one with a container more of another image. */
export async function runStorm(
  world: Pick<StormWorld, 'images'>,
  webhook: WebhookProcess,
  { pods, clients }: { readonly pods: number; readonly clients: number },
): Promise<Storm> {
  const { images } = world;
  const asked: Asked[] = [];
  let next = 0;
  const started = performance.now();
  const client = async (): Promise<void> => {
    for (let i = next++; i < pods; i = next++) {
      const second = i % 3 === 2 ? [images[(i * 7 + 3) % images.length] as StormImage] : [];
      asked.push(await admit(webhook, [images[i % images.length] as StormImage, ...second]));
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  const seconds = (performance.now() - started) / 1000;
  const reads = (await webhook.metrics()).get('waybill_facts_lookups{kind="reads"}') ?? Number.NaN;
  return { asked, seconds, reads };
}

interface PodReview {
  readonly request: { readonly object: { readonly spec: { readonly containers: { image: string }[] } } };
}

/** Both hooks, as an API server asks them: what the first one patched is what the second one judges. */
async function admit(webhook: WebhookProcess, images: readonly StormImage[]): Promise<Asked> {
  const started = performance.now();
  const containers = images.map(({ repository }, i) => ({ name: `c${i}`, image: `${repository}:v1` }));
  const review = podReview({ spec: { containers } }) as PodReview;
  const mutated = await webhook.ask('/mutate', review);
  const object = patched(review.request.object, {
    response: mutated,
  } as Answer) as PodReview['request']['object'];
  const { allowed, status } = await webhook.ask('/validate', {
    ...review,
    request: { ...review.request, object },
  });
  return {
    images,
    allowed: mutated.allowed && allowed,
    code: status?.code,
    message: status?.message ?? '',
    stored: object.spec.containers.map(({ image }) => image),
    milliseconds: performance.now() - started,
  };
}

export interface Claim {
  readonly name: string;
  /** Empty when the claim holds; else examples of what is wrong. */
  readonly wrong: readonly string[];
}

/** Facts that are not accepted are looked at again after ten seconds, tags after thirty. */
const REFUSED_SECONDS = 10;
const TAG_SECONDS = 30;

export function claimsOf(
  storm: Storm,
  world: Pick<StormWorld, 'images' | 'requests' | 'connections'>,
): readonly Claim[] {
  const { asked } = storm;
  const rightOf = ({ images }: Asked): boolean => images.every(({ isGood }) => isGood);
  const text = ({ images, allowed, code, message }: Asked): string =>
    `${images.map(({ repository }) => repository).join(' + ')}: ${allowed ? 'allowed' : `${code} ${message}`}`;
  const kinds = new Set(world.images.map(({ kind }) => kind));
  const perKind = [...kinds].map((kind): Claim => {
    const alone = asked.filter(({ images }) => images.length === 1 && images[0]?.kind === kind);
    const isGood = world.images.find((image) => image.kind === kind)?.isGood === true;
    return {
      name: `${kind}: ${isGood ? 'admitted' : 'denied'} (${alone.length} Pods of one container)`,
      wrong:
        alone.length === 0 ? ['no such Pod'] : alone.filter(({ allowed }) => allowed !== isGood).map(text),
    };
  });
  return [
    {
      name: `${asked.length} Pods over ${world.images.length} digests: no wrong verdict`,
      wrong: asked.filter((one) => one.allowed !== rightOf(one)).map(text),
    },
    ...perKind,
    {
      name: 'every denial is a judgement (403) that names the image and what was expected',
      wrong: asked.filter((one) => !one.allowed && !isExplained(one)).map(text),
    },
    {
      name: 'every image of an admitted Pod is stored with the digest that was judged',
      wrong: asked.filter((one) => one.allowed && !isPinned(one)).map(({ stored }) => stored.join(' ')),
    },
    {
      name: `no connection to ${[...world.connections.keys()].join(', ')}`,
      wrong: [...world.connections]
        .filter(([, count]) => count > 0)
        .map(([name, count]) => `${name}: ${count}`),
    },
    ...readClaims(storm, world),
  ];
}

const isExplained = ({ images, code, message }: Asked): boolean =>
  code === 403 &&
  /expected/.test(message) &&
  images.every(({ isGood, repository }) => isGood || message.includes(repository));

const isPinned = ({ images, stored }: Asked): boolean =>
  images.every(({ repository, digest }, i) => stored[i] === `${repository}:v1@${digest}`);

function readClaims(
  { seconds, reads }: Storm,
  { images, requests }: Pick<StormWorld, 'images' | 'requests'>,
): Claim[] {
  const again = Math.floor(seconds / REFUSED_SECONDS);
  const timesOf = (part: string): number => requests.filter((request) => request.includes(part)).length;
  const referrers = images.map(({ digest, isGood, repository }) => {
    const times = timesOf(`/referrers/${digest}`);
    const isRight = isGood ? times === 1 : times >= 1 && times <= 1 + again;
    return isRight ? [] : [`${repository}: ${times}`];
  });
  const counts = new Map<string, number>();
  for (const request of requests) counts.set(request, (counts.get(request) ?? 0) + 1);
  const timesMax = 1 + Math.max(again, Math.floor(seconds / TAG_SECONDS));
  const repeated = [...counts].filter(([, count]) => count > timesMax);
  return [
    {
      name: `one read of the evidence a digest (${requests.length} requests at the registry in all)`,
      wrong: referrers.flat(),
    },
    {
      name: 'no request at the registry is made twice while its answer is known',
      wrong: repeated.map(([request, count]) => `${count} times ${request}`),
    },
    {
      name: 'the webhook counts the same reads',
      wrong: reads >= images.length && reads <= images.length * (1 + again) ? [] : [`${reads} reads`],
    },
  ];
}
