/**
 * `npm run guide`: every shell and YAML block of the guide, corrected where it is wrong, run in a real shell on a
 * stack that plays GitHub. The guide's tools are waybill's compatibility modes; what has no local equivalent is
 * simulated and said to be. Ends with the corrections and `N passed, N failed`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Walk } from '../../demo/walk.ts';
import { lintStep, runShell } from './blocks.ts';
import { type Corrected, type Correction, correct } from './corrections.ts';
import type { Block } from './lines.ts';
import { closePolicies, runYaml } from './policies.ts';
import { equivalents } from './shims.ts';
import { openWorld, readBlocks, type World } from './world.ts';

const work = mkdtempSync(join(tmpdir(), 'waybill-guide-'));
const walk = new Walk();
let world: World | undefined;
const stop = async (): Promise<void> => {
  await closePolicies();
  await world?.stack.stop();
  rmSync(work, { recursive: true, force: true });
};
process.once('SIGINT', () => void stop().finally(() => process.exit(130)));

const titleOf = ({ text }: Block): string => {
  const words = text
    .trimStart()
    .split('\n')
    .slice(0, 2)
    .join(' ')
    .replace(/\s*\\?\s+|\s*\\$/g, ' ')
    .trim();
  return words.length > 88 ? `${words.slice(0, 87)}…` : words;
};

/** One block: first what the linter says about both forms, where they differ, then the corrected one is run. */
async function runBlock(block: Block, corrected: Corrected, at: World): Promise<void> {
  const title = titleOf(block);
  const mark = corrected.applied.length === 0 ? '' : ' [corrected]';
  await walk.step(`${title}${mark}`, () =>
    block.kind === 'shell' ? runShell(corrected.text, at) : runYaml(corrected.text, at),
  );
  if (corrected.applied.length === 0) return;
  await walk.step(`policy lint: ${title}`, () => lintStep(block, corrected, at));
}

function printCorrections(applied: ReadonlySet<Correction>): void {
  console.log('\nCorrections:');
  for (const { guide, ours, why } of applied) {
    const lines = (text: string, sign: string): string[] =>
      text.split('\n').map((line) => `  ${sign} ${line}`);
    console.log([...lines(guide, '-'), ...lines(ours, '+'), `    ${why}`, ''].join('\n'));
  }
  console.log('Simulated:');
  for (const [tool, ours] of Object.entries(equivalents)) console.log(`  ${tool}: ${ours}`);
}

const applied = new Set<Correction>();
try {
  const { blocks, from } = readBlocks();
  walk.heading(`The guide's ${blocks.length} blocks, from ${from}`);
  world = await walk.step('stack up --simulate github', async () => {
    const value = await openWorld(work);
    return { detail: 'SIMULATED: a trust domain of its own; ghcr.io/acme/* is the embedded registry', value };
  });
  for (const block of blocks) {
    const corrected = correct(block.text);
    for (const correction of corrected.applied) applied.add(correction);
    // A block that fails is on record; the next may still stand on its own.
    await runBlock(block, corrected, world).catch(() => {});
  }
} catch (error) {
  if (walk.counts.failed === 0) console.error(error);
} finally {
  await stop();
}
printCorrections(applied);
const { passed, failed } = walk.counts;
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
console.log(`\n${passed} passed, ${failed} failed`);
