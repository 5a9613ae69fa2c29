/**
 * Names every optional platform package in package-lock.json, also those a registry mirror does not carry.
 * `npm ci` refuses a lock file that leaves one out, and skips those of other platforms by `os`, `cpu`, `libc`.
 * An entry made here has no integrity: it is for platforms this lock file was not made on. `--check` compares.
 */
import { readFileSync, writeFileSync } from 'node:fs';

interface LockEntry {
  version?: string;
  dev?: boolean;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  optionalDependencies?: Record<string, string>;
}

interface Lock {
  packages: Record<string, LockEntry>;
}

const systems = [
  'linux',
  'darwin',
  'win32',
  'android',
  'freebsd',
  'openbsd',
  'netbsd',
  'openharmony',
  'sunos',
  'aix',
];
const processors: readonly (readonly [RegExp, string])[] = [
  [/arm64|aarch64/, 'arm64'],
  [/\barm\b|armhf|eabi/, 'arm'],
  [/x64|x86_64/, 'x64'],
  [/ia32/, 'ia32'],
  [/ppc64/, 'ppc64'],
  [/riscv64/, 'riscv64'],
  [/s390x/, 's390x'],
  [/wasm32/, 'wasm32'],
];

/** `@oxlint/binding-linux-arm64-musl` → linux, arm64, musl. */
export function platformOf(name: string): Pick<LockEntry, 'os' | 'cpu' | 'libc'> | undefined {
  const tail = name.slice(name.indexOf('/') + 1);
  const os = systems.find((system) => new RegExp(`\\b${system}\\b`).test(tail));
  const cpu = processors.find(([pattern]) => pattern.test(tail))?.[1];
  if (os === undefined || cpu === undefined) return undefined;
  const libc = /musl/.test(tail) ? 'musl' : os === 'linux' && /gnu/.test(tail) ? 'glibc' : undefined;
  return { os: [os], cpu: [cpu], ...(libc === undefined ? {} : { libc: [libc] }) };
}

/** Adds what is missing; returns the names that were added. */
export function completeLock(lock: Lock): string[] {
  const added: string[] = [];
  for (const [path, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      const key = `node_modules/${name}`;
      const platform = platformOf(name);
      if (lock.packages[key] !== undefined || platform === undefined || !/^\d/.test(version)) continue;
      const isDev = path !== '' && entry.dev === true;
      const { cpu, libc, os } = platform;
      lock.packages[key] = {
        version,
        ...(cpu === undefined ? {} : { cpu }),
        ...(isDev ? { dev: true } : {}),
        ...(libc === undefined ? {} : { libc }),
        optional: true,
        ...(os === undefined ? {} : { os }),
      };
      added.push(name);
    }
  }
  const sorted = Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1));
  lock.packages = Object.fromEntries(sorted);
  return added;
}

if (import.meta.main) {
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as Lock;
  const added = completeLock(lock);
  if (process.argv.includes('--check')) process.exitCode = added.length === 0 ? 0 : 1;
  else writeFileSync('package-lock.json', `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`${added.length} platform packages ${process.argv.includes('--check') ? 'missing' : 'added'}`);
}
