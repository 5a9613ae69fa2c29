/** A builder with everything around it in memory, and git repositories written for one test. */
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { Digest } from '#base/brand';
import { concat } from '#base/bytes';
import { Secret } from '#base/secret';
import type { JsonObject } from '#formats/json';
import { type Descriptor, describe, type Manifest } from '#formats/oci';
import type { ImageStore } from '#oci';
import { systemClock, systemRandom } from '#platform/system';
import { createLogger } from '#platform/telemetry';
import {
  type BuildClaims,
  type Builder,
  type BuilderConfig,
  type BuildStatus,
  createBuilder,
} from '#services/builder';

/** A repository in memory. `onPut` may refuse or falsify, to play a hostile registry. */
export class MemoryStore implements ImageStore {
  readonly name: string;
  readonly blobs = new Map<string, Uint8Array>();
  readonly manifests = new Map<string, Manifest>();
  readonly tags = new Map<string, string>();
  /** What happened, in order: `blob`, `manifest`, `tag:<name>`, `attach:<type>`. */
  readonly events: string[] = [];

  constructor(name: string) {
    this.name = name;
  }

  async resolve(selector: { tag?: string; digest?: Digest }): Promise<Descriptor> {
    const key = selector.digest ?? this.tags.get(selector.tag ?? '') ?? '';
    const manifest = this.manifests.get(key);
    if (manifest === undefined) throw new Error(`no ${key} in ${this.name}`);
    return describe(manifest.bytes, manifest.mediaType);
  }

  async manifest(digest: Digest): Promise<Manifest> {
    return this.manifests.get(digest) as Manifest;
  }

  async *blob(content: { digest: Digest }): AsyncGenerator<Uint8Array> {
    yield this.blobs.get(content.digest) as Uint8Array;
  }

  async referrers(): Promise<readonly Descriptor[]> {
    return [];
  }

  async putBlob(content: { digest: Digest }, open: () => AsyncIterable<Uint8Array>): Promise<void> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of open()) chunks.push(chunk);
    const bytes = concat(...chunks);
    if (describe(bytes, 'x').digest !== content.digest)
      throw new Error('the blob is not what its digest says');
    this.blobs.set(content.digest, bytes);
    this.events.push('blob');
  }

  async putManifest(manifest: Manifest, options: { tag?: string } = {}): Promise<void> {
    this.manifests.set(manifest.digest, manifest);
    if (options.tag !== undefined) this.tags.set(options.tag, manifest.digest);
    this.events.push(options.tag === undefined ? 'manifest' : `tag:${options.tag}`);
  }

  async updateTag(): Promise<never> {
    throw new Error('the builder never changes a tag in place');
  }
}

export interface Signed {
  readonly statement: JsonObject & {
    readonly predicateType: string;
    readonly predicate: JsonObject;
    readonly subject: readonly { name: string; digest: { sha256: string } }[];
  };
  readonly claims: BuildClaims;
  readonly bytes: Uint8Array;
}

export interface Workbench {
  readonly folder: string;
  readonly builder: Builder;
  readonly store: MemoryStore;
  readonly signed: readonly Signed[];
  /** Runs a build to its end. */
  build(request: JsonObject): Promise<BuildStatus>;
  log(id: string): Promise<string>;
}

export const isRoot = process.getuid?.() === 0;

/** A folder whose parents anybody may pass: builds run as another uid when the tests are root. */
export function openFolder(t: TestContext, before: () => Promise<void> = async () => {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-builder-'));
  chmodSync(folder, 0o711);
  t.after(async () => {
    await before();
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

let isSaid = false;

/** Builds run all the same; what isolation adds is tested where a back end gives it. */
function sayUnisolated(): void {
  if (!isSaid) console.log('note: no back end isolates builds here; they ran without isolation');
  isSaid = true;
}

export async function workbench(t: TestContext, config: Partial<BuilderConfig> = {}): Promise<Workbench> {
  const close = { builder: async () => {} };
  const folder = openFolder(t, () => close.builder());
  const store = new MemoryStore('registry.test/app');
  const signed: Signed[] = [];
  const builder = await createBuilder(
    {
      baseUri: 'https://builder.test',
      dataDir: join(folder, 'data'),
      workDir: join(folder, 'work'),
      backend: 'auto',
      noneAllowed: true,
      hosted: true,
      version: '0.0.0-test',
      sourceRoots: [folder],
      inputRoots: [folder],
      ...config,
    },
    {
      images: { repository: () => store },
      attach: async (_store, _image, _bundle, predicateType) => {
        store.events.push(`attach:${predicateType}`);
      },
      tokens: { mint: async (claims) => new Secret(`token for ${claims.subject}`) },
      signer: {
        sign: async (bytes, { claims, token }) => {
          if (token.reveal() !== `token for ${claims.subject}`) throw new Error('another token');
          signed.push({ statement: JSON.parse(Buffer.from(bytes).toString('utf8')), claims, bytes });
          return bytes;
        },
      },
      clock: systemClock,
      random: systemRandom,
      log: createLogger('builder', 'silent'),
    },
  );
  close.builder = () => builder.close();
  if ((config.backend ?? 'auto') === 'auto' && builder.report.backend === 'none') sayUnisolated();
  return {
    folder,
    builder,
    store,
    signed,
    build: async (request) => builder.finished((await builder.submit(request)).id),
    log: async (id) => Buffer.from(await builder.log(id)).toString('utf8'),
  };
}

export const gitEnv: Readonly<Record<string, string>> = {
  PATH: '/usr/local/bin:/usr/bin:/bin',
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'a',
  GIT_AUTHOR_EMAIL: 'a@example.test',
  GIT_COMMITTER_NAME: 'a',
  GIT_COMMITTER_EMAIL: 'a@example.test',
  GIT_AUTHOR_DATE: '2026-01-02T03:04:05Z',
  GIT_COMMITTER_DATE: '2026-01-02T03:04:05Z',
};

export const git = (cwd: string, ...args: string[]): string =>
  execFileSync('git', args, {
    cwd,
    env: gitEnv,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim();

/** A repository with one commit on `main` and the tag `v1.0.0`; returns its path. */
export function repository(folder: string, files: Readonly<Record<string, string>>): string {
  const path = join(folder, `repository-${Math.floor(process.hrtime()[1])}`);
  mkdirSync(path, { recursive: true });
  git(path, 'init', '--quiet', '--initial-branch=main');
  commit(path, files);
  git(path, 'tag', 'v1.0.0');
  return path;
}

export function commit(path: string, files: Readonly<Record<string, string>>): string {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), text, { mode: text.startsWith('#!') ? 0o755 : 0o644 });
  }
  git(path, 'add', '--all');
  git(path, 'commit', '--quiet', '--allow-empty', '--message=change');
  return git(path, 'rev-parse', 'HEAD');
}

/** A definition with one shell step that fills the output. */
export const definition = (script: string, more = ''): Record<string, string> => ({
  'waybill-build.yaml': `version: 1
steps:
  - [sh, -eu, build.sh]
${more}
image:
  layers:
    - from: .
      to: /app
  entrypoint: [/app/run]
`,
  'build.sh': script,
});

/** A folder with this Node, as an input for scripts that need more than a shell. */
export function nodeInput(folder: string): string {
  const path = join(folder, 'node-input');
  mkdirSync(path, { recursive: true });
  cpSync(process.execPath, join(path, 'node'));
  return path;
}

export interface Member {
  readonly path: string;
  readonly type: string;
  readonly mode: number;
  readonly target: string;
  readonly text: string;
}

/** A small reader of the layers the builder writes: names, kinds, content. */
export function readLayer(store: MemoryStore, digest: string): Member[] {
  const tar = gunzipSync(store.blobs.get(digest) as Uint8Array);
  const members: Member[] = [];
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const field = (from: number, length: number): string =>
      tar.toString('utf8', at + from, at + from + length).replace(/\0.*$/s, '');
    const size = Number.parseInt(field(124, 12), 8);
    members.push({
      path: field(0, 100),
      type: field(156, 1),
      mode: Number.parseInt(field(100, 8), 8),
      target: field(157, 100),
      text: tar.toString('utf8', at + 512, at + 512 + size),
    });
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return members;
}

export const readText = (path: string): string => readFileSync(path, 'utf8');
