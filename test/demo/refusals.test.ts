import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';

interface Step {
  readonly name: string;
  readonly kind: 'step' | 'refusal';
  readonly passed: boolean;
  readonly detail: string;
}

function runDemo(json: string, env: Readonly<Record<string, string>>): Promise<number> {
  return new Promise((done) => {
    const child = spawn(process.execPath, ['demo/demo.ts', '--json', json], {
      env: { ...process.env, ...env },
      stdio: 'ignore',
    });
    child.on('close', (code) => done(code ?? -1));
  });
}

test('with a verifier that always accepts, every refusal of the demo turns red and every step stays green', {
  timeout: 240_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-red-'));
  try {
    const json = join(folder, 'demo.json');
    const code = await runDemo(json, { WAYBILL_BIN: resolve('test/demo/accept-all/waybill') });
    assert.equal(code, 1);
    const { steps } = JSON.parse(readFileSync(json, 'utf8')) as { steps: Step[] };
    const refusals = steps.filter((step) => step.kind === 'refusal');
    assert.ok(refusals.length >= 10, `${refusals.length} refusals`);
    const stillRefused = refusals.filter((step) => step.passed).map((step) => step.name);
    assert.deepEqual(stillRefused, []);
    const broken = steps.filter((step) => step.kind === 'step' && !step.passed);
    assert.deepEqual(
      broken.map((step) => `${step.name}: ${step.detail}`),
      [],
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
