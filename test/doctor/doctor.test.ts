/** Files and their positions, the diff, the command, and the guide's own workflow. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { limits } from '#base/limits';
import { unwrap } from '#base/result';
import { applyEdits, examineWorkflows, unifiedDiff } from '#doctor';
import { type RunResult, run } from '#platform/process';
import { changed, good, SHA, withStep } from './samples.ts';

const folder = mkdtempSync(join(tmpdir(), 'waybill-doctor-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  return path;
}

const main = join(import.meta.dirname, '../../src/cli/main.ts');
const waybill = (...args: readonly string[]): Promise<RunResult> =>
  run(process.execPath, ['--disable-warning=ExperimentalWarning', main, 'doctor', 'workflow', ...args], {
    cwd: folder,
    env: { ...process.env, NO_COLOR: '1' },
  });

const refusal = (text: string): readonly [string, string] => {
  const found = examineWorkflows([{ file: 'w.yml', text }]);
  assert.ok(!found.ok);
  return [found.error.code, found.error.actual];
};

test('what does not parse is refused with its place', () => {
  assert.match(refusal('jobs:\n  a: [\n').join(' '), /^WB-770 w\.yml:\d+:\d+: /);
  assert.match(refusal('jobs: {}\njobs: {}\n').join(' '), /^WB-770 w\.yml:2:1: /);
  assert.match(refusal('a: 1\n---\nb: 2\n').join(' '), /^WB-770 w\.yml:\d+:\d+: /);
  assert.deepEqual(refusal('name: x\n'), ['WB-771', 'w.yml:1:1: name']);
  assert.deepEqual(refusal('jobs: [a]\n'), ['WB-771', 'w.yml:1:7: a list']);
  assert.deepEqual(refusal('jobs:\n  a:\n    steps: run\n'), ['WB-771', 'w.yml:3:12: "run"']);
  assert.deepEqual(refusal('permissions: all\njobs: {}\n'), ['WB-771', 'w.yml:1:14: "all"']);
  assert.deepEqual(refusal('jobs: *none\n'), ['WB-771', 'w.yml:1:7: null']);
  assert.deepEqual(refusal('jobs:\n  a: &a { steps: [] }\n  b:\n    <<: *a\n'), [
    'WB-771',
    'w.yml:4:5: "<<"',
  ]);
  assert.equal(refusal(`${'['.repeat(50_000)}`)[0], 'WB-770');
});

test('a workflow of the largest size is read, one character more is not', () => {
  const room = limits.workflowBytes - good.length;
  const padded = (extra: number): string => `${good}${'#'.repeat(room + extra)}`;
  assert.ok(examineWorkflows([{ file: 'w.yml', text: padded(0) }]).ok);
  assert.equal(refusal(padded(1))[0], 'WB-770');
});

test('steps multiplied by aliases end at a bound', () => {
  const jobs = (count: number): string =>
    Array.from({ length: count }, (_, i) => `  j${i}: { steps: *s }\n`).join('');
  const steps = `  base:\n    steps: &s\n${'      - run: x\n'.repeat(100)}`;
  assert.ok(examineWorkflows([{ file: 'w.yml', text: `jobs:\n${steps}${jobs(99)}` }]).ok);
  assert.equal(refusal(`jobs:\n${steps}${jobs(100)}`)[0], 'WB-771');
});

/** Each mechanical fix: the diff applies, and what it was for is gone. */
const fixable: Readonly<Record<string, readonly [string, string]>> = {
  'permissions not stated': [
    'WFD020',
    changed('permissions:\n  contents: read\n\n', '').replace(
      '    permissions:\n      contents: read\n      packages: write\n    outputs',
      '    outputs',
    ),
  ],
  'write-all': ['WFD021', changed('permissions:\n  contents: read\n\n', 'permissions: write-all\n\n')],
  'write-all of a job': [
    'WFD021',
    changed('permissions:\n      contents: read\n      packages: write', 'permissions: write-all # all'),
  ],
  'token for the workflow': [
    'WFD022',
    changed('  contents: read\n\n', '  contents: read\n  id-token: write\n\n'),
  ],
  'token for the workflow, alone': ['WFD022', changed('  contents: read\n\n', '  id-token: write\n\n')],
  'token nobody uses': [
    'WFD023',
    changed(
      '      packages: write\n    outputs',
      '      packages: write\n      id-token: write\n    outputs',
    ),
  ],
  'generator without permissions': [
    'WFD012',
    changed(
      '    permissions:\n      actions: read\n      id-token: write\n      packages: write\n    uses',
      '    uses',
    ),
  ],
  'generator with one too few': ['WFD012', changed('      actions: read\n', '')],
};

for (const [name, [code, text]] of Object.entries(fixable)) {
  for (const [ends, shaped] of [
    ['', text],
    [' with the line ends of Windows', text.replaceAll('\n', '\r\n')],
    [' without a last line end', text.replace(/\n$/, '')],
  ] as const) {
    test(`git applies the fix: ${name}${ends}`, () => {
      const file = `.github/workflows/${code}.yml`;
      const before = unwrap(examineWorkflows([{ file, text: shaped }]));
      assert.ok(before.findings.some((one) => one.code === code));
      const path = write(file, shaped);
      execFileSync('git', ['apply', '--whitespace=nowarn', '-'], { cwd: folder, input: before.diff });
      const fixed = readFileSync(path, 'utf8');
      const edits = before.findings.flatMap((one) => one.edits);
      assert.equal(fixed, applyEdits(shaped, edits));
      const after_ = unwrap(examineWorkflows([{ file, text: fixed }]));
      assert.deepEqual(after_.findings, [], fixed);
      assert.equal(after_.verdict.level, 'L3-ready');
    });
  }
}

test('the token moves to the jobs that need it: permissions a job had by inheritance are written out', () => {
  const text = changed('  contents: read\n\n', '  contents: read\n  id-token: write\n\n').replace(
    '    permissions:\n      actions: read\n      id-token: write\n      packages: write\n    uses',
    '    uses',
  );
  const found = unwrap(examineWorkflows([{ file: 'w.yml', text }]));
  const fixed = applyEdits(
    text,
    found.findings.filter(({ code }) => code === 'WFD022').flatMap((one) => one.edits),
  );
  assert.match(fixed, /provenance:\n {4}permissions:\n {6}contents: read\n {6}id-token: write\n {4}needs/);
  assert.doesNotMatch(fixed, /^ {2}id-token/m);
});

test('where lines cannot be edited there is no diff', () => {
  const text = changed(
    'permissions:\n  contents: read\n\n',
    'permissions: { contents: read, id-token: write }\n\n',
  );
  assert.equal(unwrap(examineWorkflows([{ file: 'w.yml', text }])).diff, '');
  assert.equal(unifiedDiff('w.yml', text, []), '');
});

test('the command: text, JSON, diff and exit codes', async () => {
  write('ok/.github/workflows/release.yml', good);
  const ready = await waybill('ok');
  assert.deepEqual([ready.code, ready.stdout.trimEnd().split('\n').at(-1)], [0, 'L3-ready']);
  assert.match(ready.stdout, /unknown WFD041/);

  const file = 'bad/.github/workflows/release.yml';
  write(
    file,
    withStep(`      - uses: actions/cache@v4\n`).replace(
      'permissions:\n  contents: read\n\n',
      'permissions: write-all\n\n',
    ),
  );
  const bad = await waybill('bad/.github/workflows');
  assert.equal(bad.code, 2);
  assert.match(
    bad.stdout,
    /L2 because\n {2}WFD002 bad\/\.github\/workflows\/release\.yml:\d+:\d+: actions\/cache@v4/,
  );
  assert.match(bad.stdout, /\n\+permissions:\n\+ {2}contents: read\n/);
  const json = JSON.parse((await waybill('bad', '--json')).stdout);
  assert.equal(json.schema, 'waybill.dev/doctor-workflow/v1');
  assert.deepEqual([json.ok, json.verdict.level, json.files], [false, 'L2', [file]]);
  assert.deepEqual(
    json.findings.map((one: { code: string; isMechanical: boolean }) => [one.code, one.isMechanical]),
    [
      ['WFD021', true],
      ['WFD031', false],
      ['WFD002', false],
    ],
  );
  const diff = await waybill('bad', '--fix-diff');
  assert.equal(diff.stdout, json.diff);
  assert.match(diff.stderr, /L2 because/);
});

test('the command refuses what it cannot read: 3, with the place', async () => {
  const path = write('broken.yml', 'on: push\njobs:\n  a: [\n');
  const broken = await waybill(path, '--json');
  assert.equal(broken.code, 3);
  assert.deepEqual(JSON.parse(broken.stdout).reason.code, 'WB-770');
  assert.match(broken.stderr, /broken\.yml:\d+:\d+/);
  mkdirSync(join(folder, 'empty'), { recursive: true });
  for (const [args, code] of [
    [['empty'], 'WB-935'],
    [['nowhere.yml'], 'WB-209'],
    [[], 'WB-1301'],
  ] as const) {
    const refused = await waybill(...args);
    assert.equal(refused.code, 3);
    assert.match(refused.stderr, new RegExp(code));
  }
});

test('the command lists its rules', async () => {
  const { stdout, code } = await waybill('--rules');
  assert.equal(code, 0);
  assert.match(stdout, /^WFD001 {2}level {3}The SLSA generator/);
});

const guide = join(
  process.env['WAYBILL_SHARED'] ?? '../shared',
  'guide/securing-the-container-supply-chain.txt',
);
if (!existsSync(guide)) console.log('not run: doctor over the guide (WAYBILL_SHARED)');
else {
  const text = readFileSync(guide, 'utf8');
  /** From a line to the line before the first that does not belong. */
  const block = (from: string, to: RegExp): string => {
    const start = text.indexOf(from);
    assert.ok(start >= 0, from);
    const end = text.slice(start).search(to);
    return text.slice(start, start + end);
  };

  test('the guide: the permissions of its first workflow give every job the token', () => {
    const first = block('permissions:\n  contents: read\n  packages: write', /^# Sign/m);
    const { findings, diff } = unwrap(examineWorkflows([{ file: 'guide-3.yml', text: first }]));
    assert.deepEqual(
      findings.map(({ code, position }) => [code, position.line]),
      [['WFD022', 4]],
    );
    // There is no job in it to move the token to.
    assert.equal(diff, '');
  });

  const call = block('jobs:\n  provenance:', /^The isolation/m);

  test('the guide: its call of the generator has no fault; what it speaks for is not in the block', () => {
    const { findings, verdict } = unwrap(examineWorkflows([{ file: 'guide-4.yml', text: call }]));
    assert.deepEqual(findings, []);
    assert.deepEqual(verdict.because, ['the job build, which provenance speaks for, is not in guide-4.yml']);
  });

  test('the guide: with a build beside it, by commits and on tags, the call is L3-ready', () => {
    const build = good.slice(0, good.indexOf('  provenance:'));
    const whole = build + call.slice('jobs:\n'.length);
    const { verdict } = unwrap(examineWorkflows([{ file: 'release.yml', text: whole }]));
    assert.deepEqual(verdict, { level: 'L3-ready', because: [] });
    const pinned = whole.replace(
      'generator_container_slsa3.yml@v2.0.0',
      `generator_container_slsa3.yml@${SHA}`,
    );
    assert.deepEqual(
      unwrap(examineWorkflows([{ file: 'release.yml', text: pinned }])).findings.map(({ code }) => code),
      ['WFD001'],
    );
  });
}
