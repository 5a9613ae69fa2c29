/**
 * What an API server must be told so that it asks the admission webhook: one MutatingWebhookConfiguration (tags
 * become digests) and one ValidatingWebhookConfiguration (images are judged), admissionregistration.k8s.io/v1.
 */
import { toBase64, utf8 } from '#base/bytes';
import { fail } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import { pemDecode, pemEncode } from '#formats/pem';
import { readCertificate } from '#formats/x509';
import { R } from './kubernetes-reasons.ts';

export type WebhookAddress =
  | { readonly kind: 'url'; readonly url: string }
  | {
      readonly kind: 'service';
      readonly namespace: string;
      readonly name: string;
      readonly port: number;
    };

export interface KubernetesWebhookOptions {
  readonly address: WebhookAddress;
  /** PEM; one certificate, or the old and the new one while a CA is replaced. */
  readonly caPem: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Name of both configurations; default `waybill`. */
  readonly name?: string;
  /** Namespaces the API server does not ask about, besides kube-system and the webhook's own. */
  readonly excludedNamespaces?: readonly string[];
  /** Where the webhook itself runs; default: the namespace of its Service. */
  readonly ownNamespace?: string;
  /** Also ask for Deployments and other owners of Pods: an early answer, in addition to the one for the Pod. */
  readonly withControllers?: boolean;
  /** 1–30; default 10. */
  readonly timeoutSeconds?: number;
}

/** A Kubernetes object, ready to be written as YAML or JSON. */
export interface WebhookConfiguration {
  readonly apiVersion: 'admissionregistration.k8s.io/v1';
  readonly kind: 'MutatingWebhookConfiguration' | 'ValidatingWebhookConfiguration';
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly webhooks: readonly object[];
}

const TIMEOUT_SECONDS_DEFAULT = 10;
const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** Throws WB-1220, WB-1221 and WB-1222. */
export function kubernetesWebhooks(
  options: KubernetesWebhookOptions,
): readonly [WebhookConfiguration, WebhookConfiguration] {
  const name = dnsLabel('a name', options.name ?? 'waybill');
  const metadata = { name, labels: { 'app.kubernetes.io/name': 'waybill' } };
  const shared = sharedFields(options);
  const clientConfig = clientConfigs(options);
  return [
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'MutatingWebhookConfiguration',
      metadata,
      // Asked again when a later webhook changed the object: a sidecar put in by tag is pinned too.
      webhooks: [
        {
          name: 'pin.waybill.dev',
          clientConfig: clientConfig('/mutate'),
          ...shared,
          reinvocationPolicy: 'IfNeeded',
        },
      ],
    },
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingWebhookConfiguration',
      metadata,
      webhooks: [{ name: 'verify.waybill.dev', clientConfig: clientConfig('/validate'), ...shared }],
    },
  ];
}

function sharedFields(options: KubernetesWebhookOptions): object {
  return {
    admissionReviewVersions: ['v1'],
    failurePolicy: 'Fail',
    matchPolicy: 'Equivalent',
    // The use of an exception is recorded, but not that of a dry run.
    sideEffects: 'NoneOnDryRun',
    timeoutSeconds: timeoutSeconds(options.timeoutSeconds ?? TIMEOUT_SECONDS_DEFAULT),
    // The API server sets this label itself; labels that a user can set must not open a way around.
    namespaceSelector: {
      matchExpressions: [
        { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: namespacesLeftAlone(options) },
      ],
    },
    // Labels and annotations of a running Pod change often, its images seldom: ask only when a spec changes.
    matchConditions: [
      {
        name: 'images-may-change',
        expression: 'request.operation != "UPDATE" || object.spec != oldObject.spec',
      },
    ],
    rules: rules(options.withControllers === true),
  };
}

function rules(withControllers: boolean): object[] {
  const rule = (apiGroup: string, operations: readonly string[], resources: readonly string[]): object => ({
    apiGroups: [apiGroup],
    apiVersions: ['v1'],
    operations,
    resources,
    scope: 'Namespaced',
  });
  const both = ['CREATE', 'UPDATE'];
  const pods = [rule('', both, ['pods']), rule('', ['UPDATE'], ['pods/ephemeralcontainers'])];
  if (!withControllers) return pods;
  return [
    ...pods,
    rule('', both, ['replicationcontrollers']),
    rule('apps', both, ['daemonsets', 'deployments', 'replicasets', 'statefulsets']),
    rule('batch', both, ['cronjobs', 'jobs']),
  ];
}

function namespacesLeftAlone(options: KubernetesWebhookOptions): string[] {
  const { address, ownNamespace } = options;
  const own = ownNamespace ?? (address.kind === 'service' ? address.namespace : undefined);
  const all = ['kube-system', ...(own === undefined ? [] : [own]), ...(options.excludedNamespaces ?? [])];
  return [...new Set(all)].map((namespace) => dnsLabel('the exact name of a namespace', namespace));
}

function dnsLabel(what: string, text: string): string {
  if (label.test(text)) return text;
  throw fail(R.webhookSetting, { expected: what, actual: JSON.stringify(text) });
}

function timeoutSeconds(seconds: number): number {
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= 30) return seconds;
  throw fail(R.webhookSetting, { expected: 'a timeout of 1 to 30 seconds', actual: String(seconds) });
}

function clientConfigs({ address, caPem, now }: KubernetesWebhookOptions): (path: string) => object {
  const caBundle = caBundleOf(caPem, now);
  if (address.kind === 'url') {
    const base = webhookUrl(address.url);
    return (path) => ({ url: `${base}${path}`, caBundle });
  }
  const { namespace, name, port } = address;
  return (path) => ({ service: { namespace, name, port, path }, caBundle });
}

/** Only the certificates: whatever else is in the file (a key!) must not travel into a cluster. */
function caBundleOf(pem: string, now: number): string {
  const wrong = (actual: string): Error =>
    fail(R.webhookCa, { expected: 'PEM certificates valid now', actual });
  const blocks = pemDecode(pem);
  if (!blocks.ok) throw wrong(blocks.error.actual);
  const certificates = blocks.value.filter((block) => block.label === 'CERTIFICATE');
  if (certificates.length === 0) throw wrong('no CERTIFICATE block');
  for (const { der } of certificates) {
    const read = attempt(() => readCertificate(der));
    if (!read.ok) throw wrong(read.error.actual);
    const { subjectText, notAfter } = unwrap(read);
    if (notAfter <= now) throw wrong(`${subjectText} ended at ${new Date(notAfter).toISOString()}`);
  }
  return toBase64(utf8(certificates.map(({ der }) => pemEncode('CERTIFICATE', der)).join('')));
}

/** `https://host:port/path` without a trailing slash. */
function webhookUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain =
    url?.protocol === 'https:' &&
    url.search === '' &&
    url.hash === '' &&
    url.username === '' &&
    !/[?#]$/.test(text);
  if (isPlain) return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
  throw fail(R.webhookAddress, {
    expected: 'an https URL without query or user',
    actual: JSON.stringify(text),
  });
}

/** `NAMESPACE/NAME` or `NAMESPACE/NAME:PORT`; the port of a Service is 443 when nothing is said. Throws WB-1220. */
export function parseServiceAddress(text: string): WebhookAddress {
  const match = /^([^/:]+)\/([^/:]+)(?::([0-9]{1,5}))?$/.exec(text);
  const [namespace = '', name = ''] = [match?.[1], match?.[2]];
  const port = Number(match?.[3] ?? 443);
  if (label.test(namespace) && label.test(name) && port >= 1 && port <= 65_535) {
    return { kind: 'service', namespace, name, port };
  }
  throw fail(R.webhookAddress, {
    expected: 'NAMESPACE/NAME or NAMESPACE/NAME:PORT',
    actual: JSON.stringify(text),
  });
}
