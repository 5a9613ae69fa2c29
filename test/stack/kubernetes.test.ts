/** The webhook configurations, as objects; the peer test of kube gives them to a real API server. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromBase64, utf8Text } from '#base/bytes';
import { generateKey } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { pemEncode } from '#formats/pem';
import { selfSignedAuthority, serialNumber } from '#formats/x509-build';
import { systemRandom } from '#platform/system';
import { type KubernetesWebhookOptions, kubernetesWebhooks, parseServiceAddress } from '#stack';

const now = Date.parse('2026-11-21T12:00:00Z');
const key = generateKey('p256');
const caPem = certificate(now + 3_600_000);
const options: KubernetesWebhookOptions = {
  address: { kind: 'service', namespace: 'guard', name: 'waybill', port: 443 },
  caPem,
  now,
};

function certificate(notAfter: number): string {
  const serial = serialNumber(systemRandom.bytes(20));
  const { der } = selfSignedAuthority('test', key, {
    serial,
    notBefore: now - 7_200_000,
    notAfter,
  }).certificate;
  return pemEncode('CERTIFICATE', der);
}

interface Webhook {
  readonly name: string;
  readonly failurePolicy: string;
  readonly sideEffects: string;
  readonly timeoutSeconds: number;
  readonly reinvocationPolicy?: string;
  readonly clientConfig: {
    readonly url?: string;
    readonly service?: { readonly path: string };
    readonly caBundle: string;
  };
  readonly namespaceSelector: { readonly matchExpressions: readonly { readonly values: string[] }[] };
  readonly rules: readonly { readonly resources: readonly string[] }[];
}

const webhooksOf = (more: Partial<KubernetesWebhookOptions> = {}): Webhook[] =>
  kubernetesWebhooks({ ...options, ...more }).map(({ webhooks }) => webhooks[0] as Webhook);

const refusal = (more: Partial<KubernetesWebhookOptions>): string => {
  try {
    kubernetesWebhooks({ ...options, ...more });
  } catch (error) {
    if (error instanceof WaybillError) return `${error.reason.code} ${error.reason.actual}`;
    throw error;
  }
  return 'accepted';
};

test('both webhooks fail closed, have no side effects, and only the one that patches is asked again', () => {
  const [pin, verify] = webhooksOf();
  for (const webhook of [pin, verify]) {
    assert.equal(webhook?.failurePolicy, 'Fail');
    assert.equal(webhook.sideEffects, 'NoneOnDryRun');
    assert.equal(webhook.timeoutSeconds, 10);
    assert.deepEqual(
      webhook.rules.flatMap(({ resources }) => resources),
      ['pods', 'pods/ephemeralcontainers'],
    );
  }
  assert.deepEqual([pin?.clientConfig.service?.path, pin?.reinvocationPolicy], ['/mutate', 'IfNeeded']);
  assert.deepEqual(
    [verify?.clientConfig.service?.path, verify?.reinvocationPolicy],
    ['/validate', undefined],
  );
});

test('kube-system and the namespace of the Service are left alone, and what is added, once each', () => {
  const values = (more: Partial<KubernetesWebhookOptions>): string[] | undefined =>
    webhooksOf(more)[1]?.namespaceSelector.matchExpressions[0]?.values;
  assert.deepEqual(values({}), ['kube-system', 'guard']);
  assert.deepEqual(values({ excludedNamespaces: ['ci', 'guard'] }), ['kube-system', 'guard', 'ci']);
  assert.deepEqual(values({ address: { kind: 'url', url: 'https://10.0.0.1:8443' } }), ['kube-system']);
});

test('a URL keeps its path, and the paths of the webhook follow it', () => {
  const address = { kind: 'url', url: 'https://hooks.example:8443/waybill/' } as const;
  assert.deepEqual(
    webhooksOf({ address }).map(({ clientConfig }) => clientConfig.url),
    ['https://hooks.example:8443/waybill/mutate', 'https://hooks.example:8443/waybill/validate'],
  );
});

test('an address an API server would refuse is refused here', () => {
  for (const url of ['http://h:1', 'https://h/?a=1', 'https://h/?', 'https://u@h/', 'https://h/#x', 'h:1']) {
    assert.equal(refusal({ address: { kind: 'url', url } }), `WB-1220 ${JSON.stringify(url)}`);
  }
  assert.deepEqual(parseServiceAddress('a/b'), { kind: 'service', namespace: 'a', name: 'b', port: 443 });
  assert.deepEqual(parseServiceAddress('a/b:1'), { kind: 'service', namespace: 'a', name: 'b', port: 1 });
  for (const text of ['b', 'a/b/c', 'A/b', 'a/b:0', 'a/b:65536', 'a/']) {
    assert.throws(() => parseServiceAddress(text), { message: /WB-1220|kubernetes\.address/ });
  }
});

test('caBundle holds the certificates of the file and never its key', () => {
  const second = certificate(now + 7_200_000);
  const bundle = webhooksOf({ caPem: `${key.exportPem()}${caPem}${second}` })[0]?.clientConfig.caBundle ?? '';
  assert.equal(utf8Text(fromBase64(bundle)), `${caPem}${second}`);
});

test('a CA file without a certificate, or with one that has ended, is refused', () => {
  assert.equal(refusal({ caPem: key.exportPem() }), 'WB-1221 no CERTIFICATE block');
  assert.match(refusal({ caPem: 'nothing' }), /^WB-1221 /);
  assert.match(refusal({ caPem: certificate(now) }), /^WB-1221 CN=test ended at 2026-11-21T12:00:00\.000Z$/);
  assert.match(refusal({ caPem: pemEncode('CERTIFICATE', new Uint8Array([1, 2])) }), /^WB-1221 /);
});

test('names and times an API server would refuse are refused here', () => {
  assert.equal(refusal({ timeoutSeconds: 30 }), 'accepted');
  for (const timeoutSeconds of [0, 31, 1.5, Number.NaN]) {
    assert.equal(refusal({ timeoutSeconds }), `WB-1222 ${timeoutSeconds}`);
  }
  assert.equal(refusal({ name: 'Way bill' }), 'WB-1222 "Way bill"');
  // A selector compares whole names: a wildcard would leave nothing alone, without a word.
  assert.equal(refusal({ excludedNamespaces: ['team-*'] }), 'WB-1222 "team-*"');
});
