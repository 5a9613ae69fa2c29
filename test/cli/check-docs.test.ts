/** The pages about `check` and `doctor` are run as they stand. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { test } from 'node:test';
import { unwrap } from '#base/result';
import { examineWorkflows } from '#doctor';
import { parseProfile } from '#flows/check-profile';
import { run } from '#platform/process';

const page = (name: string): Promise<string> => readFile(resolve('docs', name), 'utf8');
const blocks = (text: string, kind: string): string[] =>
  [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].flatMap(([, found, body = '']) =>
    found === kind ? [body] : [],
  );

test('docs/doctor.md: the workflow that passes passes', async () => {
  const [text = ''] = blocks(await page('doctor.md'), 'yaml');
  const { verdict } = unwrap(examineWorkflows([{ file: 'release.yml', text }]));
  assert.deepEqual(verdict, { level: 'L3-ready', because: [] });
});

test('docs/check.md: the profile is one', async () => {
  const [text = ''] = blocks(await page('check.md'), 'yaml');
  assert.equal(unwrap(parseProfile(text, 'waybill.yaml')).tag, 'v1.4.2');
});

test('docs/check.md: its lines run, the first check is all yes, and each change has its answer', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-check-docs-'));
  try {
    const text = await page('check.md');
    const lines = blocks(text.slice(text.indexOf('## Try it')), 'sh').join('\n');
    const { WAYBILL_STACK: _, ...env } = process.env;
    const PATH = `${resolve('bin')}${delimiter}${env['PATH'] ?? ''}`;
    const ran = await run('bash', ['-m', '-c', lines], { cwd: folder, env: { ...env, PATH, HOME: folder } });
    assert.match(ran.stdout, /\n8 yes, 0 no, 0 unknown\n/, ran.stderr);
    assert.deepEqual(
      [...ran.stdout.matchAll(/WB-\d+/g)].map(([code]) => code),
      ['WB-710', 'WB-940', 'WB-932'],
    );
    assert.equal(ran.stdout.match(/^exit 2$/gm)?.length, 3);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
