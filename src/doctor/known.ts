/** What well-known actions and command lines do, as far as the rules need it. */
import type { ActionRef } from './action-ref.ts';
import type { Step } from './model.ts';

/** Shell text without comments, continued lines joined. */
export const commandsOf = (step: Step): string =>
  (step.run?.text ?? '').replace(/^\s*#.*$/gm, '').replace(/\\\r?\n/g, ' ');

const repositoryOf = (step: Step): string =>
  step.uses?.ref.kind === 'repository' ? step.uses.ref.repository : '';

const provenanceCommand =
  /\b(?:cosign|waybill)\b[^\n;|&]*\battest\b[^\n;|&]*(?:--type|--predicate-type)[=\s]+["']?(?:slsaprovenance|https:\/\/slsa\.dev\/provenance)/;

/** A step that makes and signs provenance in the job it stands in. */
export function makesProvenance(step: Step): boolean {
  const repository = repositoryOf(step);
  if (/(?:^|\/)attest-build-provenance$/.test(repository)) return true;
  if (repository === 'actions/attest') return attestsProvenance(step);
  return provenanceCommand.test(commandsOf(step));
}

/** actions/attest makes provenance when it is given no predicate and no SBOM. */
function attestsProvenance(step: Step): boolean {
  const given = (name: string): string => step.with?.get(name)?.text ?? '';
  const type = given('predicate-type');
  if (type !== '') return /slsa\.dev\/provenance/.test(type);
  return ['predicate', 'predicate-path', 'sbom-path'].every((name) => given(name) === '');
}

const buildCommand =
  /\b(?:docker|podman|nerdctl)\s+(?:buildx\s+|image\s+)?(?:build|bake)\b|\bbuildah\s+(?:bud|build)\b|\b(?:buildctl|kaniko|goreleaser|jib)\b|\bko\s+(?:build|publish|resolve|apply)\b/;

/** Programs that run what is checked out, or what its manifests name. */
const repositoryCommand =
  /(?:^|[\s;&|(])(?:\.\/[\w.-]|(?:ba|z|da)?sh\s+[\w./-]+|make\b|npm\s|npx\s|pnpm\s|yarn\b|bun\s|deno\s|node\s|python3?\s|pip3?\s|uv\s|tox\b|cargo\s|go\s+(?:build|test|generate|run|install)\b|mvnw?\b|gradlew?\b|bundle\s|rake\b|dotnet\s|swift\s|composer\s|mix\s)/m;

const buildActions: ReadonlySet<string> = new Set([
  'docker/build-push-action',
  'docker/bake-action',
  'goreleaser/goreleaser-action',
  'redhat-actions/buildah-build',
  'depot/build-push-action',
  'gradle/gradle-build-action',
  'mr-smithers-excellent/docker-build-push',
]);

export const checksOut = (step: Step): boolean => /(?:^|\/)checkout$/.test(repositoryOf(step));

/** The steps that run code of the repository or of its dependencies: builds, tests, scripts. */
export function codeSteps(steps: readonly Step[]): readonly Step[] {
  const hasSources = steps.some(checksOut);
  return steps.filter((step) => {
    if (buildActions.has(repositoryOf(step)) || buildCommand.test(commandsOf(step))) return true;
    return hasSources && repositoryCommand.test(commandsOf(step));
  });
}

const tokenCommand =
  /\b(?:cosign|waybill|gitsign|sigstore)\b|ACTIONS_ID_TOKEN_REQUEST|\bnpm\s+publish\b|--provenance\b|assume-role-with-web-identity|\buv\s+publish\b|\btwine\b/;

/** Actions that have nothing to do with identity tokens. */
const withoutToken =
  /^(?:actions\/(?:checkout|cache|setup-[\w-]+|upload-artifact|download-artifact|labeler|stale|configure-pages)|docker\/(?:setup-[\w-]+|build-push-action|bake-action|login-action|metadata-action)|anchore\/(?:sbom|scan)-action|aquasecurity\/trivy-action|hadolint\/hadolint-action|step-security\/harden-runner|softprops\/action-gh-release)$/;

/** Whether a step may ask for an identity token. What is not known may. */
export function mayUseToken(step: Step): boolean {
  if (step.uses === undefined) return tokenCommand.test(commandsOf(step));
  return step.uses.ref.kind !== 'repository' || !withoutToken.test(step.uses.ref.repository);
}

/** Whether a step certainly asks for one. */
export function usesToken(step: Step): boolean {
  if (step.uses === undefined) return tokenCommand.test(commandsOf(step));
  return makesProvenance(step) || /^actions\/attest/.test(repositoryOf(step));
}

const cacheInputs: readonly string[] = ['cache', 'cache-from', 'cache-to', 'enable-cache', 'bundler-cache'];

/** What a step takes from a cache that other runs have filled; undefined when it takes nothing. */
export function cacheOf(step: Step): string | undefined {
  const repository = repositoryOf(step);
  const isSave = step.uses?.ref.kind === 'repository' && step.uses.ref.path === 'save';
  if (/(?:^|[/-])cache$/.test(repository) && !isSave) return step.uses?.text;
  if (!/^docker\/(?:build-push|bake)-action$|\/setup-[\w-]+$/.test(repository)) return undefined;
  for (const name of cacheInputs) {
    const value = step.with?.get(name)?.text ?? '';
    if (value !== '' && value !== 'false') return `${name}: ${value.split('\n')[0]}`;
  }
  // This one has to be told not to.
  return repository === 'actions/setup-go' && step.with?.get('cache')?.text !== 'false'
    ? step.uses?.text
    : undefined;
}

/** The commits and branches of whoever opened a pull request. */
export const strangersRef =
  /github\.event\.pull_request\.head\b|github\.head_ref\b|github\.event\.workflow_run\.head_|refs\/pull\//;

/** Text that whoever opens an issue or a pull request chooses. */
export const strangersText =
  /\$\{\{[^}]*(?:github\.head_ref|github\.event\.(?:issue|pull_request|discussion|review|comment)\.(?:title|body|head\.(?:ref|label|repo\.\w+))|github\.event\.(?:head_commit\.(?:message|author\.\w+)|commits\b|pages\b)|github\.event\.workflow_run\.(?:head_branch|display_title|head_commit\.message))/;

export const describeRef = (ref: ActionRef & { kind: 'repository' }): string =>
  /^[0-9a-f]{7,63}$/i.test(ref.ref) ? `${ref.ref}, which is not a whole commit id` : ref.ref;
