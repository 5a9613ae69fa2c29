/** Builds on disk: one record each, replaced as a whole, and one log. A record is written before it is shown. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { utf8Text } from '#base/bytes';
import { type Reason, reason } from '#base/reason';
import { makeFolders, readFileIfThere, writeFileDurable } from '#platform/files';
import type { BuildResult } from './build.ts';
import { R } from './reasons.ts';
import type { BuildRequest } from './request.ts';

export interface BuildStatus {
  readonly schema: 'waybill.dev/build/v1';
  readonly id: string;
  readonly state: 'queued' | 'running' | 'succeeded' | 'failed';
  readonly request: BuildRequest;
  /** RFC 3339 */
  readonly createdOn: string;
  readonly startedOn?: string;
  readonly finishedOn?: string;
  readonly result?: BuildResult;
  readonly reason?: Reason;
}

const idForm = /^[0-9a-f]{32}$/;

export class BuildStore {
  readonly #folder: string;
  readonly #logs: string;

  private constructor(dataDir: string) {
    this.#folder = join(dataDir, 'builds');
    this.#logs = join(dataDir, 'logs');
  }

  static async open(dataDir: string): Promise<BuildStore> {
    const store = new BuildStore(dataDir);
    for (const folder of [store.#folder, store.#logs]) await makeFolders(folder, 0o700);
    return store;
  }

  async put(status: BuildStatus): Promise<void> {
    await writeFileDurable(join(this.#folder, `${status.id}.json`), JSON.stringify(status), { mode: 0o600 });
  }

  async get(id: string): Promise<BuildStatus | undefined> {
    if (!idForm.test(id)) return undefined;
    const bytes = await readFileIfThere(join(this.#folder, `${id}.json`));
    return bytes === undefined ? undefined : (JSON.parse(utf8Text(bytes)) as BuildStatus);
  }

  logPath(id: string): string {
    return join(this.#logs, `${id}.log`);
  }

  /** The log so far; undefined before the build started. */
  log(id: string): Promise<Uint8Array | undefined> {
    return idForm.test(id) ? readFileIfThere(this.logPath(id)) : Promise.resolve(undefined);
  }

  /**
   * Builds a former process left unfinished are told as failed. It may have ended between the last step and the
   * record: then the image is there with its provenance, although the record says that the build failed.
   */
  async failUnfinished(finishedOn: string): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      if (!name.endsWith('.json')) continue;
      const status = await this.get(name.slice(0, -'.json'.length));
      if (status === undefined || (status.state !== 'queued' && status.state !== 'running')) continue;
      const why = reason(R.interrupted, { expected: 'the builder to run on', actual: 'it was stopped' });
      await this.put({ ...status, state: 'failed', finishedOn, reason: why });
    }
  }
}
