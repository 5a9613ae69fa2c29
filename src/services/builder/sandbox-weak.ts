/**
 * The two back ends for hosts without namespaces. `uid` runs the build as another user: files and processes of
 * the control plane are out of reach, the network is not. `none` runs it as a plain child: nothing is closed.
 * Neither can ever carry a builder id that means isolation.
 */
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fail } from '#base/reason';
import { R } from './reasons.ts';
import type { Sandbox, SandboxBackend, SandboxSpec, SandboxView, StepResult } from './sandbox.ts';
import { childEnd, findProgram, killNow, pause, processesOf, startChild } from './sandbox-process.ts';
import { writableFolder } from './stage.ts';

export const uidBackend: SandboxBackend = {
  name: 'uid',
  closes: new Set([
    'parent-environ',
    'parent-memory',
    'parent-descriptors',
    'parent-signal',
    'signer-socket',
    'token-file',
    'inherited-descriptors',
    'write-source',
    'write-input',
    'become-root',
    'other-build',
    'outlive',
  ]),
  notes: [
    'the build shares the network of the host: it can reach loopback services and the internet',
    'the build sees the names of all processes and all world-readable files of the host',
  ],
  probe: async () => {
    if (process.getuid?.() !== 0) return 'only root can run builds as another user';
    return findProgram('setpriv') === undefined ? 'no program setpriv (util-linux)' : undefined;
  },
  prepare: async (spec) => {
    if (spec.uid === undefined) {
      throw fail(R.sandbox, { expected: 'a uid for the build', actual: 'none' });
    }
    return new PlainSandbox(spec, spec.uid);
  },
};

export const noneBackend: SandboxBackend = {
  name: 'none',
  closes: new Set(['inherited-descriptors']),
  notes: ['no isolation: the build can do whatever the builder can; for development only'],
  probe: async () => undefined,
  prepare: async (spec) => new PlainSandbox(spec, undefined),
};

/** Ten seconds at least: on a busy machine a process that was ended takes its time to be gone. */
const KILL_ROUNDS = 1000;

class PlainSandbox implements Sandbox {
  readonly view: SandboxView;
  readonly #spec: SandboxSpec;
  readonly #uid: number | undefined;
  #group: number | undefined;

  constructor(spec: SandboxSpec, uid: number | undefined) {
    this.#spec = spec;
    this.#uid = uid;
    this.view = { source: spec.sourceDir, output: spec.outputDir, inputs: join(spec.scratchDir, 'inputs') };
    mkdirSync(this.view.inputs, { mode: 0o755 });
    for (const { name, hostPath } of spec.inputs) symlinkSync(hostPath, join(this.view.inputs, name));
    writableFolder(join(spec.scratchDir, 'tmp'), uid);
  }

  async run(
    command: readonly string[],
    options: { readonly timeoutMs: number; readonly onOutput: (chunk: Uint8Array) => void },
  ): Promise<StepResult> {
    const [program = '', ...words] = command;
    const uid = this.#uid;
    const drop = ['--no-new-privs', '--inh-caps=-all', '--bounding-set=-all', '--', program];
    const tmp = join(this.#spec.scratchDir, 'tmp');
    const child = startChild({
      command: uid === undefined ? program : (findProgram('setpriv') ?? 'setpriv'),
      args:
        uid === undefined ? words : [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', ...drop, ...words],
      env: { ...this.#spec.env, HOME: tmp, TMPDIR: tmp },
      cwd: this.view.source,
      detached: true,
      onOutput: options.onOutput,
    });
    this.#group = child.pid;
    const result = await childEnd(child, options.timeoutMs, () => this.#killGroup());
    await this.destroy();
    return result;
  }

  #killGroup(): void {
    if (this.#group !== undefined) killNow(-this.#group);
  }

  /** The group first; then, with a uid of its own, everything of that uid until nothing is left. */
  async destroy(): Promise<void> {
    this.#killGroup();
    this.#group = undefined;
    if (this.#uid === undefined) return;
    for (let round = 0; round < KILL_ROUNDS; round++) {
      const left = processesOf(this.#uid);
      if (left.length === 0) return;
      for (const pid of left) killNow(pid);
      await pause(10);
    }
    throw fail(R.sandbox, {
      expected: `no process of uid ${this.#uid} after the build`,
      actual: 'processes that start faster than they can be ended',
    });
  }
}
