/** bubblewrap, where it is installed: the same separation as `userns`, made by a program built for it. */

import {
  attacks,
  type Sandbox,
  type SandboxBackend,
  type SandboxSpec,
  type StepResult,
  workspaceView,
} from './sandbox.ts';
import { childEnd, childrenOf, findProgram, killNow, startChild } from './sandbox-process.ts';

const hostRoot = [
  ...['--ro-bind', '/usr', '/usr'],
  ...['bin', 'sbin', 'lib', 'lib32', 'lib64'].flatMap((name) => ['--ro-bind-try', `/${name}`, `/${name}`]),
  ...['ssl/certs', 'alternatives', 'ld.so.cache', 'ld.so.conf', 'ld.so.conf.d'].flatMap((name) => [
    '--ro-bind-try',
    `/etc/${name}`,
    `/etc/${name}`,
  ]),
  ...['--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp', '--tmpfs', '/var/tmp'],
];

const isolation = [
  '--unshare-all',
  '--unshare-user',
  '--disable-userns',
  '--uid',
  '1000',
  '--gid',
  '1000',
  '--hostname',
  'build',
  '--die-with-parent',
  '--new-session',
  '--as-pid-1',
  '--clearenv',
];

export const bwrapBackend: SandboxBackend = {
  name: 'bwrap',
  closes: new Set(attacks),
  notes: [
    'one kernel is shared: a kernel exploit and the host administrator are out of scope',
    'no seccomp filter and no memory limit of its own',
    'the root is /usr of this host, read-only; /etc, /home, /root, /var, /run and /sys of the host are absent',
  ],
  probe: async () => {
    const bwrap = findProgram('bwrap');
    if (bwrap === undefined) return 'no program bwrap (bubblewrap)';
    const child = startChild({
      command: findProgram('setpriv') ?? bwrap,
      args: [
        ...drop(bwrap, process.getuid?.() === 0 ? 65_534 : undefined),
        ...isolation,
        ...hostRoot,
        '/bin/true',
      ],
      env: {},
      cwd: '/',
      onOutput: () => {},
    });
    const { code } = await childEnd(child, 10_000, () => killNow(child.pid ?? 0));
    return code === 0 ? undefined : `bwrap cannot make its namespaces here (exit code ${code})`;
  },
  prepare: async (spec) => new BwrapSandbox(spec),
};

/** Arguments up to and with the program, through setpriv where it is there. */
function drop(bwrap: string, uid: number | undefined): string[] {
  if (findProgram('setpriv') === undefined) return [];
  const to = uid === undefined ? [] : [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
  return [...to, '--no-new-privs', '--inh-caps=-all', '--', bwrap];
}

class BwrapSandbox implements Sandbox {
  readonly view = workspaceView;
  readonly #spec: SandboxSpec;
  #pid: number | undefined;

  constructor(spec: SandboxSpec) {
    this.#spec = spec;
  }

  async run(
    command: readonly string[],
    options: { readonly timeoutMs: number; readonly onOutput: (chunk: Uint8Array) => void },
  ): Promise<StepResult> {
    const spec = this.#spec;
    const bwrap = findProgram('bwrap') ?? 'bwrap';
    const child = startChild({
      command: findProgram('setpriv') ?? bwrap,
      args: [
        ...drop(bwrap, spec.uid),
        ...isolation,
        ...hostRoot,
        ...[
          '--ro-bind',
          spec.sourceDir,
          workspaceView.source,
          '--bind',
          spec.outputDir,
          workspaceView.output,
        ],
        ...['--dir', workspaceView.inputs],
        ...spec.inputs.flatMap(({ name, hostPath }) => [
          '--ro-bind',
          hostPath,
          `${workspaceView.inputs}/${name}`,
        ]),
        ...Object.entries(spec.env).flatMap(([name, value]) => ['--setenv', name, value]),
        ...['--chdir', workspaceView.source, '--', ...command],
      ],
      env: {},
      cwd: '/',
      detached: true,
      onOutput: options.onOutput,
    });
    this.#pid = child.pid;
    const result = await childEnd(child, options.timeoutMs, () => this.#end());
    this.#pid = undefined;
    return result;
  }

  #end(): void {
    if (this.#pid === undefined) return;
    const inside = childrenOf(this.#pid);
    for (const pid of inside.length === 0 ? [this.#pid] : inside) killNow(pid);
  }

  async destroy(): Promise<void> {
    this.#end();
  }
}
