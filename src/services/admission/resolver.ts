/**
 * Tag → digest. One registry request a tag at a time, whatever the number of Pods that ask, and its answer is
 * kept for half a minute. Failures are not kept.
 */
import type { Digest } from '#base/brand';
import type { Clock } from '#base/clock';
import { Coalescer, ExpiringCache } from '#facts';
import type { TagSource } from '#flows/judge-request';

const TAGS_MAX = 10_000;

export function cachedTags(source: TagSource, clock: Clock, ttlMs: number): TagSource {
  const known = new ExpiringCache<Digest>({ clock, weightMax: TAGS_MAX });
  const asking = new Coalescer<Digest>();
  return {
    async resolve(name) {
      const key = `${name.repository}:${name.tag}`;
      const digest = known.get(key);
      if (digest !== undefined) return digest;
      return asking.run(key, async () => {
        const found = await source.resolve(name);
        known.set(key, found, ttlMs);
        return found;
      });
    },
  };
}
