/** `waybill doctor stack` and `waybill doctor network`: what is wrong with a stack, and with the way to one. */
import type { Command } from 'commander';
import { fail } from '#base/reason';
import type { Endpoint, EndpointReport } from '#flows/doctor-network';
import type { StackFinding } from '#stack';
import type { Trust } from '#trust';
import type { CliContext } from './context.ts';
import { R } from './reasons.ts';
import { collect } from './sign-options.ts';
import { stackDir } from './stack-dir.ts';
import { addTrustOptions, loadTrustFor, type TrustFlags } from './trust-options.ts';

const EXIT_FINDINGS = 2;

export function registerStackDoctors(doctor: Command, context: CliContext): void {
  doctor
    .command('stack')
    .description(
      'Examines a stack and its folder: stations, keys, clocks, space, rotations, what expires. Exit 2 when something ' +
        'is wrong.',
    )
    .option('--stack <dir>', 'data directory of the stack (default: WAYBILL_STACK)')
    .action((flags: { readonly stack?: string }) => doctorStack(stackDir(flags.stack, context), context));
  const network = doctor
    .command('network')
    .description(
      'Tries every service a signing configuration names, and further addresses, in steps: name, connection, TLS, ' +
        'answer, clock. Exit 20 when one cannot be used.',
    )
    .argument('[address...]', 'further addresses: URLs, or hosts of registries');
  addTrustOptions(network)
    .option('--signing-config <file>', 'signing config that belongs to --trusted-root')
    .option('--registry <host>', 'a registry (repeatable)', collect, [])
    .action((addresses: string[], flags: NetworkFlags) => doctorNetwork(addresses, flags, context));
}

async function doctorStack(dataDir: string, context: CliContext): Promise<void> {
  const [{ examineStack }, { defaultCacheDir }] = await Promise.all([import('#stack'), import('#trust')]);
  const { transport, clock, env } = context;
  const findings = await examineStack(dataDir, { transport, clock, cacheDir: defaultCacheDir(env) });
  const ok = findings.length === 0;
  context.result('waybill.dev/doctor-stack/v1', { ok, dataDir, findings }, () =>
    ok ? `${dataDir}: nothing is wrong` : findings.map(findingText).join('\n'),
  );
  if (!ok) context.exit(EXIT_FINDINGS);
}

const findingText = ({ level, about, message, fix }: StackFinding): string =>
  `${level} ${about}: ${message}\n    ${fix}`;

interface NetworkFlags extends TrustFlags {
  readonly registry: readonly string[];
}

async function doctorNetwork(
  addresses: readonly string[],
  flags: NetworkFlags,
  context: CliContext,
): Promise<void> {
  const { examineNetwork } = await import('#flows/doctor-network');
  const given = [...addresses.map(endpointOf), ...flags.registry.map(registryEndpoint)];
  const endpoints = [...(await servicesIn(flags, given.length > 0, context)), ...given];
  if (endpoints.length === 0) {
    const expected = 'addresses, or a source of trust with a signing config';
    throw fail(R.usage, { expected, actual: 'neither' });
  }
  const { transport, clock, env } = context;
  const reports = await examineNetwork(endpoints, { transport, clock, env });
  const ok = reports.every((report) => report.ok);
  context.result('waybill.dev/doctor-network/v1', { ok, endpoints: reports }, () =>
    reports.map(reportText).join('\n'),
  );
  if (!ok) context.exit(20);
}

function reportText({ ok, what, url, milliseconds, failed, detail, fix }: EndpointReport): string {
  const head = `${ok ? 'ok    ' : 'FAILED'} ${what.padEnd(24)} ${url}  ${milliseconds} ms`;
  return ok ? head : `${head}\n       ${failed}: ${detail}\n       ${fix ?? ''}`;
}

/** What the configuration in use names; nothing when there is none and addresses were given. */
async function servicesIn(
  flags: TrustFlags,
  hasOthers: boolean,
  context: CliContext,
): Promise<readonly Endpoint[]> {
  const { trustSource } = await import('#trust');
  const source = await trustSource(flags, context.env);
  if (source === undefined && hasOthers) return [];
  const mirror: Endpoint[] =
    source?.kind === 'tuf' && /^https?:/.test(source.mirror)
      ? [{ what: 'TUF repository', url: `${source.mirror.replace(/\/$/, '')}/timestamp.json` }]
      : [];
  // A repository that cannot be read names nothing: it is tried, and says why.
  const trust = await loadTrustFor(flags, context).catch((error: unknown) => {
    if (mirror.length === 0) throw error;
    return undefined;
  });
  return [...mirror, ...configured(trust)];
}

const configured = (trust: Pick<Trust, 'signingConfig'> | undefined): Endpoint[] => {
  const config = trust?.signingConfig;
  if (config === undefined) return [];
  const plain = (url: string): string => url.replace(/\/$/, '');
  const log = (url: string, version: number): string =>
    version === 1 ? `${plain(url)}/api/v1/log` : `${plain(url)}/api/v2/checkpoint`;
  return [
    ...config.caUrls.map(({ url }) => ({
      what: 'certificate authority',
      url: `${plain(url)}/api/v2/trustBundle`,
    })),
    ...config.oidcUrls.map(({ url }) => ({
      what: 'identity issuer',
      url: `${plain(url)}/.well-known/openid-configuration`,
    })),
    ...config.rekorTlogUrls.map(({ url, majorApiVersion }) => ({
      what: `transparency log, v${majorApiVersion}`,
      url: log(url, majorApiVersion),
    })),
    ...config.tsaUrls.map(({ url }) => ({ what: 'timestamp authority', url: `${plain(url)}/certchain` })),
  ];
};

function endpointOf(text: string): Endpoint {
  if (!/^https?:\/\//.test(text)) return registryEndpoint(text);
  const statuses = Array.from({ length: 300 }, (_, index) => 200 + index);
  return { what: 'address', url: text, statuses };
}

/** 401 is how a registry asks for a token: it is there. */
function registryEndpoint(host: string): Endpoint {
  if (!/^[A-Za-z0-9.-]+(?::\d{1,5})?$|^\[[0-9a-fA-F:]+\](?::\d{1,5})?$/.test(host)) {
    throw fail(R.optionValue, { expected: 'a URL or HOST[:PORT]', actual: JSON.stringify(host) });
  }
  const name = host === 'docker.io' ? 'registry-1.docker.io' : host;
  const isLocal = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::|$)/.test(name);
  return { what: 'registry', url: `${isLocal ? 'http' : 'https'}://${name}/v2/`, statuses: [200, 401] };
}
