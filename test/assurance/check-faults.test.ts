/**
 * The checklist over an image while the registry, the logs and the audit service fail at every call: a question
 * that is not answered with yes when nothing fails never is, and trouble on the way is told as trouble.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { WaybillError } from '#base/reason';
import { type CheckExpectations, expectationsOf } from '#flows/check-expectations';
import { type CheckedImage, checkImage } from '#flows/check-image';
import type { CheckAnswer } from '#flows/check-item';
import type { Profile } from '#flows/check-profile';
import { BASE_SIGNER, BUILDER, CheckWorld, databaseOf, RELEASE, TAG } from '../flows/check-world.ts';
import { quickRegistry } from '../oci/helpers.ts';
import { guidePolicy } from '../policy/samples.ts';
import { startStack, temporaryFolder } from '../stack/helper.ts';
import { type FaultKind, Faults, faultyTransport, recordedTransport } from './faulty.ts';

const stack = await startStack();
const world = new CheckWorld(stack);
const folder = await temporaryFolder();
const policy = join(folder, 'policy.yaml');
const otherPolicy = join(folder, 'other.yaml');
const text = guidePolicy.replace('https://token.actions.githubusercontent.com', world.githubIssuer);
await writeFile(policy, text);
await writeFile(otherPolicy, text.replace('/release.yml', '/other.yml'));
await world.publishBase();
const { pinned } = await world.publish('api');
const known = databaseOf('HIGH');

const profile: Profile = {
  signer: { identity: RELEASE, issuer: world.githubIssuer },
  source: 'github.com/acme/api',
  tag: TAG,
  builder: { id: BUILDER, issuer: world.workloadIssuer, level: 3 },
  base: { identity: BASE_SIGNER, issuer: stack.origins.oidc },
  policies: [policy],
  mirror: [],
  audit: stack.origins.audit,
};
const eve = { identity: 'eve@example.com', issuer: stack.origins.oidc };
const others: Profile = {
  ...profile,
  signer: eve,
  attestations: profile.signer,
  source: 'github.com/acme/other',
  base: eve,
  policies: [otherPolicy],
};

interface Case {
  readonly name: string;
  readonly expected: CheckExpectations;
  readonly answers: Readonly<Record<string, CheckAnswer>>;
  readonly scansAgain: boolean;
}

const yes = { pinned: 'yes', base: 'yes', sbom: 'yes', scan: 'yes', logged: 'yes' } as const;
const cases: readonly Case[] = [
  {
    name: 'an image that is all in order',
    expected: await expectationsOf(profile),
    answers: { ...yes, signature: 'yes', provenance: 'yes', admitted: 'yes' },
    scansAgain: false,
  },
  {
    name: 'an image by others, from another source, with a finding',
    expected: await expectationsOf(others),
    answers: { ...yes, base: 'no', scan: 'no', signature: 'no', provenance: 'no', admitted: 'no' },
    scansAgain: true,
  },
  {
    name: 'an image attested by others',
    expected: await expectationsOf({ ...profile, attestations: eve }),
    answers: { ...yes, sbom: 'no', scan: 'no', signature: 'yes', provenance: 'yes', admitted: 'yes' },
    scansAgain: false,
  },
];

const recorded = recordedTransport(world.deps.transport);

/** The answers while `faults` has its way; undefined: the image could not even be resolved. */
async function ask({ expected, scansAgain }: Case, faults: Faults): Promise<CheckedImage | undefined> {
  const transport = faultyTransport(recorded, faults);
  const deps = {
    ...world.deps,
    transport,
    registry: quickRegistry({ transport }),
    ...(scansAgain ? { database: known } : {}),
  };
  try {
    return await checkImage(pinned, expected, deps);
  } catch (error) {
    // Anything but a reason is a defect and fails the test with its own trace.
    if (!(error instanceof WaybillError)) throw error;
    assert.notEqual(error.reason.side, 'defect', error.message);
    assert.ok(faults.fired > 0, error.message);
    return undefined;
  }
}

const onTheWay: ReadonlySet<FaultKind> = new Set(['throw', 'timeout', 'status 500']);

function assertHonest({ answers, name }: Case, checked: CheckedImage, { plan, calls }: Faults): void {
  const where = `${name}, ${plan?.kind} at ${plan?.at} of ${calls}${plan?.lasts === true ? ' and on' : ''}`;
  for (const { id, answer, reason } of checked.items) {
    const told = `${where}: ${id} is ${answer}, ${reason?.code} ${reason?.actual}`;
    if (answer === 'yes') assert.equal(answers[id], 'yes', told);
    if (answer === answers[id]) continue;
    assert.ok(reason !== undefined && reason.side !== 'defect', told);
    // A server that does not answer says nothing about the image.
    if (plan !== undefined && onTheWay.has(plan.kind)) assert.equal(answer, 'unknown', told);
  }
}

/** What a call meets once, in turn; that it is not reached at all, every call meets, once and from then on. */
const inTurn: readonly FaultKind[] = ['flipped', 'truncated', 'empty', 'garbage', 'status 500', 'timeout'];

for (const one of cases) {
  test(`check, ${one.name}: no fault at any call makes an answer yes`, async () => {
    const plain = new Faults();
    const checked = await ask(one, plain);
    assert.ok(checked !== undefined);
    const answers = Object.fromEntries(checked.items.map(({ id, answer }) => [id, answer]));
    assert.deepEqual(answers, one.answers, JSON.stringify(checked.items, undefined, 1));
    let runs = 0;
    for (let at = 1; at <= plain.calls; at++) {
      const plans = [
        { kind: 'throw', at, lasts: false },
        { kind: 'throw', at, lasts: true },
        { kind: inTurn[at % inTurn.length] as FaultKind, at, lasts: at % 2 === 0 },
      ] as const;
      for (const plan of plans) {
        const faults = new Faults(plan);
        const said = await ask(one, faults);
        if (said !== undefined) assertHonest(one, said, faults);
        runs += faults.fired > 0 ? 1 : 0;
      }
    }
    assert.ok(runs >= 50, `${runs} faults`);
  });
}
