import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { lintRules, lintText } from '#policy';
import { enterprisePair, guidePolicy, guideProvenance, imagePolicy, RELEASE } from './samples.ts';

const codes = (text: string, file = 'p.yaml'): string[] => lintText(text, file).map(({ code }) => code);
/** The same text about other people: rules must not know the names of an example. */
const renamed = (text: string): string =>
  text.replaceAll('acme', 'globex').replaceAll('release.yml', 'ship.yaml').replaceAll('/api', '/shop');

test('the corrected texts have no findings', () => {
  for (const [name, text] of Object.entries({ guidePolicy, guideProvenance, enterprisePair, imagePolicy })) {
    assert.deepEqual(lintText(text, 'p.yaml'), [], name);
    assert.deepEqual(codes(renamed(text)), [], `renamed ${name}`);
  }
});

interface Row {
  /** Row of the table of the guide's errors, where it is one. */
  readonly row?: number;
  readonly name: string;
  readonly code: string;
  readonly bad: string;
  readonly good: string;
  readonly file?: string;
}

const keyless = (body: string): string => `attestors: [{entries: [{keyless: {${body}}}]}]\n`;
const github = 'issuer: "https://token.actions.githubusercontent.com"';
const rekor = 'rekor: {url: https://rekor.sigstore.dev}';
const entry = (images: string, more = ''): string =>
  `verifyImages:\n  - imageReferences: ${images}\n    type: SigstoreBundle\n${more}`;
const verify = (value: string): string =>
  `cosign verify \\\n  --certificate-identity-regexp "${value}" \\\n  --certificate-oidc-issuer "https://token.actions.githubusercontent.com" \\\n  "$IMAGE"\n`;

const rows: readonly Row[] = [
  {
    row: 1,
    name: 'keyless without rekor and roots',
    code: 'LNT012',
    bad: keyless(`subject: "${RELEASE}*", ${github}`),
    good: keyless(`subject: "${RELEASE}*", ${github}, ${rekor}`),
  },
  {
    row: 2,
    name: 'braces closed in the wrong order',
    code: 'LNT000',
    bad: `attestors: [{ entries: [{ keyless: { subject: "${RELEASE}*", ${github} }}}]}\n`,
    good: keyless(`subject: "${RELEASE}*", ${github}, ${rekor}`),
  },
  {
    row: 3,
    name: 'ignoreSCT',
    code: 'LNT006',
    bad: keyless(`subject: "${RELEASE}*", ${github}, ${rekor}, ctlog: {ignoreSCT: true}`),
    good: keyless(`subject: "${RELEASE}*", ${github}, ${rekor}, ctlog: {ignoreSCT: false}`),
  },
  {
    row: 4,
    name: 'element.predicate in a condition',
    code: 'LNT014',
    bad: `conditions: [{all: [{key: "{{ regex_match('x', element.predicate.acme.ref) }}", operator: Equals, value: true}]}]\n`,
    good: `conditions: [{all: [{key: "{{ regex_match('x', acme.ref) }}", operator: Equals, value: true}]}]\n`,
  },
  {
    row: 5,
    name: 'provenance v1 by the container generator',
    code: 'LNT013',
    bad: `attestations: [{type: https://slsa.dev/provenance/v1, attestors: [{entries: [{keyless: {subject: "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml@refs/tags/*", ${github}, ${rekor}}}]}]}]\n`,
    good: `attestations: [{type: https://slsa.dev/provenance/v0.2, attestors: [{entries: [{keyless: {subject: "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml@refs/tags/*", ${github}, ${rekor}}}]}]}]\n`,
  },
  {
    row: 6,
    name: 'the issuer as the subject',
    code: 'LNT015',
    bad: keyless(
      `subject: "https://accounts.acme.example", issuer: "https://accounts.acme.example", ${rekor}`,
    ),
    good: keyless(`subject: signer@acme.example, issuer: "https://accounts.acme.example", ${rekor}`),
  },
  {
    row: 6,
    name: 'another signer for the images of Kubernetes',
    code: 'LNT015',
    bad: `${entry('["registry.k8s.io/*"]')}    ${keyless(`subject: acme@example.com, issuer: "https://accounts.google.com", ${rekor}`)}`,
    good: `${entry('["registry.k8s.io/*"]')}    ${keyless(`subject: krel-trust@k8s-releng-prod.iam.gserviceaccount.com, issuer: "https://accounts.google.com", ${rekor}`)}`,
  },
  {
    row: 7,
    name: 'failure action of the whole policy',
    code: 'LNT017',
    bad: 'spec:\n  validationFailureAction: Enforce\n',
    good: 'spec:\n  webhookConfiguration: {timeoutSeconds: 10}\n',
  },
  {
    row: 7,
    name: 'timeout of the whole policy',
    code: 'LNT017',
    bad: 'spec:\n  webhookTimeoutSeconds: 10\n',
    good: 'spec:\n  webhookConfiguration: {timeoutSeconds: 10}\n',
  },
  {
    row: 7,
    name: 'Audit that still changes the Pod',
    code: 'LNT008',
    bad: entry('["ghcr.io/acme/*"]', '    failureAction: Audit\n'),
    good: entry('["ghcr.io/acme/*"]', '    failureAction: Audit\n    mutateDigest: false\n'),
  },
  {
    row: 8,
    name: 'a rule for every image',
    code: 'LNT001',
    bad: entry('["*"]'),
    good: entry('["ghcr.io/acme/*"]'),
  },
  {
    row: 10,
    name: 'an unanchored expression on a command line',
    code: 'LNT030',
    bad: verify('https://github.com/acme/api/.github/workflows/release.yml@.*'),
    good: verify('^https://github\\.com/acme/api/\\.github/workflows/release\\.yml@refs/tags/.*$'),
    file: 'verify.sh',
  },
  {
    row: 10,
    name: 'an unanchored expression in a policy',
    code: 'LNT003',
    bad: 'identities: [{issuer: "https://issuer.example", subjectRegExp: "https://ci.acme.example/api/.*"}]\n',
    good: 'identities: [{issuer: "https://issuer.example", subjectRegExp: "^https://ci\\\\.acme\\\\.example/api/.*$"}]\n',
  },
  {
    row: 11,
    name: 'a whole organisation on a command line',
    code: 'LNT031',
    bad: verify('^https://github\\.com/acme/.*$'),
    good: verify('^https://github\\.com/acme/api/\\.github/workflows/release\\.yml@refs/tags/.*$'),
    file: 'verify.sh',
  },
  {
    row: 11,
    name: 'a whole repository in a policy',
    code: 'LNT019',
    bad: keyless(`subject: "https://github.com/acme/api/*", ${github}, ${rekor}`),
    good: keyless(`subject: "${RELEASE}*", ${github}, ${rekor}`),
  },
  {
    row: 12,
    name: 'verification without an identity',
    code: 'LNT032',
    bad: 'cosign verify ghcr.io/acme/api:1\n',
    good: 'cosign verify --key cosign.pub ghcr.io/acme/api:1\n',
    file: 'verify.sh',
  },
  {
    row: 13,
    name: 'the default type beside keyless signatures',
    code: 'LNT018',
    bad: `verifyImages:\n  - imageReferences: ["ghcr.io/acme/*"]\n    ${keyless(`subject: "${RELEASE}*", ${github}, ${rekor}`)}`,
    good: `${entry('["ghcr.io/acme/*"]')}    ${keyless(`subject: "${RELEASE}*", ${github}, ${rekor}`)}`,
  },
  {
    row: 14,
    name: 'a search by the dump of a signature',
    code: 'LNT033',
    bad: 'rekor-cli search --artifact <(cosign download signature ghcr.io/acme/api:1)\n',
    good: 'waybill audit search ghcr.io/acme/api:1\n',
    file: 'audit.sh',
  },
  {
    row: 15,
    name: 'a search by image digest',
    code: 'LNT034',
    bad: 'rekor-cli search --sha "${DIGEST#sha256:}"  # acme\n',
    good: 'waybill audit search "$DIGEST"\n',
    file: 'audit.sh',
  },
  {
    row: 16,
    name: 'the body of an entry taken for its identity',
    code: 'LNT035',
    bad: "rekor-cli get --uuid acme --format json | jq '.Body'\n",
    good: 'waybill audit search "$DIGEST"\n',
    file: 'audit.sh',
  },
  {
    name: 'an identity without an issuer',
    code: 'LNT002',
    bad: keyless(`subject: "${RELEASE}*", ${rekor}`),
    good: keyless(`subject: "${RELEASE}*", ${github}, ${rekor}`),
  },
  {
    name: 'an image pattern without a boundary',
    code: 'LNT004',
    bad: entry('["ghcr.io/acme*"]'),
    good: entry('["ghcr.io/acme/*"]'),
  },
  {
    name: 'an image pattern with a tag',
    code: 'LNT005',
    bad: entry('["ghcr.io/acme/api:v1"]'),
    good: entry('["ghcr.io/acme/api*"]').replace('api*', 'api/*'),
  },
  {
    name: 'a star in exact text',
    code: 'LNT007',
    bad: `identities: [{${github}, subject: "${RELEASE}*"}]\n`,
    good: `identities: [{${github}, subject: "${RELEASE}v1"}]\n`,
  },
  {
    name: 'a long webhook timeout',
    code: 'LNT011',
    bad: 'spec:\n  webhookConfiguration: {timeoutSeconds: 30}\n',
    good: 'spec:\n  webhookConfiguration: {timeoutSeconds: 10}\n',
  },
  {
    name: 'failurePolicy Ignore beside Enforce',
    code: 'LNT016',
    bad: guidePolicy.replace('timeoutSeconds: 10', 'failurePolicy: Ignore'),
    good: guidePolicy,
  },
  {
    name: 'a field the schema does not know',
    code: 'LNT099',
    bad: guidePolicy.replace('failureAction', 'failureActoin: x\n          failureAction'),
    good: guidePolicy,
  },
];

for (const { row, name, code, bad, good, file } of rows) {
  const where = row === undefined ? '' : ` (row ${row})`;
  test(`${code}${where}: ${name} is found, also under other names, and its correction is not`, () => {
    const found = lintText(bad, file ?? 'p.yaml').filter((finding) => finding.code === code);
    assert.ok(found.length > 0, `found ${codes(bad, file).join(', ') || 'nothing'}`);
    for (const { position, message, fix } of found) {
      assert.ok(position.line >= 1 && position.column >= 1 && message !== '' && fix !== '');
    }
    assert.ok(codes(renamed(bad), file).includes(code), 'under other names');
    assert.deepEqual(codes(good, file), []);
    assert.deepEqual(codes(renamed(good), file), []);
  });
}

test('every rule has a row that it finds', () => {
  const tested = new Set(rows.map(({ code }) => code));
  assert.deepEqual(
    lintRules.map(({ code }) => code).filter((code) => !tested.has(code)),
    [],
  );
});

test('regex_match with Equals true is legal', () => {
  assert.deepEqual(codes(guideProvenance), []);
});

test('a finding names its line and column', () => {
  const [finding] = lintText(guidePolicy.replace('ghcr.io/acme/*', '*'), 'p.yaml');
  assert.deepEqual([finding?.code, finding?.position.line, finding?.position.column], ['LNT001', 20, 15]);
  const [command] = lintText('set -e\ncosign verify \\\n  x\n', 'v.sh');
  assert.equal(command?.position.line, 2);
});

test('a policy that is refused for one thing is not reported twice', () => {
  const found = codes(guidePolicy.replace(/\n +rekor:\n +url: .*/, ''));
  assert.deepEqual(found, ['LNT012']);
});

const guide = join(
  process.env['WAYBILL_SHARED'] ?? '../shared',
  'guide/securing-the-container-supply-chain.txt',
);
if (existsSync(guide)) {
  test("the guide's own text has the known findings", () => {
    const text = readFileSync(guide, 'utf8');
    const commands = new Set(codes(text, 'guide.txt'));
    for (const code of ['LNT030', 'LNT031', 'LNT033', 'LNT034', 'LNT035'])
      assert.ok(commands.has(code), code);
    const start = text.indexOf('apiVersion: kyverno.io/v1');
    const policy = text.slice(start, text.indexOf('Kyverno verifies the signature'));
    assert.deepEqual([...new Set(codes(policy))].sort(), ['LNT011', 'LNT017', 'LNT018']);
    const provenance = text.slice(
      text.indexOf('          attestations:'),
      text.indexOf('The Sigstore policy-controller'),
    );
    assert.deepEqual([...new Set(codes(provenance))].sort(), ['LNT012', 'LNT013', 'LNT014', 'LNT019']);
    const fix = text.slice(
      text.indexOf('verifyImages:\n  - imageReferences: ["ghcr.io'),
      text.indexOf('Second, they cut'),
    );
    assert.deepEqual(codes(fix), ['LNT000']);
    const mended = codes(fix.replaceAll('}}}]}', '}}]}]'));
    assert.deepEqual([...new Set(mended)].sort(), ['LNT012', 'LNT015', 'LNT018']);
  });
} else {
  console.log('note: the guide is not there; the suite over its text did not run');
}
