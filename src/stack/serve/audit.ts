/**
 * The audit service as a station of its own: it follows the logs of a trusted root by URL, reads registries by URL, and
 * answers from its own folder. It holds no key and signs nothing: whoever asks proves the answer.
 */
import { join } from 'node:path';
import { toHex } from '#base/bytes';
import { fail, reasonText, WaybillError } from '#base/reason';
import type { LogAuthority } from '#formats/trusted-root';
import { AuditIndex, Claims, registerAudit } from '#services/audit';
import { loadTrust, type TrustSource } from '#trust';
import { FollowedLog } from './followed-log.ts';
import type { StationDeps, StationParts } from './frame.ts';
import { R } from './reasons.ts';
import { type ReadingSettings, readRegistries } from './registry-reading.ts';

export interface AuditSettings {
  /** Which logs there are, and their keys; asked again and again, so that a rotation is noticed. */
  readonly trust: TrustSource | undefined;
  readonly registries: ReadingSettings;
  /** Milliseconds between two passes over the registries. Default one minute. */
  readonly readingMs?: number;
}

const READING_MS = 60_000;

export async function auditParts(settings: AuditSettings, deps: StationDeps): Promise<StationParts> {
  const { clock, dataDir, log, isInit, createdAt } = deps;
  if (settings.trust === undefined && !isInit) {
    const expected = '--trusted-root FILE, or --tuf-mirror URL and --tuf-root FILE';
    throw fail(R.settings, { expected, actual: 'neither' });
  }
  const claims = new Claims({ dataDir: join(dataDir, 'claims') }, clock);
  const station = new AuditStation(settings, deps, claims);
  // Logs and registries may start later: /readyz tells.
  if (!isInit) station.work().catch((error: unknown) => log.error({ err: error }, 'not read; tried again'));
  return {
    bodyBytesMax: 1024,
    register: (app) => {
      // Without a log an empty answer would say that nothing is there.
      app.addHook('preHandler', async (request) => {
        if (station.logs.length > 0 || !request.url.startsWith('/api/')) return;
        throw fail(R.notFollowed, { expected: 'logs that were read', actual: station.trouble ?? 'none' });
      });
      registerAudit(app, new AuditIndex({ claims, logs: station.logs }));
    },
    about: { station: 'audit', createdAt },
    unready: () => station.trouble,
    metrics: (metrics) => {
      const covered = (): number => station.logs.reduce((sum, one) => sum + one.covered, 0);
      metrics.gauge('entries', 'Entries of logs that are indexed.', covered);
      metrics.gauge('claims', 'Signed statements and signatures that are kept.', () => claims.count());
      const stuck = (): number => station.logs.filter((one) => one.trouble !== undefined).length;
      metrics.gauge('logs_not_followed', 'Logs that are not followed, or not yet.', stuck);
    },
    reload: () => station.work(),
    close: async () => {
      await station.close();
      await claims.close();
    },
  };
}

class AuditStation {
  /** In the order they were found; the index of the audit service counts them. */
  readonly logs: FollowedLog[] = [];
  readonly #settings: AuditSettings;
  readonly #deps: StationDeps;
  readonly #claims: Claims;
  #running: Promise<void> | undefined;
  #reading: Promise<void> | undefined;
  #readAt = Number.NEGATIVE_INFINITY;
  #trouble: string | undefined = 'the logs have not been read yet';
  #isClosed = false;

  constructor(settings: AuditSettings, deps: StationDeps, claims: Claims) {
    this.#settings = settings;
    this.#deps = deps;
    this.#claims = claims;
  }

  get trouble(): string | undefined {
    return this.#trouble ?? this.logs.map((log) => log.trouble).find((why) => why !== undefined);
  }

  /** Looks at trust, logs and registries; calls at a time share one look. Throws when a log cannot be read. */
  work(): Promise<void> {
    this.#running ??= this.#workOnce().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #workOnce(): Promise<void> {
    if (this.#isClosed) return;
    this.#readInTime();
    try {
      await this.#findLogs();
      for (const log of this.logs) await log.follow();
      this.#trouble = undefined;
    } catch (error) {
      if (this.logs.every((log) => log.trouble !== undefined)) this.#trouble = wordsOf(error);
      throw error;
    }
  }

  async #findLogs(): Promise<void> {
    const { trust } = this.#settings;
    if (trust === undefined) return;
    const { trustedRoot } = await loadTrust(trust, this.#deps);
    for (const authority of newestByAddress(trustedRoot.tlogs)) {
      const url = authority.baseUrl;
      if (this.logs.some((log) => log.url === url)) continue;
      const dir = join(this.#deps.dataDir, 'logs');
      this.logs.push(await FollowedLog.open(authority, dir, this.#deps));
      this.#deps.log.info({ url, logId: toHex(authority.logId) }, 'following');
    }
  }

  /** In the background: searches say that it goes on, and do not wait long. */
  #readInTime(): void {
    const { clock, log } = this.#deps;
    const { registries, readingMs = READING_MS } = this.#settings;
    const isAny = registries.hosts.length + registries.repositories.length > 0;
    if (!isAny || this.#reading !== undefined || clock.now() - this.#readAt < readingMs) return;
    this.#readAt = clock.now();
    this.#reading = readRegistries(registries, this.#claims, log).finally(() => {
      this.#reading = undefined;
    });
    this.#claims.announceReading(this.#reading);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#running?.catch(() => {});
    await this.#reading?.catch(() => {});
    for (const log of this.logs) await log.close();
  }
}

/** Logs that followed each other under one address are one to its readers; the newest key signs its checkpoints. */
function newestByAddress(logs: readonly LogAuthority[]): readonly LogAuthority[] {
  return [...new Map(logs.map((log) => [log.baseUrl, log])).values()];
}

const wordsOf = (error: unknown): string =>
  error instanceof WaybillError ? reasonText(error.reason) : String(error);
