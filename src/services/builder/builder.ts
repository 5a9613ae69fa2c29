/** The control plane: chooses and tests the back end, queues requests, runs builds, keeps their records. */
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { equalBytes, readUint, toHex, utf8 } from '#base/bytes';
import { rfc3339 } from '#base/clock';
import { sha256 } from '#base/crypto';
import type { Random } from '#base/random';
import { fail, type Reason, reason, WaybillError } from '#base/reason';
import type { JsonValue } from '#formats/json';
import { makeFolders } from '#platform/files';
import { R as platformReasons } from '#platform/reasons';
import { runBuild, type Workshop } from './build.ts';
import { type BackendName, type BuilderConfig, type BuilderDeps, builderDefaults } from './config.ts';
import { BuildLog } from './log.ts';
import { R } from './reasons.ts';
import { parseBuildRequest } from './request.ts';
import type { SandboxBackend } from './sandbox.ts';
import { bwrapBackend } from './sandbox-bwrap.ts';
import { processesOf } from './sandbox-process.ts';
import { usernsBackend } from './sandbox-userns.ts';
import { noneBackend, uidBackend } from './sandbox-weak.ts';
import { type CapabilityReport, selfTest } from './self-test.ts';
import { hashTree, removeTree } from './stage.ts';
import { type BuildStatus, BuildStore } from './store.ts';
import { outputLimits } from './tree-walk.ts';

export interface Builder {
  /** What this builder closes on this host, and the level that follows. */
  readonly report: CapabilityReport;
  /** Queues a build; the answer is its record. WB-1110 malformed, WB-1112 queue full. */
  submit(request: JsonValue): Promise<BuildStatus>;
  /** WB-1113 for an unknown id. */
  status(id: string): Promise<BuildStatus>;
  log(id: string): Promise<Uint8Array>;
  /** Settles when the build has ended; rejects when its record cannot be kept. */
  finished(id: string): Promise<BuildStatus>;
  /** Whether a request with this Authorization header may build. */
  mayCall(authorization: string | undefined): boolean;
  /** Takes no more builds, waits for those that run. */
  close(): Promise<void>;
}

/** Strongest first. `none` is not here: it is taken by name, or where the operator allowed it. */
const automatic: readonly SandboxBackend[] = [usernsBackend, bwrapBackend, uidBackend];

const byName: Readonly<Record<BackendName, SandboxBackend>> = {
  userns: usernsBackend,
  bwrap: bwrapBackend,
  uid: uidBackend,
  none: noneBackend,
};

/** Starts a builder: finds a back end that works here and measures it. WB-1119 when none does. */
export async function createBuilder(config: BuilderConfig, deps: BuilderDeps): Promise<Builder> {
  await makeFolders(config.workDir);
  // Builds pass through; only their owner may list it.
  await chmod(config.workDir, 0o711);
  const store = await BuildStore.open(config.dataDir);
  await store.failUnfinished(rfc3339(deps.clock.now()));
  const { backend, report } = await chooseBackend(config, deps);
  const code = await hashTree(import.meta.dirname, outputLimits);
  deps.log.info({ backend: report.backend, level: report.level.level, open: report.open }, 'builder ready');
  return new BuilderService({ config, deps, backend, report, builderDigest: code.digest }, store);
}

async function chooseBackend(
  config: BuilderConfig,
  deps: BuilderDeps,
): Promise<{ backend: SandboxBackend; report: CapabilityReport }> {
  const lastResort = config.noneAllowed === true ? [noneBackend] : [];
  const candidates = config.backend === 'auto' ? [...automatic, ...lastResort] : [byName[config.backend]];
  const refused: string[] = [];
  for (const backend of candidates) {
    const why = await backend.probe();
    if (why === undefined) {
      const report = await testBackend(backend, config, deps);
      if (report.selfTest === 'passed') return { backend, report };
      refused.push(`${backend.name}: self-test failed (${report.open.join(', ')})`);
    } else refused.push(`${backend.name}: ${why}`);
  }
  throw fail(R.sandbox, {
    expected:
      config.backend === 'auto' ? 'a back end that isolates builds' : `back end ${config.backend} to work`,
    actual: refused.join('; '),
    hint: 'allow user namespaces or run as root; back end "none" builds without isolation and says so',
  });
}

async function testBackend(
  backend: SandboxBackend,
  config: BuilderConfig,
  deps: BuilderDeps,
): Promise<CapabilityReport> {
  const folder = join(config.workDir, `self-test-${toHex(deps.random.bytes(16))}`);
  await mkdir(folder, { mode: 0o711 });
  try {
    return await selfTest(backend, {
      folder,
      ...freshUid(backend, config, deps.random),
      random: deps.random,
      baseUri: config.baseUri,
      hosted: config.hosted ?? false,
      secretFiles: config.secretFiles ?? [],
    });
  } finally {
    await removeTree(folder);
  }
}

const UID_BYTES = 3;

/**
 * A uid nobody had before, when there are uids to give: no process, file or neighbour is its own, and ending
 * everything of that uid ends nothing else. The range is one no system hands out.
 */
function freshUid(backend: SandboxBackend, config: BuilderConfig, random: Random): { uid?: number } {
  // Without a back end that changes the user, the files of a build belong to the builder itself.
  if (process.getuid?.() !== 0 || backend.name === 'none') return {};
  for (;;) {
    const uid = (config.uidBase ?? builderDefaults.uidBase) + readUint(random.bytes(UID_BYTES), 0, UID_BYTES);
    if (processesOf(uid).length === 0) return { uid };
  }
}

class BuilderService implements Builder {
  readonly report: CapabilityReport;
  readonly #shop: Workshop;
  readonly #store: BuildStore;
  readonly #waiting: string[] = [];
  readonly #ends = new Map<string, PromiseWithResolvers<BuildStatus>>();
  #free: number;
  readonly #running = new Set<Promise<void>>();
  #closed = false;

  constructor(shop: Workshop, store: BuildStore) {
    this.#shop = shop;
    this.#store = store;
    this.report = shop.report;
    this.#free = shop.config.concurrency ?? builderDefaults.concurrency;
  }

  mayCall(authorization: string | undefined): boolean {
    const { callerToken } = this.#shop.config;
    if (callerToken === undefined) return true;
    const given = /^Bearer (.+)$/i.exec(authorization ?? '')?.[1];
    // Hashes are compared, so the time it takes tells nothing about the token.
    return given !== undefined && equalBytes(sha256(utf8(given)), sha256(utf8(callerToken.reveal())));
  }

  async submit(body: JsonValue): Promise<BuildStatus> {
    const request = parseBuildRequest(body);
    const max = this.#shop.config.queueMax ?? builderDefaults.queueMax;
    if (this.#closed || this.#waiting.length >= max) {
      const actual = this.#closed ? 'a builder that is stopping' : `${max} waiting builds`;
      throw fail(R.queueFull, { expected: 'room in the queue', actual });
    }
    const status: BuildStatus = {
      schema: 'waybill.dev/build/v1',
      id: toHex(this.#shop.deps.random.bytes(16)),
      state: 'queued',
      request,
      createdOn: this.#now(),
    };
    await this.#store.put(status);
    this.#ends.set(status.id, Promise.withResolvers());
    this.#waiting.push(status.id);
    this.#startNext();
    return status;
  }

  async status(id: string): Promise<BuildStatus> {
    const status = await this.#store.get(id);
    if (status === undefined)
      throw fail(R.unknownBuild, { expected: 'a known build id', actual: id.slice(0, 64) });
    return status;
  }

  async log(id: string): Promise<Uint8Array> {
    await this.status(id);
    return (await this.#store.log(id)) ?? new Uint8Array(0);
  }

  finished(id: string): Promise<BuildStatus> {
    return this.#ends.get(id)?.promise ?? this.status(id);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting.length = 0;
    await Promise.all(this.#running);
    await this.#store.failUnfinished(this.#now());
  }

  #now(): string {
    return rfc3339(this.#shop.deps.clock.now());
  }

  #startNext(): void {
    const id = this.#free > 0 ? this.#waiting.shift() : undefined;
    if (id === undefined) return;
    this.#free -= 1;
    const work = this.#run(id).finally(() => {
      this.#running.delete(work);
      this.#free += 1;
      this.#startNext();
    });
    this.#running.add(work);
  }

  async #run(id: string): Promise<void> {
    const end = this.#ends.get(id);
    // Not everybody who submits waits for the end.
    end?.promise.catch(() => {});
    try {
      end?.resolve(await this.#runRecorded(id));
    } catch (error) {
      // The record cannot be kept; the builder goes on, and its next start tells of the build as failed.
      this.#shop.deps.log.error({ err: error, build: id }, 'the record of a build cannot be kept');
      end?.reject(error);
    } finally {
      this.#ends.delete(id);
    }
  }

  async #runRecorded(id: string): Promise<BuildStatus> {
    const queued = await this.status(id);
    const started: BuildStatus = { ...queued, state: 'running', startedOn: this.#now() };
    await this.#store.put(started);
    const log = new BuildLog(this.#store.logPath(id));
    let ended: BuildStatus;
    try {
      const job = {
        id,
        request: queued.request,
        log,
        ...freshUid(this.#shop.backend, this.#shop.config, this.#shop.deps.random),
      };
      const result = await runBuild(this.#shop, job);
      ended = { ...started, state: 'succeeded', finishedOn: this.#now(), result };
    } catch (error) {
      const why = this.#reasonOf(error);
      log.say(`failed: ${why.code} ${why.check}: expected ${why.expected}, got ${why.actual}`);
      ended = { ...started, state: 'failed', finishedOn: this.#now(), reason: why };
    } finally {
      log.close();
    }
    await this.#store.put(ended);
    return ended;
  }

  #reasonOf(error: unknown): Reason {
    if (error instanceof WaybillError) return error.reason;
    this.#shop.deps.log.error({ err: error }, 'defect');
    return reason(platformReasons.defect, { expected: 'no defect', actual: 'an internal error' });
  }
}
