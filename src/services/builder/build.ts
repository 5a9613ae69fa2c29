/**
 * One build from request to signed provenance. The order is the security: resolve, check out, read the
 * definition, stage inputs, run, end every process, look that nothing given was changed, collect while
 * hashing, push by digest, sign, attach, and only then let a tag point to it.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '#base/brand';
import { rfc3339 } from '#base/clock';
import { digestOf } from '#base/digest';
import { fail } from '#base/reason';
import { pinnedText, repositoryText } from '#formats/reference';
import type { ImageStore } from '#oci';
import type { Level } from '#provenance';
import { checkoutTree } from './checkout.ts';
import { type BuilderConfig, type BuilderDeps, builderDefaults } from './config.ts';
import { type BuildDefinition, parseDefinition } from './definition.ts';
import { assembleImage, type BaseImage, type BuiltImage, pushImage, readBase } from './image.ts';
import { type BuiltLayer, buildLayer } from './layer.ts';
import type { BuildLog } from './log.ts';
import { type BuildRecord, buildClaims, provenanceStatements } from './predicate.ts';
import { R } from './reasons.ts';
import { type BuildRequest, outputTarget } from './request.ts';
import type { Sandbox, SandboxBackend } from './sandbox.ts';
import type { CapabilityReport } from './self-test.ts';
import { beneath, fetchSource, type ResolvedSource } from './source.ts';
import { hashTree, removeTree, stageTree, writableFolder } from './stage.ts';
import { outputLimits, walkTree } from './tree-walk.ts';

/** The builder around a build: what is the same for all builds of a process. */
export interface Workshop {
  readonly config: BuilderConfig;
  readonly deps: BuilderDeps;
  readonly backend: SandboxBackend;
  readonly report: CapabilityReport;
  readonly builderDigest: string;
}

export interface BuildResult {
  readonly digest: Digest;
  /** `registry/name@sha256:…`, one for each repository. */
  readonly images: readonly string[];
  readonly tags: readonly string[];
  readonly source: { readonly uri: string; readonly ref?: string; readonly commit: string };
  readonly builderId: string;
  readonly level: Level;
  readonly layers: readonly { readonly digest: Digest; readonly bytes: number; readonly entries: number }[];
  /** Predicate types of what was signed and attached. */
  readonly attestations: readonly string[];
}

interface Place {
  readonly folder: string;
  readonly control: string;
  readonly source: string;
  readonly inputs: string;
  readonly output: string;
  readonly scratch: string;
}

/** A folder of the build's own. Only `output` is the build's; `control` is closed to it. */
async function makePlace(folder: string, uid: number | undefined): Promise<Place> {
  await mkdir(folder, { mode: 0o711 });
  const at = (name: string): string => join(folder, name);
  await mkdir(at('control'), { mode: 0o700 });
  await mkdir(at('inputs'), { mode: 0o755 });
  await mkdir(at('scratch'), { mode: 0o755 });
  writableFolder(at('output'), uid);
  return {
    folder,
    control: at('control'),
    source: at('source'),
    inputs: at('inputs'),
    output: at('output'),
    scratch: at('scratch'),
  };
}

export interface BuildJob {
  readonly id: string;
  readonly request: BuildRequest;
  /** uid of the build when the control plane is root; no two builds at a time share one. */
  readonly uid?: number;
  readonly log: BuildLog;
}

/** Runs one build to its end; its work folder is gone afterwards, whatever happened. */
export async function runBuild(shop: Workshop, job: BuildJob): Promise<BuildResult> {
  const folder = join(shop.config.workDir, job.id);
  const place = await makePlace(folder, job.uid);
  try {
    return await buildIn(shop, job, place);
  } finally {
    await removeTree(folder);
  }
}

async function buildIn(shop: Workshop, job: BuildJob, place: Place): Promise<BuildResult> {
  const { config, deps } = shop;
  const { request, log } = job;
  const startedMs = deps.clock.now();
  const source = await fetchSource(request.source, config, place.control);
  log.say(`source ${source.repository} ${source.ref ?? 'without ref'} at ${source.commit}`);
  const read = await readDefinition(source, request.config, place);
  const { definition } = read;
  const base = await readBase(definition.image.base, deps.images);
  const buildArgs = argumentsOf(definition, request);
  const inputs = await stageInputs(definition, request, config, place, log);
  const sourceDigest = (await hashTree(place.source, outputLimits)).digest;
  await runSteps(shop, job, place, { definition, buildArgs, inputs, source });
  await checkUnchanged(place, sourceDigest, inputs);
  const layers = await collect(shop, job, definition, place, source.epoch);
  const image = assembleImage(definition.image, layers, source.epoch, base);
  log.say(`image ${image.digest}, ${layers.length} layers`);
  const record: BuildRecord = {
    id: job.id,
    invocationUri: `${config.baseUri}/api/v1/builds/${job.id}`,
    source,
    definition: read.at,
    buildArgs,
    inputs: inputs.map(({ name, digest }) => ({ name, digest })),
    ...baseOf(base),
    report: shop.report,
    builderDigest: shop.builderDigest,
    version: config.version ?? 'unversioned',
    startedMs,
    finishedMs: deps.clock.now(),
    logDigest: log.digest(),
  };
  return publish(shop, job, image, record);
}

const baseOf = (base: BaseImage | undefined): Pick<BuildRecord, 'base'> =>
  base === undefined ? {} : { base: { reference: base.reference, digest: base.digest } };

interface ReadDefinition {
  readonly definition: BuildDefinition;
  readonly at: BuildRecord['definition'];
}

/** The definition as the commit has it: a regular file of the verified tree, read from git, not from disk. */
async function readDefinition(source: ResolvedSource, path: string, place: Place): Promise<ReadDefinition> {
  const found = await checkoutTree(source, place.source, path);
  if (found === undefined) {
    throw fail(R.definition, {
      expected: `a regular file ${path} in commit ${source.commit}`,
      actual: 'none',
    });
  }
  return { definition: parseDefinition(found), at: { path, digest: digestOf(found) } };
}

/** Only arguments the definition declares; the request cannot add a name of its own. */
function argumentsOf(definition: BuildDefinition, request: BuildRequest): Record<string, string> {
  const extra = Object.keys(request.args).find((name) => !Object.hasOwn(definition.args, name));
  if (extra !== undefined) {
    const declared = Object.keys(definition.args).join(', ') || 'none at all';
    throw fail(R.request, {
      check: 'request.args',
      expected: `declared arguments (${declared})`,
      actual: extra,
    });
  }
  return { ...definition.args, ...request.args };
}

interface StagedInput {
  readonly name: string;
  readonly digest: Digest;
  readonly hostPath: string;
}

async function stageInputs(
  definition: BuildDefinition,
  request: BuildRequest,
  config: BuilderConfig,
  place: Place,
  log: BuildLog,
): Promise<StagedInput[]> {
  const names = definition.inputs.map(({ name }) => name);
  const extra = Object.keys(request.inputs).find((name) => !names.includes(name));
  if (extra !== undefined) {
    throw fail(R.input, {
      expected: `inputs of the definition (${names.join(', ') || 'none'})`,
      actual: extra,
    });
  }
  const staged: StagedInput[] = [];
  for (const { name, digest } of definition.inputs) {
    const path = request.inputs[name];
    if (path === undefined)
      throw fail(R.input, { expected: `input ${name}`, actual: 'nothing in the request' });
    const real = await beneath(path, config.inputRoots ?? [], 'input');
    const hostPath = join(place.inputs, name);
    const tree = await stageTree(real, hostPath, { limits: outputLimits });
    if (digest !== undefined && digest !== tree.digest) {
      throw fail(R.input, { check: `input.${name}`, expected: digest, actual: tree.digest });
    }
    log.say(`input ${name}: ${tree.entries} entries, ${tree.bytes} bytes, ${tree.digest}`);
    staged.push({ name, digest: tree.digest, hostPath });
  }
  return staged;
}

async function runSteps(
  shop: Workshop,
  job: BuildJob,
  place: Place,
  given: {
    readonly definition: BuildDefinition;
    readonly buildArgs: Readonly<Record<string, string>>;
    readonly inputs: readonly StagedInput[];
    readonly source: ResolvedSource;
  },
): Promise<void> {
  const views = { env: {} as Record<string, string> };
  const sandbox = await shop.backend.prepare({
    id: job.id,
    sourceDir: place.source,
    outputDir: place.output,
    scratchDir: place.scratch,
    inputs: given.inputs,
    env: views.env,
    ...(job.uid === undefined ? {} : { uid: job.uid }),
  });
  // The paths inside are known only now; the environment is the same object the sandbox reads at each run.
  Object.assign(views.env, environment(given, sandbox));
  try {
    const limitMs = shop.config.buildTimeoutMs ?? builderDefaults.buildTimeoutMs;
    const endMs = shop.deps.clock.now() + limitMs;
    for (const [i, step] of given.definition.steps.entries()) {
      job.log.say(`step ${i + 1}: ${step.join(' ').slice(0, 200)}`);
      const timeoutMs = Math.max(1, endMs - shop.deps.clock.now());
      const result = await sandbox.run(step, { timeoutMs, onOutput: (chunk) => job.log.write(chunk) });
      if (result.timedOut) {
        throw fail(R.timeLimit, {
          expected: `all steps within ${limitMs} ms`,
          actual: `step ${i + 1} still ran`,
        });
      }
      if (result.code !== 0) {
        throw fail(R.step, {
          expected: `step ${i + 1} to exit with 0`,
          actual: `${result.code}: ${job.log.tail()}`,
        });
      }
    }
  } finally {
    await sandbox.destroy();
  }
}

/** From empty. What the control plane says comes last, so a definition cannot speak for it. */
function environment(
  given: {
    readonly definition: BuildDefinition;
    readonly buildArgs: Readonly<Record<string, string>>;
    readonly source: ResolvedSource;
  },
  { view }: Sandbox,
): Record<string, string> {
  return {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    HOME: '/tmp',
    LANG: 'C.UTF-8',
    TZ: 'UTC',
    ...given.definition.env,
    ...given.buildArgs,
    SOURCE_DATE_EPOCH: String(given.source.epoch),
    WAYBILL_SOURCE: view.source,
    WAYBILL_OUTPUT: view.output,
    WAYBILL_INPUTS: view.inputs,
  };
}

/** A back end that let the build write where it must not would make the materials a lie. */
async function checkUnchanged(place: Place, source: Digest, inputs: readonly StagedInput[]): Promise<void> {
  const given = [{ what: 'the source', path: place.source, digest: source }];
  for (const { name, hostPath, digest } of inputs)
    given.push({ what: `input ${name}`, path: hostPath, digest });
  for (const { what, path, digest } of given) {
    const now = (await hashTree(path, outputLimits)).digest;
    if (now !== digest) throw fail(R.sourceChanged, { expected: `${what} to stay ${digest}`, actual: now });
  }
}

/** All processes of the build are dead: what lies in the output now is the result. */
async function collect(
  shop: Workshop,
  job: BuildJob,
  definition: BuildDefinition,
  place: Place,
  epoch: number,
): Promise<BuiltLayer[]> {
  const options = {
    limits: outputLimits,
    epoch,
    gzipLevel: shop.config.gzipLevel ?? builderDefaults.gzipLevel,
    ...(job.uid === undefined ? {} : { uid: job.uid }),
  };
  // Sizes and kinds first: what cannot go in is refused before anything is read.
  for (const item of walkTree(place.output, options)) void item;
  // Two at a time: compression runs on threads of its own.
  const layers: BuiltLayer[] = [];
  const rows = definition.image.layers;
  for (let i = 0; i < rows.length; i += 2) {
    const pair = rows.slice(i, i + 2);
    const built = pair.map((row, j) =>
      buildLayer(place.output, row, join(place.control, `layer-${i + j}`), options),
    );
    // Both end before either failure is told, so nothing still writes when the folder is removed.
    for (const one of await Promise.allSettled(built)) {
      if (one.status === 'rejected') throw one.reason;
      layers.push(one.value);
    }
  }
  return layers;
}

async function publish(
  shop: Workshop,
  job: BuildJob,
  image: BuiltImage,
  record: BuildRecord,
): Promise<BuildResult> {
  const targets = job.request.outputs.map(outputTarget);
  const stores = new Map<string, ImageStore>();
  for (const target of targets) {
    const name = repositoryText(target);
    if (!stores.has(name)) stores.set(name, await pushImage(image, target, shop.deps.images));
  }
  const { digest } = image;
  const statements = provenanceStatements(record, { names: [...stores.keys()], digest });
  for (const { predicateType, bytes } of statements) {
    const claims = buildClaims(record);
    const token = await shop.deps.tokens.mint(claims);
    const bundle = await shop.deps.signer.sign(bytes, { token, claims });
    for (const store of stores.values()) await shop.deps.attach(store, digest, bundle, predicateType);
    job.log.say(`attached ${predicateType}`);
  }
  // A tag is the last thing: it never points to an image whose provenance is not there yet.
  const tags: string[] = [];
  for (const { tag, ...target } of targets) {
    if (tag === undefined) continue;
    const name = repositoryText(target);
    await (stores.get(name) as ImageStore).putManifest(image.manifest, { tag });
    tags.push(`${name}:${tag}`);
  }
  job.log.say(`finished ${rfc3339(shop.deps.clock.now())}`);
  return {
    digest,
    images: targets
      .map((target) => pinnedText(target, digest))
      .filter((name, i, all) => all.indexOf(name) === i),
    tags,
    source: {
      uri: record.source.repository,
      ...(record.source.ref === undefined ? {} : { ref: record.source.ref }),
      commit: record.source.commit,
    },
    builderId: shop.report.builderId,
    level: shop.report.level,
    layers: image.layers.map(({ digest: layer, size, entries }) => ({ digest: layer, bytes: size, entries })),
    attestations: statements.map(({ predicateType }) => predicateType),
  };
}
