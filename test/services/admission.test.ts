import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { digestHex } from '#base/digest';
import { limits } from '#base/limits';
import {
  enterprisePair,
  GENERATOR,
  GITHUB,
  GOOGLE,
  guidePolicy,
  guideProvenance,
  imagePolicy,
  KREL,
  RELEASE,
  SLSA_V02,
} from '../policy/samples.ts';
import {
  Fixture,
  type Image,
  patched,
  podObject,
  podReview,
  release,
  reviewOf,
  unreachable,
  type Webhook,
} from './admission-fixture.ts';

const API = 'ghcr.io/acme/api';
const pinned = (image: Image, tag: string): string => `${image.repository}:${tag}@${image.digest}`;
const attacker = {
  subject: 'https://github.com/attacker/evil/.github/workflows/release.yml@refs/tags/v1',
  issuer: GITHUB,
};

describe("the guide's ClusterPolicy", async () => {
  const fixture = new Fixture();
  after(() => fixture.close());
  const signed = fixture.image(API, 'v1.4.2');
  fixture.sign(signed);
  const unsigned = fixture.image('ghcr.io/acme/unsigned', 'latest');
  const webhook = await fixture.start([guidePolicy]);

  test('a Pod by tag is pinned to the digest and then admitted', async () => {
    const review = podReview({ image: `${API}:v1.4.2` }) as { request: { object: object; uid: string } };
    const mutation = await webhook.mutate(review);
    assert.equal(mutation.status, 200);
    assert.equal(mutation.response.patchType, 'JSONPatch');
    assert.equal(mutation.response.uid, review.request.uid);
    const object = patched(review.request.object, mutation) as { spec: { containers: { image: string }[] } };
    assert.equal(object.spec.containers[0]?.image, pinned(signed, 'v1.4.2'));
    const admitted = await webhook.validate(podReview({ spec: object.spec }));
    assert.deepEqual([admitted.response.allowed, admitted.response.status], [true, undefined]);
    assert.match(
      admitted.response.auditAnnotations?.['decision'] ?? '',
      /verified image .*release\.yml@refs\/tags\/v1\.4\.2/,
    );
    const again = await webhook.mutate(podReview({ spec: object.spec }));
    assert.equal(again.response.patch, undefined);
  });

  test('an unsigned image is denied, and the message names image, check, expected and actual', async () => {
    const answer = await webhook.validate(podReview({ image: pinned(unsigned, 'latest') }));
    const { allowed, status } = answer.response;
    assert.deepEqual([answer.status, allowed, status?.code, status?.reason], [200, false, 403, 'Forbidden']);
    const message = status?.message ?? '';
    assert.ok(
      message.startsWith('\n\nresource Pod/shop/api was blocked due to the following policies \n\n'),
      message,
    );
    assert.match(
      message,
      /require-signed-images:\n {2}verify-acme-signature: 'failed to verify image ghcr\.io\/acme\/unsigned:latest@sha256:/,
    );
    assert.match(
      message,
      /policy\.signature: expected \.attestors\[0\]\.entries\[0\]\.keyless: a signature, got no signature is attached \(WB-740\) \[no-evidence\]/,
    );
    const [check] = JSON.parse(answer.response.auditAnnotations?.['decision'] ?? '[]') as object[];
    assert.deepEqual(Reflect.get(check ?? {}, 'classes'), ['no-evidence']);
  });

  test('the right signature by the wrong identity is denied with both identities', async () => {
    const image = fixture.image('ghcr.io/acme/stolen', '1');
    fixture.sign(image, attacker);
    const { response } = await webhook.validate(podReview({ image: pinned(image, '1') }));
    assert.equal(response.allowed, false);
    assert.match(
      response.status?.message ?? '',
      /identity\.san: expected .*acme\/api\/\.github\/workflows\/release\.yml@refs\/tags\/\*/,
    );
    assert.match(response.status?.message ?? '', /got .*attacker\/evil/);
    assert.match(response.status?.message ?? '', /WB-351/);
  });

  test('the right subject from the wrong issuer is denied with both issuers', async () => {
    const image = fixture.image('ghcr.io/acme/forged', '1');
    fixture.sign(image, { ...release, issuer: 'https://gitlab.example' });
    const { response } = await webhook.validate(podReview({ image: pinned(image, '1') }));
    assert.equal(response.allowed, false);
    assert.match(
      response.status?.message ?? '',
      /identity\.issuer: expected .*token\.actions\.githubusercontent\.com/,
    );
    assert.match(response.status?.message ?? '', /got .*https:\/\/gitlab\.example.*WB-350/);
  });

  test('a tampered image with the signature of another is denied for its subject', async () => {
    const image = fixture.image(API, 'tampered', 'other bytes');
    fixture.attach(image, fixture.sign(fixture.image('ghcr.io/acme/good', '1')));
    const { response } = await webhook.validate(podReview({ image: pinned(image, 'tampered') }));
    assert.equal(response.allowed, false);
    assert.match(response.status?.message ?? '', /content\.subject: expected .* got .*WB-34[23]/);
    assert.match(response.status?.message ?? '', new RegExp(digestHex(image.digest)));
  });

  test('a tag that was not pinned is denied even when its image is signed', async () => {
    const { response } = await webhook.validate(podReview({ image: `${API}:v1.4.2` }));
    assert.equal(response.allowed, false);
    assert.match(
      response.status?.message ?? '',
      /policy\.digest: expected an image named by its digest.*WB-743/,
    );
  });

  test('an image that does not exist is denied, not unavailable', async () => {
    const { response } = await webhook.validate(podReview({ image: `${API}:nowhere` }));
    assert.deepEqual([response.allowed, response.status?.code], [false, 403]);
    assert.match(response.status?.message ?? '', /WB-502/);
  });

  test('a namespace the rule excludes is admitted', async () => {
    const { response } = await webhook.validate(
      podReview({ image: pinned(unsigned, 'latest'), namespace: 'kyverno' }),
    );
    assert.equal(response.allowed, true);
  });

  test('an image no policy covers is admitted with a warning', async () => {
    const { response } = await webhook.validate(podReview({ image: 'quay.io/other/x:1' }));
    assert.equal(response.allowed, true);
    assert.deepEqual(response.warnings, ['no policy covers image quay.io/other/x:1']);
  });

  test('other spellings of the registry do not leave the rule', async () => {
    for (const image of [
      'GHCR.IO/acme/unsigned:latest',
      'ghcr.io:443/acme/unsigned:latest',
      'ghcr.io./acme/unsigned',
    ]) {
      const { response } = await webhook.validate(podReview({ image }));
      assert.equal(response.allowed, false, image);
    }
    const { response } = await webhook.validate(podReview({ image: 'ghcr.io/acme/../x' }));
    assert.equal(response.allowed, false);
    assert.match(response.status?.message ?? '', /WB-733/);
  });

  const places: readonly [string, (image: string) => object][] = [
    ['an init container', (image) => ({ containers: [], initContainers: [{ name: 'i', image }] })],
    ['an ephemeral container', (image) => ({ containers: [], ephemeralContainers: [{ name: 'd', image }] })],
    [
      'an image volume',
      (image) => ({ containers: [], volumes: [{ name: 'v', image: { reference: image } }] }),
    ],
    [
      'the second container',
      (image) => ({
        containers: [
          { name: 'a', image: pinned(signed, 'v1.4.2') },
          { name: 'b', image },
        ],
      }),
    ],
  ];
  for (const [name, spec] of places) {
    test(`${name} is judged and pinned`, async () => {
      const bad = await webhook.validate(podReview({ spec: spec(pinned(unsigned, 'latest')) }));
      assert.equal(bad.response.allowed, false);
      const review = podReview({ spec: spec(`${API}:v1.4.2`) }) as { request: { object: object } };
      const object = patched(review.request.object, await webhook.mutate(review)) as { spec: object };
      assert.ok(JSON.stringify(object).includes(pinned(signed, 'v1.4.2')));
      assert.equal((await webhook.validate(podReview({ spec: object.spec }))).response.allowed, true);
    });
  }

  const template = (image: string): object => ({
    metadata: {},
    spec: { containers: [{ name: 'a', image }] },
  });
  const controllers: readonly [string, string, string, (image: string) => object][] = [
    ['apps', 'Deployment', 'deployments', (image) => ({ spec: { replicas: 3, template: template(image) } })],
    ['apps', 'StatefulSet', 'statefulsets', (image) => ({ spec: { template: template(image) } })],
    ['apps', 'DaemonSet', 'daemonsets', (image) => ({ spec: { template: template(image) } })],
    ['apps', 'ReplicaSet', 'replicasets', (image) => ({ spec: { template: template(image) } })],
    [
      '',
      'ReplicationController',
      'replicationcontrollers',
      (image) => ({ spec: { template: template(image) } }),
    ],
    ['batch', 'Job', 'jobs', (image) => ({ spec: { template: template(image) } })],
    [
      'batch',
      'CronJob',
      'cronjobs',
      (image) => ({ spec: { jobTemplate: { spec: { template: template(image) } } } }),
    ],
  ];
  for (const [group, kind, resource, body] of controllers) {
    test(`the template of a ${kind} is pinned and judged`, async () => {
      const of = (image: string): object => ({
        apiVersion: group === '' ? 'v1' : `${group}/v1`,
        kind,
        metadata: { name: 'api', namespace: 'shop' },
        ...body(image),
      });
      const gvk = { group, version: 'v1', kind };
      const object = of(`${API}:v1.4.2`);
      const pinnedObject = patched(object, await webhook.mutate(reviewOf(gvk, resource, object)));
      assert.deepEqual(pinnedObject, of(pinned(signed, 'v1.4.2')));
      assert.equal((await webhook.validate(reviewOf(gvk, resource, pinnedObject))).response.allowed, true);
      const bad = await webhook.validate(reviewOf(gvk, resource, of(pinned(unsigned, 'latest'))));
      assert.equal(bad.response.allowed, false);
      assert.match(bad.response.status?.message ?? '', new RegExp(`resource ${kind}/shop/api was blocked`));
    });
  }

  test('an update that leaves the images alone is not judged again', async () => {
    const spec = { containers: [{ name: 'a', image: pinned(unsigned, 'latest') }] };
    const same = podReview({ spec, operation: 'UPDATE', oldObject: podObject(spec) });
    assert.equal((await webhook.validate(same)).response.allowed, true);
    const before = { containers: [{ name: 'a', image: pinned(signed, 'v1.4.2') }] };
    const changed = podReview({ spec, operation: 'UPDATE', oldObject: podObject(before) });
    assert.equal((await webhook.validate(changed)).response.allowed, false);
    const added = { ...before, ephemeralContainers: [{ name: 'debug', image: pinned(unsigned, 'latest') }] };
    const debug = {
      spec: added,
      operation: 'UPDATE',
      oldObject: podObject(before),
      subResource: 'ephemeralcontainers',
    } as const;
    assert.equal((await webhook.validate(podReview(debug))).response.allowed, false);
  });

  test('deletions pass, and a dry run gets the same verdict', async () => {
    assert.equal((await webhook.validate(podReview({ operation: 'DELETE' }))).response.allowed, true);
    const dry = await webhook.validate(podReview({ image: pinned(unsigned, 'latest'), dryRun: true }));
    assert.equal(dry.response.allowed, false);
  });

  test('a Pod whose containers cannot be read is denied', async () => {
    const { response } = await webhook.validate(podReview({ spec: { containers: 'none' } }));
    assert.equal(response.allowed, false);
    assert.match(response.status?.message ?? '', /WB-734/);
  });

  test('what is not a review is refused with 400 and never admitted', async () => {
    const review = podReview({ image: 'x' }) as { apiVersion: string; request: Record<string, unknown> };
    const beta = await webhook.ask('/validate', { ...review, apiVersion: 'admission.k8s.io/v1beta1' });
    assert.equal(beta.status, 400);
    assert.match(beta.body, /WB-1140/);
    const { uid: _, ...anonymous } = review.request;
    assert.equal((await webhook.ask('/validate', { ...review, request: anonymous })).status, 400);
    assert.equal(
      (await webhook.ask('/validate', { ...review, request: { ...review.request, object: null } })).status,
      400,
    );
    assert.equal((await webhook.ask('/validate', '{"a":1,"a":2}')).status, 400);
    assert.equal((await webhook.ask('/validate', 'x', { 'content-type': 'text/plain' })).status, 415);
    assert.equal((await webhook.ask('/validate')).status, 404);
  });

  test('a review is read to its limit, and refused beyond it', async () => {
    const review = JSON.stringify(podReview({ image: pinned(signed, 'v1.4.2') }));
    const filled = (length: number): string => review + ' '.repeat(length - review.length);
    const most = await webhook.ask('/validate', filled(limits.admissionReviewBytes));
    assert.deepEqual([most.status, most.response.allowed], [200, true]);
    assert.equal((await webhook.ask('/validate', filled(limits.admissionReviewBytes + 1))).status, 413);
  });

  test('health, readiness and counters are served', async () => {
    assert.deepEqual(
      [(await webhook.ask('/healthz')).body, (await webhook.ask('/readyz')).body],
      ['ok', 'ok'],
    );
    const { body } = await webhook.ask('/metrics');
    assert.match(body, /waybill_admission_reviews_total\{path="validate",outcome="denied"\} [1-9]/);
    assert.match(
      body,
      /waybill_admission_checks_total\{policy="require-signed-images",rule="verify-acme-signature",mode="enforce",status="fail"\}/,
    );
    assert.match(body, /waybill_admission_certificate_expiry_seconds \d{10}/);
  });
});

describe('attestations with conditions', async () => {
  const fixture = new Fixture();
  after(() => fixture.close());
  const generator = { subject: `${GENERATOR}v2.0.0`, issuer: GITHUB };
  const provenance = (ref: string) => ({
    invocation: { configSource: { uri: `git+https://github.com/acme/api@${ref}` } },
  });
  const webhook = await fixture.start([guideProvenance]);

  async function judged(name: string, prepare: (image: Image) => void): Promise<string> {
    const image = fixture.image(`ghcr.io/acme/${name}`, '1');
    fixture.sign(image);
    prepare(image);
    const { response } = await webhook.validate(podReview({ image: pinned(image, '1') }));
    return response.allowed ? 'allowed' : (response.status?.message ?? '');
  }

  test('signature and provenance by the two identities admit', async () => {
    const message = await judged('both', (image) =>
      fixture.attest(image, SLSA_V02, provenance('refs/tags/v1'), generator),
    );
    assert.equal(message, 'allowed');
  });

  test('provenance is asked for beside the signature', async () => {
    assert.match(
      await judged('none', () => {}),
      /policy\.attestation: .*no attestation of type https:\/\/slsa\.dev\/provenance\/v0\.2 is attached \(WB-741\)/,
    );
  });

  test('a condition that does not hold is named with its value', async () => {
    const message = await judged('branch', (image) =>
      fixture.attest(image, SLSA_V02, provenance('refs/heads/x'), generator),
    );
    assert.match(
      message,
      /policy\.condition: expected .*regex_match.* Equals true \(.*policy-0\.yaml:\d+:\d+\), got false \(WB-742\)/,
    );
  });

  test('one statement that fails denies, whatever another says', async () => {
    const message = await judged('stale', (image) => {
      fixture.attest(image, SLSA_V02, provenance('refs/tags/v1'), generator);
      fixture.attest(image, SLSA_V02, provenance('refs/heads/x'), generator);
    });
    assert.match(message, /WB-742/);
  });

  test('a predicate without the field is an error of the expression, not a pass', async () => {
    const message = await judged('empty', (image) => fixture.attest(image, SLSA_V02, {}, generator));
    assert.match(message, /regex_match.*WB-745/);
  });

  test('provenance signed by the wrong identity does not count', async () => {
    const message = await judged('self', (image) =>
      fixture.attest(image, SLSA_V02, provenance('refs/tags/v1'), release),
    );
    assert.match(
      message,
      /identity\.san: expected .*slsa-github-generator.* got .*release\.yml@refs\/tags\/v1\.4\.2/,
    );
  });
});

describe('the enterprise pair', async () => {
  const fixture = new Fixture();
  after(() => fixture.close());
  const webhook = await fixture.start([enterprisePair]);
  const own = fixture.image(API, 'v1.4.2');
  fixture.sign(own);
  const csi = fixture.image('registry.k8s.io/sig-storage/csi-provisioner', 'v5.0.1');
  fixture.sign(csi, { subject: KREL, issuer: GOOGLE });
  const ask = async (images: readonly string[]) => {
    const containers = images.map((image, i) => ({ name: `c${i}`, image }));
    return (await webhook.validate(podReview({ spec: { containers } }))).response;
  };

  test('own and platform images are each admitted by their own signer, in one Pod', async () => {
    assert.equal((await ask([pinned(own, 'v1.4.2'), pinned(csi, 'v5.0.1')])).allowed, true);
  });

  test('the platform signer does not count for own images, nor the own one for the platform', async () => {
    const swappedOwn = fixture.image('ghcr.io/acme/swapped', '1');
    fixture.sign(swappedOwn, { subject: KREL, issuer: GOOGLE });
    const swappedPlatform = fixture.image('registry.k8s.io/pause', '3');
    fixture.sign(swappedPlatform);
    for (const image of [pinned(swappedOwn, '1'), pinned(swappedPlatform, '3')]) {
      const response = await ask([image]);
      assert.equal(response.allowed, false, image);
      assert.match(response.status?.message ?? '', /identity\.(?:issuer|san)/);
    }
  });

  test('one bad image in a Pod denies the Pod', async () => {
    const bad = fixture.image('ghcr.io/acme/bad', '1');
    assert.equal((await ask([pinned(own, 'v1.4.2'), pinned(bad, '1')])).allowed, false);
  });
});

describe('a ClusterImagePolicy', async () => {
  const fixture = new Fixture();
  after(() => fixture.close());
  const signed = fixture.image(API, 'v1.4.2');
  fixture.sign(signed);
  const unsigned = fixture.image('ghcr.io/acme/team/unsigned', '1');

  async function judgedBy(text: string, image: string) {
    const webhook: Webhook = await fixture.start([text]);
    return (await webhook.validate(podReview({ image }))).response;
  }

  test('admits by the identity of an authority and denies the rest', async () => {
    assert.equal((await judgedBy(imagePolicy, pinned(signed, 'v1.4.2'))).allowed, true);
    const denied = await judgedBy(imagePolicy, pinned(unsigned, '1'));
    assert.equal(denied.allowed, false);
    assert.match(denied.status?.message ?? '', /authorities\[0\]\.keyless: a signature/);
  });

  test('mode warn admits with the refusal as a warning', async () => {
    const response = await judgedBy(
      imagePolicy.replace('  images:', '  mode: warn\n  images:'),
      pinned(unsigned, '1'),
    );
    assert.equal(response.allowed, true);
    assert.match(
      response.warnings?.[0] ?? '',
      /^policy acme-images\.acme-images: failed to verify image ghcr\.io\/acme\/team/,
    );
  });

  test('a subject is exact text here: a star in it is a star', async () => {
    const text = imagePolicy.replace(/subjectRegExp: .*/, `subject: "${RELEASE}*"`);
    assert.equal((await judgedBy(text, pinned(signed, 'v1.4.2'))).allowed, false);
  });

  test('a regular expression must match the whole subject', async () => {
    const text = imagePolicy.replace(/subjectRegExp: .*/, 'subjectRegExp: "https://github\\\\.com/acme/api"');
    const denied = await judgedBy(text, pinned(signed, 'v1.4.2'));
    assert.equal(denied.allowed, false);
    assert.match(denied.status?.message ?? '', /identity\.san/);
  });

  test('static authorities pass and fail', async () => {
    const text = (action: string) =>
      imagePolicy.replace(/authorities:[\s\S]*/, `authorities: [{static: {action: ${action}}}]\n`);
    assert.equal((await judgedBy(text('pass'), pinned(unsigned, '1'))).allowed, true);
    const denied = await judgedBy(text('fail'), pinned(signed, 'v1.4.2'));
    assert.match(denied.status?.message ?? '', /WB-744/);
  });

  test('one statement that meets a CEL policy suffices, and none does not', async () => {
    const image = fixture.image('ghcr.io/acme/scanned', '1');
    const vuln = 'https://cosign.sigstore.dev/attestation/vuln/v1';
    fixture.attest(image, vuln, { scanner: { result: { critical: 3 } } });
    const attested = `${imagePolicy}      attestations:
        - name: no-critical
          predicateType: vuln
          policy: {type: cel, data: "predicate.scanner.result.critical == 0"}
`;
    const denied = await judgedBy(attested, pinned(image, '1'));
    assert.equal(denied.allowed, false);
    assert.match(
      denied.status?.message ?? '',
      /predicate\.scanner\.result\.critical == 0, got false \(WB-742\)/,
    );
    const clean = fixture.image('ghcr.io/acme/rescanned', '1');
    fixture.attest(clean, vuln, { scanner: { result: { critical: 3 } } });
    fixture.attest(clean, vuln, { scanner: { result: { critical: 0 } } });
    assert.equal((await judgedBy(attested, pinned(clean, '1'))).allowed, true);
  });

  test('a policy over everything found is asked after an authority passed', async () => {
    const text = (data: string) => `${imagePolicy}  policy: {type: cel, data: ${JSON.stringify(data)}}\n`;
    const good = text("authorityMatches.release.signatures.exists(s, s.subject.endsWith('v1.4.2'))");
    assert.equal((await judgedBy(good, pinned(signed, 'v1.4.2'))).allowed, true);
    assert.equal(
      (await judgedBy(text("'other' in authorityMatches"), pinned(signed, 'v1.4.2'))).allowed,
      false,
    );
  });
});

describe('modes and namespaces', async () => {
  const fixture = new Fixture();
  after(() => fixture.close());
  const bad = fixture.image('ghcr.io/acme/bad', '1');
  const image = pinned(bad, '1');
  const audit = guidePolicy.replace(
    'failureAction: Enforce',
    'failureAction: Audit\n          mutateDigest: false',
  );

  test('Audit admits with a warning that says what Enforce would say', async () => {
    const [audited, enforced] = [await fixture.start([audit]), await fixture.start([guidePolicy])];
    const warned = (await audited.validate(podReview({ image }))).response;
    const denied = (await enforced.validate(podReview({ image }))).response;
    assert.deepEqual([warned.allowed, denied.allowed], [true, false]);
    const full = JSON.parse(warned.auditAnnotations?.['decision'] ?? '[]') as { message: string }[];
    assert.ok(denied.status?.message.includes(full[0]?.message ?? 'nothing'));
    assert.match(
      warned.warnings?.[0] ?? '',
      /^policy require-signed-images\.verify-acme-signature: failed to verify/,
    );
    assert.ok((warned.warnings?.[0]?.length ?? 0) <= 250);
  });

  test('excluded namespaces and the own one are left alone, and it is written down', async () => {
    const webhook = await fixture.start([guidePolicy], {
      excludedNamespaces: ['infra-*'],
      ownNamespace: 'waybill',
    });
    for (const namespace of ['infra-a', 'waybill']) {
      const { response } = await webhook.validate(podReview({ image, namespace }));
      assert.deepEqual(
        [response.allowed, response.auditAnnotations?.['decision']],
        [true, 'excluded'],
        namespace,
      );
    }
    assert.equal((await webhook.validate(podReview({ image, namespace: 'infra' }))).response.allowed, false);
  });

  test('images no policy covers are denied when the webhook is told so', async () => {
    const webhook = await fixture.start([guidePolicy], { unmatched: 'deny' });
    const { response } = await webhook.validate(podReview({ image: 'quay.io/x/y:1' }));
    assert.equal(response.allowed, false);
    assert.match(response.status?.message ?? '', /WB-1144 admission\.unmatched: .*quay\.io\/x\/y:1/);
  });

  test('two policies that disagree deny, in either order', async () => {
    const open = imagePolicy.replace(/authorities:[\s\S]*/, 'authorities: [{static: {action: pass}}]\n');
    for (const policies of [
      [open, guidePolicy],
      [guidePolicy, open],
    ]) {
      const webhook = await fixture.start(policies);
      assert.equal((await webhook.validate(podReview({ image }))).response.allowed, false);
    }
  });
});

describe('when evidence is not available', async () => {
  const fixture = new Fixture();
  after(() => fixture.close());
  const signed = fixture.image(API, 'v1.4.2');
  fixture.sign(signed);

  test('Enforce denies as unavailable, says so, and admits as soon as it is back', async () => {
    const webhook = await fixture.start([guidePolicy]);
    fixture.registry.trouble = unreachable;
    const down = (await webhook.validate(podReview({ image: pinned(signed, 'v1.4.2') }))).response;
    assert.deepEqual(
      [down.allowed, down.status?.code, down.status?.reason],
      [false, 503, 'ServiceUnavailable'],
    );
    assert.match(
      down.status?.message ?? '',
      /could not verify image .*policy\.unavailable: .*ECONNREFUSED \(WB-202\) \(WB-746\)/,
    );
    const tag = (await webhook.mutate(podReview({ image: `${API}:v1.4.2` }))).response;
    assert.deepEqual([tag.allowed, tag.patch], [true, undefined]);
    assert.match(tag.warnings?.[0] ?? '', /is not pinned/);
    fixture.registry.trouble = undefined;
    const up = (await webhook.validate(podReview({ image: pinned(signed, 'v1.4.2') }))).response;
    assert.equal(up.allowed, true);
  });

  test('an answer is given before the API server gives up, and the work goes on', async () => {
    const webhook = await fixture.start([guidePolicy]);
    const { promise, resolve: open } = Promise.withResolvers<void>();
    fixture.registry.gate = promise;
    const review = podReview({ image: pinned(signed, 'v1.4.2') });
    // The registry answers only after this answer is there.
    const { response } = await webhook.ask('/validate?timeout=1s', review);
    assert.deepEqual([response.allowed, response.status?.code], [false, 503]);
    assert.match(response.status?.message ?? '', /WB-960/);
    open();
    fixture.registry.gate = undefined;
    const before = fixture.registry.reads.length;
    assert.equal((await webhook.validate(review)).response.allowed, true);
    assert.equal(fixture.registry.reads.length, before);
  });
});
