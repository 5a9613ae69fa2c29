/**
 * `npm run test:peers [-- NAME…]`: the tests against real peers. A peer that is not installed is a failure,
 * never a skip. Without names: every peer there is a test for.
 */
import { globSync } from 'node:fs';
import { runNodeTests } from '../node-test.ts';
import { peers } from './catalogue.ts';

const wanted = process.argv.slice(2);
const every = globSync('test/peers/*.test.ts').sort();
/** `cosign-storage.test.ts` belongs to the peer cosign. */
const nameOf = (file: string): string =>
  peers.find(({ name }) => /([^/\\]+)\.test\.ts$/.exec(file)?.[1]?.startsWith(name))?.name ?? file;
const unknown = wanted.filter((name) => !every.some((file) => nameOf(file) === name));
if (unknown.length > 0) {
  console.error(
    `no peer test named ${unknown.join(', ')}; there are: ${[...new Set(every.map(nameOf))].join(', ')}`,
  );
  process.exit(3);
}
const files = wanted.length === 0 ? every : every.filter((file) => wanted.includes(nameOf(file)));

runNodeTests(files, ['--test-concurrency=1', '--test-timeout=300000']);
