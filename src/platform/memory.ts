/** What a process that serves for months keeps of memory it does not need. */
import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/**
 * Bytes of the young generation beyond which it grows no more. V8 goes on to 128 MiB where objects live as long as a
 * request waits for its batch, and collects none the cheaper for it.
 */
const YOUNG_BYTES_MAX = 16 * 1024 * 1024;

/**
 * How far the old generation grows beyond what was alive in it before it is collected, percent. V8 lets it become four
 * times as large, most of it requests that were answered. Collecting it sooner costs a hundredth of such a request.
 */
const OLD_GROWTH_PERCENT = 160;

let isBounded = false;

/** Keeps the heap of this process near what it needs: a young generation of 16 MiB. The second call changes nothing. */
export function boundHeap(): void {
  if (isBounded) return;
  isBounded = true;
  setFlagsFromString(`--heap-growing-percent=${OLD_GROWTH_PERCENT}`);
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
