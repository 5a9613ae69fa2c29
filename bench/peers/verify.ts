/**
 * Verification side by side with the real peers, in turns: sigstore-go on one core over the public instance's
 * bundle, `cosign verify-blob` offline, and `cosign verify` of an image whose registry thinks 20 ms about every
 * request. Both sides get the same bundle, trusted root and demands, and no answer but acceptance counts.
 * Gates: 1.8 times sigstore-go's rate; 1.6 and 0.7 of cosign's time. A peer that is not installed is a failure.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setFlagsFromString } from 'node:v8';
import { unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import { parseTrustedRoot } from '#formats/trusted-root';
import { identity, requireKeyless, trustMaterial, verifyBundle } from '#verify';
import { requirePeer } from '../../test/peers/cache.ts';
import { type Case, readCases, vectorsFolder } from '../../test/vectors/sigstore-cases.ts';
import { inTurns, type Program, ratioOf } from '../lib/processes.ts';
import { median, report } from '../lib/report.ts';
import { blobWords, imageWords, openBench, slowImage } from '../lib/subjects.ts';

// One core against one core: sigstore-go runs with GOMAXPROCS=1.
setFlagsFromString('--no-parallel-scavenge');

const DELAY_MS = 20;
const cosign = requirePeer('cosign');
const sigstoreGo = requirePeer('sigstore-go');

/** The conformance suite's bundle of the public instance. */
function publicGood(): { readonly item: Case; readonly at: (name: string) => string } {
  const folder = vectorsFolder();
  const item =
    folder === undefined ? undefined : readCases(folder).find(({ name }) => name === 'happy-path-v0.3');
  if (folder === undefined || item === undefined) {
    throw new Error('no conformance data at WAYBILL_SHARED: there is no public bundle to compare over');
  }
  return { item, at: (name) => resolve(join(folder, name)) };
}

/** How much faster than sigstore-go, both on one core, both parsing the bundle each time. */
async function againstGo(): Promise<number> {
  const { item, at } = publicGood();
  const [issuer, san] = [item.issuer ?? '', item.identity ?? ''];
  const file = at(`bundle-verify/${item.name}/bundle.sigstore.json`);
  const [bytes, artifact] = [readFileSync(file), readFileSync(at(item.artifact))];
  const trustedRoot = trustMaterial(unwrap(parseTrustedRoot(readFileSync(at(item.trustedRoot)))));
  const requirements = unwrap(requireKeyless({ identities: [unwrap(identity({ issuer, san }))] }));
  const ours = (count: number): number => {
    const start = process.hrtime.bigint();
    for (let i = 0; i < count; i++) {
      const bundle = unwrap(parseBundle(bytes));
      const verdict = verifyBundle({ artifact, bundle, trustedRoot, requirements, now: 0 });
      if (verdict.outcome !== 'accepted') throw new Error('waybill refused the bundle');
    }
    return Number(process.hrtime.bigint() - start) / count;
  };
  const child = spawn(sigstoreGo, [file, at(item.trustedRoot), at(item.artifact), san, issuer], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const theirs = async (count: number): Promise<number> => {
    child.stdin.write(`${count}\n`);
    const { value, done } = await answers.next();
    if (done === true) throw new Error('sigstore-go refused the bundle');
    return Number(value) / count;
  };
  ours(400);
  await theirs(20);
  const ratios: number[] = [];
  for (let round = 0; round < 40; round++) ratios.push((await theirs(4)) / ours(12));
  child.stdin.end();
  return median(ratios);
}

/** Our time as a part of cosign's, for a file offline and for an image behind a slow wire. */
async function againstCosign(): Promise<{ readonly blob: number; readonly image: number }> {
  const bench = await openBench();
  const image = await slowImage(bench.stack, DELAY_MS);
  const peer = (words: readonly string[]): Program => ({ ...bench.empty, command: cosign, args: words });
  try {
    const times = await inTurns(
      {
        blob: bench.waybill(blobWords),
        cosignBlob: peer([...blobWords, '--offline']),
        image: bench.waybill(imageWords(image.reference)),
        cosignImage: peer(imageWords(image.reference)),
      },
      21,
    );
    for (const [name, list] of Object.entries(times)) console.log(`${name}: ${median(list).toFixed(0)} ms`);
    return { blob: ratioOf(times.blob, times.cosignBlob), image: ratioOf(times.image, times.cosignImage) };
  } finally {
    await image.close();
    bench.close();
  }
}

const go = await againstGo();
const { blob, image } = await againstCosign();
const ratios = {
  'times sigstore-go': Number(go.toFixed(2)),
  'verify-blob offline, of cosign': Number(blob.toFixed(2)),
  [`verify at ${DELAY_MS} ms a request, of cosign`]: Number(image.toFixed(2)),
};
for (const [name, value] of Object.entries(ratios)) console.log(`${name}: ${value}`);
report('peers-verify', ratios, go >= 1.8 && blob <= 1.6 && image <= 0.7);
