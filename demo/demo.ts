/**
 * `npm run demo`: the whole chain on a real image, on a private stack in a temporary folder. Every step is a
 * child process of bin/waybill or an HTTP request; this folder imports nothing of src.
 *
 *   npm run demo                       builds waybill's own service and walks it
 *   npm run demo -- --image REF        walks your image (a registry reference or oci:DIR)
 *   --json FILE                        the record for machines
 *   --keep                             leaves the stack running and prints how to use it
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { admitBuilt, admitUserImage } from './admission.ts';
import { searchLog } from './audit.ts';
import { buildImage, signAndAttest, verifyChain } from './chain.ts';
import { breakGlass, drainUses } from './exceptions.ts';
import { afterTheFire, checklist, lintAndDoctor, otherWords, page, promote } from './mission.ts';
import { attestationRefusals, signatureRefusals } from './refusals.ts';
import { RawRegistry } from './registry.ts';
import { must, peak, serve } from './tools.ts';
import { walkUserImage } from './user-image.ts';
import { Walk } from './walk.ts';
import type { World } from './world.ts';

const { values: flags } = parseArgs({
  options: {
    image: { type: 'string' },
    json: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
});

async function startWorld(work: string, ...more: readonly string[]): Promise<World> {
  const stackDir = join(work, 'stack');
  const args = ['stack', 'up', '--data', stackDir, '--port-base', '0', '--log-level', 'error', ...more];
  const stack = await serve(args, 'stack', { cwd: work, env: { WAYBILL_STATE_DIR: join(work, 'state') } });
  const origins = stack.ready['origins'] as Record<string, string>;
  must(typeof origins?.['registry'] === 'string', 'the stack names no registry');
  return {
    work,
    stackDir,
    stack,
    origins,
    registryHost: new URL(origins['registry']).host,
    raw: new RawRegistry(origins['registry']),
    run: { cwd: work, env: { WAYBILL_STACK: stackDir, WAYBILL_CACHE: join(work, 'cache') } },
  };
}

function openWorld(walk: Walk): Promise<World> {
  const work = mkdtempSync(join(tmpdir(), 'waybill-demo-'));
  return walk.step('stack up: CA, CT log, two logs, timestamps, TUF, OIDC, registry, audit', async () => {
    const value = await startWorld(work);
    const services = Object.keys(value.origins).length;
    return { detail: `${services} services ready in ${value.stack.ready['milliseconds']} ms`, value };
  });
}

async function walkBuiltImage(world: World, walk: Walk): Promise<void> {
  walk.heading('Build, describe, sign');
  const image = await buildImage(world, walk);
  walked = image.pinned;
  await signAndAttest(world, walk, image);
  walk.heading('Verify');
  await verifyChain(world, walk, image);
  walk.heading('Refuse');
  await signatureRefusals(world, walk, image);
  await attestationRefusals(world, walk, image);
  walk.heading('Admit');
  await admitBuilt(world, walk, image);
  walk.heading('Audit');
  const expected = ['signature', 'signature (plain)', 'SBOM (CycloneDX)', 'provenance (SLSA v1)'];
  await searchLog(world, walk, image.digest, expected);
  walk.heading('The rest of the mission');
  await checklist(world, walk, image);
  await lintAndDoctor(world, walk);
  await promote(world, walk, image);
  await breakGlass(world, walk);
  await drainUses(world, walk);
  await otherWords(world, walk, image);
  await page(world, walk, image);
  // With --keep the images stay, for whoever wants to look.
  if (!flags.keep) await afterTheFire(world, walk, image.digest, (wipe) => restarted(world, wipe));
}

/** Stops the stack, lets something happen to its images, gives them up, starts it on the same directory. */
async function restarted(before: World, between: () => void): Promise<World> {
  await before.stack.stop();
  between();
  world = await startWorld(before.work, '--empty-registry');
  return world;
}

function report(walk: Walk, image: string | undefined): void {
  const { passed, failed } = walk.counts;
  const mib = (bytes: number): string =>
    bytes === 0 ? 'not measured' : `${Math.round(bytes / 2 ** 20)} MiB`;
  const startup = walk.records[0]?.milliseconds ?? 0;
  console.log(
    `\nmachine  ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
  );
  console.log(`startup  ${startup} ms, process start included`);
  console.log(`total    ${walk.seconds.toFixed(1)} s`);
  console.log(
    `memory   stack ${mib(peak.stack)}, webhook ${mib(peak.webhook)}, largest command ${mib(peak.command)}`,
  );
  for (const left of walk.skipped) console.log(`left out ${left}`);
  if (flags.json !== undefined) {
    const record = {
      schema: 'waybill.dev/demo/v1',
      passed,
      failed,
      seconds: Number(walk.seconds.toFixed(1)),
      peakBytes: peak,
      steps: walk.records,
      leftOut: walk.skipped,
      ...(image === undefined ? {} : { image }),
      ...(flags.keep && world !== undefined
        ? { kept: { stackDir: world.stackDir, pid: world.stack.pid } }
        : {}),
    };
    writeFileSync(flags.json, `${JSON.stringify(record, null, 2)}\n`);
  }
  console.log(`${passed} passed, ${failed} failed`);
}

function keepRunning(world: World): void {
  console.log(`\nThe stack keeps running (process ${world.stack.pid}); its data is in ${world.stackDir}`);
  console.log(`  export WAYBILL_STACK=${world.stackDir}`);
  console.log(`  bin/waybill stack status --env        # variables for cosign and others`);
  console.log(`  curl http://${world.registryHost}/v2/_catalog`);
  console.log(`  kill ${world.stack.pid}                           # stops it`);
}

const walk = new Walk();
let world: World | undefined;
/** `registry/repository@digest` of the image the walk built. */
let walked: string | undefined;
let isBroken = false;
const stop = async (): Promise<void> => {
  await world?.stack.stop();
  if (world !== undefined) rmSync(world.work, { recursive: true, force: true });
};
process.once('SIGINT', () => void stop().finally(() => process.exit(130)));
try {
  walk.heading('A private stack');
  world = await openWorld(walk);
  if (flags.image === undefined) await walkBuiltImage(world, walk);
  else {
    const digest = await walkUserImage(world, walk, flags.image);
    walk.heading('Admit');
    await admitUserImage(world, walk, digest);
    walk.heading('Audit');
    await searchLog(world, walk, digest, ['signature', 'signature (plain)', 'SBOM (CycloneDX)']);
  }
} catch (error) {
  // The failed step is on record; what needs it cannot run. Without one, the walk itself broke.
  if (walk.counts.failed === 0) {
    console.error(error);
    isBroken = true;
  }
}
process.exitCode = !isBroken && walk.counts.failed === 0 && walk.counts.passed > 0 ? 0 : 1;
if (flags.keep && world !== undefined) {
  keepRunning(world);
  report(walk, walked);
  process.exit();
} else {
  await stop();
  report(walk, walked);
}
