/** `waybill cosign version` and `login`. */
import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { packageVersion } from '../version.ts';
import { asCosign, cosignRule } from './cosign-common.ts';
import { addFlags, type FlagSpec, readFlags } from './cosign-flags.ts';
import { reportSigned, wordsOf } from './cosign-signing.ts';
import { refuseBy, runNative } from './native.ts';

/** The command line that is spoken here; what speaks it stands behind the plus sign. */
const SPOKEN = 'v3.1.3';

const versionFlags: readonly FlagSpec[] = [{ flags: '--json', help: 'as JSON' }];
const loginFlags: readonly FlagSpec[] = [
  { flags: '-u, --username <name>', help: 'user name' },
  { flags: '-p, --password <password>', help: 'password' },
  { flags: '--password-stdin', help: 'the password is the first line of standard input' },
];

interface LoginFlags {
  readonly username?: string;
  readonly password?: string;
  readonly passwordStdin?: boolean;
}

export function addSession(cosign: Command, context: CliContext): void {
  const version = addFlags(cosign.command('version').description('the version'), versionFlags);
  refuseBy(version, 'cosign version').action(() =>
    asCosign(context, {}, async () => {
      const { json } = readFlags<{ readonly json?: boolean }>(version, versionFlags, context);
      context.stdout(json === true ? JSON.stringify(versionOf(), null, 2) : versionText());
    }),
  );
  const login = addFlags(cosign.command('login').description('waybill registry login'), loginFlags);
  login.argument('<server>', 'registry');
  refuseBy(login, 'cosign login').action((server: string) =>
    asCosign(context, {}, async () => {
      const flags = readFlags<LoginFlags>(login, loginFlags, context);
      if (flags.username === undefined) throw cosignRule('username and password required');
      // cosign speaks http to registries on this machine; so does login here.
      const words = wordsOf(flags, ['username', 'password', 'passwordStdin']);
      const { isLoopback } = await import('#oci');
      const local = isLoopback(server) ? ['--allow-http-registry'] : [];
      const load = () => import('../commands/registry.ts');
      const run = await runNative(load, ['registry', 'login', ...words, ...local, '--', server], context);
      if (reportSigned(run, context)) context.stderr('logged in via docker’s config.json or its helper');
    }),
  );
}

const versionOf = () => ({
  gitVersion: `${SPOKEN}+waybill.${packageVersion()}`,
  gitCommit: 'unknown',
  gitTreeState: 'unknown',
  buildDate: 'unknown',
  goVersion: `node${process.versions.node}`,
  compiler: 'node',
  platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
});

const versionText = (): string =>
  Object.entries(versionOf())
    .map(([name, value]) => `${`${name.charAt(0).toUpperCase()}${name.slice(1)}:`.padEnd(15)}${value}`)
    .join('\n');
