/** Stamps of CT logs: which failure is told, and how long before and after the certificate they may be made. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unwrap } from '#base/result';
import { identity, requireKeyless, type Verdict } from '#verify';
import { VirtualCtLog } from '../double/virtual-ca.ts';
import { EPOCH, ISSUER, MINUTE, SUBJECT, YEAR } from '../double/virtual-stack.ts';
import { codeOf, outcomeOf, stack } from './attack.ts';

const identities = [unwrap(identity({ issuer: ISSUER, san: SUBJECT }))];
const { validFor } = stack;
const strange = new VirtualCtLog(validFor, 'strange.example');
const second = new VirtualCtLog(validFor, 'second.example');
const trust = stack.trust({ ...stack.root, ctlogs: [stack.ctLog.authority, second.authority] });

function judged(sct: number, ctLogs: readonly VirtualCtLog[], sctTime?: number): Verdict {
  const leaf = { ctLogs, ...(sctTime === undefined ? {} : { sctTime }) };
  const { bytes, artifact } = stack.sign({ leaf });
  const requirements = unwrap(requireKeyless({ identities, sct }));
  return outcomeOf({ bundle: bytes, artifact, requirements, trust });
}

test('too few stamps are too few, whatever is wrong with another (WB-338)', () => {
  assert.equal(codeOf(judged(2, [stack.ctLog, second])), 'accepted');
  assert.equal(codeOf(judged(1, [stack.ctLog, strange])), 'accepted');
  assert.equal(codeOf(judged(2, [stack.ctLog, strange])), 'WB-338');
  assert.equal(codeOf(judged(2, [strange, stack.ctLog])), 'WB-338');
  assert.equal(codeOf(judged(2, [stack.ctLog, stack.ctLog])), 'WB-338');
  assert.equal(codeOf(judged(1, [strange])), 'WB-336');
  assert.equal(codeOf(judged(1, [])), 'WB-335');
});

test('a stamp is made within five minutes of the certificate’s life, to the millisecond (WB-337)', () => {
  const [from, to] = [EPOCH - MINUTE, EPOCH + 9 * MINUTE];
  const skew = 5 * MINUTE;
  for (const ms of [from - skew, from, to, to + skew]) {
    assert.equal(codeOf(judged(1, [stack.ctLog], ms)), 'accepted', `${ms - EPOCH}`);
  }
  for (const ms of [from - skew - 1, to + skew + 1]) {
    assert.equal(codeOf(judged(1, [stack.ctLog], ms)), 'WB-337', `${ms - EPOCH}`);
  }
});

test('a stamp is made while its log is trusted (WB-337)', () => {
  const old = stack.trust({
    ...stack.root,
    ctlogs: [{ ...stack.ctLog.authority, validFor: { start: EPOCH - YEAR, end: EPOCH - YEAR / 2 } }],
  });
  const { bytes, artifact } = stack.sign();
  assert.equal(codeOf(outcomeOf({ bundle: bytes, artifact, trust: old })), 'WB-337');
});
