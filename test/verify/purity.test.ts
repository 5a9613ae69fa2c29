/** The verifier has no state, no surroundings, and no error of ours becomes an acceptance. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import { entityOf, noTrustMaterial, type TrustMaterial, verifyBundle, verifyEntity } from '#verify';
import { codeOf, shown, stack } from './attack.ts';

const forms = [
  stack.sign(),
  stack.sign({ statement: 'cosign' }),
  stack.sign({ logs: [stack.rekorV2] }),
  stack.sign({ statement: 'cosign', logs: [stack.rekorV2, stack.rekorV1] }),
];
const trust = stack.trust();
const requirements = stack.requirements();
const now = stack.clock.now();

/** A view of `target` whose n-th property access, counted over everything reached through it, throws. */
function failing<T extends object>(target: T, counter: { left: number }): T {
  return new Proxy(target, {
    get(object, property) {
      counter.left--;
      if (counter.left === 0) throw new Error('injected');
      const value: unknown = Reflect.get(object, property, object);
      const isPlain =
        typeof value === 'object' &&
        value !== null &&
        (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype);
      return isPlain ? failing(value, counter) : value;
    },
  });
}

for (const [i, sample] of forms.entries()) {
  test(`a fault at any access to the bundle never accepts (form ${i})`, () => {
    const bundle = unwrap(parseBundle(sample.bytes));
    let faults = 0;
    for (let n = 1; ; n++) {
      const counter = { left: n };
      const input = { artifact: sample.artifact, trustedRoot: trust, requirements, now };
      const verdict = verifyBundle({ ...input, bundle: failing(bundle, counter) });
      if (counter.left > 0) {
        assert.equal(verdict.outcome, 'accepted', shown(verdict));
        break;
      }
      faults++;
      assert.equal(verdict.outcome, 'unavailable', `fault ${n}: ${shown(verdict)}`);
      assert.equal(codeOf(verdict), 'WB-399');
    }
    assert.ok(faults > 30, `${faults} faults`);
  });
}

test('a fault at any access to trust or requirements never accepts', () => {
  const sample = stack.sign();
  const bundle = unwrap(parseBundle(sample.bytes));
  for (const part of ['trustedRoot', 'requirements'] as const) {
    for (let n = 1; ; n++) {
      const counter = { left: n };
      const input = { artifact: sample.artifact, bundle, trustedRoot: trust, requirements, now };
      const verdict = verifyBundle({ ...input, [part]: failing(input[part], counter) });
      if (counter.left > 0) break;
      assert.equal(verdict.outcome, 'unavailable', `${part}, fault ${n}: ${shown(verdict)}`);
    }
  }
});

test('a trusted root without the authorities needed is unavailable, not a rejection', () => {
  const sample = stack.sign();
  const bundle = unwrap(parseBundle(sample.bytes));
  const lacking: [string, TrustMaterial][] = [
    ['nothing', noTrustMaterial],
    ['certificate authority', { ...trust, authorities: [] }],
    ['transparency log', { ...trust, tlogs: new Map() }],
    ['CT log', { ...trust, ctlogs: new Map() }],
  ];
  for (const [name, trustedRoot] of lacking) {
    const verdict = verifyBundle({ artifact: sample.artifact, bundle, trustedRoot, requirements, now });
    assert.equal(verdict.outcome, 'unavailable', name);
    assert.equal(codeOf(verdict), 'WB-370', name);
  }
});

test('an entry with neither promise nor proof proves nothing (WB-315)', () => {
  const [sample] = forms;
  assert.ok(sample !== undefined);
  const entity = entityOf(unwrap(parseBundle(sample.bytes)));
  const entries = entity.entries.map(
    ({ logIndex, logId, kind, version, integratedTime, canonicalizedBody }) => ({
      logIndex,
      logId,
      kind,
      version,
      integratedTime,
      canonicalizedBody,
    }),
  );
  const input = { artifact: sample.artifact, trustedRoot: trust, requirements, now };
  assert.equal(verifyEntity({ ...input, entity }).outcome, 'accepted');
  assert.equal(codeOf(verifyEntity({ ...input, entity: { ...entity, entries } })), 'WB-315');
});

test('BND-19: interleaved verifications give the verdicts they give alone', () => {
  const strangers = stack.sign({ leaf: { sans: [{ type: 'email', value: 'other@acme.example' }] } });
  const inputs = [...forms, strangers].map((sample) => ({
    artifact: sample.artifact,
    bundle: unwrap(parseBundle(sample.bytes)),
    trustedRoot: trust,
    requirements,
    now,
  }));
  const alone = inputs.map((input) => codeOf(verifyBundle(input)));
  assert.deepEqual(alone, ['accepted', 'accepted', 'accepted', 'accepted', 'WB-351']);
  for (let round = 0; round < 200; round++) {
    const index = (round * 7 + (round >> 2)) % inputs.length;
    assert.equal(codeOf(verifyBundle(inputs[index] as (typeof inputs)[number])), alone[index]);
  }
});

test('nothing that goes in is changed', () => {
  const [sample] = forms;
  assert.ok(sample !== undefined);
  const bytes = sample.bytes.slice();
  const bundle = Object.freeze(unwrap(parseBundle(bytes)));
  verifyBundle({
    artifact: sample.artifact,
    bundle,
    trustedRoot: trust,
    requirements: Object.freeze(requirements),
    now,
  });
  assert.deepEqual(bytes, sample.bytes);
});
