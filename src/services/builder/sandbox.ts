/**
 * What runs the steps of strangers. Every back end fulfils this contract as far as its report says:
 *
 * - the steps see the source and the inputs read-only, one writable output folder, and the environment given;
 * - nothing of the control plane is reachable: its processes, files, sockets, network, descriptors;
 * - when `run` settles, no process of the build is alive any more.
 *
 * `selfTest` (self-test.ts) measures this on the host; a claim is never taken from this file.
 */
import type { BackendName } from './config.ts';

/** What a hostile build tries; each is one measurement of the self-test. */
export const attacks = [
  'parent-environ',
  'parent-memory',
  'parent-descriptors',
  'parent-signal',
  'signer-socket',
  'abstract-socket',
  'token-file',
  'loopback-network',
  'inherited-descriptors',
  'write-source',
  'write-input',
  'become-root',
  'other-build',
  'outlive',
  'leave-behind',
] as const;

export type Attack = (typeof attacks)[number];

export interface SandboxMount {
  /** Name below the inputs folder. */
  readonly name: string;
  readonly hostPath: string;
}

export interface SandboxSpec {
  /** Unique on this host; part of names only. */
  readonly id: string;
  readonly sourceDir: string;
  readonly outputDir: string;
  readonly inputs: readonly SandboxMount[];
  /** Folder of this build for the back end's own use, empty. */
  readonly scratchDir: string;
  readonly env: Readonly<Record<string, string>>;
  /** uid and gid the build runs as, when the control plane is root. */
  readonly uid?: number;
}

/** Paths as the build sees them. */
export interface SandboxView {
  readonly source: string;
  readonly output: string;
  readonly inputs: string;
}

/** The same in every back end with a file system of its own. */
export const workspaceView: SandboxView = {
  source: '/workspace/source',
  output: '/workspace/output',
  inputs: '/workspace/inputs',
};

export interface StepResult {
  /** Exit code; -1 when a signal ended it. */
  readonly code: number;
  readonly timedOut: boolean;
}

export interface Sandbox {
  readonly view: SandboxView;
  /** Runs one command to its end. `onOutput` gets standard output and error as they come. */
  run(
    command: readonly string[],
    options: { readonly timeoutMs: number; readonly onOutput: (chunk: Uint8Array) => void },
  ): Promise<StepResult>;
  /** Ends every process that may be left; settles when none is. */
  destroy(): Promise<void>;
}

export interface SandboxBackend {
  readonly name: BackendName;
  /** What the design of this back end closes; the self-test has to confirm each. */
  readonly closes: ReadonlySet<Attack>;
  /** What no self-test shows: said in the report and in the README. */
  readonly notes: readonly string[];
  /** Undefined when it can be used here, else why not. */
  probe(): Promise<string | undefined>;
  prepare(spec: SandboxSpec): Promise<Sandbox>;
}
