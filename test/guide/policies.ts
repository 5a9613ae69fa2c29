/** What the guide's YAML blocks do: grant a token, call the generator, make up one policy piece by piece. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Admission } from '#services/admission';
import { must, passes, waybill } from '../../demo/tools.ts';
import type { Step } from './blocks.ts';
import { generatorPredicate } from './generator.ts';
import { openWebhook, shell, type World } from './world.ts';

type Handler = (text: string, world: World) => Promise<string>;

/** By the first key of the block. */
const handlers: Readonly<Record<string, Handler>> = {
  permissions: grantToken,
  jobs: runGenerator,
  apiVersion: wholePolicy,
  attestations: addAttestations,
  exclude: addExclude,
  verifyImages: enterprisePolicy,
};

export async function runYaml(text: string, world: World): Promise<Step> {
  const key = /^\s*([\w.-]+):/.exec(text)?.[1] ?? '';
  const handler = Object.hasOwn(handlers, key) ? handlers[key] : undefined;
  must(handler !== undefined, `nothing says what to do with a block that begins with ${key}`);
  return { detail: await handler(text, world), value: undefined };
}

const REPOSITORY = 'acme/api@refs/tags/v1.4.2';

interface Workflow {
  readonly variables: Readonly<Record<string, string>>;
}

/** The job's environment: with `id-token: write` GitHub gives it a token endpoint. */
async function workflowVariables(world: World, more: readonly string[] = []): Promise<Workflow['variables']> {
  const args = ['stack', 'workflow', REPOSITORY, '--sha', world.commit, '--event', 'push', ...more];
  return (await passes<Workflow>(args, { cwd: world.work, env: world.env })).variables;
}

async function grantToken(text: string, world: World): Promise<string> {
  const { permissions } = parse(text) as { permissions: Record<string, string> };
  must(permissions['id-token'] === 'write', 'the block grants no identity token');
  Object.assign(world.env, await workflowVariables(world));
  return 'simulated: the token endpoint of the job; signing needs no flag from here';
}

/** The isolated job, played: its own workflow identity signs the predicate that this generator writes. */
async function runGenerator(text: string, world: World): Promise<string> {
  const { jobs } = parse(text) as { jobs: { provenance: { uses: string; with: { image: string } } } };
  const { uses, with: inputs } = jobs.provenance;
  const [workflow, tag] = uses.split('@');
  const reference = `${workflow}@refs/tags/${tag}`;
  must(inputs.image === 'ghcr.io/acme/api', `the generator is called for ${inputs.image}`);
  const file = join(world.work, 'provenance.json');
  writeFileSync(file, JSON.stringify(generatorPredicate(`https://github.com/${reference}`, world.commit)));
  const variables = await workflowVariables(world, ['--job-workflow-ref', reference]);
  const attest = `cosign attest --yes --predicate "${file}" --type slsaprovenance "$IMAGE"`;
  const { code, output } = await shell(attest, { ...world, env: { ...world.env, ...variables } });
  must(code === 0, output);
  return `simulated: SLSA v0.2 provenance signed by ${reference}`;
}

/** Later blocks are added below the same rule, where the guide says they belong. */
let policy = '';
let webhook: Admission | undefined;

async function wholePolicy(text: string, world: World): Promise<string> {
  policy = text;
  return judged(world);
}

async function addAttestations(text: string, world: World): Promise<string> {
  policy = `${policy}\n${text}`;
  return judged(world);
}

async function addExclude(text: string, world: World): Promise<string> {
  policy = `${policy}\n${text}`;
  const file = policyFile(policy, world);
  const inSystem = ['--namespace', 'kube-system', '--image', 'ghcr.io/acme/unsigned:latest'];
  const { code, stdout } = await waybill(['policy', 'test', '--policy', file, ...inSystem], run(world));
  must(code === 0, `a Pod of kube-system is judged: ${stdout}`);
  const detail = await judged(world);
  const served = join(world.work, 'served.yaml');
  writeFileSync(served, policy);
  webhook = await openWebhook(world, served);
  return `${detail}; leaves kube-system alone; served by the webhook from here`;
}

async function enterprisePolicy(text: string, world: World): Promise<string> {
  const rule = text
    .split('\n')
    .map((line) => `      ${line}`)
    .join('\n');
  const head = [
    'apiVersion: kyverno.io/v1',
    'kind: ClusterPolicy',
    'metadata: { name: own-and-platform }',
    'spec:',
    '  rules:',
    '    - name: own-and-platform',
    '      match: { any: [{ resources: { kinds: [Pod] } }] }',
  ].join('\n');
  return judged(world, `${head}\n${rule}`);
}

const run = (world: World) => ({ cwd: world.work, env: world.env });

function policyFile(text: string, world: World): string {
  const file = join(world.work, 'policy.yaml');
  writeFileSync(file, `${text}\n`);
  return file;
}

/** The signed image comes in, the same content without signatures does not, and for that reason. */
async function judged(world: World, text = policy): Promise<string> {
  const file = policyFile(text, world);
  const copy = '"$WAYBILL" copy --quiet --without-attachments "$IMAGE" ghcr.io/acme/unsigned:latest';
  const copied = await shell(copy, world);
  must(copied.code === 0, copied.output);
  const signed = await shell(`"$WAYBILL" policy test --policy "${file}" --image "$IMAGE"`, world);
  must(signed.code === 0, `the signed image is refused\n${signed.output}`);
  const args = ['policy', 'test', '--policy', file, '--image', 'ghcr.io/acme/unsigned:latest'];
  const unsigned = await waybill(args, run(world));
  must(unsigned.code === 2, `the unsigned image ends with exit ${unsigned.code}`);
  must(unsigned.stdout.includes('no signature is attached'), unsigned.stdout);
  return 'admits the signed image, denies the unsigned one';
}

export async function closePolicies(): Promise<void> {
  await webhook?.close();
}
