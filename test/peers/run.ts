/**
 * `npm run test:peers [-- NAME…]`: the tests against real peers. A peer that is not installed is a failure,
 * never a skip. Without names: every peer there is a test for. `sbom` and `scan` are the comparisons of what is found
 * in images, and of verdicts, with every peer that has an opinion; `services` are the real servers, `connect` is every
 * client at one stack. With `--record` what held is written into docs/compatibility.md.
 */
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runNodeTests } from '../node-test.ts';
import { peers } from './catalogue.ts';
import type { Claim } from './claims-reporter.ts';
import { record } from './compatibility.ts';

const areas: Readonly<Record<string, readonly string[]>> = {
  connect: ['one-stack.test.ts'],
  sbom: [
    'sbom-truth.test.ts',
    'syft.test.ts',
    'syft-census.test.ts',
    'syft-census-trees.test.ts',
    'trivy-packages.test.ts',
  ],
  services: [
    'fulcio.test.ts',
    'fulcio-certificates.test.ts',
    'fulcio-refusals.test.ts',
    'fulcio-metrics.test.ts',
  ],
  scan: [
    'grype.test.ts',
    'grype-csaf.test.ts',
    'grype-verdicts.test.ts',
    'scan-images.test.ts',
    'trivy.test.ts',
    'trivy-verdicts.test.ts',
  ],
};

const isRecorded = process.argv.includes('--record');
const wanted = process.argv.slice(2).filter((word) => word !== '--record');
const every = globSync('test/peers/*.test.ts').sort();
/** `cosign-storage.test.ts` belongs to the peer cosign. */
const nameOf = (file: string): string =>
  peers.find(({ name }) => /([^/\\]+)\.test\.ts$/.exec(file)?.[1]?.startsWith(name))?.name ?? file;
const belongs = (file: string, name: string): boolean =>
  areas[name]?.some((one) => file.endsWith(one)) ?? nameOf(file) === name;
const unknown = wanted.filter((name) => !every.some((file) => belongs(file, name)));
if (unknown.length > 0) {
  console.error(
    `no peer test named ${unknown.join(', ')}; there are: ${[...new Set(every.map(nameOf)), ...Object.keys(areas)].join(', ')}`,
  );
  process.exit(3);
}
const files =
  wanted.length === 0 ? every : every.filter((file) => wanted.some((name) => belongs(file, name)));

const options = ['--test-concurrency=1', '--test-timeout=300000'];
if (isRecorded) {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-claims-'));
  const out = join(folder, 'claims');
  options.push('--test-reporter-destination=stdout');
  options.push('--test-reporter=./test/peers/claims-reporter.ts', `--test-reporter-destination=${out}`);
  process.on('exit', () => {
    const lines = readFileSync(out, 'utf8').split('\n').filter(Boolean);
    const claims = lines.map((line) => JSON.parse(line) as Claim);
    record(claims, { isWhole: wanted.length === 0 });
    rmSync(folder, { recursive: true, force: true });
  });
}
runNodeTests(files, options);
