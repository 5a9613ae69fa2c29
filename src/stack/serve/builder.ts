/**
 * The builder as a station of its own: builds are posted to it and read from it over HTTP, and signed by the services
 * its trust names, with tokens it mints itself. Levels follow from what its sandbox closes here, and the highest needs
 * the operator's word that it is hosted.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utf8Text } from '#base/bytes';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { Secret } from '#base/secret';
import { isLoopback, type Registry } from '#oci';
import { readFileLimited } from '#platform/files';
import {
  attachAsReferrer,
  type Builder,
  type BuilderConfig,
  createBuilder,
  registerBuilder,
  type StatementSigner,
} from '#services/builder';
import { servicesFrom, statementSigner } from '#sign';
import { loadTrust, type TrustSource } from '#trust';
import type { Address, StationDeps, StationParts } from './frame.ts';
import { R } from './reasons.ts';
import { issuerConfiguration, type WorkloadIssuer, workloadIssuer } from './workload-issuer.ts';

export interface BuilderSettings
  extends Pick<
    BuilderConfig,
    | 'backend'
    | 'noneAllowed'
    | 'hosted'
    | 'concurrency'
    | 'queueMax'
    | 'buildTimeoutMs'
    | 'mirrors'
    | 'sourceRoots'
    | 'inputRoots'
    | 'version'
  > {
  /** What its ids begin with, `https://host`. */
  readonly baseUri?: string;
  /** What its tokens call their issuer; the authority looks its keys up there. Default: where it listens. */
  readonly issuerUrl?: string;
  /** Sources and outputs under way; builds of another uid pass through its parents. Default: a temporary folder. */
  readonly workDir?: string;
  readonly callerTokenFile?: string;
  /** Root and signing configuration of the services that sign. */
  readonly trust?: TrustSource;
  readonly images: Registry;
  readonly listen: Address;
  /** Others reach it only as tenants or with a certificate, whatever the caller token. */
  readonly hasKnownCallers: boolean;
}

export async function builderParts(settings: BuilderSettings, deps: StationDeps): Promise<StationParts> {
  const { keys, clock, createdAt, isInit, log } = deps;
  const at = { origin: settings.issuerUrl ?? '' };
  const checked = isInit ? undefined : await requireSettings(settings);
  const key = await keys.openKey('issuer', 'rsa');
  const issuer = workloadIssuer(key, () => at.origin, deps);
  const builder =
    checked === undefined ? undefined : await openBuilder({ ...settings, ...checked }, issuer, deps);
  const { issuerUrl } = settings;
  return {
    bodyBytesMax: limits.builderRequestBytes,
    register: (app) => {
      issuer.register(app);
      if (builder !== undefined) registerBuilder(app, builder.service);
      app.get('/healthz', async () => ({ status: 'ok' }));
    },
    about: { station: 'builder', createdAt },
    ...(issuerUrl === undefined ? {} : { files: { 'issuers.yaml': issuerConfiguration(issuerUrl) } }),
    metrics: (metrics) => {
      metrics.made({
        name: 'builds_total',
        help: 'Builds that were queued.',
        method: 'POST',
        routes: ['/api/v1/builds'],
      });
      metrics.gauge(
        'level',
        'SLSA Build level of what it builds.',
        () => builder?.service.report.level.level ?? 0,
      );
    },
    listening: (origin) => {
      if (at.origin === '') at.origin = origin;
      log.info({ issuer: at.origin, at: clock.now() }, 'tokens are minted by this station');
    },
    close: async () => builder?.close(),
  };
}

interface OpenedBuilder {
  readonly service: Builder;
  close(): Promise<void>;
}

async function openBuilder(
  settings: BuilderSettings & CheckedSettings,
  issuer: WorkloadIssuer,
  deps: StationDeps,
): Promise<OpenedBuilder> {
  const { clock, random, log, dataDir } = deps;
  const { trust, images, workDir, listen: _listen, ...rest } = settings;
  const folder = workDir ?? (await mkdtemp(join(tmpdir(), 'waybill-builder-')));
  const removed = async (): Promise<void> => {
    if (workDir === undefined) await rm(folder, { recursive: true, force: true });
  };
  try {
    const service = await createBuilder(
      {
        ...rest,
        workDir: folder,
        dataDir: join(dataDir, 'work'),
        secretFiles: [join(dataDir, 'keys', 'issuer.key')],
      },
      {
        ...{ images, clock, random, log },
        attach: attachAsReferrer(clock),
        signer: signerOf(trust, deps),
        tokens: { mint: async ({ subject, ...claims }) => issuer.mint(subject, claims) },
      },
    );
    const close = async (): Promise<void> => {
      await service.close();
      await removed();
    };
    return { service, close };
  } catch (error) {
    await removed();
    throw error;
  }
}

interface CheckedSettings {
  readonly baseUri: string;
  readonly trust: TrustSource;
  readonly callerToken?: Secret;
}

async function requireSettings(settings: BuilderSettings): Promise<CheckedSettings> {
  const baseUri = requireBase(settings);
  const { trust } = settings;
  if (trust === undefined) {
    const expected = '--tuf-mirror URL and --tuf-root FILE, or --trusted-root and --signing-config';
    throw fail(R.settings, { expected, actual: 'neither' });
  }
  const callerToken = await requireCallers(settings);
  return { baseUri, trust, ...(callerToken === undefined ? {} : { callerToken }) };
}

function requireBase({ baseUri }: BuilderSettings): string {
  const url = URL.parse(baseUri ?? '');
  if (baseUri !== undefined && url?.protocol === 'https:' && url.pathname === '/' && !baseUri.endsWith('/')) {
    return baseUri;
  }
  const expected = '--base-uri https://HOST: builder ids begin with it';
  throw fail(R.settings, { expected, actual: baseUri ?? 'none' });
}

/** Whoever may post a build has code run here, and signed with this builder's name. */
async function requireCallers({
  listen,
  hasKnownCallers,
  callerTokenFile: file,
}: BuilderSettings): Promise<Secret | undefined> {
  if (file !== undefined) return new Secret(utf8Text(await readFileLimited(file, limits.tokenBytes)).trim());
  if (hasKnownCallers || isLoopback(listen.host)) return undefined;
  const expected = '--caller-token-file, --tenants or --client-ca for a builder that others reach';
  throw fail(R.settings, { expected, actual: `neither, on ${listen.host}` });
}

/** Trust is loaded for each signature: a rotation is noticed, and what was signed is verified with it. */
function signerOf(source: TrustSource, { transport, clock, random }: StationDeps): StatementSigner {
  return {
    sign: async (statement, identity) => {
      const { trustedRoot, signingConfig, origin } = await loadTrust(source, { transport });
      if (signingConfig === undefined) {
        throw fail(R.settings, { expected: 'a signing config', actual: `${origin} has none` });
      }
      const services = servicesFrom(signingConfig, { now: clock.now(), random });
      return statementSigner({ services, trustedRoot, transport, clock, random }).sign(statement, identity);
    },
  };
}
