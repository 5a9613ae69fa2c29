import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { after, describe, test } from 'node:test';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { trustedRootJson } from '#formats/trusted-root';
import { VirtualStack } from '../double/virtual-stack.ts';
import { enterprisePair, GOOGLE, guidePolicy, KREL } from '../policy/samples.ts';
import { Fixture, type Image, podReview, release } from './admission-fixture.ts';

const DIGESTS = 20;
const PODS = 300;

describe('a storm of Pods', async () => {
  const fixture = new Fixture();
  after(() => fixture.close());
  const images = Array.from({ length: DIGESTS }, (_, i): { image: Image; isGood: boolean } => {
    const platform = i % 4 === 3;
    const image = fixture.image(platform ? `registry.k8s.io/p${i}` : `ghcr.io/acme/s${i}`, '1');
    const isGood = i % 5 !== 4;
    const right = platform ? { subject: KREL, issuer: GOOGLE } : release;
    fixture.sign(image, isGood ? right : { ...right, subject: 'https://github.com/attacker/x@refs/tags/v1' });
    return { image, isGood };
  });
  const webhook = await fixture.start([enterprisePair]);

  test(`${PODS} Pods over ${DIGESTS} digests: no wrong verdict, one read a digest, no call to anything else`, async () => {
    const fetched: string[] = [];
    const realFetch = globalThis.fetch;
    globalThis.fetch = (input) => {
      fetched.push(String(input));
      return Promise.reject(new Error('nothing is reachable in this test'));
    };
    fixture.registry.delayMs = 20;
    try {
      const answers = await Promise.all(
        Array.from({ length: PODS }, async (_, i) => {
          const { image, isGood } = images[i % DIGESTS] as (typeof images)[number];
          const pod = podReview({ image: `${image.repository}:1@${image.digest}` });
          const { response } = await webhook.validate(pod);
          return { isRight: response.allowed === isGood, code: response.status?.code };
        }),
      );
      assert.equal(answers.filter(({ isRight }) => !isRight).length, 0);
      assert.equal(answers.filter(({ code }) => code === 403).length, PODS / 5);
    } finally {
      globalThis.fetch = realFetch;
      fixture.registry.delayMs = 0;
    }
    assert.deepEqual(fetched, []);
    assert.equal(fixture.registry.reads.length, DIGESTS);
    assert.equal(new Set(fixture.registry.reads).size, DIGESTS);
    assert.equal(webhook.admission.judge.counts.reads, DIGESTS);
    const { hits, joined } = webhook.admission.judge.counts;
    assert.equal(hits + joined, PODS - DIGESTS);
  });

  test('one image in eight containers by tag is resolved once and read once', async () => {
    const image = fixture.image('ghcr.io/acme/eight', '1');
    fixture.sign(image);
    const containers = Array.from({ length: 8 }, (_, i) => ({
      name: `c${i}`,
      image: 'ghcr.io/acme/eight:1',
    }));
    const { response } = await webhook.mutate(podReview({ spec: { containers } }));
    const steps = JSON.parse(Buffer.from(response.patch ?? '', 'base64').toString()) as object[];
    assert.equal(steps.length, 16);
    assert.deepEqual(
      fixture.registry.resolutions.filter((name) => name.includes('eight')),
      ['ghcr.io/acme/eight:1'],
    );
  });

  test('the same image cold and warm gets the same verdict and the same words', async () => {
    const image = fixture.image('ghcr.io/acme/parity', '1');
    const ask = async () =>
      (await webhook.validate(podReview({ image: `ghcr.io/acme/parity:1@${image.digest}` }))).response;
    const [cold, warm] = [await ask(), await ask()];
    assert.equal(cold.allowed, false);
    assert.deepEqual({ ...warm, uid: '' }, { ...cold, uid: '' });
  });
});

describe('files that change under a running webhook', async () => {
  const fixture = new Fixture();
  after(() => fixture.close());
  const image = fixture.image('ghcr.io/acme/api', '1');
  fixture.sign(image);
  const pod = podReview({ image: `ghcr.io/acme/api:1@${image.digest}` });

  test('a tightened policy counts at once, and a broken one changes nothing', async () => {
    const webhook = await fixture.start([guidePolicy]);
    const file = webhook.policyFiles[0] as string;
    assert.equal((await webhook.validate(pod)).response.allowed, true);
    await writeFile(file, guidePolicy.replace('release.yml', 'other.yml'));
    await webhook.admission.reload();
    assert.equal((await webhook.validate(pod)).response.allowed, false);
    await writeFile(file, 'not: [yaml');
    await webhook.admission.reload();
    assert.equal((await webhook.validate(pod)).response.allowed, false);
  });

  test('a trusted root without the authority counts at once: cached facts are of the old root', async () => {
    const webhook = await fixture.start([guidePolicy]);
    assert.equal((await webhook.validate(pod)).response.allowed, true);
    const file = (webhook.policyFiles[0] as string).replace('policy-0.yaml', 'trusted_root.json');
    await writeFile(file, trustedRootJson(new VirtualStack('other').root));
    await webhook.admission.reload();
    const { response } = await webhook.validate(pod);
    assert.equal(response.allowed, false);
  });

  test('a new certificate is served to new connections without a restart', async () => {
    const made = await fixture.start([guidePolicy], {
      tls: { kind: 'selfMade', hosts: ['127.0.0.1', 'waybill.waybill.svc'], dir: await fixture.dir() },
    });
    const again = await fixture.dir();
    const [cert, key] = [`${again}/tls.crt`, `${again}/tls.key`];
    const pair = fixture.keyPair('127.0.0.1');
    await Promise.all([writeFile(cert, pair.certPem), writeFile(key, pair.keyPem)]);
    const webhook = await fixture.start([guidePolicy], {
      tls: { kind: 'files', certFile: cert, keyFile: key },
    });
    const before = await served(webhook.admission.origin);
    const next = fixture.keyPair('127.0.0.1');
    await Promise.all([writeFile(cert, next.certPem), writeFile(key, next.keyPem)]);
    await webhook.admission.reload();
    const after_ = await served(webhook.admission.origin);
    assert.notEqual(after_, before);
    await writeFile(key, pair.keyPem);
    await webhook.admission.reload();
    assert.equal(await served(webhook.admission.origin), after_);
    assert.notEqual(await served(made.admission.origin), before);
  });

  test('old protocol versions and ciphers without authentication are refused', async () => {
    const { admission } = await fixture.start([guidePolicy]);
    assert.match(await served(admission.origin), /^[0-9A-F:]+$/);
    await assert.rejects(
      served(admission.origin, { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA' }),
    );
    await served(admission.origin, { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' });
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await assert.rejects(served(admission.origin, old));
  });

  test('the CA of a self-made certificate survives a restart', async () => {
    const dir = await fixture.dir();
    const tls = { kind: 'selfMade', hosts: ['127.0.0.1'], dir } as const;
    const first = await fixture.start([guidePolicy], { tls });
    const second = await fixture.start([guidePolicy], { tls });
    assert.equal(second.admission.caPem(), first.admission.caPem());
  });
});

/** Fingerprint of the certificate a new connection sees. */
function served(origin: string, more: ConnectionOptions = {}): Promise<string> {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connect(
      { host: hostname, port: Number(port), rejectUnauthorized: false, ...more },
      () => {
        resolve(socket.getPeerCertificate().fingerprint256);
        socket.end();
      },
    );
    socket.on('error', reject);
  });
}
