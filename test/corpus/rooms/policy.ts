/** The policy reader and evaluator, asked as the webhook asks them. */

import { digestOf } from '#base/digest';
import { type AttachedItem, createJudge } from '#facts';
import { judgeRequest } from '#flows/judge-request';
import type { JsonObject } from '#formats/json';
import { pemEncode } from '#formats/pem';
import { trustedRootJson } from '#formats/trusted-root';
import { type AdmissionRequest, lintText, parsePolicies } from '#policy';
import { bases, type Step } from '../case.ts';
import { type Answer, itemOf } from '../doors.ts';
import { ARTIFACT, exhibit, trustOf } from '../draft.ts';
import { draftOf } from '../recipes/index.ts';
import { keyNamed, moment, stack } from '../world.ts';
import { type Room, refusedFor } from './room.ts';

const GITHUB = 'https://token.actions.githubusercontent.com';
const WORKFLOW = 'https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1.2.3';
const TYPE = 'https://example.com/check/v1';
const image = `registry.example/app@${digestOf(ARTIFACT)}`;

const request: AdmissionRequest = {
  kind: { group: '', version: 'v1', kind: 'Pod' },
  resource: 'pods',
  name: 'app',
  namespace: 'shop',
  operation: 'CREATE',
  user: { username: 'dev', groups: [] },
  object: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'app' } },
};

/** What the policies say about the image with these things attached. */
export async function admit(policy: string, items: readonly AttachedItem[]): Promise<Answer> {
  const parsed = parsePolicies(policy, 'policy.yaml');
  if (!parsed.ok) return refusedFor(parsed.error);
  const material = trustOf(trustedRootJson(stack.root));
  const { clock } = stack;
  const judge = createJudge({
    source: { attached: async () => items },
    trust: () => ({ material, hash: 'corpus' }),
    clock,
  });
  const use = { pointer: '/spec/containers/0/image', kind: 'container', name: 'app', image } as const;
  const tags = { resolve: async () => digestOf(ARTIFACT) };
  const deps = { judge, tags, clock, deadlineMs: clock.now() + 10_000 };
  const decision = await judgeRequest(parsed.value, request, [use], deps);
  const [result] = decision.results;
  if (result === undefined) throw new Error('no policy covers the image');
  if (result.status === 'pass') return { verdict: 'accept', degraded: result.degraded };
  const [why] = result.reasons;
  // What stands in the answer of the webhook must say the class too.
  if (why === undefined || !result.message.includes(`[${why.class}]`))
    throw new Error(`no class in ${result.message}`);
  return { verdict: result.status === 'fail' ? 'reject' : 'indeterminate', reason: why };
}

const workflowItem = (...steps: readonly Step[]): AttachedItem =>
  itemOf(exhibit(draftOf(bases['workflow'] ?? [], steps)).evidence);
const signature = (...steps: readonly Step[]): AttachedItem =>
  workflowItem(['statement', 'cosign'], ...steps);
const attestation = (predicate: JsonObject): AttachedItem =>
  workflowItem(['statement', { predicateType: TYPE, predicate }]);

const keyless = (members: string): string =>
  `keyless: {${members}, rekor: {url: "https://rekor.sigstore.dev"}}`;
const ours = `subject: "${WORKFLOW}", issuer: "${GITHUB}"`;
const kyverno = (entry: string, more = ''): string => `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: p}
spec:
  rules:
    - name: r
      match: {any: [{resources: {kinds: [Pod]}}]}
      verifyImages:
        - imageReferences: ["registry.example/*"]
          failureAction: Enforce
${entry === '' ? '' : `          attestors: [{entries: [{${entry}}]}]\n`}${more}`;
const conditions = (...values: readonly string[]): string =>
  `          attestations:
            - type: ${TYPE}
              attestors: [{entries: [{${keyless(ours)}}]}]
              conditions:
                - all: [${values.map((key) => `{key: "{{ ${key} }}", operator: Equals, value: 1}`).join(', ')}]\n`;
const sigstore = (identity: string, more = ''): string => `apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: {name: p}
spec:
  images: [{glob: "registry.example/**"}]
  authorities:
    - name: release
      keyless:
        url: https://fulcio.example
        identities: [{${identity}}]
${more}`;
const wants = (expression: string): string =>
  `      attestations:
        - name: check
          predicateType: ${TYPE}
          policy: {type: cel, data: ${JSON.stringify(expression)}}\n`;

const leafPem = (): string => pemEncode('CERTIFICATE', stack.issue(keyNamed('p256/anchor'), moment(0)).der);
const both = 'predicate.a == 1 && predicate.b == 1';
const good = { a: 1, b: 1 };

interface PolicyCase {
  readonly twin: readonly [policy: string, ...items: AttachedItem[]];
  readonly attack: readonly [policy: string, ...items: AttachedItem[]];
}

const plain = kyverno(keyless(ours));
/** A policy that is refused, or refuses; the twin is the same with nothing wrong. */
const changed = (attack: string, item = signature()): PolicyCase => ({
  twin: [plain, item],
  attack: [attack, item],
});
const over = (policy: string, twin: readonly JsonObject[], attack: readonly JsonObject[]): PolicyCase => ({
  twin: [policy, ...twin.map(attestation)],
  attack: [policy, ...attack.map(attestation)],
});

const cases: Readonly<Record<string, () => PolicyCase>> = {
  leafAnchor: () => changed(kyverno(`keyless: {${ours}, roots: ${JSON.stringify(leafPem())}}`)),
  leafCaCert: () =>
    changed(
      sigstore(ours).replace(
        '        url: https://fulcio.example\n',
        `        ca-cert: {data: ${JSON.stringify(leafPem())}}\n`,
      ),
    ),
  ignoreSct: () => ({
    twin: [plain, signature()],
    attack: [
      kyverno(`keyless: {${ours}, rekor: {url: "https://rekor.sigstore.dev"}, ctlog: {ignoreSCT: true}}`),
      signature(['leaf', { ctLogs: [] }]),
    ],
  }),
  splitConditions: () =>
    over(
      sigstore(ours, wants(both)),
      [good],
      [
        { a: 1, b: 0 },
        { a: 0, b: 1 },
      ],
    ),
  allFirstBad: () => over(kyverno('', conditions('a')), [good, good], [{ a: 0 }, good]),
  allLastBad: () => over(kyverno('', conditions('a')), [good, good], [good, { a: 0 }]),
  anyFirstGood: () => over(sigstore(ours, wants(both)), [good], [good, { a: 0, b: 0 }]),
  anyLastGood: () => over(sigstore(ours, wants(both)), [good], [{ a: 0, b: 0 }, good]),
  attestationOnly: () => {
    const policy = kyverno(keyless(ours), conditions('a'));
    return { twin: [policy, signature(), attestation(good)], attack: [policy, attestation(good)] };
  },
  noIssuer: () => changed(kyverno(keyless(`subject: "${WORKFLOW}"`))),
  noIssuerSigstore: () => changed(sigstore(`subject: "${WORKFLOW}"`)),
  loneStar: () => changed(kyverno(keyless(`subject: "*", issuer: "${GITHUB}"`))),
};

const mismatched: Readonly<Record<string, string>> = {
  subject: `subject: "https://github.com/evil/*", issuer: "${GITHUB}"`,
  issuer: `subject: "${WORKFLOW}", issuer: "https://evil.example"`,
  subjectRegExp: `subjectRegExp: "https://github\\\\.com/evil/.*", issuer: "${GITHUB}"`,
  issuerRegExp: `subject: "${WORKFLOW}", issuerRegExp: "https://evil\\\\.example"`,
};

async function ask(item: PolicyCase): Promise<{ twin: Answer; answer: Answer }> {
  const [policy, ...items] = item.twin;
  const [attacked, ...attached] = item.attack;
  return { twin: await admit(policy, items), answer: await admit(attacked, attached) };
}

const loose = `subjectRegExp: "https://github.com/acme/.*", issuer: "${GITHUB}"`;

export const policyRoom: Room = {
  policy: async ([, name, field]) => {
    if (name === 'mismatch') return ask(changed(kyverno(keyless(mismatched[String(field)] ?? ''))));
    if (name === 'looseDot') return looseDot();
    const make = cases[String(name)];
    if (make === undefined) throw new Error(`no policy ${String(name)}`);
    return ask(make());
  },
};

/** It loads and judges; lint says what is loose about it. */
async function looseDot(): Promise<{ twin: Answer; answer: Answer }> {
  const policy = kyverno(keyless(loose));
  const answer = await admit(policy, [signature()]);
  const codes = lintText(policy, 'policy.yaml').map(({ code }) => code);
  return { twin: await admit(plain, [signature()]), answer: { ...answer, notes: [...new Set(codes)] } };
}
