/** The surroundings of the guide: a stack that plays GitHub, a repository to build, a webhook, a shell. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { keychain, Registry } from '#oci';
import { httpTransport } from '#platform/http-client';
import { systemClock, systemRandom } from '#platform/system';
import { createLogger } from '#platform/telemetry';
import { type Admission, createAdmission } from '#services/admission';
import { stackSimulation, stackTrustFiles } from '#trust';
import { makeRepository } from '../../demo/prepare.ts';
import { passes, type Server, serve } from '../../demo/tools.ts';
import { extractBlocks } from './extract.ts';
import { type Block, ownBlocks } from './lines.ts';
import { writeShims } from './shims.ts';

export interface World {
  readonly work: string;
  /** Where the blocks run. */
  readonly folder: string;
  readonly stackDir: string;
  readonly commit: string;
  readonly stack: Server;
  /** Variables of the shell; the workflow's are added when the guide grants them. */
  readonly env: Record<string, string>;
}

export interface ShellOutcome {
  readonly code: number;
  /** Both streams, as a terminal shows them. */
  readonly output: string;
}

const shared = process.env['WAYBILL_SHARED'] ?? '../shared';

/** The guide's own text where it is, else the project's list of the same lines. */
export function readBlocks(): { readonly blocks: readonly Block[]; readonly from: string } {
  const folder = join(shared, 'guide');
  const file = existsSync(folder) ? readdirSync(folder).find((name) => name.endsWith('.txt')) : undefined;
  if (file === undefined) {
    return { blocks: ownBlocks, from: 'the project’s own list of its lines (the guide is not there)' };
  }
  return { blocks: extractBlocks(readFileSync(join(folder, file), 'utf8')), from: file };
}

export async function openWorld(work: string): Promise<World> {
  const stackDir = join(work, 'stack');
  const up = ['stack', 'up', '--simulate', 'github', '--data', stackDir, '--port-base', '0'];
  const stack = await serve([...up, '--log-level', 'error'], 'stack', {
    ...{ cwd: work, env: { WAYBILL_STATE_DIR: join(work, 'state') } },
  });
  const source = join(work, 'source');
  const commit = makeRepository(source, writeService);
  const folder = join(work, 'run');
  mkdirSync(folder);
  const shims = join(work, 'shims');
  writeShims(shims);
  const env = {
    PATH: `${shims}:${process.env['PATH'] ?? ''}`,
    WAYBILL: resolve(process.env['WAYBILL_BIN'] ?? 'bin/waybill'),
    WAYBILL_STACK: stackDir,
    WAYBILL_CACHE: join(work, 'cache'),
    WAYBILL_DB: await buildDatabase(work),
    GIT_SHA: commit,
    GUIDE_WORK: work,
    GUIDE_SOURCE: source,
    GUIDE_NODE: process.execPath,
    GUIDE_KUBECTL: resolve('test/guide/kubectl.ts'),
  };
  return { work, folder, stackDir, commit, stack, env };
}

/** A service with one dependency, and how it becomes an image. */
function writeService(folder: string): void {
  const write = (path: string, text: string): void => {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  write(
    'app/package.json',
    JSON.stringify({ name: 'acme-api', version: '1.4.2', dependencies: { ms: '2.1.3' } }),
  );
  write('app/node_modules/ms/package.json', JSON.stringify({ name: 'ms', version: '2.1.3', license: 'MIT' }));
  write('app/index.js', 'console.log("api");\n');
  write(
    'waybill-build.yaml',
    [
      'version: 1',
      'steps:',
      '  - mkdir -p "$WAYBILL_OUTPUT/app" && cp -R "$WAYBILL_SOURCE/app/." "$WAYBILL_OUTPUT/app/"',
      'image:',
      '  layers: [{ from: app, to: /app }]',
      '  entrypoint: [node, /app/index.js]',
      '  user: "65532"',
      '',
    ].join('\n'),
  );
}

/** Real advisories where they are; else one record, so that the gate has something to compare with. */
async function buildDatabase(work: string): Promise<string> {
  const real = join(shared, 'advisories', 'retirejs-npm.jsonl.zst');
  const own = join(work, 'advisory.json');
  writeFileSync(own, JSON.stringify(ownAdvisory));
  const out = join(work, 'advisories.db');
  await passes(['db', 'build', existsSync(real) ? resolve(real) : own, '--out', out], { cwd: work });
  return out;
}

const ownAdvisory = {
  schema_version: '1.6.0',
  id: 'GUIDE-2026-1',
  modified: '2026-01-01T00:00:00Z',
  summary: 'A record of this run, about a version that is not in the image',
  database_specific: { severity: 'HIGH' },
  affected: [
    {
      package: { ecosystem: 'npm', name: 'ms' },
      ranges: [{ type: 'SEMVER', events: [{ introduced: '0' }, { fixed: '0.7.1' }] }],
    },
  ],
};

/** Runs a block in a shell of its own; DIGEST and IMAGE are carried on, as in one terminal. */
export function shell(text: string, world: World): Promise<ShellOutcome> {
  const state = join(world.work, 'variables');
  const script = [
    'set -euo pipefail',
    `if [ -f "${state}" ]; then . "${state}"; fi`,
    text,
    `declare -p DIGEST IMAGE > "${state}" 2>/dev/null || true`,
  ].join('\n');
  return new Promise((done, failed) => {
    const child = spawn('bash', ['-c', script], {
      cwd: world.folder,
      env: { ...process.env, ...world.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('error', failed);
    child.on('close', (code) => done({ code: code ?? -1, output: Buffer.concat(chunks).toString() }));
  });
}

/**
 * The webhook, in this process: `waybill serve` refuses the trust domain of a simulation, and so it should. It
 * reads the embedded registry under the guide's names and believes the stack's trusted root.
 */
export async function openWebhook(world: World, policy: string): Promise<Admission> {
  const simulation = await stackSimulation(world.stackDir);
  const transport = httpTransport();
  const admission = await createAdmission(
    {
      host: '127.0.0.1',
      port: 0,
      tls: { kind: 'selfMade', hosts: ['127.0.0.1'] },
      policyFiles: [policy],
      trustedRootFile: join(world.stackDir, stackTrustFiles.trustedRoot),
      mirrors: simulation?.mirrors ?? [],
    },
    {
      clock: systemClock,
      random: systemRandom,
      log: createLogger('admission', 'error'),
      evidence: new Registry({ transport, credentials: keychain({ env: {} }), random: systemRandom }),
    },
  );
  const ca = join(world.work, 'webhook-ca.pem');
  writeFileSync(ca, admission.caPem());
  world.env['GUIDE_WEBHOOK'] = admission.origin;
  world.env['GUIDE_WEBHOOK_CA'] = ca;
  return admission;
}
