/** What a process that serves for months keeps of memory it does not need. */
import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/**
 * Bytes of the young generation beyond which it grows no more. V8 goes on to 128 MiB where objects live as long as a
 * request waits for its batch, and collects none the cheaper for it.
 */
const YOUNG_BYTES_MAX = 16 * 1024 * 1024;

let isBounded = false;

/** Keeps the young generation of this process near 16 MiB. The second call changes nothing. */
export function boundYoungGeneration(): void {
  if (isBounded) return;
  isBounded = true;
  const observer = new PerformanceObserver(() => stopWhenGrown(observer));
  observer.observe({ entryTypes: ['gc'] });
  stopWhenGrown(observer);
}

/** The bound itself can be set only before a process starts; how far one step of growth goes, at any time. */
function stopWhenGrown(observer: PerformanceObserver): void {
  const young = getHeapSpaceStatistics().find((space) => space.space_name === 'new_space');
  if (young === undefined || young.space_size < YOUNG_BYTES_MAX) return;
  setFlagsFromString('--semi-space-growth-factor=1');
  observer.disconnect();
}
