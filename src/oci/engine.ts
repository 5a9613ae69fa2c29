/**
 * Images in the store of a container engine on this machine. Docker and podman hand an image out as the archive that
 * `docker save` writes, over the socket of their API. containerd keeps blobs by their digest in a folder, and their names
 * in a database of its own; both are read as they are.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '#base/brand';
import { parseDigest } from '#base/digest';
import { fail } from '#base/reason';
import type { Engine, EngineSource } from '#formats/image-source';
import { parseReference, referenceText } from '#formats/reference';
import { readFileLimited } from '#platform/files';
import { openSocketStream, type SocketStream } from '#platform/local-socket';
import { boltValue } from './bolt.ts';
import { readDockerArchive } from './docker-archive.ts';
import { LayoutSource } from './layout.ts';
import { directoryFiles, spooledTar } from './layout-files.ts';
import { R } from './reasons.ts';
import type { ImageSource, Selector } from './source.ts';

/** Where engines are looked for; of each list the first place that is there counts. */
export interface EnginePlaces {
  /** Unix sockets. */
  readonly docker: readonly string[];
  readonly podman: readonly string[];
  /** Root folders of containerd. */
  readonly containerd: readonly string[];
}

/** The usual places, and those the environment names as the engines' own clients read it. */
export function enginePlaces(env: Readonly<Record<string, string | undefined>>): EnginePlaces {
  const socketIn = (value: string | undefined): string[] => {
    const match = /^(?:unix:\/\/)?(\/.+)$/.exec(value ?? '');
    return match?.[1] === undefined ? [] : [match[1]];
  };
  const runtime = env['XDG_RUNTIME_DIR'];
  const own = (path: string): string[] => (runtime === undefined ? [] : [join(runtime, path)]);
  const named = { docker: socketIn(env['DOCKER_HOST']), podman: socketIn(env['CONTAINER_HOST']) };
  const root = env['CONTAINERD_ROOT'];
  return {
    docker: named.docker.length > 0 ? named.docker : ['/var/run/docker.sock', ...own('docker.sock')],
    podman:
      named.podman.length > 0 ? named.podman : [...own('podman/podman.sock'), '/run/podman/podman.sock'],
    containerd:
      root === undefined ? ['/var/lib/containerd', '/var/lib/rancher/k3s/agent/containerd'] : [root],
  };
}

export interface EngineImage {
  readonly source: ImageSource;
  readonly selector: Selector;
}

/** Opens an image of an engine. WB-518: the engine is not there or does not answer; WB-502: it has no such image. */
export async function openEngineImage(
  { engine, name }: EngineSource,
  places: EnginePlaces,
): Promise<EngineImage> {
  if (engine === 'containerd') return openContentStore(name, places.containerd);
  if (!/^[A-Za-z0-9][A-Za-z0-9._/:@-]{0,511}$/.test(name) || name.includes('..')) {
    throw fail(R.engineName, { expected: 'the name or the id of an image', actual: JSON.stringify(name) });
  }
  const { status, body } = await ask(engine, places[engine], `/images/${name}/get`);
  if (status === 404) {
    throw fail(R.notFound, { expected: `${name} in the store of ${engine}`, actual: await textOf(body) });
  }
  if (status !== 200) {
    const actual = `status ${status}: ${await textOf(body)}`;
    throw fail(R.engine, { expected: `${name} from ${engine}`, actual });
  }
  try {
    const files = await spooledTar(`${engine}:${name}`, body);
    return { source: await readDockerArchive(files), selector: {} };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === undefined) throw error;
    throw fail(R.engine, { expected: `the whole of ${name} from ${engine}`, actual: code }, error);
  }
}

const IDLE_MS = 120_000;
/** The socket is there, but nobody listens, or not to this user. */
const hints: Readonly<Record<string, string>> = {
  EACCES: 'run as a user who may use the engine, or use docker save and docker-archive:FILE',
};

async function ask(engine: Engine, sockets: readonly string[], path: string): Promise<SocketStream> {
  const tried: string[] = [];
  let hint: string | undefined;
  for (const socket of sockets) {
    try {
      return await openSocketStream(socket, path, IDLE_MS);
    } catch (error) {
      const { code = (error as Error).message } = error as NodeJS.ErrnoException;
      tried.push(`${socket}: ${code}`);
      hint ??= hints[code];
    }
  }
  const expected = `${engine} at ${sockets.join(' or ')}`;
  throw fail(R.engine, { expected, actual: tried.join(', '), ...(hint === undefined ? {} : { hint }) });
}

const MESSAGE_BYTES_MAX = 4096;

async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MESSAGE_BYTES_MAX) break;
  }
  const text = Buffer.concat(chunks).toString('utf8', 0, MESSAGE_BYTES_MAX);
  return (/"message"\s*:\s*"([^"\\]*)"/.exec(text)?.[1] ?? text.trim()) || 'no message';
}

const CONTENT = 'io.containerd.content.v1.content';
const METADATA = 'io.containerd.metadata.v1.bolt/meta.db';
const METADATA_BYTES_MAX = 512 * 1024 * 1024;

async function openContentStore(name: string, roots: readonly string[]): Promise<EngineImage> {
  for (const root of roots) {
    const folder = join(root, CONTENT);
    const info = await stat(join(folder, 'blobs')).catch(() => undefined);
    if (info?.isDirectory() !== true) continue;
    const digest = digestIn(name) ?? (await digestNamed(name, root));
    return { source: new LayoutSource(directoryFiles(folder), 'containerd'), selector: { digest } };
  }
  throw fail(R.engine, {
    expected: `the content store of containerd in ${roots.join(' or ')}`,
    actual: 'no such folder, or it may not be read',
    hint: 'run as a user who may read it, name its root folder (CONTAINERD_ROOT), or use ctr images export and oci-archive:FILE',
  });
}

function digestIn(name: string): Digest | undefined {
  const parsed = parseDigest(name.slice(name.lastIndexOf('@') + 1));
  return parsed.ok ? parsed.value : undefined;
}

/** Of ctr and nerdctl, of Kubernetes, of Docker. */
const namespaces = ['default', 'k8s.io', 'moby'];

/** containerd writes a name with its registry and tag; people leave out what is usual. */
async function digestNamed(name: string, root: string): Promise<Digest> {
  const file = join(root, METADATA);
  const parsed = parseReference(name);
  const full = parsed.ok ? referenceText({ tag: 'latest', ...parsed.value }) : name;
  const spellings = [...new Set([name, full])];
  let bytes: Uint8Array;
  try {
    bytes = await readFileLimited(file, METADATA_BYTES_MAX);
    for (const namespace of namespaces) {
      for (const spelling of spellings) {
        const value = boltValue(bytes, ['v1', namespace, 'images', spelling, 'target', 'digest']);
        const digest = value === undefined ? undefined : digestIn(Buffer.from(value).toString());
        if (digest !== undefined) return digest;
      }
    }
  } catch (error) {
    const actual = error instanceof Error ? error.message : String(error);
    throw fail(R.engine, { expected: `the names of containerd in ${file}`, actual }, error);
  }
  const expected = `${full} in the namespaces ${namespaces.join(', ')} of containerd`;
  throw fail(R.notFound, { expected, actual: 'no such name', hint: 'see ctr -n NAMESPACE images ls' });
}
