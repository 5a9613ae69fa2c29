/** Each rule: a minimal bad workflow, the same fault in other words, and what looks like it and is right. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unwrap } from '#base/result';
import { type Diagnosis, type ExamineOptions, examineWorkflows, workflowRules } from '#doctor';
import { changed, DIGEST, good, SHA, withJob, withStep } from './samples.ts';

const FILE = '.github/workflows/release.yml';

const examine = (text: string, options: ExamineOptions = {}): Diagnosis =>
  unwrap(examineWorkflows([{ file: FILE, text }], options));
const codes = (diagnosis: Diagnosis): string[] => [...new Set(diagnosis.findings.map(({ code }) => code))];

interface Case {
  readonly code: string;
  readonly bad: Readonly<Record<string, string>>;
  readonly good: Readonly<Record<string, string>>;
}

const generator = 'slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml';
const checkout = `uses: actions/checkout@${SHA}`;
const attest = (ref = SHA, more = ''): string =>
  `      - uses: actions/attest-build-provenance@${ref}\n        with:\n          subject-name: ghcr.io/acme/api\n${more}`;
const attestingBuild = changed(
  '      packages: write\n    outputs',
  '      packages: write\n      id-token: write\n    outputs',
);
const ownJob = (steps: string): string =>
  withJob(`
  attest:
    needs: [build]
    runs-on: ubuntu-24.04
    permissions:
      id-token: write
      attestations: write
    steps:
${steps}`);

const cases: readonly Case[] = [
  {
    code: 'WFD001',
    bad: {
      'by commit': changed('@v2.1.0', `@${SHA}`),
      'by branch': changed('@v2.1.0', '@main'),
      'by a tag that moves': changed('@v2.1.0', '@v2'),
      'by a prerelease': changed('@v2.1.0', '@v2.1.0-rc.1'),
      'another generator, other letters': changed(
        `${generator}@v2.1.0`,
        `SLSA-Framework/slsa-github-generator/.github/workflows/generator_generic_slsa3.yml@${SHA}`,
      ),
    },
    good: { tag: good, 'tag in full': changed('@v2.1.0', '@refs/tags/v2.0.0') },
  },
  {
    code: 'WFD002',
    bad: {
      tag: changed(checkout, 'uses: actions/checkout@v4'),
      'full tag': changed(checkout, 'uses: "actions/checkout@v4.2.2"'),
      branch: changed(checkout, "uses: 'acme/tools/setup@main'"),
      'short commit': changed(SHA, SHA.slice(0, 12)),
      'long, not hex': changed(SHA, `${SHA.slice(0, 39)}g`),
      'no version': changed(checkout, 'uses: actions/checkout'),
      'reusable workflow': withJob('\n  lint:\n    uses: acme/ci/.github/workflows/lint.yml@v1\n'),
      expression: changed(checkout, 'uses: actions/checkout@${{ vars.PIN }}'),
    },
    good: {
      commit: good,
      'upper case': changed(SHA, SHA.toUpperCase()),
      'SHA-256 repository': changed(SHA, 'ab'.repeat(32)),
      local: withStep('      - uses: ./.github/actions/setup\n'),
      'in a comment': changed('name: release', 'name: release\n# uses: actions/checkout@v4'),
      'in a command': withStep('      - run: |\n          echo "uses: actions/checkout@v4"\n'),
      'never runs': withJob('\n  old:\n    if: false\n    runs-on: x\n    steps:\n      - uses: acme/x@v1\n'),
    },
  },
  {
    code: 'WFD003',
    bad: {
      'container action': withStep('      - uses: docker://alpine:3.20\n'),
      container: changed('runs-on: ubuntu-24.04', 'runs-on: ubuntu-24.04\n    container: node:24'),
      'container as a map': changed(
        'runs-on: ubuntu-24.04',
        'runs-on: ubuntu-24.04\n    container:\n      image: node:24',
      ),
    },
    good: {
      'container action': withStep(`      - uses: docker://alpine:3.20@${DIGEST}\n`),
      container: changed('runs-on: ubuntu-24.04', `runs-on: ubuntu-24.04\n    container: node@${DIGEST}`),
    },
  },
  {
    code: 'WFD010',
    bad: {
      'attest-build-provenance': withStep(attest()),
      'actions/attest': withStep(
        `      - uses: actions/attest@${SHA}\n        with: { subject-path: dist }\n`,
      ),
      cosign: withStep(
        '      - run: |\n          cosign attest --yes \\\n            --type slsaprovenance1 img\n',
      ),
      'by the URI of the type': withStep(
        '      - run: waybill attest --type=https://slsa.dev/provenance/v1 img\n',
      ),
      'with scripts instead of a build': ownJob(
        `      - ${checkout}\n      - run: ./scripts/digest.sh\n${attest()}`,
      ),
    },
    good: {
      'an SBOM attested in the build': withStep(
        `      - uses: actions/attest@${SHA}\n        with: { sbom-path: sbom.json }\n`,
      ),
      'another type': withStep('      - run: cosign attest --type cyclonedx img # not slsaprovenance\n'),
    },
  },
  {
    code: 'WFD011',
    bad: {
      'attest in a job of its own': ownJob(attest()),
      'cosign in a job of its own': ownJob('      - run: cosign attest --type slsaprovenance img\n'),
    },
    good: { 'the generator': good },
  },
  {
    code: 'WFD012',
    bad: {
      'permission missing': changed('      actions: read\n', ''),
      'too little': changed(
        '      actions: read\n      id-token: write',
        '      actions: read\n      id-token: none',
      ),
      'digest of nothing it needs': changed('needs: [build]', 'needs: []'),
      'digest from elsewhere': changed('${{ needs.build.outputs.digest }}', '${{ inputs.digest }}'),
      'image with a tag': changed('image: ghcr.io/acme/api', 'image: ghcr.io/acme/api:v1'),
    },
    good: {
      'needs as a word': changed('needs: [build]', 'needs: build'),
      'a registry with a port': changed('image: ghcr.io/acme/api', 'image: registry.acme.example:5000/api'),
      'an image from an expression': changed(
        'image: ghcr.io/acme/api',
        'image: ${{ needs.build.outputs.image }}',
      ),
    },
  },
  {
    code: 'WFD020',
    bad: {
      'not at all': changed('permissions:\n  contents: read\n\n', '').replace(
        '    permissions:\n      contents: read\n      packages: write\n    outputs',
        '    outputs',
      ),
    },
    good: { 'for each job': changed('permissions:\n  contents: read\n\n', '') },
  },
  {
    code: 'WFD021',
    bad: {
      workflow: changed('permissions:\n  contents: read\n\n', 'permissions: write-all\n\n'),
      job: changed('permissions:\n      contents: read\n      packages: write', 'permissions: "write-all"'),
    },
    good: { 'read-all': changed('permissions:\n  contents: read\n\n', 'permissions: read-all\n\n') },
  },
  {
    code: 'WFD022',
    bad: {
      block: changed(
        'permissions:\n  contents: read\n',
        'permissions:\n  contents: read\n  id-token: write\n',
      ),
      flow: changed(
        'permissions:\n  contents: read\n',
        'permissions: { contents: read, id-token: "write" }\n',
      ),
    },
    good: {
      none: changed('permissions:\n  contents: read\n', 'permissions:\n  contents: read\n  id-token: none\n'),
    },
  },
  {
    code: 'WFD023',
    bad: {
      'build that signs nothing': attestingBuild,
      'another job': withJob(
        `\n  notes:\n    runs-on: x\n    permissions: { id-token: write }\n    steps:\n      - run: echo done\n`,
      ),
    },
    good: {
      'a job that signs': ownJob('      - run: cosign sign --yes img\n'),
      'a job whose action is not known': ownJob(`      - uses: acme/deploy@${SHA}\n`),
    },
  },
  {
    code: 'WFD024',
    bad: {
      'build and sign': changed(
        '      - run: make image\n',
        '      - run: make image\n      - run: cosign sign img\n',
        attestingBuild,
      ),
      'test and publish': ownJob(`      - ${checkout}\n      - run: npm ci && npm publish\n`),
    },
    good: { 'sign alone': ownJob(`      - run: cosign sign img\n`) },
  },
  {
    code: 'WFD030',
    bad: {
      'head of a pull request': changed("push:\n    tags: ['v*']", 'pull_request_target:').replace(
        checkout,
        `${checkout}\n        with:\n          ref: \${{ github.event.pull_request.head.sha }}`,
      ),
      'by git, after another workflow': changed(
        "push:\n    tags: ['v*']",
        'workflow_run:\n    workflows: [ci]',
      ).replace('make image', 'git fetch origin ${{ github.event.workflow_run.head_sha }}'),
    },
    good: { pull_request: changed("push:\n    tags: ['v*']", 'pull_request:') },
  },
  {
    code: 'WFD031',
    bad: {
      'actions/cache': withStep(`      - uses: actions/cache@${SHA}\n        with: { path: dist, key: x }\n`),
      'a setup action': withStep(`      - uses: actions/setup-node@${SHA}\n        with: { cache: npm }\n`),
      'a setup action that has to be told not to': withStep(`      - uses: actions/setup-go@${SHA}\n`),
      'a cache of somebody else': withStep(`      - uses: Swatinem/rust-cache@${SHA}\n`),
      buildkit: changed('          push: true', '          cache-from: type=gha\n          push: true'),
    },
    good: {
      'a setup action without': withStep(
        `      - uses: actions/setup-go@${SHA}\n        with: { cache: false }\n`,
      ),
      'another job': withJob(`
  test:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/cache@${SHA}
        with: { path: x, key: y }
`),
    },
  },
  {
    code: 'WFD032',
    bad: {
      word: changed('runs-on: ubuntu-24.04', 'runs-on: self-hosted'),
      list: changed('runs-on: ubuntu-24.04', 'runs-on: [self-hosted, linux]'),
    },
    good: {
      hosted: changed('ubuntu-24.04', 'ubuntu-latest'),
      'chosen by a matrix': changed('ubuntu-24.04', '${{ matrix.os }}'),
    },
  },
  {
    code: 'WFD033',
    bad: {
      inherit: changed(/secrets:\n[\s\S]*$/, 'secrets: inherit\n'),
      environment: changed('jobs:\n', 'env:\n  TOKEN: ${{ secrets.NPM_TOKEN }}\n\njobs:\n'),
    },
    good: { named: good },
  },
  {
    code: 'WFD034',
    bad: {
      title: withStep('      - run: echo "${{ github.event.issue.title }}"\n'),
      branch: withStep('      - run: |\n          git log ${{ github.head_ref }}\n'),
      message: withStep("      - run: echo '${{ toJSON(github.event.head_commit.message) }}'\n"),
    },
    good: {
      'through env': withStep(
        '      - env: { T: "${{ github.event.issue.title }}" }\n        run: echo "$T"\n',
      ),
      'own number': withStep('      - run: echo ${{ github.run_id }}\n'),
    },
  },
  {
    code: 'WFD040',
    bad: {
      branch: changed("tags: ['v*']", 'branches: [main]'),
      'by hand': changed("  push:\n    tags: ['v*']", "  workflow_dispatch:\n  push:\n    tags: ['v*']"),
      word: changed("on:\n  push:\n    tags: ['v*']", 'on: [push]'),
    },
    good: { tags: good, releases: changed("push:\n    tags: ['v*']", 'release:\n    types: [published]') },
  },
];

test('every rule has a case', () => {
  assert.deepEqual(
    cases.map(({ code }) => code),
    workflowRules.map(({ code }) => code),
  );
});

test('a workflow without fault is L3-ready, and what no file can show is said', () => {
  const { verdict, findings, open, diff } = examine(good);
  assert.deepEqual([verdict, findings, diff], [{ level: 'L3-ready', because: [] }, [], '']);
  assert.deepEqual(
    open.map(({ code, position }) => [code, position.line, position.column]),
    [['WFD041', 3, 3]],
  );
  assert.match(open[0]?.message ?? '', /tags like v\*/);
});

for (const { code, bad, good: right } of cases) {
  const effect = workflowRules.find((rule) => rule.code === code)?.effect;
  for (const [name, text] of Object.entries(bad)) {
    test(`${code} is found: ${name}`, () => {
      const diagnosis = examine(text);
      const finding = diagnosis.findings.find((one) => one.code === code);
      assert.ok(finding !== undefined, JSON.stringify(codes(diagnosis)));
      assert.equal(finding.effect, effect);
      assert.notEqual(finding.fix, '');
      const isReady = diagnosis.verdict.level === 'L3-ready';
      assert.equal(isReady, effect === 'advice', JSON.stringify(diagnosis.verdict));
      if (effect === 'level') assert.ok(diagnosis.verdict.because.some((line) => line.startsWith(code)));
    });
  }
  for (const [name, text] of Object.entries(right)) {
    test(`${code} is silent: ${name}`, () => {
      assert.ok(!codes(examine(text)).includes(code), JSON.stringify(examine(text).findings));
    });
  }
}

test('a machine of which the file does not say whose it is: advice, not a verdict', () => {
  for (const to of ['runs-on:\n      group: big', 'runs-on: fast-builder']) {
    const { findings, verdict } = examine(changed('runs-on: ubuntu-24.04', to));
    assert.deepEqual(
      findings.map(({ code, effect }) => [code, effect]),
      [['WFD032', 'advice']],
    );
    assert.equal(verdict.level, 'L3-ready');
  }
});

test('a workflow that calls the release of its repository is held to the triggers of a release', () => {
  const files = [
    { file: FILE, text: changed("push:\n    tags: ['v*']", 'workflow_call:') },
    {
      file: '.github/workflows/main.yml',
      text: `on: { push: { branches: [main] } }
permissions: {}
jobs:
  release:
    uses: ./.github/workflows/release.yml
`,
    },
  ];
  const found = unwrap(examineWorkflows(files)).findings.map(({ code, position }) => [code, position.file]);
  assert.deepEqual(found, [['WFD040', '.github/workflows/main.yml']]);
});

test('a finding names its line and column', () => {
  const [finding] = examine(changed(checkout, 'uses: actions/checkout@v4')).findings;
  assert.deepEqual(finding?.position, { file: FILE, line: 18, column: 15 });
  assert.match(finding?.fix ?? '', /git ls-remote https:\/\/github\.com\/actions\/checkout 'v4'/);
});

test('a workflow that makes no provenance has no level, whatever else is right', () => {
  const { verdict } = examine(changed(/\n {2}provenance:[\s\S]*$/, ''));
  assert.equal(verdict.level, 'none');
  assert.deepEqual(verdict.because, ['no job in these files makes provenance']);
});

test('a builder of the caller’s own counts only when it is named, by tag or by commit', () => {
  const own = 'acme/builders/.github/workflows/container.yml';
  const text = changed(`${generator}@v2.1.0`, `${own}@v1.2.3`);
  assert.equal(examine(text).verdict.level, 'none');
  assert.equal(examine(text, { builders: [own] }).verdict.level, 'L3-ready');
  assert.equal(examine(text.replace('@v1.2.3', `@${SHA}`), { builders: [own] }).verdict.level, 'L3-ready');
  assert.deepEqual(codes(examine(text.replace('@v1.2.3', '@v1'), { builders: [own] })), ['WFD002']);
});

test('a build in a local reusable workflow is followed: its cache and its machine count', () => {
  const called = `on: { workflow_call: {} }
permissions: {}
jobs:
  image:
    runs-on: self-hosted
    steps:
      - uses: actions/cache@${SHA}
`;
  const caller = changed(
    / {2}build:[\s\S]*?\n\n {2}provenance/,
    '  build:\n    uses: ./.github/workflows/build.yml\n\n  provenance',
  );
  const files = [
    { file: 'repo/.github/workflows/release.yml', text: caller },
    { file: 'repo/.github/workflows/build.yml', text: called },
  ];
  const found = unwrap(examineWorkflows(files)).findings.map(({ code, position }) => [code, position.file]);
  assert.deepEqual(found, [
    ['WFD032', 'repo/.github/workflows/build.yml'],
    ['WFD031', 'repo/.github/workflows/build.yml'],
  ]);
});

test('provenance hidden in a local action is found, and its steps are held to the same rules', () => {
  const action = `runs:\n  using: composite\n  steps:\n    - uses: actions/attest-build-provenance@v2\n`;
  const files = [
    { file: FILE, text: withStep('      - uses: ./.github/actions/seal\n') },
    { file: '.github/actions/seal/action.yml', text: action },
  ];
  const found = unwrap(examineWorkflows(files)).findings.map(({ code, position }) => [code, position.file]);
  assert.deepEqual(found, [
    ['WFD010', '.github/actions/seal/action.yml'],
    ['WFD002', '.github/actions/seal/action.yml'],
  ]);
});

test('an alias is the place it stands for, found once', () => {
  const text = changed(checkout, 'uses: &co actions/checkout@v4').replace('- run: make image', '- uses: *co');
  assert.equal(examine(text).findings.filter(({ code }) => code === 'WFD002').length, 2);
});

test('line ends of Windows and a byte order mark change nothing', () => {
  const text = `\ufeff${good.replaceAll('\n', '\r\n')}`;
  assert.equal(examine(text).verdict.level, 'L3-ready');
});
