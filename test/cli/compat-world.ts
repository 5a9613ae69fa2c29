/** A stack that plays GitHub with one signed image, and both ways to ask about it: in our words and in others'. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { packTar } from 'modern-tar';
import { utf8Text } from '#base/bytes';
import { buildManifest, mediaType } from '#formats/oci';
import { httpTransport } from '#platform/http-client';
import { systemClock, systemRandom } from '#platform/system';
import { composeStack, type Stack } from '#stack';
import { type NativeRun, runNative } from '../../src/cli/compat/native.ts';
import type { CliContext } from '../../src/cli/context.ts';
import { verbs } from '../../src/cli/verbs.ts';
import { putBytes, repositoryAt } from '../oci/helpers.ts';

export const ISSUER = 'https://token.actions.githubusercontent.com';
export const RELEASE = 'https://github.com/acme/api/.github/workflows/release.yml@refs/tags/v1.4.2';
export const GENERATOR =
  'https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml@refs/tags/v2.0.0';
export const COMMIT = 'a1'.repeat(20);

export interface CompatWorld {
  readonly folder: string;
  readonly stack: Stack;
  /** `ghcr.io/acme/api@sha256:…`: signed, with SBOM and provenance. */
  readonly image: string;
  /** Another digest, with nothing attached. */
  readonly unsigned: string;
  readonly env: Record<string, string>;
}

const worlds: { readonly stack: Stack; readonly folder: string }[] = [];
after(async () => {
  for (const { stack, folder } of worlds) {
    await stack.close();
    await rm(folder, { recursive: true, force: true });
  }
});

export async function compatWorld(): Promise<CompatWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-test-compat-'));
  const stackDir = join(folder, 'stack');
  const lockDir = join(folder, 'locks');
  const stack = await composeStack({ dataDir: stackDir, lockDir, logLevel: 'silent', simulate: 'github' });
  worlds.push({ stack, folder });
  const image = `ghcr.io/acme/api@${await push(stack.registryHost, 'acme/api', 'one')}`;
  const unsigned = `ghcr.io/acme/unsigned@${await push(stack.registryHost, 'acme/unsigned', 'two')}`;
  return { folder, stack, image, unsigned, env: { WAYBILL_STACK: stackDir, DOCKER_CONFIG: folder } };
}

/** One layer with one npm package. */
async function push(host: string, name: string, note: string): Promise<string> {
  const repository = repositoryAt(host, name);
  const body = JSON.stringify({ name: 'ms', version: '2.1.3' });
  const layer = await putBytes(
    repository,
    await packTar([
      { header: { name: 'app/node_modules/ms/package.json', size: body.length, mtime: new Date(0) }, body },
    ]),
    mediaType.ociLayer,
  );
  const config = {
    os: 'linux',
    architecture: 'amd64',
    config: { Labels: { note } },
    rootfs: { type: 'layers', diff_ids: [layer.digest] },
  };
  const manifest = buildManifest({
    config: await putBytes(repository, new TextEncoder().encode(JSON.stringify(config)), mediaType.ociConfig),
    layers: [layer],
  });
  await repository.putManifest(manifest, { tag: 'latest' });
  return manifest.digest;
}

export interface Told extends NativeRun {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a verb or a mode in this process, as main does. */
export async function tell(world: CompatWorld, words: readonly string[], json = false): Promise<Told> {
  const verb = verbs.find(({ name }) => name === words[0]);
  if (verb === undefined) throw new Error(`no verb ${words[0]}`);
  const run = await runNative(verb.load, words, contextOf(world), { json, progress: () => {} });
  const text = (part: string | Uint8Array): string => (typeof part === 'string' ? part : utf8Text(part));
  return { ...run, stdout: run.printed.map(text).join('\n'), stderr: run.messages.join('\n') };
}

function contextOf(world: CompatWorld): CliContext {
  const nothing = (): void => {};
  return {
    env: world.env,
    cwd: world.folder,
    transport: httpTransport(),
    transportFor: httpTransport,
    clock: systemClock,
    random: systemRandom,
    json: true,
    isTerminal: false,
    useColor: false,
    stdout: nothing,
    stderr: nothing,
    progress: nothing,
    result: nothing,
    exit: nothing,
  };
}

/** The variables of a job of the release workflow, or of the reusable one it calls. */
export async function asWorkflow(world: CompatWorld, jobWorkflowRef?: string): Promise<CompatWorld> {
  const called = jobWorkflowRef === undefined ? [] : ['--job-workflow-ref', jobWorkflowRef];
  const words = [
    'stack',
    'workflow',
    'acme/api@refs/tags/v1.4.2',
    '--sha',
    COMMIT,
    '--event',
    'push',
    ...called,
  ];
  const run = await tell(world, words, true);
  const { variables } = run.value as { readonly variables: Record<string, string> };
  return { ...world, env: { ...world.env, ...variables } };
}

export async function writeJson(world: CompatWorld, name: string, value: object): Promise<string> {
  const path = join(world.folder, name);
  await writeFile(path, JSON.stringify(value));
  return path;
}
