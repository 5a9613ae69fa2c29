/** A private Sigstore of stations that know each other by files and addresses alone. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unwrap } from '#base/result';
import { parseSigningConfig } from '#formats/signing-config';
import { httpTransport } from '#platform/http-client';
import { systemClock, systemRandom } from '#platform/system';
import { createSigner, type Signer, servicesFrom } from '#sign';
import {
  caParts,
  ctParts,
  initStation,
  logParts,
  oidcParts,
  openStation,
  type RunningStation,
  registryParts,
  type SignerSettings,
  type StationSettings,
  tsaParts,
  tufParts,
} from '#stack';
import { loadTrust, type Trust } from '#trust';

export const wire = { transport: httpTransport(), clock: systemClock, random: systemRandom };
const listen = { host: '127.0.0.1', port: 0 };

export interface Constellation {
  readonly dir: string;
  readonly origins: Readonly<Record<string, string>>;
  readonly stations: ReadonlyMap<string, RunningStation>;
  settings(name: string, more?: Partial<StationSettings>): StationSettings;
  trust(): Promise<Trust>;
  signer(logVersion?: 1 | 2): Promise<Signer>;
  token(): Promise<string>;
  close(): Promise<void>;
}

export const stationSettings = (
  dir: string,
  name: string,
  more: Partial<StationSettings> = {},
): StationSettings => ({
  ...wire,
  dataDir: join(dir, name),
  lockDir: join(dir, 'locks'),
  listen,
  logLevel: 'silent',
  ...more,
});

export async function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'waybill-test-serve-'));
}

const issuersYaml = (issuer: string): string =>
  `oidc-issuers:\n  ${issuer}:\n    issuer-url: ${issuer}\n    client-id: sigstore\n    type: email\n`;

export async function startConstellation(
  more: (name: string) => Partial<StationSettings> = () => ({}),
  signers: Readonly<Partial<Record<'ca' | 'tsa' | 'ct' | 'log' | 'log2' | 'tuf', SignerSettings>>> = {},
  /** What the authority's table of issuers has beside the development issuer. */
  moreIssuers = '',
): Promise<Constellation> {
  const dir = await temporaryFolder();
  const stations = new Map<string, RunningStation>();
  const settings = (name: string, extra: Partial<StationSettings> = {}): StationSettings =>
    stationSettings(dir, name, { ...more(name), ...extra });
  const up = async (name: string, make: Parameters<typeof openStation>[2]): Promise<string> => {
    const station = await openStation(name, settings(name), make);
    stations.set(name, station);
    return station.origin;
  };
  const file = (name: string, path: string): string => join(dir, name, 'public', path);
  const heldBy = (name: keyof typeof signers): { readonly signer?: SignerSettings } => {
    const signer = signers[name];
    return signer === undefined ? {} : { signer };
  };
  const [caKeys, ctKeys] = [heldBy('ca'), heldBy('ct')];
  const ctName = 'ct.example/2026';
  await initStation('ct', settings('ct'), (deps) =>
    ctParts({ name: ctName, rootFiles: [], ...ctKeys }, deps),
  );
  await initStation('ca', settings('ca'), (deps) => caParts({ organization: 'acme', ...caKeys }, deps));
  const oidc = await up('oidc', (deps) => oidcParts({ listen }, deps));
  const ct = await up('ct', (deps) =>
    ctParts({ name: ctName, rootFiles: [file('ca', 'root.pem')], ...ctKeys }, deps),
  );
  await writeFile(join(dir, 'issuers.yaml'), issuersYaml(oidc) + moreIssuers);
  const ca = await up('ca', (deps) =>
    caParts(
      { issuersFile: join(dir, 'issuers.yaml'), ctUrl: ct, ctKeyFile: file('ct', 'ctfe.pub'), ...caKeys },
      deps,
    ),
  );
  const log = (api: 'v1' | 'v2') => (deps: Parameters<Parameters<typeof openStation>[2]>[0]) =>
    logParts({ api, hostname: '127.0.0.1', ...heldBy(api === 'v1' ? 'log' : 'log2') }, deps);
  const log1 = await up('log', log('v1'));
  const log2 = await up('log2', log('v2'));
  const tsa = await up('tsa', (deps) => tsaParts({ organization: 'acme', ...heldBy('tsa') }, deps));
  const registry = await up('registry', (deps) => registryParts({}, deps));
  const members = { ca, ct, log: log1, log2, tsa };
  const lines = Object.entries(members).map(
    ([name, url]) => `  - url: ${url}\n    file: ${file(name, 'station.json')}\n`,
  );
  const stationsFile = join(dir, 'stations.yaml');
  await writeFile(stationsFile, `organization: acme\nissuers: [${oidc}]\nstations:\n${lines.join('')}`);
  const tuf = await up('tuf', (deps) => tufParts({ stationsFile, ...heldBy('tuf') }, deps));
  const root = file('tuf', 'root.json');
  const trust = (): Promise<Trust> =>
    loadTrust({ kind: 'tuf', mirror: tuf, root, cacheDir: join(dir, 'cache') }, wire);
  const token = async (): Promise<string> => {
    const body = JSON.stringify({ email: 'ada@example.com' });
    const answer = await fetch(`${oidc}/token`, { method: 'POST', body });
    return ((await answer.json()) as { id_token: string }).id_token;
  };
  return {
    dir,
    origins: { ...members, oidc, registry, tuf },
    stations,
    settings,
    trust,
    token,
    signer: async (logVersion = 1) => {
      const { trustedRoot, signingConfigBytes } = await trust();
      const config = unwrap(parseSigningConfig(signingConfigBytes as Uint8Array));
      const chosen =
        logVersion === 2
          ? { ...config, rekorTlogUrls: [{ ...config.rekorTlogUrls[0]!, url: log2, majorApiVersion: 2 }] }
          : config;
      const services = servicesFrom(chosen, { now: systemClock.now(), random: systemRandom });
      const { Secret } = await import('#base/secret');
      return createSigner({
        ...wire,
        identity: { kind: 'token', token: async () => new Secret(await token()) },
        services,
        trustedRoot,
      });
    },
    close: async () => {
      for (const station of [...stations.values()].reverse()) await station.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
