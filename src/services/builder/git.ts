/**
 * git for a control plane: it reads repositories of strangers, so nothing a repository, an environment or a
 * user's configuration says can make it run a program, follow a submodule or ask for a password.
 */
import { fail } from '#base/reason';
import { type RunResult, run } from '#platform/process';
import { R } from './reasons.ts';

export interface GitPlace {
  /** An empty folder of ours: HOME of git, so that no user configuration is read. */
  readonly home: string;
  /** Allows `file` transport; only for repositories below the operator's source roots. */
  readonly allowFile: boolean;
}

/** Everything in git that would run a program or open another repository, switched off. */
const hardened = [
  ['core.hooksPath', '/dev/null'],
  ['core.fsmonitor', 'false'],
  ['core.attributesFile', '/dev/null'],
  ['core.sshCommand', 'ssh -oBatchMode=yes'],
  ['core.askPass', '/bin/false'],
  ['core.pager', 'cat'],
  ['credential.helper', ''],
  ['submodule.recurse', 'false'],
  ['fetch.recurseSubmodules', 'false'],
  ['fetch.fsckObjects', 'true'],
  ['transfer.fsckObjects', 'true'],
  ['fetch.writeCommitGraph', 'false'],
  ['gc.auto', '0'],
  ['maintenance.auto', 'false'],
  ['init.templateDir', ''],
  ['protocol.allow', 'never'],
  ['protocol.https.allow', 'always'],
  ['protocol.ssh.allow', 'always'],
  ['http.followRedirects', 'false'],
] as const;

export function gitEnvironment(place: GitPlace): Record<string, string> {
  return {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    HOME: place.home,
    XDG_CONFIG_HOME: place.home,
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    // A local repository may belong to another user; which ones may be read is decided by the source roots.
    GIT_CONFIG_GLOBAL: place.allowFile ? `${place.home}/gitconfig` : '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '/bin/false',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_LFS_SKIP_SMUDGE: '1',
  };
}

export function gitArguments(place: GitPlace, args: readonly string[]): string[] {
  const settings = hardened.flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const local = place.allowFile ? ['-c', 'protocol.file.allow=always'] : [];
  return [...settings, ...local, ...args];
}

/** Runs git; the exit code is data. */
function tryGit(place: GitPlace, cwd: string, args: readonly string[]): Promise<RunResult> {
  return run('git', gitArguments(place, args), {
    cwd,
    env: gitEnvironment(place),
    timeoutMs: 300_000,
    maxBytes: 64 * 1024 * 1024,
  });
}

/** Runs git and returns what it printed; WB-1114 when it fails. */
export async function git(place: GitPlace, cwd: string, args: readonly string[]): Promise<string> {
  const result = await tryGit(place, cwd, args);
  if (result.code === 0) return result.stdout;
  // git puts the cause first and advice ("… and the repository exists.") below it.
  const lines = result.stderr.trim().split('\n');
  const said = lines.find((line) => /^(?:fatal|error): /.test(line)) ?? lines.at(-1) ?? '';
  throw fail(R.source, {
    expected: `git ${args[0] ?? ''} to succeed`,
    actual: result.timedOut ? 'no answer in time' : said || `exit code ${result.code}`,
  });
}
