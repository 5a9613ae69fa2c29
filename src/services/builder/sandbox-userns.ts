/**
 * Linux namespaces through util-linux. The uid is dropped before the namespaces are made, so that "root" inside
 * is an unprivileged user outside; the build itself then runs as uid 1000 of a second user namespace, which
 * has no rights over the mounts of the first. Every process ends with process 1 of the pid namespace.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Attack,
  attacks,
  type Sandbox,
  type SandboxBackend,
  type SandboxSpec,
  type StepResult,
  workspaceView,
} from './sandbox.ts';
import { childEnd, childrenOf, findProgram, killNow, startChild } from './sandbox-process.ts';

/**
 * Runs as process 1 of the new namespaces, before the build. Its words come as arguments, so no value is ever
 * part of a script: $1 new root, $2 source, $3 output, $4 number of inputs, then name and path of each input,
 * then the command.
 */
const bootstrap = `
set -eu
umask 022
root=$1; source=$2; output=$3; count=$4; shift 4
ro() { mount --bind "$1" "$2" 2>/dev/null || mount --rbind "$1" "$2"; lock "$2"; }
lock() { mount -o remount,bind,ro,nosuid,nodev "$1" 2>/dev/null ||
  mount -o remount,bind,ro,nosuid,nodev,noexec "$1"; }
mount --make-rprivate /
mount -t tmpfs -o size=64m,mode=755,nosuid,nodev waybill "$root"
cd "$root"
mkdir -p usr proc dev tmp etc workspace/source workspace/output workspace/inputs var/tmp old
ro /usr "$root/usr"
for name in bin sbin lib lib32 lib64 libx32; do
  if [ -L "/$name" ]; then ln -s "$(readlink "/$name")" "$name"
  elif [ -d "/$name" ]; then mkdir "$name"; ro "/$name" "$root/$name"; fi
done
for name in ssl/certs alternatives ld.so.cache ld.so.conf ld.so.conf.d; do
  [ -e "/etc/$name" ] || continue
  mkdir -p "etc/$(dirname "$name")"
  if [ -d "/etc/$name" ]; then mkdir -p "etc/$name"; else : > "etc/$name"; fi
  ro "/etc/$name" "$root/etc/$name"
done
echo 'build:x:1000:1000:build:/tmp:/bin/sh' > etc/passwd
echo 'build:x:1000:' > etc/group
echo '127.0.0.1 localhost' > etc/hosts
echo 'hosts: files' > etc/nsswitch.conf
: > etc/resolv.conf
mount -t tmpfs -o size=2g,mode=1777,nosuid,nodev waybill tmp
mount --bind tmp var/tmp
mkdir dev/shm
for name in null zero full random urandom; do
  : > "dev/$name"; mount --bind "/dev/$name" "$root/dev/$name"
done
ln -s /proc/self/fd dev/fd; ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout; ln -s /proc/self/fd/2 dev/stderr
mount -t tmpfs -o size=256m,mode=1777,nosuid,nodev,noexec waybill dev/shm
ro "$source" "$root/workspace/source"
mount --bind "$output" "$root/workspace/output"
mount -o remount,bind,nosuid,nodev "$root/workspace/output"
while [ "$count" -gt 0 ]; do
  mkdir "workspace/inputs/$1"; ro "$2" "$root/workspace/inputs/$1"
  shift 2; count=$((count - 1))
done
mount -t proc -o nosuid,nodev,noexec proc proc
echo 1 > proc/sys/user/max_user_namespaces 2>/dev/null || true
for name in sys sysrq-trigger irq bus fs; do
  [ -e "proc/$name" ] || continue
  mount --bind "proc/$name" "$root/proc/$name"
  mount -o remount,bind,ro,nosuid,nodev,noexec "$root/proc/$name"
done
hostname build
pivot_root . old
cd /
umount -l /old
rmdir /old
mount -o remount,bind,ro,nosuid,nodev /
cd /workspace/source
exec "$WAYBILL_UNSHARE" --user --map-user=1000 --map-group=1000 -- \\
  "$WAYBILL_ENV" -i "$@"
`;

const closes: ReadonlySet<Attack> = new Set(attacks);

interface Programs {
  readonly unshare: string;
  readonly setpriv: string;
  readonly prlimit: string;
  readonly env: string;
  readonly sh: string;
}

function programs(): Programs | string {
  const found: Record<string, string> = {};
  for (const name of ['unshare', 'setpriv', 'prlimit', 'env', 'sh', 'mount', 'pivot_root']) {
    const path = findProgram(name);
    if (path === undefined) return `no program ${name} (util-linux)`;
    found[name] = path;
  }
  return found as unknown as Programs;
}

export const usernsBackend: SandboxBackend = {
  name: 'userns',
  closes,
  notes: [
    'one kernel is shared: a kernel exploit and the host administrator are out of scope',
    'no seccomp filter and no memory limit of its own; processes, files and descriptors are limited',
    'the root is /usr of this host, read-only; /etc, /home, /root, /var, /run and /sys of the host are absent',
  ],
  probe: async () => {
    const found = programs();
    if (typeof found === 'string') return found;
    const heard: string[] = [];
    const child = startChild({
      command: found.setpriv,
      args: [
        ...dropTo(process.getuid?.() === 0 ? 65_534 : undefined),
        found.unshare,
        ...namespaces,
        '/bin/true',
      ],
      env: {},
      cwd: '/',
      onOutput: (chunk) => heard.push(Buffer.from(chunk).toString('utf8')),
    });
    const { code } = await childEnd(child, 10_000, () => killNow(child.pid ?? 0));
    return code === 0 ? undefined : `user namespaces are not allowed here: ${heard.join('').trim() || code}`;
  },
  prepare: async (spec) => new UsernsSandbox(spec),
};

const namespaces = [
  '--user',
  '--map-root-user',
  '--mount',
  '--pid',
  '--fork',
  '--kill-child',
  '--net',
  '--ipc',
  '--uts',
  '--cgroup',
  '--',
];

const dropTo = (uid: number | undefined): string[] => [
  ...(uid === undefined ? [] : [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups']),
  '--no-new-privs',
  '--inh-caps=-all',
  '--',
];

const limitWords = ['--core=0', '--nproc=4096', '--nofile=4096', '--fsize=8589934592', '--memlock=65536'];

class UsernsSandbox implements Sandbox {
  readonly view = workspaceView;
  readonly #spec: SandboxSpec;
  readonly #root: string;
  #pid: number | undefined;

  constructor(spec: SandboxSpec) {
    this.#spec = spec;
    this.#root = join(spec.scratchDir, 'root');
    mkdirSync(this.#root, { mode: 0o755 });
    writeFileSync(join(spec.scratchDir, 'bootstrap'), bootstrap, { mode: 0o644, flag: 'wx' });
  }

  async run(
    command: readonly string[],
    options: { readonly timeoutMs: number; readonly onOutput: (chunk: Uint8Array) => void },
  ): Promise<StepResult> {
    const found = programs();
    if (typeof found === 'string') throw new Error(found);
    const spec = this.#spec;
    const child = startChild({
      command: found.setpriv,
      args: [
        ...dropTo(spec.uid),
        found.prlimit,
        ...limitWords,
        found.unshare,
        ...namespaces,
        found.sh,
        join(spec.scratchDir, 'bootstrap'),
        this.#root,
        spec.sourceDir,
        spec.outputDir,
        String(spec.inputs.length),
        ...spec.inputs.flatMap(({ name, hostPath }) => [name, hostPath]),
        ...Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
        ...command,
      ],
      env: {
        PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
        LC_ALL: 'C',
        WAYBILL_UNSHARE: found.unshare,
        WAYBILL_ENV: found.env,
      },
      cwd: '/',
      detached: true,
      onOutput: options.onOutput,
    });
    this.#pid = child.pid;
    const result = await childEnd(child, options.timeoutMs, () => this.#end());
    this.#pid = undefined;
    return result;
  }

  /** Ends process 1 of the namespace: unshare is told of it only after all others in there are gone. */
  #end(): void {
    if (this.#pid === undefined) return;
    const inside = childrenOf(this.#pid);
    if (inside.length === 0) killNow(this.#pid);
    for (const pid of inside) killNow(pid);
  }

  async destroy(): Promise<void> {
    this.#end();
  }
}
