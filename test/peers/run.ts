/**
 * `npm run test:peers [-- NAME…]`: the tests against real peers. A peer that is not installed is a failure,
 * never a skip. Without names: every peer there is a test for.
 */
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { createInterface } from 'node:readline';
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

const child = spawn(
  process.execPath,
  ['--test', '--test-concurrency=1', '--test-timeout=300000', '--test-reporter=spec', ...files],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
const counts = { pass: 0, fail: 0, cancelled: 0 };
createInterface({ input: child.stdout }).on('line', (line) => {
  const match = /^ℹ (pass|fail|cancelled) (\d+)$/.exec(line);
  if (match) counts[match[1] as keyof typeof counts] = Number(match[2]);
  console.log(line);
});
child.on('close', (code) => {
  const failed = counts.fail + counts.cancelled;
  console.log(`${counts.pass} passed, ${failed} failed`);
  process.exitCode = failed > 0 || counts.pass === 0 ? 1 : (code ?? 1);
});
