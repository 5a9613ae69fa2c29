/**
 * `npm test`: everything that needs no other tool. Runs node:test over test/ (peers and slow soaks have their
 * own scripts), says which suites need data that is not there, and ends with `N passed, N failed`.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { memoryFolder } from './memory-folder.ts';
import { runNodeTests } from './node-test.ts';

const wanted = process.argv.slice(2);
const patterns = wanted.length > 0 ? wanted : ['test/**/*.test.ts'];
const found = patterns
  .flatMap((pattern) => globSync(pattern))
  .filter((file) => !/^test[/\\]peers[/\\]/.test(file))
  .sort();

/** What builds from a repository, applies a patch, or asks git which files are the project's. */
const needsGit =
  /^test[/\\](?:demo[/\\]|doctor[/\\]doctor\.|flows[/\\]build-provenance\.|services[/\\]builder|tidy[/\\](?:arrows|style)\.)/;
const hasGit = spawnSync('git', ['--version']).status === 0;
const files = found.filter((file) => hasGit || !needsGit.test(file));
if (files.length < found.length) {
  const left = found.filter((file) => !files.includes(file)).join(', ');
  console.log(`note: git is not there; these suites did not run: ${left}`);
}

const shared = resolve(process.env['WAYBILL_SHARED'] ?? '../shared');
if (!existsSync(shared)) {
  console.log(`note: no shared data at WAYBILL_SHARED; the suites that read it did not run`);
} else {
  process.env['WAYBILL_SHARED'] = shared;
}

if (process.env['TMPDIR'] === undefined) {
  const folder = memoryFolder();
  if (folder !== undefined) process.env['TMPDIR'] = folder;
}

// One file more than there are cores: many wait for a process they started, or for time to pass. The slowest test
// takes some twenty seconds of an idle machine; the limit is for one that hangs, on a slow one too.
const together = availableParallelism() + 1;
runNodeTests(files, [`--test-concurrency=${together}`, '--test-timeout=900000']);
