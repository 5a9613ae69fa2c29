/**
 * Every dependency of what verifies fails at its n-th call, n rising until none fires. No run accepts what a run
 * without faults refuses, an accepting run says what that one says, and what keeps a run from judging is told as
 * that: never as a defect, and never as "nothing is attached".
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Digest } from '#base/brand';
import { type Reason, WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { createJudge, type ImageEvidenceSource, mirroredRegistry, mirrorMap, registryEvidence } from '#facts';
import { verifyImage } from '#flows/verify-image';
import { COSIGN_SIGN_V1 } from '#formats/intoto';
import { descriptorOf } from '#formats/oci';
import { attachBundle } from '#oci';
import { httpTransport } from '#platform/http-client';
import { identity, requireKeyless, type Verdict } from '#verify';
import { faultyRegistry } from '../double/registry-faults.ts';
import { EPOCH, ISSUER, SUBJECT } from '../double/virtual-stack.ts';
import { putImage, quickRegistry, repositoryAt } from '../oci/helpers.ts';
import { stack } from '../verify/attack.ts';
import { atEveryCall, broken, type Faults, faultyTransport } from './faulty.ts';

const registry = await faultyRegistry();
after(() => registry.close());
const { host } = registry;
const trust = { material: stack.trust(), hash: 'test' };
const requirements = unwrap(
  requireKeyless({
    identities: [unwrap(identity({ issuer: ISSUER, san: SUBJECT }))],
    predicateTypes: [COSIGN_SIGN_V1],
  }),
);

interface Published {
  readonly name: string;
  readonly repository: string;
  readonly digest: Digest;
  readonly tagged: string;
  /** What a run without faults says. */
  readonly expected: string;
}

async function publish(name: string, signers: readonly string[], expected: string): Promise<Published> {
  const sink = repositoryAt(host, `faults/${name}`);
  const image = await putImage(sink, name, { tag: 'v1' });
  for (const value of signers) {
    const sample = stack.sign({
      artifact: image.bytes,
      statement: 'cosign',
      leaf: { sans: [{ type: 'email', value }] },
    });
    await attachBundle(sink, descriptorOf(image), sample.bytes, {
      predicateType: COSIGN_SIGN_V1,
      createdMs: EPOCH,
    });
  }
  const repository = `${host}/faults/${name}`;
  return { name, repository, digest: image.digest, tagged: `${repository}:v1`, expected };
}

const images = [
  await publish('signed', [SUBJECT], 'accepted'),
  await publish('signed-twice', ['eve@evil.example', SUBJECT], 'accepted'),
  await publish('by-another', ['eve@evil.example'], 'WB-351'),
  await publish('unsigned', [], 'WB-901'),
];

/** Trouble on the way or an answer that cannot be used; not a defect, and not a statement about signatures. */
function assertHonest(why: Reason, { expected, digest }: Published, where: string): void {
  if (why.code === expected) return;
  assert.notEqual(why.side, 'defect', `${where}: ${why.code} ${why.actual}`);
  assert.notEqual(why.exit, 1, `${where}: ${why.code} ${why.actual}`);
  // A tag whose manifest arrives changed names another image, and of that one nothing is attached.
  const isOfThis = why.exit === 10 && `${why.expected} ${why.actual}`.includes(digest);
  assert.ok(!isOfThis, `${where}: says that nothing is attached: ${why.actual}`);
  assert.ok(
    why.side === 'environment' || why.side === 'input' || why.side === 'evidence',
    `${where}: ${why.side}`,
  );
}

const whereOf = (image: Published, { plan, calls }: Faults): string =>
  `${image.name}, ${plan?.kind} at ${plan?.at} of ${calls}${plan?.lasts === true ? ' and on' : ''}`;

async function verified(reference: string, faults: Faults): Promise<Reason | 'accepted'> {
  const deps = {
    registry: quickRegistry({ transport: faultyTransport(httpTransport(), faults) }),
    trust,
    clock: stack.clock,
  };
  try {
    const { accepted } = await verifyImage(reference, { kind: 'signature', requirements }, deps);
    assert.ok(accepted.every(({ signer }) => signer.kind === 'certificate' && signer.san.value === SUBJECT));
    return 'accepted';
  } catch (error) {
    // Anything but a reason is a defect and fails the test with its own trace.
    if (error instanceof WaybillError) return error.reason;
    throw error;
  }
}

for (const image of images) {
  // A digest is a tag less one question: asked once.
  for (const by of image.name === 'signed' ? (['tag', 'digest'] as const) : (['tag'] as const)) {
    test(`verify-image, ${image.name} by ${by}: a registry that fails at any call changes no verdict`, async () => {
      const reference = by === 'tag' ? image.tagged : `${image.repository}@${image.digest}`;
      const runs = await atEveryCall(async (faults) => {
        const said = await verified(reference, faults);
        const where = whereOf(image, faults);
        if (said === 'accepted') assert.equal(image.expected, 'accepted', `${where}: accepted`);
        else if (faults.fired === 0) assert.equal(said.code, image.expected, where);
        else assertHonest(said, image, where);
      });
      assert.ok(runs >= 14, `${runs} faults`);
    });
  }
}

async function judged(image: Published, source: ImageEvidenceSource): Promise<readonly Verdict[] | Reason> {
  const judge = createJudge({ source, trust: () => trust, clock: stack.clock });
  const set = { hash: 'h', questions: [{ id: 'q', requirements }] };
  const ask = () => judge.judgeImage({ repository: image.repository, digest: image.digest }, set);
  const first = await ask();
  const second = await ask();
  // What failed is not kept; what was judged is.
  if (first.kind === 'facts') assert.deepEqual(second, first);
  return first.kind === 'unavailable' ? first.cause : (first.facts.answers.get('q') ?? []);
}

for (const image of images) {
  test(`the judge of admission, ${image.name}: a registry that fails at any call admits nothing more`, async () => {
    const runs = await atEveryCall(async (faults) => {
      const transport = faultyTransport(httpTransport(), faults);
      const said = await judged(image, mirroredRegistry(quickRegistry({ transport }), mirrorMap([])));
      const where = whereOf(image, faults);
      if ('code' in said) return assertHonest(said, image, where);
      const accepts = said.some(({ outcome }) => outcome === 'accepted');
      if (accepts) assert.equal(image.expected, 'accepted', where);
      for (const verdict of said) {
        if (verdict.outcome === 'unavailable') assertHonest(verdict.cause, image, where);
        if (verdict.outcome === 'rejected') assertHonest(verdict.reason, image, where);
      }
      // An image that is signed may not look unsigned because a list came back empty.
      if (image.expected === 'accepted' && faults.plan?.kind !== 'empty') assert.ok(said.length > 0, where);
    });
    assert.ok(runs >= 14, `${runs} faults`);
  });
}

test('evidence that fails at any call is unavailable, and the next question asks again', async () => {
  const [image] = images as [Published];
  const inner = registryEvidence(() => [repositoryAt(host, 'faults/signed')]);
  const runs = await atEveryCall(
    async (faults) => {
      const source: ImageEvidenceSource = {
        attached: (location) => {
          const kind = faults.next();
          return kind === undefined ? inner.attached(location) : Promise.reject(broken(kind, 'the registry'));
        },
      };
      const said = await judged(image, source);
      if (faults.fired > 0) assert.ok('code' in said && said.side === 'environment', whereOf(image, faults));
      else assert.ok(!('code' in said) && said.some(({ outcome }) => outcome === 'accepted'));
    },
    ['throw', 'timeout'],
  );
  assert.ok(runs >= 2, `${runs} faults`);
});

test('a clock or a source that breaks its contract is unavailable, told as our own fault, and accepts nothing', async () => {
  const [image] = images as [Published];
  const inner = registryEvidence(() => [repositoryAt(host, 'faults/signed')]);
  const bug = (): never => {
    throw new TypeError('cannot read properties of undefined');
  };
  const set = { hash: 'h', questions: [{ id: 'q', requirements }] };
  const location = { repository: image.repository, digest: image.digest };
  const broke = createJudge({ source: { attached: bug }, trust: () => trust, clock: stack.clock });
  const said = await broke.judgeImage(location, set);
  assert.ok(said.kind === 'unavailable' && said.cause.side === 'defect');
  let calls = 0;
  for (let at = 1; at <= 8; at++) {
    calls = 0;
    const clock = { now: () => (++calls === at ? bug() : stack.clock.now()) };
    const judge = createJudge({ source: inner, trust: () => trust, clock });
    const verdict = await judge.judgeImage(location, set).catch(() => 'refused' as const);
    if (verdict === 'refused' || verdict.kind === 'unavailable') continue;
    const answers = verdict.facts.answers.get('q') ?? [];
    assert.ok(answers.every(({ outcome }) => outcome === 'accepted'));
  }
});
