/** `waybill stack connect CLIENT`: what others must be told to use a stack, or a cluster to ask our webhook. */
import type { Command } from 'commander';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import {
  type ConnectableClient,
  connectableClients,
  type DocumentClient,
  documentClients,
} from '#formats/client-names';
import type { WebhookAddress } from '#stack';
import type { CliContext } from './context.ts';
import { readInput } from './input.ts';
import { R } from './reasons.ts';
import { collect } from './sign-options.ts';
import { stackDir } from './stack-dir.ts';

interface KubernetesFlags {
  readonly webhookUrl?: string;
  readonly service?: string;
  readonly ca: string;
  readonly name: string;
  readonly ownNamespace?: string;
  readonly excludeNamespace: readonly string[];
  readonly controllers?: boolean;
  readonly timeoutSeconds: string;
}

export function registerConnect(stack: Command, context: CliContext): void {
  const connect = stack.command('connect').description('print what another system needs to use this one');
  for (const client of connectableClients) {
    connect
      .command(client)
      .description(
        isDocument(client)
          ? `print the document ${client} reads; what to do with it on standard error`
          : `print the setting of ${client}, for eval, and what to say then`,
      )
      .option('--stack <dir>', 'data directory of the stack (default: WAYBILL_STACK)')
      .option('--identity <email>', 'who signs', 'you@example.com')
      .action((flags: ClientFlags) => connectClient(client, flags, context));
  }
  connect
    .command('kubernetes')
    .alias('kubectl')
    .description('print the webhook configurations of `waybill serve admission`, for kubectl apply -f -')
    .requiredOption('--ca <file>', 'PEM of the CA of the webhook (serve admission --ca-out); - reads stdin')
    .option('--webhook-url <url>', 'where the API server reaches the webhook: https://HOST:PORT')
    .option('--service <namespace/name[:port]>', 'or the Service in front of it')
    .option('--name <name>', 'name of both configurations', 'waybill')
    .option('--own-namespace <name>', 'namespace the webhook runs in (default: that of --service)')
    .option('--exclude-namespace <name>', 'namespace nobody asks about (repeatable)', collect, [])
    .option('--controllers', 'ask for Deployments, Jobs and other owners of Pods too')
    .option('--timeout-seconds <number>', 'how long the API server waits, 1 to 30', '10')
    .action((flags: KubernetesFlags) => connectKubernetes(flags, context));
}

const isDocument = (client: string): client is DocumentClient =>
  documentClients.some((one) => one === client);

interface ClientFlags {
  readonly stack?: string;
  readonly identity: string;
}

async function connectClient(
  client: ConnectableClient,
  flags: ClientFlags,
  context: CliContext,
): Promise<void> {
  const { connectionOf, connectionText, documentOf, requireState } = await import('#stack');
  const dataDir = stackDir(flags.stack, context);
  const state = await requireState(dataDir);
  const connection = connectionOf(client, dataDir, state, flags.identity);
  if (!isDocument(client)) {
    const value = { ok: true, ...connection };
    context.result('waybill.dev/stack-connect/v1', value, () => connectionText(connection));
    return;
  }
  const { text: document, notes } = await documentOf(client, dataDir, state, { identity: flags.identity });
  context.progress(connectionText(connection));
  for (const note of notes) context.progress(`waybill: not named here: ${note}`);
  context.result('waybill.dev/stack-connect/v1', { ok: true, ...connection, document, notes }, () =>
    document.trimEnd(),
  );
}

async function connectKubernetes(flags: KubernetesFlags, context: CliContext): Promise<void> {
  const { kubernetesWebhooks, parseServiceAddress } = await import('#stack');
  const { utf8Text } = await import('#base/bytes');
  const caPem = utf8Text(await readInput(flags.ca, limits.certificateBytes * 4));
  const configurations = kubernetesWebhooks({
    address: addressOf(flags, parseServiceAddress),
    caPem,
    now: context.clock.now(),
    name: flags.name,
    excludedNamespaces: flags.excludeNamespace,
    ...(flags.ownNamespace === undefined ? {} : { ownNamespace: flags.ownNamespace }),
    withControllers: flags.controllers === true,
    timeoutSeconds: /^\d{1,2}$/.test(flags.timeoutSeconds) ? Number(flags.timeoutSeconds) : Number.NaN,
  });
  const { stringify } = await import('yaml');
  const yaml = { lineWidth: 0, aliasDuplicateObjects: false };
  context.result('waybill.dev/stack-connect-kubernetes/v1', { ok: true, configurations }, () => {
    const documents = configurations.map((configuration) => stringify(configuration, yaml));
    return `${header(flags.name)}${documents.join('---\n')}`;
  });
}

const header = (name: string): string =>
  `# Apply when the webhook answers GET /readyz: from then on Pods need its answer.
# Undo: kubectl delete mutatingwebhookconfiguration,validatingwebhookconfiguration ${name}
`;

function addressOf(
  { webhookUrl, service }: KubernetesFlags,
  parseService: (text: string) => WebhookAddress,
): WebhookAddress {
  if (webhookUrl !== undefined && service === undefined) return { kind: 'url', url: webhookUrl };
  if (service !== undefined && webhookUrl === undefined) return parseService(service);
  const actual = service === undefined ? 'neither' : 'both';
  throw fail(R.usage, { expected: '--webhook-url URL or --service NAMESPACE/NAME', actual });
}
