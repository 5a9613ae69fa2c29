/** `npm run conformance -- tuf`: every case through the executable, over HTTP on loopback. */
import { tufCases } from './cases.ts';
import { executable, inWorld } from './client.ts';

const failures: string[] = [];
const counts = new Map<string, number>();
for (const { group, name, run } of tufCases) {
  try {
    await inWorld(executable, run);
    counts.set(group, (counts.get(group) ?? 0) + 1);
  } catch (error) {
    failures.push(`${group}: ${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
for (const [group, count] of counts) console.log(`${group.padEnd(12)} ${count}`);
for (const failure of failures) console.log(`FAILED ${failure}`);
console.log(`${tufCases.length - failures.length} passed, ${failures.length} failed`);
process.exitCode = failures.length === 0 ? 0 : 1;
