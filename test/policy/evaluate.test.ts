/**
 * Policies over evidence that was really signed. Each defect known of other engines (D1…D17 of the field) that
 * concerns evaluation has a test here that this one does not have it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toBase64, toHex, utf8 } from '#base/bytes';
import { generateKey, type PrivateKey, publicKeyPem, sha256 } from '#base/crypto';
import { digestOf } from '#base/digest';
import { unwrap } from '#base/result';
import { type AttachedItem, judgeItems } from '#facts';
import { statementBytes } from '#formats/intoto';
import type { JsonValue } from '#formats/json';
import {
  type AdmissionRequest,
  type CheckResult,
  type Decision,
  evaluate,
  type Json,
  type JudgedImage,
  matchingChecks,
  parsePolicies,
  questionsFor,
  warningTexts,
} from '#policy';
import { legacyAnnotations, SIMPLE_SIGNING_MEDIA_TYPE } from '#verify';
import { VirtualStack } from '../double/virtual-stack.ts';
import { GITHUB, imagePolicy, RELEASE } from './samples.ts';

const stack = new VirtualStack();
const trust = stack.trust();
const manifest = utf8('{"schemaVersion":2}');
const digest = digestOf(manifest);
const image = `ghcr.io/acme/api:1@${digest}`;
const now = stack.clock.now();

const who = (subject: string, claims: object = {}) =>
  ({ leaf: { claims: { issuer: GITHUB, ...claims }, sans: [{ type: 'uri', value: subject }] } }) as const;
const release = `${RELEASE}v1`;

function bundle(subject = release, claims: object = {}): AttachedItem {
  const { bytes } = stack.sign({ artifact: manifest, statement: 'cosign', ...who(subject, claims) });
  return { kind: 'bundle', name: 'bundle', bytes };
}

function attestation(predicateType: string, predicate: JsonValue, subject = release): AttachedItem {
  const statement = statementBytes({
    subject: [{ digest: { sha256: toHex(sha256(manifest)) } }],
    predicateType,
    predicate,
  });
  return {
    kind: 'bundle',
    name: 'attestation',
    bytes: stack.sign({ artifact: manifest, statement, ...who(subject) }).bytes,
  };
}

/** A legacy signature by a bare key, with annotations in its payload and no log entry. */
function keyed(key: PrivateKey, optional: Record<string, string> = {}): AttachedItem {
  const critical = {
    identity: { 'docker-reference': 'ghcr.io/acme/api' },
    image: { 'docker-manifest-digest': digest },
    type: 'cosign container image signature',
  };
  const bytes = utf8(JSON.stringify({ critical, optional }));
  const annotations = { [legacyAnnotations.signature]: toBase64(key.sign(bytes)) };
  return { kind: 'legacy', name: 'legacy', mediaType: SIMPLE_SIGNING_MEDIA_TYPE, bytes, annotations };
}

const request: AdmissionRequest = {
  kind: { group: '', version: 'v1', kind: 'Pod' },
  resource: 'pods',
  name: 'api',
  namespace: 'shop',
  operation: 'CREATE',
  user: { username: 'dev', groups: ['devs'] },
  object: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'api', labels: { tier: '*' } } },
};

function decide(policy: string, items: readonly AttachedItem[], asked = request, name = image): Decision {
  const set = unwrap(parsePolicies(policy, 'p.yaml'));
  const use = { pointer: '/spec/containers/0/image', kind: 'container', name: 'c', image: name } as const;
  const questions = questionsFor(matchingChecks(set, asked, name));
  const facts = judgeItems(digest, items, questions, trust, now);
  return evaluate(set, asked, [{ use, digest, evidence: { kind: 'facts', facts } }], { nowMs: now });
}

const only = (decision: Decision): CheckResult => {
  assert.equal(decision.results.length, 1);
  return decision.results[0] as CheckResult;
};

const keyless = (subject = `${RELEASE}*`, more = ''): string =>
  `keyless: {subject: "${subject}", issuer: "${GITHUB}", rekor: {url: "https://rekor.sigstore.dev"}${more}}`;
const keys = (...pairs: readonly PrivateKey[]): string =>
  `keys: {publicKeys: ${JSON.stringify(pairs.map((pair) => publicKeyPem(pair.publicKey)).join(''))}, rekor: {ignoreTlog: true}}`;

interface RuleParts {
  readonly attestors?: string;
  readonly attestations?: string;
  readonly match?: string;
  readonly exclude?: string;
  readonly images?: string;
  readonly more?: string;
}

const policyOf = (parts: RuleParts): string => `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: p}
spec:
  rules:
    - name: r
      match: ${parts.match ?? '{any: [{resources: {kinds: [Pod]}}]}'}
${parts.exclude === undefined ? '' : `      exclude: ${parts.exclude}\n`}      verifyImages:
        - imageReferences: ${parts.images ?? '["ghcr.io/acme/*"]'}
          failureAction: Enforce
${parts.attestors === undefined ? '' : `          attestors: ${parts.attestors}\n`}${parts.attestations === undefined ? '' : `          attestations: ${parts.attestations}\n`}${parts.more ?? ''}`;

const entries = (...list: readonly string[]): string =>
  `[{entries: [${list.map((item) => `{${item}}`).join(', ')}]}]`;

test('all entries of a set, and all sets, are needed without a count', () => {
  const two = policyOf({
    attestors: entries(keyless(), keyless('https://github.com/acme/audit/.github/workflows/a.yml@*')),
  });
  assert.equal(only(decide(two, [bundle()])).status, 'fail');
  assert.equal(
    only(
      decide(two, [
        bundle(),
        bundle('https://github.com/acme/audit/.github/workflows/a.yml@refs/heads/main'),
      ]),
    ).status,
    'pass',
  );
});

test('a count is met by as many entries, keys of one entry counted one by one', () => {
  const [a, b, c] = [generateKey('p256'), generateKey('p256'), generateKey('p256')];
  const policy = policyOf({ attestors: `[{count: 2, entries: [{${keys(a, b, c)}}]}]` });
  assert.equal(only(decide(policy, [keyed(a)])).status, 'fail');
  assert.equal(only(decide(policy, [keyed(a), keyed(a)])).status, 'fail');
  assert.equal(only(decide(policy, [keyed(a), keyed(c)])).status, 'pass');
});

test('a nested attestor is judged, in signatures and in attestations (D13)', () => {
  const nested = `attestor: {count: 1, entries: [{${keyless('https://github.com/x/y/.github/workflows/z.yml@*')}}, {${keyless()}}]}`;
  const signatures = policyOf({ attestors: entries(nested) });
  assert.equal(only(decide(signatures, [bundle()])).status, 'pass');
  const statements = policyOf({
    attestations: `[{type: "https://t.example/v1", attestors: ${entries(nested)}}]`,
  });
  assert.equal(only(decide(statements, [attestation('https://t.example/v1', {})])).status, 'pass');
  const stranger = attestation(
    'https://t.example/v1',
    {},
    'https://github.com/evil/e/.github/workflows/e.yml@refs/tags/v1',
  );
  const denied = only(decide(statements, [stranger]));
  assert.equal(denied.status, 'fail');
  assert.match(
    denied.message,
    /\.attestations\[0\]\.attestors\[0\]\.entries\[0\]\.attestor\.entries\[0\]\.keyless/,
  );
});

test('identity and annotations must hold on one and the same signature (D4)', () => {
  const [ours, theirs] = [generateKey('p256'), generateKey('p256')];
  const policy = policyOf({ attestors: entries(`${keys(ours)}, annotations: {stage: prod}`) });
  assert.equal(only(decide(policy, [keyed(ours, { stage: 'prod' })])).status, 'pass');
  const denied = only(decide(policy, [keyed(ours, { stage: 'dev' }), keyed(theirs, { stage: 'prod' })]));
  assert.equal(denied.status, 'fail');
});

test('certificate extensions are matched by OID and by name, the newer ones too', () => {
  const claims = { sourceRepositoryUri: 'https://github.com/acme/api', runnerEnvironment: 'github-hosted' };
  for (const name of ['sourceRepositoryUri', '1.3.6.1.4.1.57264.1.12']) {
    const policy = policyOf({
      attestors: entries(
        keyless(undefined, `, additionalExtensions: {${name}: "https://github.com/acme/*"}`),
      ),
    });
    assert.equal(only(decide(policy, [bundle(release, claims)])).status, 'pass', name);
    const other = { ...claims, sourceRepositoryUri: 'https://github.com/fork/api' };
    const denied = only(decide(policy, [bundle(release, other)]));
    assert.match(denied.message, /identity\.claims\.sourceRepositoryUri: .*WB-352/);
    assert.equal(only(decide(policy, [bundle()])).status, 'fail', 'an extension that is not there');
  }
});

test('a wildcard of Kyverno crosses slashes, and a question mark is one character', () => {
  const deep = policyOf({ attestors: entries(keyless('https://github.com/acme/*@refs/tags/v?')) });
  assert.equal(only(decide(deep, [bundle()])).status, 'pass');
  assert.equal(only(decide(deep, [bundle(`${RELEASE}v10`)])).status, 'fail');
});

test('nothing attached is a refusal, never a pass over an empty set', () => {
  const result = only(decide(policyOf({ attestors: entries(keyless()) }), []));
  assert.deepEqual([result.status, result.reasons.map(({ code }) => code)], ['fail', ['WB-740']]);
});

test('an attestation does not count as a signature, nor a signature as an attestation', () => {
  const signature = policyOf({ attestors: entries(keyless()) });
  assert.equal(only(decide(signature, [attestation('https://t.example/v1', {})])).status, 'fail');
  const statement = policyOf({
    attestations: `[{type: "https://t.example/v1", attestors: ${entries(keyless())}}]`,
  });
  assert.equal(only(decide(statement, [bundle()])).status, 'fail');
  const near = attestation('https://t.example/v1.1', {});
  assert.match(
    only(decide(statement, [near])).message,
    /no attestation of type https:\/\/t\.example\/v1 is attached/,
  );
});

const typed = (conditions: string): string =>
  policyOf({
    attestations: `[{type: "https://t.example/v1", attestors: ${entries(keyless())}, conditions: [${conditions}]}]`,
  });
const met = (conditions: string, predicate: JsonValue): string =>
  only(decide(typed(conditions), [attestation('https://t.example/v1', predicate)])).status;

test('a star in attested data matches nothing but itself (D15)', () => {
  const condition = '{all: [{key: "{{ level }}", operator: AnyIn, value: [LOW, MEDIUM]}]}';
  assert.equal(met(condition, { level: 'LOW' }), 'pass');
  assert.equal(met(condition, { level: '*' }), 'fail');
});

test('a pattern that comes from the object is text, not a pattern', () => {
  const condition =
    '{all: [{key: "{{ tier }}", operator: Equals, value: "{{ request.object.metadata.labels.tier }}"}]}';
  assert.equal(met(condition, { tier: 'front' }), 'fail');
  assert.equal(met(condition, { tier: '*' }), 'pass');
});

test('a version that cannot be read fails the condition (D16)', () => {
  const condition =
    '{all: [{key: "{{ semver_compare(version, \'<2.0.0\') }}", operator: Equals, value: true}]}';
  assert.equal(met(condition, { version: '1.9.0' }), 'pass');
  assert.equal(met(condition, { version: 'latest' }), 'fail');
});

test('any needs one of its conditions, all needs each, and both are needed together', () => {
  const is = (n: number) => `{key: "{{ n }}", operator: Equals, value: ${n}}`;
  assert.equal(met(`{any: [${is(1)}, ${is(2)}]}`, { n: 2 }), 'pass');
  assert.equal(met(`{any: [${is(1)}, ${is(2)}]}`, { n: 3 }), 'fail');
  assert.equal(met(`{all: [${is(1)}, ${is(2)}]}`, { n: 1 }), 'fail');
  assert.equal(met(`{any: [${is(1)}]}, {all: [${is(2)}]}`, { n: 1 }), 'fail');
  assert.equal(
    met(`{any: [{key: "{{ gone.away }}", operator: Equals, value: 1}, ${is(1)}]}`, { n: 1 }),
    'pass',
  );
});

test('a predicate cannot say what the request is', () => {
  const condition = '{all: [{key: "{{ request.namespace }}", operator: Equals, value: shop}]}';
  assert.equal(met(condition, { request: { namespace: 'other' } }), 'pass');
});

test('the freshness of a scan is measured against the time of the evaluation', () => {
  const condition =
    "{all: [{key: \"{{ time_since('', finished, '') }}\", operator: LessThanOrEquals, value: 24h}]}";
  assert.equal(met(condition, { finished: new Date(now - 3_600_000).toISOString() }), 'pass');
  assert.equal(met(condition, { finished: new Date(now - 48 * 3_600_000).toISOString() }), 'fail');
});

test('a variable inside an expression is data, whatever is in it', () => {
  const key = `"{{ time_since('', '{{ scan.finished }}', '') }}"`;
  const condition = `{all: [{key: ${key}, operator: LessThanOrEquals, value: 168h}]}`;
  assert.equal(met(condition, { scan: { finished: new Date(now - 3_600_000).toISOString() } }), 'pass');
  assert.equal(met(condition, { scan: {} }), 'fail');
  const equals = `{all: [{key: "{{ to_upper('{{ a }}') }}", operator: Equals, value: X}]}`;
  assert.equal(met(equals, { a: 'x' }), 'pass');
  assert.equal(met(equals, { a: "', '') || 'x" }), 'fail');
  const pasted = parsePolicies(typed('{all: [{key: "{{ labels.{{ a }} }}", operator: Equals, value: 1}]}'));
  assert.ok(!pasted.ok && pasted.error.code === 'WB-725');
  const escaped = `{all: [{key: "\\\\{{ a }}", operator: Equals, value: "\\\\{{ a }}"}]}`;
  assert.equal(met(escaped, { a: 'x' }), 'pass');
  const hash = `{all: [{key: "{{ {n: {m: a}}.n.m }}", operator: Equals, value: x}]}`;
  assert.equal(met(hash, { a: 'x' }), 'pass');
});

test('skipped images are left alone, in their exact spelling only', () => {
  const policy = policyOf({
    attestors: entries(keyless()),
    more: '          skipImageReferences: ["ghcr.io/acme/api*"]\n',
  });
  assert.equal(decide(policy, []).unmatched.length, 1);
  assert.equal(decide(policy, [], request, `ghcr.io/acme/web@${digest}`).unmatched.length, 0);
});

test('a pattern with a tag still applies when the image is pinned beside its tag', () => {
  const policy = policyOf({ attestors: entries(keyless()), images: '["ghcr.io/acme/api:v*"]' });
  assert.equal(decide(policy, [], request, `ghcr.io/acme/api:v1@${digest}`).unmatched.length, 0);
  assert.equal(decide(policy, [], request, `ghcr.io/acme/api:dev@${digest}`).unmatched.length, 1);
  const glob = imagePolicy.replace('ghcr.io/acme/**', 'ghcr.io/acme/api:v*');
  assert.equal(decide(glob, [], request, `ghcr.io/acme/api:v1@${digest}`).unmatched.length, 0);
});

test('every spelling of Docker Hub is one place', () => {
  const policy = policyOf({ attestors: entries(keyless()), images: '["docker.io/library/nginx*"]' });
  for (const name of ['nginx', 'docker.io/nginx', 'index.docker.io/library/nginx', 'library/nginx']) {
    assert.equal(decide(policy, [], request, `${name}@${digest}`).unmatched.length, 0, name);
  }
});

const applies = (parts: RuleParts, asked: Partial<AdmissionRequest> = {}): boolean =>
  decide(policyOf({ attestors: entries(keyless()), ...parts }), [], { ...request, ...asked }).unmatched
    .length === 0;
const pods = (more: string): string => `{any: [{resources: {kinds: [Pod], ${more}}}]}`;

test('match and exclude look at kinds, names, namespaces, labels, operations and subjects', () => {
  const labelled = (labels: Record<string, string>): Json => ({ kind: 'Pod', metadata: { labels } });
  assert.equal(applies({ match: pods('namespaces: ["sh*"]') }), true);
  assert.equal(applies({ match: pods('namespaces: [bank]') }), false);
  assert.equal(applies({ match: pods('names: ["ap?"]') }), true);
  assert.equal(applies({ match: pods('operations: [UPDATE]') }), false);
  assert.equal(
    applies({ match: pods('selector: {matchLabels: {app: "a*"}}') }, { object: labelled({ app: 'api' }) }),
    true,
  );
  assert.equal(
    applies({ match: pods('selector: {matchLabels: {app: "a*"}}') }, { object: labelled({}) }),
    false,
  );
  const absent = pods('selector: {matchExpressions: [{key: legacy, operator: DoesNotExist}]}');
  assert.equal(applies({ match: absent }, { object: labelled({ legacy: '1' }) }), false);
  assert.equal(applies({ exclude: '{any: [{subjects: [{kind: Group, name: devs}]}]}' }), false);
  assert.equal(applies({ exclude: '{any: [{subjects: [{kind: User, name: other}]}]}' }), true);
  assert.equal(
    applies({ exclude: '{all: [{resources: {namespaces: [shop]}}, {resources: {names: [web]}}]}' }),
    true,
  );
  assert.equal(applies({ match: '{any: [{resources: {kinds: [apps/v1/Deployment]}}]}' }), false);
});

test('a rule on Pods holds for controllers, unless it names Pods or says no', () => {
  const deployment = { kind: { group: 'apps', version: 'v1', kind: 'Deployment' } };
  assert.equal(applies({}, deployment), true);
  assert.equal(applies({ match: pods('names: [api]') }, deployment), false);
});

test('labels of a namespace that nobody looked up take nothing out of a rule', () => {
  const selector = 'namespaceSelector: {matchLabels: {team: a}}';
  assert.equal(applies({ match: pods(selector) }), true);
  assert.equal(applies({ exclude: `{any: [{resources: {${selector}}}]}` }), true);
  assert.equal(applies({ match: pods(selector) }, { namespaceLabels: { team: 'b' } }), false);
  assert.equal(
    applies({ exclude: `{any: [{resources: {${selector}}}]}` }, { namespaceLabels: { team: 'a' } }),
    false,
  );
  const own = 'namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}';
  assert.equal(applies({ exclude: `{any: [{resources: {${own}}}]}` }), false);
});

test('a threshold that could still be met by what is not known is unavailable, else a refusal', () => {
  const policy = policyOf({
    attestors: `[{count: 1, entries: [{${keyless()}}, {${keyless('https://github.com/x/y/.github/workflows/z.yml@*')}}]}]`,
  });
  const set = unwrap(parsePolicies(policy));
  const [first, second] = questionsFor(matchingChecks(set, request, image));
  const { reasons } = only(decide(policy, []));
  const cause = reasons[0] as (typeof reasons)[number];
  const use = { pointer: '/x', kind: 'container', name: 'c', image } as const;
  const judged = (unknown: readonly string[]): JudgedImage => ({
    use,
    digest,
    evidence: {
      kind: 'facts',
      facts: {
        answers: new Map(
          [first, second].map((question) => {
            const id = question?.id ?? '';
            return [id, unknown.includes(id) ? [{ outcome: 'unavailable', cause } as const] : []];
          }),
        ),
      },
    },
  });
  const status = (unknown: readonly string[]) =>
    only(evaluate(set, request, [judged(unknown)], { nowMs: now })).status;
  assert.equal(status([]), 'fail');
  assert.equal(status([second?.id ?? '']), 'unavailable');
});

test('what a policy gives up by name stands in its result', () => {
  const key = generateKey('p256');
  assert.deepEqual(only(decide(policyOf({ attestors: entries(keys(key)) }), [keyed(key)])).degraded, [
    'tlog',
  ]);
  assert.deepEqual(only(decide(policyOf({ attestors: entries(keyless()) }), [bundle()])).degraded, []);
  const byTag = policyOf({
    attestors: entries(keyless()),
    more: '          mutateDigest: false\n          verifyDigest: false\n',
  });
  const decision = decide(byTag, [bundle()], request, 'ghcr.io/acme/api:1');
  assert.deepEqual([only(decision).status, only(decision).degraded], ['pass', ['digest']]);
  assert.match(
    warningTexts(decision)[0] ?? '',
    /image ghcr\.io\/acme\/api:1 was verified as sha256:.*, but runs by its tag/,
  );
});

test('Audit and Enforce judge alike and differ in effect alone', () => {
  const enforce = policyOf({ attestors: entries(keyless()) });
  const audit = enforce.replace('Enforce', 'Audit\n          mutateDigest: false');
  for (const items of [
    [],
    [bundle()],
    [bundle('https://github.com/evil/e/.github/workflows/e.yml@refs/tags/v1')],
  ]) {
    const [strict, watching] = [decide(enforce, items), decide(audit, items)];
    assert.equal(only(watching).message, only(strict).message);
    assert.equal(watching.isAllowed, true);
    assert.equal(strict.isAllowed, only(strict).status === 'pass');
  }
});
