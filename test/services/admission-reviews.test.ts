/** Reviews as a real kube-apiserver sent them (test/peers/kube-record.ts writes them), put to the webhook. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { guidePolicy } from '../policy/samples.ts';
import { type Answer, Fixture, patched, type Webhook } from './admission-fixture.ts';

interface Review {
  readonly request: {
    readonly uid: string;
    readonly name: string;
    readonly object: object;
    readonly dryRun: boolean;
  };
}

const recorded = new Map(
  globSync(join(import.meta.dirname, 'admission-reviews/*.json')).map((path) => [
    basename(path, '.json'),
    JSON.parse(readFileSync(path, 'utf8')) as Review,
  ]),
);
const reviewOf = (name: string): Review => {
  const review = recorded.get(name);
  if (review === undefined) throw new Error(`no review ${name}`);
  return review;
};

/** Where each of them brings in an image, and whether one of those is `other`. */
const expectations = {
  'pod-create': {
    pointers: [
      '/spec/containers/0/image',
      '/spec/containers/1/image',
      '/spec/initContainers/0/image',
      '/spec/volumes/0/image/reference',
    ],
    bringsOther: true,
  },
  // One container of four images changes; patching the others would restart what runs.
  'pod-update': { pointers: ['/spec/containers/1/image'], bringsOther: false },
  'ephemeral-containers': { pointers: ['/spec/ephemeralContainers/0/image'], bringsOther: true },
  'pod-create-dry-run': { pointers: ['/spec/containers/0/image'], bringsOther: false },
  'pod-create-by-controller': { pointers: ['/spec/containers/0/image'], bringsOther: false },
  'deployment-create': { pointers: ['/spec/template/spec/containers/0/image'], bringsOther: false },
};

const withObject = (review: Review, object: object): Review => ({
  ...review,
  request: { ...review.request, object },
});

function pointersOf({ response }: Answer): string[] {
  if (response.patch === undefined) return [];
  const steps = JSON.parse(Buffer.from(response.patch, 'base64').toString()) as {
    op: string;
    path: string;
  }[];
  return steps.filter(({ op }) => op === 'replace').map(({ path }) => path);
}

/** Both hooks in their order; the second one sees what the first one patched. */
async function admit(webhook: Webhook, review: Review) {
  const mutated = await webhook.mutate(review);
  const after_ = withObject(review, patched(review.request.object, mutated));
  return { mutated, after: after_, validated: await webhook.validate(after_) };
}

describe('recorded reviews, every image signed', async () => {
  const fixture = new Fixture();
  after(() => fixture.close());
  const digests = ['api:v1.4.2', 'other:v2'].map((name) => {
    const [repository, tag] = name.split(':') as [string, string];
    const image = fixture.image(`ghcr.io/acme/${repository}`, tag);
    fixture.sign(image);
    return `ghcr.io/acme/${name}@${image.digest}`;
  });
  const webhook = await fixture.start([guidePolicy]);

  test('there is an expectation for each recorded review', () => {
    assert.deepEqual([...recorded.keys()].sort(), Object.keys(expectations).sort());
  });

  for (const [name, { pointers }] of Object.entries(expectations)) {
    test(`${name}: exactly the images it brings in are pinned, and it is admitted`, async () => {
      const review = reviewOf(name);
      const { mutated, after: pinned, validated } = await admit(webhook, review);
      assert.deepEqual(pointersOf(mutated).sort(), pointers);
      assert.deepEqual(
        [mutated.response.uid, validated.response.uid],
        [review.request.uid, review.request.uid],
      );
      assert.equal(validated.response.allowed, true, validated.response.status?.message);
      const text = JSON.stringify(pinned.request.object);
      assert.ok(digests.some((digest) => text.includes(digest)));
      assert.deepEqual(pointersOf(await webhook.mutate(pinned)), [], 'a second call patches again');
    });
  }
});

describe('recorded reviews, one image unsigned', async () => {
  const fixture = new Fixture();
  after(() => fixture.close());
  fixture.sign(fixture.image('ghcr.io/acme/api', 'v1.4.2'));
  const other = fixture.image('ghcr.io/acme/other', 'v2');
  const webhook = await fixture.start([guidePolicy]);

  for (const [name, { bringsOther }] of Object.entries(expectations)) {
    test(`${name}: ${bringsOther ? 'denied' : 'admitted: it does not bring that image in'}`, async () => {
      const { response } = (await admit(webhook, reviewOf(name))).validated;
      assert.equal(response.allowed, !bringsOther, response.status?.message);
      if (!bringsOther) return;
      assert.equal(response.status?.code, 403);
      assert.match(response.status.message, /Pod\/shop\/api/);
      assert.ok(response.status.message.includes(`${other.repository}:v2@${other.digest}`));
      assert.match(response.status.message, /no signature is attached/);
    });
  }

  test('a dry run is judged like the real thing', async () => {
    const dry = reviewOf('pod-create-dry-run');
    assert.equal(dry.request.dryRun, true);
    const real = { ...dry, request: { ...dry.request, dryRun: false } };
    const [first, second] = [await webhook.validate(dry), await webhook.validate(real)];
    assert.deepEqual(first.response, second.response);
  });
});

test('an API server may keep its connection idle for 90 s without meeting a closed one', async () => {
  const fixture = new Fixture();
  try {
    const { admission } = await fixture.start([guidePolicy]);
    const { Agent, get } = await import('node:https');
    const agent = new Agent({ ca: admission.caPem(), keepAlive: true });
    const headers = await new Promise<Readonly<Record<string, unknown>>>((done, failed) => {
      get(`${admission.origin}/healthz`, { agent }, (response) => {
        response.resume().on('end', () => done(response.headers));
      }).on('error', failed);
    });
    agent.destroy();
    const seconds = Number(/^timeout=(\d+)$/.exec(String(headers['keep-alive']))?.[1]);
    assert.ok(seconds > 90, `keep-alive: ${String(headers['keep-alive'])}`);
  } finally {
    await fixture.close();
  }
});
