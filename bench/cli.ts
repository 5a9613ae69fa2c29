/**
 * How long the published command line takes from nothing to a verdict: an offline bundle against a Node process
 * that does nothing, and an image in a registry that thinks 20 ms about every request. Processes run in turns.
 * Gates: at most 2.4 times the empty process (cosign needs one and a half; 1.6 times cosign is the aim that
 * `npm run bench:peers -- verify` measures), 90 MiB, 6 requests an image by tag.
 */
import { inTurns, peakMemory, ratioOf, run } from './lib/processes.ts';
import { median, report } from './lib/report.ts';
import { blobWords, imageWords, openBench, slowImage } from './lib/subjects.ts';

const ROUNDS = 21;
const DELAY_MS = 20;

const bench = await openBench();
const image = await slowImage(bench.stack, DELAY_MS);
try {
  const blob = bench.waybill(blobWords);
  const times = await inTurns(
    {
      empty: bench.empty,
      blob,
      first: bench.waybill(blobWords, { keepsCode: false }),
      image: bench.waybill(imageWords(image.reference)),
    },
    ROUNDS,
  );
  const memory = await peakMemory(blob, bench.folder);
  image.takeRequests();
  await run(bench.waybill(imageWords(image.reference)));
  const requests = image.takeRequests();
  const ofEmpty = ratioOf(times.blob, times.empty);
  const tripsMs = times.image.map((ms, i) => ms - (times.blob[i] ?? Number.NaN));
  const ratios = {
    'offline bundle, times an empty process': Number(ofEmpty.toFixed(2)),
    'the same without kept code': Number(ratioOf(times.first, times.empty).toFixed(2)),
    [`image at ${DELAY_MS} ms a request, round trips above the bundle`]: Number(
      (median(tripsMs) / DELAY_MS).toFixed(1),
    ),
    'requests an image': requests,
    'peak memory, MiB': Math.round(memory),
  };
  for (const [name, list] of Object.entries(times)) console.log(`${name}: ${median(list).toFixed(0)} ms`);
  for (const [name, value] of Object.entries(ratios)) console.log(`${name}: ${value}`);
  report('cli', ratios, ofEmpty <= 2.4 && memory <= 90 && requests <= 6);
} finally {
  await image.close();
  bench.close();
}
