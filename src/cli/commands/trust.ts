/** `waybill trust list|pin`: which authorities are believed, from where, until when. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { rfc3339 } from '#base/clock';
import type { CaAuthority, LogAuthority, Validity } from '#formats/trusted-root';
import type { Trust, TrustOptions } from '#trust';
import type { CliContext } from '../context.ts';
import { addTrustMirror } from '../trust-mirror.ts';
import { addTrustOptions, loadTrustFor, type TrustFlags } from '../trust-options.ts';

export function register(program: Command, context: CliContext): void {
  const trust = program.command('trust').description('show and pin trusted roots');
  const list = trust
    .command('list')
    .description('show the authorities of the trusted root in use, and every expiry');
  addTrustOptions(list).action((options: TrustFlags) => showTrust(options, context));
  trust
    .command('pin')
    .description('check a TUF repository from a root and remember that root')
    .requiredOption('--tuf-mirror <url>', 'a TUF repository')
    .requiredOption('--tuf-root <file>', 'the root to start from')
    .option('--root-checksum <checksum>', 'sha256:… or sha512:… of that file')
    .option('--cache-dir <dir>', 'where verified trust metadata is kept')
    .action((options: TrustOptions) => pin(options, context));
  addTrustMirror(trust, context);
}

async function showTrust(options: TrustFlags, context: CliContext): Promise<void> {
  const trust = await loadTrustFor(options, context);
  context.result('waybill.dev/trust/v1', json(trust), () => text(trust));
}

async function pin(options: TrustOptions, context: CliContext): Promise<void> {
  const { chooseTrust, pinRoot } = await import('#trust');
  const tufRoot = resolve(context.cwd, options.tufRoot ?? '');
  const source = chooseTrust({ ...options, tufRoot }, context.env);
  if (source.kind !== 'tuf') throw new Error('a mirror gives a TUF source');
  const trust = await pinRoot(source, context);
  context.result('waybill.dev/trust/v1', json(trust), () => `pinned ${trust.origin}\n${text(trust)}`);
}

function json(trust: Trust): object {
  const { trustedRoot: root } = trust;
  return {
    ok: true,
    origin: trust.origin,
    sha256: trust.trustedRootSha256,
    ...(trust.tuf === undefined ? {} : { tuf: trust.tuf }),
    certificateAuthorities: root.certificateAuthorities.map(authorityJson),
    tlogs: root.tlogs.map(logJson),
    ctlogs: root.ctlogs.map(logJson),
    timestampAuthorities: root.timestampAuthorities.map(authorityJson),
    unsupported: root.unsupported,
  };
}

const validityJson = ({ start, end }: Validity): object => ({
  start: rfc3339(start),
  ...(end === undefined ? {} : { end: rfc3339(end) }),
});
const logJson = (log: LogAuthority): object => ({
  url: log.baseUrl,
  logId: Buffer.from(log.logId).toString('hex'),
  keyDetails: log.keyDetails,
  validFor: validityJson(log.validFor),
});
const authorityJson = (authority: CaAuthority): object => ({
  url: authority.uri,
  subject: authority.chain[0].subjectText,
  notAfter: rfc3339(Math.min(...authority.chain.map(({ notAfter }) => notAfter))),
  validFor: validityJson(authority.validFor),
});

function text(trust: Trust): string {
  const { trustedRoot: root } = trust;
  const range = ({ start, end }: Validity): string =>
    `${rfc3339(start)} – ${end === undefined ? 'open' : rfc3339(end)}`;
  const logs = (title: string, of: readonly LogAuthority[]): string[] =>
    of.map((log) => `  ${title.padEnd(10)} ${log.baseUrl}  ${log.keyDetails}  ${range(log.validFor)}`);
  const authorities = (title: string, of: readonly CaAuthority[]): string[] =>
    of.map((ca) => `  ${title.padEnd(10)} ${ca.uri}  ${ca.chain[0].subjectText}  ${range(ca.validFor)}`);
  const expires = Object.entries(trust.tuf?.expires ?? {}).map(
    ([role, at]) => `  ${role.padEnd(10)} ${rfc3339(at)}`,
  );
  return [
    `trusted root from ${trust.origin} (sha256 ${trust.trustedRootSha256})`,
    ...authorities('CA', root.certificateAuthorities),
    ...logs('log', root.tlogs),
    ...logs('CT log', root.ctlogs),
    ...authorities('TSA', root.timestampAuthorities),
    ...(expires.length === 0 ? [] : ['trust metadata expires:', ...expires]),
    ...root.unsupported.map((line) => `  not supported: ${line}`),
  ].join('\n');
}
