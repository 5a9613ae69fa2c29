/** The admission webhook for Kubernetes: reads policies and a trusted root, serves reviews over HTTPS. */
import { toHex } from '#base/bytes';
import type { Clock } from '#base/clock';
import { sha256 } from '#base/crypto';
import { limits } from '#base/limits';
import type { Random } from '#base/random';
import { fail, reasonText, WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import {
  createJudge,
  type ImageEvidenceSource,
  type Judge,
  mirroredRegistry,
  mirrorMap,
  readBoundedEvidence,
  type Trust,
} from '#facts';
import type { TagSource } from '#flows/judge-request';
import { loadPolicies as readPolicies } from '#flows/load-policies';
import { parseTrustedRoot } from '#formats/trusted-root';
import type { Registry } from '#oci';
import { readFileLimited } from '#platform/files';
import { createHttpServer, type HttpApp, listen, useCertificate } from '#platform/http-server';
import type { Logger } from '#platform/telemetry';
import type { PolicySet } from '#policy';
import { trustMaterial } from '#verify';
import { type CertificateSource, certificateSource } from './certificates.ts';
import { type AdmissionConfig, RELOAD_MS_DEFAULT, TAG_TTL_MS_DEFAULT } from './config.ts';
import { openExceptions } from './exceptions.ts';
import { createMetrics } from './metrics.ts';
import { excludes } from './namespaces.ts';
import { R } from './reasons.ts';
import { cachedTags } from './resolver.ts';
import { registerAdmission } from './routes.ts';

export type { TagSource } from '#flows/judge-request';
export type { AdmissionDeps, Outcome } from './admission.ts';
export type { AdmissionConfig, ExceptionsConfig, TlsConfig, Unmatched } from './config.ts';
export { R as admissionReasons } from './reasons.ts';
export { type AdmissionRoutesDeps, registerAdmission } from './routes.ts';

export interface AdmissionSurroundings {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Where images and their evidence are read: a registry client, or anything that has both. */
  readonly evidence: Registry | (ImageEvidenceSource & TagSource);
}

export interface Admission {
  /** `https://host:port`. */
  readonly origin: string;
  /** For caBundle of the webhook configuration. */
  caPem(): string;
  readonly judge: Judge;
  /** Looks at all files now instead of at the next interval. */
  reload(): Promise<void>;
  close(): Promise<void>;
}

/** Starts the webhook. Ready when it returns: policies, root and certificate are loaded, nothing was fetched. */
export async function createAdmission(
  config: AdmissionConfig,
  surroundings: AdmissionSurroundings,
): Promise<Admission> {
  const { clock, random, log } = surroundings;
  const loaded = { policies: await loadPolicies(config), trust: await loadTrust(config) };
  const certificates = await certificateSource(config.tls, clock, random);
  const source = evidenceOf(config, surroundings);
  const judge = createJudge({ source, trust: () => loaded.trust, clock });
  const exceptions =
    config.exceptions && (await openExceptions(config.exceptions, loaded.trust.material, surroundings));
  const app = serverFor(certificates, log);
  registerAdmission(app, {
    policies: () => loaded.policies,
    judge,
    tags: cachedTags(source, clock, config.tagTtlMs ?? TAG_TTL_MS_DEFAULT),
    clock,
    isExcluded: excludes(config.excludedNamespaces ?? [], config.ownNamespace),
    unmatched: config.unmatched ?? 'warn',
    ...(exceptions === undefined ? {} : { exceptions }),
    log,
    metrics: createMetrics(judge, () => certificates.current().notAfter, exceptions?.counts),
    unready: () =>
      certificates.current().notAfter <= clock.now() ? 'the certificate has expired' : undefined,
  });
  const origin = await listen(app, config.host, config.port);
  const reload = async (): Promise<void> => {
    loaded.policies = await kept('policies', loaded.policies, () => loadPolicies(config), log);
    loaded.trust = await kept('trusted root', loaded.trust, () => loadTrust(config), log);
    await exceptions?.refresh(loaded.trust.material);
    const isNew = await kept('certificate', false, () => certificates.refresh(), log);
    if (isNew) useCertificate(app, pairOf(certificates));
  };
  const timer = setInterval(() => void reload(), config.reloadMs ?? RELOAD_MS_DEFAULT);
  timer.unref();
  return {
    origin,
    caPem: () => certificates.current().caPem,
    judge,
    reload,
    async close() {
      clearInterval(timer);
      await app.close();
      exceptions?.close();
    },
  };
}

/** What was good stays in force when its replacement is not. */
async function kept<T>(what: string, before: T, load: () => Promise<T>, log: Logger): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const why = error instanceof WaybillError ? reasonText(error.reason) : String(error);
    log.error({ what, why }, 'not reloaded; the previous one stays in force');
    return before;
  }
}

async function loadPolicies(config: AdmissionConfig): Promise<PolicySet> {
  if (config.policyFiles.length === 0) {
    throw fail(R.policies, { expected: 'at least one policy file', actual: 'none' });
  }
  return readPolicies(config.policyFiles);
}

async function loadTrust(config: AdmissionConfig): Promise<Trust> {
  const bytes = await readFileLimited(config.trustedRootFile, limits.trustedRootBytes);
  return { material: trustMaterial(unwrap(parseTrustedRoot(bytes))), hash: toHex(sha256(bytes)) };
}

function evidenceOf(
  config: AdmissionConfig,
  { evidence }: AdmissionSurroundings,
): ImageEvidenceSource & TagSource {
  if ('attached' in evidence) return evidence;
  return mirroredRegistry(evidence, mirrorMap(config.mirrors ?? []), readBoundedEvidence);
}

function serverFor(certificates: CertificateSource, log: Logger): HttpApp {
  const tls = pairOf(certificates);
  const times = { keepAlive: IDLE_MS_MAX, silence: IDLE_MS_MAX };
  return createHttpServer({ log, bodyBytesMax: limits.admissionReviewBytes, tls, times });
}

function pairOf(certificates: CertificateSource): { readonly key: string; readonly cert: string } {
  const { certPem, keyPem } = certificates.current();
  return { key: keyPem, cert: certPem };
}

/**
 * An API server keeps idle connections for 90 s. It must be the one that ends them: a review sent into a
 * connection that is closing is a failed call, and its Pod is refused.
 */
const IDLE_MS_MAX = 120_000;
