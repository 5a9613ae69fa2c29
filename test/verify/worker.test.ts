/** Verification on other threads gives the verdicts of this one (examples/verify-worker.ts). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '#base/bytes';
import { parseBundle } from '#formats/bundle';
import { trustedRootJson } from '#formats/trusted-root';
import { verifyBundle } from '#verify';
import { openVerifyPool, type Told } from '../../examples/verify-worker.ts';
import { ISSUER, SUBJECT } from '../double/virtual-stack.ts';
import { stack } from './attack.ts';

test('two threads say of good and bad bundles what this one says, each answer to its question', async () => {
  const now = stack.clock.now();
  const samples = [
    stack.sign(),
    stack.sign({ tsas: [] }),
    stack.sign({ logs: [] }),
    stack.sign({ logs: [stack.rekorV2] }),
  ];
  const jobs = [
    ...samples.map(({ bytes, artifact }) => ({ bundle: bytes, artifact, now })),
    { bundle: samples[0]?.bytes as Uint8Array, artifact: utf8('something else'), now },
    { bundle: utf8('no bundle'), artifact: utf8('x'), now },
  ];
  const here = jobs.map(({ bundle, artifact }) => {
    const parsed = parseBundle(bundle);
    if (!parsed.ok) return parsed.error.code;
    const question = { trustedRoot: stack.trust(), requirements: stack.requirements(), now };
    const verdict = verifyBundle({ artifact, bundle: parsed.value, ...question });
    if (verdict.outcome === 'accepted') return 'accepted';
    return verdict.outcome === 'rejected' ? verdict.reason.code : verdict.cause.code;
  });
  const trustedRoot = utf8(trustedRootJson(stack.root));
  const pool = openVerifyPool({ trustedRoot, identities: [{ issuer: ISSUER, san: SUBJECT }] }, 2);
  try {
    const codeOf = (told: Told): string => (told.outcome === 'accepted' ? 'accepted' : told.reason.code);
    const there = await Promise.all(
      [...jobs, ...jobs, ...jobs].map(async (job) => codeOf(await pool.verify(job))),
    );
    assert.deepEqual(there, [...here, ...here, ...here]);
    assert.deepEqual(new Set(here).size >= 4, true, here.join());
  } finally {
    await pool.close();
  }
});
