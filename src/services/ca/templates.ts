/**
 * From the claims of a CI token to the fields of a certificate. A rule is a claim's name or a template in the
 * part of Go's text/template that such rules use: `{{ .claim }}` and `{{ if eq .claim "text" }}…{{ else }}…{{ end }}`.
 * Values are put in as they are and never read as templates again.
 */
import { fail } from '#base/reason';
import { type FulcioClaims, fulcioExtensions } from '#formats/x509';
import { R } from './reasons.ts';

export interface CiProvider {
  /** Used where the token has no such claim. */
  readonly defaults: ReadonlyMap<string, string>;
  /** Rule for the URI in the subject alternative name. */
  readonly san: string;
  readonly extensions: readonly (readonly [keyof FulcioClaims, string])[];
}

const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** The issuer and the token's subject are facts of the token and can never be templated. */
const claimByTemplateName = new Map(
  fulcioExtensions
    .map(({ claim }) => claim)
    .filter((claim) => claim !== 'issuer' && claim !== 'tokenSubject')
    .map((claim) => [kebab(claim), claim]),
);

/** `build-signer-uri` → `buildSignerUri`. */
export const claimOfTemplateName = (name: string): keyof FulcioClaims | undefined =>
  claimByTemplateName.get(name);

const github: CiProvider = {
  defaults: new Map([
    ['url', 'https://github.com'],
    ['environment', ''],
  ]),
  san: '{{ .url }}/{{ .job_workflow_ref }}',
  extensions: [
    ['githubWorkflowTrigger', 'event_name'],
    ['githubWorkflowSha', 'sha'],
    ['githubWorkflowName', 'workflow'],
    ['githubWorkflowRepository', 'repository'],
    ['githubWorkflowRef', 'ref'],
    ['buildSignerUri', '{{ .url }}/{{ .job_workflow_ref }}'],
    ['buildSignerDigest', 'job_workflow_sha'],
    ['runnerEnvironment', 'runner_environment'],
    ['sourceRepositoryUri', '{{ .url }}/{{ .repository }}'],
    ['sourceRepositoryDigest', 'sha'],
    ['sourceRepositoryRef', 'ref'],
    ['sourceRepositoryIdentifier', 'repository_id'],
    ['sourceRepositoryOwnerUri', '{{ .url }}/{{ .repository_owner }}'],
    ['sourceRepositoryOwnerIdentifier', 'repository_owner_id'],
    ['buildConfigUri', '{{ .url }}/{{ .workflow_ref }}'],
    ['buildConfigDigest', 'workflow_sha'],
    ['buildTrigger', 'event_name'],
    [
      'runInvocationUri',
      '{{ .url }}/{{ .repository }}/actions/runs/{{ .run_id }}/attempts/{{ .run_attempt }}',
    ],
    ['sourceRepositoryVisibilityAtSigning', 'repository_visibility'],
    ['deploymentEnvironment', 'environment'],
  ],
};

const gitlab: CiProvider = {
  defaults: new Map([
    ['url', 'https://gitlab.com'],
    ['environment', ''],
  ]),
  san: 'https://{{ .ci_config_ref_uri }}',
  extensions: [
    ['buildSignerUri', 'https://{{ .ci_config_ref_uri }}'],
    ['buildSignerDigest', 'ci_config_sha'],
    ['runnerEnvironment', 'runner_environment'],
    ['sourceRepositoryUri', '{{ .url }}/{{ .project_path }}'],
    ['sourceRepositoryDigest', 'sha'],
    ['sourceRepositoryRef', 'refs/{{ if eq .ref_type "branch" }}heads{{ else }}tags{{ end }}/{{ .ref }}'],
    ['sourceRepositoryIdentifier', 'project_id'],
    ['sourceRepositoryOwnerUri', '{{ .url }}/{{ .namespace_path }}'],
    ['sourceRepositoryOwnerIdentifier', 'namespace_id'],
    ['buildConfigUri', 'https://{{ .ci_config_ref_uri }}'],
    ['buildConfigDigest', 'ci_config_sha'],
    ['buildTrigger', 'pipeline_source'],
    ['runInvocationUri', '{{ .url }}/{{ .project_path }}/-/jobs/{{ .job_id }}'],
    ['sourceRepositoryVisibilityAtSigning', 'project_visibility'],
    ['deploymentEnvironment', 'environment'],
  ],
};

/** Named as in others' configurations. */
export const builtInProviders: ReadonlyMap<string, CiProvider> = new Map([
  ['github-workflow', github],
  ['gitlab-pipeline', gitlab],
]);

type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'value'; readonly name: string }
  | { readonly kind: 'if'; readonly name: string; readonly equals: string }
  | { readonly kind: 'else' }
  | { readonly kind: 'end' };

const action = /\{\{-?\s*(.*?)\s*-?\}\}/g;

function piecesOf(template: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const match of template.matchAll(action)) {
    pieces.push({ kind: 'text', text: template.slice(at, match.index) }, pieceOf(match[1] as string));
    at = match.index + match[0].length;
  }
  pieces.push({ kind: 'text', text: template.slice(at) });
  return pieces;
}

function pieceOf(inner: string): Piece {
  const value = /^\.([A-Za-z_][A-Za-z0-9_]*)$/.exec(inner);
  if (value !== null) return { kind: 'value', name: value[1] as string };
  const condition = /^if eq \.([A-Za-z_][A-Za-z0-9_]*) "([^"\\]*)"$/.exec(inner);
  if (condition !== null) {
    return { kind: 'if', name: condition[1] as string, equals: condition[2] as string };
  }
  if (inner === 'else' || inner === 'end') return { kind: inner };
  throw fail(R.config, { expected: '{{ .claim }} or {{ if eq .claim "text" }}', actual: `{{ ${inner} }}` });
}

/** The rule itself if it can be applied; throws WB-1017 otherwise. */
export function requireTemplate(rule: string): string {
  const kinds = piecesOf(rule).map((piece) => piece.kind);
  const order = kinds.filter((kind) => kind === 'if' || kind === 'else' || kind === 'end').join(' ');
  if (!/^(?:if (?:else )?end ?)*$/.test(order) || (kinds.length === 1 && /\{\{|\}\}/.test(rule))) {
    throw fail(R.config, { expected: 'if, else and end in order, not nested', actual: rule });
  }
  return rule;
}

/** Applies a rule. `claimValue` throws for a claim that is missing. */
export function applyRule(rule: string, claimValue: (name: string) => string): string {
  if (!rule.includes('{{')) return claimValue(rule);
  let out = '';
  let isTaken = true;
  for (const piece of piecesOf(rule)) {
    if (piece.kind === 'if') isTaken = claimValue(piece.name) === piece.equals;
    else if (piece.kind === 'else') isTaken = !isTaken;
    else if (piece.kind === 'end') isTaken = true;
    else if (piece.kind === 'value') out += isTaken ? claimValue(piece.name) : '';
    else if (isTaken) out += piece.text;
  }
  return out;
}
